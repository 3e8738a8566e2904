// region head
// service.c - one of its kind, without a terminal, with sockets of several kinds.
#include "service.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
// endregion
// region lock
int lock_take(const char *file)
{
    char pid[16] = "not known yet";                          // as long as the other one is just starting or stopping
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600); // who may open it may lock it
    if (fd < 0)
        err(1, "%s", file);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, 0) == 0)
        return fd; // never closed: the kernel unlocks it when this process ends, however it ends
    if (errno != EWOULDBLOCK || read(fd, pid, sizeof pid - 1) < 0)
        err(1, "%s", file);
    errx(1, "%s: another calfd runs, pid %.*s", file, (int)strcspn(pid, "\n"), pid);
}

void lock_sign(int lock)
{
    if (dprintf(lock, "%d\n", getpid()) < 0)
        err(1, "pid file");
}
// endregion
// region background
static int ready; // the writing end of a pipe to the program that was started

void background(void)
{
    int ends[2];
    char byte;
    if (pipe2(ends, O_CLOEXEC) < 0)
        err(1, "pipe");
    ready = ends[1];
    pid_t pid = fork();
    if (pid > 0) {
        close(ready); // else read() would wait for our own end, too
        _exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
    }
    if (pid < 0 || setsid() < 0 || (pid = fork()) < 0)
        err(1, "background");
    if (pid > 0)
        _exit(0); // the leader of the session
}
// endregion
// region ready
int log_open(const char *log)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        return -1; // what was written to before stays
    return close(fd);
}

void background_ready(const char *log)
{
    if (!freopen("/dev/null", "r", stdin) || log_open(log) < 0)
        err(1, "%s", log);
    if (write(ready, "r", 1) == 1)
        close(ready);
}
// endregion
// region stale
void listen_stale(const struct sockaddr_un *addr)
{
    struct stat st;
    if (lstat(addr->sun_path, &st) < 0)
        return;
    if (!S_ISSOCK(st.st_mode))
        errx(1, "%s: there is something else than a socket", addr->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0 || errno == EAGAIN)
        errx(1, "%s: somebody listens there already", addr->sun_path);
    if (errno != ECONNREFUSED)
        err(1, "%s", addr->sun_path); // we cannot tell, so it stays
    close(fd);
    unlink(addr->sun_path);
}
// endregion
// region tcp
int listen_tcp(const char *text)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    char ip[16], rest;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1, port;
    if (sscanf(text, "%15[0-9.]:%5d%c", ip, &port, &rest) != 2 || port != (uint16_t)port ||
        !inet_aton(ip, &addr.sin_addr))
        errx(1, "%s: an address and a port are needed, as in 127.0.0.1:2375", text);
    if (ntohl(addr.sin_addr.s_addr) >> 24 != 127)
        errx(1, "%s: whoever can connect has commands run as this user; only 127.0.0.1 is allowed", text);
    addr.sin_port = htons((uint16_t)port);                      // the network has the high byte first
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); // else a port is taken for a minute after its last use
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 64) < 0)
        err(1, "%s", text);
    return fd;
}
// endregion
// region given
int listen_given(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    if (!pid || strtol(pid, NULL, 10) != getpid() || !fds || strcmp(fds, "1") != 0)
        errx(1, "fd://: no socket was given to this process, or more than one"); // or it was meant for another
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    fcntl(3, F_SETFD, FD_CLOEXEC); // it had to pass the exec to us; it shall not pass the next, to our jobs
    return 3;
}
// endregion
