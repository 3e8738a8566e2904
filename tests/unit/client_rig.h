/* A daemon of the test's own, in threads: what it answers to each path is written here, and what it was sent can be
 * asked of it. */
#ifndef GORAE_TESTS_CLIENT_RIG_H
#define GORAE_TESTS_CLIENT_RIG_H

#include "base/json.h"
#include "base/sock.h"
#include "base/str.h"
#include "http_rig.h"
#include "wire/client.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>

static char folder[] = "/tmp/test-client-XXXXXX";
static char host[64];
static int listener;
static atomic_int connections, requests;
static const char *api = "1.44"; /* what /_ping says; NULL: nothing */
static int ping_head_status = 200;
static char last_head[2000];

static inline int answer(struct http *h, const struct http_head *q, int status, const char *body)
{
    static const struct http_field json[] = {{"Content-Type", "application/json"}, {NULL, NULL}};
    return http_write_whole(h, q, status, json, body, strlen(body), NULL);
}

static inline void answer_ping(struct http *h, const struct http_head *q)
{
    struct http_field f[] = {{"Ostype", "linux"}, {api ? "Api-Version" : NULL, api}, {NULL, NULL}};
    http_write_whole(h, q, str_eq(q->method, "HEAD") ? ping_head_status : 200, f, "OK", 2, NULL);
}

static inline void answer_stream(struct http *h, const struct http_head *q)
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

static inline void answer_list(struct http *h, const struct http_head *q)
{
    size_t n = strlen(list_text);
    http_write_response(h, q, 200, NULL, -1, NULL);
    http_write_body(h, list_text, list_cut, NULL);
    http_write_body(h, list_text + list_cut, n - list_cut, NULL);
    http_write_end(h, NULL);
}

/* Objects of 64 KiB, most of it blanks, and 80 MiB in all if somebody reads them. */
static inline void answer_long_list(struct http *h, const struct http_head *q)
{
    char part[65536];
    memset(part, ' ', sizeof(part));
    memcpy(part, "[{", 2);
    memcpy(part + sizeof(part) - 3, "},{", 3);
    http_write_response(h, q, 200, NULL, -1, NULL);
    for (int i = 0, r = 0; i < 1280 && r == 0; i++, memcpy(part, "  ", 2))
        r = http_write_body(h, part, sizeof(part), NULL);
    http_write_body(h, "}]", 2, NULL);
    http_write_end(h, NULL);
}

static inline void answer_upload(struct http *h, const struct http_head *q)
{
    size_t n = 0;
    char text[64];
    autofree char *body = http_read_body_all(h, 64u << 20, &n, NULL);
    snprintf(text, sizeof(text), "{\"bytes\":%zu,\"whole\":%s}", n, body ? "true" : "false");
    answer(h, q, 200, text);
}

/* Says 200 at once, reads for a while, then writes the body: as a daemon that shows progress. */
static inline void answer_early(struct http *h, const struct http_head *q)
{
    http_write_response(h, q, 200, NULL, -1, NULL);
    sleep_ms(20);
    int r = http_drain_body(h, 64u << 20, NULL);
    const char *text = r == 0 ? "{\"whole\":true}" : "{\"whole\":false}";
    http_write_body(h, text, strlen(text), NULL);
    http_write_end(h, NULL);
}

static inline void hijack(struct http *h, const struct http_head *q)
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

/* Where the path is all that counts. */
static const struct {
    const char *path;
    int status;
    const char *body;
} answers[] = {
    {"/json", 200, "{\"a\":1}\n"},
    {"/missing", 404, "{\"message\":\"No such container: x\"}\n"},
    {"/plain", 400, "too old\n"},
    {"/wordless", 500, ""},
    {"/none", 204, ""},
    {"/unmodified", 304, ""},
};

/* @return false where the connection ends */
static inline bool serve(struct http *h, const struct http_head *q)
{
    const char *t = q->target + (str_starts(q->target, "/v1.") ? strcspn(q->target + 1, "/") + 1 : 0);
    for (size_t i = 0; i < COUNT(answers); i++)
        if (str_eq(t, answers[i].path)) {
            answer(h, q, answers[i].status, answers[i].body);
            return true;
        }
    if (str_eq(t, "/_ping"))
        answer_ping(h, q);
    else if (str_eq(t, "/stream"))
        answer_stream(h, q);
    else if (str_eq(t, "/list"))
        answer_list(h, q);
    else if (str_eq(t, "/long-list"))
        answer_long_list(h, q);
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

static inline void *connection(void *arg)
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

static inline void *daemon_loop(void *arg)
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

static inline void setup(void)
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

static inline void teardown(void)
{
    tree_remove(AT_FDCWD, folder, NULL);
}

static inline TCase *client_case(Suite *s, const char *name)
{
    TCase *t = unit_case(s, name);
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    return t;
}

#endif
