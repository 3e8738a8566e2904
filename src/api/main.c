/* goraed: from the command line to the accept loop, and out again.
 *
 *   1. read the options
 *   2. write the pid file              (flock: a second daemon with the same file is told who has it)
 *   3. open the sockets                (clients may connect from here on, and wait)
 *   4. open the engine                 (lock the data root, recover what an earlier daemon left)
 *   5. serve until SIGTERM or SIGINT
 *   6. stop the containers, unless they are to be left running
 *   7. remove sockets and pid file
 *
 * A failure in steps 1 to 4 is one line on stderr and exit code 1, with nothing changed. A second SIGTERM during step 6
 * ends the daemon at once; the next one recovers. Read next: listen.c, router.c, then engine/engine.c. */
#include "api/api.h"
#include "api/options.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTS_MAX  16
#define GROUPS_MAX (1u << 20)

struct daemon {
    struct options opt;
    int pid_fd;
    int fds[HOSTS_MAX];
    size_t nfds;
};

/* ---- the pid file ---- */

static int take_pidfile(struct daemon *d, struct err *e)
{
    const char *path = d->opt.pidfile;
    autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_sys(e, "open pid file %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        char holder[32] = "";
        (void)!read(fd, holder, sizeof(holder) - 1);
        holder[strcspn(holder, "\n")] = '\0';
        return err_set(e, ERR_CONFLICT, "pid file %s belongs to the running daemon with pid %s", path, holder);
    }
    autofree char *text = str_printf("%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text))
        return err_sys(e, "write pid file %s", path);
    d->pid_fd = take_fd(&fd);
    return 0;
}

/* ---- the sockets ---- */

/* The group's number from /etc/group, read by ourselves: NSS would bring its modules into a daemon that must stay
 * small. */
static int find_group(const char *name, gid_t *ret)
{
    struct err ignored;
    size_t n = strlen(name);
    autofree char *text = file_read(AT_FDCWD, "/etc/group", GROUPS_MAX, NULL, &ignored);
    for (char *line = text; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        unsigned id;
        if (strncmp(line, name, n) == 0 && line[n] == ':' && sscanf(line + n + 1, "%*[^:]:%u", &id) == 1) {
            *ret = id;
            return 0;
        }
        if (strncmp(line, name, n) == 0 && sscanf(line + n, "::%u", &id) == 1) { /* an empty password field */
            *ret = id;
            return 0;
        }
    }
    return -1;
}

static int give_to_group(const struct options *o, const char *path, struct err *e)
{
    gid_t gid;
    if (find_group(o->group, &gid) < 0) {
        if (!str_eq(o->group, DEFAULT_GROUP))
            return err_set(e, ERR_NOT_FOUND, "--group %s: no such group", o->group);
        log_debug("no group %s: only root may use the socket", o->group);
        return 0;
    }
    return chown(path, (uid_t)-1, gid) < 0 ? err_sys(e, "give %s to group %s", path, o->group) : 0;
}

static int open_sockets(struct daemon *d, struct err *e)
{
    if (d->opt.hosts.n > HOSTS_MAX)
        return err_set(e, ERR_INVALID, "more than %d -H options", HOSTS_MAX);
    for (size_t i = 0; i < d->opt.hosts.n; i++) {
        const char *path = d->opt.hosts.v[i] + strlen("unix://");
        int fd = sock_listen_unix(path, SOCK_STREAM, 0660, e);
        if (fd < 0)
            return -1;
        d->fds[d->nfds++] = fd;
        if (give_to_group(&d->opt, path, e) < 0)
            return -1;
    }
    return 0;
}

static void close_sockets(struct daemon *d)
{
    for (size_t i = 0; i < d->nfds; i++) {
        unlink(d->opt.hosts.v[i] + strlen("unix://"));
        fd_close(d->fds[i]);
    }
    d->nfds = 0;
}

/* ---- signals ---- */

static int signals_open(struct err *e)
{
    sigset_t set;
    signal(SIGPIPE, SIG_IGN); /* a client that hangs up is an EPIPE, not the daemon's end */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return err_sys(e, "block signals");
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    return fd >= 0 ? fd : err_sys(e, "signalfd");
}

/* From here on a second SIGTERM or SIGINT ends the process in the kernel's own way. */
static void signals_release(int fd)
{
    struct signalfd_siginfo info;
    sigset_t set;
    (void)!read(fd, &info, sizeof(info));
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- one daemon's life ---- */

static int serve(struct daemon *d, struct err *e)
{
    const struct options *o = &d->opt;
    const struct engine_options eo = {.data_root = o->data_root,
                                      .exec_root = o->exec_root,
                                      .runtimes = o->runtimes,
                                      .nruntimes = o->nruntimes,
                                      .default_runtime = o->default_runtime,
                                      .labels = o->labels,
                                      .cgroup_parent = o->cgroup_parent,
                                      .debug = o->debug};
    int stop = signals_open(e);
    if (stop < 0)
        return -1;
    struct engine *en = engine_open(&eo, e);
    if (!en) {
        fd_close(stop);
        return -1;
    }
    struct server sv = {.engine = en, .opt = o};
    for (size_t i = 0; i < o->hosts.n; i++)
        log_info("goraed " GORAE_VERSION " listens on %s", o->hosts.v[i]);
    engine_autostart(en);
    int r = listen_serve(&sv, d->fds, d->nfds, stop, e);
    signals_release(stop);
    fd_close(stop);
    log_info(o->live_restore ? "stopping; containers are left running" : "stopping the containers");
    if (!o->live_restore)
        engine_stop_all(en, o->shutdown_timeout);
    engine_tidy_cgroups(en);
    return r;
}

static int run(struct daemon *d, struct err *e)
{
    int r = -1;
    d->pid_fd = -1;
    if (geteuid() != 0)
        return err_set(e, ERR_FORBIDDEN, "goraed needs root: it makes namespaces, mounts and cgroups");
    umask(022);
    if (take_pidfile(d, e) < 0)
        return -1;
    if (open_sockets(d, e) == 0)
        r = serve(d, e);
    close_sockets(d);
    unlink(d->opt.pidfile);
    fd_close(d->pid_fd);
    return r;
}

int main(int argc, char **argv)
{
    struct daemon d = {0};
    struct err e = {0};
    mem_setup();
    trace_program("goraed");
    /* glibc would give each of a few threads an arena of its own, of which most stays unused. */
    mallopt(M_ARENA_MAX, 2);
    int code = 0;
    if (options_parse(&d.opt, argc, argv, &e) < 0) {
        fprintf(stderr, "goraed: %s\nSee 'goraed --help'.\n", e.msg);
        code = 1;
    } else if (d.opt.action == ACTION_HELP) {
        fputs(options_help(), stdout);
    } else if (d.opt.action == ACTION_VERSION) {
        printf("gorae daemon version %s, build %s\n", GORAE_VERSION, GORAE_COMMIT);
    } else if (d.opt.action == ACTION_STATE_MACHINE) {
        autofree char *dot = engine_machine_dot();
        fputs(dot, stdout);
    } else {
        log_level(d.opt.debug ? LOG_DEBUG : LOG_INFO);
        if (run(&d, &e) < 0) {
            fprintf(stderr, "goraed: %s\n", e.msg);
            code = 1;
        }
    }
    /* Threads that answer long requests may still run: end without tearing down what they use. */
    fflush(stdout);
    _exit(code);
}
