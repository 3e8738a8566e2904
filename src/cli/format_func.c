/* --format: the functions.
 *
 * One table names each function with the number of arguments it takes. Values are JSON; what Go would know from a
 * field's type is decided by the value. Read next: format_print.c for printf and the text of values. */
#include "cli/format_tree.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>

#define PAD_MAX 4096 /* blanks that pad may insert on a side */

/* ---- texts ---- */

/* One call of a function: its name, since some differ in little, and its arguments. */
struct call {
    const char *name;
    json_t *const *v;
    size_t n;
    struct err *e;
};

static json_t *fail(const struct call *c, const char *what)
{
    return err_null(err_set(c->e, ERR_INVALID, "%s", what));
}

static json_t *do_json(const struct call *c)
{
    autofree char *text = c->v[0] ? json_compact(c->v[0]) : mem_strdup("null");
    return json_string(text);
}

static json_t *do_split(const struct call *c)
{
    const char *s = json_string_value(c->v[0]), *by = json_string_value(c->v[1]);
    if (!s || !by || !*by)
        return fail(c, "takes a string and a separator");
    json_t *list = json_array();
    for (const char *at; (at = strstr(s, by)); s = at + strlen(by))
        json_array_append_new(list, json_string_lossy(s, (size_t)(at - s)));
    json_array_append_new(list, json_string(s));
    return list;
}

static json_t *do_join(const struct call *c)
{
    const char *by = json_string_value(c->v[1]);
    if ((!json_is_array(c->v[0]) && !json_is_null(c->v[0])) || !by)
        return fail(c, "takes a list and a separator");
    struct str out = STR_INIT;
    json_each (element, c->v[0]) {
        str_add(&out, element_at ? by : "");
        format_print(&out, element, false);
    }
    return format_string(&out);
}

/* Letters beyond ASCII stay: the texts here are ids, names and states. */
static json_t *do_case(const struct call *c)
{
    const char *s = json_string_value(c->v[0]);
    if (!s)
        return fail(c, "takes a string");
    struct str out = STR_INIT;
    str_reset(&out);
    for (bool start = true; *s; s++) {
        int x = (unsigned char)*s;
        bool up = str_eq(c->name, "upper") || (start && str_eq(c->name, "title"));
        str_addc(&out, (char)(x >= 0x80 ? x : up ? toupper(x) : str_eq(c->name, "lower") ? tolower(x) : x));
        start = x == ' ' || x == '\t' || x == '\n';
    }
    return format_string(&out);
}

static json_t *do_pad(const struct call *c)
{
    const char *s = json_string_value(c->v[0]);
    int64_t before = json_integer_value(c->v[1]), after = json_integer_value(c->v[2]);
    if (!s || before < 0 || after < 0 || before > PAD_MAX || after > PAD_MAX)
        return fail(c, "takes a string and two numbers of blanks");
    struct str out = STR_INIT;
    str_addf(&out, "%*s%s%*s", (int)(*s ? before : 0), "", s, (int)(*s ? after : 0), "");
    return format_string(&out);
}

static json_t *do_truncate(const struct call *c)
{
    const char *s = json_string_value(c->v[0]);
    int64_t max = json_integer_value(c->v[1]);
    if (!s || !json_is_integer(c->v[1]) || max < 0)
        return fail(c, "takes a string and a length");
    size_t bytes = 0;
    for (int64_t chars = 0; s[bytes]; bytes++)
        if (((unsigned char)s[bytes] & 0xc0) != 0x80 && chars++ == max)
            break;
    return json_stringn(s, bytes);
}

static json_t *do_print(const struct call *c)
{
    struct str out = STR_INIT;
    str_reset(&out);
    for (size_t i = 0; i < c->n; i++) {
        bool blank = i > 0 && !json_is_string(c->v[i]) && !json_is_string(c->v[i - 1]);
        str_add(&out, blank ? " " : "");
        format_print_nested(&out, c->v[i], false);
    }
    return format_string(&out);
}

/* The arguments as print joins them, with what means something in HTML written as entities. Go's has the numbers for
 * the two quotes, which are shorter than their names. */
static json_t *do_html(const struct call *c)
{
    json_auto_t *text = do_print(c);
    struct str out = STR_INIT;
    str_reset(&out);
    for (const char *s = json_string_value(text); s && *s; s++) {
        switch (*s) {
        case '<': str_add(&out, "&lt;"); break;
        case '>': str_add(&out, "&gt;"); break;
        case '&': str_add(&out, "&amp;"); break;
        case '"': str_add(&out, "&#34;"); break;
        case '\'': str_add(&out, "&#39;"); break;
        default: str_addc(&out, *s); break;
        }
    }
    return format_string(&out);
}

static json_t *do_println(const struct call *c)
{
    struct str out = STR_INIT;
    for (size_t i = 0; i < c->n; i++) {
        str_add(&out, i ? " " : "");
        format_print_nested(&out, c->v[i], false);
    }
    str_addc(&out, '\n');
    return format_string(&out);
}

static json_t *do_printf(const struct call *c)
{
    return format_printf(c->v, c->n, c->e);
}

/* ---- lists, comparison ---- */

static json_t *do_len(const struct call *c)
{
    switch (json_typeof(c->v[0])) {
    case JSON_STRING: return json_integer((json_int_t)json_string_length(c->v[0]));
    case JSON_ARRAY: return json_integer((json_int_t)json_array_size(c->v[0]));
    case JSON_OBJECT: return json_integer((json_int_t)json_object_size(c->v[0]));
    case JSON_NULL: return json_integer(0);
    default: return fail(c, "takes a list, a map or a string");
    }
}

/* A key that the map lacks gives "": most maps here are of strings (labels, options), and so does Go for those. */
static json_t *do_index(const struct call *c)
{
    const json_t *at = c->v[0];
    for (size_t i = 1; i < c->n; i++) {
        if (json_is_array(at) && json_is_integer(c->v[i])) {
            json_int_t k = json_integer_value(c->v[i]);
            at = k >= 0 ? json_array_get(at, (size_t)k) : NULL;
            if (!at)
                return fail(c, "there is no element of that number");
        } else if (json_is_object(at) && json_is_string(c->v[i])) {
            at = json_object_get(at, json_string_value(c->v[i]));
            if (!at && i + 1 == c->n)
                return json_string("");
        } else {
            return fail(c, "takes a list and numbers, or a map and keys");
        }
        if (!at)
            return fail(c, "there is no such key");
    }
    return json_incref((json_t *)at);
}

static json_t *do_slice(const struct call *c)
{
    size_t size = json_is_array(c->v[0]) ? json_array_size(c->v[0]) : json_string_length(c->v[0]);
    size_t from = c->n > 1 ? (size_t)json_integer_value(c->v[1]) : 0;
    size_t to = c->n > 2 ? (size_t)json_integer_value(c->v[2]) : size;
    if ((!json_is_array(c->v[0]) && !json_is_string(c->v[0])) || from > to || to > size)
        return fail(c, "takes a list or string and two positions in it");
    if (json_is_string(c->v[0]))
        return json_string_lossy(json_string_value(c->v[0]) + from, to - from);
    json_t *part = json_array();
    for (size_t i = from; i < to; i++)
        json_array_append(part, json_array_get(c->v[0], i));
    return part;
}

/* @return -1, 0, 1; 2 where the two cannot be ordered */
static int compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);
        return x < y ? -1 : x > y;
    }
    if (json_is_number(a) && json_is_number(b)) {
        double x = json_number_value(a), y = json_number_value(b);
        return x < y ? -1 : x > y;
    }
    if (json_is_string(a) && json_is_string(b)) {
        int c = strcmp(json_string_value(a), json_string_value(b));
        return c < 0 ? -1 : c > 0;
    }
    return 2;
}

/* @return 1 equal, 0 not, -1 of different kinds */
static int equal(const json_t *a, const json_t *b)
{
    bool none_a = !a || json_is_null(a), none_b = !b || json_is_null(b);
    if (none_a || none_b)
        return none_a && none_b;
    if (json_is_boolean(a) && json_is_boolean(b))
        return json_is_true(a) == json_is_true(b);
    int c = compare(a, b);
    return c == 2 ? -1 : c == 0;
}

static json_t *do_eq(const struct call *c)
{
    for (size_t i = 1; i < c->n; i++) {
        int r = equal(c->v[0], c->v[i]);
        if (r < 0)
            return fail(c, "the two are of different kinds");
        if (r)
            return json_true();
    }
    return json_false();
}

static json_t *do_ne(const struct call *c)
{
    json_t *r = do_eq(c);
    return r ? json_boolean(!json_is_true(r)) : NULL;
}

/* lt, le, gt, ge */
static json_t *do_order(const struct call *c)
{
    int r = compare(c->v[0], c->v[1]);
    if (r == 2)
        return fail(c, "takes two numbers or two strings");
    return json_boolean((r == 0 && c->name[1] == 'e') || (c->name[0] == 'l' ? r < 0 : r > 0));
}

static json_t *do_not(const struct call *c)
{
    return json_boolean(!format_truth(c->v[0]));
}

/* ---- the table ---- */

#define MANY 32

static const struct function {
    const char *name;
    size_t least, most;
    bool missing_allowed; /* a value that is not there may be asked about */
    json_t *(*call)(const struct call *c);
} functions[] = {
    {"and", 1, MANY, true, NULL}, /* these two are in format_eval.c */
    {"or", 1, MANY, true, NULL},
    {"not", 1, 1, true, do_not},
    {"eq", 2, MANY, true, do_eq},
    {"ne", 2, 2, true, do_ne},
    {"lt", 2, 2, false, do_order},
    {"le", 2, 2, false, do_order},
    {"gt", 2, 2, false, do_order},
    {"ge", 2, 2, false, do_order},
    {"len", 1, 1, false, do_len},
    {"index", 1, MANY, false, do_index},
    {"slice", 1, 3, false, do_slice},
    {"json", 1, 1, true, do_json},
    {"split", 2, 2, false, do_split},
    {"join", 2, 2, false, do_join},
    {"lower", 1, 1, false, do_case},
    {"upper", 1, 1, false, do_case},
    {"title", 1, 1, false, do_case},
    {"pad", 3, 3, false, do_pad},
    {"truncate", 2, 2, false, do_truncate},
    {"html", 0, MANY, false, do_html},
    {"print", 0, MANY, false, do_print},
    {"println", 0, MANY, false, do_println},
    {"printf", 1, MANY, false, do_printf},
};

static const struct function *find(const char *name)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
        if (str_eq(functions[i].name, name))
            return &functions[i];
    return NULL;
}

bool format_is_function(const char *name)
{
    return find(name) != NULL;
}

json_t *format_call(const char *name, json_t *const *v, size_t n, struct err *e)
{
    const struct function *f = find(name);
    if (!f || !f->call)
        return err_null(err_set(e, ERR_INVALID, "is not a function"));
    if (n < f->least || n > f->most)
        return err_null(err_set(e, ERR_INVALID, "takes %s%zu arguments, not %zu",
                                f->least == f->most ? "" : "at least ", f->least, n));
    for (size_t i = 0; i < n && !f->missing_allowed; i++) {
        if (!v[i])
            return err_null(err_set(e, ERR_NOT_FOUND, "a value that is not there"));
    }
    return f->call(&(struct call){name, v, n, e});
}
