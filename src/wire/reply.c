/* Reading answers: see client.h.
 *
 * Answers come in four forms. A JSON value, read whole (reply_value). A stream of JSON objects, one a line, which
 * arrives while the daemon works (reply_next): the daemon sends an object a chunk, yet a chunk may be cut anywhere on
 * the way, so lines count and chunks do not. A long list, whose objects are taken one by one (reply_element): a
 * thousand containers need the memory of one, and two machines work at the same time. And bytes: logs, archives
 * (reply_read).
 *
 * An error may be recognised late: a pull that fails after its first line has answered 200 long ago, and says so in an
 * object with "error". That is the caller's to look for; here only the status counts. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/trace.h"
#include "wire/client_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REST_MAX     65536 /* bytes of an unread answer worth dropping to keep its connection */
#define REST_WAIT_MS 50

static enum err_kind kind_of(int status)
{
    static const struct {
        int status;
        enum err_kind kind;
    } table[] = {{400, ERR_INVALID},     {401, ERR_UNAUTHORIZED},   {403, ERR_FORBIDDEN},       {404, ERR_NOT_FOUND},
                 {408, ERR_TIMEOUT},     {409, ERR_CONFLICT},       {411, ERR_LENGTH_REQUIRED}, {413, ERR_TOO_LARGE},
                 {415, ERR_UNSUPPORTED}, {431, ERR_HEAD_TOO_LARGE}, {501, ERR_NOT_IMPLEMENTED}, {503, ERR_UNAVAILABLE},
                 {505, ERR_HTTP_VERSION}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].status == status)
            return table[i].kind;
    return ERR_SYSTEM;
}

void reply_fail(struct reply *r, struct err *e)
{
    size_t n = 0;
    struct err why = {0};
    autofree char *body = http_read_body_all(r->http, CLIENT_ERROR_MAX, &n, &why);
    json_auto_t *j = body ? json_parse(body, n, NULL) : NULL;
    const char *message = json_str(j, "message", NULL);
    int status = r->head.status;
    if (!str_empty(message)) {
        err_set(e, kind_of(status), "%s", message);
        return;
    }
    /* A daemon of before API 1.24, or something in between that is no daemon, answers in plain text. */
    while (body && n > 0 && strchr(" \t\r\n", body[n - 1]))
        n--;
    if (n > 0 && !j)
        err_set(e, kind_of(status), "%.*s", (int)(n < 1000 ? n : 1000), body);
    else
        err_set(e, kind_of(status), "status %d (%s), and no message", status, http_reason(status));
}

/* Credentials travel in these headers; a trace is something that people show to each other. */
static void hide_secrets(char *text)
{
    static const char *const secret[] = {"X-Registry-Auth:", "X-Registry-Config:", "Authorization:"};
    for (char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
            if (strncasecmp(line, secret[i], strlen(secret[i])) == 0)
                for (char *c = line + strlen(secret[i]) + 1; *c && *c != '\r'; c++)
                    *c = '*';
}

void client_trace_end(struct span *span, const struct http_tap *tap, const char *target)
{
    char text[HTTP_TAP_MAX + 1];
    if (!span->what)
        return;
    memcpy(text, tap->bytes, tap->n);
    text[tap->n] = '\0';
    hide_secrets(text);
    char *body = strstr(text, "\r\n\r\n");
    if (body && str_ends(target, "/auth")) /* its body holds a password */
        body[4] = '\0';
    trace_end(span, "%s", text);
}

ssize_t reply_read(struct reply *r, void *p, size_t n, struct err *e)
{
    ssize_t k = http_read_body(r->http, p, n, e);
    if (k < 0) {
        err_wrap(e, "the daemon's answer was cut short");
        client_explain(r->client, r->http, e);
    }
    return k;
}

#define INT64_DIGITS 19

/* @param p a number as JSON writes it, `n` bytes */
static void clamp_number(char *p, size_t n)
{
    bool minus = *p == '-';
    const char *limit = minus ? "9223372036854775808" : "9223372036854775807";
    p += minus;
    n -= minus;
    if (n < INT64_DIGITS || *p == '0')
        return;
    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9')
            return;
    if (n == INT64_DIGITS && memcmp(p, limit, n) <= 0)
        return;
    memcpy(p, limit, INT64_DIGITS);
    memset(p + INT64_DIGITS, ' ', n - INT64_DIGITS);
}

/* Go's daemons write unsigned 64-bit numbers: dockerd says 18446744073709551615 where there is no limit
 * (pids_stats.limit on cgroup v2). jansson keeps int64_t, and refuses the whole text for one number that does not fit.
 * So an integer beyond int64_t becomes the nearest that there is, in place, with blanks for digits left over. What has
 * a fraction or an exponent is no integer, and what begins with 0 is no JSON: both are left to the parser. */
static void clamp_integers(char *text, size_t n)
{
    bool quoted = false;
    for (size_t i = 0, k; i < n; i += k) {
        char *p = text + i;
        for (k = 0; !quoted && i + k < n && p[k] && strchr("0123456789-+.eE", p[k]);)
            k++;
        if (k > 0) {
            clamp_number(p, k);
            continue;
        }
        k = quoted && *p == '\\' ? 2 : 1;
        quoted ^= *p == '"';
    }
}

/* All JSON that a daemon sends. @return a new reference, or NULL */
static json_t *parse(char *text, size_t n, struct err *e)
{
    clamp_integers(text, n);
    return json_parse(text, n, e);
}

json_t *reply_value(struct reply *r, struct err *e)
{
    size_t n;
    autofree char *text = http_read_body_all(r->http, CLIENT_JSON_MAX, &n, e);
    if (!text)
        return err_null(err_wrap(e, "the daemon's answer"));
    if (n == 0)
        return json_null();
    json_t *j = parse(text, n, e);
    if (!j)
        err_wrap(e, "the daemon's answer");
    return j;
}

/* The next whole line of what was read, without its end; *n its length. @return NULL where none is complete */
static char *whole_line(struct reply *r, bool at_end, size_t *n)
{
    if (r->line_pos == r->line_len)
        return NULL;
    char *p = r->line + r->line_pos;
    const char *lf = memchr(p, '\n', r->line_len - r->line_pos);
    if (!lf && !at_end)
        return NULL;
    *n = lf ? (size_t)(lf - p) : r->line_len - r->line_pos;
    r->line_pos += *n + (lf != NULL);
    return p;
}

/* Read more behind what is not yet a line. @return bytes, 0 at the end, -1 */
static ssize_t read_more(struct reply *r, struct err *e)
{
    if (r->line_pos > 0)
        memmove(r->line, r->line + r->line_pos, r->line_len - r->line_pos);
    r->line_len -= r->line_pos;
    r->line_pos = 0;
    if (r->line_len >= CLIENT_LINE_MAX)
        return err_set(e, ERR_TOO_LARGE, "an object of the daemon's answer is longer than %u bytes", CLIENT_LINE_MAX);
    if (r->line_len == r->line_cap) {
        r->line_cap = r->line_cap ? r->line_cap * 2 : 8192;
        r->line = mem_resize(r->line, r->line_cap, 1);
    }
    ssize_t k = reply_read(r, r->line + r->line_len, r->line_cap - r->line_len, e);
    if (k > 0)
        r->line_len += (size_t)k;
    return k;
}

int reply_next(struct reply *r, json_t **ret, struct err *e)
{
    for (bool at_end = false;;) {
        size_t n = 0;
        char *p = whole_line(r, at_end, &n);
        while (n > 0 && strchr(" \t\r", p[n - 1]))
            n--;
        if (n > 0) {
            *ret = parse(p, n, e);
            return *ret ? 1 : err_wrap(e, "the daemon's stream");
        }
        if (p)
            continue;
        if (at_end)
            return 0;
        ssize_t k = read_more(r, e);
        if (k < 0)
            return -1;
        at_end = k == 0;
    }
}

/* The next byte that is no white space, reading as need be. It stays where it is. @return it, 0 at the end, -1 */
static int next_sign(struct reply *r, struct err *e)
{
    for (;;) {
        for (; r->line_pos < r->line_len; r->line_pos++) {
            char c = r->line[r->line_pos];
            if (!c || !strchr(" \t\r\n", c))
                return c ? (unsigned char)c : '?'; /* a NUL is no sign of JSON, and not the end */
        }
        ssize_t k = read_more(r, e);
        if (k <= 0)
            return (int)k;
    }
}

/* @param sign what next_sign() said, and it was not expected */
static int no_list(int sign, struct err *e)
{
    if (sign < 0)
        return -1;
    return err_set(e, ERR_INVALID, "the daemon's answer %s",
                   sign ? "is not a list of JSON objects" : "was cut short: a list without an end");
}

/* After the list nothing may come. @param n bytes of its last sign */
static int list_end(struct reply *r, size_t n, struct err *e)
{
    r->line_pos += n;
    int sign = next_sign(r, e);
    return sign > 0 ? no_list(sign, e) : sign;
}

/* Go's daemons write a list that nobody made as null, and Go's clients read that as an empty one. */
static bool is_null(struct reply *r, struct err *e)
{
    while (r->line_len - r->line_pos < 4)
        if (read_more(r, e) <= 0)
            return false;
    return memcmp(r->line + r->line_pos, "null", 4) == 0;
}

int reply_element(struct reply *r, json_t **ret, struct err *e)
{
    bool first = r->list_bytes == 0;
    int sign = next_sign(r, e);
    if (first && sign == 'n' && is_null(r, e))
        return list_end(r, 4, e);
    if (!first && sign == ']')
        return list_end(r, 1, e);
    if (sign != (first ? '[' : ','))
        return no_list(sign, e);
    r->line_pos++;
    sign = next_sign(r, e);
    if (first && sign == ']')
        return list_end(r, 1, e);
    if (sign != '{')
        return no_list(sign, e);
    size_t n;
    while ((n = json_extent(r->line + r->line_pos, r->line_len - r->line_pos)) == 0) {
        ssize_t k = read_more(r, e);
        if (k <= 0)
            return no_list((int)k, e);
    }
    *ret = parse(r->line + r->line_pos, n, e);
    r->line_pos += n;
    r->list_bytes += n;
    if (*ret && r->list_bytes <= CLIENT_JSON_MAX)
        return 1;
    json_decref(*ret);
    return *ret ? err_set(e, ERR_TOO_LARGE, "the daemon's list is longer than %u bytes", CLIENT_JSON_MAX)
                : err_wrap(e, "the daemon's answer");
}

int reply_fd(const struct reply *r)
{
    return r->http->fd;
}

bool reply_pending(const struct reply *r)
{
    return r->http->body_done || r->http->pos < r->http->len || r->line_pos < r->line_len;
}

/* The last chunk often arrives a moment after the last byte that mattered. Take what is there, wait for nothing more.
 */
static void drop_rest(struct http *h)
{
    char part[4096];
    h->idle_timeout_ms = REST_WAIT_MS;
    for (size_t have = 0; !h->body_done && !h->broken && have < REST_MAX && http_peek_peer(h) == 1;) {
        ssize_t k = http_read_body(h, part, sizeof(part), NULL);
        have += k > 0 ? (size_t)k : 0;
    }
    h->idle_timeout_ms = 0;
}

void reply_release(struct reply *r)
{
    drop_rest(r->http);
    client_keep(r->client, r->http);
    http_head_release(&r->head);
    free(r->line);
    *r = (struct reply){0};
}
