// greet SOCKET - tells every client its own pid. Five bugs are planted in the two functions before main.
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// Removes what an earlier greet has left, if nobody listens there any more.
static void clear_away(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        err(1, "socket");
    if (connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0)
        errx(1, "%s: somebody listens there already", addr->sun_path);
    unlink(addr->sun_path);
}

static int open_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    strncpy(addr.sun_path, path, sizeof addr.sun_path - 1);
    clear_away(&addr);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    umask(077);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 64) < 0)
        err(1, "%s", path);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: greet SOCKET");
    signal(SIGPIPE, SIG_IGN); // a client that only looks whether somebody listens does not read
    int listener = open_socket(argv[1]);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            err(1, "accept");
        dprintf(fd, "hello from %d\n", getpid());
        close(fd);
    }
}
