/* Making one file, link or device of a layer, with everything its entry says about it.
 *
 * All calls here name one thing in a folder that is held open (struct place), refuse to follow a link in the last
 * part, and insist on making the thing themselves (O_EXCL): a file is never written through something that was there.
 *
 * Order matters. chown(2) clears setuid bits and security.capability, and so does write(2): therefore content, owner,
 * mode, attributes, time. Attributes are limited to security.capability and user.*: trusted.* steers overlayfs, and
 * an image that could set it could make one folder show another (the kernel's overlayfs.rst, "redirect_dir");
 * user.overlay.* does the same in mounts with userxattr. Next: layer.c. */
#include "archive/worker.h"
#include "base/file.h"
#include "base/mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

int attributes_read(struct archive_entry *entry, struct attributes *ret, struct err *e)
{
    int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
    /* The highest number means "leave as it is" to chown(2). */
    if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
        return err_set(e, ERR_INVALID, "its owner %lld:%lld is out of range", (long long)uid, (long long)gid);
    long ns = archive_entry_mtime_nsec(entry);
    *ret = (struct attributes){
        .mode = archive_entry_perm(entry) & 07777,
        .uid = (uid_t)uid,
        .gid = (gid_t)gid,
        .mtime = {.tv_sec = archive_entry_mtime(entry), .tv_nsec = ns >= 0 && ns < 1000000000 ? ns : 0},
    };
    return 0;
}

static bool attribute_allowed(const char *name)
{
    return str_eq(name, "security.capability") || (str_starts(name, "user.") && !str_starts(name, "user.overlay."));
}

static int set_xattrs(int fd, struct archive_entry *entry, struct err *e)
{
    const char *name;
    const void *value;
    size_t size;
    if (archive_entry_xattr_reset(entry) > XATTRS_MAX)
        return err_set(e, ERR_INVALID, "it has more than %d extended attributes", XATTRS_MAX);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        char shown[PATH_SHOWN];
        if (!name || !attribute_allowed(name))
            continue;
        if (size > XATTR_BYTES_MAX)
            return err_set(e, ERR_TOO_LARGE, "its attribute %s is too long", path_show(name, shown));
        if (fsetxattr(fd, name, value, size, 0) < 0) {
            if (errno == EINVAL || errno == ERANGE)
                return err_set(e, ERR_INVALID, "its attribute %s is malformed", path_show(name, shown));
            return err_sys(e, "set attribute %s", path_show(name, shown));
        }
    }
    return 0;
}

static int set_attributes(int fd, struct archive_entry *entry, const struct attributes *at, struct err *e)
{
    if (fchown(fd, at->uid, at->gid) < 0 || fchmod(fd, at->mode) < 0)
        return err_sys(e, "set owner and mode");
    return set_xattrs(fd, entry, e);
}

/* pwrite(2) until all is written; it may write less than asked, and a signal may interrupt it. */
static int write_at(int fd, const void *data, size_t n, int64_t offset, struct err *e)
{
    const char *p = data;
    while (n > 0) {
        ssize_t k = pwrite(fd, p, n, offset);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(e, "write");
        p += k;
        n -= (size_t)k;
        offset += k;
    }
    return 0;
}

/* Blocks come with their place in the file, so holes of sparse files stay holes. */
static int write_content(int fd, struct archive *a, int64_t size, struct err *e)
{
    for (;;) {
        const void *p;
        size_t n;
        la_int64_t offset;
        int r = archive_read_data_block(a, &p, &n, &offset);
        if (r == ARCHIVE_EOF)
            break;
        if (r == ARCHIVE_RETRY)
            continue;
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
            return stream_error(a, e);
        if (stream_check_ratio(a, archive_filter_bytes(a, 0), e) < 0) /* one entry may be the whole bomb */
            return -1;
        if (offset < 0 || offset > size || (int64_t)n > size - offset)
            return err_set(e, ERR_INVALID, "it has bytes beyond its length");
        if (write_at(fd, p, n, offset, e) < 0)
            return -1;
    }
    return ftruncate(fd, size) == 0 ? 0 : err_sys(e, "set length");
}

/* The length is charged before a byte is written, from the header: a sparse file costs its length, because the first
 * write to it in a container copies it up whole. */
int place_file(const struct place *p, struct archive *a, struct archive_entry *entry, const struct attributes *at,
               int64_t *budget, struct err *e)
{
    int64_t size = archive_entry_size(entry);
    if (size < 0)
        return err_set(e, ERR_INVALID, "its length is negative");
    if (size > *budget)
        return err_set(e, ERR_TOO_LARGE, "its %lld bytes are more than the %lld left of the limit", (long long)size,
                       (long long)*budget);
    *budget -= size;
    autoclose int fd = openat(p->parent, p->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, "create");
    if (write_content(fd, a, size, e) < 0 || set_attributes(fd, entry, at, e) < 0)
        return -1;
    const struct timespec times[2] = {at->mtime, at->mtime};
    return futimens(fd, times) == 0 ? 0 : err_sys(e, "set time");
}

int place_folder_attributes(int parent, const char *name, struct archive_entry *entry, const struct attributes *at,
                            struct err *e)
{
    autoclose int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "open folder");
    return set_attributes(fd, entry, at, e);
}

/* Owner and time of what cannot be opened without a side effect: a FIFO would wait for a reader, a device would act. */
static int finish_named(const struct place *p, const struct attributes *at, struct err *e)
{
    const struct timespec times[2] = {at->mtime, at->mtime};
    if (fchownat(p->parent, p->name, at->uid, at->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "set owner");
    return utimensat(p->parent, p->name, times, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : err_sys(e, "set time");
}

int place_symlink(const struct place *p, const char *target, const struct attributes *at, struct err *e)
{
    if (str_empty(target) || strlen(target) >= PATH_MAX)
        return err_set(e, ERR_INVALID, "the text of the symbolic link is empty or too long");
    if (symlinkat(target, p->parent, p->name) < 0)
        return err_sys(e, "create symbolic link");
    return finish_named(p, at, e);
}

int place_node(const struct place *p, struct archive_entry *entry, const struct attributes *at, struct err *e)
{
    mode_t type = archive_entry_filetype(entry);
    dev_t device = 0;
    if (type != S_IFIFO) {
        device = makedev((unsigned)archive_entry_rdevmajor(entry), (unsigned)archive_entry_rdevminor(entry));
        if (type == S_IFCHR && device == makedev(0, 0))
            return err_set(e, ERR_INVALID, "character device 0:0 is overlayfs's mark for a deleted name");
    }
    /* The umask is 0 (confine.c), so the mode is exact; there is no fchmodat(2) that spares links before Linux 6.6. */
    if (mknodat(p->parent, p->name, type | at->mode, device) < 0)
        return err_sys(e, "create device or FIFO");
    return finish_named(p, at, e);
}
