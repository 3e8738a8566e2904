/* JSON: see json.h. */
#include "base/json.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* Go through the brackets that stand outside strings. Needs no valid JSON: a quote toggles, a backslash inside a string
 * skips one byte. @param deepest the deepest nesting of [ and {, or NULL @return the bytes up to where the first
 * bracket is closed again, or 0 */
static size_t walk(const char *p, size_t n, size_t *deepest)
{
    size_t depth = 0, extent = 0;
    bool quoted = false;
    for (size_t i = 0; i < n && (deepest || extent == 0); i++) {
        char c = p[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
            if (deepest && depth > *deepest)
                *deepest = depth;
        } else if ((c == '}' || c == ']') && depth > 0 && --depth == 0 && extent == 0) {
            extent = i + 1;
        }
    }
    return extent;
}

size_t json_extent(const char *text, size_t len)
{
    return len > 0 && strchr("[{", text[0]) ? walk(text, len, NULL) : 0;
}

json_t *json_parse(const char *text, size_t len, struct err *e)
{
    size_t deepest = 0;
    walk(text, len, &deepest);
    if (deepest > JSON_NEST_MAX)
        return err_null(err_set(e, ERR_INVALID, "invalid JSON: nested deeper than %d levels", JSON_NEST_MAX));
    json_error_t je;
    json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (!j)
        err_set(e, ERR_INVALID, "invalid JSON: line %d column %d: %s", je.line, je.column, je.text);
    return j;
}

json_t *json_at(const json_t *j, const char *path)
{
    char key[128];
    while (j && *path) {
        const char *dot = strchrnul(path, '.');
        size_t n = (size_t)(dot - path);
        if (n >= sizeof(key))
            return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        j = json_object_get(j, key);
        path = *dot ? dot + 1 : dot;
    }
    return (json_t *)j;
}

const char *json_str(const json_t *j, const char *path, const char *def)
{
    const char *s = json_string_value(json_at(j, path));
    return s ? s : def;
}

int64_t json_int(const json_t *j, const char *path, int64_t def)
{
    const json_t *v = json_at(j, path);
    return json_is_integer(v) ? json_integer_value(v) : def;
}

bool json_is(const json_t *j, const char *path)
{
    return json_is_true(json_at(j, path));
}

char *json_compact(const json_t *j)
{
    char *s = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
    return s ? s : mem_strdup("null");
}

char *json_text(const json_t *j)
{
    char *s = json_compact(j);
    size_t n = strlen(s); /* a list may be long: it is not copied for the sake of one byte */
    s = mem_resize(s, n + 2, 1);
    memcpy(s + n, "\n", 2);
    return s;
}

char *json_valid_text(const char *s)
{
    json_auto_t *j = s ? json_string_lossy(s, strlen(s)) : NULL;
    return mem_strdup(json_string_value(j));
}

static size_t utf8_length(const unsigned char *p, size_t n)
{
    static const unsigned char lead[][2] = {{0x00, 0x7f}, {0xc2, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf4}};
    for (size_t k = 0; k < 4; k++) {
        if (p[0] < lead[k][0] || p[0] > lead[k][1])
            continue;
        if (k >= n)
            return 0;
        for (size_t i = 1; i <= k; i++)
            if ((p[i] & 0xc0) != 0x80)
                return 0;
        /* over-long forms, surrogates, and beyond U+10FFFF */
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
            (p[0] == 0xf4 && p[1] > 0x8f))
            return 0;
        return k + 1;
    }
    return 0;
}

json_t *json_string_lossy(const char *s, size_t n)
{
    json_t *whole = json_stringn(s, n);
    if (whole)
        return whole;
    autostr b = STR_INIT;
    for (size_t i = 0; i < n;) {
        size_t k = utf8_length((const unsigned char *)s + i, n - i);
        if (k)
            str_addn(&b, s + i, k);
        else
            str_add(&b, "\xef\xbf\xbd");
        i += k ? k : 1;
    }
    return json_stringn(b.s ? b.s : "", b.len);
}

char *json_join(const json_t *list, const char *by)
{
    autostr out = STR_INIT;
    str_reset(&out);
    json_each (v, list)
        str_addf(&out, "%s%s", v_at ? by : "", json_string_value(v));
    return str_take(&out);
}

json_t *json_read_file(int dirfd, const char *path, size_t limit, struct err *e)
{
    size_t n;
    autofree char *text = file_read(dirfd, path, limit, &n, e);
    json_t *j = text ? json_parse(text, n, e) : NULL;
    if (text && !j)
        err_wrap(e, "%s", path);
    return j;
}
