// asroot COMMAND [WORD...] - runs a command that has all capabilities, in every set, over what belongs to a new user
// namespace: enough to try what it is like to drop them, without being root.
#include <err.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void put(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        err(1, "%s", file);
    close(fd);
}

int main(int argc, char **argv)
{
    char user[32], group[32];
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct set[2];
    if (argc < 2)
        errx(2, "usage: asroot COMMAND [WORD...]");
    snprintf(user, sizeof user, "0 %u 1", geteuid());
    snprintf(group, sizeof group, "0 %u 1", getegid());
    if (unshare(CLONE_NEWUSER) < 0)
        err(1, "a user namespace");
    put("/proc/self/uid_map", user);
    put("/proc/self/setgroups", "deny");
    put("/proc/self/gid_map", group);
    if (syscall(SYS_capget, &head, set) < 0)
        err(1, "capget");
    for (int i = 0; i < 2; i++)
        set[i].inheritable = set[i].permitted;
    if (syscall(SYS_capset, &head, set) < 0)
        err(1, "capset");
    for (unsigned long cap = 0; prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0L, 0L) == 0; cap++)
        ;
    execvp(argv[1], argv + 1);
    err(127, "%s", argv[1]);
}
