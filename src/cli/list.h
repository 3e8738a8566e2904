/** @file
 * Lists: rows of fields become a table, or what --format asks for.
 *
 * Every list command turns what the daemon sent into rows, JSON objects whose keys are the field names that people use
 * in
 * --format ({{.Names}}). The table is itself such a template, so there is one way from rows to text:
 *
 *     (none), table      the command's own columns under their headings
 *     table TEMPLATE     these columns under their headings; \t ends a column
 *     json               one JSON object a line
 *     TEMPLATE           one line for each row
 */
#ifndef GORAE_CLI_LIST_H
#define GORAE_CLI_LIST_H

#include "base/str.h"
#include "cli/cli.h"

struct list_kind {
    const char *columns;             /**< the usual table as a template, cells ended by "\t" */
    const char *const (*heading)[2]; /**< field, heading; a NULL field ends it */
};

/** A list that is being printed: begin, add each row, end. The text is kept until the end, since a column is as wide as
 * its widest cell, and since a template may fail in the last row. */
struct listing {
    const struct cli *cli;
    struct format *format; /**< private, as all that follows */
    bool table;
    struct str text;
};
/** @param format as the user gave it, or NULL @return 0 (then list_end()), or -1 with ERR_INVALID for a template that
 * does not parse or execute */
int list_begin(struct listing *l, const struct cli *cli, const struct list_kind *kind, const char *format,
               struct err *e);
/** @param methods beside the row: fields that take a key (cli/format.h); may be NULL @return 0, or -1 ERR_INVALID */
int list_add(struct listing *l, const json_t *row, const json_t *methods, struct err *e);
/** Print on standard output, where `r`, the result so far, is 0; free in any case. @return `r` */
int list_end(struct listing *l, int r);

/** Begin, add each of an array of rows, end. */
int list_print(const struct cli *cli, const struct list_kind *kind, const char *format, const json_t *rows,
               struct err *e);

/** Whether the format mentions a field, so that what is costly need not be asked for. A template that does not parse
 * mentions nothing. */
bool list_mentions(const char *format, const char *field);

/** Print one object as a --format asks: "json", or a template. @return as list_print() */
int object_print(const struct cli *cli, const char *format, const json_t *object, struct err *e);

/** What a list's --format flag says in --help. */
#define LIST_FORMAT_HELP                                                                                              \
    "How to print: 'table', 'table TEMPLATE' (columns divided by \\t, with headings), 'json' (an object a line), or " \
    "a Go template for each row, e.g. '{{.ID}} {{.Names}}'"
/** And that of commands which print one object. */
#define IMAGE_ONE_PLATFORM "an image has one platform here"
#define OBJECT_FORMAT_HELP "How to print: 'json', or a Go template, e.g. '{{.State.Pid}}'"

#endif
