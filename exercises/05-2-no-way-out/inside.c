// inside ROOT COMMAND [WORD...] - runs a command that finds nothing but the folder ROOT. Three bugs are planted in
// enter().
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
    int here = open(".", O_RDONLY | O_DIRECTORY);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        err(1, "mounts of its own");
    if (mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0 || chroot(root) < 0)
        err(1, "%s", root);
    if (here < 0 || fchdir(here) < 0)
        err(1, "working directory");
}

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: inside ROOT COMMAND [WORD...]");
    enter(argv[1]);
    execv(argv[2], argv + 2);
    err(127, "%s", argv[2]);
}
