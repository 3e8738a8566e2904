// worlds SEED - starts processes in several worlds, that is pid namespaces, others for each seed. It prints its own pid
// and stays for ten minutes. Who is in which world, and what becomes of them, is for you to find out from outside.
#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long state;
static int ready[2]; // a pipe; its end comes when every process has closed it, and so is ready

static unsigned dice(unsigned below)
{
    state = state * 6364136223846793005ul + 1442695040888963407ul;
    return (unsigned)(state >> 33) % below;
}

// A new process with a name of its own. Returns 0 in it, as fork() does.
static pid_t begin(int flags, const char *prefix)
{
    char name[16];
    snprintf(name, sizeof name, "%s%u", prefix, dice(10000));
    pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0L, 0L, 0L, 0L);
    if (pid < 0)
        err(1, "clone");
    if (pid == 0) {
        prctl(PR_SET_NAME, name);
        prctl(PR_SET_PDEATHSIG, SIGKILL); // the whole scene ends with the one that started it
    }
    return pid;
}

__attribute__((noreturn)) static void stay(void)
{
    close(ready[1]);
    sleep(600);
    _exit(0);
}

static void quit(int sig)
{
    (void)sig;
    _exit(0);
}

// In the first process of a world: starts the others. `lone` is the number of the one that is looked for, or -1.
static void people(int lone)
{
    int n = 2 + (int)dice(4);
    if (dice(2))
        signal(SIGTERM, quit);
    for (int i = 0; i < n; i++)
        if (begin(0, i == lone ? "lone" : "calf") == 0)
            stay();
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: worlds SEED");
    state = strtoul(argv[1], NULL, 10) * 2654435761ul + 1;
    dice(2);
    signal(SIGCHLD, SIG_IGN);       // who ends leaves no zombie
    if (unshare(CLONE_NEWUSER) < 0) // so that not only root can run this
        err(1, "a user namespace");
    if (pipe(ready) < 0)
        err(1, "pipe");
    int n = 3 + (int)dice(3), nested = (int)dice((unsigned)n), home = (int)dice((unsigned)n), inside = (int)dice(2);
    for (int i = 0; i < n; i++) {
        int lone = i == home ? (int)dice(2) : -1;
        if (begin(CLONE_NEWPID, "pod") != 0)
            continue;
        for (int k = 0; k <= i; k++)
            dice(2); // else all worlds would be alike
        people(i == nested && inside ? -1 : lone);
        if (i == nested && begin(CLONE_NEWPID, "pod") == 0)
            people(inside ? lone : -1);
        stay();
    }
    close(ready[1]);
    if (read(ready[0], &(char){0}, 1) != 0)
        err(1, "pipe");
    printf("ready %d\n", getpid());
    fflush(stdout);
    sleep(600);
    return 0;
}
