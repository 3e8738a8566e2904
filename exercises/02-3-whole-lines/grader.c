// Grades 02-3: writes to the student's FIFO in pieces that have nothing to do with lines.
#include "grade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const grade_files[] = {"lines.c", NULL};
const char *const grade_programs[] = {"lines", NULL};

#define FIFO "/work/requests"

static struct live server;

static bool has_reader(void *fd)
{
    struct stat st;
    if (lstat(FIFO, &st) != 0 || !S_ISFIFO(st.st_mode))
        return false;
    return (*(int *)fd = open(FIFO, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)) >= 0;
}

static int writer(void)
{
    int fd = -1;
    expected("a FIFO that the program reads");
    came("none after three seconds");
    verdict(eventually(has_reader, &fd, 3000));
    return fd;
}

static void begin(void)
{
    unlink(FIFO);
    server = start_program(NULL, "./lines", "requests", NULL);
}

// What was printed up to the line that ends with `last`, compared with what was to come.
static void printed(const char *last, const char *want)
{
    char got[RUN_OUTPUT_MAX + 1];
    snprintf(got, sizeof got, "%s", read_until(server.out, last, 1500));
    stop_all(&server);
    same_text(got, want);
}

static void check_whole(void)
{
    char text[32], want[48];
    unsigned n = dice(100000);
    snprintf(text, sizeof text, "run %u\n", n);
    snprintf(want, sizeof want, "1: run %u\n", n);
    begin();
    tried("one line in one write: %s", text);
    int fd = writer();
    ck_assert(say(fd, text));
    printed("\n", want);
    close(fd);
}

static void check_split(void)
{
    char first[16], want[48];
    unsigned n = dice(100000);
    snprintf(first, sizeof first, "run %u", n);
    snprintf(want, sizeof want, "1: run %u apples\n", n);
    begin();
    tried("one line in three writes: \"%s\", \" app\", \"les\" and the line end", first);
    int fd = writer();
    for (const char *const *s = (const char *const[]){first, " app", "les\n", NULL}; *s; s++) {
        ck_assert(say(fd, *s));
        usleep(100000);
    }
    printed("\n", want);
    close(fd);
}

static void check_joined(void)
{
    char text[64], want[96];
    unsigned a = dice(1000), b = dice(1000);
    snprintf(text, sizeof text, "run %u\nrun %u\nps\n", a, b);
    snprintf(want, sizeof want, "1: run %u\n2: run %u\n3: ps\n", a, b);
    begin();
    tried("three lines in one write: %s", text);
    int fd = writer();
    ck_assert(say(fd, text));
    printed("3: ps\n", want);
    close(fd);
}

static void check_writers(void)
{
    char text[32], want[128] = "";
    begin();
    for (int i = 1; i <= 3; i++) {
        snprintf(text, sizeof text, "from %d %u\n", i, dice(1000));
        snprintf(want + strlen(want), sizeof want - strlen(want), "%d: %s", i, text);
        tried("three writers, one after the other; each opens, writes a line and closes (writer %d)", i);
        int fd = writer();
        ck_assert(say(fd, text));
        close(fd);
        usleep(150000);
    }
    printed("3: from 3", want);
}

// PIPE_BUF bytes with the line end are the longest request that write() keeps together.
static void check_long(void)
{
    static char text[3 * PIPE_BUF], want[3 * PIPE_BUF];
    memset(text, 'x', sizeof text);
    strcpy(text + PIPE_BUF - 1, "\n");
    snprintf(want, sizeof want, "1: %s2: too long\n3: ps\n", text);
    begin();
    int fd = writer();
    ck_assert(say(fd, text)); // the longest that is allowed
    memset(text, 'y', PIPE_BUF + dice(PIPE_BUF));
    strcpy(text + PIPE_BUF, "\n"); // one byte more
    ck_assert(say(fd, text));
    ck_assert(say(fd, "ps\n"));
    const char *got = read_until(server.out, "3: ps\n", 1500);
    bool good = strcmp(got, want) == 0;
    tried("a line of %d bytes with its line end, then one of %d, then \"ps\"", PIPE_BUF, PIPE_BUF + 1);
    expected("the first line whole, \"2: too long\", \"3: ps\"");
    size_t n = strlen(got);
    came("%zu bytes, which end with: %s", n, got + (n > 30 ? n - 30 : 0));
    stop_all(&server);
    close(fd);
    verdict(good);
}

static void check_stop(void)
{
    struct stat st;
    begin();
    int fd = writer();
    usleep(100000);
    kill(server.pid, SIGTERM);
    int code = wait_program(&server, 2000);
    bool there = lstat(FIFO, &st) == 0;
    tried("SIGTERM while it waits");
    expected("the FIFO is gone, and the exit code 0");
    came("the FIFO is %s, and %s %d", there ? "still there" : "gone", code < 0 ? "no end:" : "the exit code", code);
    stop_all(&server);
    close(fd);
    verdict(!there && code == 0);
}

const struct check grade_checks[] = {
    {"whole", 10, "a line that comes whole is printed with its number", check_whole, NULL},
    {"split", 20, "a line that comes in pieces is one request", check_split, "whole"},
    {"joined", 20, "lines that come together are several requests", check_joined, "whole"},
    {"writers", 20, "the end of one writer is not the end of the server", check_writers, "whole"},
    {"long", 15, "a line of more than PIPE_BUF bytes is refused, and the next one is served", check_long, "joined"},
    {"stop", 15, "SIGTERM ends it and removes the FIFO", check_stop, "whole"},
    {0}};
