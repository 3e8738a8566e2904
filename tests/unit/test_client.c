/* The client's calls: negotiation, errors, connections kept and replaced, the trace, dialling. */
#include "base/trace.h"
#include "client_rig.h"
#include "wire/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

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
    bool root = geteuid() == 0;
    chmod(host + 7, 0);
    if (root)
        ck_assert_int_eq(seteuid(65534), 0);
    int fd = dial(host, NULL, &e);
    if (root) /* again, who can remove the folder */
        ck_assert_int_eq(seteuid(0), 0);
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
    TCase *t = client_case(s, "calls");
    tcase_add_test(t, versions_are_negotiated);
    tcase_add_test(t, ping_falls_back_to_get);
    tcase_add_test(t, fixed_version_asks_nothing);
    tcase_add_test(t, calls_share_one_connection);
    tcase_add_test(t, errors_are_the_daemons_words);
    tcase_add_test(t, stale_connections_are_replaced);
    tcase_add_test(t, trace_shows_the_bytes_and_no_secret);
    t = client_case(s, "dialling");
    tcase_add_test(t, nobody_there);
    tcase_add_test(t, no_permission_names_the_group);
    tcase_add_test(t, names_of_daemons);
    return unit_run(s);
}
