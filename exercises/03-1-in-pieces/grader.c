// Grades 03-1: the same requests, cut in every way.
#include "grade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const grade_files[] = {"requests.c", NULL};
const char *const grade_programs[] = {"requests", NULL};

static struct live reader;

static void put(const char *bytes, size_t n)
{
    ck_assert_msg(write(reader.in, bytes, n) == (ssize_t)n, "./requests had ended before all was written");
}

static void no_more(void)
{
    close(reader.in);
    reader.in = -1;
}

static unsigned long sum(const char *bytes, size_t n)
{
    unsigned long all = 0;
    for (size_t i = 0; i < n; i++)
        all += (unsigned char)bytes[i];
    return all;
}

// A request with a body that the seed decides. Adds it to `text`, and the line that tells it to `want`.
static void add_request(char *text, char *want, int number)
{
    char body[64] = "", *end = text + strlen(text);
    unsigned n = dice(40), target = dice(100000);
    for (unsigned i = 0; i < n; i++)
        body[i] = (char)('a' + dice(26));
    sprintf(end, "POST /v1.44/containers/%u/start HTTP/1.1\r\nHost: calf\r\nContent-Length: %u\r\n\r\n%s", target, n,
            body);
    sprintf(want + strlen(want), "%d POST /v1.44/containers/%u/start %u %lu\n", number, target, n, sum(body, n));
}

static void told(const char *want)
{
    char last[256];
    const char *line = want;
    for (const char *s; (s = strchr(line, '\n')) && s[1];)
        line = s + 1;
    snprintf(last, sizeof last, "%s", line);
    char got[8192];
    snprintf(got, sizeof got, "%s", read_until(reader.out, last, 2000));
    stop_all(&reader);
    same_text(got, want);
}

static void check_whole(void)
{
    char text[512] = "", want[256] = "";
    add_request(text, want, 1);
    tried("one request in one piece");
    reader = start_program(NULL, "./requests", NULL);
    put(text, strlen(text));
    no_more();
    told(want);
}

static void check_pieces(void)
{
    char text[1024] = "", want[512] = "";
    add_request(text, want, 1);
    add_request(text, want, 2);
    tried("two requests, byte by byte");
    reader = start_program(NULL, "./requests", NULL);
    for (size_t i = 0; text[i]; i++) {
        put(text + i, 1);
        usleep(2000);
    }
    no_more();
    told(want);
}

static void check_joined(void)
{
    char text[4096] = "", want[2048] = "";
    for (int i = 1; i <= 5; i++)
        add_request(text, want, i);
    tried("five requests in one piece");
    reader = start_program(NULL, "./requests", NULL);
    put(text, strlen(text));
    no_more();
    told(want);
}

static void check_atonce(void)
{
    char text[1024] = "", want[512] = "", rest[512] = "", want_rest[256] = "";
    add_request(text, want, 1);
    add_request(rest, want_rest, 2);
    size_t part = 1 + dice(40);
    tried("one request and the first %zu bytes of the next in one piece; the input stays open", part);
    reader = start_program(NULL, "./requests", NULL);
    put(text, strlen(text));
    put(rest, part);
    char got[1024];
    snprintf(got, sizeof got, "%s", read_until(reader.out, "\n", 1500));
    if (strcmp(got, want) != 0) {
        stop_all(&reader);
        same_text(got, want);
    }
    tried("and then the rest of the second one");
    put(rest + part, strlen(rest) - part);
    told(want_rest);
}

static void check_body(void)
{
    static const char head[] = "PUT /a HTTP/1.1\r\nX-Content-Length: 3\r\ncontent-LENGTH:19\r\n\r\n";
    char body[19], text[128], want[64];
    memcpy(body, "one\0two\r\n\r\nGET /b\r\n", sizeof body);
    body[4 + dice(3)] = (char)(200 + dice(56));
    memcpy(text, head, sizeof head - 1);
    memcpy(text + sizeof head - 1, body, sizeof body);
    snprintf(want, sizeof want, "1 PUT /a 19 %lu\n", sum(body, sizeof body));
    tried("a body of 19 bytes with a zero byte, an empty line, and a byte above 127; its head says "
          "X-Content-Length: 3 and content-LENGTH:19");
    reader = start_program(NULL, "./requests", NULL);
    put(text, sizeof head - 1 + sizeof body);
    no_more();
    told(want);
}

// Gives `text`, then perhaps the end of the input, and looks at what is told and at the exit code.
static void limit(const char *what, const char *text, bool end, const char *want, int code)
{
    char got[8192];
    tried("%s", what);
    reader = start_program(NULL, "./requests", NULL);
    put(text, strlen(text));
    if (end)
        no_more();
    int came_code = wait_program(&reader, 2000);
    snprintf(got, sizeof got, "%s", came_code < 0 ? "" : read_until(reader.out, "no such text", 200));
    stop_all(&reader);
    expected("%sand the exit code %d", want, code);
    if (came_code < 0)
        came("no end");
    else
        came("%sand the exit code %d", got, came_code);
    verdict(strcmp(got, want) == 0 && came_code == code);
}

static void check_limits(void)
{
    static char text[16384], want[64];
    memset(text, 'x', 9000);
    memcpy(text, "GET /a HTTP/1.1\r\nX: ", 20);
    limit("a head of 9000 bytes that goes on", text, false, "1 400\n", 1);
    memset(text, 0, sizeof text);
    sprintf(text, "GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: %u\r\n\r\n", 65537 + dice(1000000));
    limit("a request, and one whose body would be longer than 65536 bytes", text, false, "1 GET /a 0 0\n2 413\n", 1);
}

static void check_end(void)
{
    static const char head[] = "GET /a HTTP/1.1\r\n\r\n";
    char text[128];
    limit("the end of the input after a request", head, true, "1 GET /a 0 0\n", 0);
    snprintf(text, sizeof text, "%s%.*s", head, 1 + (int)dice(sizeof head - 4), head);
    limit("the end of the input in the head of the second request", text, true, "1 GET /a 0 0\n2 400\n", 1);
    limit("the end of the input in a body", "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nfour", true, "1 400\n", 1);
}

const struct check grade_checks[] = {
    {"whole", 10, "one request in one piece is told", check_whole, NULL},
    {"pieces", 25, "how the bytes are cut into pieces changes nothing", check_pieces, "whole"},
    {"joined", 20, "several requests in one piece are told one by one", check_joined, "whole"},
    {"atonce", 15, "a request is told as soon as its last byte is there", check_atonce, "whole"},
    {"body", 10, "a body may hold any bytes, as many as its header says", check_body, "whole"},
    {"limits", 10, "a head or a body that is too long is refused", check_limits, "whole"},
    {"end", 10, "the end of the input within a request is an error, between two it is none", check_end, "whole"},
    {0}};
