/* The last steps: find the program, let go of the host, wait to be started, exec.
 *
 * The start barrier is a listening unix socket in the container's folder on the host. `start` connects and says GO. The
 * connection is close-on-exec, so when the exec succeeds the kernel closes it, and `start` reads end of file; when it
 * fails, the error goes through it. A FIFO, which other runtimes use, cannot carry an answer.
 *
 * While it waits, a created container's process holds its three standard descriptors, what --preserve-fds gave it, and
 * this socket: no folder of the host, no trace, no log (spec/security row 14 is a test of that). The listening socket
 * gives nobody anything: who connects must reach it by its path on the host.
 *
 * With no_new_privs the filter is loaded after the word, as the very last thing. Without, it had to be loaded while
 * CAP_SYS_ADMIN was there, and accept4, recvmsg, sendmsg, close and execve must be allowed by it. */
#include "runtime/child.h"
#include "runtime/hooks.h"
#include "runtime/sync.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *env_value(const char *const *env, const char *name)
{
    size_t n = strlen(name);
    const char *found = "";
    for (; *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            found = *env + n + 1;
    return found;
}

/* @return 0, or -1 with errno: ENOENT, EACCES (also for a folder: *ret_dir) … */
static int executable(const char *path, bool *ret_dir)
{
    struct stat st;
    *ret_dir = false;
    if (stat(path, &st) < 0)
        return -1;
    *ret_dir = S_ISDIR(st.st_mode);
    if (*ret_dir || !(st.st_mode & 0111)) { /* root may execute only what somebody may */
        errno = EACCES;
        return -1;
    }
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS);
}

/* Clients look for these phrases to choose exit code 126 or 127. */
static int not_executable(const char *name, bool dir, struct err *e)
{
    int sys = errno;
    if (dir)
        err_set(e, ERR_INVALID, "unable to start container process: exec: \"%s\": is a directory: permission denied",
                name);
    else if (sys == ENOENT)
        err_set(e, ERR_INVALID, "unable to start container process: exec: \"%s\": stat %s: no such file or directory",
                name, name);
    else
        err_sys(e, "unable to start container process: exec: \"%s\"", name);
    e->kind = ERR_INVALID;
    e->sys = sys;
    return -1;
}

int child_find_program(struct child *c, struct err *e)
{
    const char *name = c->process->args[0];
    bool dir;
    if (strchr(name, '/')) {
        c->program = mem_strdup(name);
        return executable(name, &dir) < 0 ? not_executable(name, dir, e) : 0;
    }
    for (const char *p = env_value(c->process->env, "PATH"); *name && *p; p += strcspn(p, ":"), p += *p == ':') {
        size_t n = strcspn(p, ":");
        autofree char *path = str_printf("%.*s/%s", n ? (int)n : 1, n ? p : ".", name);
        if (executable(path, &dir) == 0) {
            c->program = take_ptr(&path);
            return 0;
        }
    }
    err_set(e, ERR_INVALID, "unable to start container process: exec: \"%s\": executable file not found in $PATH",
            name);
    e->sys = ENOENT;
    return -1;
}

static int ascending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Close all descriptors but the container's and those in `keep` (-1 is none): the gaps between those. close_range(2),
 * Linux 5.9. */
static int close_others(const struct child *c, int *keep, size_t n, struct err *e)
{
    int from = 3 + c->preserve;
    qsort(keep, n, sizeof(*keep), ascending);
    for (size_t i = 0; i < n; i++) {
        if (keep[i] > from && syscall(SYS_close_range, from, keep[i] - 1, 0) < 0)
            return err_sys(e, "close the host's descriptors");
        from = keep[i] >= from ? keep[i] + 1 : from;
    }
    return syscall(SYS_close_range, from, ~0U, 0) < 0 ? err_sys(e, "close the host's descriptors") : 0;
}

int child_sweep(struct child *c, struct err *e)
{
    int keep[] = {c->sync, c->barrier, c->pidfd, c->console, trace_fd()};
    return close_others(c, keep, sizeof(keep) / sizeof(keep[0]), e);
}

/* A container may join the pid namespace of another one, whose processes see this one from its first instant and, with
 * CAP_SYS_PTRACE, get at what it holds (CVE-2016-9962). So the parent's other descriptors go at once: the state folder,
 * the log, the host's namespaces. */
int child_let_go(struct child *c, struct err *e)
{
    const struct plan *p = c->plan;
    const int few[] = {c->sync, c->barrier, c->console, c->rootfs, c->null_tree, c->nursery, trace_fd()};
    size_t n = sizeof(few) / sizeof(few[0]);
    autofree int *keep = mem_alloc((n + p->nmounts + p->ndevices) * sizeof(*keep));
    memcpy(keep, few, sizeof(few));
    for (size_t i = 0; i < p->nmounts; i++)
        keep[n++] = p->mounts[i].tree;
    for (size_t i = 0; i < p->ndevices; i++)
        keep[n++] = p->devices[i].tree;
    return close_others(c, keep, n, e);
}

int child_filter(struct child *c, struct err *e)
{
    return c->process->no_new_privs ? 0 : filter_install(c->filter, e);
}

/* @return the connection on which the word was given, or -1 */
static int wait_for_start(struct child *c, struct err *e)
{
    int trace = -1;
    if (c->barrier < 0) {
        int kind = sync_recv(c->sync, NULL, &trace, e);
        if (kind != SYNC_GO)
            _exit(EXIT_EXHAUSTED);
        return c->sync;
    }
    fd_close(c->sync);
    c->sync = -1;
    fd_close(trace_fd());
    trace_to(-1);
    for (;;) {
        autoclose int peer = accept4(c->barrier, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0 && errno != EINTR && errno != ECONNABORTED)
            return err_sys(e, "accept on the start barrier");
        /* A `start` that was killed before it spoke counts for nothing. */
        if (peer >= 0 && sync_recv(peer, NULL, &trace, NULL) == SYNC_GO) {
            fd_close(c->barrier);
            trace_to(trace);
            return take_fd(&peer);
        }
    }
}

static const char **environment(const struct child *c)
{
    size_t n = 0;
    while (c->process->env[n])
        n++;
    const char **env = mem_alloc((n + 2) * sizeof(*env));
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (!c->home || !str_starts(c->process->env[i], "HOME="))
            env[k++] = c->process->env[i];
    env[k] = c->home;
    return env;
}

int child_go(struct child *c, struct err *e)
{
    const char **env = environment(c);
    int peer = wait_for_start(c, e);
    if (peer < 0)
        return -1;
    c->sync = peer; /* where run() in child.c sends the error of this step */
    int64_t now = clock_mono();
    if (c->barrier >= 0 && hooks_any(c->hooks, "startContainer") &&
        hooks_run(c->hooks, "startContainer", c->state, e) < 0)
        return -1;
    if (c->process->no_new_privs && filter_install(c->filter, e) < 0)
        return -1;
    if (trace_on()) {
        autofree char *detail = str_printf("execve(\"%s\")", c->program);
        trace_span(3, "exec the container's program", now, clock_mono(), detail);
    }
    execve(c->program, (char *const *)c->process->args, (char *const *)env);
    err_sys(e, "unable to start container process: exec %s", c->program);
    e->kind = ERR_INVALID;
    return -1;
}
