// Grades 03-2: a client that sends what HTTP allows, in pieces that HTTP does not know.
#include "grade.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *const grade_files[] = {"echod.c", NULL};
const char *const grade_programs[] = {"echod", NULL};

static struct live server;

static bool connects(void *fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "/work/echo.sock"};
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
        expected("a server that takes connections on echo.sock");
        came("none after three seconds");
        verdict(false);
    }
    return fd;
}

static void begin(void)
{
    unlink("/work/echo.sock");
    server = start_program(NULL, "./echod", "echo.sock", NULL);
}

static const char *request(const char *body)
{
    static char text[4096];
    snprintf(text, sizeof text, "POST /echo HTTP/1.1\r\nHost: calf\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
             body);
    return text;
}

static const char *reply(const char *body)
{
    static char text[4096];
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    return text;
}

static void ends(int fd, const char *got, const char *want)
{
    char copy[8192];
    snprintf(copy, sizeof copy, "%s", got);
    close(fd);
    stop_all(&server);
    same_text(copy, want);
}

static void check_one(void)
{
    char body[32];
    snprintf(body, sizeof body, "calf %u!", dice(10000));
    begin();
    int fd = dial();
    tried("one request in one write, with the body %s", body);
    say(fd, request(body));
    ends(fd, read_until(fd, "!", 1500), reply(body));
}

static void check_head(void)
{
    char body[32];
    snprintf(body, sizeof body, "head %u!", dice(10000));
    const char *all = request(body);
    size_t cut = 10 + dice(30);
    begin();
    int fd = dial();
    tried("a request that comes in two pieces, the first of %zu bytes, inside the head", cut);
    ck_assert(write(fd, all, cut) == (ssize_t)cut);
    usleep(150000);
    say(fd, all + cut);
    ends(fd, read_until(fd, "!", 1500), reply(body));
}

static void check_body(void)
{
    char body[64];
    snprintf(body, sizeof body, "the body comes late %u!", dice(10000));
    const char *all = request(body);
    size_t cut = strlen(all) - 1 - dice((unsigned)strlen(body));
    begin();
    int fd = dial();
    tried("a request that comes in two pieces, the second the last %zu bytes of the body", strlen(all) - cut);
    ck_assert(write(fd, all, cut) == (ssize_t)cut);
    usleep(150000);
    say(fd, all + cut);
    ends(fd, read_until(fd, "!", 1500), reply(body));
}

static void check_two(void)
{
    char both[8192], want[8192], first[32], second[32];
    snprintf(first, sizeof first, "first %u", dice(10000));
    snprintf(second, sizeof second, "second %u!", dice(10000));
    snprintf(both, sizeof both, "%s", request(first));
    snprintf(both + strlen(both), sizeof both - strlen(both), "%s", request(second));
    snprintf(want, sizeof want, "%s", reply(first));
    snprintf(want + strlen(want), sizeof want - strlen(want), "%s", reply(second));
    begin();
    int fd = dial();
    tried("two requests in one write");
    say(fd, both);
    ends(fd, read_until(fd, "!", 1500), want);
}

// The descriptors of the server, seen from outside.
static int descriptors(void)
{
    char path[64];
    int n = 0;
    for (int fd = 0; fd < 256; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)server.pid, fd);
        n += faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    }
    return n;
}

static void check_leak(void)
{
    begin();
    close(dial());
    usleep(100000);
    int before = descriptors();
    for (int i = 0; i < 30; i++)
        close(dial());
    usleep(300000);
    int after = descriptors();
    tried("30 clients, one after the other, which come and go");
    expected("as many open descriptors as after the first: %d", before);
    came("%d open descriptors", after);
    stop_all(&server);
    verdict(after == before && before > 0);
}

// It asks, and closes without having read: the server writes to nobody.
static void check_gone(void)
{
    begin();
    close(dial());
    kill(server.pid, SIGSTOP); // so that they have gone for certain when it answers
    for (int i = 0; i < 5; i++) {
        int fd = dial();
        for (int n = 0; n < 20; n++)
            say(fd, request("nobody waits for this"));
        close(fd);
    }
    kill(server.pid, SIGCONT);
    usleep(300000);
    tried("five clients that ask and go away without reading the answers, then one that stays");
    int code = wait_program(&server, 100);
    if (code >= 0) {
        expected("a server that goes on");
        came("it has ended%s", code == 128 + SIGPIPE ? " by SIGPIPE" : "");
        server.pid = -1;
        stop_all(&server);
        verdict(false);
    }
    int fd = dial();
    say(fd, request("still here!"));
    ends(fd, read_until(fd, "!", 1500), reply("still here!"));
}

const struct check grade_checks[] = {
    {"one", 10, "a request that comes whole is answered", check_one, NULL},
    {"head", 20, "a head that comes in pieces is put together", check_head, "one"},
    {"body", 20, "a body that comes in pieces is put together", check_body, "one"},
    {"two", 20, "two requests that come at once are both answered", check_two, "one"},
    {"leak", 15, "a client that has gone leaves no open descriptor", check_leak, "one"},
    {"gone", 15, "a client that goes away early does not end the server", check_gone, "one"},
    {0}};
