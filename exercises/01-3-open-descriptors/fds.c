// fds PID - counts what a process has open, by kind.
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILES, PIPES, SOCKETS, OTHERS, KINDS };

static const char *const kinds[KINDS] = {"file", "pipe", "socket", "other"};

int main(int argc, char **argv)
{
    int count[KINDS] = {0}, total = 0;

    if (argc != 2)
        errx(2, "usage: fds PID");

    // Yours: for each entry of /proc/PID/fd find its kind with readlink(2), and count it.

    for (int i = 0; i < KINDS; i++)
        printf("%s %d\n", kinds[i], count[i]);
    printf("total %d\n", total);
    return 0;
}
