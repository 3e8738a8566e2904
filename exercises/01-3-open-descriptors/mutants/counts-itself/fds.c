// fds PID - counts what a process has open, by kind.
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES, PIPES, SOCKETS, OTHERS, KINDS };

static const char *const kinds[KINDS] = {"file", "pipe", "socket", "other"};

// What the link /proc/PID/fd/N says: a path, or a kind and a number as in "pipe:[4711]".
static int kind_of(const char *target)
{
    if (target[0] == '/')
        return FILES;
    if (strncmp(target, "pipe:", 5) == 0)
        return PIPES;
    if (strncmp(target, "socket:", 7) == 0)
        return SOCKETS;
    return OTHERS;
}

// Is the folder open as `dir` our own list of descriptors? Then one of the entries is `dir` itself.
static int is_ours(int dir)
{
    struct stat a, b;
    return fstat(dir, &a) == 0 && stat("/proc/self/fd", &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int main(int argc, char **argv)
{
    int count[KINDS] = {0}, total = 0;
    char folder[PATH_MAX];

    if (argc != 2)
        errx(2, "usage: fds PID");
    snprintf(folder, sizeof folder, "/proc/%s/fd", argv[1]);
    DIR *dir = opendir(folder);
    if (!dir)
        err(1, "%s", folder);
    int ours = 0 && is_ours(dirfd(dir));

    const struct dirent *entry;
    while ((errno = 0, entry = readdir(dir))) {
        char target[PATH_MAX];
        if (entry->d_name[0] == '.' || (ours && strtol(entry->d_name, NULL, 10) == dirfd(dir)))
            continue;
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        if (n < 0 && errno == ENOENT)
            continue; // closed since readdir() named it
        if (n < 0)
            err(1, "%s/%s", folder, entry->d_name);
        target[n] = '\0';
        count[kind_of(target)]++;
        total++;
    }
    if (errno)
        err(1, "%s", folder);
    closedir(dir);

    for (int i = 0; i < KINDS; i++)
        printf("%s %d\n", kinds[i], count[i]);
    printf("total %d\n", total);
    return 0;
}
