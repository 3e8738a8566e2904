// wire SOCKET - connects its input and output with a socket, as the client of a hijacked connection does.
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
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

// Carries what has come from one descriptor to another. Returns 0 at the end of what comes, or of what is taken.
static int carry(int from, int to)
{
    char buf[4096];
    ssize_t n = read(from, buf, sizeof buf);
    if (n < 0 && errno == EINTR)
        return 1;
    for (ssize_t done = 0, m; done < n; done += m) // bytes, a zero byte is one of them
        if ((m = write(to, buf + done, (size_t)(n - done))) < 0)
            return 0;
    return n > 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: wire SOCKET");
    signal(SIGPIPE, SIG_IGN);
    int fd = dial(argv[1]);
    struct pollfd ready[] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    for (;;) {
        if (poll(ready, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            err(1, "poll");
        }
        if (ready[1].revents && !carry(fd, 1))
            return 0; // the other side has said all
        if (ready[0].revents && !carry(0, fd)) {
            shutdown(fd, SHUT_WR); // no more input, and still all ears
            ready[0].fd = -1;      // at its end it would be ready for ever
        }
    }
}
