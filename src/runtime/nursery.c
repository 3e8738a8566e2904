/* The nursery: a mount namespace with nothing in it but an empty root.
 *
 * A new mount namespace is a copy of its maker's (mount_namespaces(7)), mount by mount, under a lock that the whole
 * machine shares. A container needs none of these mounts: its pivot_root throws the copy away. On a machine with a
 * thousand containers there are a thousand overlays among the host's mounts, and each start copied and dropped them
 * all, which took 7 of its 32 ms. And for as long as the copy lives it holds those file systems, so that somebody
 * else's unmount at that moment frees nothing.
 *
 * So a manager may keep one namespace that is empty, and name it with --nursery. The child enters it, and only then
 * makes its own, a copy of two mounts. What it needs of the host it has as descriptors already (child.h).
 *
 *     gorae-runtime nursery      makes one, and sends it to standard output, a unix socket (unix(7), SCM_RIGHTS)
 *
 * It lives for as long as somebody holds a descriptor of it, and leaves no trace when that one is gone. Then, and where
 * the bundle wants something of the host's mounts, a container begins in a copy as ever:
 *   - hooks before the pivot are promised the runtime's files (OCI runtime-spec config.md, "POSIX-platform Hooks");
 *   - a file system may name something of the host when it is made: ext4 its device, overlay its folders. Those that
 * are known not to are in a list, and any other begins in a copy;
 *   - a new user namespace has no right over a mount namespace of the host's (setns(2), EPERM).
 *
 * Read next: child.c, where it is entered. */
#include "runtime/nursery.h"
#include "runtime/args.h"
#include "runtime/hooks.h"
#include "runtime/mnt.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whoever may make a user namespace may make mount namespaces, too, full of what it likes; ours must belong to the user
 * namespace that we are in ourselves (ioctl_ns(2)). */
static bool is_ours(int fd)
{
    struct stat owner, own;
    if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNS)
        return false;
    autoclose int user = ioctl(fd, NS_GET_USERNS);
    return user >= 0 && fstat(user, &owner) == 0 && stat("/proc/self/ns/user", &own) == 0 &&
           owner.st_dev == own.st_dev && owner.st_ino == own.st_ino;
}

/* Binds were opened by the parent. */
static bool names_nothing(const struct plan_mount *m)
{
    static const char *const known[] = {"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (m->bind || str_eq(m->type, known[i]))
            return true;
    return false;
}

static bool begins_empty(const struct plan *p)
{
    const json_t *hooks = json_object_get(p->config, "hooks");
    for (size_t i = 0; i < p->nmounts; i++)
        if (!names_nothing(&p->mounts[i]))
            return false;
    return plan_new(p, NS_MOUNT) && !p->ns[NS_USER].own && !hooks_any(hooks, "prestart") &&
           !hooks_any(hooks, "createRuntime") && !hooks_any(hooks, "createContainer");
}

int nursery_open(const struct runtime *rt, const struct plan *p, int *ret_fd, struct err *e)
{
    *ret_fd = -1;
    if (!rt->nursery || !begins_empty(p))
        return 0;
    autoclose int fd = open(rt->nursery, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT) /* who kept it may have gone in this moment */
        runtime_warn(rt, "--nursery %s cannot be opened: %s", rt->nursery, strerrordesc_np(errno));
    if (fd < 0) /* the container can do without */
        return 0;
    if (!is_ours(fd))
        return err_set(e, ERR_INVALID, "--nursery %s is no mount namespace of this user namespace", rt->nursery);
    *ret_fd = take_fd(&fd);
    return 0;
}

int nursery_enter(int nursery, struct err *e)
{
    if (setns(nursery, CLONE_NEWNS) < 0)
        return err_sys(e, "enter the empty mount namespace");
    return unshare(CLONE_NEWNS) < 0 ? err_sys(e, "make a mount namespace") : 0;
}

/* The root is read-only: it is everybody's, for a moment each. */
static int make_empty(struct err *e)
{
    static const char *const options[] = {"mode=755", "size=4k", NULL};
    if (unshare(CLONE_NEWNS) < 0)
        return err_sys(e, "make a mount namespace");
    autoclose int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (old < 0 || mnt_change(old, 0, 0, MS_PRIVATE, true) < 0)
        return err_sys(e, "cut the mounts off from the host's");
    autoclose int root = mnt_make("tmpfs", "gorae-nursery", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, e);
    if (root < 0)
        return -1;
    if (mkdirat(root, "dev", 0755) < 0 || mnt_attach(root, old) < 0)
        return err_sys(e, "attach an empty root");
    if (mnt_pivot(root, e) < 0)
        return -1;
    return mnt_change(root, MOUNT_ATTR_RDONLY, 0, 0, false) < 0 ? err_sys(e, "make the empty root read-only") : 0;
}

int verb_nursery(struct runtime *rt, int argc, char **argv, struct err *e)
{
    const struct arg table[] = {{0}};
    (void)rt;
    if (args_parse(table, argc, argv, 0, 0, e) < 0)
        return -1;
    autoclose int proc = open("/proc/thread-self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC); /* no path leads there later */
    if (proc < 0)
        return err_sys(e, "open /proc/thread-self/ns");
    if (make_empty(e) < 0)
        return -1;
    autoclose int ns = openat(proc, "mnt", O_RDONLY | O_CLOEXEC);
    if (ns < 0 || sock_send(STDOUT_FILENO, "", 1, ns) < 0)
        return err_sys(e, "send the mount namespace to standard output");
    return 0;
}
