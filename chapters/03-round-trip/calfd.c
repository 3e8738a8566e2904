// region head
// calfd - the server: owns the processes that it is asked to run.
#include "http.h"
#include "job.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
// endregion

// region listen
static int listen_here(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "calf.sock"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    umask(077); // bind() makes the file: who may write to it may run commands as this user
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 64) < 0)
        err(1, "calf.sock");
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

// region main
int main(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL); // the signal waits, and signalfd() makes it something to read
    signal(SIGPIPE, SIG_IGN);           // a client that went away makes a write fail, it does not end the server
    mkdir("jobs", 0700);
    int child_ended = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (child_ended < 0)
        err(1, "signalfd");
    int in = listen_here();
    struct pollfd ready[] = {{.fd = child_ended, .events = POLLIN}, {.fd = in, .events = POLLIN}};
    for (;;) {
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            err(1, "poll");
        struct signalfd_siginfo info;
        if (ready[0].revents && read(child_ended, &info, sizeof info) > 0)
            jobs_reap();
        if (ready[1].revents)
            take(in);
    }
}
// endregion
