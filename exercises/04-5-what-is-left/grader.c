// Grades 04-5: makes the yard with the student's seed, asks for locks, connects, and kills. No key is kept.
#include "grade.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *const grade_files[] = {"answers", NULL};
const char *const grade_programs[] = {"yard", NULL};

#define COWS_MAX 16

static struct cow {
    char name[32];
    pid_t pid; // the number in its pid file
    bool locked, stale;
} cows[COWS_MAX];
static int ncows;

static struct {
    bool known;
    char seed[16], liar[32], holder[32];
    long running, stale, term, held, stale_then;
} fact;

static const char *path_of(const char *name, const char *ending)
{
    static char path[96];
    snprintf(path, sizeof path, "/work/farm/%s%s", name, ending);
    return path;
}

static bool locked(const char *name)
{
    int fd = open(path_of(name, ".pid"), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "the grader cannot open %s", path_of(name, ".pid"));
    bool no = flock(fd, LOCK_EX | LOCK_NB) != 0;
    close(fd); // and with it goes the lock, if we got it
    return no;
}

static bool refused(const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path_of(name, ".sock"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool no = connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0 && errno == ECONNREFUSED;
    close(fd);
    return no;
}

static struct live begin(void)
{
    struct live p = start_program(NULL, "./yard", fact.seed, NULL);
    ck_assert_msg(strncmp(read_until(p.out, "\n", 5000), "ready ", 6) == 0, "the yard did not start");
    ncows = 0;
    DIR *d = opendir("/work/farm");
    for (struct dirent *e; d && (e = readdir(d)) && ncows < COWS_MAX;) {
        char *dot = strrchr(e->d_name, '.');
        if (!dot || strcmp(dot, ".pid") != 0)
            continue;
        struct cow *c = &cows[ncows++];
        snprintf(c->name, sizeof c->name, "%.*s", (int)(dot - e->d_name), e->d_name);
        c->pid = (pid_t)strtol(read_file(path_of(c->name, ".pid")), NULL, 10);
        c->locked = locked(c->name);
        c->stale = refused(c->name);
    }
    if (d)
        closedir(d);
    return p;
}

static void kill_locked(int sig)
{
    for (int i = 0; i < ncows; i++)
        if (cows[i].locked && cows[i].pid > 1)
            kill(cows[i].pid, sig);
    usleep(300000);
}

// The name of a process that has the file open; "" if none has.
static const char *who_has(const char *path)
{
    char link[64], to[128];
    for (pid_t pid = 1; pid < 8192; pid++)
        for (int fd = 0; fd < 32; fd++) {
            snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, fd);
            ssize_t n = readlink(link, to, sizeof to - 1);
            to[n > 0 ? n : 0] = '\0';
            if (strcmp(to, path) == 0)
                return stat_field(pid, 2);
        }
    return "";
}

static void know(void)
{
    if (fact.known)
        return;
    snprintf(fact.seed, sizeof fact.seed, "%.15s", answer("/work/answers", "seed"));
    struct live p = begin();
    for (int i = 0; i < ncows; i++) {
        fact.running += cows[i].locked;
        fact.stale += cows[i].stale;
        if (!cows[i].locked && kill(cows[i].pid, 0) == 0)
            snprintf(fact.liar, sizeof fact.liar, "%s", cows[i].name);
    }
    kill_locked(SIGTERM);
    for (int i = 0; i < ncows; i++)
        fact.term += access(path_of(cows[i].name, ".sock"), F_OK) == 0;
    stop_all(&p);
    usleep(200000);
    p = begin();
    kill_locked(SIGKILL);
    for (int i = 0; i < ncows; i++)
        if (locked(cows[i].name)) {
            fact.held++;
            snprintf(fact.holder, sizeof fact.holder, "%s", who_has(path_of(cows[i].name, ".pid")));
        }
    stop_all(&p);
    fact.known = true;
}

// What is right is not told: it is for the student to find.
static void compare(const char *key, const char *right)
{
    tried("%s, of the yard with seed %s", key, fact.seed);
    expected("what happens in that yard");
    came("%s", answer("/work/answers", key));
    verdict(right[0] && strcmp(answer("/work/answers", key), right) == 0);
}

static void compare_number(const char *key, long right, long tempting, const char *heading)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", right);
    if (answer("/work/answers", key)[0] && strtol(answer("/work/answers", key), NULL, 10) == tempting)
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

static void check_running(void)
{
    know();
    compare_number("running", fact.running, fact.running + 1, "number");
}

static void check_liar(void)
{
    know();
    compare("liar", fact.liar);
}

static void check_stale(void)
{
    know();
    compare_number("stale", fact.stale, ncows - fact.running, "deaf");
}

static void check_term(void)
{
    know();
    compare_number("term", fact.term, fact.stale, "careless");
}

static void check_held(void)
{
    know();
    compare_number("held", fact.held, 0, "inherited");
}

static void check_holder(void)
{
    know();
    compare("holder", fact.holder);
}

const struct check grade_checks[] = {
    {"seed", 0, "the answers say for which seed they are", check_seed, NULL},
    {"running", 15, "running: how many daemons there are", check_running, "seed"},
    {"liar", 15, "liar: whose pid file has the number of somebody else", check_liar, "seed"},
    {"stale", 15, "stale: to how many sockets nobody listens", check_stale, "seed"},
    {"term", 20, "term: how many sockets are left after a SIGTERM to each daemon", check_term, "seed"},
    {"held", 15, "held: how many pid files are locked after a SIGKILL to each daemon", check_held, "seed"},
    {"holder", 20, "holder: who has the lock then", check_holder, "held"},
    {0}};
