/* Lie in wait for processes that enter a container, and try to take from them what they may still hold of the host:
 * their program, their folders, their descriptors. Usage: ambush, until SIGTERM
 *
 * Over and over, as fast as it can, it looks at every other process in /proc. Prints one line for each new thing that
 * it could read ("exe TARGET", "cwd TARGET", "root TARGET", "fd TARGET"), and at the end how many processes it has met
 * and how many of them refused to be looked at ("met N, closed M"). */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEEN_MAX 512

static char seen[SEEN_MAX][300];
static size_t nseen;

static void tell(const char *what, const char *target)
{
    char line[300];
    /* numbers of pipes and sockets differ each time */
    snprintf(line, sizeof(line), "%s %.*s", what, (int)strcspn(target, "["), target);
    for (size_t i = 0; i < nseen; i++)
        if (strcmp(seen[i], line) == 0)
            return;
    if (nseen < SEEN_MAX)
        strcpy(seen[nseen++], line);
    puts(line);
}

/* @return false where the kernel refused */
static bool look(const char *pid, const char *what, const char *as)
{
    char path[64], target[256];
    snprintf(path, sizeof(path), "/proc/%s/%s", pid, what);
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n < 0)
        return errno != EACCES && errno != EPERM;
    target[n] = '\0';
    tell(as, target);
    return true;
}

static bool rob(const char *pid)
{
    bool open = look(pid, "exe", "exe") & look(pid, "cwd", "cwd") & look(pid, "root", "root");
    for (int fd = 0; fd < 24; fd++) {
        char name[16];
        snprintf(name, sizeof(name), "fd/%d", fd);
        open &= look(pid, name, "fd");
    }
    return open;
}

static volatile sig_atomic_t over;

static void on_term(int sig)
{
    over = sig;
}

int main(void)
{
    static char met[1 << 22]; /* by pid */
    size_t all = 0, closed = 0;
    signal(SIGTERM, on_term);
    while (!over) {
        DIR *d = opendir("/proc");
        for (struct dirent *x; d && (x = readdir(d));) {
            unsigned long pid = strtoul(x->d_name, NULL, 10);
            if (!isdigit((unsigned char)x->d_name[0]) || pid == (unsigned long)getpid() || pid == 1 ||
                pid >= sizeof(met))
                continue;
            all += !met[pid];
            if (!rob(x->d_name)) {
                closed += !(met[pid] & 2);
                met[pid] |= 2;
            }
            met[pid] |= 1;
        }
        closedir(d);
    }
    printf("met %zu, closed %zu\n", all, closed);
    return 0;
}
