// region head
// calfd - the server: owns the processes that it is asked to run.
#include "http.h"
#include "job.h"
#include "service.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
// endregion

// region listen
static int listen_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if ((size_t)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path) >= sizeof addr.sun_path)
        errx(1, "%s: too long for the name of a socket", path);
    listen_stale(&addr);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    umask(077); // bind() makes the file: who may write to it may run commands as this user
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 64) < 0)
        err(1, "%s", path);
    return fd;
}
// endregion

// region take
static void take(int listener)
{
    pthread_t thread;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct http *h = fd < 0 ? NULL : calloc(1, sizeof *h);
    if (h && (h->in = fdopen(h->fd = fd, "r")) && pthread_create(&thread, NULL, api_serve, h) == 0) {
        pthread_detach(thread); // nobody waits for its end
    } else {
        warn("a client is turned away"); // descriptors or memory are used up: not for ever
        h && h->in ? fclose(h->in) : close(fd), free(h);
        usleep(100000);
    }
}
// endregion

// region options
#define HOSTS_MAX 8
static const char *hosts[HOSTS_MAX + 1] = {"unix://calf.sock"}, *log_file;

static void options(int argc, char **argv)
{
    for (int c, n = 0; (c = getopt(argc, argv, "H:b:")) != -1;)
        if (c == 'H' && n < HOSTS_MAX)
            hosts[n++] = optarg;
        else if (c == 'b')
            log_file = optarg;
        else
            errx(2, "usage: calfd [-H unix://PATH | -H tcp://ADDRESS:PORT | -H fd://]... [-b LOGFILE]");
}
// endregion
// region open
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL); // the signal waits, and signalfd() makes it something to read
    signal(SIGPIPE, SIG_IGN);           // a client that went away makes a write fail, it does not end the server
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        err(1, "signalfd");
    return fd;
}
// endregion
// region socket
static int open_socket(const char *host)
{
    if (strncmp(host, "unix://", 7) == 0)
        return listen_unix(host + 7);
    if (strncmp(host, "tcp://", 6) == 0)
        return listen_tcp(host + 6);
    if (strcmp(host, "fd://") == 0)
        return listen_given();
    errx(2, "%s: neither unix://PATH nor tcp://ADDRESS:PORT nor fd://", host);
}
// endregion
// region signal
// Does what a signal asks for. Says whether the daemon shall go on.
static bool go_on(int signals)
{
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) < 0)
        return true;
    jobs_reap();
    bool reopen = info.ssi_signo == SIGHUP && log_file;
    if (reopen && log_open(log_file) < 0)
        warn("%s", log_file);
    return info.ssi_signo == SIGCHLD || reopen;
}
// endregion
// region main
int main(int argc, char **argv)
{
    struct pollfd ready[1 + HOSTS_MAX];
    options(argc, argv);
    int lock = lock_take("calfd.pid"), n = 1;
    if (log_file)
        background(); // before the first thread: fork() copies only the one that calls it
    ready[0] = (struct pollfd){.fd = open_signals(), .events = POLLIN};
    for (; hosts[n - 1]; n++)
        ready[n] = (struct pollfd){.fd = open_socket(hosts[n - 1]), .events = POLLIN};
    mkdir("jobs", 0700);
    lock_sign(lock);
    if (log_file)
        background_ready(log_file);
    do {
        if (poll(ready, (nfds_t)n, -1) < 0 && errno != EINTR)
            err(1, "poll");
        for (int i = 1; i < n; i++)
            if (ready[i].revents)
                take(ready[i].fd);
    } while (go_on(ready[0].fd));
    for (int i = 0; hosts[i]; i++)
        if (hosts[i][0] == 'u')
            unlink(hosts[i] + 7); // first of all: nobody shall begin something new
    jobs_stop(5);
    return ftruncate(lock, 0); // the file stays: the text says why
}
// endregion
