// only PIDFILE COMMAND [WORD...] - runs a command, unless another only with the same pid file is running one.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int status;
    if (argc < 3)
        errx(2, "usage: only PIDFILE COMMAND [WORD...]");

    // Yours: be the only one, or say who is.

    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        err(127, "%s", argv[2]);
    }
    while (waitpid(pid, &status, 0) < 0)
        ;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
