/* Reading bodies: see http.h.
 *
 * A body ends where its framing says: after Content-Length bytes, after the chunk of size 0, or, in an answer only,
 * where the connection ends. The chunked form (RFC 9112 section 7.1) is a small machine:
 *
 *     CHUNK_SIZE ──size > 0──> CHUNK_DATA ──all read──> CHUNK_END ──CR LF──> CHUNK_SIZE
 *         └──────size = 0──> CHUNK_TRAILER ──empty line──> done
 *
 * It asks little of the sender: one byte of body may cost six on the wire, or thousands where it carries an extension,
 * and trailers may follow without end. So chunks are counted against the bytes they bring, and extensions and trailers
 * have a budget; what they say is ignored.
 *
 * A body that ends early is an error and never just a short body: a truncated archive must not be unpacked. After any
 * error the connection is broken. Read next: http_write.c. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/http_parts.h"

#include <string.h>

enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER };

#define DIRECT_MIN 4096 /* a read of at least this size goes past the buffer */

void http_begin_body(struct http *h, const struct http_head *head, bool server)
{
    h->body = head->body;
    h->left = head->body == HTTP_BODY_LENGTH ? head->length : 0;
    h->body_done = head->body == HTTP_BODY_NONE || (head->body == HTTP_BODY_LENGTH && head->length == 0);
    h->chunk_state = CHUNK_SIZE;
    h->chunks = h->body_bytes = h->extras = 0;
    h->server = server;
    h->want_continue = server && head->expect_continue && !h->body_done;
}

/* Some of the next `n` stream bytes: what the buffer holds, else from the descriptor. */
static ssize_t take(struct http *h, void *p, size_t n, struct err *e)
{
    if (h->pos == h->len && n >= DIRECT_MIN)
        return http_receive(h, p, n, e);
    if (h->pos == h->len) {
        ssize_t k = http_fill(h, e);
        if (k <= 0)
            return k;
    }
    size_t k = h->len - h->pos < n ? h->len - h->pos : n;
    memcpy(p, h->buf + h->pos, k);
    h->pos += k;
    return (ssize_t)k;
}

static int cut_short(struct err *e)
{
    return err_set(e, ERR_INVALID, "the connection was closed inside a body");
}

/* Take up to `n` of the h->left bytes of a body or chunk. @return bytes, never 0; or -1 */
static ssize_t take_left(struct http *h, void *p, size_t n, struct err *e)
{
    ssize_t k = take(h, p, h->left < n ? (size_t)h->left : n, e);
    if (k == 0)
        return cut_short(e);
    if (k > 0) {
        h->left -= (uint64_t)k;
        h->body_bytes += (uint64_t)k;
    }
    return k;
}

/* Find the next line of the chunk grammar; it stands at buf[pos], ends with CR LF and is not consumed.
 * @return its length without CR LF, or -1 */
static ssize_t line(struct http *h, struct err *e)
{
    for (;;) {
        size_t have = h->len - h->pos;
        const char *p = h->pos < h->len ? h->buf + h->pos : "";
        const char *lf = memchr(p, '\n', have);
        size_t n = lf ? (size_t)(lf - p) + 1 : have;
        if (n > HTTP_LINE_MAX || (!lf && n == HTTP_LINE_MAX))
            return err_set(e, ERR_INVALID, "a chunk or trailer line is longer than %d bytes", HTTP_LINE_MAX);
        if (lf && (n < 2 || p[n - 2] != '\r'))
            return err_set(e, ERR_INVALID, "malformed chunk: a line feed without a carriage return");
        if (lf) {
            for (size_t i = 0; i < n - 2; i++)
                if (((unsigned char)p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f)
                    return err_set(e, ERR_INVALID, "malformed chunk: byte 0x%02x in a line", (unsigned char)p[i]);
            return (ssize_t)n - 2;
        }
        ssize_t k = http_fill(h, e);
        if (k <= 0)
            return k < 0 ? -1 : cut_short(e);
    }
}

static int count_extras(struct http *h, size_t n, struct err *e)
{
    h->extras += n;
    if (h->extras > HTTP_EXTRAS_MAX)
        return err_set(e, ERR_INVALID, "chunk extensions and trailers are longer than %d bytes", HTTP_EXTRAS_MAX);
    return 0;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *d = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
    return d ? (int)(d - digits) : -1;
}

/* size [ ; extension ] CR LF. Sixteen digits are 64 bits; more are refused even where they begin with zeros. */
static int read_size(struct http *h, struct err *e)
{
    ssize_t n = line(h, e);
    if (n < 0)
        return -1;
    const char *p = h->buf + h->pos;
    size_t digits = 0;
    uint64_t size = 0;
    for (; digits < (size_t)n && hex_digit(p[digits]) >= 0; digits++)
        size = size << 4 | (uint64_t)hex_digit(p[digits]);
    size_t after = digits + strspn(p + digits, " \t"); /* the line ends in CR, so this cannot run beyond it */
    if (digits == 0 || digits > 16 || size > INT64_MAX)
        return err_set(e, ERR_INVALID, "malformed chunk: it does not begin with a size");
    if (after < (size_t)n ? p[after] != ';' : after > digits)
        return err_set(e, ERR_INVALID, "malformed chunk: byte 0x%02x after its size", (unsigned char)p[digits]);
    if (count_extras(h, (size_t)n - digits, e) < 0)
        return -1;
    if (h->server && ++h->chunks > HTTP_CHUNKS_FREE + h->body_bytes / HTTP_CHUNK_MEAN)
        return err_set(e, ERR_INVALID, "too many tiny chunks: %llu for %llu bytes", (unsigned long long)h->chunks,
                       (unsigned long long)h->body_bytes);
    h->pos += (size_t)n + 2;
    h->left = size;
    h->chunk_state = size > 0 ? CHUNK_DATA : CHUNK_TRAILER;
    return 0;
}

static int read_end(struct http *h, struct err *e)
{
    while (h->len - h->pos < 2) {
        ssize_t k = http_fill(h, e);
        if (k <= 0)
            return k < 0 ? -1 : cut_short(e);
    }
    if (memcmp(h->buf + h->pos, "\r\n", 2) != 0)
        return err_set(e, ERR_INVALID, "malformed chunk: it is longer than its size");
    h->pos += 2;
    h->chunk_state = CHUNK_SIZE;
    return 0;
}

/* All data of a chunk is taken. Where its CR LF is there already it goes too, so that an empty buffer means that there
 * is nothing to read (reply_pending()); a wrong byte waits until the data has been delivered. */
static void end_early(struct http *h)
{
    bool ended = h->len - h->pos >= 2 && memcmp(h->buf + h->pos, "\r\n", 2) == 0;
    h->pos += ended ? 2 : 0;
    h->chunk_state = ended ? CHUNK_SIZE : CHUNK_END;
}

static int read_trailer(struct http *h, struct err *e)
{
    ssize_t n = line(h, e);
    if (n < 0 || count_extras(h, (size_t)n, e) < 0)
        return -1;
    h->pos += (size_t)n + 2;
    h->body_done = n == 0;
    return 0;
}

static ssize_t read_chunked(struct http *h, void *p, size_t n, struct err *e)
{
    int r = 0;
    while (r == 0 && !h->body_done) {
        switch (h->chunk_state) {
        case CHUNK_SIZE: r = read_size(h, e); break;
        case CHUNK_END: r = read_end(h, e); break;
        case CHUNK_TRAILER: r = read_trailer(h, e); break;
        default: {
            ssize_t k = take_left(h, p, n, e);
            if (k > 0 && h->left == 0)
                end_early(h);
            return k;
        }
        }
    }
    return r;
}

static int send_continue(struct http *h, struct err *e)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    h->want_continue = false;
    return http_send(h, &(struct iovec){(void *)text, sizeof(text) - 1}, 1, e);
}

ssize_t http_read_body(struct http *h, void *p, size_t n, struct err *e)
{
    if (h->body_done || n == 0)
        return 0;
    if (h->broken)
        return err_set(e, ERR_SYSTEM, "the connection failed before this body was read");
    if (h->want_continue && send_continue(h, e) < 0)
        return -1;
    ssize_t k;
    if (h->body == HTTP_BODY_CHUNKED)
        k = read_chunked(h, p, n, e);
    else if (h->body == HTTP_BODY_LENGTH)
        k = take_left(h, p, n, e);
    else
        k = take(h, p, n, e);
    if (k < 0)
        h->broken = true;
    if (k == 0 || (h->body == HTTP_BODY_LENGTH && h->left == 0))
        h->body_done = true;
    return k;
}

/* From here on the whole body has so much time. */
static void begin_whole(struct http *h)
{
    h->deadline = h->whole_timeout_ms > 0 ? clock_mono() + h->whole_timeout_ms * NS_PER_MS : 0;
}

/* Read into `b` until the end or the limit. */
static int read_whole(struct http *h, size_t limit, struct str *b, struct err *e)
{
    char part[8192];
    for (;;) {
        ssize_t k = http_read_body(h, part, sizeof(part), e);
        if (k <= 0)
            return (int)k;
        if ((size_t)k > limit - b->len)
            return err_set(e, ERR_TOO_LARGE, "the body is longer than the limit of %zu bytes", limit);
        str_addn(b, part, (size_t)k);
    }
}

char *http_read_body_all(struct http *h, size_t limit, size_t *ret_len, struct err *e)
{
    /* Said to be too long: refuse before a client that asks for 100 Continue sends any of it. */
    if (h->body == HTTP_BODY_LENGTH && !h->body_done && h->left > limit)
        return err_null(err_set(e, ERR_TOO_LARGE, "the body of %llu bytes is longer than the limit of %zu bytes",
                                (unsigned long long)h->left, limit));
    autostr b = STR_INIT;
    begin_whole(h);
    int r = read_whole(h, limit, &b, e);
    h->deadline = 0;
    if (r < 0)
        return NULL;
    if (ret_len)
        *ret_len = b.len;
    return str_take(&b);
}

static int drain(struct http *h, size_t limit, struct err *e)
{
    char part[8192];
    for (size_t have = 0; !h->body_done;) {
        if (have > limit) {
            h->last = true;
            return err_set(e, ERR_TOO_LARGE, "more than %zu bytes of the body are left", limit);
        }
        ssize_t k = http_read_body(h, part, sizeof(part), e);
        if (k < 0)
            return -1;
        have += (size_t)k;
    }
    return 0;
}

int http_drain_body(struct http *h, size_t limit, struct err *e)
{
    if (h->want_continue) {
        h->last = true;
        return err_set(e, ERR_INVALID, "the body was not asked for and is not read");
    }
    begin_whole(h);
    int r = drain(h, limit, e);
    h->deadline = 0;
    return r;
}
