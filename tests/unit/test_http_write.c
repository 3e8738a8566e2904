/* Writing HTTP, byte for byte; and reading answers, the client's half. */
#include "base/str.h"
#include "http_rig.h"

#include <errno.h>
#include <stdio.h>

static struct http_head request(const char *method, int minor, bool keep)
{
    return (struct http_head){.method = method, .minor = minor, .keep_alive = keep};
}

START_TEST(upgrade_head_is_exact)
{
    /* spec/api.md section 3.3: these lines, in this order, and nothing else */
    static const struct http_field f[] = {{"Content-Type", "application/vnd.docker.raw-stream"},
                                          {"Connection", "Upgrade"},
                                          {"Upgrade", "tcp"},
                                          {NULL, NULL}};
    struct rig r = rig_new();
    struct http_head q = request("POST", 1, true);
    struct err e;
    ck_assert_int_eq(http_write_response(&r.h, &q, 101, f, -2, &e), 0);
    ck_assert_str_eq(rig_seen(&r), "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
                                   "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    ck_assert(r.h.last);
    rig_free(&r);
}
END_TEST

static const struct {
    const char *what, *method;
    int minor, keep, status;
    int64_t length;
    const char *want; /* behind the status line and "A: b" */
} row[] = {
    {"length", "GET", 1, 1, 200, 5, "Content-Length: 5\r\n\r\nhello"},
    {"length 0", "GET", 1, 1, 200, 0, "Content-Length: 0\r\n\r\n"},
    {"chunked", "GET", 1, 1, 200, -1, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
    {"until close", "GET", 1, 1, 200, -2, "Connection: close\r\n\r\nhello"},
    {"not kept", "GET", 1, 0, 200, 5, "Content-Length: 5\r\nConnection: close\r\n\r\nhello"},
    {"HEAD", "HEAD", 1, 1, 200, 5, "Content-Length: 5\r\n\r\n"},
    {"HEAD chunked", "HEAD", 1, 1, 200, -1, "Transfer-Encoding: chunked\r\n\r\n"},
    {"204", "POST", 1, 1, 204, 0, "\r\n"},
    {"204 not kept", "POST", 1, 0, 204, 0, "Connection: close\r\n\r\n"},
    {"304", "POST", 1, 1, 304, 0, "\r\n"},
    {"1.0", "GET", 0, 0, 200, 5, "Content-Length: 5\r\nConnection: close\r\n\r\nhello"},
    {"1.0 kept", "GET", 0, 1, 200, 5, "Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"},
    {"1.0 has no chunks", "GET", 0, 1, 200, -1, "Connection: close\r\n\r\nhello"},
};

START_TEST(response_framing)
{
    static const struct http_field f[] = {{"A", "b"}, {NULL, NULL}};
    struct rig r = rig_new();
    struct http_head q = request(row[_i].method, row[_i].minor, row[_i].keep);
    struct err e;
    bool body = row[_i].length != 0;
    ck_assert_int_eq(http_write_response(&r.h, &q, row[_i].status, f, row[_i].length, &e), 0);
    ck_assert_int_eq(http_write_body(&r.h, "", 0, &e), 0);
    ck_assert_int_eq(http_write_body(&r.h, "hello", body ? 5 : 0, &e), 0);
    ck_assert_int_eq(http_write_end(&r.h, &e), 0);
    char want[300];
    snprintf(want, sizeof(want), "HTTP/1.1 %d %s\r\nA: b\r\n%s", row[_i].status, http_reason(row[_i].status),
             row[_i].want);
    const char *seen = rig_seen(&r);
    ck_assert_msg(strcmp(seen, want) == 0, "%s:\n%s", row[_i].what, seen);
    ck_assert_msg(r.h.last == (strstr(want, "Connection: close") != NULL), "%s", row[_i].what);
    rig_free(&r);
}
END_TEST

START_TEST(whole_response_is_one_segment)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0); /* shows the segments */
    struct http h;
    http_init(&h, pair[0]);
    struct http_head q = request("GET", 1, true), head = request("HEAD", 1, true);
    struct err e;
    char seen[1000];
    static const struct http_field f[] = {{"Content-Type", "application/json"}, {NULL, NULL}};
    ck_assert_int_eq(http_write_whole(&h, &q, 404, f, "{}\n", 3, &e), 0);
    ssize_t n = recv(pair[1], seen, sizeof(seen) - 1, 0);
    seen[n] = '\0';
    ck_assert_str_eq(seen, "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{}\n");
    ck_assert_int_eq(http_write_whole(&h, &head, 404, f, "{}\n", 3, &e), 0);
    n = recv(pair[1], seen, sizeof(seen) - 1, 0);
    ck_assert(n > 4 && memcmp(seen + n - 4, "\r\n\r\n", 4) == 0);
    ck_assert_int_eq(http_write_response(&h, &q, 200, NULL, -1, &e), 0);
    ck_assert_int_eq(http_write_body(&h, "0123456789abcdefg", 17, &e), 0);
    ck_assert_int_gt(recv(pair[1], seen, sizeof(seen), 0), 0);
    n = recv(pair[1], seen, sizeof(seen) - 1, 0); /* size, data and line end in one */
    seen[n] = '\0';
    ck_assert_str_eq(seen, "11\r\n0123456789abcdefg\r\n");
    http_release(&h);
    close(pair[1]);
}
END_TEST

START_TEST(nothing_can_be_injected)
{
    static const struct http_field bad[][2] = {{{"Location", "/x\r\nSet-Cookie: a"}, {NULL, NULL}},
                                               {{"A", "b\nc"}, {NULL, NULL}},
                                               {{"A", "\x7f"}, {NULL, NULL}},
                                               {{"A: b\r\nC", "d"}, {NULL, NULL}},
                                               {{"A ", "d"}, {NULL, NULL}}};
    struct rig r = rig_new();
    struct http_head q = request("GET", 1, true);
    struct err e = {0};
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_int_eq(http_write_response(&r.h, &q, 200, bad[i], 0, &e), -1);
        ck_assert_int_eq(e.kind, ERR_INVALID);
        ck_assert_int_eq(http_write_request(&r.h, "GET", "/", bad[i], 0, &e), -1);
    }
    static const char *const target[] = {"", "/a b", "/a\r\nX: y", "/\303\251"};
    for (size_t i = 0; i < COUNT(target); i++)
        ck_assert_int_eq(http_write_request(&r.h, "GET", target[i], NULL, 0, &e), -1);
    ck_assert_int_eq(http_write_request(&r.h, "G T", "/", NULL, 0, &e), -1);
    ck_assert_str_eq(rig_seen(&r), "");
    rig_free(&r);
}
END_TEST

START_TEST(announced_length_is_kept)
{
    struct http_head q = request("GET", 1, true);
    struct err e;
    struct rig r = rig_new();
    ck_assert_int_eq(http_write_response(&r.h, &q, 200, NULL, 5, &e), 0);
    ck_assert_int_eq(http_write_body(&r.h, "hello!", 6, &e), -1);
    ck_assert(r.h.broken);
    rig_free(&r);
    r = rig_new();
    ck_assert_int_eq(http_write_response(&r.h, &q, 200, NULL, 5, &e), 0);
    ck_assert_int_eq(http_write_body(&r.h, "hell", 4, &e), 0);
    ck_assert_int_eq(http_write_end(&r.h, &e), -1);
    ck_assert(r.h.broken);
    rig_free(&r);
}
END_TEST

START_TEST(writing_to_nobody_is_an_error_not_a_signal)
{
    struct rig r = rig_new();
    struct http_head q = request("GET", 1, true);
    struct err e = {0};
    signal(SIGPIPE, SIG_DFL);
    close(r.peer);
    r.peer = -1;
    ck_assert_int_eq(http_write_whole(&r.h, &q, 200, NULL, "x", 1, &e), -1);
    ck_assert_int_eq(e.sys, EPIPE);
    ck_assert(r.h.broken);
    rig_free(&r);
}
END_TEST

START_TEST(reader_that_does_not_read_times_out)
{
    struct rig r = rig_new();
    struct http_head q = request("GET", 1, true);
    struct err e = {0};
    char block[65536] = {0};
    r.h.write_timeout_ms = 100;
    ck_assert_int_eq(http_write_response(&r.h, &q, 200, NULL, -1, &e), 0);
    int done = 0;
    for (int i = 0; i < 1000 && done == 0; i++)
        done = http_write_body(&r.h, block, sizeof(block), &e);
    ck_assert_int_eq(done, -1);
    ck_assert_int_eq(e.kind, ERR_TIMEOUT);
    rig_free(&r);
}
END_TEST

static void *slow_reader(void *arg)
{
    static char block[3000];
    size_t have = 0;
    ssize_t n;
    while ((n = read(*(int *)arg, block, sizeof(block))) > 0) {
        have += (size_t)n;
        if (have % 5 == 0)
            sleep_ms(1);
    }
    return (void *)have; /* NOLINT: a number */
}

START_TEST(short_writes_are_completed)
{
    struct rig r = rig_new();
    struct http_head q = request("GET", 1, true);
    struct err e;
    pthread_t t;
    void *have;
    size_t n = 8u << 20;
    char *big = calloc(1, n);
    r.h.write_timeout_ms = 2000;
    ck_assert_int_eq(pthread_create(&t, NULL, slow_reader, &r.peer), 0);
    ck_assert_int_eq(http_write_response(&r.h, &q, 200, NULL, (int64_t)n, &e), 0);
    ck_assert_int_eq(http_write_body(&r.h, big, n, &e), 0);
    ck_assert_int_eq(http_write_end(&r.h, &e), 0);
    uint64_t out = r.h.bytes_out;
    http_release(&r.h);
    pthread_join(t, &have);
    ck_assert_uint_eq((size_t)have, out);
    ck_assert_uint_gt(out, n);
    free(big);
    rig_free(&r);
}
END_TEST

START_TEST(a_pipe_will_do)
{
    int p[2];
    struct http h;
    struct err e;
    char seen[100];
    ck_assert_int_eq(pipe(p), 0);
    http_init(&h, p[1]);
    ck_assert_int_eq(http_write_request(&h, "POST", "/x", NULL, 0, &e), 0);
    ssize_t n = read(p[0], seen, sizeof(seen) - 1);
    seen[n] = '\0';
    ck_assert_str_eq(seen, "POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    http_release(&h);
    close(p[0]);
}
END_TEST

START_TEST(request_framing)
{
    struct rig r = rig_new();
    struct err e;
    static const struct http_field f[] = {{"Host", "x"}, {NULL, NULL}};
    ck_assert_int_eq(http_write_request(&r.h, "GET", "/x", f, 0, &e), 0);
    ck_assert_str_eq(rig_seen(&r), "GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(http_write_request(&r.h, "PUT", "/x", f, -1, &e), 0);
    ck_assert_int_eq(http_write_body(&r.h, "hi", 2, &e), 0);
    ck_assert_int_eq(http_write_end(&r.h, &e), 0);
    ck_assert_str_eq(rig_seen(&r),
                     "PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    ck_assert_int_eq(http_write_request_whole(&r.h, "POST", "/x", f, "{}", 2, &e), 0);
    ck_assert_str_eq(rig_seen(&r), "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    rig_free(&r);
}
END_TEST

/* ---- answers ---- */

static const struct {
    const char *what, *method, *text;
    int status;       /* 0: the head is refused */
    const char *body; /* NULL: the body is refused */
    bool keep;
} answer[] = {
    {"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true},
    {"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, "hello",
     true},
    {"until close", "GET", "HTTP/1.1 200 OK\r\n\r\nhello", 200, "hello", false},
    {"1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
    {"close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
    {"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "", true},
    {"204", "POST", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
    {"304", "POST", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", true},
    {"no reason", "GET", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", 404, "", true},
    {"no reason, no blank", "GET", "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 404, "", true},
    {"interim", "GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 204 x\r\n\r\n", 204, "",
     true},
    {"101", "POST", "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\nraw", 101, "", false},
    {"cut short", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", 200, NULL, false},
    {"not HTTP", "GET", "SSH-2.0-OpenSSH_9.2\r\n\r\n", 0, NULL, false},
    {"status of two digits", "GET", "HTTP/1.1 20 OK\r\n\r\n", 0, NULL, false},
    {"status of four digits", "GET", "HTTP/1.1 2000 OK\r\n\r\n", 0, NULL, false},
    {"status 600", "GET", "HTTP/1.1 600 OK\r\n\r\n", 0, NULL, false},
    {"HTTP/2", "GET", "HTTP/2.0 200 OK\r\n\r\n", 0, NULL, false},
    {"length and coding", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 0, NULL,
     false},
    {"empty line first", "GET", "\r\nHTTP/1.1 200 OK\r\n\r\n", 0, NULL, false},
    {"half a head", "GET", "HTTP/1.1 200 OK\r\n", 0, NULL, false},
    {"nothing", "GET", "", 0, NULL, false},
};

START_TEST(response_is_read)
{
    struct rig r = rig_new();
    struct http_head h;
    struct err e = {0};
    const char *what = answer[_i].what;
    rig_feed(&r, answer[_i].text);
    rig_eof(&r);
    int got = http_read_response(&r.h, answer[_i].method, &h, &e);
    if (!answer[_i].status) {
        ck_assert_msg(got == -1 && r.h.broken, "%s", what);
        rig_free(&r);
        return;
    }
    ck_assert_msg(got == 0 && h.status == answer[_i].status, "%s: %s", what, e.msg);
    ck_assert_msg(h.keep_alive == (answer[_i].keep || !answer[_i].body) && r.h.last == !h.keep_alive, "%s", what);
    http_head_release(&h);
    autofree char *body = http_read_body_all(&r.h, 100, NULL, &e);
    ck_assert_msg(answer[_i].body ? str_eq(body, answer[_i].body) : !body && e.kind == ERR_INVALID, "%s", what);
    rig_free(&r);
}
END_TEST

START_TEST(interim_answers_have_a_limit)
{
    struct rig r = rig_new();
    struct http_head h;
    struct err e = {0};
    for (int i = 0; i < 100; i++)
        rig_feed(&r, "HTTP/1.1 100 Continue\r\n\r\n");
    rig_feed(&r, "HTTP/1.1 200 OK\r\n\r\n");
    ck_assert_int_eq(http_read_response(&r.h, "GET", &h, &e), -1);
    ck_assert_int_eq(e.kind, ERR_INVALID);
    rig_free(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http: writing, answers");
    TCase *t = unit_case(s, "all");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, upgrade_head_is_exact);
    tcase_add_loop_test(t, response_framing, 0, COUNT(row));
    tcase_add_test(t, whole_response_is_one_segment);
    tcase_add_test(t, nothing_can_be_injected);
    tcase_add_test(t, announced_length_is_kept);
    tcase_add_test(t, writing_to_nobody_is_an_error_not_a_signal);
    tcase_add_test(t, reader_that_does_not_read_times_out);
    tcase_add_test(t, short_writes_are_completed);
    tcase_add_test(t, a_pipe_will_do);
    tcase_add_test(t, request_framing);
    tcase_add_loop_test(t, response_is_read, 0, COUNT(answer));
    tcase_add_test(t, interim_answers_have_a_limit);
    return unit_run(s);
}
