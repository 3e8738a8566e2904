/* The client against a daemon of our own, in threads: negotiation, calls, streams, uploads, hijack, dialling. */
#include "base/json.h"
#include "base/sock.h"
#include "base/str.h"
#include "base/trace.h"
#include "http_rig.h"
#include "wire/client.h"
#include "wire/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- the daemon ---- */

static char folder[] = "/tmp/test-client-XXXXXX";
static char host[64];
static int listener;
static atomic_int connections, requests;
static const char *api = "1.44"; /* what /_ping says; NULL: nothing */
static int ping_head_status = 200;
static char last_head[2000];

static int answer(struct http *h, const struct http_head *q, int status, const char *body)
{
    static const struct http_field json[] = {{"Content-Type", "application/json"}, {NULL, NULL}};
    return http_write_whole(h, q, status, json, body, strlen(body), NULL);
}

static void answer_ping(struct http *h, const struct http_head *q)
{
    struct http_field f[] = {{"Ostype", "linux"}, {api ? "Api-Version" : NULL, api}, {NULL, NULL}};
    http_write_whole(h, q, str_eq(q->method, "HEAD") ? ping_head_status : 200, f, "OK", 2, NULL);
}

static void answer_stream(struct http *h, const struct http_head *q)
{
    static const char *const part[] = {"{\"a\":1}\r\n{\"a\"", ":2}\n\r\n", "{\"a\":3}"}; /* cut at bad places */
    http_write_response(h, q, 200, NULL, -1, NULL);
    for (int i = 0; i < 3; i++) {
        sleep_ms(5);
        http_write_body(h, part[i], strlen(part[i]), NULL);
    }
    http_write_end(h, NULL);
}

static const char *list_text = "";
static size_t list_cut;

static void answer_list(struct http *h, const struct http_head *q)
{
    size_t n = strlen(list_text);
    http_write_response(h, q, 200, NULL, -1, NULL);
    http_write_body(h, list_text, list_cut, NULL);
    http_write_body(h, list_text + list_cut, n - list_cut, NULL);
    http_write_end(h, NULL);
}

static void answer_upload(struct http *h, const struct http_head *q)
{
    size_t n = 0;
    char text[64];
    autofree char *body = http_read_body_all(h, 64u << 20, &n, NULL);
    snprintf(text, sizeof(text), "{\"bytes\":%zu,\"whole\":%s}", n, body ? "true" : "false");
    answer(h, q, 200, text);
}

/* Says 200 at once, reads for a while, then writes the body: as a daemon that shows progress. */
static void answer_early(struct http *h, const struct http_head *q)
{
    http_write_response(h, q, 200, NULL, -1, NULL);
    sleep_ms(20);
    int r = http_drain_body(h, 64u << 20, NULL);
    const char *text = r == 0 ? "{\"whole\":true}" : "{\"whole\":false}";
    http_write_body(h, text, strlen(text), NULL);
    http_write_end(h, NULL);
}

static void hijack(struct http *h, const struct http_head *q)
{
    static const struct http_field up[] = {{"Content-Type", "application/vnd.docker.multiplexed-stream"},
                                           {"Connection", "Upgrade"},
                                           {"Upgrade", "tcp"},
                                           {NULL, NULL}};
    bool raw = strstr(q->target, "raw");
    http_drain_body(h, 10000, NULL);
    http_write_response(h, q, raw ? 200 : 101, raw ? NULL : up, -2, NULL);
    char part[100], *rest;
    size_t n;
    autoclose int fd = http_take(h, &rest, &n);
    free(rest);
    fd_write_all(fd, "early", 5);
    ssize_t k;
    while ((k = read(fd, part, sizeof(part))) > 0) /* an echo, until the client's half ends */
        fd_write_all(fd, part, (size_t)k);
}

/* @return false where the connection ends */
static bool serve(struct http *h, const struct http_head *q)
{
    const char *t = q->target + (str_starts(q->target, "/v1.") ? strcspn(q->target + 1, "/") + 1 : 0);
    if (str_eq(t, "/_ping"))
        answer_ping(h, q);
    else if (str_eq(t, "/json"))
        answer(h, q, 200, "{\"a\":1}\n");
    else if (str_eq(t, "/missing"))
        answer(h, q, 404, "{\"message\":\"No such container: x\"}\n");
    else if (str_eq(t, "/plain"))
        answer(h, q, 400, "too old\n");
    else if (str_eq(t, "/wordless"))
        answer(h, q, 500, "");
    else if (str_eq(t, "/none"))
        answer(h, q, 204, "");
    else if (str_eq(t, "/unmodified"))
        answer(h, q, 304, "");
    else if (str_eq(t, "/stream"))
        answer_stream(h, q);
    else if (str_eq(t, "/list"))
        answer_list(h, q);
    else if (str_eq(t, "/endless")) {
        http_write_response(h, q, 200, NULL, -1, NULL);
        http_write_body(h, "{}\n", 3, NULL);
        while (http_peek_peer(h) == 0)
            sleep_ms(5);
        return false;
    } else if (str_eq(t, "/upload"))
        answer_upload(h, q);
    else if (str_eq(t, "/early"))
        answer_early(h, q);
    else if (str_eq(t, "/refuse")) {
        char part[1000];
        http_read_body(h, part, sizeof(part), NULL);
        answer(h, q, 400, "{\"message\":\"not a tar archive\"}\n");
        return false;
    } else if (str_eq(t, "/refuse-and-stay")) { /* reads no more, and keeps the connection */
        answer(h, q, 507, "{\"message\":\"no space left on device\"}\n");
        while (http_peek_peer(h) >= 0)
            sleep_ms(5);
        return false;
    } else if (str_eq(t, "/chatty")) {
        answer(h, q, 200, "{}");
        fd_write_all(h->fd, "HTTP/1.1 408 Request Timeout\r\n\r\n", 32);
    } else if (str_starts(t, "/attach")) {
        hijack(h, q);
        return false;
    } else if (str_eq(t, "/hangup")) {
        return false;
    } else if (str_eq(t, "/leave")) { /* answers and then closes without having said so */
        answer(h, q, 200, "{}");
        return false;
    } else
        answer(h, q, 404, "{\"message\":\"page not found\"}\n");
    return true;
}

static void *connection(void *arg)
{
    struct http h;
    struct http_head q;
    http_init(&h, (int)(intptr_t)arg);
    bool more = true;
    while (more && http_read_request(&h, &q, NULL) == 1) {
        requests++;
        autostr head = STR_INIT;
        str_addf(&head, "%s %s\n", q.method, q.target);
        for (size_t i = 0; i < q.headers; i++)
            str_addf(&head, "%s: %s\n", q.header[i].name, q.header[i].value);
        static pthread_mutex_t one_writer = PTHREAD_MUTEX_INITIALIZER;
        pthread_mutex_lock(&one_writer);
        snprintf(last_head, sizeof(last_head), "%s", head.s);
        pthread_mutex_unlock(&one_writer);
        more = serve(&h, &q);
        http_head_release(&q);
    }
    http_release(&h);
    return NULL;
}

static void *daemon_loop(void *arg)
{
    (void)arg;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_t t;
        connections++;
        pthread_create(&t, NULL, connection, (void *)(intptr_t)fd);
        pthread_detach(t);
    }
    return NULL;
}

static void setup(void)
{
    struct err e = {0};
    pthread_t t;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(host, sizeof(host), "unix://%s/s", folder);
    listener = sock_listen_unix(host + 7, SOCK_STREAM, 0600, &e);
    ck_assert_msg(listener >= 0, "%s", e.msg);
    ck_assert_int_eq(pthread_create(&t, NULL, daemon_loop, NULL), 0);
    pthread_detach(t);
}

static void teardown(void)
{
    tree_remove(AT_FDCWD, folder, NULL);
}

/* ---- negotiation ---- */

START_TEST(versions_are_negotiated)
{
    static const struct {
        const char *says, *used;
    } row[] = {{"1.44", "1.44"}, {"1.41", "1.41"}, {"1.50", "1.44"}, {"1.9", "1.9"},
               {"2.0", "1.44"},  {NULL, "1.24"},   {"x\ty", "1.24"}};
    for (size_t i = 0; i < COUNT(row); i++) {
        struct client c;
        struct err e = {0};
        api = row[i].says;
        client_init(&c, host, NULL);
        ck_assert_msg(client_negotiate(&c, &e) == 0, "%s", e.msg);
        ck_assert_str_eq(c.version, row[i].used);
        ck_assert_str_eq(c.ostype, "linux");
        client_release(&c);
    }
    ck_assert_int_lt(client_version_compare("1.9", "1.10"), 0);
    ck_assert_int_gt(client_version_compare("1.44.1", "1.44"), 0);
    ck_assert_int_eq(client_version_compare("1.44", "1.44"), 0);
}
END_TEST

START_TEST(ping_falls_back_to_get)
{
    struct client c;
    struct err e = {0};
    ping_head_status = 405;
    client_init(&c, host, NULL);
    ck_assert_int_eq(client_negotiate(&c, &e), 0);
    ck_assert_int_eq(requests, 2);
    ck_assert_int_eq(connections, 1);
    client_release(&c);
    ping_head_status = 500; /* ill, but it says what it speaks */
    api = "1.30";
    client_init(&c, host, NULL);
    ck_assert_int_eq(client_negotiate(&c, &e), 0);
    ck_assert_str_eq(c.version, "1.30");
    client_release(&c);
}
END_TEST

START_TEST(fixed_version_asks_nothing)
{
    struct client c;
    struct err e = {0};
    client_init(&c, host, "v1.33");
    json_auto_t *j = client_json(&c, "GET", "/json", NULL, &e);
    ck_assert_int_eq(json_int(j, "a", 0), 1);
    ck_assert_int_eq(requests, 1);
    ck_assert(str_starts(last_head, "GET /v1.33/json\n"));
    client_release(&c);
}
END_TEST

/* ---- calls ---- */

START_TEST(calls_share_one_connection)
{
    struct client c;
    struct err e = {0};
    client_init(&c, host, NULL);
    c.trace_id = "0123456789abcdef";
    c.fields = (const struct http_field[]){{"X-Mine", "yes"}, {NULL, NULL}};
    for (int i = 0; i < 5; i++) {
        json_auto_t *j = client_json(&c, "GET", "/json", NULL, &e);
        ck_assert_msg(json_int(j, "a", 0) == 1, "%s", e.msg);
    }
    ck_assert_str_eq(last_head, "GET /v1.44/json\nHost: localhost\nUser-Agent: gorae/" GORAE_VERSION
                                " (linux)\nGorae-Trace: 0123456789abcdef\nX-Mine: yes\n");
    json_auto_t *body = json_pack("{s:s}", "k", "v");
    ck_assert_int_eq(client_call(&c, "POST", "/none", body, &e), 204);
    ck_assert_ptr_nonnull(strstr(last_head, "Content-Type: application/json\nContent-Length: 9\n"));
    ck_assert_int_eq(client_call(&c, "POST", "/unmodified", NULL, &e), 304);
    ck_assert_ptr_null(strstr(last_head, "Content-Type"));
    ck_assert_int_eq(client_call(&c, "GET", "/missing", NULL, &e), -1); /* an error does not cost the connection */
    json_auto_t *null = client_json(&c, "POST", "/none", NULL, &e);
    ck_assert(json_is_null(null));
    ck_assert_int_eq(connections, 1);
    client_release(&c);
}
END_TEST

START_TEST(errors_are_the_daemons_words)
{
    static const struct {
        const char *path, *msg;
        int status;
        enum err_kind kind;
    } row[] = {{"/missing", "No such container: x", 404, ERR_NOT_FOUND},
               {"/plain", "too old", 400, ERR_INVALID},
               {"/wordless", "status 500 (Internal Server Error), and no message", 500, ERR_SYSTEM}};
    struct client c;
    client_init(&c, host, NULL);
    for (size_t i = 0; i < COUNT(row); i++) {
        struct err e = {0};
        ck_assert_int_eq(client_call(&c, "GET", row[i].path, NULL, &e), -1);
        ck_assert_str_eq(e.msg, row[i].msg);
        ck_assert_int_eq(e.kind, row[i].kind);
        ck_assert_int_eq(c.status, row[i].status);
    }
    struct err e = {0};
    ck_assert_int_eq(client_call(&c, "GET", "/bad path", NULL, &e), -1);
    ck_assert_int_eq(e.kind, ERR_INVALID);
    ck_assert_int_eq(c.status, 0); /* ours, not the daemon's */
    client_release(&c);
}
END_TEST

START_TEST(stale_connections_are_replaced)
{
    struct client c;
    struct err e = {0};
    client_init(&c, host, "1.44");
    for (int i = 0; i < 3; i++) {
        ck_assert_msg(client_call(&c, "POST", "/leave", NULL, &e) == 200, "%s", e.msg);
        sleep_ms(20);
    }
    ck_assert_int_eq(connections, 3);
    /* What the daemon said unasked is not the answer to the next request. */
    ck_assert_int_eq(client_call(&c, "POST", "/chatty", NULL, &e), 200);
    sleep_ms(20);
    ck_assert_int_eq(client_call(&c, "POST", "/json", NULL, &e), 200);
    /* Gone after the request was read: a GET is sent once more, a POST is not, for it may have been done. */
    ck_assert_int_eq(client_call(&c, "GET", "/json", NULL, &e), 200);
    requests = 0;
    ck_assert_int_eq(client_call(&c, "POST", "/hangup", NULL, &e), -1);
    ck_assert_int_eq(requests, 1);
    ck_assert_int_eq(client_call(&c, "GET", "/json", NULL, &e), 200);
    requests = 0;
    ck_assert_int_eq(client_call(&c, "GET", "/hangup", NULL, &e), -1);
    ck_assert_int_eq(requests, 2);
    ck_assert_int_eq(c.status, 0);
    client_release(&c);
}
END_TEST

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
             {"null", -1},
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

/* ---- the trace ---- */

START_TEST(trace_shows_the_bytes_and_no_secret)
{
    struct client c;
    struct err e = {0};
    autofree char *path = str_printf("%s/trace", folder);
    autoclose int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    static const struct http_field auth[] = {{"X-Registry-Auth", "c2VjcmV0"}, {NULL, NULL}};
    client_init(&c, host, "1.44");
    trace_to(fd);
    struct reply r;
    ck_assert_int_eq(client_request(&c, "GET", "/json", auth, NULL, &r, &e), 0);
    json_auto_t *j = reply_value(&r, &e);
    reply_release(&r);
    json_auto_t *password = json_pack("{s:s}", "password", "hunter2");
    client_call(&c, "POST", "/auth", password, &e);
    trace_to(-1);
    client_release(&c);
    autofree char *text = file_read(AT_FDCWD, path, 100000, NULL, &e);
    ck_assert_ptr_nonnull(strstr(text, "\"step\":2,\"what\":\"connect to the socket\""));
    ck_assert_ptr_nonnull(strstr(text, "\"step\":2,\"what\":\"send the request\""));
    ck_assert_ptr_nonnull(strstr(text, "GET /v1.44/json HTTP/1.1\\r\\nHost: localhost\\r\\n"));
    ck_assert_ptr_nonnull(strstr(text, "\"step\":4,\"what\":\"receive the response\""));
    ck_assert_ptr_nonnull(strstr(text, "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: "
                                       "8\\r\\n\\r\\n{\\\"a\\\":1}\\n"));
    ck_assert_ptr_null(strstr(text, "c2VjcmV0"));
    ck_assert_ptr_null(strstr(text, "hunter2"));
    ck_assert_ptr_nonnull(strstr(text, "POST /v1.44/auth"));
}
END_TEST

/* ---- dialling ---- */

START_TEST(nobody_there)
{
    struct client c;
    struct err e = {0};
    client_init(&c, "unix:///nowhere/gorae.sock", NULL);
    ck_assert_int_eq(client_call(&c, "GET", "/json", NULL, &e), -1);
    ck_assert_str_eq(e.msg, "cannot connect to the daemon at unix:///nowhere/gorae.sock: is goraed running? (connect: "
                            "no such file or directory)");
    ck_assert_int_eq(e.sys, ENOENT);
    client_release(&c);
    autofree char *file = str_printf("unix://%s/file", folder);
    close(open(file + 7, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ck_assert_int_eq(dial(file, NULL, &e), -1);
    ck_assert_int_eq(e.sys, ECONNREFUSED);
    ck_assert_int_eq(dial("tcp://127.0.0.1:1", NULL, &e), -1);
    ck_assert_int_eq(e.sys, ECONNREFUSED);
}
END_TEST

START_TEST(no_permission_names_the_group)
{
    struct err e = {0};
    if (getuid() == 0)
        ck_assert_int_eq(setuid(65534), 0); /* this test runs in a process of its own */
    chmod(host + 7, 0);
    int fd = dial(host, NULL, &e);
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(e.sys, EACCES);
    ck_assert_ptr_nonnull(strstr(e.msg, "members of the group gorae"));
}
END_TEST

START_TEST(names_of_daemons)
{
    static const struct {
        const char *name;
        enum err_kind kind;
    } bad[] = {{"/run/gorae.sock", ERR_INVALID},    {"gorae", ERR_INVALID},         {"fd://", ERR_INVALID},
               {"npipe:////./pipe/x", ERR_INVALID}, {"http://x", ERR_INVALID},      {"tcp://x:y", ERR_INVALID},
               {"tcp://x:0", ERR_INVALID},          {"tcp://x:65536", ERR_INVALID}, {"tcp://x:1/path", ERR_INVALID},
               {"tcp://[::1", ERR_INVALID},         {"tcp://[::1]x", ERR_INVALID},  {"tcp://a@b:1", ERR_INVALID},
               {"ssh://user@h", ERR_INVALID}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = {0};
        ck_assert_int_eq(dial(bad[i].name, NULL, &e), -1);
        ck_assert_msg(e.kind == bad[i].kind, "%s: %s", bad[i].name, e.msg);
    }
    static const char *const authority[][2] = {{"unix:///x", "localhost"},
                                               {"tcp://h:1", "h:1"},
                                               {"tcp://h", "h:2375"},
                                               {"tcp://[::1]:5", "[::1]:5"},
                                               {"tcp://:5", "localhost:5"}};
    for (size_t i = 0; i < COUNT(authority); i++) {
        autofree char *got = dial_authority(authority[i][0], NULL);
        ck_assert_str_eq(got, authority[i][1]);
    }
    autofree char *tls = dial_authority("tcp://h", &(struct dial_tls){.on = true});
    ck_assert_str_eq(tls, "h:2376");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client");
    TCase *t = unit_case(s, "all");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, versions_are_negotiated);
    tcase_add_test(t, ping_falls_back_to_get);
    tcase_add_test(t, fixed_version_asks_nothing);
    tcase_add_test(t, calls_share_one_connection);
    tcase_add_test(t, errors_are_the_daemons_words);
    tcase_add_test(t, stale_connections_are_replaced);
    tcase_add_test(t, streams_are_read_object_by_object);
    tcase_add_test(t, lists_are_read_element_by_element);
    tcase_add_test(t, requests_beside_a_stream);
    tcase_add_test(t, uploads_arrive_whole);
    tcase_add_test(t, refused_uploads_end_at_once);
    tcase_add_test(t, refusing_daemons_need_not_hang_up);
    tcase_add_test(t, early_answers_do_not_cut_uploads);
    tcase_add_test(t, failing_sources_are_not_taken_for_ends);
    tcase_add_test(t, hijacked_connections_are_two_way);
    tcase_add_test(t, hijack_that_is_refused);
    tcase_add_test(t, trace_shows_the_bytes_and_no_secret);
    tcase_add_test(t, nobody_there);
    tcase_add_test(t, no_permission_names_the_group);
    tcase_add_test(t, names_of_daemons);
    return unit_run(s);
}
