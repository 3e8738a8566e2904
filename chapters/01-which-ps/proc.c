// region head
// proc.c - reads /proc/PID/stat and /proc/PID/cmdline. See proc(5).
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
// endregion

// region parse
// "4711 (na me) S 1 4711 4711 34816 …": the name is whatever the program calls itself, blanks and brackets too,
// so its end is the last bracket of the line, not the first.
int proc_parse(const char *text, struct proc *p)
{
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (!open || !close || close < open || sscanf(text, "%d", &p->pid) != 1)
        return -1;
    snprintf(p->name, sizeof p->name, "%.*s", (int)(close - open - 1), open + 1);
    int n = sscanf(close + 1, " %c %*d %d %d %d %d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %*u %*u %ld",
                   &p->state, &p->group, &p->session, &p->tty, &p->foreground, &p->threads, &p->rss);
    return n == 7 ? 0 : -1;
}
// endregion

// region read-file
// Reads a file whole, at most size - 1 bytes, and ends it with a zero byte. Returns its length or -1.
static ssize_t read_file(int dir, const char *name, char *out, size_t size)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n;
    size_t have = 0;
    while ((n = read(fd, out + have, size - 1 - have)) != 0) {
        if (n < 0 && errno == EINTR)
            continue; // a signal came before the first byte
        if (n < 0)
            break;
        have += (size_t)n; // read() may give less than there is: ask until it gives nothing
    }
    close(fd);
    out[have] = '\0';
    return n < 0 ? -1 : (ssize_t)have;
}
// endregion

// region read
int proc_read(int pid, struct proc *p)
{
    char folder[32], text[1024];
    struct stat st;
    snprintf(folder, sizeof folder, "/proc/%d", pid);
    int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -1;

    int ok = fstat(dir, &st) == 0 && read_file(dir, "stat", text, sizeof text) > 0 && proc_parse(text, p) == 0;
    p->uid = st.st_uid;
    ssize_t n = ok ? read_file(dir, "cmdline", p->command, sizeof p->command) : -1;
    close(dir);
    if (n < 0)
        return -1;
    for (ssize_t i = 0; i + 1 < n; i++)
        if (!p->command[i])
            p->command[i] = ' '; // the words are kept with a zero byte after each
    if (n == 0)                  // a zombie or a thread of the kernel has none
        snprintf(p->command, sizeof p->command, "[%s]", p->name);
    return 0;
}
// endregion

// region tty
void proc_tty(int tty, char *out, size_t size)
{
    unsigned driver = major((dev_t)tty), number = minor((dev_t)tty);
    if (driver >= 136 && driver <= 143) // terminals of windows and of ssh: "pseudo terminal slaves"
        snprintf(out, size, "pts/%u", number + (driver - 136) * 256);
    else if (driver == 4)
        snprintf(out, size, "tty%u", number);
    else
        snprintf(out, size, "?");
}
// endregion
