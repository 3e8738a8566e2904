/* The client where more than an answer comes or goes: streams, lists, uploads, hijacked connections. */
#include "client_rig.h"

/* ---- streams ---- */

START_TEST(streams_are_read_object_by_object)
{
    struct client c;
    struct reply r;
    struct err e = {0};
    json_t *j;
    client_init(&c, host, NULL);
    ck_assert_int_eq(client_request(&c, "GET", "/stream", NULL, NULL, &r, &e), 0);
    for (int i = 1; i <= 3; i++) {
        ck_assert_msg(reply_next(&r, &j, &e) == 1, "%s", e.msg);
        ck_assert_int_eq(json_int(j, "a", 0), i);
        json_decref(j);
    }
    ck_assert_int_eq(reply_next(&r, &j, &e), 0);
    reply_release(&r);
    ck_assert_int_eq(client_call(&c, "GET", "/json", NULL, &e), 200);
    ck_assert_int_eq(connections, 1);
    client_release(&c);
}
END_TEST

/* @return how many elements came, or -1 */
static int read_list(struct client *c, struct err *e)
{
    struct reply r;
    json_t *j;
    int n = 0, more;
    ck_assert_int_eq(client_request(c, "GET", "/list", NULL, NULL, &r, e), 0);
    for (; (more = reply_element(&r, &j, e)) > 0; n++) {
        ck_assert_int_eq(json_int(j, "a", -1), n);
        json_decref(j);
    }
    reply_release(&r);
    return more < 0 ? -1 : n;
}

START_TEST(lists_are_read_element_by_element)
{
    static const struct {
        const char *text;
        int n; /* -1: not a list of objects */
    } t[] = {{"[]", 0},
             {" [ ] \n", 0},
             {"[{\"a\":0}]\n", 1},
             {"[ {\"a\":0,\"b\":{\"c\":[\"}]\\\"{\",{}]}} ,\t{\"a\":1}, {\"a\":2} ]", 3},
             {"", -1},
             {"{}", -1},
             {"null", 0},
             {" null\n", 0},
             {"nul", -1},
             {"nullx", -1},
             {"[null]", -1},
             {"[", -1},
             {"[{\"a\":0}", -1},
             {"[{\"a\":0},", -1},
             {"[{\"a\":0},]", -1},
             {"[,{\"a\":0}]", -1},
             {"[{\"a\":0} {\"a\":1}]", -1},
             {"[{\"a\":0}][", -1},
             {"[{\"a\":0", -1},
             {"[{\"a\":0,}]", -1},
             {"[{\"a\":0]]", -1},
             {"[1]", -1}};
    struct client c;
    client_init(&c, host, NULL);
    for (size_t i = 0; i < COUNT(t); i++)
        for (list_text = t[i].text, list_cut = 0; list_cut <= strlen(list_text); list_cut++) {
            struct err e = {0};
            int before = connections, n = read_list(&c, &e);
            ck_assert_msg(n == t[i].n, "%s, cut at %zu: %d, %s", list_text, list_cut, n, e.msg);
            ck_assert_msg(n >= 0 || e.kind == ERR_INVALID, "%s: %s", list_text, e.msg);
            if (n >= 0 && list_cut > 0) /* a good list was read to its end, so its connection carries the next */
                ck_assert_int_eq(connections, before);
        }
    client_release(&c);
}
END_TEST

/* dockerd's "no limit" is the largest uint64_t. */
START_TEST(integers_beyond_int64_are_the_nearest)
{
    static const struct {
        const char *sent, *read; /* NULL: still no JSON */
    } t[] = {{"[{\"a\":18446744073709551615,\"b\":1}]", "{\"a\":9223372036854775807,\"b\":1}"},
             {"[{\"a\":9223372036854775808}]", "{\"a\":9223372036854775807}"},
             {"[{\"a\":9223372036854775807}]", "{\"a\":9223372036854775807}"},
             {"[{\"a\":[1234567890123456789,99999999999999999999999999]}]",
              "{\"a\":[1234567890123456789,9223372036854775807]}"},
             {"[{\"a\":-9223372036854775809}]", "{\"a\":-9223372036854775808}"},
             {"[{\"a\":-9223372036854775808}]", "{\"a\":-9223372036854775808}"},
             {"[{\"a\":\"\\\\\\\"18446744073709551615\",\"18446744073709551616\":0}]",
              "{\"a\":\"\\\\\\\"18446744073709551615\",\"18446744073709551616\":0}"},
             {"[{\"a\":18446744073709551616.0}]", "{\"a\":1.8446744073709552e19}"},
             {"[{\"a\":18446744073709551616e2}]", "{\"a\":1.8446744073709552e21}"},
             {"[{\"a\":0.50000000000000000000}]", "{\"a\":0.5}"},
             {"[{\"a\":018446744073709551616}]", NULL},
             {"[{\"a\":e18446744073709551616}]", NULL}};
    struct client c;
    client_init(&c, host, NULL);
    for (size_t i = 0; i < COUNT(t); i++) {
        struct reply r;
        struct err e = {0};
        json_t *j = NULL;
        list_text = t[i].sent;
        ck_assert_int_eq(client_request(&c, "GET", "/list", NULL, NULL, &r, &e), 0);
        int got = reply_element(&r, &j, &e);
        ck_assert_msg(got == (t[i].read ? 1 : -1), "%s: %s", t[i].sent, e.msg);
        autofree char *text = got > 0 ? json_compact(j) : NULL;
        ck_assert_pstr_eq(text, t[i].read);
        json_decref(got > 0 ? j : NULL);
        reply_release(&r);
        json_auto_t *whole = client_json(&c, "GET", "/list", NULL, &e); /* the other ways to read go there, too */
        ck_assert(!whole == !t[i].read);
        ck_assert_int_eq(client_request(&c, "GET", "/list", NULL, NULL, &r, &e), 0);
        ck_assert_int_eq(reply_next(&r, &j, &e), t[i].read ? 1 : -1);
        json_decref(t[i].read ? j : NULL);
        reply_release(&r);
    }
    client_release(&c);
}
END_TEST

START_TEST(a_list_has_a_limit)
{
    struct client c;
    struct reply r;
    struct err e = {0};
    json_t *j;
    int more;
    client_init(&c, host, NULL);
    ck_assert_int_eq(client_request(&c, "GET", "/long-list", NULL, NULL, &r, &e), 0);
    while ((more = reply_element(&r, &j, &e)) > 0)
        json_decref(j);
    reply_release(&r);
    ck_assert_int_eq(more, -1);
    ck_assert_msg(e.kind == ERR_TOO_LARGE, "%s", e.msg);
    client_release(&c);
}
END_TEST

START_TEST(requests_beside_a_stream)
{
    struct client c;
    struct reply r;
    struct err e = {0};
    json_t *j;
    client_init(&c, host, NULL);
    ck_assert_int_eq(client_request(&c, "GET", "/endless", NULL, NULL, &r, &e), 0);
    ck_assert_int_eq(client_call(&c, "GET", "/json", NULL, &e), 200);
    ck_assert_int_eq(client_call(&c, "GET", "/json", NULL, &e), 200);
    ck_assert_int_eq(connections, 2);
    ck_assert_int_eq(reply_next(&r, &j, &e), 1);
    json_decref(j);
    ck_assert(!reply_pending(&r));
    reply_release(&r); /* does not wait for an end */
    ck_assert_int_eq(client_call(&c, "GET", "/json", NULL, &e), 200);
    ck_assert_int_eq(connections, 2);
    client_release(&c);
}
END_TEST

/* ---- uploads ---- */

struct source {
    size_t left, failing_at, drawn;
};

static ssize_t draw(void *arg, void *p, size_t n, struct err *e)
{
    struct source *s = arg;
    size_t k = s->left < n ? s->left : n;
    if (s->failing_at && s->drawn >= s->failing_at)
        return err_set(e, ERR_SYSTEM, "the disk is gone");
    memset(p, 'x', k);
    s->left -= k;
    s->drawn += k;
    return (ssize_t)k;
}

START_TEST(uploads_arrive_whole)
{
    struct client c;
    struct reply r;
    struct err e = {0};
    struct source s = {.left = 3000000};
    client_init(&c, host, NULL);
    int got = client_upload(&c, "POST", "/upload", NULL, "application/x-tar", draw, &s, &r, &e);
    ck_assert_msg(got == 0, "%s", e.msg);
    json_auto_t *j = reply_value(&r, &e);
    reply_release(&r);
    ck_assert_int_eq(json_int(j, "bytes", 0), 3000000);
    ck_assert_ptr_nonnull(strstr(last_head, "Content-Type: application/x-tar\nTransfer-Encoding: chunked\n"));
    ck_assert_int_eq(client_call(&c, "GET", "/json", NULL, &e), 200);
    client_release(&c);
}
END_TEST

START_TEST(refused_uploads_end_at_once)
{
    struct client c;
    struct reply r;
    struct err e = {0};
    struct source s = {.left = SIZE_MAX}; /* never ends by itself */
    client_init(&c, host, NULL);
    ck_assert_int_eq(client_upload(&c, "POST", "/refuse", NULL, NULL, draw, &s, &r, &e), -1);
    ck_assert_str_eq(e.msg, "not a tar archive");
    ck_assert_int_eq(e.kind, ERR_INVALID);
    ck_assert_int_eq(c.status, 400);
    ck_assert_uint_lt(s.drawn, 64u << 20);
    ck_assert_int_eq(client_call(&c, "GET", "/json", NULL, &e), 200);
    client_release(&c);
}
END_TEST

START_TEST(refusing_daemons_need_not_hang_up)
{
    struct client c;
    struct reply r;
    struct err e = {0};
    struct source s = {.left = SIZE_MAX};
    client_init(&c, host, "1.44");
    ck_assert_int_eq(client_upload(&c, "POST", "/refuse-and-stay", NULL, NULL, draw, &s, &r, &e), -1);
    ck_assert_str_eq(e.msg, "no space left on device");
    ck_assert_int_eq(c.status, 507);
    ck_assert_int_eq(client_call(&c, "GET", "/json", NULL, &e), 200); /* not on the half-used connection */
    client_release(&c);
}
END_TEST

START_TEST(early_answers_do_not_cut_uploads)
{
    struct client c;
    struct reply r;
    struct err e = {0};
    struct source s = {.left = 5000000};
    client_init(&c, host, NULL);
    ck_assert_int_eq(client_upload(&c, "POST", "/early", NULL, NULL, draw, &s, &r, &e), 0);
    ck_assert_uint_eq(s.left, 0);
    json_auto_t *j = reply_value(&r, &e);
    ck_assert(json_is(j, "whole"));
    reply_release(&r);
    client_release(&c);
}
END_TEST

START_TEST(failing_sources_are_not_taken_for_ends)
{
    struct client c;
    struct reply r;
    struct err e = {0};
    struct source s = {.left = 5000000, .failing_at = 200000};
    client_init(&c, host, NULL);
    ck_assert_int_eq(client_upload(&c, "POST", "/upload", NULL, NULL, draw, &s, &r, &e), -1);
    ck_assert_str_eq(e.msg, "the disk is gone");
    ck_assert_int_eq(c.status, 0);
    client_release(&c);
}
END_TEST

/* ---- hijack ---- */

START_TEST(hijacked_connections_are_two_way)
{
    static const char *const path[] = {"/attach?stream=1", "/attach/raw"};
    for (int i = 0; i < 2; i++) {
        struct client c;
        struct hijack j;
        struct err e = {0};
        client_init(&c, host, NULL);
        json_auto_t *body = json_object();
        ck_assert_msg(client_hijack(&c, path[i], body, &j, &e) == 0, "%s", e.msg);
        ck_assert_ptr_nonnull(strstr(last_head, "Connection: Upgrade\nUpgrade: tcp\n"));
        ck_assert_int_eq(j.multiplexed, i == 0);
        ck_assert_int_eq(c.status, i == 0 ? 101 : 200);
        autostr got = STR_INIT;
        str_addn(&got, j.rest, j.rest_len);
        free(j.rest);
        ck_assert_int_eq(fd_write_all(j.fd, " hello", 6), 0);
        ck_assert_int_eq(shutdown(j.fd, SHUT_WR), 0);
        autofree char *more = fd_read_all(j.fd, 1000, NULL, &e);
        str_add(&got, more);
        ck_assert_str_eq(got.s, "early hello");
        close(j.fd);
        ck_assert_int_eq(client_call(&c, "GET", "/json", NULL, &e), 200);
        client_release(&c);
    }
}
END_TEST

START_TEST(hijack_that_is_refused)
{
    struct client c;
    struct hijack j;
    struct err e = {0};
    client_init(&c, host, NULL);
    ck_assert_int_eq(client_hijack(&c, "/missing", NULL, &j, &e), -1);
    ck_assert_str_eq(e.msg, "No such container: x");
    ck_assert_int_eq(client_hijack(&c, "/json", NULL, &j, &e), -1);
    ck_assert_str_eq(e.msg, "unable to upgrade to tcp, received 200");
    client_release(&c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client: streams");
    TCase *t = client_case(s, "streams");
    tcase_add_test(t, streams_are_read_object_by_object);
    tcase_add_test(t, lists_are_read_element_by_element);
    tcase_add_test(t, integers_beyond_int64_are_the_nearest);
    tcase_add_test(t, a_list_has_a_limit);
    tcase_add_test(t, requests_beside_a_stream);
    t = client_case(s, "uploads");
    tcase_add_test(t, uploads_arrive_whole);
    tcase_add_test(t, refused_uploads_end_at_once);
    tcase_add_test(t, refusing_daemons_need_not_hang_up);
    tcase_add_test(t, early_answers_do_not_cut_uploads);
    tcase_add_test(t, failing_sources_are_not_taken_for_ends);
    t = client_case(s, "hijack");
    tcase_add_test(t, hijacked_connections_are_two_way);
    tcase_add_test(t, hijack_that_is_refused);
    return unit_run(s);
}
