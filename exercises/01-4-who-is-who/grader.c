// Grades 01-4: plays the scene with the student's seed and looks up in /proc what the answers should be. No key is
// kept.
#include "grade.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const grade_files[] = {"answers", NULL};
const char *const grade_programs[] = {"scene", NULL};

static struct {
    bool known;
    char seed[16], server[32], zombie[32], leader[32];
    long children, words, left;
} fact;

// The words of a command line end with a zero byte each; blanks are a part of them.
static long words_of(pid_t pid)
{
    char path[64], text[4096];
    long words = 0;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
    for (ssize_t i = 0; i < n; i++)
        words += text[i] == '\0';
    if (fd >= 0)
        close(fd);
    return words;
}

static void look(pid_t server)
{
    pid_t child[64];
    snprintf(fact.server, sizeof fact.server, "%s", stat_field(server, 2));
    for (pid_t pid = 1; pid < 4096 && fact.children < 64; pid++) {
        if (strtol(stat_field(pid, 4), NULL, 10) != server)
            continue;
        child[fact.children++] = pid;
        if (stat_field(pid, 3)[0] == 'Z')
            snprintf(fact.zombie, sizeof fact.zombie, "%s", stat_field(pid, 2));
        else if (strtol(stat_field(pid, 6), NULL, 10) == pid)
            snprintf(fact.leader, sizeof fact.leader, "%s", stat_field(pid, 2));
        fact.words = words_of(pid) > fact.words ? words_of(pid) : fact.words;
    }
    kill(server, SIGKILL);
    usleep(300000);
    for (long i = 0; i < fact.children; i++)
        fact.left += stat_field(child[i], 1)[0] != '\0' && stat_field(child[i], 3)[0] != 'Z';
}

static void know(void)
{
    if (fact.known)
        return;
    snprintf(fact.seed, sizeof fact.seed, "%.15s", answer("/work/answers", "seed"));
    struct live p = start_program(NULL, "./scene", fact.seed, NULL);
    const char *said = read_until(p.out, "\n", 5000);
    ck_assert_msg(strncmp(said, "server ", 7) == 0, "the scene did not start");
    look(p.pid);
    stop_all(&p);
    fact.known = true;
}

// What is right is not told: it is for the student to find.
static void compare(const char *key, const char *right)
{
    tried("%s, of the scene with seed %s", key, fact.seed);
    expected("what /proc says of that scene");
    came("%s", answer("/work/answers", key));
    verdict(strcmp(answer("/work/answers", key), right) == 0);
}

static void compare_number(const char *key, long right)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", right);
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

static void check_server(void)
{
    know();
    compare("server", fact.server);
}

static void check_children(void)
{
    know();
    compare_number("children", fact.children);
}

static void check_zombie(void)
{
    know();
    compare("zombie", fact.zombie);
}

static void check_leader(void)
{
    know();
    compare("leader", fact.leader);
}

static void check_words(void)
{
    know();
    compare_number("words", fact.words);
}

static void check_left(void)
{
    know();
    if (strtol(answer("/work/answers", "left"), NULL, 10) == fact.left + 1)
        hint("reaped");
    compare_number("left", fact.left);
}

const struct check grade_checks[] = {
    {"seed", 0, "the answers say for which seed they are", check_seed, NULL},
    {"server", 10, "server: the server's name", check_server, "seed"},
    {"children", 15, "children: how many it has", check_children, "seed"},
    {"zombie", 15, "zombie: the name of the child that has ended", check_zombie, "seed"},
    {"leader", 15, "leader: the name of the child that leads a session", check_leader, "seed"},
    {"words", 20, "words: how many words the longest command line has", check_words, "seed"},
    {"left", 25, "left: how many of the children are there after kill -9 of the server", check_left, "seed"},
    {0}};
