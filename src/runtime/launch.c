/* The parent's side of a child: see launch.h. */
#include "runtime/launch.h"
#include "runtime/mnt.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/spawn.h"
#include "base/str.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRESERVE_MAX 1024

int launch_prepare(struct child *c, const struct launch_options *o, struct err *e)
{
    uint64_t n = 0;
    if (o->preserve_fds && (!str_to_u64(o->preserve_fds, &n) || n > PRESERVE_MAX))
        return err_set(e, ERR_INVALID, "--preserve-fds is not a number up to %d", PRESERVE_MAX);
    for (int fd = 3; fd < 3 + (int)n; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            return err_set(e, ERR_INVALID, "--preserve-fds=%d: descriptor %d is not open", (int)n, fd);
    c->preserve = (int)n;
    if (c->process->terminal && !o->console_socket)
        return err_set(e, ERR_INVALID, "a process with a terminal needs --console-socket");
    if (!c->process->terminal && o->console_socket)
        return err_set(e, ERR_INVALID, "--console-socket is of no use without a terminal");
    c->console = o->console_socket ? sock_dial_unix(o->console_socket, SOCK_STREAM, e) : -1;
    return o->console_socket && c->console < 0 ? err_wrap(e, "--console-socket") : 0;
}

/* clone3(2) as a fork: no stack is given, so the child goes on here with a copy of our memory. The C library is not
 * told, which is no matter to a program with one thread. The child is not dumpable from its first instruction, because
 * we are not. */
static pid_t clone_here(int flags, int cgroup, int *pidfd)
{
    struct clone_args a = {
        .flags = (uint64_t)(unsigned)flags | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    if (cgroup >= 0) {
        a.flags |= CLONE_INTO_CGROUP;
        a.cgroup = (uint64_t)cgroup;
    }
    return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

/* @return as fork(2); in the child c->sync is its end of the socket */
static pid_t clone_with_sock(struct child *c, int flags, int cgroup, int *ret_sock, int *ret_pidfd, struct err *e)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_sys(e, "socketpair");
    autoclose int ours = ends[0];
    autoclose int theirs = ends[1];
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(e, "become undumpable");
    struct span s = trace_begin(3, "clone the namespaces");
    pid_t pid = clone_here(flags, cgroup, ret_pidfd);
    if (pid < 0)
        return err_sys(e, "clone a process into new namespaces");
    if (pid == 0) {
        fd_close(take_fd(&ours));
        c->sync = take_fd(&theirs);
        return 0;
    }
    trace_end(&s, "clone3(flags 0x%x%s) = %d", (unsigned)flags, cgroup >= 0 ? " CLONE_INTO_CGROUP" : "", (int)pid);
    *ret_sock = take_fd(&ours);
    return pid;
}

pid_t launch_clone(struct child *c, int flags, int cgroup, void (*body)(struct child *), int *ret_sock, int *ret_pidfd,
                   struct err *e)
{
    pid_t pid = clone_with_sock(c, flags, cgroup, ret_sock, ret_pidfd, e);
    if (pid == 0) {
        body(c);
        _exit(EXIT_EXHAUSTED);
    }
    return pid;
}

pid_t launch_inside(struct child *c, int cgroup, int *ret_sock, int *ret_pidfd, struct err *e)
{
    int pidfd = -1;
    pid_t *pid = mmap(NULL, sizeof(*pid), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pid == MAP_FAILED)
        return err_sys(e, "share a page with the go-between");
    *pid = -1;
    pid_t between = clone_with_sock(c, 0, cgroup, ret_sock, &pidfd, e);
    if (between == 0) {
        *pid = child_go_between(c);
        _exit(0);
    }
    fd_close(pidfd);
    int placed = between > 0 ? launch_place(c, *ret_sock, e) : -1;
    if (between > 0 && placed < 0)
        launch_blame(*ret_sock, e); /* which also ends who waits for us */
    if (between > 0)
        waitpid(between, NULL, 0);
    pid_t found = between < 0 ? -1 : *pid;
    munmap(pid, sizeof(*pid));
    if (placed == 0 && found < 0) {
        err_set(e, ERR_SYSTEM, "the process ended on its way into the container");
        launch_blame(*ret_sock, e);
    }
    *ret_pidfd = found > 0 ? (int)syscall(SYS_pidfd_open, found, 0) : -1; /* ours to reap, so it is still it */
    return found > 0 && *ret_pidfd < 0 ? err_sys(e, "open the process %d", (int)found) : found;
}

int launch_await(const struct runtime *rt, int sock, enum sync_kind kind, struct err *e)
{
    for (;;) {
        struct err what;
        int got = sync_recv(sock, &what, NULL, e);
        if (got < 0 || got == (int)kind)
            return got < 0 ? -1 : 0;
        if (got == SYNC_WARNING) {
            runtime_warn(rt, "%s", what.msg);
            continue;
        }
        if (got == SYNC_ERROR)
            *e = what;
        else
            err_set(e, ERR_SYSTEM, "the container's process ended before it was ready");
        return -1;
    }
}

static int send_tree(const struct cgroup_dir *d, int sock, struct err *e)
{
    autoclose int tree = mnt_clone(AT_FDCWD, d->path, false);
    return tree < 0 ? err_sys(e, "clone the mount of %s", d->path) : sync_send(sock, SYNC_TREE, NULL, tree, e);
}

int launch_place(const struct child *c, int sock, struct err *e)
{
    const struct cgroup *cg = c->cgroup;
    for (size_t i = 0; cg->version == 1 && i < cg->n; i++) {
        autoclose int door = cgroup_door(cg, i, e);
        if (door < 0 || sync_send(sock, SYNC_GROUP, NULL, door, e) < 0 ||
            (c->shows_groups && send_tree(&cg->dir[i], sock, e) < 0))
            return -1;
    }
    return sync_send(sock, SYNC_GO, NULL, -1, e);
}

/* A child that has ended makes our own calls fail too (nobody reads what we send). Closing our direction ends
 * one that still waits for us, so this loop ends. */
void launch_blame(int sock, struct err *e)
{
    struct err what;
    int got;
    shutdown(sock, SHUT_WR);
    while ((got = sync_recv(sock, &what, NULL, NULL)) > SYNC_END)
        if (got == SYNC_ERROR)
            *e = what;
}

/* Raising a limit of somebody else's process takes CAP_SYS_RESOURCE; so does all of it where the user differs, so the
 * child sets its limits itself (child_creds.c). Only in a user namespace it has no right to raise any, whatever we may.
 */
static void raise_limits(const struct runtime *rt, pid_t pid, const struct plan_process *p)
{
    for (size_t i = 0; i < p->nlimits; i++)
        if (prlimit(pid, (unsigned)p->limits[i].resource, &p->limits[i].limit, NULL) < 0)
            runtime_warn(rt, "%s cannot be set to %lld:%lld here: %s", p->limits[i].name,
                         (long long)p->limits[i].limit.rlim_cur, (long long)p->limits[i].limit.rlim_max,
                         strerrordesc_np(errno));
}

void launch_limits(const struct runtime *rt, pid_t pid, const struct child *c)
{
    const struct plan_process *p = c->process;
    if (c->user_ns)
        raise_limits(rt, pid, p);
    if (p->has_oom) {
        struct err why;
        char path[48], value[16];
        snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
        snprintf(value, sizeof(value), "%d", p->oom_score_adj);
        if (file_put(AT_FDCWD, path, value, &why) < 0)
            runtime_warn(rt, "the OOM score cannot be set: %s", why.msg);
    }
}

void launch_abort(pid_t pid, int pidfd)
{
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    waitpid(pid, NULL, 0);
}

int launch_write_pid(const struct launch_options *o, pid_t pid, struct err *e)
{
    char text[16];
    if (!o->pid_file)
        return 0;
    snprintf(text, sizeof(text), "%d", (int)pid);
    return file_replace_volatile(AT_FDCWD, o->pid_file, text, strlen(text), 0644, e);
}

static volatile pid_t foreground;

static void pass_on(int sig)
{
    kill(foreground, sig);
}

int launch_foreground(pid_t pid, struct err *e)
{
    static const int passed[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
    struct sigaction sa = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    foreground = pid;
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        sigaction(passed[i], &sa, NULL);
    return spawn_wait(pid, e);
}
