/** @file
 * --format: a subset of Go's text/template, over JSON.
 *
 * Docker's users know these templates; they are the only query language that `ps`, `inspect` and their like have:
 *
 *     {{.Names}} {{.State.Pid}} {{json .Mounts}}          fields, functions
 *     {{range .Mounts}}{{.Source}} {{else}}none{{end}}    lists and maps, also {{range $i, $m := …}}
 *     {{if and .State.Running (gt .State.Pid 1)}}up{{else if .State.Dead}}dead{{end}}, {{with .State.Health}}…
 *     {{$n := len .Mounts}}{{printf "%-12s" .Name | upper}}{{- /x comment x/ -}}
 *
 * Not taken: define, template, block, js, urlquery, call, character constants, complex numbers.
 *
 * The one difference that matters: Go's client evaluates over structs and knows every field's type, this one
 * over the JSON that the daemon sent. So a struct prints like a map (map[Dead:false Pid:71 …]) and not as its bare
 * values, and null prints as `<no value>`. A key that is not there is an error where it would be printed, and false
 * where it is only asked for, so that {{if .State.Health}} works whether or not the container has a health check.
 *
 * A template is data from outside: its size, its nesting and its output have limits, and every error says where.
 */
#ifndef GORAE_CLI_FORMAT_H
#define GORAE_CLI_FORMAT_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

#define FORMAT_SIZE_MAX   65536       /**< bytes of a template */
#define FORMAT_NEST_MAX   32          /**< parentheses and blocks inside each other */
#define FORMAT_OUTPUT_MAX (64u << 20) /**< bytes that one execution may print */
#define FORMAT_STEPS_MAX  10000000    /**< nodes that one execution may visit: {{range}} inside {{range}} multiplies */

struct format;

/** Parse a template. @return new, to be freed by format_free(); NULL with ERR_INVALID and the position */
struct format *format_parse(const char *text, struct err *e);
void format_free(struct format *f);

/** How to execute. Zero is a good start. */
struct format_mode {
    const json_t *methods; /**< object: fields that take a key, such as .Label "x"; not part of {{json .}} */
    bool safe;             /**< show control bytes of the data as `\x1b` (standard output is a terminal) */
    bool header;           /**< make a heading: functions hand their first argument on, a method gives its key */
};

/** Execute over `dot`, appending to `out`. On failure `out` holds what was printed up to there. @return 0 or -1 */
int format_run(const struct format *f, const json_t *dot, const struct format_mode *mode, struct str *out,
               struct err *e);

/** The top-level field names that the template mentions, e.g. "Names"; to know what has to be asked for. Adds each
 * once per mention. */
void format_fields(const struct format *f, struct strv *ret);

/** Replace the two-byte escapes `\t` and `\n` by what they mean, as list commands allow on the command line.
 * @return the caller's */
char *format_unescape(const char *text);

#endif
