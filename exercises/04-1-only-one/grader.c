// Grades 04-1: starts only twice with one pid file, and leaves behind what a crash leaves behind.
#include "grade.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const grade_files[] = {"only.c", NULL};
const char *const grade_programs[] = {"only", NULL};

static struct live first;

// The first one, whose command says that it runs and stays.
static void begin(void)
{
    first = start_program(NULL, "./only", "one.pid", "sh", "-c", "echo in; exec sleep 60", NULL);
    ck_assert_msg(strstr(read_until(first.out, "in\n", 3000), "in\n"), "./only one.pid did not run its command");
}

static struct run *second(void)
{
    struct run *r = run_program(NULL, "./only", "one.pid", "echo", "second", NULL);
    stop_all(&first);
    return r;
}

static void check_run(void)
{
    char script[64];
    unsigned code = 1 + dice(99);
    snprintf(script, sizeof script, "echo works; exit %u", code);
    tried("./only one.pid sh -c '%s'", script);
    struct run *r = run_program(NULL, "./only", "one.pid", "sh", "-c", script, NULL);
    expected("works, and the exit code %u", code);
    came("%s, and the exit code %d", r->out, r->code);
    verdict(strcmp(r->out, "works\n") == 0 && r->code == (int)code);
}

static const char show[] = "echo $PPID; cat one.pid"; // the parent of the command is only itself

static void own_pid(void)
{
    struct run *r = run_program(NULL, "./only", "one.pid", "sh", "-c", show, NULL);
    char want[32];
    long pid = strtol(r->out, NULL, 10);
    snprintf(want, sizeof want, "%ld\n", pid);
    const char *text = strchr(r->out, '\n');
    same_text(text ? text + 1 : r->err, want);
}

static void check_pid(void)
{
    unlink("/work/one.pid");
    tried("./only one.pid cat one.pid");
    own_pid();
}

static void check_second(void)
{
    char pid[16];
    begin();
    snprintf(pid, sizeof pid, "%d", first.pid);
    tried("./only one.pid echo second, while the first, pid %s, runs", pid);
    struct run *r = second();
    expected("a message with one.pid and with %s, the exit code 1, and no command is run", pid);
    came("%s%s, and the exit code %d", r->out, r->err, r->code);
    verdict(r->code == 1 && r->out_len == 0 && strstr(r->err, "one.pid") && strstr(r->err, pid));
}

static void check_intact(void)
{
    char want[32];
    begin();
    tried("the text of one.pid, after a second one has been turned away");
    snprintf(want, sizeof want, "%d\n", first.pid);
    second();
    same_text(read_file("/work/one.pid"), want);
}

// Pid 1 runs always. The text of the file is longer than any pid.
static void check_crash(void)
{
    make_file("/work/one.pid", 0644, "1\nleft behind by one that crashed\n");
    tried("./only one.pid cat one.pid, where one.pid is there already, with the pid 1 in it, but nobody holds it");
    own_pid();
}

static void check_leak(void)
{
    tried("./only one.pid sh -c 'sleep 60 &', and when that has ended: ./only one.pid echo second");
    first = start_program(NULL, "./only", "one.pid", "sh", "-c", "sleep 60 & echo in", NULL);
    ck_assert_int_eq(wait_program(&first, 3000), 0);
    struct run *r = second();
    expected("second, and the exit code 0: nobody but the first only held the file, and it has ended");
    came("%s%s, and the exit code %d", r->out, r->err, r->code);
    verdict(r->code == 0 && strcmp(r->out, "second\n") == 0);
}

static void check_kept(void)
{
    struct stat before, after = {0};
    make_file("/work/one.pid", 0644, "");
    stat("/work/one.pid", &before);
    tried("./only one.pid true, and then whether one.pid is still the same file");
    run_program(NULL, "./only", "one.pid", "true", NULL);
    bool there = stat("/work/one.pid", &after) == 0;
    expected("the same file");
    came(there ? after.st_ino == before.st_ino ? "the same file" : "another file of that name" : "no file");
    verdict(there && after.st_ino == before.st_ino);
}

const struct check grade_checks[] = {
    {"run", 10, "the command is run and its exit code passed on", check_run, NULL},
    {"pid", 15, "while it runs, the file holds the pid of only", check_pid, "run"},
    {"second", 20, "a second one is turned away and told who holds the file", check_second, "pid"},
    {"intact", 15, "the one that is turned away leaves the file as it is", check_intact, "pid"},
    {"crash", 15, "a file that a crash left behind is no obstacle", check_crash, "pid"},
    {"leak", 15, "what the command leaves behind does not hold the lock", check_leak, "second"},
    {"kept", 10, "the file is not removed", check_kept, "pid"},
    {0}};
