/* Names as archives write them, made safe to look at and to compare.
 *
 * These functions judge text only. That is enough for a name in a table (the files of an archive that is loaded), and
 * never enough for a path on a disk, where "a/b" may lead anywhere once "a" is a link: there the kernel resolves,
 * below a folder that is held open (merged.c). Next: spool.c. */
#include "archive/worker.h"
#include "base/mem.h"

#include <limits.h>

enum dots { REFUSE, REFUSE_AT_ROOT, STAY_AT_ROOT };

/* Append the parts of `text` to `out`. @return false where ".." would leave the root, or is not allowed at all */
static bool add_parts(struct str *out, const char *text, enum dots dots)
{
    while (*text) {
        size_t n = strcspn(text, "/");
        if (n == 2 && text[0] == '.' && text[1] == '.') {
            if (dots == REFUSE || (dots == REFUSE_AT_ROOT && out->len == 0))
                return false;
            char *slash = out->len ? memrchr(out->s, '/', out->len) : NULL;
            out->len = slash ? (size_t)(slash - out->s) : 0;
            out->s[out->len] = '\0';
        } else if (n > 0 && !(n == 1 && text[0] == '.')) {
            if (out->len > 0)
                str_addc(out, '/');
            str_addn(out, text, n);
        }
        text += n + (text[n] == '/');
    }
    return true;
}

size_t path_depth(const char *path)
{
    size_t n = *path != '\0';
    for (; *path; path++)
        n += *path == '/';
    return n;
}

char *path_clean(const char *name, struct err *e)
{
    char shown[PATH_SHOWN];
    autostr out = STR_INIT;
    str_reset(&out);
    if (strlen(name) >= PATH_MAX) {
        err_set(e, ERR_INVALID, "entry %s: its name is longer than %d bytes", path_show(name, shown), PATH_MAX - 1);
        return NULL;
    }
    if (!add_parts(&out, name, REFUSE)) {
        err_set(e, ERR_INVALID, "entry %s: its name contains \"..\"", path_show(name, shown));
        return NULL;
    }
    if (path_depth(out.s) > DEPTH_MAX) {
        err_set(e, ERR_INVALID, "entry %s: it lies deeper than %d folders", path_show(name, shown), DEPTH_MAX);
        return NULL;
    }
    return str_take(&out);
}

static char *follow(const char *from, const char *text, enum dots dots)
{
    autostr out = STR_INIT;
    str_reset(&out);
    const char *slash = strrchr(from, '/');
    if (*text != '/' && slash)
        str_addn(&out, from, (size_t)(slash - from));
    if (strlen(text) >= PATH_MAX || !add_parts(&out, text, dots))
        return NULL;
    return str_take(&out);
}

char *path_follow(const char *from, const char *text)
{
    return follow(from, text, REFUSE_AT_ROOT);
}

char *path_follow_inside(const char *from, const char *text)
{
    return follow(from, text, STAY_AT_ROOT);
}

char *path_show(const char *name, char out[PATH_SHOWN])
{
    size_t i = 0;
    for (; i < PATH_SHOWN - 4 && name[i]; i++)
        out[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    memcpy(out + i, name[i] ? "..." : "", name[i] ? 4 : 1);
    return out;
}
