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
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES_MAX 512
#define LINKS_MAX 40 /* as the kernel's own MAXSYMLINKS */

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

/* mkdir `name` in the held folder `at` unless it is there; then hold it. A link in its place was resolved by the
 * caller's open_in_root() before; one that appears in between is refused by O_NOFOLLOW, and the caller tries again. */
static int step(int at, const char *name, mode_t mode)
{
    if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
        return -1;
    return openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int rootpath_make_dirs(int rootfd, const char *path, mode_t mode, struct err *e)
{
    int whole = open_in_root(rootfd, path, O_PATH | O_DIRECTORY, 0);
    if (whole >= 0 || errno != ENOENT)
        return whole >= 0 ? whole : err_sys(e, "open folder %s inside the container's root", path);
    autofree char *name = NULL;
    for (int tries = 0; tries < LINKS_MAX; tries++) {
        mem_freep(&name);
        name = NULL;
        autoclose int parent = rootpath_parent(rootfd, path, true, &name, e);
        if (parent < 0 || !name)
            return -1;
        int fd = step(parent, name, mode);
        if (fd >= 0)
            return fd;
        if (errno != ELOOP && errno != ENOTDIR)
            return err_sys(e, "make folder %s inside the container's root", path);
        /* The last component is a link. If it leads somewhere, that is the folder; a dangling one is refused. */
        fd = open_in_root(rootfd, path, O_PATH | O_DIRECTORY, 0);
        if (fd >= 0 || errno != ENOENT)
            return fd >= 0 ? fd : err_sys(e, "open folder %s inside the container's root", path);
    }
    errno = ELOOP;
    return err_sys(e, "make folder %s inside the container's root: dangling symbolic link", path);
}

int rootpath_parent(int rootfd, const char *path, bool make, char **ret_name, struct err *e)
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
    int fd = open_in_root(rootfd, above, O_PATH | O_DIRECTORY, 0);
    if (fd < 0 && errno == ENOENT && make)
        fd = rootpath_make_dirs(rootfd, above, 0755, e);
    else if (fd < 0)
        err_sys(e, "open folder %s inside the container's root", above);
    if (fd >= 0)
        *ret_name = take_ptr(&last);
    return fd;
}

int rootpath_mount_target(int rootfd, const char *path, bool want_dir, struct err *e)
{
    int fd = open_in_root(rootfd, path, O_PATH, 0);
    if (fd >= 0 || errno != ENOENT)
        return fd >= 0 ? fd : err_sys(e, "open %s inside the container's root", path);
    if (want_dir)
        return rootpath_make_dirs(rootfd, path, 0755, e);
    autofree char *name = NULL;
    autoclose int parent = rootpath_parent(rootfd, path, true, &name, e);
    if (parent < 0 || !name)
        return -1;
    autoclose int made = openat(parent, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0755);
    if (made < 0)
        return err_sys(e, "make mount target %s inside the container's root", path);
    fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : err_sys(e, "open %s inside the container's root", path);
}
