// Grades 02-4: hands over a FIFO whose room and content the seed decides, and looks at it again afterwards.
#include "grade.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const grade_files[] = {"room.c", NULL};
const char *const grade_programs[] = {"room", NULL};

static char content[4 * 4096], after[sizeof content + 1];
static int fifo, held, capacity;

// As long as we have it open, the FIFO keeps the size that we give it here.
static struct run *measure(bool empty)
{
    static const int pages[] = {4, 8, 32, 64};
    unlink("/tmp/fifo");
    ck_assert(mkfifo("/tmp/fifo", 0600) == 0 && chown("/tmp/fifo", student_uid(), student_uid()) == 0);
    fifo = open("/tmp/fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    capacity = fcntl(fifo, F_SETPIPE_SZ, pages[dice(4)] * 4096);
    held = empty ? 0 : 1 + (int)dice(sizeof content - 1);
    for (int i = 0; i < held; i++)
        content[i] = (char)('a' + dice(26));
    ck_assert(fifo >= 0 && capacity > 0 && write(fifo, content, (size_t)held) == held);
    tried("./room /tmp/fifo, a pipe of another size with each seed, with %d bytes in it", held);
    struct how how = {.milliseconds = 20000};
    return run_program(&how, "./room", "/tmp/fifo", NULL);
}

static void line(struct run *r, const char *key, const int *value)
{
    char want[64], got[64] = "";
    snprintf(want, sizeof want, "%s %d\n", key, *value);
    const char *s = strstr(r->out, key);
    if (s && (s == r->out || s[-1] == '\n'))
        snprintf(got, sizeof got, "%.*s\n", (int)strcspn(s, "\n"), s);
    close(fifo);
    same_text(got, want);
}

static void check_held(void)
{
    line(measure(false), "held", &held);
}

static void check_capacity(void)
{
    line(measure(true), "capacity", &capacity);
}

static void check_full(void)
{
    line(measure(false), "capacity", &capacity);
}

static void check_whole(void)
{
    line(measure(true), "whole", &(int){PIPE_BUF});
}

static void check_content(void)
{
    struct run *r = measure(false);
    ssize_t n = read(fifo, after, sizeof after);
    close(fifo);
    expected("the %d bytes that were in it", held);
    came("%zd bytes%s", n < 0 ? 0 : n, n == held && memcmp(after, content, (size_t)n) != 0 ? ", but others" : "");
    verdict(n == held && memcmp(after, content, (size_t)n) == 0 && r->code == 0);
}

static void check_missing(void)
{
    tried("./room /tmp/none");
    struct run *r = run_program(NULL, "./room", "/tmp/none", NULL);
    expected("a message with the name, and an exit code that is not 0");
    came("%sand the exit code %d", r->err_len ? r->err : "no message, ", r->code);
    verdict(r->code != 0 && strstr(r->err, "/tmp/none"));
}

const struct check grade_checks[] = {
    {"held", 15, "held: how much is in the pipe", check_held, NULL},
    {"capacity", 25, "capacity: how much an empty pipe takes", check_capacity, NULL},
    {"full", 15, "capacity is the same if something is in the pipe", check_full, "capacity"},
    {"whole", 25, "whole: the largest write that is never split", check_whole, "capacity"},
    {"content", 15, "what was in the pipe is in it afterwards", check_content, "held"},
    {"missing", 5, "a pipe that is not there is reported", check_missing, NULL},
    {0}};
