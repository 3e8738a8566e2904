// Grades 05-4: is the other side of a connection, and ends either half of it first.
#include "grade.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *const grade_files[] = {"wire.c", NULL};
const char *const grade_programs[] = {"wire", NULL};

static struct live wire;
static int peer; // our end of the connection

static void begin(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char name[32];
    snprintf(name, sizeof name, "wire%u.sock", dice(100000));
    snprintf(addr.sun_path, sizeof addr.sun_path, "/work/%s", name);
    unlink(addr.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(bind(listener, (struct sockaddr *)&addr, sizeof addr) == 0 && listen(listener, 4) == 0 &&
              chown(addr.sun_path, student_uid(), student_uid()) == 0);
    wire = start_program(NULL, "./wire", name, NULL);
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    ck_assert_msg(poll(&ready, 1, 3000) == 1, "./wire %s did not connect", name);
    peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
}

static void over(void)
{
    if (peer >= 0)
        close(peer);
    stop_all(&wire);
}

static void close_input(void)
{
    close(wire.in);
    wire.in = -1;
}

// Reads up to `want` bytes, or to an end, or for two seconds. Returns how many; *end says whether the end came.
static size_t take_bytes(int fd, char *to, size_t want, bool *end)
{
    size_t have = 0;
    long until = milliseconds_now() + 2000;
    *end = false;
    while (have < want && !*end) {
        struct pollfd f = {.fd = fd, .events = POLLIN};
        long left = until - milliseconds_now();
        if (left <= 0 || poll(&f, 1, (int)left) <= 0)
            break;
        ssize_t n = read(fd, to + have, want - have);
        *end = n <= 0;
        have += n > 0 ? (size_t)n : 0;
    }
    return have;
}

static void check_both(void)
{
    char word[32], back[32], got[128];
    snprintf(word, sizeof word, "calf%u\n", dice(100000));
    snprintf(back, sizeof back, "whale%u\n", dice(100000));
    begin();
    tried("%s from the input and %s from the socket", word, back);
    say(wire.in, word);
    snprintf(got, sizeof got, "%.60s", read_until(peer, "\n", 2000));
    say(peer, back);
    strncat(got, read_until(wire.out, "\n", 2000), 60);
    over();
    strncat(word, back, 20);
    same_text(got, word);
}

static void check_bytes(void)
{
    char sent[64], got[64];
    bool end;
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)dice(256);
    sent[10] = sent[63] = '\0';
    begin();
    tried("64 bytes from the socket, some of them zero");
    ck_assert(write(peer, sent, sizeof sent) == sizeof sent);
    size_t n = take_bytes(wire.out, got, sizeof got, &end);
    over();
    expected("the same 64 bytes");
    came("%zu bytes%s", n, n == 64 && memcmp(got, sent, 64) != 0 ? ", but others" : "");
    verdict(n == 64 && memcmp(got, sent, 64) == 0);
}

// As wc does: the answer comes when the input is at its end.
static void check_half(void)
{
    char asked[64] = "", word[32], back[32];
    bool end, more;
    snprintf(word, sizeof word, "calf%u\n", dice(100000));
    snprintf(back, sizeof back, "%u\n", dice(100000));
    begin();
    tried("%s and the end of the input; the other side waits for the end and answers %s", word, back);
    say(wire.in, word);
    close_input();
    take_bytes(peer, asked, sizeof asked - 1, &end);
    usleep(200000);
    bool heard = end && say(peer, back);
    close(peer);
    peer = -1;
    char got[64] = "";
    take_bytes(wire.out, got, sizeof got - 1, &more);
    over();
    expected("the other side sees the end, and its answer is printed");
    came("%s; printed: %s",
         !end    ? "it saw no end"
         : heard ? "it saw the end"
                 : "it saw the end, and could not answer",
         got);
    verdict(end && heard && strcmp(got, back) == 0 && strcmp(asked, word) == 0);
}

static void check_first(void)
{
    char back[32], got[64] = "";
    bool end;
    snprintf(back, sizeof back, "bye%u\n", dice(100000));
    begin();
    tried("the other side says %s and closes; the input stays open", back);
    say(peer, back);
    close(peer);
    peer = -1;
    int code = wait_program(&wire, 2000);
    take_bytes(wire.out, got, sizeof got - 1, &end);
    over();
    expected("%sand the exit code 0", back);
    if (code < 0)
        came("%sand no end", got);
    else
        came("%sand the exit code %d", got, code);
    verdict(code == 0 && strcmp(got, back) == 0);
}

// Ticks of the processor that it has used.
static long ticks(void)
{
    long user = strtol(stat_field(wire.pid, 14), NULL, 10);
    return user + strtol(stat_field(wire.pid, 15), NULL, 10);
}

static void check_idle(void)
{
    begin();
    tried("the end of the input, and then a second in which nothing comes");
    close_input();
    usleep(200000);
    long before = ticks();
    sleep(1);
    long used = ticks() - before;
    bool there = wait_program(&wire, 0) < 0;
    over();
    expected("it waits, and uses no time of the processor");
    came("%s; %ld hundredths of a second of the processor's time", there ? "it waits" : "it has ended", used);
    verdict(there && used < 20);
}

// The first half is given while the other side does not read yet; all of it must arrive.
static void check_long(void)
{
    enum { SIZE = 60000 };
    static char sent[SIZE + 1], got[SIZE + 1];
    bool end;
    for (int i = 0; i < SIZE; i++)
        sent[i] = (char)('a' + dice(26));
    begin();
    tried("%d bytes from the input and its end; the other side reads them late", SIZE);
    bool all = say(wire.in, sent);
    close_input();
    usleep(300000);
    size_t n = take_bytes(peer, got, sizeof got, &end);
    over();
    expected("the same %d bytes, and the end", SIZE);
    came("%zu bytes, %s", n, end ? "and the end" : "and no end");
    verdict(all && end && n == SIZE && memcmp(got, sent, SIZE) == 0);
}

const struct check grade_checks[] = {
    {"both", 10, "what comes at either side goes to the other", check_both, NULL},
    {"bytes", 20, "any byte goes through", check_bytes, "both"},
    {"half", 25, "the end of the input is passed on, and the answer still comes", check_half, "both"},
    {"idle", 15, "after the end of the input it waits in peace", check_idle, "half"},
    {"first", 20, "when the other side has said all, it ends", check_first, "both"},
    {"long", 10, "much goes through whole, and then the end", check_long, "both"},
    {0}};
