/* systemd's names for control groups: see scope.h. */
#include "base/scope.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

#define UNIT_MAX 255 /* UNIT_NAME_MAX of systemd, with the NUL byte */

/* What a unit's name may be made of (systemd.unit(5)). */
static bool is_name(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n < UNIT_MAX &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@") == n;
}

char *slice_path(const char *slice, struct err *e)
{
    autostr out = STR_INIT;
    size_t n = strlen(slice);
    if (str_eq(slice, "-.slice"))
        return mem_strdup("");
    if (!is_name(slice) || !str_ends(slice, ".slice") || *slice == '-' || strstr(slice, "--") ||
        str_ends(slice, "-.slice") || n == strlen(".slice")) {
        err_set(e, ERR_INVALID,
                "\"%.100s\" is not the name of a systemd slice, such as lab.slice or lab-students.slice", slice);
        return NULL;
    }
    /* A level for each dash, and one for the whole. */
    for (const char *dash = slice; (dash = strchr(dash, '-')); dash++)
        str_addf(&out, "/%.*s.slice", (int)(dash - slice), slice);
    str_addf(&out, "/%s", slice);
    return str_take(&out);
}

int scope_parse(struct scope *s, const char *place, struct err *e)
{
    const char *prefix = strchr(place, ':'), *name = prefix ? strchr(prefix + 1, ':') : NULL;
    *s = (struct scope){0};
    if (!name || strchr(name + 1, ':') || strchr(place, '/'))
        return err_set(e, ERR_INVALID, "\"%.200s\" is not SLICE:PREFIX:NAME, which names a systemd scope", place);
    s->slice = prefix == place ? mem_strdup("system.slice") : mem_strndup(place, (size_t)(prefix - place));
    s->unit =
        str_printf("%.*s%s%s.scope", (int)(name - prefix - 1), prefix + 1, name - prefix > 1 ? "-" : "", name + 1);
    autofree char *folder = slice_path(s->slice, e);
    if (folder && is_name(s->unit) && name[1]) {
        s->path = str_printf("%s/%s", folder, s->unit);
        return 0;
    }
    if (folder)
        err_set(e, ERR_INVALID, "\"%.200s\" makes no name of a systemd scope", place);
    scope_release(s);
    return -1;
}

void scope_release(struct scope *s)
{
    free(s->slice);
    free(s->unit);
    free(s->path);
    *s = (struct scope){0};
}
