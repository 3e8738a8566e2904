/* Mounting control groups inside: a container sees its own group, read-only, as if it were the root.
 *
 * Version 2, or version 1 with a cgroup namespace: the file system itself, whose root the namespace moves to our group.
 * Version 1 without one (Docker's default there): a tmpfs with one folder a tree, each a bind mount of our group's
 * folder, which the parent has sent. Read-only matters more on version 1: its release_agent file
 * names a program that the kernel runs as root on the host (CVE-2022-0492). */
#include "runtime/child.h"
#include "runtime/mnt.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* "cpu" and "cpuacct" lead to "cpu,cpuacct" where the two are mounted together. */
static int link_names(int tmpfs, const char *folder, struct err *e)
{
    for (const char *p = folder; strchr(folder, ',') && *p; p += strcspn(p, ","), p += *p == ',') {
        autofree char *name = mem_strndup(p, strcspn(p, ","));
        if (symlinkat(folder, tmpfs, name) < 0 && errno != EEXIST)
            return err_sys(e, "make link %s", name);
    }
    return 0;
}

/* Attached, the parent's copy can be cloned for a second mount of control groups, if there is one. */
static int take_tree(struct child *c, size_t i, struct err *e)
{
    if (i >= c->ntrees)
        return err_set(e, ERR_SYSTEM, "the parent did not send control group %s", c->cgroup->dir[i].path);
    int fd = c->trees_attached ? mnt_clone(c->tree[i], NULL, false) : fcntl(c->tree[i], F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? err_sys(e, "clone the mount of %s", c->cgroup->dir[i].path) : fd;
}

static int mount_tree(struct child *c, size_t i, const struct plan_mount *m, int tmpfs, struct err *e)
{
    const struct cgroup_dir *d = &c->cgroup->dir[i];
    const char *name = strrchr(d->mount, '/') + 1, *const options[] = {d->controllers, NULL};
    bool own = c->plan->ns[NS_CGROUP].own;
    autoclose int tree =
        own ? mnt_make("cgroup", "cgroup", options, m->set & ~(uint64_t)MOUNT_ATTR_RDONLY, e) : take_tree(c, i, e);
    if (tree < 0)
        return -1;
    /* The tmpfs is new and ours: its names need no resolving. */
    autoclose int target = mkdirat(tmpfs, name, 0755) < 0 ? -1 : openat(tmpfs, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0)
        return err_sys(e, "make folder %s for a control group tree", name);
    /* The instance is the host's too and stays writable there; read-only is this mount of it. */
    if (mnt_change(tree, m->set, 0, MS_PRIVATE, false) < 0 || mnt_attach(tree, target) < 0)
        return err_sys(e, "mount control group tree %s", name);
    return link_names(tmpfs, name, e);
}

int child_mount_cgroup(struct child *c, const struct plan_mount *m, int target, struct err *e)
{
    static const char *const options[] = {"mode=755", NULL};
    uint64_t writable = m->set & ~(uint64_t)MOUNT_ATTR_RDONLY;
    if (child_wait_placed(c, e) < 0) /* before, the folders may not be there */
        return -1;
    if (c->cgroup->version == 2) {
        autoclose int fd = mnt_make("cgroup2", "cgroup", NULL, writable, e);
        if (fd < 0)
            return -1;
        if (mnt_change(fd, m->set, 0, MS_PRIVATE, false) < 0 || mnt_attach(fd, target) < 0)
            return err_sys(e, "mount of %s", m->dest);
        return 0;
    }
    autoclose int tmpfs = mnt_make("tmpfs", "cgroup", options, writable, e);
    if (tmpfs < 0)
        return -1;
    if (mnt_attach(tmpfs, target) < 0)
        return err_sys(e, "mount of %s", m->dest);
    for (size_t i = 0; i < c->cgroup->n; i++)
        if (mount_tree(c, i, m, tmpfs, e) < 0)
            return err_wrap(e, "mount of %s", m->dest);
    c->trees_attached = true;
    return mnt_change(tmpfs, m->set, 0, 0, false) < 0 ? err_sys(e, "set the flags of the mount of %s", m->dest) : 0;
}
