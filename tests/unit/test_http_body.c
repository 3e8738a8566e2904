/* Reading bodies: framing, limits, time, 100 Continue. The F-numbers are rows of the fault table (spec/security.md
 * section 4.3). */
#include "base/clock.h"
#include "base/str.h"
#include "http_rig.h"

#include <stdio.h>

#define HOST "Host: x\r\n"

/* ---- bodies ---- */

#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static char *read_all(struct rig *r, const char *text, bool eof, struct err *e)
{
    struct http_head h;
    rig_feed(r, text);
    if (eof)
        rig_eof(r);
    ck_assert_msg(http_read_request(&r->h, &h, e) == 1, "%s", e->msg);
    http_head_release(&h);
    return http_read_body_all(&r->h, 1 << 20, NULL, e);
}

static const struct {
    const char *what, *text, *body; /* body NULL: ERR_INVALID */
} bodies[] = {
    {"none", "GET / HTTP/1.1\r\n" HOST "\r\n", ""},
    {"length", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "hello"},
    {"length 0", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", ""},
    {"F59 shorter than its length", "POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nhello", NULL},
    {"chunked", CHUNKED "5\r\nhello\r\n0\r\n\r\n", "hello"},
    {"Chunked", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "hi"},
    {"several chunks", CHUNKED "2\r\nhe\r\n003\r\nllo\r\n000\r\n\r\n", "hello"},
    {"hex of both cases", CHUNKED "a\r\n0123456789\r\nB\r\nabcdefghijk\r\n0\r\n\r\n", "0123456789abcdefghijk"},
    {"F46 extensions and trailers", CHUNKED "2;a=b;c=\"d\"\r\nhi\r\n0 ; x\r\nA: b\r\nC: d\r\n\r\n", "hi"},
    {"F45 not a number", CHUNKED "xyz\r\n", NULL},
    {"F45 empty size", CHUNKED "\r\n", NULL},
    {"F45 over 2^64", CHUNKED "10000000000000000\r\n", NULL},
    {"F45 2^64+5", CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", NULL},
    {"seventeen digits", CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n", NULL},
    {"F45 2^64-1", CHUNKED "ffffffffffffffff\r\nx", NULL},
    {"F45 negative", CHUNKED "-1\r\n", NULL},
    {"F45 0x", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", NULL},
    {"blank before the size", CHUNKED " 5\r\nhello\r\n0\r\n\r\n", NULL},
    {"blank behind the size", CHUNKED "5 \r\nhello\r\n0\r\n\r\n", NULL},
    {"data longer than its size", CHUNKED "4\r\nhello\r\n0\r\n\r\n", NULL},
    {"no line end behind the data", CHUNKED "5\r\nhelloXX0\r\n\r\n", NULL},
    {"data shorter than its size", CHUNKED "6\r\nhello\r\n0\r\n\r\n", NULL},
    {"bare LF behind the size", CHUNKED "5\nhello\r\n0\r\n\r\n", NULL},
    {"bare LF behind the data", CHUNKED "5\r\nhello\n0\r\n\r\n", NULL},
    {"bare LF in an extension", CHUNKED "5;a\nb\r\nhello\r\n0\r\n\r\n", NULL},
    {"bare LF in a trailer", CHUNKED "0\r\nA: b\n\r\n", NULL},
    {"control byte in an extension", CHUNKED "5;\001\r\nhello\r\n0\r\n\r\n", NULL},
    {"F46 no last chunk", CHUNKED "5\r\nhello\r\n", NULL},
    {"F46 last chunk without its end", CHUNKED "5\r\nhello\r\n0\r\n", NULL},
};

START_TEST(body_is_read)
{
    struct rig r = rig_new();
    struct err e = {0};
    autofree char *got = read_all(&r, bodies[_i].text, true, &e);
    if (bodies[_i].body) {
        ck_assert_msg(got != NULL, "%s: %s", bodies[_i].what, e.msg);
        ck_assert_msg(strcmp(got, bodies[_i].body) == 0, "%s: \"%s\"", bodies[_i].what, got);
    } else {
        ck_assert_msg(!got && e.kind == ERR_INVALID && r.h.broken, "%s: \"%s\" kind %d", bodies[_i].what,
                      got ? got : e.msg, (int)e.kind);
    }
    rig_free(&r);
}
END_TEST

struct flood {
    int fd;
    const char *piece;
    int n;
};

static void *flood(void *arg)
{
    struct flood *f = arg;
    size_t k = strlen(f->piece), many = 1000;
    char *block = malloc(k * many);
    for (size_t i = 0; i < many; i++)
        memcpy(block + i * k, f->piece, k);
    for (int i = 0; i < f->n; i += (int)many)
        if (send(f->fd, block, k * many, MSG_NOSIGNAL) < 0)
            break;
    free(block);
    send(f->fd, "0\r\n\r\n", 5, MSG_NOSIGNAL);
    return NULL;
}

/* @return body bytes read before an error, or -1 without one */
static int64_t read_flood(const char *before, const char *piece, int n)
{
    struct rig r = rig_new();
    struct http_head h;
    struct err e = {0};
    struct flood f = {r.peer, piece, n};
    pthread_t t;
    rig_feed(&r, before);
    ck_assert_int_eq(pthread_create(&t, NULL, flood, &f), 0);
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), 1);
    http_head_release(&h);
    char part[4096];
    int64_t have = 0;
    ssize_t k;
    while ((k = http_read_body(&r.h, part, sizeof(part), &e)) > 0)
        have += k;
    ck_assert(k == 0 || e.kind == ERR_INVALID);
    ck_assert_uint_le(r.h.cap, HTTP_HEAD_MAX);
    http_release(&r.h);
    pthread_join(t, NULL);
    rig_free(&r);
    return k < 0 ? have : -1;
}

START_TEST(floods_of_chunks_are_bounded)
{
    /* F46: a million one-byte chunks are stopped near the limit; as many chunks of useful size are not */
    int64_t at = read_flood(CHUNKED, "1\r\nx\r\n", 1000000);
    ck_assert_msg(at >= HTTP_CHUNKS_FREE && at < HTTP_CHUNKS_FREE * 2, "stopped at %lld", (long long)at);
    ck_assert_int_eq(read_flood(CHUNKED, "1\r\nx\r\n", 60000), -1);
    ck_assert_int_eq(read_flood(CHUNKED, "14\r\n12345678901234567890\r\n", 200000), -1);
    at = read_flood(CHUNKED, "1;extension=of-no-use-at-all-to-anybody\r\nx\r\n", 1000000);
    ck_assert_msg(at > 0 && at < HTTP_EXTRAS_MAX / 8, "stopped at %lld", (long long)at);
    ck_assert_int_eq(read_flood(CHUNKED "0\r\n", "Trailer: of-no-use\r\n", 1000000), 0);
}
END_TEST

START_TEST(chunk_line_has_a_limit)
{
    struct rig r = rig_new();
    struct err e = {0};
    char *text = malloc(20000);
    int n = snprintf(text, 20000, "%s2;", CHUNKED);
    memset(text + n, 'x', 9000);
    memcpy(text + n + 9000, "\r\nhi\r\n0\r\n\r\n", 12);
    ck_assert_ptr_null(read_all(&r, text, false, &e));
    ck_assert_int_eq(e.kind, ERR_INVALID);
    free(text);
    rig_free(&r);
}
END_TEST

START_TEST(slow_body_times_out)
{
    struct rig r = rig_new();
    struct err e = {0};
    pthread_t t;
    r.h.idle_timeout_ms = 100;
    ck_assert_ptr_null(read_all(&r, "POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nhello", false, &e));
    ck_assert_int_eq(e.kind, ERR_TIMEOUT);
    rig_free(&r);

    /* F58: a byte now and then is never silence, yet a body that is read whole has an end */
    r = rig_new();
    r.h.whole_timeout_ms = 200;
    struct trickle slow = {r.peer, 20, "a body that takes a second or more at this speed, and more than it may"};
    rig_feed(&r, "POST / HTTP/1.1\r\n" HOST "Content-Length: 70\r\n\r\n");
    ck_assert_int_eq(pthread_create(&t, NULL, trickle, &slow), 0);
    int64_t start = clock_mono();
    ck_assert_ptr_null(read_all(&r, "", false, &e));
    ck_assert_int_eq(e.kind, ERR_TIMEOUT);
    ck_assert_int_lt((clock_mono() - start) / NS_PER_MS, 900);
    http_release(&r.h);
    pthread_join(t, NULL);
    rig_free(&r);
}
END_TEST

START_TEST(whole_body_has_a_limit)
{
    static const char *const text[] = {"POST / HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\nhello world",
                                       CHUNKED "b\r\nhello world\r\n0\r\n\r\n"};
    for (size_t limit = 10; limit <= 11; limit++)
        for (int i = 0; i < 2; i++) {
            struct rig r = rig_new();
            struct http_head h;
            struct err e = {0};
            size_t n = 0;
            rig_feed(&r, text[i]);
            ck_assert_int_eq(http_read_request(&r.h, &h, &e), 1);
            http_head_release(&h);
            autofree char *got = http_read_body_all(&r.h, limit, &n, &e);
            if (limit == 11) {
                ck_assert_str_eq(got, "hello world");
                ck_assert_uint_eq(n, 11);
            } else {
                ck_assert_ptr_null(got);
                ck_assert_int_eq(e.kind, ERR_TOO_LARGE);
            }
            rig_free(&r);
        }
}
END_TEST

/* ---- Expect: 100-continue ---- */

#define EXPECT "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n"

START_TEST(continue_is_sent_when_the_body_is_wanted)
{
    struct rig r = rig_new();
    struct http_head h;
    struct err e;
    rig_feed(&r, EXPECT);
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), 1);
    ck_assert(h.expect_continue);
    ck_assert_str_eq(rig_seen(&r), "");
    rig_feed(&r, "hello");
    char part[10];
    ck_assert_int_eq(http_read_body(&r.h, part, 2, &e), 2);
    ck_assert_str_eq(rig_seen(&r), "HTTP/1.1 100 Continue\r\n\r\n");
    ck_assert_int_eq(http_read_body(&r.h, part, 10, &e), 3);
    ck_assert_int_eq(http_read_body(&r.h, part, 10, &e), 0);
    ck_assert_str_eq(rig_seen(&r), "");
    http_head_release(&h);
    rig_free(&r);
}
END_TEST

START_TEST(refusal_before_continue_ends_the_connection)
{
    struct rig r = rig_new();
    struct http_head h, next;
    struct err e;
    rig_feed(&r, EXPECT);
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), 1);
    ck_assert_ptr_null(http_read_body_all(&r.h, 4, NULL, &e)); /* too long: no Continue for that */
    ck_assert_int_eq(e.kind, ERR_TOO_LARGE);
    ck_assert_str_eq(rig_seen(&r), "");
    ck_assert_int_eq(http_write_whole(&r.h, &h, 413, NULL, "", 0, &e), 0);
    ck_assert_ptr_nonnull(strstr(rig_seen(&r), "Connection: close\r\n"));
    ck_assert_int_eq(http_read_request(&r.h, &next, &e), 0);
    http_head_release(&h);
    rig_free(&r);
}
END_TEST

START_TEST(continue_is_not_for_1_0_or_no_body)
{
    static const char *const text[] = {"POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
                                       "GET / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n"};
    for (int i = 0; i < 2; i++) {
        struct rig r = rig_new();
        struct err e = {0};
        autofree char *body = read_all(&r, text[i], false, &e);
        ck_assert_ptr_nonnull(body);
        ck_assert_str_eq(rig_seen(&r), "");
        rig_free(&r);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http: bodies");
    TCase *t = unit_case(s, "all");
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, body_is_read, 0, COUNT(bodies));
    tcase_add_test(t, floods_of_chunks_are_bounded);
    tcase_add_test(t, chunk_line_has_a_limit);
    tcase_add_test(t, slow_body_times_out);
    tcase_add_test(t, whole_body_has_a_limit);
    tcase_add_test(t, continue_is_sent_when_the_body_is_wanted);
    tcase_add_test(t, refusal_before_continue_ends_the_connection);
    tcase_add_test(t, continue_is_not_for_1_0_or_no_body);
    return unit_run(s);
}
