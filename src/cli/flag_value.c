/* Flag values: from text to the option's own type.
 *
 * All conversions take the whole text or fail; nothing is guessed and nothing is cut off. Numbers are checked against
 * the type they go into before they are used, since a wrapped memory limit would be worse than none.
 * Read next: flag.c, which finds out which text belongs to which flag. */
#include "cli/flag.h"
#include "base/clock.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>

bool bool_parse(const char *s, bool *ret)
{
    static const char *const yes[] = {"1", "t", "T", "true", "True", "TRUE"};
    static const char *const no[] = {"0", "f", "F", "false", "False", "FALSE"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        if (str_eq(s, yes[i]) || str_eq(s, no[i])) {
            *ret = str_eq(s, yes[i]);
            return true;
        }
    }
    return false;
}

/* A decimal number as a whole part and a fraction in units of 10^-9. Further digits are dropped when `round_down`,
 * else refused. *end is where reading stopped. */
static bool decimal(const char *s, bool round_down, int64_t *whole, int64_t *nano, const char **end)
{
    int64_t w = 0, f = 0, unit = NS_PER_S;
    const char *start = s;
    for (; isdigit((unsigned char)*s); s++)
        if (__builtin_mul_overflow(w, 10, &w) || __builtin_add_overflow(w, *s - '0', &w))
            return false;
    bool digits = s > start;
    if (*s == '.') {
        for (s++; isdigit((unsigned char)*s); s++) {
            digits = true;
            unit /= 10;
            if (unit == 0 && *s != '0' && !round_down)
                return false;
            f += (*s - '0') * unit;
        }
    }
    *whole = w;
    *nano = f;
    *end = s;
    return digits;
}

bool nano_parse(const char *s, int64_t *ret)
{
    int64_t whole, nano;
    const char *end;
    if (!decimal(s, false, &whole, &nano, &end) || *end)
        return false;
    return !__builtin_mul_overflow(whole, NS_PER_S, ret) && !__builtin_add_overflow(*ret, nano, ret);
}

bool size_parse(const char *s, int64_t *ret)
{
    static const char unit[] = "kmgtp";
    int64_t whole, nano, factor = 1;
    const char *end;
    if (!decimal(s, true, &whole, &nano, &end))
        return false;
    if (*end == ' ')
        end++;
    const char *u = *end ? strchr(unit, tolower((unsigned char)*end)) : NULL;
    if (u) {
        factor = INT64_C(1) << (10 * (u - unit + 1));
        end++;
        if (tolower((unsigned char)*end) == 'i' && tolower((unsigned char)end[1]) == 'b')
            end++;
    }
    if (tolower((unsigned char)*end) == 'b')
        end++;
    if (*end || __builtin_mul_overflow(whole, factor, &whole))
        return false;
    /* The fraction is below one, so this product is below `factor`; 128 bits hold it on the way. */
    int64_t part = (int64_t)((__int128)nano * factor / NS_PER_S);
    return !__builtin_add_overflow(whole, part, ret);
}

const char *flag_word(const struct flag *f)
{
    if (f->word)
        return f->word;
    switch (f->type) {
    case FLAG_STRING: return "string";
    case FLAG_INT: return "int";
    case FLAG_UINT: return "uint";
    case FLAG_SIZE: return "bytes";
    case FLAG_DURATION: return "duration";
    case FLAG_NANO: return "decimal";
    case FLAG_LIST: return "list";
    case FLAG_PAIRS: return "map";
    case FLAG_FILTER: return "filter";
    case FLAG_OPTIONAL: return "string";
    default: return "";
    }
}

static char *trimmed(const char *s, size_t n)
{
    while (n > 0 && isspace((unsigned char)*s))
        s++, n--;
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        n--;
    return mem_strndup(s, n);
}

static int add_filter(struct strv *list, const char *text, struct err *e)
{
    const char *eq = strchr(text, '=');
    if (!eq)
        return err_set(e, ERR_INVALID, "a filter is written name=value");
    autofree char *key = trimmed(text, (size_t)(eq - text));
    autofree char *value = trimmed(eq + 1, strlen(eq + 1));
    for (char *p = key; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    strv_addf(list, "%s=%s", key, value);
    return 0;
}

static int set_number(const struct flag *f, int64_t *to, const char *text, struct err *e)
{
    switch (f->type) {
    case FLAG_INT: return str_to_i64(text, to) ? 0 : err_set(e, ERR_INVALID, "not a whole number");
    case FLAG_UINT: return str_to_i64(text, to) && *to >= 0 ? 0 : err_set(e, ERR_INVALID, "not a whole number from 0");
    case FLAG_SIZE:
        if (str_eq(text, "-1")) {
            *to = -1;
            return 0;
        }
        return size_parse(text, to) ? 0 : err_set(e, ERR_INVALID, "not a size such as 512, 64m or 1.5g");
    case FLAG_DURATION:
        return clock_parse_duration(text, to) ? 0 : err_set(e, ERR_INVALID, "not a duration such as 1m30s");
    default: return nano_parse(text, to) ? 0 : err_set(e, ERR_INVALID, "not a number with up to nine decimals");
    }
}

int flag_set(const struct flag *f, void *options, const char *text, struct err *e)
{
    void *at = (char *)options + f->at;
    bool b;
    switch (f->type) {
    case FLAG_END:
    case FLAG_REFUSED: return 0;
    case FLAG_BOOL:
    case FLAG_SWITCH:
        if (!bool_parse(text, &b))
            return err_set(e, ERR_INVALID, "neither true nor false");
        if (f->type == FLAG_BOOL)
            *(bool *)at = b;
        else
            *(enum flag_switch *)at = b ? SWITCH_ON : SWITCH_OFF;
        return 0;
    case FLAG_STRING:
    case FLAG_OPTIONAL:
        free(*(char **)at);
        *(char **)at = mem_strdup(text);
        return 0;
    case FLAG_PAIRS:
        if (!strchr(text, '='))
            return err_set(e, ERR_INVALID, "must be written key=value");
        strv_add(at, text);
        return 0;
    case FLAG_LIST: strv_add(at, text); return 0;
    case FLAG_FILTER: return add_filter(at, text, e);
    default: return set_number(f, at, text, e);
    }
}

void flag_release(const struct flag *flags, void *options)
{
    for (const struct flag *f = flags; f && f->type != FLAG_END; f++) {
        void *at = (char *)options + f->at;
        switch (f->type) {
        case FLAG_STRING:
        case FLAG_OPTIONAL:
            free(*(char **)at);
            *(char **)at = NULL;
            break;
        case FLAG_LIST:
        case FLAG_PAIRS:
        case FLAG_FILTER: strv_release(at); break;
        default: break;
        }
    }
}
