/* The files of a container, taken into view, and this process shut in with them.
 *
 * A container is hostile, and may be running while it is copied from: it swaps folders for links between two of our
 * calls. Docker has lost that race again and again (CVE-2018-15664, CVE-2019-14271, CVE-2026-41568). Here the race
 * cannot be won, because when the first of its paths is looked at there is no host left to reach:
 *
 *   1. A mount namespace of our own, private, so that nothing done here is seen outside.
 *   2. The root is cloned (open_tree(2)) without setuid, devices and programs, and so is the source of each bind
 *      mount: the only paths of the host that are used, and the daemon named them.
 *   3. An empty tmpfs becomes the root folder of this process. The container's root hangs in it as /tree; it is not
 *      our "/", so a library that looks for /etc or /lib late finds nothing rather than the container's files.
 *   4. The mounts are put in place, each on a descriptor found by openat2(RESOLVE_IN_ROOT) below /tree: a target that
 *      is a link, even one that changes, stays inside; an absolute link of the image is followed as it should be.
 *   5. pivot_root(2), and the old tree is detached with everything that the daemon has mounted. That also keeps a long
 *      copy from pinning the mounts of other containers.
 *   6. What may not be written is made read-only; capabilities go (confine.c).
 *
 * The host path of a bind mount is looked up again for each copy, as Docker does; but what a running container has
 * there must be the same file. What is mounted inside the container by itself, and its tmpfs, are not in view. Next:
 * where.c. */
#include "archive/worker.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rootpath.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TREE "tree" /* the container's root, in the tmpfs */

static int hang(int tree, int at, const char *path, struct err *e)
{
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*path ? 0 : MOVE_MOUNT_T_EMPTY_PATH);
    return syscall(SYS_move_mount, tree, "", at, path, flags) == 0 ? 0 : err_sys(e, "move_mount %s", path);
}

static int set_read_only(int fd, bool whole, struct err *e)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    unsigned flags = AT_EMPTY_PATH | (whole ? AT_RECURSIVE : 0);
    if (syscall(SYS_mount_setattr, fd, "", flags, &attr, sizeof(attr)) < 0)
        return err_sys(e, "make a mount read-only");
    return 0;
}

/* Is it the very file that the daemon saw in the running container? */
static bool is_pinned(int tree, const json_t *m)
{
    struct stat st;
    if (!json_object_get(m, "ino"))
        return true;
    return fstat(tree, &st) == 0 && (json_int_t)st.st_dev == json_int(m, "dev", 0) &&
           (json_int_t)st.st_ino == json_int(m, "ino", 0);
}

/* A source that is gone leaves the place as the image has it. */
static int add_mount(int root, const json_t *m, struct err *e)
{
    const char *source = json_str(m, "source", ""), *target = json_str(m, "target", "");
    struct stat st;
    if (stat(source, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "stat %s", source);
    autoclose int tree = confine_clone(AT_FDCWD, source, true, json_is(m, "ro"), e);
    if (tree >= 0 && !is_pinned(tree, m))
        return err_set(e, ERR_CONFLICT, "mount of %s: its source is not what the container has there", target);
    autoclose int at = tree < 0 ? -1 : rootpath_mount_target(root, target, S_ISDIR(st.st_mode), e);
    return at < 0 || hang(tree, at, "", e) < 0 ? err_wrap(e, "mount of %s", target) : 0;
}

/* The layers of the image as one folder: overlayfs itself says what they show. It names them through descriptors, as
 * image/overlay.c does, because many paths do not fit into one option text. */
static int mount_lowers(const json_t *lowers, const char *at, struct err *e)
{
    autostr options = STR_INIT;
    size_t i;
    json_t *x;
    str_add(&options, "index=off,redirect_dir=off,metacopy=off,lowerdir=");
    json_array_foreach(lowers, i, x)
    {
        int fd = open(json_string_value(x), O_PATH | O_DIRECTORY | O_CLOEXEC); /* closed by clone_lowers() */
        if (fd < 0)
            return err_sys(e, "open layer %s", json_string_value(x));
        str_addf(&options, "%s/proc/self/fd/%d", i ? ":" : "", fd);
    }
    return mount("overlay", at, "overlay", MS_RDONLY, options.s) == 0 ? 0 : err_sys(e, "mount the image's layers");
}

static int clone_lowers(const json_t *lowers, const char *scratch, struct err *e)
{
    if (json_array_size(lowers) == 1)
        return confine_clone(AT_FDCWD, json_string_value(json_array_get(lowers, 0)), false, true, e);
    int first = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0); /* the next free number: those after it are the layers' */
    if (first < 0)
        return err_sys(e, "duplicate a descriptor");
    fd_close(first);
    if (mount_lowers(lowers, scratch, e) < 0)
        return -1;
    syscall(SYS_close_range, (unsigned)first, ~0U, 0);
    return confine_clone(AT_FDCWD, scratch, false, true, e);
}

/* An empty root folder, with the container's in it. */
static int hang_tree(int tree, const char *scratch, struct err *e)
{
    autofree char *at = str_printf("%s/" TREE, scratch);
    if (mount("tmpfs", scratch, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=0700") < 0)
        return err_sys(e, "mount a tmpfs");
    if (mkdir(at, 0700) < 0)
        return err_sys(e, "mkdir %s", at);
    return hang(tree, AT_FDCWD, at, e);
}

/* On an initramfs pivot_root(2) fails; a chroot is as good against paths, only the old mounts stay pinned. */
static int enter(const char *scratch, struct err *e)
{
    if (chdir(scratch) < 0)
        return err_sys(e, "enter the empty root");
    if (syscall(SYS_pivot_root, ".", ".") == 0) {
        if (umount2(".", MNT_DETACH) < 0)
            return err_sys(e, "detach the old root");
    } else if (errno != EINVAL || chroot(".") < 0) {
        return err_sys(e, "pivot_root");
    }
    return chdir("/") == 0 ? 0 : err_sys(e, "chdir");
}

static int add_mounts(int root, const json_t *request, enum view_kind kind, struct err *e)
{
    size_t i;
    json_t *m;
    if (kind == VIEW_PATHS || kind == VIEW_WRITE)
        json_array_foreach(json_object_get(request, "mounts"), i, m)
        {
            if (add_mount(root, m, e) < 0)
                return -1;
        }
    if (kind != VIEW_WRITE)
        return set_read_only(root, true, e);
    return json_is(request, "readonly") ? set_read_only(root, false, e) : 0;
}

static int take(const json_t *request, enum view_kind kind, struct view *v, struct err *e)
{
    const char *scratch = json_str(request, "scratch", ""), *path = json_str(request, "root", "");
    autofree char *at = str_printf("%s/" TREE, scratch);
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return err_sys(e, "unshare");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_sys(e, "make the mounts private");
    autoclose int tree = confine_clone(AT_FDCWD, path, false, false, e); /* first: `scratch` may be the same folder */
    if (tree < 0)
        return -1;
    if (kind == VIEW_CHANGES) {
        v->lower = clone_lowers(json_object_get(request, "lower"), scratch, e);
        v->upper = v->lower < 0 ? -1 : confine_clone(AT_FDCWD, json_str(request, "upper", ""), false, true, e);
        if (v->upper < 0)
            return -1;
    }
    if (hang_tree(tree, scratch, e) < 0)
        return -1;
    v->root = open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (v->root < 0)
        return err_sys(e, "open %s", at);
    return add_mounts(v->root, request, kind, e) < 0 ? -1 : enter(scratch, e);
}

int view_enter(const json_t *request, enum view_kind kind, struct view *ret, struct err *e)
{
    struct span span = trace_begin(0, "take the container's files into view");
    *ret = (struct view){-1, -1, -1};
    if (take(request, kind, ret, e) < 0 || confine_limits(e) < 0 ||
        confine_seal(kind == VIEW_WRITE ? CONFINE_WRITE : CONFINE_READ, e) < 0)
        return err_wrap(e, "confine gorae-archive");
    trace_end(&span, "own mount namespace, %zu mounts, empty root folder, host detached",
              json_array_size(json_object_get(request, "mounts")));
    return 0;
}
