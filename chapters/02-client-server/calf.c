// region head
// calf - the client: sends its words to the server and prints the answer.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
// endregion

// region main
int main(int argc, char **argv)
{
    char request[PIPE_BUF], answer[4096];
    size_t len = 0;
    if (argc < 2)
        errx(2, "usage: calf ps | calf kill ID | calf run COMMAND [WORD...]");
    for (int i = 1; i < argc; i++) {
        if (!*argv[i] || strpbrk(argv[i], " \n"))
            errx(1, "\"%s\": such a word cannot be sent", argv[i]);
        len += (size_t)snprintf(request + len, sizeof request - len, "%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
        if (len >= sizeof request)
            errx(1, "too long: only %d bytes stay together in a pipe", PIPE_BUF);
    }
    int fd = open("calf.in", O_WRONLY | O_NONBLOCK | O_CLOEXEC); // without O_NONBLOCK it would wait for a server
    if (fd < 0)
        err(1, "calf.in%s", errno == ENXIO ? ": no server reads it" : "");
    if (write(fd, request, len) != (ssize_t)len)
        err(1, "calf.in");
    close(fd);
    ssize_t n;
    fd = open("calf.out", O_RDONLY | O_CLOEXEC);
    while ((n = read(fd, answer, sizeof answer)) > 0)
        fwrite(answer, 1, (size_t)n, stdout);
    if (n < 0)
        err(1, "calf.out");
    return 0;
}
// endregion
