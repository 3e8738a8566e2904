// only PIDFILE COMMAND [WORD...] - runs a command, unless another only with the same pid file is running one.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

// The lock belongs to the open file, not to its text and not to its name. The kernel takes it away when the last copy
// of the descriptor is closed, which is when this process ends, however it ends.
static void be_the_only_one(const char *file)
{
    char pid[16] = "not known yet"; // the other has the lock, and has not written
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        err(1, "%s", file);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK || read(fd, pid, sizeof pid - 1) < 0)
            err(1, "%s", file);
        errx(1, "%s: held by pid %.*s", file, (int)strcspn(pid, "\n"), pid);
    }
    if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", getpid()) < 0)
        err(1, "%s", file);
}

int main(int argc, char **argv)
{
    int status;
    if (argc < 3)
        errx(2, "usage: only PIDFILE COMMAND [WORD...]");
    be_the_only_one(argv[1]);

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
