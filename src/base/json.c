/* JSON: see json.h. */
#include "base/json.h"
#include "base/file.h"
#include "base/jsonlog.h"
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

bool json_says(const json_t *v)
{
    return json_is_true(v) || json_integer_value(v) != 0 || json_string_length(v) > 0 || json_array_size(v) > 0 ||
           json_object_size(v) > 0;
}

json_t *json_string_lossy(const char *s, size_t n)
{
    json_t *whole = json_stringn(s, n);
    if (whole)
        return whole;
    autostr b = STR_INIT;
    for (size_t i = 0; i < n;) {
        size_t k = (s[i] & 0x80) == 0 ? 1 : jsonlog_utf8((const unsigned char *)s + i, n - i);
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
