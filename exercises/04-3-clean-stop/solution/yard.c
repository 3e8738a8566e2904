// yard SOCKET COMMAND... - runs each COMMAND with sh -c, and tells every client of the socket how many still run.
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define PATIENCE 2000 // milliseconds from SIGTERM to SIGKILL

static pid_t jobs[JOBS_MAX]; // 0: has ended
static int njobs, running;

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

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0)
        err(1, "signalfd");
    return fd;
}

static void start(const char *command)
{
    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL); // exec keeps what we have blocked
        execl("/bin/sh", "sh", "-c", command, NULL);
        err(127, "/bin/sh");
    }
    jobs[njobs++] = pid;
    running++;
}

static void reap(void)
{
    for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
        for (int i = 0; i < njobs; i++)
            if (jobs[i] == pid) {
                jobs[i] = 0;
                running--;
            }
}

static void tell(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    dprintf(fd, "%d\n", running);
    close(fd);
}

static long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); // goes on evenly, whatever becomes of the date
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void tell_all(int sig)
{
    for (int i = 0; i < njobs; i++)
        if (jobs[i] > 0) // kill(0, ...) would be for our whole process group
            kill(jobs[i], sig);
}

// Ends all jobs: asks, waits, and does not ask any more.
static void stop(int signals)
{
    struct pollfd ready = {.fd = signals, .events = POLLIN};
    bool asking = true;
    long end = now() + PATIENCE;
    tell_all(SIGTERM);
    while (running > 0) {
        struct signalfd_siginfo info = {0};
        long left = end > now() ? end - now() : 0;
        int n = poll(&ready, 1, asking ? (int)left : -1);
        if (n > 0 && read(signals, &info, sizeof info) > 0)
            reap();
        if (asking && (n == 0 || info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)) {
            tell_all(SIGKILL);
            asking = false;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc - 2 > JOBS_MAX)
        errx(2, "usage: yard SOCKET COMMAND...");
    int signals = open_signals(), listener = open_socket(argv[1]);
    for (int i = 2; i < argc; i++)
        start(argv[i]);
    puts("ready");
    fflush(stdout);

    struct pollfd ready[] = {{.fd = signals, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
    for (bool go_on = true; go_on;) {
        struct signalfd_siginfo info;
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            err(1, "poll");
        if (ready[0].revents && read(signals, &info, sizeof info) > 0) {
            reap();
            go_on = info.ssi_signo == SIGCHLD;
        }
        if (ready[1].revents)
            tell(listener);
    }
    unlink(argv[1]); // first of all: nobody shall come any more
    stop(signals);
    return 0;
}
