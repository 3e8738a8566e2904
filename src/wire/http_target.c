/* Request targets: paths and queries. See http.h.
 *
 * A path is cut at its slashes after decoding, by the router. So the decoding must not create a slash: "%2F" stays as
 * it was sent. And it must not create anything that a later reader may take for an end or for a step upwards: NUL,
 * control bytes, "." and ".." segments are refused in whichever spelling they come, never repaired by a redirect (a
 * redirected POST loses its body). Text that is not UTF-8 could not be stored in JSON and is refused here, once, for
 * all handlers.
 *
 * Other bytes that RFC 3986 wants encoded ('{' and '"' of a hand-typed filter) are taken as they are: they cannot be
 * misunderstood, and people type them. */
#include "base/mem.h"
#include "base/str.h"
#include "wire/http.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_utf8(const char *s, size_t n)
{
    json_auto_t *j = json_stringn(s, n);
    return j != NULL;
}

/* Decode `n` bytes of a path or of one part of a query. @return new memory, or NULL */
static char *decode(const char *s, size_t n, bool query, struct err *e)
{
    autofree char *out = mem_alloc(n + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)s[i];
        if (c == '%') {
            int high = i + 1 < n ? hex_value(s[i + 1]) : -1, low = i + 2 < n ? hex_value(s[i + 2]) : -1;
            if (high < 0 || low < 0)
                return err_null(err_set(e, ERR_INVALID, "malformed path: a %% without two hexadecimal digits"));
            c = high << 4 | low;
            if (c == '/' && !query) {
                out[k++] = '%';
                continue;
            }
            i += 2;
        } else if (c == '+' && query) {
            c = ' ';
        }
        if (c == 0 || (!query && (c < 0x20 || c == 0x7f)))
            return err_null(err_set(e, ERR_INVALID, "malformed path: byte 0x%02x", (unsigned)c));
        out[k++] = (char)c;
    }
    if (!is_utf8(out, k))
        return err_null(err_set(e, ERR_INVALID, "malformed path: it is not UTF-8"));
    return take_ptr(&out);
}

static int check_segments(const char *path, struct err *e)
{
    for (const char *p = path; *p;) {
        p += strspn(p, "/");
        size_t n = strcspn(p, "/");
        if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return err_set(e, ERR_INVALID, "malformed path: it has a segment \"%.*s\"", (int)n, p);
        p += n;
    }
    return 0;
}

static int add_pair(struct http_target *t, const char *p, size_t n, struct err *e)
{
    if (t->n == HTTP_QUERY_MAX)
        return err_set(e, ERR_INVALID, "the query has more than %d parameters", HTTP_QUERY_MAX);
    const char *eq = memchr(p, '=', n);
    size_t key_len = eq ? (size_t)(eq - p) : n;
    autofree char *key = decode(p, key_len, true, e);
    autofree char *value = key ? decode(eq ? eq + 1 : "", eq ? n - key_len - 1 : 0, true, e) : NULL;
    if (!value)
        return -1;
    t->key = mem_resize(t->key, t->n + 1, sizeof(*t->key));
    t->value = mem_resize(t->value, t->n + 1, sizeof(*t->value));
    t->key[t->n] = take_ptr(&key);
    t->value[t->n++] = take_ptr(&value);
    return 0;
}

static int parse_query(struct http_target *t, const char *p, struct err *e)
{
    while (*p) {
        size_t n = strcspn(p, "&");
        if (n > 0 && add_pair(t, p, n, e) < 0)
            return -1;
        p += n + (p[n] == '&');
    }
    return 0;
}

int http_target_parse(const char *target, struct http_target *ret, struct err *e)
{
    *ret = (struct http_target){0};
    if (strncasecmp(target, "http://", 7) == 0) {
        target += 7;
        target += strcspn(target, "/?#");
        if (*target !=
            '/') /* "http://host" alone: the path is "/" (RFC 9112 section 3.2.2), but nobody means it here */
            return err_set(e, ERR_INVALID, "malformed path: an absolute URI without a path");
    }
    if (*target != '/')
        return err_set(e, ERR_INVALID, "malformed path: it does not begin with a slash");
    if (strchr(target, '#'))
        return err_set(e, ERR_INVALID, "malformed path: it has a fragment");
    size_t n = strcspn(target, "?");
    ret->path = decode(target, n, false, e);
    if (!ret->path || check_segments(ret->path, e) < 0 || (target[n] && parse_query(ret, target + n + 1, e) < 0)) {
        http_target_release(ret);
        return -1;
    }
    return 0;
}

void http_target_release(struct http_target *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->key[i]);
        free(t->value[i]);
    }
    free(t->key);
    free(t->value);
    free(t->path);
    *t = (struct http_target){0};
}

const char *http_query(const struct http_target *t, const char *key, const char *def)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->key[i], key))
            return t->value[i];
    return def;
}

bool http_query_bool(const struct http_target *t, const char *key, bool absent)
{
    static const char *const falsehood[] = {"", "0", "no", "false", "none"};
    const char *v = http_query(t, key, NULL);
    if (!v)
        return absent;
    while (*v == ' ')
        v++;
    size_t n = strlen(v);
    while (n > 0 && v[n - 1] == ' ')
        n--;
    for (size_t i = 0; i < sizeof(falsehood) / sizeof(falsehood[0]); i++)
        if (strlen(falsehood[i]) == n && strncasecmp(v, falsehood[i], n) == 0)
            return false;
    return true;
}
