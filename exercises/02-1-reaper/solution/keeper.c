// keeper - runs each line of its input as a command of the shell, and says of each how it ended.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 256

static pid_t jobs[JOBS_MAX]; // job N is jobs[N - 1]; 0: has ended
static int njobs, running;

static void start(const char *command)
{
    if (njobs == JOBS_MAX)
        errx(1, "more than %d jobs", JOBS_MAX);
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL); // exec keeps what we have blocked
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null < 0 || dup2(null, 0) < 0) // our input is ours: the command must not read our next requests
            err(126, "/dev/null");
        execl("/bin/sh", "sh", "-c", command, NULL);
        err(127, "/bin/sh");
    }
    jobs[njobs++] = pid;
    running++;
}

static void ended(pid_t pid, int status)
{
    for (int i = 0; i < njobs; i++)
        if (jobs[i] == pid) {
            printf("%d exited %d\n", i + 1, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
            fflush(stdout);
            jobs[i] = 0;
            running--;
        }
}

static void reap(void)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) // one signal may stand for several children
        ended(pid, status);
}

// Takes what has come, and starts a command for each whole line. Returns 0 at the end of the input.
static int take_input(void)
{
    static char text[65536];
    static size_t have;
    ssize_t n = read(0, text + have, sizeof text - have);
    if (n < 0 && errno != EINTR)
        err(1, "input");
    if (n == 0)
        return 0;
    have += n > 0 ? (size_t)n : 0;
    for (char *end; (end = memchr(text, '\n', have));) {
        *end = '\0';
        start(text);
        have -= (size_t)(end + 1 - text);
        memmove(text, end + 1, have);
    }
    return 1;
}

int main(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int child_ended = signalfd(-1, &set, SFD_CLOEXEC);
    if (child_ended < 0)
        err(1, "signalfd");

    struct pollfd ready[] = {{.fd = child_ended, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    while (ready[1].fd == 0 || running > 0) {
        struct signalfd_siginfo info;
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            err(1, "poll");
        if (ready[0].revents && read(child_ended, &info, sizeof info) > 0)
            reap();
        if (ready[1].revents && !take_input())
            ready[1].fd = -1; // no more requests; the jobs go on
    }
    puts("all done");
    return 0;
}
