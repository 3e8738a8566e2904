/* gorae-tlspipe, seen from the daemon: starting, hearing, replacing and ending it.
 *
 * The daemon opens the TCP socket, so that a port that is taken is known at the start, and keeps it open: when a
 * tlspipe dies, who connects meanwhile waits in the kernel's queue for the next. It has no part in TLS and never sees
 * the key. A connection reaches it as a descriptor with a note of whose it is; from there on it is served as any other.
 *
 * What a tlspipe says is not trusted further than it must be: it decides who is let in, that is its job; but whoever
 * took one over must not gain the daemon with it. So messages have one size, strings end within their arrays, and
 * everything that goes to the log passes log_line(), which shows control bytes as question marks.
 *
 * New certificates need no new daemon: SIGHUP has a new tlspipe read them, and the old one is told, by the end of its
 * control socket, to take no more and to leave when its last connection ends.
 *
 * Read next: tlspipe/server.c, the other end. */
#include "api/tls.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS   10000
#define STOP_MS    3000
#define RESTART_MS 1000
#define SAID_MAX   4096

static char *file_option(const char *name, const char *path)
{
    return str_printf("--%s=%s", name, path);
}

static pid_t run(const char *role, const struct options *o, int listener, int control, int error, struct err *e)
{
    autofree char *program = spawn_sibling(TLS_PROGRAM, e);
    autostrv argv = {0};
    if (!program)
        return -1;
    strv_add(&argv, TLS_PROGRAM);
    strv_add(&argv, role);
    if (o->tls.verify) {
        autofree char *ca = file_option("ca", o->tls.ca);
        strv_add(&argv, "--verify");
        strv_add(&argv, ca);
    }
    autofree char *cert = file_option("cert", o->tls.cert), *key = file_option("key", o->tls.key);
    strv_add(&argv, cert);
    strv_add(&argv, key);
    struct spawn s = SPAWN_INIT;
    s.path = program;
    s.argv = argv.v;
    s.error = error;
    s.extra[0] = listener;
    s.extra[1] = control;
    s.nextra = listener >= 0 ? 2 : 0;
    s.new_session = true; /* it ends when told, not by a Ctrl-C that is meant for the daemon */
    return spawn_start(&s, e);
}

int tls_check(const struct options *o, struct err *e)
{
    int said[2];
    if (pipe2(said, O_CLOEXEC) < 0)
        return err_sys(e, "make a pipe");
    autoclose int hear = said[0];
    pid_t pid = run("check", o, -1, -1, said[1], e);
    fd_close(said[1]);
    if (pid < 0)
        return -1;
    autofree char *text = fd_read_all(hear, SAID_MAX, NULL, NULL);
    int code = spawn_wait(pid, e);
    return code == 0 ? 0 : err_set(e, ERR_INVALID, "TLS: %s", text && *text ? text : TLS_PROGRAM " died");
}

/* ---- starting ---- */

static void warn_of_open_key(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && st.st_mode & 0007)
        log_warn("key %s may be read by everyone on this machine: chmod 600 %s", path, path);
}

/* Start one; what it says comes later. */
static int launch(struct host *h, const struct options *o, struct err *e)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return err_sys(e, "make a socket pair");
    autoclose int ours = pair[0], theirs = pair[1];
    h->started = clock_mono();
    h->pid = run("server", o, h->fd, theirs, STDERR_FILENO, e);
    if (h->pid < 0)
        return -1;
    h->control = take_fd(&ours);
    return 0;
}

/* Receive a message and make it safe to read. @return 1 with the message, 0 at the end, -1 nothing this time */
static int receive(struct host *h, struct tls_message *m, int *ret_fd)
{
    ssize_t k = sock_recv(h->control, m, sizeof(*m), ret_fd);
    if (k < 0 && errno == EMSGSIZE)
        log_warn("%s: out of file descriptors: a connection was turned away", h->name);
    if (k < 0 && (errno == EMSGSIZE || errno == EAGAIN || errno == EINTR))
        return -1;
    if (k != sizeof(*m)) {
        fd_close(*ret_fd);
        return 0;
    }
    m->peer[sizeof(m->peer) - 1] = m->name[sizeof(m->name) - 1] = m->session[sizeof(m->session) - 1] =
        m->text[sizeof(m->text) - 1] = '\0';
    return 1;
}

int tls_start(struct host *h, const struct options *o, struct err *e)
{
    struct tls_message m;
    int none = -1;
    warn_of_open_key(o->tls.key);
    if (launch(h, o, e) < 0)
        return -1;
    struct pollfd p = {.fd = h->control, .events = POLLIN};
    int r = poll(&p, 1, READY_MS) == 1 ? receive(h, &m, &none) : 0;
    fd_close(none);
    if (r == 1 && m.kind == TLS_READY)
        return 0;
    if (r == 1 && m.kind == TLS_FAILED)
        return err_set(e, ERR_SYSTEM, "TLS at %s: %s", h->name, m.text);
    return err_set(e, ERR_SYSTEM, "TLS at %s: " TLS_PROGRAM " did not start", h->name);
}

/* ---- hearing ---- */

/* It has closed its end: dead, or, where it was to leave, done. */
static void bury(struct host *h)
{
    int status = 0;
    fd_close(h->control);
    h->control = -1;
    kill(h->pid, SIGKILL);
    while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!h->retired)
        log_error("%s: " TLS_PROGRAM " %d ended (%s %d): its connections are lost; it is started again", h->name,
                  (int)h->pid, WIFSIGNALED(status) ? "signal" : "exit code",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    h->pid = 0;
}

int tls_take(struct host *h, struct tls_message *ret)
{
    int fd = -1, r = receive(h, ret, &fd);
    if (r == 0)
        bury(h);
    if (r == 1 && ret->kind == TLS_CONNECTION && fd >= 0) {
        log_debug("%s: %s came in, %s, %s%s", h->name, ret->peer, ret->session, ret->verified ? "as " : "unknown",
                  ret->name);
        return fd;
    }
    if (r == 1 && ret->kind == TLS_NOTE)
        log_warn("%s: %s", h->name, ret->text);
    else if (r == 1 && ret->kind == TLS_FAILED)
        log_error("%s: %s", h->name, ret->text);
    fd_close(fd);
    return -1;
}

/* ---- replacing ---- */

static void forget_retired(struct hosts *hosts)
{
    for (size_t i = 0; i < hosts->n;) {
        if (!hosts->v[i].retired || hosts->v[i].control >= 0) {
            i++;
            continue;
        }
        free(hosts->v[i].name);
        hosts->v[i] = hosts->v[--hosts->n];
    }
}

int tls_tend(struct hosts *hosts, const struct options *o)
{
    int64_t wait = -1, now = clock_mono();
    forget_retired(hosts);
    for (size_t i = 0; i < hosts->n; i++) {
        struct host *h = &hosts->v[i];
        struct err e;
        if (!h->tls || h->control >= 0)
            continue;
        int64_t left = h->started + RESTART_MS * NS_PER_MS - now;
        if (left <= 0 && launch(h, o, &e) < 0)
            log_error("%s: %s", h->name, e.msg);
        if (h->control < 0 && (wait < 0 || left / NS_PER_MS < wait))
            wait = left <= 0 ? RESTART_MS : left / NS_PER_MS + 1;
    }
    return (int)wait;
}

static void renew(struct host *h, struct host *old, const struct options *o)
{
    struct err e;
    *old = *h;
    if (tls_start(h, o, &e) < 0) {
        log_error("reload: %s; the old certificates stay", e.msg);
        tls_stop(h, false);
        h->control = old->control;
        h->pid = old->pid;
        old->control = -1;
    } else {
        shutdown(old->control, SHUT_WR); /* what it has begun it may still hand over */
    }
    old->fd = -1;
    old->name = mem_strdup(h->name);
    old->retired = true;
}

void tls_renew(struct hosts *hosts, const struct options *o)
{
    size_t n = hosts->n;
    for (size_t i = 0; i < n; i++) {
        if (!hosts->v[i].tls || hosts->v[i].control < 0 || hosts->v[i].retired)
            continue;
        if (hosts->n == sizeof(hosts->v) / sizeof(hosts->v[0]))
            log_error("reload: %s: the old certificates stay, since %d older " TLS_PROGRAM " carry connections still",
                      hosts->v[i].name, HOSTS_OLD);
        else
            renew(&hosts->v[i], &hosts->v[hosts->n++], o);
    }
}

/* ---- ending ---- */

static bool has_ended(pid_t pid, int ms)
{
    for (int64_t until = clock_mono() + ms * NS_PER_MS; waitpid(pid, NULL, WNOHANG) == 0;) {
        if (clock_mono() >= until)
            return false;
        poll(NULL, 0, 5);
    }
    return true;
}

void tls_stop(struct host *h, bool leave)
{
    if (h->pid <= 0)
        return;
    if (!leave && h->retired)
        kill(h->pid, SIGTERM); /* it hears nothing any more */
    else if (!leave)
        (void)sock_send(h->control, TLS_STOP, sizeof(TLS_STOP), -1);
    fd_close(h->control);
    if (!leave && !has_ended(h->pid, STOP_MS)) {
        kill(h->pid, SIGKILL);
        waitpid(h->pid, NULL, 0);
    }
    h->control = -1;
    h->pid = 0;
}
