/* Shutting this process in.
 *
 * libarchive and its decompressors are some 100,000 lines of C that read a stranger's bytes as root, because making
 * devices and other people's files takes root. So everything that root could do beyond that is given away first:
 *
 *   1. Limits: memory, processor time, descriptors, no core file.
 *   2. The working folder becomes a mount of its own, cut out of the tree: open_tree(2) clones it without attaching it
 *      anywhere. nosuid, noexec and nodev hold in it: a file made here cannot be run, and a device made here (images
 *      have them) cannot be opened. The store's layers get the same, and are read-only.
 *   3. New namespaces for mounts, network, System V IPC and the host's name: no network device, not even loopback.
 *   4. chroot(2) into the clone. The folder above its root is itself, also through a descriptor ("..": the clone has no
 *      parent), so there is no way out by name.
 *   5. No supplementary groups, no new privileges, and six capabilities: CHOWN, DAC_OVERRIDE, FOWNER, FSETID for
 *      owners and modes, MKNOD for devices, SETFCAP for file capabilities. SYS_CHROOT is gone, so the chroot cannot be
 *      left; SYS_ADMIN is gone, so nothing can be mounted, and trusted.* attributes cannot be set: the daemon
 *      does that.
 *   6. SIGKILL when the daemon dies (prctl(2), PR_SET_PDEATHSIG).
 *   7. A filter of system calls, for what user 0 may do to other processes without any capability (confine_calls.c).
 *
 * Shared libraries are all bound by now (the program is linked with -z now), and there is none to load in the new root.
 * pivot_root(2) would also throw the old tree out of the mount namespace, but fails on an initramfs; nothing here could
 * reach that tree anyway. Needs Linux 5.12 (mount_setattr). Next:
 * confine_calls.c. */
#include "archive/worker.h"
#include "base/archiveproto.h"
#include "base/mem.h"
#include "base/rlimit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What each grade keeps. DAC_READ_SEARCH would do for reading, but it also opens any file of the machine by its number
 * (open_by_handle_at(2)), whatever the root folder is; DAC_OVERRIDE does not. */
static const struct {
    int n, cap[6];
} kept[] = {
    [CONFINE_NOTHING] = {0, {0}},
    [CONFINE_READ] = {1, {CAP_DAC_OVERRIDE}},
    [CONFINE_WRITE] = {6, {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP}},
};

int confine_limits(struct err *e)
{
    umask(0);
#ifndef SANITIZED /* their shadow memory is terabytes of address space */
    if (rlimit_lower(RLIMIT_AS, WORKER_MEMORY_MAX, e) < 0)
        return -1;
#endif
    if (rlimit_lower(RLIMIT_CPU, WORKER_CPU_MAX, e) < 0 || rlimit_lower(RLIMIT_NOFILE, WORKER_FILES_MAX, e) < 0)
        return -1;
    return rlimit_lower(RLIMIT_CORE, 0, e);
}

int confine_clone(int at, const char *path, bool whole, bool read_only, struct err *e)
{
    unsigned deep = whole ? AT_RECURSIVE : 0;
    autoclose int tree =
        (int)syscall(SYS_open_tree, at, path, AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | deep);
    if (tree < 0)
        return err_sys(e, "open_tree %s", path);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
                                          (read_only ? MOUNT_ATTR_RDONLY : 0)};
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | deep, &attr, sizeof(attr)) < 0)
        return err_sys(e, "mount_setattr");
    return take_fd(&tree);
}

/* Replace *fd by a clone of its folder that hangs nowhere. */
static int cut_out(int *fd, bool read_only, struct err *e)
{
    int tree = confine_clone(*fd, "", false, read_only, e);
    if (tree < 0)
        return -1;
    fd_close(*fd);
    *fd = tree;
    return 0;
}

static int drop_capabilities(enum confine_grade grade, struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    for (int i = 0; i < kept[grade].n; i++)
        data[CAP_TO_INDEX(kept[grade].cap[i])].effective |= CAP_TO_MASK(kept[grade].cap[i]);
    for (int i = 0; i < 2; i++)
        data[i].permitted = data[i].effective;
    /* The bounding set too: it is what a set-user-ID program could have. The first unknown number is past the last. */
    for (int c = 0; c < 64; c++)
        if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0) {
            if (errno == EINVAL)
                break;
            return err_sys(e, "drop capability %d", c);
        }
    return syscall(SYS_capset, &head, data) == 0 ? 0 : err_sys(e, "capset");
}

/* The signal is sent when the thread that started us ends, which waits for us. One that ended before we asked is seen
 * by its end of the message pipe being closed. */
static int follow_daemon(struct err *e)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_sys(e, "PR_SET_PDEATHSIG");
    struct pollfd p = {.fd = ARCHIVE_MESSAGES_FD};
    if (poll(&p, 1, 0) > 0 && p.revents & POLLERR)
        return err_set(e, ERR_SYSTEM, "the daemon is gone");
    return 0;
}

int confine_seal(enum confine_grade grade, struct err *e)
{
    if (setgroups(0, NULL) < 0)
        return err_sys(e, "setgroups");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(e, "PR_SET_NO_NEW_PRIVS");
    if (drop_capabilities(grade, e) < 0)
        return -1;
    return follow_daemon(e) < 0 ? -1 : confine_calls(e);
}

int confine_enter(int *work, int *layers, bool read_only, struct err *e)
{
    if (confine_limits(e) < 0 || cut_out(work, read_only, e) < 0 || (layers && cut_out(layers, true, e) < 0))
        return -1;
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return err_sys(e, "unshare");
    if (fchdir(*work) < 0 || chroot(".") < 0 || chdir("/") < 0)
        return err_sys(e, "enter the working folder");
    return confine_seal(read_only ? CONFINE_NOTHING : CONFINE_WRITE, e);
}
