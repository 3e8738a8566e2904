/* Command lines: see args.h. getopt_long(3) is not used because the verbs' options are tables in their own files, and
 * because it permutes operands, which would eat the options of a command given to `exec`. */
#include "runtime/args.h"

#include <string.h>

static const struct arg *find(const struct arg *table, const char *name, size_t n, bool is_letter)
{
    for (const struct arg *a = table; a->name; a++)
        if (is_letter ? n == 1 && a->letter == *name : strlen(a->name) == n && memcmp(a->name, name, n) == 0)
            return a;
    return NULL;
}

/* @return 1 where `value` was used up, 0 where it was not needed, -1 on error */
static int store(const struct arg *a, const char *inline_value, const char *next, struct err *e)
{
    const char *value = inline_value ? inline_value : next;
    if (a->kind == ARG_REFUSED)
        return err_set(e, ERR_NOT_IMPLEMENTED, "option --%s is refused: %s", a->name, a->why);
    if (a->kind == ARG_FLAG) {
        if (inline_value && !str_eq(inline_value, "true") && !str_eq(inline_value, "false"))
            return err_set(e, ERR_INVALID, "option --%s takes true or false, not %s", a->name, inline_value);
        *(bool *)a->to = !str_eq(inline_value, "false");
        return 0;
    }
    if (!value)
        return err_set(e, ERR_INVALID, "option --%s needs a value", a->name);
    if (a->kind == ARG_LIST)
        strv_add(a->to, value);
    else
        *(const char **)a->to = value;
    return inline_value ? 0 : 1;
}

int args_parse(const struct arg *table, int argc, char **argv, int min, int max, struct err *e)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (str_eq(argv[i], "--")) {
            i++;
            break;
        }
        bool is_letter = argv[i][1] != '-';
        const char *name = argv[i] + (is_letter ? 1 : 2);
        size_t n = strcspn(name, "=");
        const struct arg *a = find(table, name, n, is_letter);
        if (!a)
            return err_set(e, ERR_INVALID, "unknown option %s of %s", argv[i], argv[0]);
        int used = store(a, name[n] ? name + n + 1 : NULL, i + 1 < argc ? argv[i + 1] : NULL, e);
        if (used < 0)
            return -1;
        i += used;
    }
    if (argc - i < min)
        return err_set(e, ERR_INVALID, "%s needs at least %d operand%s", argv[0], min, min == 1 ? "" : "s");
    if (max >= 0 && argc - i > max)
        return err_set(e, ERR_INVALID, "%s takes at most %d operand%s", argv[0], max, max == 1 ? "" : "s");
    return i;
}
