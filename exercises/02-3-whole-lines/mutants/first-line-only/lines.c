// lines FIFO - reads requests, one a line, from a named pipe, numbers them and prints them.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

static int number;
static volatile sig_atomic_t stop;

static void on_term(int sig)
{
    (void)sig;
    stop = 1;
}

// Takes the bytes of one read() and keeps what is not yet a whole line for the next.
static void take(const char *bytes, size_t n)
{
    static char line[PIPE_BUF];
    static size_t have;
    static int too_long;
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != '\n') {
            if (have == sizeof line - 1)
                too_long = 1; // with its line end it would be more than PIPE_BUF, so write() may have split it
            else
                line[have++] = bytes[i];
            continue;
        }
        if (too_long)
            printf("%d: too long\n", ++number);
        else
            printf("%d: %.*s\n", ++number, (int)have, line);
        fflush(stdout);
        have = 0;
        too_long = 0;
        break;
    }
}

int main(int argc, char **argv)
{
    char bytes[4096];
    sigset_t term, before;

    if (argc != 2)
        errx(2, "usage: lines FIFO");
    // SIGTERM stays blocked but while we wait: else it could come between the question "stop?" and the wait.
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_term}, NULL);
    if (mkfifo(argv[1], 0600) < 0 && errno != EEXIST)
        err(1, "%s", argv[1]);
    int fd = open(argv[1], O_RDWR | O_NONBLOCK | O_CLOEXEC); // its own writer too: so its end never comes
    if (fd < 0)
        err(1, "%s", argv[1]);

    while (!stop) {
        fd_set ready;
        FD_ZERO(&ready);
        FD_SET(fd, &ready);
        if (pselect(fd + 1, &ready, NULL, NULL, NULL, &before) < 0 && errno != EINTR)
            err(1, "pselect");
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            err(1, "%s", argv[1]);
        if (n > 0)
            take(bytes, (size_t)n);
    }
    unlink(argv[1]);
    return 0;
}
