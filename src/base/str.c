/* Strings: see str.h. Growth doubles, so appending n bytes one at a time costs O(n) in all. */
#include "base/str.h"
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static void reserve(struct str *b, size_t more)
{
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2;
    b->s = mem_resize(b->s, cap, 1);
    b->cap = cap;
}

void str_release(struct str *b)
{
    free(b->s);
    *b = (struct str)STR_INIT;
}

void str_reset(struct str *b)
{
    reserve(b, 0);
    b->len = 0;
    b->s[0] = '\0';
}

void str_addn(struct str *b, const void *p, size_t n)
{
    reserve(b, n);
    if (n > 0)
        memcpy(b->s + b->len, p, n);
    b->len += n;
    b->s[b->len] = '\0';
}

void str_add(struct str *b, const char *s)
{
    str_addn(b, s, strlen(s));
}

void str_addc(struct str *b, char c)
{
    str_addn(b, &c, 1);
}

void str_pad(struct str *b, char c, size_t n)
{
    reserve(b, n);
    memset(b->s + b->len, c, n);
    b->len += n;
    b->s[b->len] = '\0';
}

__attribute__((format(printf, 2, 0))) static void addv(struct str *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n > 0) {
        reserve(b, (size_t)n);
        vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    } else {
        reserve(b, 0);
        b->s[b->len] = '\0';
    }
    va_end(again);
}

void str_addf(struct str *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    addv(b, fmt, ap);
    va_end(ap);
}

void str_fold(struct str *b, const char *text, size_t indent, size_t width)
{
    size_t column = indent;
    for (bool first = true; *text; first = false) {
        size_t n = strcspn(text, " ");
        if (!first && column + 1 + n > width) {
            str_addf(b, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            str_addc(b, ' ');
            column++;
        }
        str_addn(b, text, n);
        column += n;
        text += n + (text[n] == ' ');
    }
    str_addc(b, '\n');
}

char *str_take(struct str *b)
{
    reserve(b, 0);
    b->s[b->len] = '\0';
    char *s = b->s;
    *b = (struct str)STR_INIT;
    return s;
}

char *str_printf(const char *fmt, ...)
{
    struct str b = STR_INIT;
    va_list ap;
    va_start(ap, fmt);
    addv(&b, fmt, ap);
    va_end(ap);
    return str_take(&b);
}

bool str_among(const char *s, const char *const *list)
{
    while (*list && !str_eq(*list, s))
        list++;
    return *list != NULL;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

bool str_to_u64(const char *s, uint64_t *ret)
{
    uint64_t v = 0;
    if (str_empty(s))
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return false;
    }
    *ret = v;
    return true;
}

bool str_to_i64(const char *s, int64_t *ret)
{
    uint64_t v;
    bool minus = s && *s == '-';
    if (!str_to_u64(minus ? s + 1 : s, &v) || v > (uint64_t)INT64_MAX + (minus ? 1 : 0))
        return false;
    *ret = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool str_is_hex(const char *s, size_t n)
{
    if (!s || strlen(s) != n)
        return false;
    return strspn(s, "0123456789abcdef") == n;
}

void str_random_hex(char *out, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    unsigned char raw[64];
    while (n > 0) {
        size_t k = n < sizeof(raw) ? n : sizeof(raw);
        size_t have = 0;
        /* getrandom(2) blocks until the kernel's pool is seeded and then never fails for ≤ 256 bytes,
         * except EINTR before it is seeded. */
        while (have < k) {
            ssize_t got = getrandom(raw + have, k - have, 0);
            if (got < 0 && errno != EINTR)
                abort();
            have += got > 0 ? (size_t)got : 0;
        }
        for (size_t i = 0; i < k; i++) {
            *out++ = digit[raw[i] >> 4];
            *out++ = digit[raw[i] & 15];
        }
        n -= k;
    }
    *out = '\0';
}

void strv_release(struct strv *v)
{
    for (size_t i = 0; i < v->n; i++)
        free(v->v[i]);
    free(v->v);
    *v = (struct strv){NULL, 0};
}

static void push(struct strv *v, char *s)
{
    v->v = mem_resize(v->v, v->n + 2, sizeof(*v->v));
    v->v[v->n++] = s;
    v->v[v->n] = NULL;
}

void strv_add(struct strv *v, const char *s)
{
    push(v, mem_strdup(s));
}

void strv_addf(struct strv *v, const char *fmt, ...)
{
    struct str b = STR_INIT;
    va_list ap;
    va_start(ap, fmt);
    addv(&b, fmt, ap);
    va_end(ap);
    push(v, str_take(&b));
}
