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

static int add_heading(const struct format *f, const struct list_kind *kind, const struct list *list, struct str *out,
                       struct err *e)
{
    json_auto_t *heading = json_object();
    for (size_t i = 0; kind->heading[i][0]; i++)
        json_object_set_new(heading, kind->heading[i][0], json_string(kind->heading[i][1]));
    /* The keys of .Label are its headings; which map it is does not matter. */
    json_auto_t *methods = list->methods ? json_pack("{s:{}}", "Label") : json_object();
    struct format_mode mode = {.methods = methods, .header = true};
    int r = format_run(f, heading, &mode, out, e);
    str_addc(out, '\n');
    return r;
}

static int add_rows(const struct cli *cli, const struct format *f, const struct list *list, struct str *out,
                    struct err *e)
{
    json_each (row, list->rows) {
        struct format_mode mode = {.methods = json_array_get(list->methods, row_at), .safe = cli->out_tty};
        if (format_run(f, row, &mode, out, e) < 0)
            return -1;
        str_addc(out, '\n');
    }
    return 0;
}

static int print_template(const struct cli *cli, const struct list_kind *kind, const char *template, bool table,
                          const struct list *list, struct err *e)
{
    autofree char *text = format_unescape(template);
    autostr lines = STR_INIT, aligned = STR_INIT;
    struct span span = trace_begin(4, table ? "align the table and print it" : "print through the template");
    struct format *f = format_parse(text, e);
    if (!f)
        return -1;
    str_reset(&lines);
    str_reset(&aligned);
    int r = table ? add_heading(f, kind, list, &lines, e) : 0;
    if (r == 0)
        r = add_rows(cli, f, list, &lines, e);
    format_free(f);
    if (r < 0)
        return -1;
    if (table)
        table_align(lines.s, &aligned);
    fputs(table ? aligned.s : lines.s, stdout);
    trace_end(&span, "%s", table ? aligned.s : lines.s);
    return 0;
}

int list_print(const struct cli *cli, const struct list_kind *kind, const char *format, const struct list *list,
               struct err *e)
{
    if (str_empty(format) || str_eq(format, "table"))
        return print_template(cli, kind, kind->columns, true, list, e);
    if (str_eq(format, "json"))
        return print_template(cli, kind, "{{json .}}", false, list, e);
    bool table = str_starts(format, "table ");
    return print_template(cli, kind, table ? format + 6 : format, table, list, e);
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
