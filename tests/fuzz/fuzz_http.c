/* HTTP: request heads, answers, body framing.
 *
 * Properties:
 *   1. Split invariance: however the bytes are cut into reads, and in whatever portions the body is asked for, the same
 *      heads, bodies and kinds of error come out, in the same order.
 *   2. No byte is lost: what heads and bodies took, what http_take() hands over and what was never read are the input.
 *   3. What was accepted can be written, and reads back as the same.
 *   4. The buffer stays within its limit.
 * An input that begins with "HTTP/" is read as answers, any other as requests. */
#include "base/mem.h"
#include "fake_io.h"
#include "wire/ask.h"
#include "wire/http_parts.h"

#include <string.h>
#include <strings.h>

#define BODY_MAX (1u << 20)

static void note_head(struct str *log, const struct http_head *h)
{
    str_addf(log, "head %s %s %d %s 1.%d body=%d length=%llu size=%zu %d%d%d\n", h->method ? h->method : "-",
             h->target ? h->target : "-", h->status, h->reason ? h->reason : "-", h->minor, (int)h->body,
             (unsigned long long)h->length, h->size, h->keep_alive, h->expect_continue, h->upgrade);
    for (size_t i = 0; i < h->headers; i++)
        str_addf(log, " %s=%s\n", h->header[i].name, h->header[i].value);
}

/* 3. Framing headers are the writer's own business, so they are left out on the way. */
static void write_and_read_back(const struct http_head *h)
{
    static struct http_field f[HTTP_HEADERS_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < h->headers; i++)
        if (strcasecmp(h->header[i].name, "Content-Length") != 0 &&
            strcasecmp(h->header[i].name, "Transfer-Encoding") != 0)
            f[n++] = (struct http_field){h->header[i].name, h->header[i].value};
    f[n] = (struct http_field){NULL, NULL};
    bool keeps_host = h->minor == 1 && n < HTTP_HEADERS_MAX; /* 1.0 may come without a Host; we write 1.1 */
    if (!h->method || !keeps_host || h->size > HTTP_HEAD_MAX - 64)
        return;
    struct fake_io saved = fake;
    fake = (struct fake_io){0};
    struct http w, r;
    struct http_head back;
    http_init(&w, FAKE_FD);
    HOLDS(http_write_request(&w, h->method, h->target, f, h->body == HTTP_BODY_CHUNKED ? -1 : 0, NULL) == 0);
    struct str text = fake.out;
    fake = (struct fake_io){.in = (const uint8_t *)text.s, .left = text.len};
    http_init(&r, FAKE_FD);
    HOLDS(http_read_request(&r, &back, NULL) == 1);
    HOLDS(str_eq(back.method, h->method) && str_eq(back.target, h->target) && back.headers >= n);
    for (size_t i = 0; i < n; i++)
        HOLDS(str_eq(back.header[i].name, f[i].name) && str_eq(back.header[i].value, f[i].value));
    HOLDS((back.body == HTTP_BODY_CHUNKED) == (h->body == HTTP_BODY_CHUNKED));
    http_head_release(&back);
    http_release(&w);
    http_release(&r);
    str_release(&text);
    fake = saved;
}

/* Read a body in portions of `portion` bytes. @return 0, or -1 after an error */
static int note_body(struct http *h, size_t portion, struct str *log)
{
    static char part[70000];
    struct err e = {0};
    size_t total = 0;
    ssize_t k;
    str_add(log, "body ");
    while ((k = http_read_body(h, part, portion, &e)) > 0) {
        HOLDS((size_t)k <= portion);
        HOLDS(h->cap <= HTTP_BUF_MAX);
        str_addn(log, part, (size_t)k);
        total += (size_t)k;
        HOLDS(total <= BODY_MAX);
    }
    str_addf(log, " end %d %d %llu\n", k < 0 ? -1 : 0, (int)(k < 0 ? e.kind : ERR_NONE),
             (unsigned long long)h->body_bytes);
    HOLDS(k < 0 || h->body_done);
    return k < 0 ? -1 : 0;
}

static void note_rest(struct http *h, struct str *log)
{
    char *rest;
    size_t n;
    HOLDS(http_take(h, &rest, &n) == FAKE_FD);
    str_add(log, "rest ");
    str_addn(log, rest ? rest : "", n);
    str_addn(log, fake.in, fake.left); /* 2. together they are the same, wherever the cut was */
    free(rest);
}

static void run(const uint8_t *data, size_t size, enum cut how, size_t portion, struct str *log)
{
    fake = (struct fake_io){.in = data, .left = size, .cutter = cutter_new(how, data, size)};
    bool answers = size >= 5 && memcmp(data, "HTTP/", 5) == 0;
    struct http h;
    struct http_head head;
    struct err e = {0};
    http_init(&h, FAKE_FD);
    for (;;) {
        int r = answers ? http_read_response(&h, "GET", &head, &e) + 1 : http_read_request(&h, &head, &e);
        HOLDS(h.cap <= HTTP_BUF_MAX && h.bytes_in <= size);
        if (answers && r == 0)
            r = -1;
        if (r <= 0) {
            str_addf(log, "no head %d %d\n", r, (int)(r < 0 ? e.kind : ERR_NONE));
            break;
        }
        HOLDS(head.size <= HTTP_HEAD_MAX && head.headers <= HTTP_HEADERS_MAX);
        note_head(log, &head);
        if (how == CUT_NONE)
            write_and_read_back(&head);
        bool taken = head.upgrade, last = answers && !head.keep_alive;
        http_head_release(&head);
        int done = note_body(&h, portion, log);
        if (done == 0 && taken)
            note_rest(&h, log);
        if (done < 0 || taken || last)
            break;
    }
    str_addf(log, "sent %s", fake.out.s ? fake.out.s : "");
    str_release(&fake.out);
    http_release(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t portion[CUTS] = {70000, 3, 5000};
    struct str log[CUTS] = {STR_INIT, STR_INIT, STR_INIT};
    for (int i = 0; i < CUTS; i++) {
        run(data, size, (enum cut)i, portion[i], &log[i]);
        if (log[i].len != log[0].len || memcmp(log[i].s, log[0].s, log[0].len) != 0) {
            fprintf(stderr, "---- whole:\n%s\n---- cut %d:\n%s\n", log[0].s, i, log[i].s);
            abort();
        }
    }
    for (int i = 0; i < CUTS; i++)
        str_release(&log[i]);
    return 0;
}
