/* systemd's name of a container: see scope.h. */
#include "runtime/scope.h"
#include "base/mem.h"
#include "base/slice.h"
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
