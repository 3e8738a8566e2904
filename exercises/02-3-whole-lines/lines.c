// lines FIFO - reads requests, one a line, from a named pipe, numbers them and prints them.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char text[65536];
    int number = 0;

    if (argc != 2)
        errx(2, "usage: lines FIFO");
    if (mkfifo(argv[1], 0600) < 0 && errno != EEXIST)
        err(1, "%s", argv[1]);
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC); // waits for the first writer
    if (fd < 0)
        err(1, "%s", argv[1]);

    for (;;) {
        ssize_t n = read(fd, text, sizeof text);
        if (n < 0)
            err(1, "%s", argv[1]);
        if (n == 0)
            return 0;
        // Yours: is what one read() gives one line?
        printf("%d: %.*s", ++number, (int)n, text);
        fflush(stdout);
    }
}
