/* Request targets: http_target_parse().
 *
 * Properties of what is accepted:
 *   1. The path begins with a slash and holds no control byte and no segment "." or "..".
 *   2. Decoding makes no slash: the path has exactly the slashes that were sent in it.
 *   3. Queries survive: encoded by http_encode() and parsed again, keys and values are the same. */
#include "base/mem.h"
#include "fuzz.h"
#include "wire/ask.h"

#include <string.h>
#include <strings.h>

static size_t slashes(const char *s, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += s[i] == '/';
    return k;
}

static void check_path(const char *sent, const char *path)
{
    HOLDS(path[0] == '/');
    for (const unsigned char *c = (const unsigned char *)path; *c; c++)
        HOLDS(*c >= 0x20 && *c != 0x7f);
    autofree char *copy = mem_strdup(path);
    char *rest = copy, *segment;
    while ((segment = strsep(&rest, "/")))
        HOLDS(!str_eq(segment, ".") && !str_eq(segment, ".."));
    if (strncasecmp(sent, "http://", 7) == 0)
        sent = strchr(sent + 7, '/');
    HOLDS(slashes(sent, strcspn(sent, "?")) == slashes(path, strlen(path)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autofree char *sent = mem_strndup((const char *)data, size);
    struct http_target t, back;
    struct err e = {0};
    if (http_target_parse(sent, &t, &e) < 0) {
        HOLDS(e.kind == ERR_INVALID && !t.path && t.n == 0);
        return 0;
    }
    check_path(sent, t.path);
    HOLDS(t.n <= HTTP_QUERY_MAX);
    autostr again = STR_INIT;
    str_add(&again, "/?");
    for (size_t i = 0; i < t.n; i++) {
        autofree char *key = http_encode(t.key[i]), *value = http_encode(t.value[i]);
        str_addf(&again, "%s%s=%s", i ? "&" : "", key, value);
        http_query_bool(&t, t.key[i], true);
    }
    HOLDS(http_target_parse(again.s, &back, &e) == 0 && back.n == t.n);
    for (size_t i = 0; i < t.n; i++)
        HOLDS(str_eq(back.key[i], t.key[i]) && str_eq(back.value[i], t.value[i]));
    http_target_release(&back);
    http_target_release(&t);
    return 0;
}
