// greet SOCKET - tells every client its own pid.
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// Removes what an earlier greet has left, if nobody listens there any more. Wherever that is not certain, it stays.
static void clear_away(const struct sockaddr_un *addr)
{
    struct stat st;
    if (lstat(addr->sun_path, &st) < 0) {
        if (errno == ENOENT)
            return;
        err(1, "%s", addr->sun_path);
    }
    if (!S_ISSOCK(st.st_mode))
        errx(1, "%s: this is no socket", addr->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        err(1, "socket");
    if (connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0)
        errx(1, "%s: somebody listens there already", addr->sun_path);
    if (errno == EAGAIN)
        errx(1, "%s: somebody listens there already, and has no time", addr->sun_path);
    if (errno != ECONNREFUSED)
        err(1, "%s", addr->sun_path);
    close(fd);
    unlink(addr->sun_path);
}

static int open_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof addr.sun_path)
        errx(1, "%s: too long for the name of a socket", path);
    memcpy(addr.sun_path, path, strlen(path));
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
