/* Dialling a daemon: see dial.h for the names.
 *
 * The commonest failures of a beginner's first hour end here: the daemon is not running, or the user is not in the
 * group that may open its socket. Both get a sentence that says what to do, with the kernel's own reason behind it.
 *
 * A name may resolve to several addresses (IPv6 and IPv4); they are tried in the resolver's order, each with a limit of
 * its own, because the kernel's (two minutes of SYN retries) is longer than a person waits. Read next: dial_tls.c,
 * client.c. */
#include "wire/dial.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/str.h"
#include "wire/dial_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_GROUP "gorae"

static int dial_unix(const char *host, const char *path, struct err *e)
{
    struct err why = {0};
    int fd = sock_dial_unix(path, SOCK_STREAM, &why);
    if (fd >= 0)
        return fd;
    if (why.sys == 0) /* not a failed connect: the path is too long */
        return err_set(e, why.kind, "cannot connect to the daemon at %s: %s", host, why.msg);
    const char *hint = why.sys == EACCES || why.sys == EPERM ? "only root and members of the group " SOCKET_GROUP
                                                               " may open its socket"
                                                             : "is goraed running?";
    errno = why.sys;
    err_sys(e, "cannot connect to the daemon at %s: %s (connect", host, hint);
    size_t n = e ? strlen(e->msg) : 0;
    if (e && n + 1 < sizeof(e->msg))
        memcpy(e->msg + n, ")", 2);
    return -1;
}

/* connect(2) with a limit: start it without blocking, wait until the socket is writable, ask how it went. */
static int connect_in_time(int fd, const struct addrinfo *a)
{
    int r = connect(fd, a->ai_addr, a->ai_addrlen);
    if (r < 0 && errno != EINPROGRESS)
        return -1;
    if (r < 0) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        do
            r = poll(&p, 1, DIAL_TIMEOUT_MS);
        while (r < 0 && errno == EINTR);
        int sys = ETIMEDOUT;
        socklen_t n = sizeof(sys);
        if (r < 0 || (r > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n) < 0))
            return -1;
        if (sys != 0) {
            errno = sys;
            return -1;
        }
    }
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

static int dial_address(const struct addrinfo *a)
{
    autoclose int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (fd < 0 || connect_in_time(fd, a) < 0)
        return -1;
    sock_prepare_tcp(fd);
    return take_fd(&fd);
}

/* "name", "name:port", "[v6]", "[v6]:port", with nothing behind. @return false on anything else */
static bool split(const char *s, const struct dial_tls *tls, char **ret_name, char **ret_port)
{
    size_t n;
    const char *after;
    if (*s == '[') {
        n = strcspn(++s, "]");
        if (s[n] != ']')
            return false;
        after = s + n + 1;
    } else {
        n = strcspn(s, ":");
        after = s + n;
    }
    uint64_t port = 0;
    if (*after != '\0' && (*after != ':' || !str_to_u64(after + 1, &port) || port < 1 || port > 65535))
        return false;
    if (memchr(s, '/', n) || memchr(s, '@', n) || memchr(s, '%', n))
        return false;
    *ret_name = n > 0 ? mem_strndup(s, n) : mem_strdup("localhost");
    *ret_port = mem_strdup(*after ? after + 1 : tls && tls->on ? DIAL_PORT_TLS : DIAL_PORT_DEFAULT);
    return true;
}

static int dial_tcp(const char *host, const char *where, const struct dial_tls *tls, int *ret_why, struct err *e)
{
    autofree char *name = NULL, *port = NULL;
    if (!split(where, tls, &name, &port))
        return err_set(e, ERR_INVALID, "invalid daemon address \"%s\": expected tcp://host:port", host);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list = NULL;
    int r = getaddrinfo(name, port, &hints, &list);
    if (r != 0)
        return err_set(e, ERR_SYSTEM, "cannot connect to the daemon at %s: %s", host, gai_strerror(r));
    int fd = -1;
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
        fd = dial_address(a);
    if (fd < 0)
        err_sys(e, "cannot connect to the daemon at %s: is goraed running and listening there?", host);
    freeaddrinfo(list);
    return fd >= 0 && tls && tls->on ? dial_tls(fd, host, name, tls, ret_why, e) : fd;
}

int dial(const char *host, const struct dial_tls *tls, struct err *e)
{
    int why, fd = dial_with_why(host, tls, &why, e);
    fd_close(why);
    return fd;
}

int dial_with_why(const char *host, const struct dial_tls *tls, int *ret_why, struct err *e)
{
    *ret_why = -1;
    if (str_empty(host) || str_eq(host, "unix://"))
        host = DIAL_HOST_DEFAULT;
    if (str_starts(host, "unix://"))
        return dial_unix(host, host + 7, e);
    if (str_starts(host, "tcp://"))
        return dial_tcp(host, host + 6, tls, ret_why, e);
    return err_set(e, ERR_INVALID,
                   "invalid daemon address \"%s\": expected unix:///path, tcp://host:port or ssh://user@host", host);
}

char *dial_authority(const char *host, const struct dial_tls *tls)
{
    autofree char *name = NULL, *port = NULL;
    if (!host || !str_starts(host, "tcp://") || !split(host + 6, tls, &name, &port))
        return mem_strdup("localhost");
    return str_printf(strchr(name, ':') ? "[%s]:%s" : "%s:%s", name, port);
}
