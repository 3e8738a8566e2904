// region head
// run - starts a command, waits for it, says how it ended.
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
// endregion

// region main
int main(int argc, char **argv)
{
    if (argc < 2)
        errx(2, "usage: run COMMAND [WORD...]");
    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) { // the child: the same program, the same variables, another pid
        execvp(argv[1], argv + 1);
        err(127, "%s", argv[1]); // reached only if execvp failed
    }
    int status;
    if (waitpid(pid, &status, 0) < 0)
        err(1, "waitpid");
    if (WIFSIGNALED(status))
        printf("%d ended by signal %d\n", pid, WTERMSIG(status));
    else
        printf("%d ended with exit code %d\n", pid, WEXITSTATUS(status));
    return 0;
}
// endregion
