// Tests of http.c: a pair of sockets, bytes in at one end, requests out at the other.
#include "http.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct http h;
static int client;

static void setup(void)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    h = (struct http){.fd = pair[0], .in = fdopen(pair[0], "r")};
    client = pair[1];
}

static void teardown(void)
{
    fclose(h.in);
    if (client >= 0)
        close(client);
}

static void say(const char *text)
{
    ck_assert_int_eq(write(client, text, strlen(text)), (ssize_t)strlen(text));
}

static void hang_up(void)
{
    close(client);
    client = -1;
}

START_TEST(request)
{
    say("GET /v1.44/containers/json?all=1&limit=2 HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(http_read(&h), 200);
    ck_assert_str_eq(h.method, "GET");
    ck_assert_str_eq(h.target, "/v1.44/containers/json");
    ck_assert_str_eq(h.query, "all=1&limit=2");
    ck_assert_str_eq(h.body, "");
    ck_assert(!h.closing);
}
END_TEST

START_TEST(two_at_once)
{
    say("POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nConnection: close\r\n\r\n");
    ck_assert_int_eq(http_read(&h), 200);
    ck_assert_str_eq(h.body, "hello");
    ck_assert_str_eq(h.query, "");
    ck_assert_int_eq(http_read(&h), 200);
    ck_assert_str_eq(h.target, "/b");
    ck_assert_str_eq(h.body, "");
    ck_assert(h.closing);
}
END_TEST

START_TEST(in_pieces)
{
    const char *text = "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
    if (fork() == 0) {
        for (; *text; text++) {
            if (write(client, text, 1) != 1)
                _exit(1);
            usleep(1000);
        }
        _exit(0);
    }
    ck_assert_int_eq(http_read(&h), 200);
    ck_assert_str_eq(h.body, "hello");
}
END_TEST

START_TEST(no_more)
{
    hang_up();
    ck_assert_int_eq(http_read(&h), 0);
}
END_TEST

static const char *const unreadable[] = {
    "\r\n\r\n",
    "GET\r\n\r\n",
    "GET /a\r\n\r\n",
    "GET /a FTP/1.1\r\n\r\n",
    "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell", // cut off in the body
    "POST /a HTTP/1.1\r\nContent-Le",                    // and in the head
};

START_TEST(not_a_request)
{
    say(unreadable[_i]);
    hang_up();
    ck_assert_int_eq(http_read(&h), 400);
}
END_TEST

START_TEST(too_long)
{
    static char text[20000] = "GET /a HTTP/1.1\r\nX: ";
    memset(text + strlen(text), 'x', 10000);
    say(text);
    ck_assert_int_eq(http_read(&h), 400);
}
END_TEST

START_TEST(target_too_long)
{
    static char text[8000] = "GET /";
    memset(text + strlen(text), 'x', 5000);
    strcat(text, " HTTP/1.1\r\n\r\n");
    say(text);
    ck_assert_int_eq(http_read(&h), 400);
}
END_TEST

START_TEST(too_many_lines)
{
    say("GET /a HTTP/1.1\r\n");
    for (int i = 0; i < 200; i++)
        say("X: y\r\n");
    ck_assert_int_eq(http_read(&h), 400);
}
END_TEST

START_TEST(too_large)
{
    say("POST /a HTTP/1.1\r\nContent-Length: 65536\r\n\r\n");
    ck_assert_int_eq(http_read(&h), 413);
}
END_TEST

static const char *answer(void)
{
    static char text[1024];
    ssize_t n = recv(client, text, sizeof text - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

START_TEST(heads)
{
    h.status = 200;
    http_head(&h, "text/plain", 2);
    ck_assert_str_eq(answer(),
                     "HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n");
    http_head(&h, "text/plain", -1);
    ck_assert_ptr_nonnull(strstr(answer(), "\r\nTransfer-Encoding: chunked\r\n\r\n"));
    h.status = 204;
    http_head(&h, "text/plain", 0);
    ck_assert_ptr_null(strstr(answer(), "Content-Length"));
}
END_TEST

START_TEST(chunks)
{
    ck_assert_int_eq(http_chunk(&h, "seventeen letters", 17), 0);
    ck_assert_str_eq(answer(), "11\r\nseventeen letters\r\n");
    ck_assert_int_eq(http_chunk(&h, "", 0), 0);
    ck_assert_str_eq(answer(), "0\r\n\r\n");
}
END_TEST

START_TEST(more_than_fits)
{
    static char data[4 << 20], got[4 << 20];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7);
    if (fork() == 0)
        _exit(http_write(&h, data, sizeof data) == 0 ? 0 : 1);
    for (size_t have = 0; have < sizeof got;) {
        ssize_t n = read(client, got + have, sizeof got - have);
        ck_assert_int_gt((int)n, 0);
        have += (size_t)n;
    }
    ck_assert_int_eq(memcmp(data, got, sizeof got), 0);
}
END_TEST

START_TEST(gone)
{
    ck_assert(!http_gone(&h, 10));
    hang_up();
    ck_assert(http_gone(&h, 10));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http");
    TCase *t = tcase_create("http");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, request);
    tcase_add_test(t, two_at_once);
    tcase_add_test(t, in_pieces);
    tcase_add_test(t, no_more);
    tcase_add_loop_test(t, not_a_request, 0, (int)(sizeof unreadable / sizeof *unreadable));
    tcase_add_test(t, too_long);
    tcase_add_test(t, target_too_long);
    tcase_add_test(t, too_many_lines);
    tcase_add_test(t, too_large);
    tcase_add_test(t, heads);
    tcase_add_test(t, chunks);
    tcase_add_test(t, more_than_fits);
    tcase_add_test(t, gone);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
