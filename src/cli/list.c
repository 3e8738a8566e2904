/* Lists: see list.h.
 *
 * The heading of a table is made by executing the same template over an object that maps each field to its heading, in
 * a mode in which functions hand their argument on: so {{upper .Names}} is headed NAMES, whatever the template does to
 * it. Read next: format_eval.c, table.c. */
#include "cli/list.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"
#include "cli/format.h"
#include "cli/table.h"

#include <stdio.h>

bool list_mentions(const char *format, const char *field)
{
    struct format *f = format ? format_parse(format, NULL) : NULL;
    if (!f)
        return false;
    autostrv names = {0};
    bool found = false;
    format_fields(f, &names);
    for (size_t i = 0; i < names.n; i++)
        found = found || str_eq(names.v[i], field);
    format_free(f);
    return found;
}

static int add_heading(struct listing *l, const struct list_kind *kind, struct err *e)
{
    json_auto_t *heading = json_object();
    for (size_t i = 0; kind->heading[i][0]; i++)
        json_object_set_new(heading, kind->heading[i][0], json_string(kind->heading[i][1]));
    /* The keys of .Label are its headings; which map it is does not matter. */
    json_auto_t *methods = json_object_get(heading, "Labels") ? json_pack("{s:{}}", "Label") : NULL;
    struct format_mode mode = {.methods = methods, .header = true};
    int r = format_run(l->format, heading, &mode, &l->text, e);
    str_addc(&l->text, '\n');
    return r;
}

int list_begin(struct listing *l, const struct cli *cli, const struct list_kind *kind, const char *format,
               struct err *e)
{
    *l = (struct listing){.cli = cli, .table = true};
    if (str_empty(format) || str_eq(format, "table")) {
        format = kind->columns;
    } else if (str_starts(format, "table")) {
        format += strlen("table");
        format += strspn(format, " ");
    } else {
        l->table = false;
        format = str_eq(format, "json") ? "{{json .}}" : format;
    }
    autofree char *text = format_unescape(format);
    l->format = format_parse(text, e);
    if (!l->format)
        return -1;
    str_reset(&l->text);
    return l->table && add_heading(l, kind, e) < 0 ? list_end(l, -1) : 0;
}

int list_add(struct listing *l, const json_t *row, const json_t *methods, struct err *e)
{
    struct format_mode mode = {.methods = methods, .safe = l->cli->out_tty};
    int r = format_run(l->format, row, &mode, &l->text, e);
    str_addc(&l->text, '\n');
    return r;
}

int list_end(struct listing *l, int r)
{
    autostr aligned = STR_INIT;
    struct span span = trace_begin(4, l->table ? "align the table and print it" : "print through the template");
    str_reset(&aligned);
    if (r == 0 && l->table)
        table_align(l->text.s, &aligned);
    if (r == 0)
        fputs(l->table ? aligned.s : l->text.s, stdout);
    trace_end(&span, "%s", r < 0 ? "failed" : l->table ? aligned.s : l->text.s);
    format_free(l->format);
    str_release(&l->text);
    return r;
}

int list_print(const struct cli *cli, const struct list_kind *kind, const char *format, const json_t *rows,
               struct err *e)
{
    struct listing l;
    int r = list_begin(&l, cli, kind, format, e);
    if (r < 0)
        return -1;
    for (size_t i = 0; r == 0 && i < json_array_size(rows); i++)
        r = list_add(&l, json_array_get(rows, i), NULL, e);
    return list_end(&l, r);
}

int object_print(const struct cli *cli, const char *format, const json_t *object, struct err *e)
{
    struct span span = trace_begin(4, "print through the template");
    struct format *f = format_parse(str_eq(format, "json") ? "{{json .}}" : format, e);
    if (!f)
        return -1;
    autostr out = STR_INIT;
    struct format_mode mode = {.safe = cli->out_tty};
    int r = format_run(f, object, &mode, &out, e);
    format_free(f);
    if (r == 0)
        printf("%s\n", out.s);
    trace_end(&span, "%s", out.s);
    return r;
}
