// region head
// world.c - what a process sees and what it may do. In the child nothing may wait for a lock, as malloc() and stdio do:
// another thread may have held it at the moment of the clone, and in the copy nobody ever lets go of it.
#include "job.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
// endregion
// region must
void must(bool ok, const char *step)
{
    int code = errno == ENOENT ? 127 : 126; // as a shell has it: not found; found, and no success
    const char *words[] = {step, ": ", strerrordesc_np(errno), "\n"};
    for (int i = 0; i < 4 && !ok; i++)
        if (write(2, words[i], strlen(words[i])) < 0 || i == 3)
            _exit(code);
}
// endregion
// region mounts
static void own_mounts(const char *root)
{
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "make the mounts private");
    must(mount(root, root, NULL, MS_BIND, NULL) == 0 && chdir(root) == 0, root); // pivot_root wants a mount point
    must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL) == 0, "mount /proc");
    must(mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=16m") == 0, "mount /tmp");
    must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") == 0, "mount /dev");
}
// endregion
// region devices
static void own_devices(const struct job *job)
{
    char name[64];
    umask(0);
    must(mknod("dev/null", S_IFCHR | 0666, makedev(1, 3)) == 0, "/dev/null");
    must(mknod("dev/tty", S_IFCHR | 0666, makedev(5, 0)) == 0, "/dev/tty");
    umask(022);
    must(!job->tty || (mknod("dev/console", S_IFREG, 0) == 0 && ptsname_r(job->input, name, sizeof name) == 0 &&
                       mount(name, "dev/console", NULL, MS_BIND, NULL) == 0),
         "/dev/console");
}
// endregion
// region root
void world_root(const char *root, const struct job *job)
{
    own_mounts(root);
    own_devices(job);
    must(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root"); // now the old root lies on top of the new one,
    must(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0, "unmount the old root"); // and now it is gone
    must(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, NULL) == 0, "make / read-only");
}
// endregion
// region rights
static const unsigned kept = CAP_TO_MASK(CAP_CHOWN) | CAP_TO_MASK(CAP_DAC_OVERRIDE) | CAP_TO_MASK(CAP_FOWNER) |
                             CAP_TO_MASK(CAP_FSETID) | CAP_TO_MASK(CAP_KILL) | CAP_TO_MASK(CAP_SETGID) |
                             CAP_TO_MASK(CAP_SETUID) | CAP_TO_MASK(CAP_NET_BIND_SERVICE);

void world_rights(const struct job *job)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct set[2] = {{.effective = kept, .permitted = kept}}; // set[1]: 32 and above, none
    for (int cap = 0; !job->privileged && prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        if (cap >= 32 || !(kept & CAP_TO_MASK(cap)))
            must(prctl(PR_CAPBSET_DROP, cap) == 0, "drop a capability");
    must(job->privileged || (syscall(SYS_capset, &head, set) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0),
         "drop rights");
    must(syscall(SYS_setgroups, 0, NULL) == 0, "drop groups"); // bare: the functions of these names take a lock
    must(syscall(SYS_setgid, job->uid) == 0 && syscall(SYS_setuid, job->uid) == 0, "change the user");
}
// endregion
// region limits
static void put(const struct job *job, const char *tree, const char *file, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s/calf-%.12s", tree, job->id);
    must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s/calf-%.12s/%s", tree, job->id, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    must(fd >= 0 && write(fd, text, strlen(text)) > 0, path);
}

void world_limits(const struct job *job)
{
    const bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
    const char *pids = v2 ? "." : "pids", *memory = v2 ? "." : "memory"; // version 2 has one tree for all
    if (v2)
        put(job, ".", "../cgroup.subtree_control", "+pids +memory"); // its groups can limit what the one above allows
    put(job, pids, "pids.max", "100");
    put(job, memory, v2 ? "memory.max" : "memory.limit_in_bytes", "128M");
    put(job, pids, "cgroup.procs", "0"); // 0: whoever writes it
    put(job, memory, "cgroup.procs", "0");
}
// endregion
// region end
void world_end(const struct job *job)
{
    static const char *const trees[] = {".", "pids", "memory"};
    char path[128];
    for (int i = 0; i < 3; i++)
        if (snprintf(path, sizeof path, "/sys/fs/cgroup/%s/calf-%.12s", trees[i], job->id) > 0)
            rmdir(path);
}
// endregion
