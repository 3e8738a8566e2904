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

// In the child: hand over the socket as descriptor 3, and become the command.
__attribute__((noreturn)) static void become(int listener, char **argv)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid()); // only now: the parent has another one
    if (listener != 3 && dup2(listener, 3) < 0)
        err(127, "descriptor 3");
    if (fcntl(3, F_SETFD, 0) < 0) // without close-on-exec; dup2() clears the flag, but not of a descriptor that is 3
        err(127, "descriptor 3");
    if (setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", "1", 1) < 0)
        err(127, "environment");
    execvp(argv[0], argv);
    err(127, "%s", argv[0]);
}

// Runs the command, once. Returns when it has ended.
static int run(int listener, char **argv)
{
    int status;
    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0)
        become(listener, argv);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            err(1, "waitpid");
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: onclient SOCKET COMMAND [WORD...]");
    int listener = open_socket(argv[1]);
    for (;;) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        if (poll(&ready, 1, -1) < 0) { // a client is in the backlog; it is for the command to accept it
            if (errno == EINTR)
                continue;
            err(1, "poll");
        }
        if (run(listener, argv + 2) != 0)
            errx(1, "%s failed", argv[2]);
    }
}
