// Grades 01-2: processes that call themselves what they like. The processes are the grader's own children.
#include "grade.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const grade_files[] = {"pstat.c", NULL};
const char *const grade_programs[] = {"pstat", NULL};

static bool sleeps(void *pid)
{
    return stat_field(*(pid_t *)pid, 3)[0] == 'S';
}

static pid_t child_called(const char *name)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, name);
        for (;;)
            pause();
    }
    ck_assert(pid > 0 && eventually(sleeps, &pid, 2000));
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

// One process with this name; `shown` is how it must be printed.
static void shows(const char *name, const char *shown)
{
    char number[16], want[128];
    pid_t pid = child_called(name);
    snprintf(number, sizeof number, "%d", pid);
    snprintf(want, sizeof want, "%d %d S %s\n", pid, getpid(), shown);
    tried("./pstat %d, a process called \"%s\"", pid, name);
    struct run *r = run_program(NULL, "./pstat", number, NULL);
    end(pid);
    same_text(r->out, want);
}

static void check_plain(void)
{
    char name[16];
    snprintf(name, sizeof name, "pod%u", dice(100000));
    shows(name, name);
}

static void check_blank(void)
{
    char name[16];
    snprintf(name, sizeof name, "two %u", dice(100000));
    shows(name, name);
}

static void check_bracket(void)
{
    char name[16];
    snprintf(name, sizeof name, "a) R %u (b", dice(1000));
    shows(name, name);
    snprintf(name, sizeof name, "%u) Z 0", dice(1000));
    shows(name, name);
}

static void check_newline(void)
{
    char name[16], shown[16];
    unsigned n = dice(1000);
    snprintf(name, sizeof name, "up\n%u\ndown", n);
    snprintf(shown, sizeof shown, "up?%u?down", n);
    shows(name, shown);
}

static void check_gone(void)
{
    char here[16], gone[16], want[64];
    pid_t a = child_called("here"), b = child_called("gone");
    snprintf(here, sizeof here, "%d", a);
    snprintf(gone, sizeof gone, "%d", b);
    snprintf(want, sizeof want, "%d %d S here\n", a, getpid());
    end(b);
    tried("./pstat %s %s, where process %s has ended", here, gone, gone);
    struct run *r = run_program(NULL, "./pstat", here, gone, NULL);
    end(a);
    expected("%sa message on the error output, and the exit code 1", want);
    came("%s%s, and the exit code %d", r->out, r->err_len ? "a message on the error output" : "no message", r->code);
    if (strcmp(r->out, want) == 0)
        hint("silent");
    verdict(strcmp(r->out, want) == 0 && r->err_len > 0 && r->code == 1);
}

const struct check grade_checks[] = {
    {"plain", 20, "an ordinary process is shown", check_plain, NULL},
    {"blank", 10, "a name with a blank is shown", check_blank, "plain"},
    {"bracket", 25, "a name with brackets is shown whole, and the fields after it are right", check_bracket, "plain"},
    {"newline", 20, "a name with line ends is shown whole, and the fields after it are right", check_newline, "plain"},
    {"gone", 25, "a process that has ended is reported, and nobody else's facts are shown for it", check_gone, "plain"},
    {0}};
