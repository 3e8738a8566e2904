/* --format: how values become text.
 *
 * The forms are those of Go's fmt package, since templates written for docker count on them: [a b], map[k:v], <no
 * value>, and %!d(string=x) for a verb that does not fit its value. printf hands numbers on to C's printf, with a
 * format that is put together from checked parts only; width and precision are bounded by PAD_MAX. Read next:
 * format_func.c. */
#include "cli/format_tree.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/table.h"
#include "cli/value.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define PAD_MAX 4096 /* columns that printf may fill */

bool format_truth(const json_t *v)
{
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_OBJECT: return json_object_size(v) > 0;
    case JSON_ARRAY: return json_array_size(v) > 0;
    case JSON_STRING: return json_string_length(v) > 0;
    case JSON_INTEGER: return json_integer_value(v) != 0;
    case JSON_REAL: return json_real_value(v) != 0;
    case JSON_TRUE: return true;
    default: return false;
    }
}

/* The fewest digits that give the same number back. */
static void add_real(struct str *out, double d)
{
    char text[64];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    str_add(out, text);
}

static void print_map(struct str *out, const json_t *v, bool safe);

void format_print_nested(struct str *out, const json_t *v, bool safe)
{
    if (json_is_null(v))
        str_add(out, "<nil>");
    else
        format_print(out, v, safe);
}

void format_print(struct str *out, const json_t *v, bool safe)
{
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_STRING: table_text(out, json_string_value(v), safe); break;
    case JSON_INTEGER: str_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v)); break;
    case JSON_REAL: add_real(out, json_real_value(v)); break;
    case JSON_TRUE: str_add(out, "true"); break;
    case JSON_FALSE: str_add(out, "false"); break;
    case JSON_NULL: str_add(out, "<no value>"); break;
    case JSON_OBJECT: print_map(out, v, safe); break;
    case JSON_ARRAY:
        str_addc(out, '[');
        json_each (element, v) {
            str_add(out, element_at ? " " : "");
            format_print_nested(out, element, safe);
        }
        str_addc(out, ']');
        break;
    }
}

static void print_map(struct str *out, const json_t *v, bool safe)
{
    size_t n;
    autofree const char **key = json_sorted_keys(v, &n);
    str_add(out, "map[");
    for (size_t i = 0; i < n; i++) {
        str_add(out, i ? " " : "");
        table_text(out, key[i], safe);
        str_addc(out, ':');
        format_print_nested(out, json_object_get(v, key[i]), safe);
    }
    str_addc(out, ']');
}

char *format_text(const json_t *v)
{
    struct str out = STR_INIT;
    format_print(&out, v, false);
    return str_take(&out);
}

json_t *format_string(struct str *b)
{
    json_t *v = json_string_lossy(b->s ? b->s : "", b->len);
    str_release(b);
    return v;
}

/* ---- printf ---- */

/* One %…: its flags and numbers as C's printf wants them, and the verb. */
struct verb {
    char flags[8];
    int width, precision; /* -1: none */
    char letter;
};

static const char *read_verb(const char *s, struct verb *ret)
{
    struct verb v = {.width = 0, .precision = -1};
    for (size_t n = 0; *s && strchr("-+# 0", *s) && n + 1 < sizeof(v.flags); s++)
        v.flags[n++] = *s;
    for (; isdigit((unsigned char)*s); s++)
        v.width = v.width < PAD_MAX ? v.width * 10 + (*s - '0') : v.width;
    if (*s == '.') {
        v.precision = 0;
        for (s++; isdigit((unsigned char)*s); s++)
            v.precision = v.precision < PAD_MAX ? v.precision * 10 + (*s - '0') : v.precision;
    }
    if (v.width > PAD_MAX)
        v.width = PAD_MAX;
    v.letter = *s;
    *ret = v;
    return *s ? s + 1 : s;
}

static const char *go_type(const json_t *v)
{
    static const char *const name[] = {
        "map[string]interface {}", "[]interface {}", "string", "int", "float64", "bool", "bool", "<nil>"};
    return name[json_typeof(v)];
}

static void add_padded(struct str *out, const struct verb *v, const char *s)
{
    size_t chars = table_width(s, strlen(s)), width = (size_t)v->width;
    int blanks = width > chars ? (int)(width - chars) : 0;
    bool left = strchr(v->flags, '-') != NULL;
    str_addf(out, "%*s%s%*s", left ? 0 : blanks, "", s, left ? blanks : 0, "");
}

/* A number through C's own printf: the format is put together from checked parts. */
static void add_number(struct str *out, const struct verb *v, const json_t *value)
{
    char spec[32], text[PAD_MAX + 512];
    bool real = strchr("feEgG", v->letter) != NULL;
    snprintf(spec, sizeof(spec), "%%%s*.*%s%c", v->flags, real ? "" : "ll", v->letter);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (real)
        snprintf(text, sizeof(text), spec, v->width, v->precision, json_number_value(value));
    else
        snprintf(text, sizeof(text), spec, v->width, v->precision, (long long)json_integer_value(value));
#pragma GCC diagnostic pop
    str_add(out, text);
}

static bool fits(char letter, const json_t *v)
{
    if (strchr("dxXoc", letter) && json_is_integer(v))
        return true;
    if (strchr("feEgG", letter))
        return json_is_real(v);
    if (letter == 't')
        return json_is_boolean(v);
    return strchr("sqxX", letter) && json_is_string(v);
}

static void add_verb(struct str *out, const struct verb *v, const json_t *value)
{
    autofree char *text = NULL;
    autostr hex = STR_INIT;
    if (v->letter == 'v') {
        text = json_is_null(value) ? mem_strdup("<nil>") : format_text(value);
        add_padded(out, v, text);
    } else if (!v->letter || !fits(v->letter, value)) {
        text = format_text(value);
        str_addf(out, "%%!%c(%s=%s)", v->letter, go_type(value), text);
    } else if (json_is_integer(value) || json_is_real(value)) {
        add_number(out, v, value);
    } else if (v->letter == 'q') {
        text = json_compact(value);
        add_padded(out, v, text);
    } else if (v->letter == 'x' || v->letter == 'X') {
        for (const char *s = json_string_value(value); *s; s++)
            str_addf(&hex, v->letter == 'x' ? "%02x" : "%02X", (unsigned char)*s);
        add_padded(out, v, hex.s ? hex.s : "");
    } else {
        text = format_text(value);
        if (v->letter == 's' && v->precision >= 0 && strlen(text) > (size_t)v->precision)
            text[v->precision] = '\0';
        add_padded(out, v, text);
    }
}

json_t *format_printf(json_t *const *v, size_t n, struct err *e)
{
    const char *s = json_string_value(v[0]);
    if (!s)
        return err_null(err_set(e, ERR_INVALID, "takes a format string first"));
    struct str out = STR_INIT;
    str_reset(&out);
    size_t used = 1;
    while (*s) {
        if (*s != '%') {
            str_addc(&out, *s++);
            continue;
        }
        struct verb verb;
        s = read_verb(s + 1, &verb);
        if (verb.letter == '%')
            str_addc(&out, '%');
        else if (!verb.letter)
            str_add(&out, "%!(NOVERB)");
        else if (used < n)
            add_verb(&out, &verb, v[used++]);
        else
            str_addf(&out, "%%!%c(MISSING)", verb.letter);
    }
    if (used < n)
        str_add(&out, "%!(EXTRA ");
    for (size_t i = used; i < n; i++) {
        autofree char *text = format_text(v[i]);
        str_addf(&out, "%s%s=%s", i > used ? ", " : "", go_type(v[i]), text);
    }
    if (used < n)
        str_addc(&out, ')');
    return format_string(&out);
}
