// region head
// ps - lists all processes of the machine.
#include "proc.h"

#include <dirent.h>
#include <err.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
// endregion

// region print
static void print(const struct proc *p)
{
    char tty[16], user[16], stat[5] = {p->state};
    int n = 1;
    if (p->session == p->pid)
        stat[n++] = 's'; // leads a session
    if (p->threads > 1)
        stat[n++] = 'l'; // has more than one thread
    if (p->tty && p->foreground == p->group)
        stat[n++] = '+'; // gets the keys typed at its terminal

    const struct passwd *pw = getpwuid(p->uid);
    if (pw)
        snprintf(user, sizeof user, "%s", pw->pw_name);
    else
        snprintf(user, sizeof user, "%u", p->uid);
    proc_tty(p->tty, tty, sizeof tty);
    long kib = p->rss * (sysconf(_SC_PAGESIZE) / 1024);
    printf("%-10s %7d %7ld %-8s %-4s %s\n", user, p->pid, kib, tty, stat, p->command);
}
// endregion

// region main
int main(void)
{
    DIR *dir = opendir("/proc");
    if (!dir)
        err(1, "/proc");
    printf("%-10s %7s %7s %-8s %-4s %s\n", "USER", "PID", "RSS", "TTY", "STAT", "COMMAND");

    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        struct proc p = {0};
        if (*end || pid <= 0) // not a process: "meminfo", "sys" …
            continue;
        if (proc_read((int)pid, &p) == 0) // else it ended between readdir and now
            print(&p);
    }
    closedir(dir);
    return 0;
}
// endregion
