/* Reading HTTP: heads, bodies, limits, time. The F-numbers are rows of the fault table (spec/security.md section 4.3).
 */
#include "base/clock.h"
#include "base/str.h"
#include "http_rig.h"

#include <stdio.h>

#define HOST "Host: x\r\n"

/* ---- requests that are refused at their head ---- */

static const struct {
    const char *what, *text;
    enum err_kind kind;
} bad_head[] = {
    {"F40 no Host", "GET / HTTP/1.1\r\n\r\n", ERR_INVALID},
    {"F40 two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", ERR_INVALID},
    {"F40 two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", ERR_INVALID},
    {"Host with a slash", "GET / HTTP/1.1\r\nHost: /run/x.sock\r\n\r\n", ERR_INVALID},
    {"Host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", ERR_INVALID},
    {"F43 length and coding", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
     ERR_INVALID},
    {"F43 coding and length", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
     ERR_INVALID},
    {"F44 two lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", ERR_INVALID},
    {"F44 the same length twice", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\ncontent-length: 3\r\n\r\n",
     ERR_INVALID},
    {"F44 a list of lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\n", ERR_INVALID},
    {"F44 negative length", "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", ERR_INVALID},
    {"length with a sign", "POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", ERR_INVALID},
    {"length in hex", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x10\r\n\r\n", ERR_INVALID},
    {"empty length", "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", ERR_INVALID},
    {"length over 2^63", "POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\n", ERR_INVALID},
    {"length over 2^64", "POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n", ERR_INVALID},
    {"other coding", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", ERR_NOT_IMPLEMENTED},
    {"coding before chunked", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
     ERR_NOT_IMPLEMENTED},
    {"almost chunked", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", ERR_NOT_IMPLEMENTED},
    {"chunked twice", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     ERR_INVALID},
    {"empty coding", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \r\n\r\n", ERR_INVALID},
    {"coding in 1.0", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", ERR_INVALID},
    {"F54 bare LF", "GET / HTTP/1.1\n" HOST "\n", ERR_INVALID},
    {"F54 bare LF in the middle", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", ERR_INVALID},
    {"bare CR", "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", ERR_INVALID},
    {"bare CR that would hide a header", "GET / HTTP/1.1\r\nHost: x\rXC: d\r\n\r\n", ERR_INVALID},
    {"F54 folded line", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", ERR_INVALID},
    {"folded with a tab", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n", ERR_INVALID},
    {"blank first header line", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", ERR_INVALID},
    {"F55 blank before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", ERR_INVALID},
    {"no colon", "GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n", ERR_INVALID},
    {"no name", "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", ERR_INVALID},
    {"control byte in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: \001\r\n\r\n", ERR_INVALID},
    {"DEL in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: \177\r\n\r\n", ERR_INVALID},
    {"F55 HTTP/9.9", "GET / HTTP/9.9\r\n" HOST "\r\n", ERR_HTTP_VERSION},
    {"HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", ERR_HTTP_VERSION},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ERR_HTTP_VERSION},
    {"HTTP/0.9", "GET /\r\n\r\n", ERR_INVALID},
    {"lower-case version", "GET / http/1.1\r\n" HOST "\r\n", ERR_INVALID},
    {"long version", "GET / HTTP/1.10\r\n" HOST "\r\n", ERR_INVALID},
    {"blank behind the version", "GET / HTTP/1.1 \r\n" HOST "\r\n", ERR_INVALID},
    {"two blanks", "GET  / HTTP/1.1\r\n" HOST "\r\n", ERR_INVALID},
    {"blank first", " GET / HTTP/1.1\r\n" HOST "\r\n", ERR_INVALID},
    {"tab as a blank", "GET\t/\tHTTP/1.1\r\n" HOST "\r\n", ERR_INVALID},
    {"odd method", "GE(T / HTTP/1.1\r\n" HOST "\r\n", ERR_INVALID},
    {"no method", " / HTTP/1.1\r\n" HOST "\r\n", ERR_INVALID},
    {"byte above 127 in the target", "GET /\303\251 HTTP/1.1\r\n" HOST "\r\n", ERR_INVALID},
    {"F55 garbage", "hello, world\r\n\r\n", ERR_INVALID},
    {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", ERR_INVALID},
    {"CR first", "\rGET / HTTP/1.1\r\n" HOST "\r\n", ERR_INVALID},
};

START_TEST(head_is_refused)
{
    struct rig r = rig_new();
    struct http_head head;
    struct err e = {0};
    rig_feed(&r, bad_head[_i].text);
    int got = http_read_request(&r.h, &head, &e);
    ck_assert_msg(got == -1 && e.kind == bad_head[_i].kind, "%s: returned %d, kind %d, \"%s\"", bad_head[_i].what, got,
                  (int)e.kind, e.msg);
    ck_assert_msg(r.h.broken, "%s: the connection could be used again", bad_head[_i].what);
    ck_assert_int_eq(http_read_request(&r.h, &head, &e), 0);
    rig_free(&r);
}
END_TEST

/* Refused at the offending byte: the peer does not send an end, and a wait for one would be ERR_TIMEOUT. */
START_TEST(head_is_refused_early)
{
    static const struct {
        const char *p;
        size_t n;
    } part[] = {{"\x16\x03\x01\x02\x00\x01", 6}, /* F55: a TLS client hello */
                {"GET / HTTP/1.1\r\nA: b\0", 21},
                {"GET / HTTP/1.1\n", 15},
                {"GET /\x7f", 6},
                {"\n", 1}};
    for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
        struct rig r = rig_new();
        struct http_head head;
        struct err e = {0};
        rig_feedn(&r, part[i].p, part[i].n);
        ck_assert_int_eq(http_read_request(&r.h, &head, &e), -1);
        ck_assert_msg(e.kind == ERR_INVALID, "part %zu: %s", i, e.msg);
        rig_free(&r);
    }
}
END_TEST

/* ---- F47: limits ---- */

static char *head_of_size(size_t n)
{
    char *s = malloc(n + 1);
    int k = snprintf(s, n + 1, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
    memset(s + k, 'a', n - (size_t)k);
    memcpy(s + n - 4, "\r\n\r\n", 5);
    return s;
}

struct trickle {
    int fd, every_ms;
    const char *text;
};

static void *wait_then_feed(void *arg)
{
    struct trickle *t = arg;
    sleep_ms(t->every_ms);
    fd_write_all(t->fd, t->text, strlen(t->text));
    return NULL;
}

START_TEST(head_size_has_a_limit)
{
    for (int over = 0; over <= 1; over++) {
        struct rig r = rig_new();
        struct http_head head;
        struct err e = {0};
        pthread_t t;
        size_t n = HTTP_HEAD_MAX + (size_t)over;
        char *s = head_of_size(n);
        struct trickle last = {r.peer, 30, s + n - 1}; /* the last byte comes by itself */
        rig_feedn(&r, s, n - 1);
        ck_assert_int_eq(pthread_create(&t, NULL, wait_then_feed, &last), 0);
        int got = http_read_request(&r.h, &head, &e);
        if (over) {
            ck_assert_int_eq(got, -1);
            ck_assert_int_eq(e.kind, ERR_HEAD_TOO_LARGE);
        } else {
            ck_assert_msg(got == 1, "%s", e.msg);
            ck_assert_uint_eq(head.size, HTTP_HEAD_MAX);
            http_head_release(&head);
        }
        pthread_join(t, NULL);
        free(s);
        rig_free(&r);
    }
}
END_TEST

static void *feed_forever(void *arg)
{
    struct rig *r = arg;
    char block[4096];
    memset(block, 'a', sizeof(block));
    while (send(r->peer, block, sizeof(block), MSG_NOSIGNAL) > 0)
        ;
    return NULL;
}

START_TEST(endless_head_is_bounded)
{
    struct rig r = rig_new();
    struct http_head head;
    struct err e = {0};
    pthread_t t;
    ck_assert_int_eq(pthread_create(&t, NULL, feed_forever, &r), 0);
    ck_assert_int_eq(http_read_request(&r.h, &head, &e), -1);
    ck_assert_int_eq(e.kind, ERR_HEAD_TOO_LARGE);
    ck_assert_uint_le(r.h.cap, HTTP_HEAD_MAX);
    ck_assert_uint_le(r.h.bytes_in, HTTP_HEAD_MAX);
    http_release(&r.h);
    pthread_join(t, NULL);
    rig_free(&r);
}
END_TEST

START_TEST(header_count_has_a_limit)
{
    for (int n = HTTP_HEADERS_MAX; n <= HTTP_HEADERS_MAX + 1; n++) {
        struct rig r = rig_new();
        struct http_head head;
        struct err e = {0};
        rig_feed(&r, "GET / HTTP/1.1\r\nHost: x\r\n");
        for (int i = 1; i < n; i++)
            rig_feed(&r, "A: b\r\n");
        rig_feed(&r, "\r\n");
        int got = http_read_request(&r.h, &head, &e);
        ck_assert_int_eq(got, n <= HTTP_HEADERS_MAX ? 1 : -1);
        if (got > 0)
            http_head_release(&head);
        else
            ck_assert_int_eq(e.kind, ERR_HEAD_TOO_LARGE);
        rig_free(&r);
    }
}
END_TEST

/* ---- requests that are taken ---- */

START_TEST(head_is_parsed)
{
    struct rig r = rig_new();
    struct http_head h;
    struct err e;
    rig_feed(&r, "POST /v1.44/x?a=1 HTTP/1.1\r\nhOST: [::1]:80\r\nEmpty:\r\nA: \t b \xe9 c\t \r\nA: second\r\n"
                 "Content-Length: 5\r\nConnection: keep-alive, Upgrade\r\nUpgrade: tcp\r\n\r\nhello");
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), 1);
    ck_assert_str_eq(h.method, "POST");
    ck_assert_str_eq(h.target, "/v1.44/x?a=1");
    ck_assert_int_eq(h.minor, 1);
    ck_assert_uint_eq(h.headers, 7);
    ck_assert_str_eq(http_header(&h, "host"), "[::1]:80");
    ck_assert_str_eq(http_header(&h, "EMPTY"), "");
    ck_assert_str_eq(http_header(&h, "a"), "b \xe9 c");
    ck_assert_ptr_null(http_header(&h, "B"));
    ck_assert(h.keep_alive && h.upgrade && !h.expect_continue);
    ck_assert_int_eq(h.body, HTTP_BODY_LENGTH);
    ck_assert_uint_eq(h.length, 5);
    http_head_release(&h);
    rig_free(&r);
}
END_TEST

START_TEST(keep_alive_rules)
{
    static const struct {
        const char *version, *connection;
        bool keep;
    } row[] = {{"1.1", "", true},
               {"1.1", "Connection: close\r\n", false},
               {"1.1", "Connection: x, CLOSE\r\n", false},
               {"1.1", "Connection: x\r\nConnection: close\r\n", false},
               {"1.1", "Connection: closed\r\n", true},
               {"1.0", "", false},
               {"1.0", "Connection: Keep-Alive\r\n", true},
               {"1.0", "Connection: keep-alive, close\r\n", false}};
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct rig r = rig_new();
        struct http_head h;
        struct err e = {0};
        char text[256];
        for (int k = 0; k < 2; k++) {
            snprintf(text, sizeof(text), "GET / HTTP/%s\r\nHost: x\r\n%s\r\n", row[i].version, row[i].connection);
            rig_feed(&r, text);
        }
        ck_assert_int_eq(http_read_request(&r.h, &h, &e), 1);
        ck_assert_msg(h.keep_alive == row[i].keep, "row %zu", i);
        struct http_head next;
        ck_assert_int_eq(http_write_whole(&r.h, &h, 204, NULL, NULL, 0, &e), 0);
        ck_assert_int_eq(http_read_request(&r.h, &next, &e), row[i].keep ? 1 : 0);
        http_head_release(&h);
        if (row[i].keep)
            http_head_release(&next);
        rig_free(&r);
    }
}
END_TEST

START_TEST(host_may_be_missing_in_1_0)
{
    struct rig r = rig_new();
    struct http_head h;
    struct err e;
    rig_feed(&r, "\r\nGET / HTTP/1.0\r\n\r\n"); /* and one empty line before a request is overlooked */
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), 1);
    http_head_release(&h);
    rig_free(&r);
}
END_TEST

START_TEST(quiet_ends_are_no_errors)
{
    struct rig r = rig_new();
    struct http_head h;
    struct err e = {0};
    rig_eof(&r);
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), 0);
    ck_assert_int_eq(e.kind, ERR_NONE);
    rig_free(&r);

    r = rig_new();
    r.h.idle_timeout_ms = 30;
    rig_feed(&r, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), 1);
    http_head_release(&h);
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), 0);
    ck_assert_ptr_null(r.h.buf); /* F31: an idle connection holds no buffer */
    rig_free(&r);

    r = rig_new();
    rig_feed(&r, "GET / HT");
    rig_eof(&r);
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), -1); /* but half a head is one */
    ck_assert_int_eq(e.kind, ERR_INVALID);
    rig_free(&r);
}
END_TEST

/* ---- F58: time ---- */

static void *trickle(void *arg)
{
    struct trickle *t = arg;
    for (const char *c = t->text; *c; c++) {
        if (send(t->fd, c, 1, MSG_NOSIGNAL) < 0)
            break;
        sleep_ms(t->every_ms);
    }
    return NULL;
}

START_TEST(slow_head_times_out)
{
    struct rig r = rig_new();
    struct http_head h;
    struct err e = {0};
    pthread_t t;
    struct trickle slow = {r.peer, 20,
                           "GET / HTTP/1.1\r\nHost: a-very-long-name-that-takes-more-than-a-second\r\n\r\n"};
    r.h.head_timeout_ms = 200;
    r.h.idle_timeout_ms = 60000;
    ck_assert_int_eq(pthread_create(&t, NULL, trickle, &slow), 0);
    int64_t start = clock_mono();
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), -1);
    int64_t took = (clock_mono() - start) / NS_PER_MS;
    ck_assert_int_eq(e.kind, ERR_TIMEOUT);
    ck_assert_msg(took >= 190 && took < 900, "took %d ms", (int)took);
    http_release(&r.h);
    pthread_join(t, NULL);
    rig_free(&r);
}
END_TEST

START_TEST(head_time_counts_from_its_first_byte)
{
    struct rig r = rig_new();
    struct http_head h;
    struct err e = {0};
    pthread_t t;
    /* idle for longer than a head may take, then quick */
    struct trickle late = {r.peer, 300, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"};
    r.h.head_timeout_ms = 100;
    ck_assert_int_eq(pthread_create(&t, NULL, wait_then_feed, &late), 0);
    ck_assert_msg(http_read_request(&r.h, &h, &e) == 1, "%s", e.msg);
    pthread_join(t, NULL);
    http_head_release(&h);
    rig_free(&r);
}
END_TEST

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

/* ---- more than one request ---- */

START_TEST(pipelined_requests_are_read_one_by_one)
{
    struct rig r = rig_new();
    struct http_head h;
    struct err e;
    /* F60; the second is chunked, and its body is left unread: the third must be found behind it */
    rig_feed(&r, "POST /1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                 "POST /2 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n"
                 "GET /3 HTTP/1.1\r\n" HOST "\r\n");
    const char *target[] = {"/1", "/2", "/3"};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(http_read_request(&r.h, &h, &e), 1);
        ck_assert_str_eq(h.target, target[i]);
        http_head_release(&h);
        if (i == 0) {
            autofree char *body = http_read_body_all(&r.h, 100, NULL, &e);
            ck_assert_str_eq(body, "abc");
        }
    }
    rig_eof(&r);
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), 0);
    rig_free(&r);
}
END_TEST

START_TEST(taker_gets_what_was_read_too_many)
{
    struct rig r = rig_new();
    struct http_head h;
    struct err e;
    char part[100], *rest;
    size_t n;
    rig_feed(&r, "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n{}input");
    ck_assert_int_eq(http_read_request(&r.h, &h, &e), 1);
    ck_assert(h.upgrade);
    ck_assert_int_eq(http_drain_body(&r.h, 1000, &e), 0);
    int fd = http_take(&r.h, &rest, &n);
    ck_assert_uint_eq(n, 5);
    ck_assert_mem_eq(rest, "input", 5);
    ck_assert_int_eq(r.h.fd, -1);
    free(rest);
    rig_feed(&r, "more");
    ck_assert_int_eq(read(fd, part, sizeof(part)), 4);
    close(fd);
    http_head_release(&h);
    rig_free(&r);

    r = rig_new();
    fd = http_take(&r.h, &rest, &n);
    ck_assert(rest == NULL && n == 0 && fd >= 0);
    close(fd);
    rig_free(&r);
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

/* ---- the peer ---- */

START_TEST(peer_that_leaves_is_noticed)
{
    struct rig r = rig_new();
    ck_assert_int_eq(http_peek_peer(&r.h), 0);
    rig_feed(&r, "x");
    ck_assert_int_eq(http_peek_peer(&r.h), 1);
    rig_free(&r);
    r = rig_new();
    rig_eof(&r);
    ck_assert_int_eq(http_peek_peer(&r.h), 1); /* a half-close is not a disconnect (spec/api.md section 3.4) */
    close(r.peer);
    r.peer = -1;
    ck_assert_int_eq(http_peek_peer(&r.h), -1);
    rig_free(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http: reading");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, head_is_refused, 0, sizeof(bad_head) / sizeof(bad_head[0]));
    tcase_add_test(t, head_is_refused_early);
    tcase_add_test(t, head_size_has_a_limit);
    tcase_add_test(t, endless_head_is_bounded);
    tcase_add_test(t, header_count_has_a_limit);
    tcase_add_test(t, head_is_parsed);
    tcase_add_test(t, keep_alive_rules);
    tcase_add_test(t, host_may_be_missing_in_1_0);
    tcase_add_test(t, quiet_ends_are_no_errors);
    tcase_add_test(t, slow_head_times_out);
    tcase_add_test(t, head_time_counts_from_its_first_byte);
    tcase_add_loop_test(t, body_is_read, 0, sizeof(bodies) / sizeof(bodies[0]));
    tcase_add_test(t, floods_of_chunks_are_bounded);
    tcase_add_test(t, chunk_line_has_a_limit);
    tcase_add_test(t, slow_body_times_out);
    tcase_add_test(t, whole_body_has_a_limit);
    tcase_add_test(t, pipelined_requests_are_read_one_by_one);
    tcase_add_test(t, taker_gets_what_was_read_too_many);
    tcase_add_test(t, continue_is_sent_when_the_body_is_wanted);
    tcase_add_test(t, refusal_before_continue_ends_the_connection);
    tcase_add_test(t, continue_is_not_for_1_0_or_no_body);
    tcase_add_test(t, peer_that_leaves_is_noticed);
    suite_add_tcase(s, t);
    return run_suite(s);
}
