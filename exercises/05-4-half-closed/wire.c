// wire SOCKET - connects its input and output with a socket, as the client of a hijacked connection does. Four bugs are
// planted in carry() and main().
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int dial(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if ((size_t)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path) >= sizeof addr.sun_path)
        errx(1, "%s: too long for the name of a socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        err(1, "%s", path);
    return fd;
}

// Carries what has come from one descriptor to another. Returns 0 at the end of what comes.
static int carry(int from, int to)
{
    char buf[4096];
    ssize_t n = read(from, buf, sizeof buf - 1);
    if (n <= 0)
        return 0;
    buf[n] = '\0';
    if (dprintf(to, "%s", buf) < 0)
        err(1, "write");
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: wire SOCKET");
    signal(SIGPIPE, SIG_IGN);
    int fd = dial(argv[1]);
    struct pollfd ready[] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    bool input = true, output = true; // not at its end
    while (input || output) {
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            err(1, "poll");
        if (input && ready[0].revents && !carry(0, fd)) {
            shutdown(fd, SHUT_RDWR);
            input = false;
        }
        if (output && ready[1].revents && !carry(fd, 1))
            output = false;
    }
    return 0;
}
