/* The json-file log, writing it: see jsonlog_write.h.
 *
 * As in reading it (base/jsonlog.c), text is handled in runs, and time is remembered: all records of a batch were
 * written at the same instant. The memory belongs to the thread.
 *
 * Read next: log.c, which writes the file. */
#include "shim/jsonlog_write.h"
#include "base/clock.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD in UTF-8 */

size_t jsonlog_cut(const void *p, size_t n)
{
    const unsigned char *s = p;
    size_t k = n < JSONLOG_TEXT_MAX ? n : JSONLOG_TEXT_MAX;
    const unsigned char *newline = k > 0 ? memchr(s, '\n', k) : NULL;
    if (newline)
        return (size_t)(newline - s) + 1;
    if (n < JSONLOG_TEXT_MAX)
        return 0;
    /* Step back to the start of the last sequence; keep it where the cut does not go through it. */
    size_t start = k - 1;
    while (start > k - 4 && (s[start] & 0xc0) == 0x80)
        start--;
    size_t want = s[start] >= 0xf0 ? 4 : s[start] >= 0xe0 ? 3 : s[start] >= 0xc2 ? 2 : 1;
    return start + want > k ? start : k;
}

static void add_escape(struct str *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    switch (c) {
    case '"': str_addn(out, "\\\"", 2); break;
    case '\\': str_addn(out, "\\\\", 2); break;
    case '\n': str_addn(out, "\\n", 2); break;
    case '\r': str_addn(out, "\\r", 2); break;
    case '\t': str_addn(out, "\\t", 2); break;
    default: str_addn(out, text, sizeof(text)); break;
    }
}

/* Copy in runs: [from, i) holds bytes that need no change and are not copied yet. */
static void add_text(struct str *out, const unsigned char *p, size_t n)
{
    size_t from = 0, i = 0;
    while (i < n) {
        if (jsonlog_kind[p[i]] == JSONLOG_PLAIN) {
            i++;
            continue;
        }
        size_t k = jsonlog_kind[p[i]] == JSONLOG_HIGH ? jsonlog_utf8(p + i, n - i) : 0;
        if (k > 0) {
            i += k;
            continue;
        }
        str_addn(out, p + from, i - from);
        if (jsonlog_kind[p[i]] == JSONLOG_HIGH)
            str_add(out, REPLACEMENT);
        else
            add_escape(out, p[i]);
        from = ++i;
    }
    str_addn(out, p + from, n - from);
}

/* All records of a batch carry the same time, and making its text costs more than the rest of a short record. */
static const char *time_text(int64_t t)
{
    static _Thread_local int64_t known;
    static _Thread_local char text[CLOCK_TEXT];
    if (text[0] == '\0' || t != known) {
        clock_format(t, text);
        known = t;
    }
    return text;
}

void jsonlog_encode(struct str *out, int stream, const void *p, size_t n, const char *attrs, int64_t time_ns)
{
    str_add(out, "{\"log\":\"");
    add_text(out, p, n);
    str_add(out, stream == JSONLOG_STDERR ? "\",\"stream\":\"stderr\"," : "\",\"stream\":\"stdout\",");
    if (attrs) {
        str_add(out, "\"attrs\":");
        str_add(out, attrs);
        str_addc(out, ',');
    }
    str_add(out, "\"time\":\"");
    str_add(out, time_text(time_ns));
    str_add(out, "\"}\n");
}
