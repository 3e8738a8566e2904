/* Writing heads and bodies: see http.h.
 *
 * A head is put together in memory and leaves in one segment, with a small body in the same one: a head of its own
 * would cost a system call here and there, and over TCP a wait for the other side's delayed acknowledgement. The head
 * of a 101 answer is the opposite case and must travel alone: some clients read it through a buffered reader, take the
 * raw socket afterwards, and lose what shared a segment with it (spec/api.md section 3.3).
 *
 * Nothing that reaches us from outside may write headers of its own: names and values are checked here, in one place,
 * for CR, LF and other control bytes. What the caller announced is held against what it writes: a body that is shorter
 * or longer than its Content-Length would put the peer out of step, so the connection is then broken instead. Read
 * next: http_target.c. */
#include "base/mem.h"
#include "base/str.h"
#include "wire/http_parts.h"

#include <strings.h>

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } table[] = {
        {100, "Continue"},
        {101, "UPGRADED"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].status == status)
            return table[i].text;
    return "Unknown";
}

int http_add_fields(struct str *out, const struct http_field *f, struct err *e)
{
    for (; f && f->name; f++) {
        for (const char *c = f->name; *c; c++)
            if (!http_is_token((unsigned char)*c))
                return err_set(e, ERR_INVALID, "\"%.64s\" cannot be the name of a header", f->name);
        for (const char *c = f->value; *c; c++)
            if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
                return err_set(e, ERR_INVALID, "byte 0x%02x cannot be sent in the header %s", (unsigned char)*c,
                               f->name);
        str_addf(out, "%s: %s\r\n", f->name, f->value);
    }
    return 0;
}

static const char *given(const struct http_field *f, const char *name)
{
    for (; f && f->name; f++)
        if (strcasecmp(f->name, name) == 0)
            return f->value;
    return NULL;
}

void http_begin_out(struct http *h, int64_t length, bool chunked, bool head_only)
{
    h->chunked_out = chunked && !head_only;
    h->counted_out = length >= 0 && !head_only;
    h->left_out = h->counted_out ? (uint64_t)length : 0;
    h->head_only = head_only;
}

int http_send_two(struct http *h, const struct str *head, const void *body, size_t n, struct err *e)
{
    struct iovec part[2] = {{head->s, head->len}, {(void *)body, n}};
    return http_send(h, part, 2, e);
}

/* May another request follow this answer? */
static bool will_keep(const struct http *h, const struct http_head *req, int status, const struct http_field *fields,
                      int64_t length)
{
    if (!req || !req->keep_alive || h->broken || h->last)
        return false;
    /* Refused before its body was read: what is left may be long, or never come. */
    if (status >= 400 && !h->body_done && (h->body != HTTP_BODY_LENGTH || h->left > HTTP_DRAIN_MAX))
        return false;
    /* The client was never told to send its body, and may now send it or not: nobody knows what the next byte is. */
    if (h->want_continue)
        return false;
    const char *own = given(fields, "Connection");
    if (own && strcasecmp(own, "close") == 0)
        return false;
    return length >= 0 || (length == -1 && req->minor >= 1);
}

static int compose_response(struct http *h, const struct http_head *req, int status, const struct http_field *fields,
                            int64_t length, struct str *out, struct err *e)
{
    bool interim = status < 200, bodiless = interim || status == 204 || status == 304;
    bool head_only = bodiless || (req && str_eq(req->method, "HEAD"));
    bool old = req && req->minor == 0;
    bool keep = will_keep(h, req, status, fields, bodiless ? 0 : length);
    str_addf(out, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    if (http_add_fields(out, fields, e) < 0)
        return -1;
    if (!bodiless && length >= 0)
        str_addf(out, "Content-Length: %lld\r\n", (long long)length);
    else if (!bodiless && length == -1 && !old)
        str_add(out, "Transfer-Encoding: chunked\r\n");
    if (!interim && !given(fields, "Connection") && (!keep || old))
        str_addf(out, "Connection: %s\r\n", keep ? "keep-alive" : "close");
    str_add(out, "\r\n");
    h->last = !keep || status == 101;
    http_begin_out(h, length, length == -1 && !old, head_only);
    return 0;
}

int http_write_response(struct http *h, const struct http_head *req, int status, const struct http_field *fields,
                        int64_t length, struct err *e)
{
    autostr out = STR_INIT;
    if (compose_response(h, req, status, fields, length, &out, e) < 0)
        return -1;
    return http_send_two(h, &out, NULL, 0, e);
}

int http_write_whole(struct http *h, const struct http_head *req, int status, const struct http_field *fields,
                     const void *body, size_t n, struct err *e)
{
    autostr out = STR_INIT;
    if (compose_response(h, req, status, fields, (int64_t)n, &out, e) < 0)
        return -1;
    h->left_out = 0;
    return http_send_two(h, &out, body, h->head_only ? 0 : n, e);
}

/* ---- bodies ---- */

int http_write_body(struct http *h, const void *p, size_t n, struct err *e)
{
    if (n == 0 || h->head_only)
        return 0;
    if (h->broken)
        return err_set(e, ERR_SYSTEM, "the connection failed before this body was written");
    if (h->counted_out && n > h->left_out) {
        h->broken = true;
        return err_set(e, ERR_SYSTEM, "a body is longer than its Content-Length");
    }
    h->left_out -= h->counted_out ? n : 0;
    char size[20];
    int digits = h->chunked_out ? snprintf(size, sizeof(size), "%zx\r\n", n) : 0;
    struct iovec part[3] = {{size, (size_t)digits}, {(void *)p, n}, {(void *)"\r\n", h->chunked_out ? 2 : 0}};
    return http_send(h, part, 3, e);
}

int http_write_end(struct http *h, struct err *e)
{
    bool chunked = h->chunked_out;
    h->chunked_out = false;
    if (h->head_only)
        return 0;
    if (h->counted_out && h->left_out > 0) {
        h->broken = true;
        return err_set(e, ERR_SYSTEM, "a body is shorter than its Content-Length by %llu bytes",
                       (unsigned long long)h->left_out);
    }
    return chunked ? http_send(h, &(struct iovec){(void *)"0\r\n\r\n", 5}, 1, e) : 0;
}
