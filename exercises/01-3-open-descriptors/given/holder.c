// holder FILES DELETED PIPES SOCKETS OTHERS - opens that many things, says "ready", and holds them until it is killed.
// A pipe counts as one thing and takes two descriptors.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int fd)
{
    if (fd < 0)
        err(1, "holder");
}

int main(int argc, char **argv)
{
    if (argc != 6)
        errx(2, "usage: holder FILES DELETED PIPES SOCKETS OTHERS");
    for (long i = strtol(argv[1], NULL, 10); i > 0; i--)
        check(open("/etc/passwd", O_RDONLY));
    for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
        char name[] = "/tmp/holder-XXXXXX";
        check(mkstemp(name));
        check(unlink(name)); // the name is gone, the open file is not
    }
    for (long i = strtol(argv[3], NULL, 10); i > 0; i--)
        check(pipe((int[2]){0}));
    for (long i = strtol(argv[4], NULL, 10); i > 0; i--)
        check(socket(AF_UNIX, SOCK_STREAM, 0));
    for (long i = strtol(argv[5], NULL, 10); i > 0; i--)
        check(epoll_create1(0));
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}
