// onclient SOCKET COMMAND [WORD...] - listens at SOCKET, and starts COMMAND when a client comes.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if ((size_t)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path) >= sizeof addr.sun_path)
        errx(1, "%s: too long for the name of a socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    umask(077);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 64) < 0)
        err(1, "%s", path);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: onclient SOCKET COMMAND [WORD...]");
    int listener = open_socket(argv[1]);

    // Yours: wait for a client, and have the command take over.

    return listener < 0;
}
