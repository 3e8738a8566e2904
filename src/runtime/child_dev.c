/* Devices, the console, and the three standard descriptors.
 *
 * A device node is only a name for a pair of numbers; what it may be used for is decided by the device group
 * (cgroup_dev.c). In a user namespace making nodes is forbidden, and the host's are bound instead; the parent has
 * cloned them.
 *
 * Source: OCI runtime-spec config-linux.md "Default Devices", "Dev symbolic links"; pts(4), ioctl_tty(2). */
#include "runtime/child.h"
#include "runtime/mnt.h"
#include "base/mem.h"
#include "base/rootpath.h"
#include "base/sock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static int make_node(int parent, const char *name, const struct plan_device *d, struct err *e)
{
    struct stat st;
    if (mknodat(parent, name, d->mode, d->rdev) == 0) {
        if ((d->uid || d->gid) && fchownat(parent, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
            return err_sys(e, "give device %s to its owner", d->path);
        return 0;
    }
    if (errno != EEXIST)
        return err_sys(e, "make device %s", d->path);
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "make device %s", d->path);
    if ((st.st_mode & S_IFMT) != (d->mode & S_IFMT) || (!S_ISFIFO(st.st_mode) && st.st_rdev != d->rdev))
        return err_set(e, ERR_INVALID, "device %s exists in the image and is something else", d->path);
    return 0;
}

static int make_device(const struct child *c, const struct plan_device *d, struct err *e)
{
    autofree char *name = NULL;
    if (d->tree >= 0) {
        autoclose int target = rootpath_mount_target(c->root, d->path, false, e);
        if (target < 0)
            return -1;
        return mnt_attach(d->tree, target) < 0 ? err_sys(e, "bind device %s", d->path) : 0;
    }
    autoclose int parent = rootpath_parent(c->root, d->path, true, &name, e);
    return parent < 0 ? -1 : make_node(parent, name, d, e);
}

static int make_links(const struct child *c, int dev, struct err *e)
{
    static const struct {
        const char *name, *to;
    } links[] = {{"fd", "/proc/self/fd"},
                 {"stdin", "/proc/self/fd/0"},
                 {"stdout", "/proc/self/fd/1"},
                 {"stderr", "/proc/self/fd/2"},
                 {"core", "/proc/kcore"}};
    /* The last one only where the kernel has it. */
    size_t n = sizeof(links) / sizeof(links[0]) - (faccessat(c->proc, "kcore", F_OK, 0) < 0);
    for (size_t i = 0; i < n; i++)
        if (symlinkat(links[i].to, dev, links[i].name) < 0 && errno != EEXIST)
            return err_sys(e, "make link /dev/%s", links[i].name);
    if (c->pts < 0)
        return 0;
    /* The multiplexer must be the one of the container's own devpts, not a node for the host's. */
    if ((unlinkat(dev, "ptmx", 0) < 0 && errno != ENOENT) || symlinkat("pts/ptmx", dev, "ptmx") < 0)
        return err_sys(e, "make link /dev/ptmx");
    return 0;
}

int child_devices(struct child *c, struct err *e)
{
    if (c->dev_bound)
        return 0;
    autoclose int dev = rootpath_make_dirs(c->root, "/dev", 0755, e);
    if (dev < 0)
        return -1;
    for (size_t i = 0; i < c->plan->ndevices; i++)
        if (make_device(c, &c->plan->devices[i], e) < 0)
            return -1;
    return make_links(c, dev, e);
}

/* The multiplexer: of the devpts that we mounted ourselves, or (exec) of what is at /dev/pts, if that is a devpts. */
static int open_multiplexer(const struct child *c, struct err *e)
{
    struct statfs fs;
    int fd = c->pts >= 0 ? openat(c->pts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
                         : rootpath_open(c->root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0, e);
    if (fd < 0)
        return err_sys(e, "open the container's terminal multiplexer");
    if (fstatfs(fd, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC) {
        fd_close(fd);
        return err_set(e, ERR_SYSTEM, "/dev/pts/ptmx in the container is not in a devpts");
    }
    return fd;
}

/* Bind the terminal on /dev/console, for programs that look for it there. By descriptor: its name /dev/pts/N could have
 * been exchanged (CVE-2025-52565). */
static int bind_console(const struct child *c, int terminal, struct err *e)
{
    autoclose int tree = mnt_clone(terminal, NULL, false);
    autoclose int target = tree >= 0 ? rootpath_mount_target(c->root, "/dev/console", false, e) : -1;
    if (tree < 0)
        return err_sys(e, "clone the terminal's mount");
    if (target < 0)
        return -1;
    return mnt_attach(tree, target) < 0 ? err_sys(e, "bind the terminal on /dev/console") : 0;
}

/* The master goes out to whoever asked for a terminal; the other end becomes our standard descriptors and, since this
 * process leads a session of its own, its controlling terminal. */
static int use_terminal(const struct child *c, int master, int terminal, struct err *e)
{
    const struct plan_process *p = c->process;
    struct winsize size = {.ws_row = p->rows, .ws_col = p->cols};
    if (fchown(terminal, p->uid, (gid_t)-1) < 0)
        return err_sys(e, "give the terminal to user %u", p->uid);
    if (p->rows && p->cols && ioctl(terminal, TIOCSWINSZ, &size) < 0)
        return err_sys(e, "set the size of the terminal");
    if (sock_send(c->console, "/dev/ptmx", sizeof("/dev/ptmx") - 1, master) < 0)
        return err_sys(e, "send the terminal through the console socket");
    for (int fd = 0; fd < 3; fd++)
        if (dup2(terminal, fd) < 0)
            return err_sys(e, "make the terminal descriptor %d", fd);
    return ioctl(0, TIOCSCTTY, 0) < 0 ? err_sys(e, "take the terminal as controlling terminal") : 0;
}

int child_console(struct child *c, struct err *e)
{
    int unlock = 0;
    if (!c->process->terminal)
        return 0;
    autoclose int master = open_multiplexer(c, e);
    if (master < 0)
        return -1;
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
        return err_sys(e, "unlock the terminal");
    autoclose int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0)
        return err_sys(e, "open the other end of the terminal");
    if (c->plan && bind_console(c, terminal, e) < 0)
        return -1;
    if (use_terminal(c, master, terminal, e) < 0)
        return -1;
    fd_close(c->console);
    c->console = -1;
    return 0;
}

/* The host's /dev/null would be a way to an inode of the host; the container has its own. */
static int replace_null(const struct child *c, int fd, struct err *e)
{
    autoclose int own = child_open_known(c, "/dev/null", S_IFCHR, makedev(1, 3), O_RDWR);
    if (own < 0)
        return 0; /* an odd image; the host's null device is still a null device */
    fcntl(own, F_SETFL, 0);
    return dup2(own, fd) < 0 ? err_sys(e, "make /dev/null descriptor %d", fd) : 0;
}

/* A program run as another user opens /dev/stdout, which is /proc/self/fd/1, and that asks the pipe's own mode: so
 * pipes and terminals are given to the user. */
int child_stdio(struct child *c, struct err *e)
{
    for (int fd = 0; fd < 3; fd++) {
        struct stat st;
        if (fstat(fd, &st) < 0)
            return err_sys(e, "stat descriptor %d", fd);
        bool null = S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
        if (null && replace_null(c, fd, e) < 0)
            return -1;
        if (null || st.st_uid == c->process->uid || (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode)))
            continue;
        /* EPERM, EINVAL: a user namespace in which that owner has no number; EROFS: a terminal on a sealed mount. */
        if (fchown(fd, c->process->uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL && errno != EROFS)
            return err_sys(e, "give descriptor %d to user %u", fd, c->process->uid);
    }
    return 0;
}
