/*
 * Files for the student, and a look at what the student's programs did: files, answers, /proc.
 *
 * What is read here may be hostile: a link or a FIFO in the place of a file, a name with brackets in /proc/PID/stat.
 * All texts are cut at a limit.
 */
#include "grade.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void belongs_to_student(const char *path)
{
    if (lchown(path, student_uid(), student_uid()) != 0)
        ck_abort_msg("the grader cannot hand over %s: %s", path, strerror(errno));
}

void make_file(const char *path, mode_t mode, const char *text)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) != 0)
        ck_abort_msg("the grader cannot make %s: %s", path, strerror(errno));
    close(fd);
    belongs_to_student(path);
}

void make_folder(const char *path, mode_t mode)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        ck_abort_msg("the grader cannot make %s: %s", path, strerror(errno));
    belongs_to_student(path);
}

/* The student may have put a link or a FIFO in the place of a file: neither is followed nor waited for. */
const char *read_file(const char *path)
{
    static char text[RUN_OUTPUT_MAX + 1];
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    for (ssize_t n; fd >= 0 && (n = read(fd, text + len, RUN_OUTPUT_MAX - len)) > 0;)
        len += (size_t)n;
    text[len] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

const char *answer(const char *file, const char *key)
{
    static char value[256];
    char text[RUN_OUTPUT_MAX + 1];
    snprintf(text, sizeof text, "%s", read_file(file));
    for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        size_t n = strlen(key);
        if (strncmp(line, key, n) != 0 || line[n] != ':')
            continue;
        const char *from = line + n + 1 + strspn(line + n + 1, " \t");
        snprintf(value, sizeof value, "%s", from);
        for (size_t end = strlen(value); end > 0 && strchr(" \t\r", value[end - 1]);)
            value[--end] = '\0';
        return value;
    }
    return "";
}

bool eventually(bool (*when)(void *), void *arg, int milliseconds)
{
    long end = milliseconds_now() + milliseconds;
    while (!when(arg)) {
        if (milliseconds_now() >= end)
            return false;
        usleep(10000);
    }
    return true;
}

/* The name stands in parentheses and may itself hold blanks and parentheses; the last ')' ends it. */
const char *stat_field(pid_t pid, int field)
{
    static char word[64];
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    snprintf(text, sizeof text, "%s", read_file(path));
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (!open || !close || field < 1)
        return "";
    if (field == 2) {
        snprintf(word, sizeof word, "%.*s", (int)(close - open - 1), open + 1);
        return word;
    }
    char *save, *s = strtok_r(field == 1 ? text : close + 1, " \n", &save);
    for (int i = 3; i < field && s; i++)
        s = strtok_r(NULL, " \n", &save);
    snprintf(word, sizeof word, "%s", s ? s : "");
    return word;
}

int children_in_state(pid_t parent, char state)
{
    int n = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d));) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid > 0 && strtol(stat_field(pid, 4), NULL, 10) == parent)
            n += state == 0 || stat_field(pid, 3)[0] == state;
    }
    if (d)
        closedir(d);
    return n;
}
