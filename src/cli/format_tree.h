/** @file
 * The inside of --format: the tree between format_parse.c and format_eval.c.
 *
 *     text    Names: {{.Names | upper}}
 *     tree    list ─ text "Names: "
 *                  └ print ─ pipe ─ call ─ field .Names
 *                                 └ call ─ word upper
 *
 * Nodes live in one chain of the parsed template and are freed with it, so no function that fails half-way has
 * anything to clean up.
 */
#ifndef GORAE_CLI_FORMAT_TREE_H
#define GORAE_CLI_FORMAT_TREE_H

#include "cli/format.h"

enum node_type {
    NODE_TEXT,     /* .text */
    NODE_PRINT,    /* .pipe: print its value, nothing if it declares a variable */
    NODE_IF,       /* .pipe .body .otherwise */
    NODE_WITH,     /* likewise; the value becomes dot */
    NODE_RANGE,    /* likewise; each element becomes dot */
    NODE_BREAK,    /* leave the range */
    NODE_CONTINUE, /* its next element */
    NODE_PIPE,     /* .child: calls, each fed with the value of the one before; .name[2] $variables; .assign */
    NODE_CALL,     /* .child: a function or field, then its arguments */
    NODE_VALUE,    /* .value: a constant */
    NODE_DOT,      /* . with .path */
    NODE_VARIABLE, /* $x: .text is its name, with .path */
    NODE_PAREN,    /* ( .pipe ) with .path */
    NODE_WORD,     /* a function: .text is its name */
};

struct node {
    enum node_type type;
    size_t at;        /* byte offset in the template, for errors */
    char *text;       /* owned */
    json_t *value;    /* owned */
    struct strv path; /* .Config.Env of a dot, variable or parenthesis */
    char *name[2];    /* NODE_PIPE: variables it declares, `range` may have two */
    bool assign;      /* NODE_PIPE: "=" instead of ":=" */
    struct node *pipe;
    struct node *child; /* first of a list, linked by next */
    struct node *body, *otherwise;
    struct node *next;  /* sibling */
    struct node *chain; /* all nodes of the template */
};

struct format {
    char *text;
    struct node *root; /* first node of the outermost list */
    struct node *all;
};

/** Set `e` to "template:LINE:COLUMN: …". @return -1 */
int format_error(const struct format *f, size_t at, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** Whether there is a function of that name (format_func.c). */
bool format_is_function(const char *name);

/** Call a function. `v` are its arguments, borrowed; NULL stands for a missing value. "and" and "or" are not among
 * them: they do not evaluate all their arguments (format_eval.c). @return a new reference, or NULL with `e` set */
json_t *format_call(const char *name, json_t *const *v, size_t n, struct err *e);

/** Go's truth: false, 0, "", [], {}, null and a missing value are false. */
bool format_truth(const json_t *v);

/** Append a value as Go's %v prints it. */
void format_print(struct str *out, const json_t *v, bool safe);
/** Likewise inside a list or map, where null is `<nil>`. */
void format_print_nested(struct str *out, const json_t *v, bool safe);
/** A value as %v prints it. @return the caller's */
char *format_text(const json_t *v);
/** A new JSON string of the buffer's bytes; the buffer is released. */
json_t *format_string(struct str *b);
/** The function printf: v[0] is the format. */
json_t *format_printf(json_t *const *v, size_t n, struct err *e);

#endif
