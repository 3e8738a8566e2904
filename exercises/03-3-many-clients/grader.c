// Grades 03-3: several clients at once, of whom some are slow and some say nothing.
#include "grade.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *const grade_files[] = {"shout.c", NULL};
const char *const grade_programs[] = {"shout", NULL};

static struct live server;

static bool connects(void *fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "/work/shout.sock"};
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s >= 0 && connect(s, (struct sockaddr *)&addr, sizeof addr) == 0) {
        *(int *)fd = s;
        return true;
    }
    close(s);
    return false;
}

static int dial(void)
{
    int fd = -1;
    if (!eventually(connects, &fd, 3000)) {
        expected("a server that takes connections on shout.sock");
        came("none after three seconds");
        verdict(false);
    }
    return fd;
}

static void begin(void)
{
    unlink("/work/shout.sock");
    server = start_program(NULL, "./shout", "shout.sock", NULL);
}

static void hear(int fd, const char *want)
{
    same_text(read_until(fd, "\n", 1000), want);
}

static void check_one(void)
{
    char line[32], want[32];
    unsigned n = dice(1000);
    snprintf(line, sizeof line, "calf %u\n", n);
    snprintf(want, sizeof want, "CALF %u\n", n);
    begin();
    int fd = dial();
    tried("one client that says %s", line);
    say(fd, line);
    hear(fd, want);
    say(fd, "and again\n");
    hear(fd, "AND AGAIN\n");
    close(fd);
}

static void check_several(void)
{
    begin();
    int silent = dial(), other = dial();
    tried("a client that says nothing, then a second one that says \"hello\"");
    say(other, "hello\n");
    hear(other, "HELLO\n");
    close(silent);
    close(other);
}

static void check_apart(void)
{
    int fd[8];
    char text[16], want[16];
    begin();
    tried("eight clients, each of which sends one line in two halves, in turn");
    for (int i = 0; i < 8; i++)
        fd[i] = dial();
    for (int i = 0; i < 8; i++) {
        snprintf(text, sizeof text, "from%d", i);
        say(fd[i], text);
        usleep(20000);
    }
    for (int i = 7; i >= 0; i--) {
        say(fd[i], " end\n");
        usleep(20000);
    }
    for (int i = 0; i < 8; i++) {
        snprintf(want, sizeof want, "FROM%d END\n", i);
        hear(fd[i], want);
        close(fd[i]);
    }
}

static bool closed(int fd, int milliseconds)
{
    char c;
    struct pollfd f = {fd, POLLIN, 0};
    return poll(&f, 1, milliseconds) == 1 && read(fd, &c, 1) <= 0;
}

static void check_silent(void)
{
    begin();
    int silent = dial();
    tried("a client that says nothing");
    expected("its connection is closed after two seconds");
    came("it was closed at once");
    verdict(!closed(silent, 1200));
    came("it was still open after three and a half seconds");
    verdict(closed(silent, 2300));
    close(silent);
}

static void check_slow(void)
{
    begin();
    int slow = dial();
    tried("a client that sends one letter a second");
    for (const char *const *s = (const char *const[]){"s", "l", "o", NULL}; *s; s++) {
        say(slow, *s);
        usleep(1000000);
    }
    say(slow, "w\n");
    hear(slow, "SLOW\n");
    close(slow);
}

static int entries(const char *what)
{
    char path[64];
    int n = 0;
    for (int i = 0; i < 4096; i++) {
        snprintf(path, sizeof path, "/proc/%d/%s/%d", (int)server.pid, what, i);
        n += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    }
    return n;
}

static void check_leak(void)
{
    begin();
    close(dial());
    usleep(200000);
    int fds = entries("fd"), threads = entries("task");
    for (int i = 0; i < 30; i++) {
        int fd = dial();
        say(fd, "hello\n");
        close(fd);
    }
    usleep(500000);
    tried("30 clients that come and go");
    expected("%d descriptors and %d threads, as after the first", fds, threads);
    came("%d descriptors and %d threads", entries("fd"), entries("task"));
    verdict(entries("fd") == fds && entries("task") == threads && fds > 0);
}

const struct check grade_checks[] = {
    {"one", 10, "a line is answered in capital letters", check_one, NULL},
    {"several", 25, "a silent client does not keep the others waiting", check_several, "one"},
    {"apart", 20, "what clients say at the same time is kept apart", check_apart, "several"},
    {"silent", 15, "a client that says nothing for two seconds is sent away", check_silent, "one"},
    {"slow", 15, "a client that is slow, but not silent, is served", check_slow, "silent"},
    {"leak", 15, "clients that have gone leave no descriptor and no thread", check_leak, "several"},
    {0}};
