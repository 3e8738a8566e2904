/* Mounts by file descriptor: see mnt.h. */
#include "runtime/mnt.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* fsconfig(2) refuses longer values; the kernel copies them with a limit of 256 including the NUL. */
#define OPTION_MAX    255
#define UMOUNT_DETACH 2 /* MNT_DETACH of umount2(2) */

/* The kernel says in words what it did not like about an option: each read(2) of the context gives one message,
 * "e " and the text. See fsopen(2), "Message retrieval interface". */
static int context_error(int ctx, const char *type, const char *what, struct err *e)
{
    int sys = errno;
    char said[256] = "";
    ssize_t n = read(ctx, said, sizeof(said) - 1);
    said[n > 0 ? n : 0] = '\0';
    if (n > 2)
        said[strcspn(said, "\n")] = '\0';
    errno = sys;
    return err_sys(e, "make file system %s: %s%s%s%s", type, what, n > 2 ? " (" : "", n > 2 ? said + 2 : "",
                   n > 2 ? ")" : "");
}

static int set_option(int ctx, const char *type, const char *option, struct err *e)
{
    size_t n = strcspn(option, "=");
    const char *value = option[n] ? option + n + 1 : NULL;
    if (value && strlen(value) > OPTION_MAX)
        return err_set(e, ERR_INVALID, "mount option %.*s of %s is longer than %d bytes", (int)n, option, type,
                       OPTION_MAX);
    autofree char *key = mem_strndup(option, n);
    if (syscall(SYS_fsconfig, ctx, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) < 0)
        return context_error(ctx, type, option, e);
    return 0;
}

int mnt_make(const char *type, const char *source, const char *const *options, uint64_t attr, struct err *e)
{
    autoclose int ctx = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (ctx < 0)
        return err_sys(e, "make file system %s", type);
    if (source && syscall(SYS_fsconfig, ctx, FSCONFIG_SET_STRING, "source", source, 0) < 0)
        return context_error(ctx, type, "source", e);
    if (attr & MOUNT_ATTR_RDONLY && syscall(SYS_fsconfig, ctx, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
        return context_error(ctx, type, "ro", e);
    for (; options && *options; options++)
        if (set_option(ctx, type, *options, e) < 0)
            return -1;
    if (syscall(SYS_fsconfig, ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return context_error(ctx, type, "create", e);
    int fd = (int)syscall(SYS_fsmount, ctx, FSMOUNT_CLOEXEC, attr);
    return fd >= 0 ? fd : context_error(ctx, type, "mount", e);
}

int mnt_clone(int dirfd, const char *path, bool recursive)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    flags |= (recursive ? AT_RECURSIVE : 0U) | (path ? 0U : AT_EMPTY_PATH);
    return (int)syscall(SYS_open_tree, dirfd, path ? path : "", flags);
}

int mnt_attach(int tree, int target)
{
    return (int)syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int mnt_change(int fd, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive)
{
    struct mount_attr a = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
    return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a, sizeof(a));
}

/* pivot_root(".", ".") stacks the old root on top of the new one, at the same place, so no folder inside the container
 * is needed to hold it; see pivot_root(2), "NOTES". Detaching what lies on top uncovers the container. The old tree
 * must not propagate that detachment, or the host would lose its mounts: it was made private or slave in the first
 * step. */
int mnt_pivot(int newroot, struct err *e)
{
    if (fchdir(newroot) < 0)
        return err_sys(e, "enter the new root");
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return err_sys(e, "pivot_root into the container's root");
    if (syscall(SYS_umount2, ".", UMOUNT_DETACH) < 0)
        return err_sys(e, "detach the old root");
    return chdir("/") < 0 ? err_sys(e, "enter the new root") : 0;
}
