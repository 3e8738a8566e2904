/* The json-file log, reading it: see jsonlog.h.
 *
 * Speed comes from two things. Text is handled in runs: most bytes of a log are printable ASCII, which is copied as it
 * stands, and a table of 256 tells where a run ends. And time is remembered: neighbouring records were mostly written
 * in the same second, so the calendar is consulted rarely. The memory belongs to the thread.
 *
 * Decoding fails on anything that is not exactly a record. A damaged line is no reason to stop reading a log, so there
 * is no error text; callers count or skip.
 *
 * The decoder is written for lines from outside: a container's root may edit its own log through a bind mount, and a
 * power cut may leave anything. It never reads behind the line, needs no terminator, keeps no more state than its
 * position, and its only allocation is bounded by the length of the line.
 *
 * Read next: shim/jsonlog_write.c, the other direction; shim/log.c, which writes the file; and the engine's logs, which
 * reads it. */
#include "base/jsonlog.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

const unsigned char jsonlog_kind[256] = {
    [0x00 ... 0x1f] = JSONLOG_ESCAPE, ['"'] = JSONLOG_ESCAPE, ['\\'] = JSONLOG_ESCAPE, [0x80 ... 0xff] = JSONLOG_HIGH};

size_t jsonlog_utf8(const unsigned char *p, size_t n)
{
    size_t k = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || k > n)
        return 0;
    /* The second byte alone decides about over-long forms, surrogates and the upper end. */
    unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < k; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return k;
}

/* ---- decoding ----
 *
 *     line   = { member , … }          member = "log": string | "stream": "stdout" or "stderr" | "time": RFC 3339
 *                                              | "attrs": { … } | "anything else": any value
 *
 * Each function below reads one piece at `scan.p` and steps behind it, or returns false. */

struct scan {
    const char *p;
    const char *end;
};

static void blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n'))
        s->p++;
}

static bool take(struct scan *s, char c)
{
    blanks(s);
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* A string as it stands between its quotes, escapes not undone: enough for keys, the stream and the time. */
static bool raw_string(struct scan *s, const char **ret, size_t *ret_n)
{
    if (!take(s, '"'))
        return false;
    const char *from = s->p;
    for (; s->p < s->end && *s->p != '"'; s->p++)
        if ((unsigned char)*s->p < 0x20 || (*s->p == '\\' && ++s->p == s->end))
            return false;
    if (s->p == s->end)
        return false;
    *ret = from;
    *ret_n = (size_t)(s->p++ - from);
    return true;
}

static bool hex4(const char *p, const char *end, uint32_t *ret)
{
    uint32_t v = 0;
    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        uint32_t c = (unsigned char)p[i];
        if (c >= '0' && c <= '9')
            v = v << 4 | (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            v = v << 4 | ((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    *ret = v;
    return true;
}

static char *put_utf8(char *o, uint32_t c)
{
    if (c < 0x80) {
        *o++ = (char)c;
    } else if (c < 0x800) {
        *o++ = (char)(0xc0 | c >> 6);
        *o++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *o++ = (char)(0xe0 | c >> 12);
        *o++ = (char)(0x80 | (c >> 6 & 0x3f));
        *o++ = (char)(0x80 | (c & 0x3f));
    } else {
        *o++ = (char)(0xf0 | c >> 18);
        *o++ = (char)(0x80 | (c >> 12 & 0x3f));
        *o++ = (char)(0x80 | (c >> 6 & 0x3f));
        *o++ = (char)(0x80 | (c & 0x3f));
    }
    return o;
}

/* \uXXXX, or a pair of them for what lies beyond U+FFFF. Half a pair stands for nothing and becomes U+FFFD. */
static char *unicode_escape(struct scan *s, char *o)
{
    uint32_t c, low;
    if (!hex4(s->p, s->end, &c))
        return NULL;
    s->p += 4;
    if (c >= 0xd800 && c < 0xe000) {
        if (c < 0xdc00 && s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u' && hex4(s->p + 2, s->end, &low) &&
            low >= 0xdc00 && low < 0xe000) {
            s->p += 6;
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        } else {
            c = 0xfffd;
        }
    }
    return put_utf8(o, c);
}

static char *undo_escape(struct scan *s, char *o)
{
    if (s->p == s->end)
        return NULL;
    char c = *s->p++;
    switch (c) {
    case 'n': *o++ = '\n'; return o;
    case 't': *o++ = '\t'; return o;
    case 'r': *o++ = '\r'; return o;
    case 'b': *o++ = '\b'; return o;
    case 'f': *o++ = '\f'; return o;
    case '"':
    case '\\':
    case '/': *o++ = c; return o;
    case 'u': return unicode_escape(s, o);
    default: return NULL;
    }
}

/* The text of the record. No escape is shorter than what it stands for, so the rest of the line bounds the result. */
static bool text_string(struct scan *s, struct jsonlog_record *r)
{
    if (!take(s, '"'))
        return false;
    size_t most = (size_t)(s->end - s->p);
    if (r->cap < most) {
        r->text = mem_resize(r->text, most, 1);
        r->cap = most;
    }
    char *o = r->text;
    while (s->p < s->end) {
        const char *from = s->p;
        while (s->p < s->end && jsonlog_kind[(unsigned char)*s->p] == JSONLOG_PLAIN)
            s->p++;
        memcpy(o, from, (size_t)(s->p - from));
        o += s->p - from;
        if (s->p == s->end)
            return false;
        if (*s->p == '"') {
            s->p++;
            r->len = (size_t)(o - r->text);
            return true;
        }
        if (jsonlog_kind[(unsigned char)*s->p] == JSONLOG_HIGH) {
            size_t k = jsonlog_utf8((const unsigned char *)s->p, (size_t)(s->end - s->p));
            if (k == 0)
                return false;
            memcpy(o, s->p, k);
            o += k;
            s->p += k;
        } else if (*s->p++ != '\\' || !(o = undo_escape(s, o))) {
            return false; /* a bare control byte, or an escape that JSON does not have */
        }
    }
    return false;
}

/* Step over any value. Objects and arrays are only balanced, not checked: nobody here looks inside. */
static bool skip_value(struct scan *s)
{
    const char *text;
    size_t n;
    int depth = 0;
    do {
        blanks(s);
        if (s->p == s->end)
            return false;
        char c = *s->p;
        if (c == '"') {
            if (!raw_string(s, &text, &n))
                return false;
        } else if (c == '{' || c == '[') {
            depth++;
            s->p++;
        } else if (c == '}' || c == ']') {
            if (--depth < 0)
                return false;
            s->p++;
        } else if (depth > 0 && (c == ',' || c == ':')) {
            s->p++;
        } else {
            const char *from = s->p;
            while (s->p < s->end && !strchr(" \t\r\n,:{}[]\"", *s->p))
                s->p++;
            if (s->p == from)
                return false;
        }
    } while (depth > 0);
    return true;
}

static bool time_slowly(const char *p, size_t n, int64_t *ret)
{
    char text[CLOCK_TEXT];
    if (n >= sizeof(text) || n < sizeof("2006-01-02T15:04:05") || p[10] != 'T')
        return false;
    memcpy(text, p, n);
    text[n] = '\0';
    return clock_parse(text, 0, ret);
}

/* "2006-01-02T15:04:05" is 19 bytes; a fraction of up to nine digits and Z follow. Other zones go the slow way. */
static bool time_value(const char *p, size_t n, int64_t *ret)
{
    static _Thread_local char known[19];
    static _Thread_local int64_t known_ns;
    enum { WHOLE = sizeof(known) };
    if (n == WHOLE + 2)
        return false; /* a point and no digit */
    if (n < WHOLE + 1 || n > WHOLE + 11 || p[n - 1] != 'Z' || (n > WHOLE + 1 && p[WHOLE] != '.'))
        return time_slowly(p, n, ret);
    int64_t ns = 0, unit = NS_PER_S / 10;
    for (size_t i = WHOLE + 1; i < n - 1; i++, unit /= 10) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        ns += (p[i] - '0') * unit;
    }
    if (known[0] == '\0' || memcmp(known, p, WHOLE) != 0) {
        char whole[WHOLE + 2];
        memcpy(whole, p, WHOLE);
        memcpy(whole + WHOLE, "Z", 2);
        if (!time_slowly(whole, WHOLE + 1, &known_ns)) {
            known[0] = '\0';
            return false;
        }
        memcpy(known, p, WHOLE);
    }
    *ret = known_ns + ns;
    return true;
}

static bool stream_value(const char *p, size_t n, int *ret)
{
    if (n != 6 || (memcmp(p, "stdout", 6) != 0 && memcmp(p, "stderr", 6) != 0))
        return false;
    *ret = p[3] == 'o' ? JSONLOG_STDOUT : JSONLOG_STDERR;
    return true;
}

enum { HAS_LOG = 1, HAS_STREAM = 2, HAS_TIME = 4, HAS_ATTRS = 8 };

static int member_named(const char *key, size_t n)
{
    static const struct {
        const char *name;
        size_t n;
        int bit;
    } members[] = {{"log", 3, HAS_LOG}, {"stream", 6, HAS_STREAM}, {"time", 4, HAS_TIME}, {"attrs", 5, HAS_ATTRS}};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (n == members[i].n && memcmp(key, members[i].name, n) == 0)
            return members[i].bit;
    return 0;
}

/* A key that stands twice is refused: two readers might believe different ones. */
static bool member(struct scan *s, struct jsonlog_record *r, int *seen)
{
    const char *text;
    size_t n;
    if (!raw_string(s, &text, &n) || !take(s, ':'))
        return false;
    int bit = member_named(text, n);
    if (bit & *seen)
        return false;
    *seen |= bit;
    switch (bit) {
    case HAS_LOG: return text_string(s, r);
    case HAS_STREAM: return raw_string(s, &text, &n) && stream_value(text, n, &r->stream);
    case HAS_TIME: return raw_string(s, &text, &n) && time_value(text, n, &r->time);
    case HAS_ATTRS:
        blanks(s);
        r->attrs = s->p;
        if (s->p == s->end || *s->p != '{' || !skip_value(s))
            return false;
        r->attrs_len = (size_t)(s->p - r->attrs);
        return true;
    default: return skip_value(s);
    }
}

int jsonlog_decode(const char *line, size_t n, struct jsonlog_record *ret)
{
    struct scan s = {line, line + n};
    int seen = 0;
    ret->len = 0;
    ret->attrs = NULL;
    ret->attrs_len = 0;
    if (!take(&s, '{'))
        return -1;
    do {
        if (!member(&s, ret, &seen))
            return -1;
    } while (take(&s, ','));
    if (!take(&s, '}'))
        return -1;
    blanks(&s);
    /* Docker leaves "log" out where it is empty. */
    return s.p == s.end && (seen & (HAS_STREAM | HAS_TIME)) == (HAS_STREAM | HAS_TIME) ? 0 : -1;
}

void jsonlog_release(struct jsonlog_record *r)
{
    free(r->text);
    *r = (struct jsonlog_record){0};
}
