/* Rotated logs: see logset.h for the two rules.
 *
 * This is the reading half; a reader passes over holes in the numbers, which a writer that was killed may have left.
 *
 * Read next: shim/logset_rotate.c writes, engine/logs.c reads. */
#include "base/logset.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

char *logset_name(const char *path, int k)
{
    return k == 0 ? mem_strdup(path) : str_printf("%s.%d", path, k);
}

int logset_lock(const char *path, int how)
{
    const char *slash = strrchr(path, '/');
    autofree char *folder = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
    autoclose int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;
    if (fd < 0)
        return -1;
    do
        r = flock(fd, how);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -1 : take_fd(&fd);
}

/* ---- reading ---- */

void logset_close(struct logset *s)
{
    s->leaving = false;
    while (s->n > 0)
        fd_close(s->fd[--s->n]);
}

int logset_open(struct logset *s, const char *path, struct err *e)
{
    autoclose int lock = logset_lock(path, LOCK_SH);
    if (lock < 0)
        return err_sys(e, "lock the folder of %s", path);
    for (int k = LOGSET_MAX - 1; k >= 0; k--) {
        autofree char *name = logset_name(path, k);
        int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0) {
            s->fd[s->n++] = fd;
        } else if (errno != ENOENT) {
            err_sys(e, "open %s", name);
            logset_close(s);
            return -1;
        }
    }
    return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Leave out what is not younger than `old`. Where `old` is not among them it has been deleted, and all are younger. */
static void drop_up_to(struct logset *s, const struct stat *old)
{
    size_t first = 0;
    struct stat st;
    for (size_t i = 0; i < s->n; i++)
        if (fstat(s->fd[i], &st) == 0 && same_file(&st, old))
            first = i + 1;
    for (size_t i = 0; i < first; i++)
        fd_close(s->fd[i]);
    s->n -= first;
    memmove(s->fd, s->fd + first, s->n * sizeof(s->fd[0]));
}

/* Open what is younger than fd[0], if anything is. @return 1; 0; -1 */
static int look_for_younger(struct logset *s, const char *path, struct err *e)
{
    struct stat mine, now;
    if (s->n > 1)
        return 1;
    if (s->n == 1 && fstat(s->fd[0], &mine) < 0)
        return err_sys(e, "stat the log %s", path);
    /* No file of that name: a rotation is under way, or nothing was ever written. */
    if (stat(path, &now) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "stat the log %s", path);
    if (s->n == 1 && same_file(&mine, &now))
        return 0;
    struct logset all = {.n = 0};
    if (logset_open(&all, path, e) < 0)
        return -1;
    if (s->n == 1)
        drop_up_to(&all, &mine);
    bool any = all.n > 0;
    while (all.n > 0 && s->n < LOGSET_MAX) {
        s->fd[s->n++] = all.fd[0];
        all.n--;
        memmove(all.fd, all.fd + 1, all.n * sizeof(all.fd[0]));
    }
    logset_close(&all);
    return any;
}

void logset_next(struct logset *s)
{
    fd_close(s->fd[0]);
    s->n--;
    s->leaving = false;
    memmove(s->fd, s->fd + 1, s->n * sizeof(s->fd[0]));
}

ssize_t logset_read(struct logset *s, const char *path, void *out, size_t n, struct err *e)
{
    for (;;) {
        ssize_t k = s->n > 0 ? read(s->fd[0], out, n) : 0;
        if (k < 0 && errno == EINTR)
            continue;
        if (k != 0)
            return k < 0 ? err_sys(e, "read the log %s", path) : k;
        if (s->n > 1 && s->leaving) {
            logset_next(s);
            continue;
        }
        int younger = look_for_younger(s, path, e);
        if (younger <= 0)
            return younger;
        /* Between our last look and the rotation the writer may have added to fd[0]; it cannot any more. */
        s->leaving = s->n > 1;
    }
}
