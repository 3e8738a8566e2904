/* The container's file systems, in the order of config.json.
 *
 * Each mount is first made complete and detached, then its target is resolved below the container's root, then it is
 * moved there. Between resolving and moving lies a descriptor, not a path: whoever swaps a folder for a link in that
 * instant changes a name that nobody looks at any more (CVE-2021-30465, CVE-2024-45310).
 *
 * Resolving inside the root is not the whole of it, since a link may lead to another place inside: an image whose /proc
 * is a link would have its real procfs mounted elsewhere, and a volume on /proc would hide it. So after resolving, the
 * kernel is asked where the target is, and the answer is judged (check_target).
 *
 * Read next: child_cgroup.c, which mounts the one kind that needs more. */
#include "runtime/child.h"
#include "runtime/mnt.h"
#include "base/mem.h"
#include "base/rootpath.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define PROC_ROOT_INODE 1 /* the inode number of a procfs's root, fs/proc/root.c */

/* Files of /proc that a tool such as lxcfs may replace: all of them are only read by programs, and say something about
 * the machine that is to look different inside. */
static bool may_cover_in_proc(const char *path)
{
    static const char *const known[] = {
        "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo",  "/proc/stat",    "/proc/swaps",
        "/proc/uptime",  "/proc/loadavg",   "/proc/slabinfo", "/proc/net/dev", "/proc/sys/kernel/ns_last_pid"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(path, known[i]))
            return true;
    return false;
}

static bool is_proc_root(int tree)
{
    struct statfs fs;
    struct stat st;
    return fstatfs(tree, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC && fstat(tree, &st) == 0 &&
           st.st_ino == PROC_ROOT_INODE;
}

/* Take "//", "/./" and a final slash out of a path, for comparing with what the kernel answers. */
static char *tidy(const char *path)
{
    autostr out = STR_INIT;
    str_add(&out, "");
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n > 0 && !(n == 1 && *path == '.')) {
            str_addc(&out, '/');
            str_addn(&out, path, n);
        }
        path += n + (path[n] == '/');
    }
    if (out.len == 0)
        str_addc(&out, '/');
    return str_take(&out);
}

/* @param at where the target really is, seen from the container's root */
static int check_target(const struct plan_mount *m, int tree, const char *at, struct err *e)
{
    autofree char *wanted = tidy(m->dest);
    bool special = !m->bind && (str_eq(m->type, "proc") || str_eq(m->type, "sysfs"));
    if (str_eq(at, "/"))
        return err_set(e, ERR_INVALID, "mount of %s: the container's root cannot be mounted over", m->dest);
    if ((special || str_eq(wanted, "/dev") || str_eq(wanted, "/proc") || str_eq(wanted, "/sys")) && !str_eq(at, wanted))
        return err_set(e, ERR_INVALID, "mount of %s: it is a symbolic link to %s, and must be an ordinary folder",
                       m->dest, at);
    if (str_eq(at, "/proc") && !is_proc_root(tree))
        return err_set(e, ERR_INVALID, "mount of %s: only a proc file system may be mounted on /proc", m->dest);
    if (str_starts(at, "/proc/") && !may_cover_in_proc(at))
        return err_set(e, ERR_INVALID, "mount of %s: it lies inside /proc, where nothing may be mounted", m->dest);
    return 0;
}

static int place(struct child *c, const struct plan_mount *m, int tree, struct err *e)
{
    struct stat st;
    if (fstat(tree, &st) < 0)
        return err_sys(e, "mount of %s", m->dest);
    autoclose int target = rootpath_mount_target(c->root, m->dest, S_ISDIR(st.st_mode), e);
    if (target < 0)
        return err_wrap(e, "mount of %s", m->dest);
    autofree char *at = child_path_of(c, target, e);
    if (!at || check_target(m, tree, at, e) < 0)
        return -1;
    if (str_eq(at, "/dev")) /* however the bundle spells it, and through whatever link */
        c->dev_bound = m->bind;
    return mnt_attach(tree, target) < 0 ? err_sys(e, "mount of %s", m->dest) : 0;
}

/* Flags of the tree: first the ones for all of it, then those of its top, then who hears of later mounts. A bind mount
 * without a word about propagation follows the root's. */
static int dress(const struct child *c, const struct plan_mount *m, int tree, struct err *e)
{
    uint64_t propagation = m->propagation;
    bool whole = m->propagate_tree;
    if (!propagation) {
        propagation =
            c->plan->root_propagation == MS_SLAVE || c->plan->root_propagation == MS_SHARED ? MS_SLAVE : MS_PRIVATE;
        whole = true;
    }
    uint64_t clear = m->clear | (m->set & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0);
    uint64_t tree_clear = m->tree_clear | (m->tree_set & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0);
    if (((m->tree_set | tree_clear) && mnt_change(tree, m->tree_set, tree_clear, 0, true) < 0) ||
        (m->bind && (m->set | clear) && mnt_change(tree, m->set, clear, 0, false) < 0) ||
        mnt_change(tree, 0, 0, propagation, whole) < 0)
        return err_sys(e, "set the flags of the mount of %s", m->dest);
    return 0;
}

static int mount_cgroup(struct child *c, const struct plan_mount *m, struct err *e)
{
    autoclose int target = rootpath_mount_target(c->root, m->dest, true, e);
    autofree char *at = target >= 0 ? child_path_of(c, target, e) : NULL;
    if (!at || check_target(m, target, at, e) < 0)
        return -1;
    return child_mount_cgroup(c, m, target, e);
}

static int mount_one(struct child *c, struct plan_mount *m, bool *used_proc, struct err *e)
{
    if (plan_is_cgroup(m))
        return mount_cgroup(c, m, e);
    bool first_proc = !m->bind && str_eq(m->type, "proc") && !*used_proc;
    if (first_proc) {
        *used_proc = true;
        return place(c, m, c->proc, e); /* child_proc() has made it */
    }
    autoclose int made = m->bind ? -1 : mnt_make(m->type, m->source, m->options, m->set, e);
    if (!m->bind && made < 0)
        return err_wrap(e, "mount of %s", m->dest);
    int tree = m->bind ? m->tree : made;
    if (dress(c, m, tree, e) < 0 || place(c, m, tree, e) < 0)
        return -1;
    if (str_eq(m->type, "devpts") && c->pts < 0)
        c->pts = take_fd(&made);
    return 0;
}

int child_mounts(struct child *c, struct err *e)
{
    bool used_proc = false;
    for (size_t i = 0; i < c->plan->nmounts; i++)
        if (mount_one(c, &c->plan->mounts[i], &used_proc, e) < 0)
            return -1;
    return 0;
}
