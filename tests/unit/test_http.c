/* Reading HTTP: heads, limits, time, order. Bodies have test_http_body.c. The F-numbers are rows of the fault table
 * (spec/security.md section 4.3).
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
    for (size_t i = 0; i < COUNT(part); i++) {
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
    for (size_t i = 0; i < COUNT(row); i++) {
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
    TCase *t = unit_case(s, "all");
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, head_is_refused, 0, COUNT(bad_head));
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
    tcase_add_test(t, pipelined_requests_are_read_one_by_one);
    tcase_add_test(t, taker_gets_what_was_read_too_many);
    tcase_add_test(t, peer_that_leaves_is_noticed);
    return unit_run(s);
}
