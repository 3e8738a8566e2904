// Grades 04-1: starts only twice with one pid file, and leaves behind what a crash leaves behind.
#include "grade.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const grade_files[] = {"only.c", NULL};
const char *const grade_programs[] = {"only", NULL};

static struct live first;
static char file[32]; // each check has its own: what an earlier one has left may still be ending

static void use(const char *name)
{
    snprintf(file, sizeof file, "%s.pid", name);
}

// The first one, whose command says that it runs and stays.
static void begin(void)
{
    first = start_program(NULL, "./only", file, "sh", "-c", "echo in; exec sleep 60", NULL);
    ck_assert_msg(strstr(read_until(first.out, "in\n", 3000), "in\n"), "./only %s did not run its command", file);
}

static struct run *second(void)
{
    struct run *r = run_program(NULL, "./only", file, "echo", "second", NULL); // ends the first, too
    stop_all(&first);
    return r;
}

static void check_run(void)
{
    char script[64];
    unsigned code = 1 + dice(99);
    snprintf(script, sizeof script, "echo works; exit %u", code);
    use("run");
    tried("./only %s sh -c '%s'", file, script);
    struct run *r = run_program(NULL, "./only", file, "sh", "-c", script, NULL);
    expected("works, and the exit code %u", code);
    came("%s, and the exit code %d", r->out, r->code);
    verdict(strcmp(r->out, "works\n") == 0 && r->code == (int)code);
}

static void own_pid(void)
{
    char want[32], show[64];
    snprintf(show, sizeof show, "echo $PPID; cat %s", file); // the parent of the command is only itself
    struct run *r = run_program(NULL, "./only", file, "sh", "-c", show, NULL);
    long pid = strtol(r->out, NULL, 10);
    snprintf(want, sizeof want, "%ld\n", pid);
    const char *text = strchr(r->out, '\n');
    same_text(text ? text + 1 : r->err, want);
}

static void check_pid(void)
{
    use("pid");
    tried("./only %s cat %s", file, file);
    own_pid();
}

static void check_second(void)
{
    use("second");
    begin();
    tried("./only %s echo second, while the first runs", file);
    struct run *r = second();
    expected("a message with %s, the exit code 1, and no command is run", file);
    came("%s%s, and the exit code %d", r->out, r->err, r->code);
    verdict(r->code == 1 && r->out_len == 0 && strstr(r->err, file));
}

static void check_told(void)
{
    char pid[16];
    use("told");
    begin();
    snprintf(pid, sizeof pid, "pid %d", first.pid);
    tried("./only %s echo second, while the first, %s, runs", file, pid);
    struct run *r = second();
    expected("a message with \"%s\"", pid);
    came("%s", r->err);
    const char *said = strstr(r->err, pid);
    verdict(said && !isdigit((unsigned char)said[strlen(pid)]));
}

static void check_intact(void)
{
    char want[32], path[64];
    use("intact");
    begin();
    tried("the text of %s, after a second one has been turned away", file);
    snprintf(want, sizeof want, "%d\n", first.pid);
    snprintf(path, sizeof path, "/work/%s", file);
    second();
    same_text(read_file(path), want);
}

// Pid 1 runs always. The text of the file is longer than any pid.
static void check_crash(void)
{
    use("crash");
    make_file("/work/crash.pid", 0644, "1\nleft behind by one that crashed\n");
    tried("./only %s cat %s, where the file is there already, with the pid 1 in it, but nobody holds it", file, file);
    own_pid();
}

static void check_leak(void)
{
    use("leak");
    tried("./only %s sh -c 'sleep 60 &', and when that has ended: ./only %s echo second", file, file);
    first = start_program(NULL, "./only", file, "sh", "-c", "sleep 60 & echo in", NULL);
    ck_assert_int_eq(wait_program(&first, 3000), 0);
    struct run *r = second();
    expected("second, and the exit code 0: nobody but the first only held the file, and it has ended");
    came("%s%s, and the exit code %d", r->out, r->err, r->code);
    verdict(r->code == 0 && strcmp(r->out, "second\n") == 0);
}

static void check_kept(void)
{
    struct stat before, after = {0};
    use("kept");
    make_file("/work/kept.pid", 0644, "");
    stat("/work/kept.pid", &before);
    tried("./only %s true, and then whether %s is still the same file", file, file);
    run_program(NULL, "./only", file, "true", NULL);
    bool there = stat("/work/kept.pid", &after) == 0;
    expected("the same file");
    came(there ? after.st_ino == before.st_ino ? "the same file" : "another file of that name" : "no file");
    verdict(there && after.st_ino == before.st_ino);
}

const struct check grade_checks[] = {
    {"run", 10, "the command is run and its exit code passed on", check_run, NULL},
    {"pid", 15, "while it runs, the file holds the pid of only", check_pid, "run"},
    {"second", 15, "a second one is turned away", check_second, "pid"},
    {"told", 10, "and told who holds the file", check_told, "second"},
    {"intact", 10, "the one that is turned away leaves the file as it is", check_intact, "second"},
    {"crash", 15, "a file that a crash left behind is no obstacle", check_crash, "pid"},
    {"leak", 15, "what the command leaves behind does not hold the lock", check_leak, "second"},
    {"kept", 10, "the file is not removed", check_kept, "pid"},
    {0}};
