/* Files: see file.h for the promises.
 *
 * Durable replacement in five steps, each with its reason:
 *   1. write a temporary in the same folder    (rename(2) cannot cross file systems)
 *   2. fsync it                                (else the rename may reach the disk before the bytes)
 *   3. rename over the name                    (atomic for every reader)
 *   4. fsync the folder                        (the rename itself is data of the folder)
 *   5. on any failure, unlink the temporary    (nothing is left behind)
 * A process killed between 1 and 3 leaves "NAME.tmp-XXXX"; whoever loads the folder removes those. */
#include "base/file.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMOVE_DEPTH_MAX 64

int fd_write_all(int fd, const void *p, size_t n)
{
    const char *c = p;
    while (n > 0) {
        ssize_t k = write(fd, c, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        c += k;
        n -= (size_t)k;
    }
    return 0;
}

ssize_t fd_read_full(int fd, void *p, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t k = read(fd, (char *)p + have, n - have);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        if (k == 0)
            break;
        have += (size_t)k;
    }
    return (ssize_t)have;
}

char *fd_read_all(int fd, size_t limit, size_t *ret_len, struct err *e)
{
    autostr b = STR_INIT;
    char part[8192];
    for (;;) {
        ssize_t k = read(fd, part, sizeof(part));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_null(err_sys(e, "read"));
        if (k == 0)
            break;
        if (b.len + (size_t)k > limit)
            return err_null(err_set(e, ERR_TOO_LARGE, "longer than the limit of %zu bytes", limit));
        str_addn(&b, part, (size_t)k);
    }
    if (ret_len)
        *ret_len = b.len;
    return str_take(&b);
}

char *file_read(int dirfd, const char *path, size_t limit, size_t *ret_len, struct err *e)
{
    /* O_NONBLOCK: opening a FIFO for reading would otherwise wait for a writer. */
    autoclose int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_null(err_sys(e, "open %s", path));
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_null(err_sys(e, "stat %s", path));
    if (!S_ISREG(st.st_mode))
        return err_null(err_set(e, ERR_SYSTEM, "%s is not a regular file", path));
    char *text = fd_read_all(fd, limit, ret_len, e);
    if (!text)
        err_wrap(e, "%s", path);
    return text;
}

static int write_temporary(int dirfd, const char *tmp, const void *p, size_t n, mode_t mode, bool durable,
                           struct err *e)
{
    autoclose int fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return err_sys(e, "create %s", tmp);
    if (fchmod(fd, mode) < 0 || fd_write_all(fd, p, n) < 0)
        return err_sys(e, "write %s", tmp);
    FAULT("file.temporary-written");
    if (durable && fsync(fd) < 0)
        return err_sys(e, "fsync %s", tmp);
    return 0;
}

static int replace(int dirfd, const char *path, const void *p, size_t n, mode_t mode, bool durable, struct err *e)
{
    char unique[9];
    str_random_hex(unique, 4);
    autofree char *tmp = str_printf("%s.tmp-%s", path, unique);
    if (write_temporary(dirfd, tmp, p, n, mode, durable, e) < 0) {
        unlinkat(dirfd, tmp, 0);
        return -1;
    }
    FAULT("file.temporary-synced");
    if (renameat(dirfd, tmp, dirfd, path) < 0) {
        err_sys(e, "rename %s to %s", tmp, path);
        unlinkat(dirfd, tmp, 0);
        return -1;
    }
    FAULT("file.renamed");
    if (!durable)
        return 0;
    const char *slash = strrchr(path, '/');
    autofree char *folder = slash ? mem_strndup(path, (size_t)(slash - path) + (slash == path)) : mem_strdup(".");
    return dir_sync(dirfd, folder, e);
}

int file_replace(int dirfd, const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
    return replace(dirfd, path, p, n, mode, true, e);
}

int file_replace_volatile(int dirfd, const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
    return replace(dirfd, path, p, n, mode, false, e);
}

int file_put(int dirfd, const char *path, const char *text, struct err *e)
{
    autoclose int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_sys(e, "open %s", path);
    ssize_t k;
    do
        k = write(fd, text, strlen(text));
    while (k < 0 && errno == EINTR);
    if (k < 0)
        return err_sys(e, "write \"%.64s\" to %s", text, path);
    if ((size_t)k != strlen(text))
        return err_set(e, ERR_SYSTEM, "write to %s was cut short", path);
    return 0;
}

int dir_sync(int dirfd, const char *path, struct err *e)
{
    autoclose int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "open folder %s", path);
    if (fsync(fd) < 0)
        return err_sys(e, "fsync folder %s", path);
    return 0;
}

int dir_make_all(const char *path, mode_t mode, struct err *e)
{
    autofree char *p = mem_strdup(path);
    for (char *c = p + 1;; c++) {
        if (*c != '/' && *c != '\0')
            continue;
        char was = *c;
        *c = '\0';
        if (mkdir(p, mode) < 0 && errno != EEXIST)
            return err_sys(e, "make folder %s", p);
        *c = was;
        if (was == '\0')
            break;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return err_sys(e, "stat %s", path);
    if (!S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return err_sys(e, "make folder %s", path);
    }
    return 0;
}

int dir_names(int dirfd, const char *path, struct strv *ret, struct err *e)
{
    autoclose int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autoclosedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return err_sys(e, "open folder %s", path);
    take_fd(&fd); /* the DIR owns it now */
    for (struct dirent *x; (errno = 0, x = readdir(d));)
        if (!str_eq(x->d_name, ".") && !str_eq(x->d_name, ".."))
            strv_add(ret, x->d_name);
    return errno ? err_sys(e, "list folder %s", path) : 0;
}

/* One removal. Whoever filled the tree may have made it as deep as they liked, and neither a thread's stack nor the
 * descriptors grow with it: what lies deeper than REMOVE_DEPTH_MAX is moved up beside the rest, and meets its end
 * there. */
struct removal {
    int top;    /* the tree's own folder */
    dev_t dev;  /* whose file system is not left */
    bool moved; /* something came into the top since it was listed last */
};

static int remove_in(struct removal *r, int dirfd, const char *name, int depth, struct err *e);

static int remove_all_in(struct removal *r, DIR *d, const char *name, int depth, struct err *e)
{
    for (struct dirent *x; (errno = 0, x = readdir(d));)
        if (!str_eq(x->d_name, ".") && !str_eq(x->d_name, "..") && remove_in(r, dirfd(d), x->d_name, depth + 1, e) < 0)
            return -1;
    return errno ? err_sys(e, "list folder %s", name) : 0;
}

static int remove_folder(struct removal *r, int parent, const char *name, int depth, struct err *e)
{
    autoclose int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, "open folder %s", name);
    if (depth > 0 && st.st_dev != r->dev)
        return err_set(e, ERR_SYSTEM, "%s is a mount point of another file system; it is not removed", name);
    autoclosedir DIR *d = fdopendir(fd);
    if (!d)
        return err_sys(e, "list folder %s", name);
    take_fd(&fd); /* the DIR owns it now */
    if (depth == 0)
        *r = (struct removal){dirfd(d), st.st_dev, false};
    do {
        r->moved &= depth > 0;
        rewinddir(d);
        if (remove_all_in(r, d, name, depth, e) < 0)
            return -1;
    } while (depth == 0 && r->moved);
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_sys(e, "remove folder %s", name);
    return 0;
}

static int remove_in(struct removal *r, int parent, const char *name, int depth, struct err *e)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    /* Linux answers EISDIR for a folder; POSIX allows EPERM. */
    if (errno != EISDIR && errno != EPERM)
        return err_sys(e, "remove %s", name);
    if (depth <= REMOVE_DEPTH_MAX)
        return remove_folder(r, parent, name, depth, e);
    char unique[17];
    str_random_hex(unique, 8);
    if (renameat(parent, name, r->top, unique) < 0)
        return err_sys(e, "move folder %s up, to remove it", name);
    r->moved = true;
    return 0;
}

int tree_remove(int dirfd, const char *name, struct err *e)
{
    struct removal r = {0};
    return remove_in(&r, dirfd, name, 0, e);
}
