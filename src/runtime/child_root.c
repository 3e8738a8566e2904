/* The container's root: attaching it, hiding parts of it, and moving into it.
 *
 * The parent has cloned the root file system's mount, detached. The child attaches it on top of its own "/", where no
 * path needs to be resolved. The process's root stays what it was, underneath; the container's tree is reached through
 * the descriptor c->root, and only through base/rootpath.h, because the tree may hold links that were made to lead us
 * astray, and a volume in it may be changed by another container at this very moment.
 *
 * Source: mount_namespaces(7), pivot_root(2); OCI runtime-spec config-linux.md; spec/security section 2.1. */
#include "runtime/child.h"
#include "runtime/mnt.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rootpath.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Our mount namespace is a copy of the host's. Where the host's mounts are "shared", a mount or unmount here would
 * happen there as well (CVE-2015-2925 and its like), so the first thing is to cut that tie: private in both directions,
 * or slave, where the bundle wants to see the host's later mounts. */
int child_rootfs(struct child *c, struct err *e)
{
    uint64_t wish = c->plan->root_propagation,
             first = wish == MS_PRIVATE || wish == MS_UNBINDABLE ? MS_PRIVATE : MS_SLAVE;
    autoclose int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (old < 0 || mnt_change(old, 0, 0, first, true) < 0)
        return err_sys(e, "cut the mounts off from the host's");
    if (mnt_change(c->rootfs, 0, 0, first, true) < 0)
        return err_sys(e, "cut the root file system off from the host's mounts");
    if (mnt_attach(c->rootfs, old) < 0)
        return err_sys(e, "attach the root file system");
    c->root = c->rootfs;
    return 0;
}

/* What this process asks /proc, it must ask a real one: an image may carry a folder /proc full of files that look like
 * it (CVE-2019-16884, CVE-2025-52881). This instance is ours alone until it is attached, and stays reachable by
 * descriptor whatever is mounted over parts of it. Where the bundle mounts /proc, it is the very same instance. */
int child_proc(struct child *c, struct err *e)
{
    uint64_t attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    const char *const *options = NULL;
    for (size_t i = 0; i < c->plan->nmounts; i++) {
        const struct plan_mount *m = &c->plan->mounts[i];
        if (!m->bind && str_eq(m->type, "proc")) {
            attr = m->set;
            options = m->options;
            break;
        }
    }
    c->proc = mnt_make("proc", "proc", options, attr, e);
    return c->proc < 0 ? -1 : 0;
}

char *child_path_of(const struct child *c, int fd, struct err *e)
{
    char name[32], path[PLAN_PATH_MAX + 1];
    snprintf(name, sizeof(name), "self/fd/%d", fd);
    ssize_t n = readlinkat(c->proc, name, path, sizeof(path) - 1);
    if (n <= 0 || path[0] != '/') {
        err_sys(e, "find the path of a descriptor");
        return NULL;
    }
    return mem_strndup(path, (size_t)n);
}

/* Looked at first, since to open a device or a FIFO already is to do something. The second time it is opened by its
 * descriptor, not by its name. `exec` has no procfs that it could trust, but a device group around it, which the
 * container cannot get past either; so there it is the name again, and a comparison. */
int child_open_known(const struct child *c, const char *path, mode_t type, dev_t rdev, int flags)
{
    struct stat st, opened;
    char again[32];
    autoclose int seen = rootpath_open(c->root, path, O_PATH, 0, NULL);
    if (seen < 0 || fstat(seen, &st) < 0 || (st.st_mode & S_IFMT) != type || (type == S_IFCHR && st.st_rdev != rdev))
        return -1;
    flags |= O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    snprintf(again, sizeof(again), "self/fd/%d", seen);
    autoclose int fd = c->proc >= 0 ? openat(c->proc, again, flags) : rootpath_open(c->root, path, flags, 0, NULL);
    if (fd < 0 || fstat(fd, &opened) < 0 || opened.st_dev != st.st_dev || opened.st_ino != st.st_ino)
        return -1;
    return take_fd(&fd);
}

int child_workdir(struct child *c, struct err *e)
{
    autoclose int fd = rootpath_make_dirs(c->root, c->process->cwd, 0755, e);
    return fd < 0 ? err_wrap(e, "working folder %s", c->process->cwd) : 0;
}

/* "net.ipv4.ip_forward" is the file sys/net/ipv4/ip_forward. plan.c has checked that a namespace owns it. */
static int set_sysctl(const struct child *c, const char *name, const char *value, struct err *e)
{
    struct statfs fs;
    autofree char *path = str_printf("sys/%s", name);
    for (char *p = path; *p; p++)
        *p = *p == '.' ? '/' : *p;
    autoclose int fd = openat(c->proc, path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstatfs(fd, &fs) < 0)
        return err_sys(e, "open sysctl %s", name);
    if (fs.f_type != PROC_SUPER_MAGIC)
        return err_set(e, ERR_SYSTEM, "sysctl %s does not lie in procfs", name);
    return write(fd, value, strlen(value)) < 0 ? err_sys(e, "set sysctl %s to \"%.64s\"", name, value) : 0;
}

int child_sysctls(struct child *c, struct err *e)
{
    const char *name;
    json_t *v;
    json_object_foreach(json_at(c->plan->config, "linux.sysctl"), name, v)
    {
        if (set_sysctl(c, name, json_string_value(v), e) < 0)
            return -1;
    }
    return 0;
}

/* What covers a masked path: files by a null device, folders by an empty one, both ours. The container's own /dev/null
 * may be anything (CVE-2025-31133), and the host's inode could be changed through a bind mount of it, so both are made
 * in a fresh tmpfs that nobody else can reach. A mount can be cloned only while it is attached in our namespace: the
 * tmpfs lies on the old root's /dev, out of the container's sight, and goes away with the old root. The clones stay. */
struct cover {
    int file, folder;
};

static int make_null(const struct child *c, int tmpfs, struct err *e)
{
    if (c->null_tree < 0) {
        if (mknodat(tmpfs, "null", S_IFCHR | 0666, makedev(1, 3)) < 0)
            return err_sys(e, "make a null device");
        return openat(tmpfs, "null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
    /* A user namespace may not make device nodes; there the host's, which its root cannot change, is bound. */
    autoclose int file = openat(tmpfs, "null", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (file < 0 || mnt_attach(c->null_tree, file) < 0)
        return err_sys(e, "attach the null device");
    return openat(tmpfs, "null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int make_cover(const struct child *c, struct cover *cover, struct err *e)
{
    static const char *const options[] = {"mode=755", "size=4k", NULL};
    struct stat st;
    autoclose int tmpfs = mnt_make("tmpfs", "gorae-mask", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, e);
    autoclose int place = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (tmpfs < 0)
        return -1;
    if (place < 0 || mnt_attach(tmpfs, place) < 0)
        return err_sys(e, "attach the file system of masks");
    cover->file = make_null(c, tmpfs, e);
    if (cover->file < 0)
        return -1;
    if (fstat(cover->file, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        return err_set(e, ERR_SYSTEM, "the null device for masks is not one");
    if (mkdirat(tmpfs, "empty", 0755) < 0)
        return err_sys(e, "make an empty folder");
    cover->folder = openat(tmpfs, "empty", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return cover->folder < 0 ? err_sys(e, "open an empty folder") : 0;
}

static int mask(const struct child *c, const struct cover *cover, const char *path, struct err *e)
{
    struct stat st;
    autoclose int target = rootpath_open(c->root, path, O_PATH, 0, e);
    if (target < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_wrap(e, "mask");
    if (fstat(target, &st) < 0)
        return err_sys(e, "mask %s", path);
    autoclose int tree = mnt_clone(S_ISDIR(st.st_mode) ? cover->folder : cover->file, NULL, false);
    if (tree < 0 || (S_ISDIR(st.st_mode) && mnt_change(tree, MOUNT_ATTR_RDONLY, 0, 0, false) < 0) ||
        mnt_attach(tree, target) < 0)
        return err_sys(e, "mask %s", path);
    return 0;
}

static int make_readonly(const struct child *c, const char *path, struct err *e)
{
    autoclose int target = rootpath_open(c->root, path, O_PATH, 0, e);
    if (target < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_wrap(e, "make read-only");
    autoclose int tree = mnt_clone(target, NULL, true);
    if (tree < 0 || mnt_change(tree, MOUNT_ATTR_RDONLY, 0, 0, false) < 0 || mnt_attach(tree, target) < 0)
        return err_sys(e, "make %s read-only", path);
    return 0;
}

int child_hide(struct child *c, struct err *e)
{
    struct cover cover = {-1, -1};
    int r = c->plan->masked[0] ? make_cover(c, &cover, e) : 0;
    for (size_t i = 0; r == 0 && c->plan->readonly[i]; i++)
        r = make_readonly(c, c->plan->readonly[i], e);
    for (size_t i = 0; r == 0 && c->plan->masked[i]; i++)
        r = mask(c, &cover, c->plan->masked[i], e);
    if (r == 0 && c->plan->root_readonly && mnt_change(c->root, MOUNT_ATTR_RDONLY, 0, 0, false) < 0)
        r = err_sys(e, "make the root file system read-only");
    fd_close(cover.file);
    fd_close(cover.folder);
    return r;
}

int child_pivot(struct child *c, struct err *e)
{
    uint64_t wish = c->plan->root_propagation;
    if (mnt_pivot(c->root, e) < 0)
        return -1;
    /* A shared root could not have been pivoted to; see pivot_root(2), EINVAL. */
    if ((wish == MS_SHARED || wish == MS_UNBINDABLE) &&
        mnt_change(c->root, 0, 0, wish, c->plan->root_propagate_tree) < 0)
        return err_sys(e, "set the propagation of the root");
    return 0;
}
