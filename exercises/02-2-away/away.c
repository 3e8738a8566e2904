// away LOG COMMAND [WORD...] - starts a command that outlives the terminal from which it was started.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: away LOG COMMAND [WORD...]");
    pid_t pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        // Yours: what does the command still share with the terminal?
        execvp(argv[2], argv + 2);
        err(127, "%s", argv[2]);
    }
    printf("%d\n", pid);
    return 0;
}
