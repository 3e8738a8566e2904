/* Files of a container into a tar, while the container may be changing them.
 *
 * A folder is read by descriptor, its names sorted (so that two exports of the same files are the same bytes), each
 * looked at without following it. A regular file is opened without waiting and then asked what it is, since it may have
 * become a FIFO in between. Its header promises a length: a file that shrinks meanwhile is filled up with zeros, one
 * that grows is cut, as GNU tar does. Nothing but one folder's names, the descriptors on the way down, and the list of
 * files with several names is held in memory.
 *
 * The format is pax in its restricted form: plain ustar headers and an extension only where one is needed. In the "C"
 * locale libarchive cannot convert names, says so (ARCHIVE_WARN) and writes their bytes. Of extended attributes
 * security.capability alone is carried, as in Docker. Next: unpack.c. */
#include "archive/worker.h"
#include "base/mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PIECE      (128 << 10)
#define CAPABILITY "security.capability"

/* A file that has more than one name, by what the kernel knows it by. An open hash table, at most half full. */
struct linked {
    dev_t dev;
    ino_t ino;
    char *path; /* NULL: the slot is free */
};

struct pack {
    struct archive *out;
    struct linked *linked;
    size_t nlinked, cap; /* cap is a power of two */
    char *buf;
};

static int out_error(struct pack *p, struct err *e)
{
    const char *text = archive_error_string(p->out);
    return err_set(e, ERR_SYSTEM, "write the archive: %s", text ? text : "unknown error");
}

struct pack *pack_open(struct err *e)
{
    struct pack *p = mem_alloc(sizeof(*p));
    p->buf = mem_alloc(PIECE);
    p->out = archive_write_new();
    if (archive_write_set_format_pax_restricted(p->out) == ARCHIVE_OK &&
        archive_write_set_bytes_per_block(p->out, PIECE) == ARCHIVE_OK &&
        archive_write_set_bytes_in_last_block(p->out, 1) == ARCHIVE_OK &&
        archive_write_open_fd(p->out, STDOUT_FILENO) == ARCHIVE_OK)
        return p;
    out_error(p, e);
    pack_drop(&p);
    return NULL;
}

void pack_drop(struct pack **pp)
{
    struct pack *p = *pp;
    if (!p)
        return;
    archive_write_fail(p->out); /* frees without writing an end */
    archive_write_free(p->out);
    for (size_t i = 0; i < p->cap; i++)
        free(p->linked[i].path);
    free(p->linked);
    free(p->buf);
    free(p);
    *pp = NULL;
}

int pack_close(struct pack *p, struct err *e)
{
    int r = archive_write_close(p->out) == ARCHIVE_OK ? 0 : out_error(p, e);
    pack_drop(&p);
    return r;
}

/* --- files with several names ----------------------------------------------------------------------------------- */

static struct linked *slot(struct pack *p, const struct stat *st)
{
    size_t i = (size_t)(st->st_ino * UINT64_C(0x9E3779B97F4A7C15)) >> 20;
    for (;; i++) {
        struct linked *x = &p->linked[i & (p->cap - 1)];
        if (!x->path || (x->dev == st->st_dev && x->ino == st->st_ino))
            return x;
    }
}

static void grow(struct pack *p)
{
    struct linked *old = p->linked;
    size_t n = p->cap;
    p->cap = n ? 2 * n : 64;
    p->linked = mem_alloc(p->cap * sizeof(*p->linked));
    for (size_t i = 0; i < n; i++)
        if (old[i].path) {
            struct stat st = {.st_dev = old[i].dev, .st_ino = old[i].ino};
            *slot(p, &st) = old[i];
        }
    free(old);
}

/* @return the name under which this file is in the tar already, or NULL; then it is known by `path` from now on */
static const char *known_as(struct pack *p, const struct stat *st, const char *path)
{
    if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
        return NULL;
    if (2 * p->nlinked >= p->cap && p->nlinked < LINKED_FILES_MAX)
        grow(p);
    struct linked *x = slot(p, st);
    if (x->path || p->nlinked >= LINKED_FILES_MAX)
        return x->path;
    *x = (struct linked){st->st_dev, st->st_ino, mem_strdup(path)};
    p->nlinked++;
    return NULL;
}

/* --- one entry --------------------------------------------------------------------------------------------------- */

static int put_head(struct pack *p, struct archive_entry *entry, struct err *e)
{
    int r = archive_write_header(p->out, entry);
    return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 0 : out_error(p, e);
}

static int put_bytes(struct pack *p, const void *data, size_t n, struct err *e)
{
    const char *at = data;
    while (n > 0) {
        la_ssize_t k = archive_write_data(p->out, at, n);
        if (k <= 0)
            return out_error(p, e);
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

static int put_content(struct pack *p, int fd, int64_t size, struct err *e)
{
    bool ended = false;
    for (int64_t left = size; left > 0;) {
        size_t want = left < PIECE ? (size_t)left : PIECE;
        ssize_t n = ended ? 0 : read(fd, p->buf, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read");
        if (n == 0) {
            ended = true;
            memset(p->buf, 0, want);
            n = (ssize_t)want;
        }
        if (put_bytes(p, p->buf, (size_t)n, e) < 0)
            return -1;
        left -= n;
    }
    return 0;
}

static int put_file(struct pack *p, int dir, const char *name, struct archive_entry *entry, struct err *e)
{
    char value[64];
    struct stat st;
    autoclose int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ELOOP || errno == ENXIO ? 0 : err_sys(e, "open"); /* gone meanwhile */
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    ssize_t n = fgetxattr(fd, CAPABILITY, value, sizeof(value));
    if (n > 0)
        archive_entry_xattr_add_entry(entry, CAPABILITY, value, (size_t)n);
    archive_entry_set_size(entry, st.st_size);
    return put_head(p, entry, e) < 0 ? -1 : put_content(p, fd, st.st_size, e);
}

static int put_symlink(struct pack *p, int dir, const char *name, struct archive_entry *entry, struct err *e)
{
    char text[PATH_MAX];
    ssize_t n = readlinkat(dir, name, text, sizeof(text) - 1);
    if (n < 0)
        return errno == ENOENT || errno == EINVAL ? 0 : err_sys(e, "readlink");
    text[n] = '\0';
    archive_entry_set_symlink(entry, text);
    return put_head(p, entry, e);
}

static void describe(struct archive_entry *entry, const char *path, const struct stat *st)
{
    archive_entry_set_pathname(entry, path);
    archive_entry_set_mode(entry, st->st_mode);
    archive_entry_set_uid(entry, st->st_uid);
    archive_entry_set_gid(entry, st->st_gid);
    archive_entry_set_mtime(entry, st->st_mtim.tv_sec, 0); /* whole seconds, which need no extension */
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        archive_entry_set_rdevmajor(entry, (dev_t)major(st->st_rdev));
        archive_entry_set_rdevminor(entry, (dev_t)minor(st->st_rdev));
    }
}

static int put_entry(struct pack *p, int dir, const char *name, const char *path, const struct stat *st,
                     struct archive_entry *entry, struct err *e)
{
    describe(entry, path, st);
    const char *same = known_as(p, st, path);
    if (same) {
        archive_entry_set_hardlink(entry, same);
        archive_entry_set_size(entry, 0);
        return put_head(p, entry, e);
    }
    if (S_ISREG(st->st_mode))
        return put_file(p, dir, name, entry, e);
    archive_entry_set_size(entry, 0);
    return S_ISLNK(st->st_mode) ? put_symlink(p, dir, name, entry, e) : put_head(p, entry, e);
}

int pack_add(struct pack *p, int dir, const char *name, const char *path, struct stat *ret, struct err *e)
{
    char shown[PATH_SHOWN];
    if (fstatat(dir, name, ret, AT_SYMLINK_NOFOLLOW) < 0) {
        *ret = (struct stat){.st_mode = S_IFSOCK};
        return errno == ENOENT ? 0 : err_sys(e, "stat %s", path_show(path, shown));
    }
    if (S_ISSOCK(ret->st_mode))
        return 0;
    struct archive_entry *entry = archive_entry_new();
    int r = put_entry(p, dir, name, path, ret, entry, e);
    archive_entry_free(entry);
    return r < 0 ? err_wrap(e, "%s", path_show(path, shown)) : 0;
}

int pack_whiteout(struct pack *p, const char *folder, const char *name, struct err *e)
{
    autofree char *path = str_printf("%s%s.wh.%s", folder, *folder ? "/" : "", name);
    struct archive_entry *entry = archive_entry_new();
    const struct stat st = {.st_mode = S_IFREG | 0600};
    describe(entry, path, &st);
    archive_entry_set_size(entry, 0);
    int r = put_head(p, entry, e);
    archive_entry_free(entry);
    return r;
}

/* --- all below --------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int pack_names(int fd, struct strv *ret, struct err *e)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autoclosedir DIR *d = again >= 0 ? fdopendir(again) : NULL;
    int64_t bytes = 0;
    if (!d) {
        fd_close(again);
        return err_sys(e, "list a folder");
    }
    for (struct dirent *x; (x = readdir(d));) {
        if (str_eq(x->d_name, ".") || str_eq(x->d_name, ".."))
            continue;
        bytes += (int64_t)strlen(x->d_name) + 1 + 2 * (int64_t)sizeof(char *);
        if (bytes > NAMES_BYTES_MAX)
            return err_set(e, ERR_TOO_LARGE, "a folder has too many names");
        strv_add(ret, x->d_name);
    }
    if (ret->n > 1)
        qsort(ret->v, ret->n, sizeof(*ret->v), by_text);
    return 0;
}

static int pack_below(struct pack *p, int dir, const char *name, const char *path, int depth, struct err *e)
{
    char shown[PATH_SHOWN];
    autostrv names = {NULL, 0};
    autoclose int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : err_sys(e, "open folder");
    if (depth > DEPTH_MAX)
        return err_set(e, ERR_TOO_LARGE, "%s lies deeper than %d folders", path_show(path, shown), DEPTH_MAX);
    if (pack_names(fd, &names, e) < 0)
        return err_wrap(e, "%s", path_show(path ? path : "/", shown));
    for (size_t i = 0; i < names.n; i++) {
        struct stat st;
        const char *slash = !path || str_ends(path, "/") ? "" : "/";
        autofree char *below = str_printf("%s%s%s", path ? path : "", slash, names.v[i]);
        if (pack_add(p, fd, names.v[i], below, &st, e) < 0)
            return -1;
        if (S_ISDIR(st.st_mode) && pack_below(p, fd, names.v[i], below, depth + 1, e) < 0)
            return -1;
    }
    return 0;
}

int pack_tree(struct pack *p, int dir, const char *name, const char *path, struct err *e)
{
    struct stat st = {.st_mode = S_IFDIR};
    if (path && pack_add(p, dir, name, path, &st, e) < 0)
        return -1;
    return S_ISDIR(st.st_mode) ? pack_below(p, dir, name, path, 1, e) : 0;
}
