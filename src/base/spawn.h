/** @file
 * Starting another program.
 *
 * The daemon has threads, and between fork(2) and exec a threaded process may call almost nothing safely. So
 * no code of ours runs there: posix_spawn(3) does the whole step, with the file actions listed here.
 */
#ifndef GORAE_BASE_SPAWN_H
#define GORAE_BASE_SPAWN_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX 8

struct spawn {
    const char *path;         /**< the program, absolute; never searched in PATH */
    char *const *argv;        /**< NULL-terminated */
    char *const *env;         /**< NULL-terminated; NULL means our own environment */
    int in, out, error;       /**< become fds 0, 1, 2; -1 means /dev/null */
    int extra[SPAWN_FDS_MAX]; /**< become fds 3, 4, …; unused slots are beyond `nextra` */
    size_t nextra;
    bool new_session; /**< setsid(2): no controlling terminal, own process group */
};

#define SPAWN_INIT                       \
    {                                    \
        .in = -1, .out = -1, .error = -1 \
    }

/** Start it. Every other descriptor is closed in the child, all signals are unblocked and at their defaults.
 * @return the pid, to be waited for by the caller; or -1 */
pid_t spawn_start(const struct spawn *s, struct err *e);

/** Wait for `pid`. @return its exit code, or 128 + the signal's number, or -1 */
int spawn_wait(pid_t pid, struct err *e);

/** The path of a program of ours: beside our own executable as in build/bin, else in ../libexec/gorae seen from there,
 * as `make install` places them under any PREFIX, else in LIBEXECDIR, else in BINDIR. @return the caller's, or NULL */
char *spawn_sibling(const char *name, struct err *e);

#endif
