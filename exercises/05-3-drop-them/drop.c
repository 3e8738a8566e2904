// drop LIST COMMAND [WORD...] - runs a command that keeps only the capabilities of LIST, numbers with commas; "-" keeps
// none.
#include <err.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: drop LIST COMMAND [WORD...]");

    // Yours: read the list, and drop what is not in it.

    execvp(argv[2], argv + 2);
    err(127, "%s", argv[2]);
}
