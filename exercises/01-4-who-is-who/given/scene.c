// scene SEED - a server and its children, another set for each seed. It prints the server's pid and stays for ten
// minutes. What the children are, and what becomes of them, is for you to find out from outside: with ps and /proc.
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static unsigned long state;

static unsigned dice(unsigned below)
{
    state = state * 6364136223846793005ul + 1442695040888963407ul;
    return (unsigned)(state >> 33) % below;
}

static void take_name(const char *prefix)
{
    char name[16];
    snprintf(name, sizeof name, "%s%u", prefix, dice(10000));
    prctl(PR_SET_NAME, name);
}

// A child is this program again, with words that mean nothing: argv[0] is "child".
static void child(int number, int zombie, int leader)
{
    static char *const words[] = {"", "two words", "calf", "--deep", "a b c", "pod"};
    char *argv[9] = {"child"};
    int n = 2 + (int)dice(6);
    for (int i = 1; i < n; i++)
        argv[i] = words[dice(6)];
    int tied = dice(2) == 0;
    for (int i = 0; i <= number; i++)
        dice(10); // so that the names differ
    if (fork() != 0)
        return;
    take_name(zombie ? "gone" : leader ? "lone" : "calf");
    if (zombie)
        _exit(0);
    if (leader)
        setsid();
    if (tied)
        prctl(PR_SET_PDEATHSIG, SIGKILL); // the kernel ends us when our parent ends
    char name[16];
    alarm(600);
    prctl(PR_GET_NAME, name);
    setenv("SCENE_NAME", name, 1);
    execv("/proc/self/exe", argv);
    err(1, "scene");
}

int main(int argc, char **argv)
{
    alarm(600); // it ends by itself; so does each child, which sets its own alarm
    if (argc > 0 && strcmp(argv[0], "child") == 0) {
        const char *name = getenv("SCENE_NAME");
        prctl(PR_SET_NAME, name ? name : "calf");
        for (;;)
            pause();
    }
    if (argc != 2)
        errx(2, "usage: scene SEED");
    state = strtoul(argv[1], NULL, 10) * 2654435761ul + 1;
    dice(2);
    take_name("pod");
    int n = 4 + (int)dice(4), zombie = (int)dice(3), leader = 3 + (int)dice((unsigned)n - 3);
    for (int i = 0; i < n; i++)
        child(i, i == zombie, i == leader);
    usleep(300000); // until every child has taken its name
    printf("server %d\n", getpid());
    fflush(stdout);
    for (;;)
        pause();
}
