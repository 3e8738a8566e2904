// Grades 02-1: a program that runs commands for others must notice the end of each.
#include "grade.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const grade_files[] = {"keeper.c", NULL};
const char *const grade_programs[] = {"keeper", NULL};

static struct run *keep(const char *input)
{
    struct how how = {.input = input};
    tried("./keeper, with the input %s", input);
    return run_program(&how, "./keeper", NULL);
}

static void check_one(void)
{
    char input[32], want[64];
    unsigned code = dice(100);
    snprintf(input, sizeof input, "exit %u\n", code);
    snprintf(want, sizeof want, "1 exited %u\nall done\n", code);
    same_text(keep(input)->out, want);
}

static void check_signal(void)
{
    static const int signals[] = {2, 9, 15};
    char input[32], want[64];
    int s = signals[dice(3)];
    snprintf(input, sizeof input, "kill -%d $$\n", s);
    snprintf(want, sizeof want, "1 exited %d\nall done\n", 128 + s);
    same_text(keep(input)->out, want);
}

static int lines(const char *text, const char *with)
{
    int n = 0;
    for (const char *s = text; (s = strstr(s, with)); s++)
        n++;
    return n;
}

static bool no_children(void *pid)
{
    return children_in_state(*(pid_t *)pid, 0) == 0;
}

static pid_t first_child(pid_t parent)
{
    for (pid_t pid = 1; pid < 4096; pid++)
        if (strtol(stat_field(pid, 4), NULL, 10) == parent)
            return pid;
    return 0;
}

struct crowd {
    pid_t keeper;
    int size;
};

static bool all_started(void *arg)
{
    struct crowd *c = arg;
    return children_in_state(c->keeper, 0) == c->size;
}

static bool is_stopped(void *arg)
{
    return *stat_field(((struct crowd *)arg)->keeper, 3) == 'T';
}

// Each command waits for somebody who opens the other end of its FIFO. One that came late finds it open the next time.
static bool all_ended(void *arg)
{
    struct crowd *c = arg;
    int gate = open("/work/gate", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (gate >= 0)
        close(gate);
    return children_in_state(c->keeper, 'Z') == c->size;
}

// Lets `size` commands end while keeper is stopped: when it goes on, one SIGCHLD stands for them all, however busy the
// machine is.
static struct live end_at_once(int size)
{
    struct live p = start_program(NULL, "./keeper", NULL);
    struct crowd crowd = {p.pid, size};
    unlink("/work/gate");
    ck_assert_int_eq(mkfifo("/work/gate", 0644), 0);
    ck_assert_int_eq(chown("/work/gate", student_uid(), (gid_t)-1), 0);
    for (int i = 0; i < size; i++)
        ck_assert(say(p.in, i % 3 ? "read x <gate; exit 7\n" : "read x <gate; exit 0\n"));
    bool started = eventually(all_started, &crowd, 5000);
    came("only %d commands were started", children_in_state(p.pid, 0));
    verdict(started);
    ck_assert_int_eq(kill(p.pid, SIGSTOP), 0);
    ck_assert(eventually(is_stopped, &crowd, 2000));
    bool ended = eventually(all_ended, &crowd, 5000);
    came("only %d commands ended", children_in_state(p.pid, 'Z'));
    verdict(ended);
    ck_assert_int_eq(kill(p.pid, SIGCONT), 0);
    return p;
}

static void check_burst(void)
{
    tried("./keeper, with 30 commands that end at the same moment");
    expected("30 lines with \"exited\", and then \"all done\"");
    struct live p = end_at_once(30);
    close(p.in);
    p.in = -1;
    const char *out = read_until(p.out, "all done\n", 2000);
    stop_all(&p);
    came("%d lines with \"exited\", and %s\"all done\"", lines(out, " exited "), lines(out, "all done") ? "" : "no ");
    verdict(lines(out, " exited ") == 30 && lines(out, " exited 7\n") == 20 && lines(out, "all done\n") == 1);
}

// The same, but keeper's input stays open: it must not leave the reaping for its end.
static void check_zombies(void)
{
    tried("./keeper, with 20 commands that end at the same moment, and its input stays open");
    expected("no zombie after two seconds");
    struct live p = end_at_once(20);
    bool none = eventually(no_children, &p.pid, 2000);
    int zombies = children_in_state(p.pid, 'Z');
    stop_all(&p);
    came("%d zombies", zombies);
    verdict(none);
}

static void check_input(void)
{
    tried("./keeper, with the input \"cat >/dev/null; exit 4\" and, a little later, \"exit 3\"");
    struct live p = start_program(NULL, "./keeper", NULL);
    ck_assert(say(p.in, "cat >/dev/null; exit 4\n"));
    const char *first = read_until(p.out, "1 exited 4\n", 3000);
    bool ended = strstr(first, "1 exited 4\n") != NULL;
    ck_assert(say(p.in, "exit 3\n"));
    const char *second = read_until(p.out, "2 exited 3\n", 3000);
    expected("the first command finds no input and ends; the second one is run and exits 3");
    came("the first %s; the second %s", ended ? "ended" : "waited for input",
         strstr(second, "2 exited 3\n") ? "exited 3" : "was not run");
    stop_all(&p);
    verdict(ended && strstr(second, "2 exited 3\n"));
}

// What the command's own process has open, seen from outside. The shell opens nothing of its own for a simple command.
static void check_leak(void)
{
    char path[64], all[256] = "";
    struct live p = start_program(NULL, "./keeper", NULL);
    tried("./keeper, with the input \"sleep 9\"; then the entries of /proc/PID/fd of the command");
    ck_assert(say(p.in, "sleep 9\n"));
    usleep(500000);
    pid_t child = first_child(p.pid);
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)child, fd);
        if (child && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%d", *all ? " " : "", fd);
    }
    stop_all(&p);
    same_text(all, "0 1 2");
}

const struct check grade_checks[] = {
    {"one", 15, "one command is run, and its exit code told", check_one, NULL},
    {"signal", 15, "a command that a signal ended is told as 128 + the signal", check_signal, "one"},
    {"burst", 25, "of many commands that end at once each end is told", check_burst, "one"},
    {"zombies", 15, "no zombie is left while keeper waits for the next request", check_zombies, "one"},
    {"input", 15, "a command does not read keeper's own input", check_input, "one"},
    {"leak", 15, "a command has no descriptors but 0, 1 and 2", check_leak, "one"},
    {0}};
