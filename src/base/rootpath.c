/* Paths inside a hostile tree: see rootpath.h.
 *
 * RESOLVE_IN_ROOT came with Linux 5.6 and is in every kernel that gorae supports (5.15). The kernel may answer
 * EAGAIN when a rename happens elsewhere during the walk, because it cannot then prove that ".." stayed inside;
 * that is not an error but a request to try again. */
#include "base/rootpath.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES_MAX 512
#define STEPS_MAX 160 /* links followed and folders missing: each takes of the stack, and a thread has little */

static int open_in_root(int rootfd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)flags | O_CLOEXEC,
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    int fd = -1;
    for (int i = 0; i < TRIES_MAX; i++) {
        fd = (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd;
}

int rootpath_open(int rootfd, const char *path, int flags, mode_t mode, struct err *e)
{
    int fd = open_in_root(rootfd, path, flags, mode);
    return fd >= 0 ? fd : err_sys(e, "open %s inside the container's root", path);
}

/* Make `name` in the held folder `at` unless it is there; then hold it. A link is refused, and the caller's to follow.
 */
static int step(int at, const char *name, bool dir, mode_t mode)
{
    autoclose int file = dir ? -1 : openat(at, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode);
    if (dir ? mkdirat(at, name, mode) < 0 && errno != EEXIST : file < 0)
        return -1;
    return openat(at, name, O_PATH | (dir ? O_DIRECTORY : 0) | O_NOFOLLOW | O_CLOEXEC);
}

/* `path`, whose last part is `name` in the held folder `at`, with the text of that link in its place; if it is one. */
__attribute__((noinline)) static char *follow(int at, const char *name, const char *path)
{
    char text[PATH_MAX] = "";
    ssize_t n = readlinkat(at, name, text, sizeof(text));
    const char *last = path + strlen(path);
    while (!str_starts(last, name))
        last--;
    return n < 0 ? mem_strdup(path) : str_printf("%.*s%.*s", *text == '/' ? 0 : (int)(last - path), path, (int)n, text);
}

static int parent_of(int rootfd, const char *path, int *left, char **ret_name, struct err *e);

/* A link to what is not there yet is read, and its text resolved anew, below the root like any path. @param left of
 * STEPS_MAX, parents counted; a link that comes and goes meanwhile counts, too */
static int make(int rootfd, const char *path, bool dir, mode_t mode, int *left, struct err *e)
{
    autofree char *now = mem_strdup(path);
    for (; *left > 0; (*left)--) {
        int fd = rootpath_open(rootfd, now, dir ? O_PATH | O_DIRECTORY : O_PATH, 0, e);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        autofree char *name = NULL;
        autoclose int parent = parent_of(rootfd, now, left, &name, e);
        if (parent < 0 || !name)
            return -1;
        fd = step(parent, name, dir, mode);
        if (fd >= 0 || (errno != ELOOP && errno != ENOTDIR))
            return fd >= 0 ? fd : err_sys(e, "make %s inside the container's root", now);
        autofree char *was = now;
        now = follow(parent, name, was);
    }
    errno = ELOOP;
    return err_sys(e, "make %.200s inside the container's root", path);
}

int rootpath_make_dirs(int rootfd, const char *path, mode_t mode, struct err *e)
{
    return make(rootfd, path, true, mode, &(int){STEPS_MAX}, e);
}

/* @param left NULL: a folder that is missing is an error */
static int parent_of(int rootfd, const char *path, int *left, char **ret_name, struct err *e)
{
    size_t n = strlen(path);
    while (n > 0 && path[n - 1] == '/')
        n--;
    size_t start = n;
    while (start > 0 && path[start - 1] != '/')
        start--;
    autofree char *last = mem_strndup(path + start, n - start);
    autofree char *above = start > 0 ? mem_strndup(path, start) : mem_strdup("/");
    if (str_empty(last) || str_eq(last, ".") || str_eq(last, ".."))
        return err_set(e, ERR_INVALID, "path %s has no last component to make", path);
    int fd = rootpath_open(rootfd, above, O_PATH | O_DIRECTORY, 0, e);
    if (fd < 0 && errno == ENOENT && left && (*left)-- > 0)
        fd = make(rootfd, above, true, 0755, left, e);
    if (fd >= 0)
        *ret_name = take_ptr(&last);
    return fd;
}

int rootpath_parent(int rootfd, const char *path, bool make, char **ret_name, struct err *e)
{
    int left = STEPS_MAX;
    return parent_of(rootfd, path, make ? &left : NULL, ret_name, e);
}

int rootpath_mount_target(int rootfd, const char *path, bool want_dir, struct err *e)
{
    return make(rootfd, path, want_dir, 0755, &(int){STEPS_MAX}, e);
}

int rootpath_open_file(int rootfd, const char *path, struct err *e)
{
    struct stat st;
    char again[40];
    autoclose int found = rootpath_open(rootfd, path, O_PATH, 0, e);
    if (found >= 0 && (fstat(found, &st) < 0 || !S_ISREG(st.st_mode)))
        return err_set(e, ERR_INVALID, "%s is not a regular file", path);
    snprintf(again, sizeof(again), "/proc/self/fd/%d", found);
    int fd = found < 0 ? -1 : open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 || found < 0 ? fd : err_sys(e, "open %s inside the container's root", path);
}
