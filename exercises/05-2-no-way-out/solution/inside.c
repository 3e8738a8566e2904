// inside ROOT COMMAND [WORD...] - runs a command that finds nothing but the folder ROOT.
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void enter(const char *root)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        err(1, "mounts of its own");
    if (mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0 || chdir(root) < 0)
        err(1, "%s", root);
    if (syscall(SYS_pivot_root, ".", ".") < 0) // now the old root lies on top of the new one
        err(1, "pivot_root");
    if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) // and now it is gone
        err(1, "the old root");
}

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: inside ROOT COMMAND [WORD...]");
    enter(argv[1]);
    execv(argv[2], argv + 2);
    err(127, "%s", argv[2]);
}
