/* systemd's slices: see slice.h. */
#include "base/slice.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

/* What a unit's name may be made of, systemd.unit(5). */
#define NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@"

char *slice_path(const char *slice, struct err *e)
{
    autostr out = STR_INIT;
    size_t n = strlen(slice);
    if (str_eq(slice, "-.slice"))
        return mem_strdup("");
    if (slice[strspn(slice, NAME)] || !str_ends(slice, ".slice") || *slice == '-' || strstr(slice, "--") ||
        str_ends(slice, "-.slice") || n == strlen(".slice") || n > 255)
        return err_null(
            err_set(e, ERR_INVALID,
                    "\"%.100s\" is not the name of a systemd slice, such as lab.slice or lab-students.slice", slice));
    /* A level for each dash, and one for the whole. */
    for (const char *dash = slice; (dash = strchr(dash, '-')); dash++)
        str_addf(&out, "/%.*s.slice", (int)(dash - slice), slice);
    str_addf(&out, "/%s", slice);
    return str_take(&out);
}
