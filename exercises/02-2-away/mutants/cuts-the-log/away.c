// away LOG COMMAND [WORD...] - starts a command that outlives the terminal from which it was started.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// The child's descriptors 0, 1 and 2: nothing to read, and the log for both of its streams.
static int leave_terminal(const char *log)
{
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        return -1;
    if (setsid() < 0)
        return -1;
    return dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    int trouble[2], reason = 0;
    if (argc < 3)
        errx(2, "usage: away LOG COMMAND [WORD...]");
    // The child sends errno through this pipe if exec fails. If exec succeeds, it closes the pipe, and we read its end.
    if (pipe2(trouble, O_CLOEXEC) < 0)
        err(1, "pipe");
    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        if (leave_terminal(argv[1]) == 0)
            execvp(argv[2], argv + 2);
        reason = errno;
        if (write(trouble[1], &reason, sizeof reason) < 0)
            _exit(126);
        _exit(127);
    }
    close(trouble[1]);
    if (read(trouble[0], &reason, sizeof reason) == sizeof reason) {
        waitpid(pid, NULL, 0);
        errx(127, "%s: %s", argv[2], strerror(reason));
    }
    printf("%d\n", pid);
    return 0;
}
