// Grades 05-1: starts the worlds with the student's seed, looks at them in /proc, and kills. No key is kept.
#include "grade.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const grade_files[] = {"answers", NULL};
const char *const grade_programs[] = {"worlds", NULL};

#define PEOPLE_MAX 128

static struct person {
    pid_t pid;
    long inner;  // its pid in its own world
    ino_t world; // the number of its namespace
    char name[32];
} people[PEOPLE_MAX];
static int npeople;

static struct {
    bool known;
    char seed[16], first[32];
    long worlds, number, term, left, all;
} fact;

// The pids of a process, from ours to its own; more than one if it is in another world.
static int pids_of(pid_t pid, long *inner)
{
    char path[64];
    int n = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    const char *s = strstr(read_file(path), "NSpid:");
    char *end;
    for (s = s ? s + 6 : ""; *inner = strtol(s, &end, 10), end != s; s = end) {
        n++;
        if (*end == '\n') {
            *inner = strtol(s, NULL, 10);
            break;
        }
    }
    return n;
}

static bool alive(const struct person *p)
{
    const char *s = stat_field(p->pid, 3);
    return s[0] && s[0] != 'Z';
}

static void look(void)
{
    npeople = 0;
    for (pid_t pid = 1; pid < 8192 && npeople < PEOPLE_MAX; pid++) {
        struct person *p = &people[npeople];
        char path[64];
        struct stat st;
        if (pids_of(pid, &p->inner) < 2)
            continue;
        p->pid = pid;
        snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
        ck_assert_msg(stat(path, &st) == 0, "the grader cannot look at %s", path);
        p->world = st.st_ino;
        snprintf(p->name, sizeof p->name, "%s", stat_field(pid, 2));
        npeople += alive(p);
    }
}

static struct live begin(void)
{
    struct live p = start_program(NULL, "./worlds", fact.seed, NULL);
    ck_assert_msg(strncmp(read_until(p.out, "\n", 5000), "ready ", 6) == 0,
                  "the worlds did not start: does this machine allow user namespaces?");
    look();
    return p;
}

static const struct person *lone(void)
{
    for (int i = 0; i < npeople; i++)
        if (strncmp(people[i].name, "lone", 4) == 0)
            return &people[i];
    ck_abort_msg("nobody is called lone");
}

static const struct person *first_of(ino_t world)
{
    for (int i = 0; i < npeople; i++)
        if (people[i].world == world && people[i].inner == 1)
            return &people[i];
    ck_abort_msg("a world without a first process");
}

static void know(void)
{
    if (fact.known)
        return;
    snprintf(fact.seed, sizeof fact.seed, "%.15s", answer("/work/answers", "seed"));
    struct live p = begin();
    fact.number = lone()->inner;
    fact.all = npeople;
    snprintf(fact.first, sizeof fact.first, "%s", first_of(lone()->world)->name);
    for (int i = 0; i < npeople; i++)
        if (people[i].inner == 1) {
            fact.worlds++;
            kill(people[i].pid, SIGTERM);
        }
    usleep(500000);
    for (int i = 0; i < npeople; i++)
        fact.term += people[i].inner == 1 && !alive(&people[i]);
    stop_all(&p);
    usleep(300000);
    p = begin();
    kill(first_of(lone()->world)->pid, SIGKILL);
    usleep(500000);
    for (int i = 0; i < npeople; i++)
        fact.left += alive(&people[i]);
    stop_all(&p);
    fact.known = true;
}

// What is right is not told: it is for the student to find.
static void compare(const char *key, const char *right)
{
    tried("%s, of the worlds with seed %s", key, fact.seed);
    expected("what happens in those worlds");
    came("%s", answer("/work/answers", key));
    verdict(strcmp(answer("/work/answers", key), right) == 0);
}

static void compare_number(const char *key, long right, long tempting, const char *heading)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", right);
    if (strtol(answer("/work/answers", key), NULL, 10) == tempting)
        hint(heading);
    compare(key, text);
}

static void check_seed(void)
{
    const char *seed = answer("/work/answers", "seed");
    tried("the line \"seed:\" of the file answers");
    expected("a number of at most nine digits");
    came("%s", seed);
    size_t n = strlen(seed);
    verdict(n > 0 && n <= 9 && strspn(seed, "0123456789") == n);
}

static void check_worlds(void)
{
    know();
    compare_number("worlds", fact.worlds, -1, "worlds");
}

static void check_first(void)
{
    know();
    compare("first", fact.first);
}

static void check_number(void)
{
    know();
    compare_number("number", fact.number, -1, "number");
}

static void check_term(void)
{
    know();
    compare_number("term", fact.term, fact.worlds, "deaf");
}

static void check_left(void)
{
    know();
    compare_number("left", fact.left, fact.all - 1, "alone");
}

const struct check grade_checks[] = {
    {"seed", 0, "the answers say for which seed they are", check_seed, NULL},
    {"worlds", 20, "worlds: how many there are", check_worlds, "seed"},
    {"first", 20, "first: the name of the first process where lone is", check_first, "seed"},
    {"number", 15, "number: which pid lone has there", check_number, "seed"},
    {"term", 20, "term: how many first processes end by SIGTERM", check_term, "seed"},
    {"left", 25, "left: how many processes are there after a first one was killed", check_left, "seed"},
    {0}};
