/* Reading heads: see http.h for what is refused.
 *
 * Two machines that read the same bytes differently can be played against each other (request smuggling), and every
 * tolerance in the old grammar is such a difference. We are tolerant nowhere: each rule of RFC 9112 that says "may
 * accept" is read as "refuse". A head is taken in two steps:
 *
 *   1. scan: byte for byte as they arrive, looking for the empty line. A byte that no head may hold ends it at once,
 *      so a TLS client hello, a bare LF or a NUL is answered without waiting for an end that will not come.
 *   2. parse: the whole head, copied to memory of its own and cut into strings there.
 *
 * Both judge by position in the stream alone; how the bytes were cut into reads cannot change the result. On failure
 * the connection's framing is lost and it must be closed after the answer.
 *
 * Read next: http_body.c, or how a whole head finds its function, api/router.c. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/http_parts.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *http_header(const struct http_head *h, const char *name)
{
    for (size_t i = 0; i < h->headers; i++)
        if (strcasecmp(h->header[i].name, name) == 0)
            return h->header[i].value;
    return NULL;
}

void http_head_release(struct http_head *h)
{
    free(h->storage);
    memset(h, 0, sizeof(*h));
}

bool http_is_token(unsigned char c)
{
    return (c < 0x80 && isalnum(c)) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* ---- 1. scan ---- */

/* Look at the bytes from *at on; the buffer holds no more than HTTP_HEAD_MAX. @return the size of the head once its
 * empty line was seen, 0 for more bytes, -1 */
static ssize_t scan(const unsigned char *p, size_t n, size_t *at, struct err *e)
{
    for (size_t i = *at; i < n; i++) {
        bool after_cr = i > 0 && p[i - 1] == '\r';
        if (p[i] == '\n' && !after_cr)
            return err_set(e, ERR_INVALID, "malformed head: a line feed without a carriage return");
        if (p[i] != '\n' && after_cr)
            return err_set(e, ERR_INVALID, "malformed head: a carriage return without a line feed");
        if ((p[i] < 0x20 && !strchr("\t\r\n", p[i])) || p[i] == 0 || p[i] == 0x7f)
            return err_set(e, ERR_INVALID, "malformed head: byte 0x%02x at offset %zu", p[i], i);
        if (p[i] == '\n' && i == 1)
            return err_set(e, ERR_INVALID, "malformed head: it begins with an empty line");
        if (p[i] == '\n' && p[i - 2] == '\n')
            return (ssize_t)i + 1;
    }
    *at = n;
    return n < HTTP_HEAD_MAX ? 0 : err_set(e, ERR_HEAD_TOO_LARGE, "the head is longer than %d bytes", HTTP_HEAD_MAX);
}

static ssize_t more(struct http *h, struct err *e)
{
    ssize_t k = http_fill(h, e);
    if (k == 0)
        return err_set(e, ERR_INVALID, "the connection was closed inside a head");
    if (k < 0 && e->kind == ERR_TIMEOUT)
        return err_set(e, ERR_TIMEOUT, "the head was not complete in the time allowed");
    return k;
}

/* Wait for the first byte of a head. @return 1, 0 where none will come */
int http_await_head(struct http *h, struct err *e)
{
    h->deadline = 0;
    http_trim(h);
    if (h->pos == h->len) {
        int ready = http_wait(h, POLLIN, h->idle_timeout_ms);
        if (ready == 0)
            return 0;
        ssize_t k = ready < 0 ? err_sys(e, "wait for the connection") : http_fill(h, e);
        if (k == 0 || (k < 0 && e->sys == ECONNRESET)) /* gone before a word: no error */
            return 0;
        if (k < 0)
            return -1;
    }
    h->head_started = clock_mono();
    if (h->head_timeout_ms > 0)
        h->deadline = h->head_started + h->head_timeout_ms * NS_PER_MS;
    return 1;
}

/* Collect a head. @return its size; it stands at buf[pos] and is not consumed */
static ssize_t collect(struct http *h, struct err *e)
{
    size_t at = 0;
    for (;;) {
        ssize_t size = scan((unsigned char *)h->buf + h->pos, h->len - h->pos, &at, e);
        if (size != 0)
            return size;
        if (more(h, e) < 0)
            return -1;
    }
}

/* RFC 9112 section 2.2: a server should overlook an empty line before a request; some old clients end a body with one.
 * One, not a flood of them. */
static int skip_empty_line(struct http *h, struct err *e)
{
    if (h->buf[h->pos] != '\r')
        return 0;
    while (h->len - h->pos < 2)
        if (more(h, e) < 0)
            return -1;
    if (h->buf[h->pos + 1] != '\n')
        return err_set(e, ERR_INVALID, "malformed head: a carriage return without a line feed");
    h->pos += 2;
    while (h->pos == h->len)
        if (more(h, e) < 0)
            return -1;
    return 0;
}

/* ---- 2. parse ---- */

/* Cut the next line off at its CR LF, which the scan has vouched for. */
static char *next_line(char **p)
{
    char *line = *p;
    size_t n = strcspn(line, "\r");
    line[n] = '\0';
    *p = line + n + 2;
    return line;
}

int http_parse_version(const char *s, int *ret_minor, struct err *e)
{
    if (strlen(s) != 8 || !str_starts(s, "HTTP/") || !isdigit((unsigned char)s[5]) || s[6] != '.' ||
        !isdigit((unsigned char)s[7]))
        return err_set(e, ERR_INVALID, "malformed start line: \"%.32s\" is not an HTTP version", s);
    if (s[5] != '1' || s[7] > '1')
        return err_set(e, ERR_HTTP_VERSION, "%s is not spoken here; HTTP/1.1 and HTTP/1.0 are", s);
    *ret_minor = s[7] - '0';
    return 0;
}

/* method SP target SP version, with exactly these two blanks */
static int parse_request_line(struct http_head *r, char *line, struct err *e)
{
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version)
        return err_set(e, ERR_INVALID, "malformed request line: it needs a method, a target and a version");
    *target++ = '\0';
    *version++ = '\0';
    for (const char *c = line; *c; c++)
        if (!http_is_token((unsigned char)*c))
            return err_set(e, ERR_INVALID, "malformed request line: byte 0x%02x in the method", (unsigned char)*c);
    for (const char *c = target; *c; c++)
        if (*c <= ' ' || (unsigned char)*c >= 0x7f)
            return err_set(e, ERR_INVALID, "malformed request line: byte 0x%02x in the target", (unsigned char)*c);
    if (!*line || !*target)
        return err_set(e, ERR_INVALID, "malformed request line: it needs a method, a target and a version");
    r->method = line;
    r->target = target;
    return http_parse_version(version, &r->minor, e);
}

static int parse_field(struct http_head *r, char *line, struct err *e)
{
    if (r->headers == HTTP_HEADERS_MAX)
        return err_set(e, ERR_HEAD_TOO_LARGE, "the head has more than %d headers", HTTP_HEADERS_MAX);
    if (*line == ' ' || *line == '\t')
        return err_set(e, ERR_INVALID, "malformed header: a folded line");
    char *c = line;
    while (http_is_token((unsigned char)*c))
        c++;
    if (*c != ':' || c == line)
        return err_set(e, ERR_INVALID, "malformed header: \"%.32s\" is not a name and a colon", line);
    *c++ = '\0';
    c += strspn(c, " \t");
    size_t n = strlen(c);
    while (n > 0 && (c[n - 1] == ' ' || c[n - 1] == '\t'))
        n--;
    c[n] = '\0';
    r->header[r->headers++] = (struct http_header){line, c};
    return 0;
}

/* How many headers have this name? The value of the first goes to *ret. */
static size_t count(const struct http_head *r, const char *name, const char **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < r->headers; i++)
        if (strcasecmp(r->header[i].name, name) == 0 && n++ == 0)
            *ret = r->header[i].value;
    return n;
}

/* Is `word` in one of the comma lists of the headers called `name`? */
static bool lists(const struct http_head *r, const char *name, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < r->headers; i++) {
        if (strcasecmp(r->header[i].name, name) != 0)
            continue;
        for (const char *p = r->header[i].value; *p;) {
            p += strspn(p, ", \t");
            size_t k = strcspn(p, ", \t");
            if (k == n && strncasecmp(p, word, n) == 0)
                return true;
            p += k;
        }
    }
    return false;
}

/* RFC 9112 section 6.3, in the strict reading: how long is the body? */
static int parse_framing(struct http_head *r, struct err *e)
{
    const char *length = NULL, *coding = NULL;
    size_t lengths = count(r, "Content-Length", &length), codings = count(r, "Transfer-Encoding", &coding);
    if (lengths && codings)
        return err_set(e, ERR_INVALID, "both Content-Length and Transfer-Encoding are given");
    if (lengths > 1)
        return err_set(e, ERR_INVALID, "more than one Content-Length is given");
    if (codings > 1 || (codings && r->minor == 0))
        return err_set(e, ERR_INVALID, "%s",
                       codings > 1 ? "more than one Transfer-Encoding is given" : "HTTP/1.0 has no Transfer-Encoding");
    if (codings && strcasecmp(coding, "chunked") != 0)
        return err_set(e, *coding ? ERR_NOT_IMPLEMENTED : ERR_INVALID, "transfer coding \"%.64s\" is not known",
                       coding);
    if (lengths && (!str_to_u64(length, &r->length) || r->length > INT64_MAX))
        return err_set(e, ERR_INVALID, "Content-Length \"%.64s\" is not a length", length);
    r->body = codings ? HTTP_BODY_CHUNKED : lengths ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    return 0;
}

/* RFC 9112 section 9.3 */
static void parse_connection(struct http_head *r)
{
    bool closing = lists(r, "Connection", "close");
    r->keep_alive = !closing && (r->minor >= 1 || lists(r, "Connection", "keep-alive"));
    r->upgrade = lists(r, "Connection", "upgrade");
}

/* The bytes of a host and port (RFC 3986 section 3.2.2). What the name means is for the listener to judge. */
static int check_host(const struct http_head *r, struct err *e)
{
    const char *host = NULL;
    size_t n = count(r, "Host", &host);
    if (n > 1 || (n == 0 && r->minor >= 1))
        return err_set(e, ERR_INVALID, "%s", n ? "more than one Host header is given" : "a Host header is missing");
    for (const char *c = host ? host : ""; *c; c++)
        if ((unsigned char)*c >= 0x80 || (!isalnum((unsigned char)*c) && !strchr("-._~%!$&'()*+,;=:[]", *c)))
            return err_set(e, ERR_INVALID, "malformed Host header: byte 0x%02x", (unsigned char)*c);
    return 0;
}

/* Move the head out of the buffer into *ret and parse it. On failure nothing is left to release. */
static int parse(struct http *h, size_t size, http_start_line *start, struct http_head *ret, struct err *e)
{
    memset(ret, 0, sizeof(*ret));
    ret->storage = mem_strndup(h->buf + h->pos, size);
    ret->size = size;
    h->pos += size;
    char *p = ret->storage;
    int r = start(ret, next_line(&p), e);
    while (r == 0) {
        char *line = next_line(&p);
        if (!*line)
            break;
        r = parse_field(ret, line, e);
    }
    if (r == 0)
        r = parse_framing(ret, e);
    if (r < 0) {
        http_head_release(ret);
        return -1;
    }
    parse_connection(ret);
    return 0;
}

int http_read_head(struct http *h, http_start_line *start, struct http_head *ret, struct err *e)
{
    ssize_t size = collect(h, e);
    return size < 0 ? -1 : parse(h, (size_t)size, start, ret, e);
}

static int read_request(struct http *h, struct http_head *ret, struct err *e)
{
    if (skip_empty_line(h, e) < 0 || http_read_head(h, parse_request_line, ret, e) < 0)
        return -1;
    if (check_host(ret, e) < 0) {
        http_head_release(ret);
        return -1;
    }
    const char *expect = http_header(ret, "Expect");
    ret->expect_continue =
        expect && strcasecmp(expect, "100-continue") == 0 && ret->minor >= 1 && ret->body != HTTP_BODY_NONE;
    return 1;
}

int http_fail(struct http *h, const struct err *mine, struct err *e)
{
    h->broken = true;
    if (e)
        *e = *mine;
    return -1;
}

int http_read_request(struct http *h, struct http_head *ret_head, struct err *e)
{
    struct err mine = {0};
    if (!h->body_done && http_drain_body(h, HTTP_DRAIN_MAX, NULL) < 0)
        h->last = true;
    if (h->broken || h->last)
        return 0;
    int r = http_await_head(h, &mine);
    if (r > 0)
        r = read_request(h, ret_head, &mine);
    h->deadline = 0;
    if (r < 0)
        return http_fail(h, &mine, e);
    if (r == 0)
        return 0;
    h->last = !ret_head->keep_alive;
    http_begin_body(h, ret_head, true);
    return 1;
}
