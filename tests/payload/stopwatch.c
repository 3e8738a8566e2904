/* Run a command once and print how many milliseconds passed from before it was started until it was waited for. Its
 * output goes nowhere, and its failure is ours. The bench starts commands through this because the time Python takes to
 * start one (about as long as our client runs) would be counted too. Usage: stopwatch COMMAND [ARG …] */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
    posix_spawn_file_actions_t fa;
    pid_t pid;
    int status;
    if (argc < 2)
        return 2;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
    double began = now();
    if (posix_spawnp(&pid, argv[1], &fa, NULL, argv + 1, environ) != 0 || waitpid(pid, &status, 0) < 0) {
        perror(argv[1]);
        return 1;
    }
    printf("%.3f\n", now() - began);
    return status == 0 ? 0 : 1;
}
