/* Starting another program: see spawn.h.
 *
 * The descriptors are moved in two steps, because the source of one may be the target of another (we may hold
 * on fd 4 what must become 3, and the reverse). First all are duplicated to numbers above every target, then
 * those copies are put in place. posix_spawn_file_actions_adddup2 clears close-on-exec on its target, and the
 * close-from action drops the rest, including whatever another thread opened meanwhile. */
#include "base/spawn.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/libexec/gorae"
#endif
#ifndef BINDIR
#define BINDIR "/usr/bin"
#endif

extern char **environ;

#define SOURCES (3 + SPAWN_FDS_MAX)

static int lift(int fd, const char *program, struct err *e)
{
    int r = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, SOURCES) : open("/dev/null", O_RDWR | O_CLOEXEC);
    if (r < 0)
        return err_sys(e, "start %s: prepare descriptor", program);
    if (r < SOURCES) {
        int high = fcntl(r, F_DUPFD_CLOEXEC, SOURCES);
        fd_close(r);
        if (high < 0)
            return err_sys(e, "start %s: prepare descriptor", program);
        r = high;
    }
    return r;
}

static int start(const struct spawn *s, const int *from, size_t n, pid_t *pid)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&at);
    for (size_t i = 0; i < n; i++)
        posix_spawn_file_actions_adddup2(&fa, from[i], (int)i);
    posix_spawn_file_actions_addclosefrom_np(&fa, (int)n);
    posix_spawnattr_setsigmask(&at, &none);
    posix_spawnattr_setsigdefault(&at, &all);
    posix_spawnattr_setflags(
        &at, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (s->new_session ? POSIX_SPAWN_SETSID : 0)));
    int r = posix_spawn(pid, s->path, &fa, &at, s->argv, s->env ? s->env : environ);
    posix_spawnattr_destroy(&at);
    posix_spawn_file_actions_destroy(&fa);
    return r;
}

pid_t spawn_start(const struct spawn *s, struct err *e)
{
    int from[SOURCES];
    size_t n = 0;
    pid_t pid = -1;
    const int std[3] = {s->in, s->out, s->error};
    for (; n < 3 + s->nextra; n++) {
        from[n] = lift(n < 3 ? std[n] : s->extra[n - 3], s->path, e);
        if (from[n] < 0)
            break;
    }
    if (n == 3 + s->nextra) {
        int r = start(s, from, n, &pid);
        if (r != 0) {
            errno = r;
            err_sys(e, "start %s", s->path);
            pid = -1;
        }
    }
    while (n > 0)
        fd_close(from[--n]);
    return pid;
}

int spawn_wait(pid_t pid, struct err *e)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, "wait for process %d", (int)pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

char *spawn_sibling(const char *name, struct err *e)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n > 0) {
        self[n] = '\0';
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
        autofree char *beside = str_printf("%s/%s", self, name);
        if (access(beside, X_OK) == 0)
            return take_ptr(&beside);
        /* installed with another PREFIX than it was built for */
        autofree char *across = str_printf("%s/../libexec/gorae/%s", self, name);
        if (access(across, X_OK) == 0)
            return take_ptr(&across);
    }
    static const char *const places[] = {LIBEXECDIR, BINDIR};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        autofree char *path = str_printf("%s/%s", places[i], name);
        if (access(path, X_OK) == 0)
            return take_ptr(&path);
    }
    return err_null(
        err_set(e, ERR_SYSTEM, "program %s is neither beside this one nor in " LIBEXECDIR " nor in " BINDIR, name));
}
