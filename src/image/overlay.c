/* The container's root: an overlay of its image's layers below and its own writable folder on top.
 *
 * mount(2) hands overlayfs its folders in one text of at most a page, separated by ':' and ','. Forty layers of
 * /var/lib/gorae/images/layers/<64 digits>/diff fill that page. (The newer fsconfig(2) takes one folder a call, but for
 * overlayfs only since Linux 6.8.) So where the text would be too long, or a path holds one of the separators, the
 * folders are opened with O_PATH and named /proc/self/fd/<n>: 17 bytes each, and nothing to escape. That works in a
 * process with threads, where Docker's way, changing the working folder of a forked child, would not.
 *
 * Options: redirect_dir=off and metacopy=off, because an upper folder that uses them is no plain layer any more (commit
 * and diff read it), and because with redirects a forged attribute in a layer could show one folder as another;
 * index=off, because an index ties the upper folder to one set of lower ones for ever.
 *
 * Needs CAP_SYS_ADMIN. A folder in use as upper of another mount fails with EBUSY or warns in the kernel's log. */
#include "image/image.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPTIONS     "index=off,redirect_dir=off,metacopy=off"
#define OPTIONS_MAX 4095 /* a page with the final NUL; 4 KiB is the smallest page there is */
#define LOWER_MAX   500  /* of the kernel */
#define STACKED_MAX 16   /* mounts on top of each other at one place */
#define BUSY_TRIES  20   /* a process that just ended may hold the mount for some milliseconds */

static char *plain_options(char *const *lower, size_t n, const char *upper, const char *work, bool ephemeral)
{
    autostr s = STR_INIT;
    str_add(&s, OPTIONS ",lowerdir=");
    for (size_t i = 0; i < n; i++)
        str_addf(&s, "%s%s", i ? ":" : "", lower[i]);
    if (upper)
        str_addf(&s, ",upperdir=%s,workdir=%s%s", upper, work, ephemeral ? ",volatile" : "");
    return str_take(&s);
}

static bool is_plain(const char *path)
{
    return !path || !strpbrk(path, ":,\\");
}

static bool all_plain(char *const *lower, size_t n, const char *upper, const char *work)
{
    for (size_t i = 0; i < n; i++)
        if (!is_plain(lower[i]))
            return false;
    return is_plain(upper) && is_plain(work);
}

/* The folders of one mount, held open. */
struct held {
    int fd[LOWER_MAX + 2];
    size_t n;
};

static void held_release(struct held **h)
{
    for (size_t i = 0; *h && i < (*h)->n; i++)
        fd_close((*h)->fd[i]);
    free(*h);
}

/* Hold `path`. @return its other name, the caller's */
static char *hold(struct held *h, const char *path, struct err *e)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_null(err_sys(e, "open folder %s", path));
    h->fd[h->n++] = fd;
    return str_printf("/proc/self/fd/%d", fd);
}

static int mount_overlay(const char *target, const char *options, struct err *e)
{
    if (mount("overlay", target, "overlay", 0, options) < 0)
        return err_sys(e, "mount overlay at %s", target);
    return 0;
}

static int mount_held(char *const *lower, size_t n, const char *upper, const char *work, const char *target,
                      bool ephemeral, struct err *e)
{
    __attribute__((cleanup(held_release))) struct held *h = mem_alloc(sizeof(*h));
    autostrv names = {NULL, 0};
    for (size_t i = 0; i < n + (upper ? 2 : 0); i++) {
        autofree char *name = hold(h, i < n ? lower[i] : i == n ? upper : work, e);
        if (!name)
            return -1;
        strv_add(&names, name);
    }
    if (!names.v)
        return err_set(e, ERR_SYSTEM, "mount overlay at %s: no folders", target);
    autofree char *options =
        plain_options(names.v, n, upper ? names.v[n] : NULL, upper ? names.v[n + 1] : NULL, ephemeral);
    if (strlen(options) > OPTIONS_MAX)
        return err_set(e, ERR_SYSTEM, "mount overlay at %s: too many layers for one mount", target);
    return mount_overlay(target, options, e);
}

/* One layer alone and nothing to write to: overlayfs would want two. */
static int mount_single(const char *lower, const char *target, struct err *e)
{
    if (mount(lower, target, NULL, MS_BIND, NULL) < 0)
        return err_sys(e, "mount %s at %s", lower, target);
    if (mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0) {
        err_sys(e, "make %s read-only", target);
        umount2(target, UMOUNT_NOFOLLOW);
        return -1;
    }
    return 0;
}

int overlay_mount(char *const *lower, size_t n, const char *upper, const char *work, const char *target, bool ephemeral,
                  struct err *e)
{
    struct span span = trace_begin(3, "mount the overlay");
    if (n == 0 || n > LOWER_MAX || (upper && !work))
        return err_set(e, ERR_SYSTEM, "mount overlay at %s: %zu lower folders", target, n);
    int r;
    autofree char *options = plain_options(lower, n, upper, work, ephemeral);
    if (!upper && n == 1)
        r = mount_single(lower[0], target, e);
    else if (strlen(options) <= OPTIONS_MAX && all_plain(lower, n, upper, work))
        r = mount_overlay(target, options, e);
    else
        r = mount_held(lower, n, upper, work, target, ephemeral, e);
    if (r == 0)
        trace_end(&span, "%zu layers below, %s, at %s", n, upper ? "one to write on top" : "read-only", target);
    return r;
}

bool overlay_mounted(const char *path)
{
    struct statx x;
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &x) < 0)
        return false;
    return x.stx_attributes & STATX_ATTR_MOUNT_ROOT; /* Linux 5.8 */
}

/* @return 0 unmounted, 1 nothing is mounted, -1 */
static int unmount_top(const char *target, struct err *e)
{
    for (int i = 0; i < BUSY_TRIES; i++) {
        if (umount2(target, UMOUNT_NOFOLLOW) == 0)
            return 0;
        if (errno == EINVAL || errno == ENOENT || errno == ENOTDIR)
            return 1;
        if (errno != EBUSY)
            break;
        usleep(5000);
    }
    return err_sys(e, "unmount %s", target);
}

int overlay_unmount(const char *target, struct err *e)
{
    struct span span = trace_begin(3, "unmount the overlay");
    for (int i = 0; i < STACKED_MAX; i++) {
        int r = unmount_top(target, e);
        if (r != 0) {
            if (i > 0) /* there was one */
                trace_end(&span, "%s", target);
            return r < 0 ? -1 : 0;
        }
    }
    return err_set(e, ERR_SYSTEM, "unmount %s: more than %d mounts are stacked there", target, STACKED_MAX);
}

/* Whether a file system can hold the upper folder shows only when one tries: it must know extended attributes, the
 * types of directory entries, and renames that leave a whiteout. An earlier try may have been cut short. */
int overlay_probe(const char *dir, struct err *e)
{
    static const char *const names[] = {"", "/lower", "/upper", "/work", "/root"};
    char *path[5];
    struct err ignored;
    int r = 0;
    for (size_t i = 0; i < 5; i++)
        path[i] = str_printf("%s/probe%s", dir, names[i]);
    overlay_unmount(path[4], &ignored);
    tree_remove(AT_FDCWD, path[0], &ignored);
    for (size_t i = 0; r == 0 && i < 5; i++)
        r = mkdir(path[i], 0700) < 0 ? err_sys(e, "make folder %s", path[i]) : 0;
    if (r == 0)
        r = overlay_mount(path + 1, 1, path[2], path[3], path[4], false, e);
    overlay_unmount(path[4], &ignored);
    tree_remove(AT_FDCWD, path[0], &ignored);
    for (size_t i = 0; i < 5; i++)
        free(path[i]);
    return r;
}
