// Grades 03-4: sends frames in pieces that are not frames, and compares bytes.
#include "grade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const grade_files[] = {"demux.c", NULL};
const char *const grade_programs[] = {"demux", NULL};

static char stream[60000];
static size_t length;

static void frame(int kind, const char *text, size_t n)
{
    stream[length++] = (char)kind;
    memset(stream + length, 0, 3);
    length += 3;
    for (int shift = 24; shift >= 0; shift -= 8)
        stream[length++] = (char)(n >> shift);
    memcpy(stream + length, text, n);
    length += n;
}

static struct run got;

// Sends the stream in pieces of so many bytes, with a pause between them, and ends it.
static void send_pieces(size_t piece)
{
    struct live p = start_program(NULL, "./demux", NULL);
    for (size_t at = 0; at < length; at += piece) {
        size_t n = length - at < piece ? length - at : piece;
        if (write(p.in, stream + at, n) != (ssize_t)n)
            break; // it has ended: what it said is compared
        if (at + n < length)
            usleep(30000);
    }
    close(p.in);
    p.in = -1;
    got.code = wait_program(&p, 3000);
    memset(got.out, 0, sizeof got.out);
    for (ssize_t n; (n = read(p.out, got.out + got.out_len, RUN_OUTPUT_MAX - got.out_len)) > 0;)
        got.out_len += (size_t)n;
    snprintf(got.err, sizeof got.err, "%s", read_until(p.err, "\v", 300));
    stop_all(&p);
}

static void begin(void)
{
    length = 0;
    memset(&got, 0, sizeof got);
}

static void both(const char *out, const char *error)
{
    expected("on standard output: %s\non standard error: %s\nthe exit code 0", out, error);
    came("on standard output: %s\non standard error: %s\n%s %d", got.out, got.err,
         got.code < 0 ? "no end:" : "the exit code", got.code);
    verdict(strcmp(got.out, out) == 0 && strcmp(got.err, error) == 0 && got.code == 0);
}

static void check_one(void)
{
    char a[32], b[32];
    begin();
    snprintf(a, sizeof a, "out %u", dice(1000));
    snprintf(b, sizeof b, "err %u", dice(1000));
    frame(1, a, strlen(a));
    send_pieces(length);
    tried("a frame of stream 1 with the text %s", a);
    both(a, "");
    begin();
    frame(2, b, strlen(b));
    send_pieces(length);
    tried("a frame of stream 2 with the text %s", b);
    both("", b);
}

static void check_joined(void)
{
    char a[32];
    begin();
    snprintf(a, sizeof a, "one %u ", dice(1000));
    frame(1, a, strlen(a));
    frame(2, "oops", 4);
    frame(1, "", 0);
    frame(1, "two", 3);
    send_pieces(length);
    tried("four frames in one write: stream 1 \"%s\", stream 2 \"oops\", stream 1 with no text, stream 1 \"two\"", a);
    strcat(a, "two");
    both(a, "oops");
}

static void check_pieces(void)
{
    char a[32], b[32];
    size_t piece = 3 + dice(3);
    begin();
    snprintf(a, sizeof a, "pieces %u", dice(1000));
    snprintf(b, sizeof b, "and more %u", dice(1000));
    frame(1, a, strlen(a));
    frame(2, b, strlen(b));
    send_pieces(piece);
    tried("two frames, sent in pieces of %zu bytes", piece);
    both(a, b);
}

static void check_large(void)
{
    static char text[40000];
    begin();
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)dice(256);
    text[dice(100)] = 0;
    frame(1, text, sizeof text);
    send_pieces(length);
    tried("a frame of %zu bytes of any value, zero bytes too", sizeof text);
    expected("the same %zu bytes on standard output", sizeof text);
    came("%zu bytes%s", got.out_len,
         got.out_len == sizeof text && memcmp(got.out, text, sizeof text) != 0 ? ", but others" : "");
    verdict(got.out_len == sizeof text && memcmp(got.out, text, sizeof text) == 0);
}

static void broken(const char *out)
{
    expected("on standard output: %s\na message on standard error\nthe exit code 1", out);
    came("on standard output: %s\n%s\n%s %d", got.out, got.err[0] ? "a message on standard error" : "no message",
         got.code < 0 ? "no end:" : "the exit code", got.code);
    verdict(strcmp(got.out, out) == 0 && got.err[0] && got.code == 1);
}

static void check_cut(void)
{
    begin();
    frame(1, "whole", 5);
    frame(1, "head", 4);
    length -= 4 + 1 + dice(7);
    send_pieces(length);
    tried("a whole frame and some bytes of a second one's head");
    broken("whole");
    begin();
    frame(1, "whole", 5);
    frame(1, "text", 4);
    length -= 2;
    send_pieces(length);
    tried("a whole frame and a second one without its last two bytes of text");
    broken("wholete");
}

static void check_kind(void)
{
    begin();
    frame(1, "good", 4);
    frame(3 + (int)dice(200), "bad", 3);
    send_pieces(length);
    tried("a frame of stream 1 and a frame of stream %d", (unsigned char)stream[12]);
    broken("good");
}

const struct check grade_checks[] = {
    {"one", 15, "a frame's text goes to its stream", check_one, NULL},
    {"joined", 10, "several frames that come at once are parted", check_joined, "one"},
    {"pieces", 30, "frames that come in pieces are put together", check_pieces, "one"},
    {"large", 15, "a large frame of any bytes comes through as it is", check_large, "one"},
    {"cut", 20, "an input that ends inside a frame is reported", check_cut, "one"},
    {"kind", 10, "a frame of another stream is reported", check_kind, "one"},
    {0}};
