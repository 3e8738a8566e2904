// Grades 01-3: counts a process's descriptors. The process is given/holder.c, told by the seed how many of each kind to
// hold.
#include "grade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const grade_files[] = {"fds.c", NULL};
const char *const grade_programs[] = {"holder", "fds", NULL};

// A holder's 0, 1 and 2 are pipes to the grader: three more of that kind.
static void counts(unsigned files, unsigned deleted, unsigned pipes, unsigned sockets, unsigned others, bool only_total)
{
    char word[5][12], pid[16], want[128];
    unsigned numbers[] = {files, deleted, pipes, sockets, others};
    for (int i = 0; i < 5; i++)
        snprintf(word[i], sizeof word[i], "%u", numbers[i]);
    struct live p = start_program(NULL, "./holder", word[0], word[1], word[2], word[3], word[4], NULL);
    ck_assert_str_eq(read_until(p.out, "ready\n", 3000), "ready\n");
    snprintf(pid, sizeof pid, "%d", p.pid);
    tried("./fds %s, which is: ./holder %s %s %s %s %s", pid, word[0], word[1], word[2], word[3], word[4]);
    struct run *r = run_program(NULL, "./fds", pid, NULL);
    stop_all(&p);
    unsigned all = files + deleted + 2 * pipes + 3 + sockets + others;
    snprintf(want, sizeof want, "file %u\npipe %u\nsocket %u\nother %u\ntotal %u\n", files + deleted, 2 * pipes + 3,
             sockets, others, all);
    if (!only_total) {
        same_text(r->out, want);
        return;
    }
    snprintf(want, sizeof want, "total %u\n", all);
    const char *last = strstr(r->out, "total ");
    same_text(last ? last : r->out, want);
}

static void check_total(void)
{
    counts(1 + dice(9), 0, 1 + dice(5), 1 + dice(5), 1 + dice(5), true);
}

static void check_kinds(void)
{
    counts(1 + dice(9), 0, 1 + dice(5), 6 + dice(5), 12 + dice(5), false);
}

static void check_deleted(void)
{
    counts(1 + dice(3), 4 + dice(5), 1 + dice(3), 0, 0, false);
}

static void check_many(void)
{
    counts(150 + dice(50), 0, 10, 5, 5, false);
}

static void check_own(void)
{
    tried("./fds self, with three pipes as its 0, 1 and 2 and nothing else open");
    same_text(run_program(NULL, "./fds", "self", NULL)->out, "file 0\npipe 3\nsocket 0\nother 0\ntotal 3\n");
}

static void refused(const char *pid, const char *reason)
{
    struct run *r = run_program(NULL, "./fds", pid, NULL);
    expected("no output, a message with \"%s\", and the exit code 1", reason);
    came("%s%s%sand the exit code %d", r->out, r->err, r->err_len ? "" : "no message, ", r->code);
    verdict(r->out_len == 0 && strstr(r->err, reason) && r->code == 1);
}

static void check_gone(void)
{
    tried("./fds 99999999, a pid that nobody has");
    refused("99999999", "No such file or directory");
}

static void check_denied(void)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    tried("./fds %s, a process of another user", pid);
    refused(pid, "Permission denied");
}

const struct check grade_checks[] = {
    {"total", 20, "the total is right", check_total, NULL},
    {"kinds", 20, "each kind is counted", check_kinds, "total"},
    {"deleted", 10, "a file whose name was deleted is still an open file", check_deleted, "kinds"},
    {"many", 10, "two hundred descriptors are counted", check_many, "kinds"},
    {"own", 20, "for itself, it does not count the descriptor by which it reads the list", check_own, "kinds"},
    {"gone", 10, "a process that is not there is reported", check_gone, NULL},
    {"denied", 10, "a process that one may not look into is reported", check_denied, NULL},
    {0}};
