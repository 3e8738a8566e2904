/* HTTP, the client's half: asking, and reading the answer. See ask.h; what both halves share is in http_parts.h.
 *
 * Nothing that a person types may write headers of its own, or end a request early: methods and paths are checked here
 * for blanks and control bytes, as names and values of headers are in http_write.c.
 *
 * Read next: client.c, which knows what to ask. */
#include "wire/ask.h"
#include "base/mem.h"
#include "wire/http_parts.h"

#include <ctype.h>
#include <string.h>

/* ---- requests ---- */

char *http_encode(const char *s)
{
    autostr out = STR_INIT;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x80 && (isalnum(c) || strchr("-._~", c)))
            str_addc(&out, (char)c);
        else
            str_addf(&out, "%%%02X", c);
    }
    return str_take(&out);
}

static int compose_request(struct http *h, const char *method, const char *target, const struct http_field *fields,
                           int64_t length, struct str *out, struct err *e)
{
    for (const char *c = method; *c; c++)
        if (!http_is_token((unsigned char)*c))
            return err_set(e, ERR_INVALID, "\"%.32s\" cannot be a method", method);
    for (const char *c = target; *c; c++)
        if (*c <= ' ' || (unsigned char)*c >= 0x7f)
            return err_set(e, ERR_INVALID, "byte 0x%02x cannot be sent in a path; it needs %%-encoding",
                           (unsigned char)*c);
    if (!*method || !*target)
        return err_set(e, ERR_INVALID, "a request needs a method and a path");
    str_addf(out, "%s %s HTTP/1.1\r\n", method, target);
    if (http_add_fields(out, fields, e) < 0)
        return -1;
    if (length < 0)
        str_add(out, "Transfer-Encoding: chunked\r\n");
    else if (length > 0 || str_eq(method, "POST") || str_eq(method, "PUT"))
        str_addf(out, "Content-Length: %lld\r\n", (long long)length);
    str_add(out, "\r\n");
    http_begin_out(h, length, length < 0, false);
    return 0;
}

int http_write_request(struct http *h, const char *method, const char *target, const struct http_field *fields,
                       int64_t length, struct err *e)
{
    autostr out = STR_INIT;
    if (compose_request(h, method, target, fields, length, &out, e) < 0)
        return -1;
    return http_send_two(h, &out, NULL, 0, e);
}

int http_write_request_whole(struct http *h, const char *method, const char *target, const struct http_field *fields,
                             const void *body, size_t n, struct err *e)
{
    autostr out = STR_INIT;
    if (compose_request(h, method, target, fields, (int64_t)n, &out, e) < 0)
        return -1;
    h->left_out = 0;
    return http_send_two(h, &out, body, n, e);
}

/* ---- answers ---- */

/* version SP three digits [SP reason] */
static int parse_status_line(struct http_head *r, char *line, struct err *e)
{
    char *code = strchr(line, ' ');
    if (!code)
        return err_set(e, ERR_INVALID, "malformed status line \"%.64s\": this is not HTTP", line);
    *code++ = '\0';
    if (http_parse_version(line, &r->minor, e) < 0)
        return -1;
    if (strspn(code, "0123456789") != 3 || (code[3] != ' ' && code[3] != '\0') || code[0] < '1' || code[0] > '5')
        return err_set(e, ERR_INVALID, "malformed status line: status \"%.16s\"", code);
    r->status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0';
    r->reason = code[3] ? code + 4 : code + 3;
    return 0;
}

/* Heads of interim answers (1xx) announce the real one; 101 is final, the connection is another protocol's after it. */
static int read_final(struct http *h, struct http_head *ret, struct err *e)
{
    for (int i = 0; i < HTTP_INTERIM_MAX; i++) {
        int r = http_await_head(h, e);
        if (r <= 0)
            return r < 0 ? -1 : err_set(e, ERR_SYSTEM, "the connection was closed without an answer");
        if (http_read_head(h, parse_status_line, ret, e) < 0)
            return -1;
        if (ret->status >= 200 || ret->status == 101)
            return 0;
        http_head_release(ret);
    }
    return err_set(e, ERR_INVALID, "more than %d interim answers", HTTP_INTERIM_MAX);
}

int http_read_response(struct http *h, const char *method, struct http_head *ret_head, struct err *e)
{
    struct err mine = {0};
    int r = read_final(h, ret_head, &mine);
    h->deadline = 0;
    if (r < 0)
        return http_fail(h, &mine, e);
    int status = ret_head->status;
    if (str_eq(method, "HEAD") || status < 200 || status == 204 || status == 304)
        ret_head->body = HTTP_BODY_NONE;
    else if (ret_head->body == HTTP_BODY_NONE)
        ret_head->body = HTTP_BODY_CLOSE;
    if (ret_head->body == HTTP_BODY_CLOSE || status == 101)
        ret_head->keep_alive = false;
    h->last = !ret_head->keep_alive;
    http_begin_body(h, ret_head, false);
    return 0;
}
