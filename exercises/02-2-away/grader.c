// Grades 02-2: starts away from a terminal of its own, looks at the command in /proc, and then closes the terminal.
#include "grade.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const grade_files[] = {"away.c", NULL};
const char *const grade_programs[] = {"away", NULL};

static pid_t command;
static struct live shell;

static bool alive(pid_t pid)
{
    return pid > 1 && stat_field(pid, 3)[0] && stat_field(pid, 3)[0] != 'Z';
}

// A shell on a terminal starts away and then waits for more, as a student's would.
static void begin(const char *words)
{
    char away[160], line[256];
    struct how how = {.terminal = true};
    if (words)
        snprintf(away, sizeof away, "./away log %s", words);
    else
        snprintf(away, sizeof away, "./away log sleep %u", 100 + dice(900));
    snprintf(line, sizeof line, "%s && echo =ok=; cat", away);
    tried("%s, typed at a terminal", away);
    shell = start_program(&how, "/bin/sh", "-c", line, NULL);
    command = (pid_t)strtol(read_until(shell.out, "=ok=", 3000), NULL, 10);
    usleep(100000); // a command that was only just forked has not yet left
}

static void check_pid(void)
{
    begin(NULL);
    expected("the pid of the command, at once, and the exit code 0");
    char name[64];
    snprintf(name, sizeof name, "%s", command > 0 ? stat_field(command, 2) : "");
    came("the number %d, which is %s%s", (int)command, *name ? "the process " : "no process", name);
    stop_all(&shell);
    verdict(strcmp(name, "sleep") == 0);
}

static void check_session(void)
{
    begin(NULL);
    long session = strtol(stat_field(command, 6), NULL, 10), terminal = strtol(stat_field(command, 7), NULL, 10);
    expected("a session without a terminal, other than the shell's");
    came("%s session as the shell, %s terminal", session == shell.pid ? "the same" : "another",
         terminal ? "with a" : "without a");
    stop_all(&shell);
    verdict(session > 0 && session != shell.pid && terminal == 0);
}

// The kernel sends SIGHUP to the session of a terminal that goes away, and reads and writes fail from then on.
static void check_hangup(void)
{
    begin(NULL);
    close(shell.out);
    shell.in = shell.out = -1;
    usleep(500000);
    expected("the command lives on");
    came("the command %s", alive(command) ? "lives on" : "is gone");
    bool good = alive(command);
    stop_all(&shell);
    verdict(good);
}

static void check_descriptors(void)
{
    char path[64], target[128], all[512] = "";
    begin(NULL);
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)command, fd);
        ssize_t n = command > 0 ? readlink(path, target, sizeof target - 1) : -1;
        if (n > 0)
            snprintf(all + strlen(all), sizeof all - strlen(all), "%d %.*s\n", fd, (int)n, target);
    }
    stop_all(&shell);
    same_text(all, "0 /dev/null\n1 /work/log\n2 /work/log\n");
}

static bool log_is_long(void *want)
{
    return strlen(read_file("/work/log")) >= strlen(want);
}

static void check_log(void)
{
    char want[128], script[128];
    unsigned n = dice(100000);
    make_file("/work/log", 0644, "what was there before\n");
    snprintf(script, sizeof script, "sh -c 'echo out %u; echo err %u >&2'", n, n);
    snprintf(want, sizeof want, "what was there before\nout %u\nerr %u\n", n, n);
    begin(script);
    eventually(log_is_long, want, 2000);
    stop_all(&shell);
    same_text(read_file("/work/log"), want);
}

static void check_default(void)
{
    begin(NULL);
    bool before = alive(command);
    if (before)
        kill(command, SIGHUP);
    usleep(200000);
    bool after = alive(command);
    tried("kill -HUP to the command");
    expected("the command ends: it was to leave the terminal, not to be deaf to a signal");
    came("the command %s", !before ? "was not there" : after ? "lives on" : "ended");
    stop_all(&shell);
    verdict(before && !after);
}

static void check_notfound(void)
{
    tried("./away log no-such-command");
    struct run *r = run_program(NULL, "./away", "log", "no-such-command", NULL);
    expected("a message with \"No such file or directory\" on away's own error output, no pid, and the exit code 127");
    came("%s%sand the exit code %d", r->out, r->err_len ? r->err : "no message, ", r->code);
    verdict(r->code == 127 && strstr(r->err, "No such file or directory") && r->out_len == 0);
}

const struct check grade_checks[] = {
    {"pid", 10, "the command's pid is printed, and away ends", check_pid, NULL},
    {"session", 20, "the command is in a session without a terminal", check_session, "pid"},
    {"hangup", 20, "the command lives on when the terminal is closed", check_hangup, "pid"},
    {"descriptors", 15, "the command has nothing open but /dev/null and the log", check_descriptors, "pid"},
    {"log", 10, "both of its streams are added to the log", check_log, "pid"},
    {"default", 10, "the command does not ignore SIGHUP", check_default, "pid"},
    {"notfound", 15, "a command that cannot be started is reported by away itself", check_notfound, NULL},
    {0}};
