/* Listening: -H unix://PATH, -H tcp://ADDRESS:PORT, -H fd://[N].
 *
 * A unix socket is guarded by its mode and group. TCP has no such guard: who can connect can do what root can. So it is
 * for this machine alone unless --insecure-tcp says that the administrator knows, and that is said again in the log.
 *
 * fd://: systemd has opened the sockets (systemd.socket(5)) and passes them as descriptors from 3 on, with their number
 * in LISTEN_FDS and the pid they are meant for in LISTEN_PID (sd_listen_fds(3)). A connection that came before we ran
 * waits in the socket's queue.
 *
 * Of TLS there is nothing here: a gorae-tlspipe is put before the socket (tls.c). With --tlsverify only those come in
 * who show a certificate of our authority, so such a socket may listen anywhere.
 *
 * How it fails: with a sentence that names the address, before anything else has been changed. Read next: tls.c,
 * listen.c. */
#include "api/hosts.h"
#include "api/tls.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TCP_PORT     "2375"
#define TLS_PORT     "2376"
#define BIND_MS      1000 /* for a tlspipe of a daemon that was killed just now to let go of the port */
#define FIRST_PASSED 3    /* SD_LISTEN_FDS_START */

static struct host *add(struct hosts *h, int fd, const char *name)
{
    struct host *x = &h->v[h->n++];
    *x = (struct host){.fd = fd, .control = -1, .name = mem_strdup(name)};
    return x;
}

/* ---- unix ---- */

/* The group's number from /etc/group: NSS would bring its modules into a daemon that must stay small. */
static int find_group(const char *name, gid_t *ret)
{
    FILE *f = fopen("/etc/group", "re");
    int r = -1;
    for (struct group *g; f && r < 0 && (g = fgetgrent(f));)
        if (str_eq(g->gr_name, name)) {
            *ret = g->gr_gid;
            r = 0;
        }
    if (f)
        fclose(f);
    return r;
}

static int open_unix(struct hosts *h, const struct options *o, const char *name, struct err *e)
{
    const char *path = name + strlen("unix://");
    gid_t gid;
    bool has_group = find_group(o->group, &gid) == 0;
    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return err_set(e, ERR_INVALID, "-H %s is too long: the path of a socket has at most 107 bytes", name);
    if (!has_group && !str_eq(o->group, DEFAULT_GROUP))
        return err_set(e, ERR_NOT_FOUND, "--group %s: no such group", o->group);
    int fd = h ? sock_listen_unix(path, SOCK_STREAM, 0660, e) : -1;
    if (fd < 0)
        return h ? -1 : 0;
    add(h, fd, name)->path = mem_strdup(path);
    if (!has_group)
        log_debug("no group %s: only root may use the socket", o->group);
    return has_group && chown(path, (uid_t)-1, gid) < 0 ? err_sys(e, "give %s to group %s", path, o->group) : 0;
}

/* ---- TCP ---- */

/* "address:port", "[v6]:port", ":port", "address". @return 0, -1 ERR_INVALID */
static int split(const char *name, bool tls, char **ret_host, char **ret_port, struct err *e)
{
    const char *text = name + strlen("tcp://");
    size_t n = strcspn(text, "/");
    autofree char *where = mem_strndup(text, n);
    char *port = *where == '[' ? strchr(where, ']') : strrchr(where, ':');
    uint64_t number;
    if (*where == '[' && port)
        *port++ = '\0';
    if (port && *port == ':')
        *port++ = '\0';
    if (!port || !*port)
        port = (char *)(tls ? TLS_PORT : TCP_PORT);
    if (text[n] || !str_to_u64(port, &number) || number < 1 || number > 65535 || (*where == '[' && !strchr(text, ']')))
        return err_set(e, ERR_INVALID, "-H %s: tcp://address:port is expected, with a port from 1 to 65535", name);
    *ret_host = mem_strdup(where + (*where == '['));
    *ret_port = mem_strdup(port);
    return 0;
}

bool tcp_is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

int tcp_listen(const struct addrinfo *a)
{
    static const int one = 1;
    autoclose int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
        return -1;
    return take_fd(&fd);
}

static int add_tcp(struct hosts *h, const struct options *o, int fd, const char *name, struct err *e)
{
    struct host *x = add(h, fd, name);
    x->tcp = true;
    x->tls = o->tls.on;
    return x->tls ? tls_start(x, o, e) : 0;
}

static int listen_in_time(const struct addrinfo *a, bool tls)
{
    int64_t until = clock_mono() + BIND_MS * NS_PER_MS;
    int fd;
    while ((fd = tcp_listen(a)) < 0 && errno == EADDRINUSE && tls && clock_mono() < until)
        usleep(20000);
    return fd;
}

/* Whoever can connect there would be root, or has a certificate. Where it may be all the same, that is said, here and
 * by info. */
static int check_tcp(struct hosts *h, const struct options *o, const struct sockaddr *a, const char *name,
                     struct err *e)
{
    if (tcp_is_loopback(a) || o->tls.verify)
        return 0;
    if (!o->insecure_tcp)
        return err_set(
            e, ERR_FORBIDDEN,
            "-H %s: whoever can connect there would be root on this machine; say --tlsverify, which lets in only who "
            "has a certificate, or listen on 127.0.0.1 and come by ssh, or say --insecure-tcp",
            name);
    autofree char *text =
        str_printf("API is accessible on %s without %s: everybody who can connect there is root on this machine", name,
                   o->tls.on ? "client certificates" : "encryption");
    if (h) {
        log_warn("%s", text);
        json_array_append_new(h->warnings, json_sprintf("WARNING: %s", text));
    }
    return 0;
}

static int open_tcp(struct hosts *h, const struct options *o, const char *name, struct err *e)
{
    autofree char *host = NULL, *port = NULL;
    struct addrinfo *found,
        hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    if (split(name, o->tls.on, &host, &port, e) < 0)
        return -1;
    const char *address = str_eq(host, "localhost") ? "127.0.0.1" : host;
    int r = getaddrinfo(str_empty(address) ? NULL : address, port, &hints, &found);
    if (r != 0)
        return err_set(e, ERR_INVALID, "-H %s: %s: an address in numbers is expected", name, gai_strerror(r));
    int fd = check_tcp(h, o, found->ai_addr, name, e);
    if (fd == 0 && h && (fd = listen_in_time(found, o->tls.on)) < 0)
        err_sys(e, "listen on %s", name);
    freeaddrinfo(found);
    return fd < 0 || !h ? fd : add_tcp(h, o, fd, name, e);
}

/* ---- passed to us ---- */

static int adopt(struct hosts *h, const struct options *o, int fd, const char *name, struct err *e)
{
    int listens = 0;
    socklen_t size = sizeof(listens);
    struct sockaddr_storage space = {0};
    struct sockaddr *a = (struct sockaddr *)&space;
    socklen_t length = sizeof(space);
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
    struct stat st;
    gid_t gid;
    if (h->n == HOSTS_MAX)
        return err_set(e, ERR_INVALID, "more than %d sockets to listen on", HOSTS_MAX);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens || getsockname(fd, a, &length) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return err_set(e, ERR_INVALID, "-H %s: descriptor %d is not a socket that listens", name, fd);
    if (a->sa_family == AF_UNIX) {
        const char *path = ((struct sockaddr_un *)a)->sun_path;
        add(h, fd, name);
        if (find_group(o->group, &gid) == 0 && stat(path, &st) == 0 && st.st_gid != gid)
            log_warn("%s was passed to us with group %u, and --group %s does not change that", path,
                     (unsigned)st.st_gid, o->group);
        return 0;
    }
    getnameinfo(a, length, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    autofree char *known = str_printf("%s (%s port %s)", name, host, port);
    return check_tcp(h, o, a, known, e) < 0 ? -1 : add_tcp(h, o, fd, known, e);
}

static int open_passed(struct hosts *h, const struct options *o, const char *name, struct err *e)
{
    uint64_t n = 0, pid = 0, wanted = 0;
    const char *count = getenv("LISTEN_FDS"), *whose = getenv("LISTEN_PID"), *text = name + strlen("fd://");
    if (!count || !whose || !str_to_u64(count, &n) || !str_to_u64(whose, &pid) || pid != (uint64_t)getpid() || n == 0 ||
        n > HOSTS_MAX)
        return err_set(e, ERR_INVALID, "-H %s: no sockets were passed (LISTEN_FDS, LISTEN_PID; see systemd.socket(5))",
                       name);
    if (*text && (!str_to_u64(text, &wanted) || wanted < FIRST_PASSED || wanted >= FIRST_PASSED + n))
        return err_set(e, ERR_INVALID, "-H %s: the descriptors passed are %d to %d", name, FIRST_PASSED,
                       FIRST_PASSED + (int)n - 1);
    for (int fd = FIRST_PASSED; fd < FIRST_PASSED + (int)n; fd++) {
        if (wanted && fd != (int)wanted)
            fd_close(fd);
        else if (adopt(h, o, fd, name, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- all ---- */

int hosts_open(struct hosts *h, const struct options *o, struct err *e)
{
    for (size_t i = 0; i < o->hosts.n; i++) {
        const char *name = o->hosts.v[i];
        for (size_t k = 0; k < i; k++)
            if (str_eq(name, o->hosts.v[k]))
                return err_set(e, ERR_INVALID, "-H %s is given twice", name);
        if ((h ? h->n : i) == HOSTS_MAX)
            return err_set(e, ERR_INVALID, "more than %d sockets to listen on", HOSTS_MAX);
        int r = str_starts(name, "unix://")  ? open_unix(h, o, name, e)
                : str_starts(name, "tcp://") ? open_tcp(h, o, name, e)
                : h                          ? open_passed(h, o, name, e)
                                             : 0;
        if (r < 0)
            return -1;
    }
    return 0;
}

void hosts_close(struct hosts *h, bool leave)
{
    for (size_t i = 0; i < h->n; i++) {
        if (h->v[i].path)
            unlink(h->v[i].path);
        tls_stop(&h->v[i], leave);
        fd_close(h->v[i].fd);
        free(h->v[i].path);
        free(h->v[i].name);
    }
    h->n = 0;
}
