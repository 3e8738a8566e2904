// world.c - what a process sees and what it may do: all of this runs in the child, between clone and exec. At the
// moment of the clone another thread of the daemon may have held the lock of malloc() or of stdio, and in the copy
// nobody ever lets go of it. So nothing here uses them: system calls only.
#include "job.h"
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// region must
void must(bool ok, const char *step)
{
    int code = errno == ENOENT ? 127 : 126; // as a shell has it: not found; found, and no success
    const char *words[] = {step, ": ", strerrordesc_np(errno), "\n"};
    if (ok)
        return;
    for (int i = 0; i < 4 && write(2, words[i], strlen(words[i])) >= 0; i++)
        ;
    _exit(code);
}
// endregion
// region mounts
static void own_mounts(const char *root)
{
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "make the mounts private");
    must(mount(root, root, NULL, MS_BIND, NULL) == 0 && chdir(root) == 0, root); // pivot_root wants a mount point
    must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0, "mount /proc");
    must(mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=16m") == 0, "mount /tmp");
    must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=64k") == 0, "mount /dev");
    umask(0);
    must(mknod("dev/null", S_IFCHR | 0666, makedev(1, 3)) == 0, "/dev/null");
    must(mknod("dev/zero", S_IFCHR | 0666, makedev(1, 5)) == 0, "/dev/zero");
    must(mknod("dev/urandom", S_IFCHR | 0666, makedev(1, 9)) == 0, "/dev/urandom");
    must(mknod("dev/tty", S_IFCHR | 0666, makedev(5, 0)) == 0, "/dev/tty");
    umask(022);
}
// endregion
// region root
void world_root(const char *root)
{
    static const char *const guarded[] = {"proc/sys", "proc/sysrq-trigger", "proc/irq", "proc/bus", "proc/fs"};
    own_mounts(root);
    for (int i = 0; i < 5; i++)
        if (mount(guarded[i], guarded[i], NULL, MS_BIND, NULL) == 0 || errno != ENOENT) // not every kernel has all
            must(mount(NULL, guarded[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0, guarded[i]);
    must(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root"); // now the old root lies on top of the new one,
    must(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0, "unmount the old root"); // and now it is gone
    must(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, NULL) == 0, "make / read-only");
}
// endregion
// region rights
#define BIT(cap) (1U << (cap))
static const uint32_t kept = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |
                             BIT(CAP_KILL) | BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_NET_BIND_SERVICE);

void world_rights(const struct job *job)
{
    uint32_t keep = job->uid ? 0 : kept;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct set[2] = {{.effective = keep, .permitted = keep, .inheritable = 0}};
    for (int cap = 0; !job->privileged && prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        if (cap >= 32 || !(kept & BIT(cap)))
            must(prctl(PR_CAPBSET_DROP, cap) == 0, "drop a capability");
    must(syscall(SYS_setgroups, 0, NULL) == 0 &&
             syscall(SYS_setgid, job->uid) == 0 && // bare: those of libc take a lock
             syscall(SYS_setuid, job->uid) == 0,
         "change the user");
    if (!job->privileged)
        must(syscall(SYS_capset, &head, set) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "drop rights");
}
// endregion
