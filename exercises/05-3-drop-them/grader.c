// Grades 05-3: lets a command that was started by drop tell what rights it has.
#include "grade.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const grade_files[] = {"drop.c", NULL};
const char *const grade_programs[] = {"drop", "asroot", NULL};

static char list[64];
static uint64_t mask;
static struct run *ran;

// A list of four capabilities, two of them above 31. The kernel has 38 at least since long.
static void choose(void)
{
    unsigned low = dice(8), mid = 8 + dice(24), high = 32 + dice(3), top = 35 + dice(3);
    snprintf(list, sizeof list, "%u,%u,%u,%u", mid, low, top, high);
    mask = UINT64_C(1) << low | UINT64_C(1) << mid | UINT64_C(1) << high | UINT64_C(1) << top;
}

static void ask(void)
{
    tried("./asroot ./drop %s grep . /proc/self/status", list);
    ran = run_program(NULL, "./asroot", "./drop", list, "grep", "-E", "^Cap", "/proc/self/status", NULL);
}

// The value of a line of /proc/self/status, "" if it is not there.
static const char *line(const char *key)
{
    static char value[64];
    const char *s = strstr(ran->out, key);
    s = s ? s + strlen(key) + strspn(s + strlen(key), ":\t ") : "";
    snprintf(value, sizeof value, "%.*s", (int)strcspn(s, "\n"), s);
    return value;
}

static void compare(const char *const *keys, uint64_t want)
{
    char text[32], got[256] = "", wanted[256] = "";
    snprintf(text, sizeof text, "%016lx", (unsigned long)want);
    for (; *keys; keys++) {
        const char *value = line(*keys);
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%s %s\n", *keys, text);
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s %s\n", *keys, value);
    }
    same_text(ran->out_len ? got : ran->err, wanted);
}

static void check_runs(void)
{
    char script[32];
    unsigned code = 1 + dice(90);
    choose();
    snprintf(script, sizeof script, "echo in; exit %u", code);
    tried("./asroot ./drop %s sh -c '%s'", list, script);
    struct run *r = run_program(NULL, "./asroot", "./drop", list, "sh", "-c", script, NULL);
    ck_assert_msg(!strstr(r->err, "user namespace"), "this machine does not allow user namespaces");
    expected("in, and the exit code %u", code);
    came("%s%s, and the exit code %d", r->out, r->err, r->code);
    verdict(strcmp(r->out, "in\n") == 0 && r->code == (int)code);
}

static void check_effective(void)
{
    choose();
    ask();
    compare((const char *const[]){"CapPrm", "CapEff", NULL}, mask);
}

static void check_bounding(void)
{
    choose();
    ask();
    compare((const char *const[]){"CapBnd", NULL}, mask);
}

static void check_inherited(void)
{
    choose();
    ask();
    compare((const char *const[]){"CapInh", "CapAmb", NULL}, 0);
}

static void check_none(void)
{
    snprintf(list, sizeof list, "-");
    ask();
    compare((const char *const[]){"CapPrm", "CapEff", "CapBnd", NULL}, 0);
}

static void check_list(void)
{
    static const char *const wrong[] = {"63", "5,", "calf", "1;2", "5,99999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tried("./asroot ./drop %s echo in", wrong[i]);
        struct run *r = run_program(NULL, "./asroot", "./drop", wrong[i], "echo", "in", NULL);
        expected("a sentence with the list, the exit code 1, and the command is not run");
        came("%s%sand the exit code %d", r->out, r->err, r->code);
        verdict(r->code == 1 && !r->out_len && strstr(r->err, wrong[i]));
    }
}

const struct check grade_checks[] = {
    {"runs", 10, "the command is run, and its exit code passed on", check_runs, NULL},
    {"effective", 25, "the command has the capabilities of the list, and no other", check_effective, "runs"},
    {"bounding", 25, "and nothing that it starts can get another", check_bounding, "runs"},
    {"inherited", 15, "none is inheritable or ambient", check_inherited, "runs"},
    {"none", 15, "\"-\" is a list, too", check_none, "effective"},
    {"list", 10, "a wrong list is refused, and the command not run", check_list, "runs"},
    {0}};
