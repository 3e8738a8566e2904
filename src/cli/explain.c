/* --explain: recording, collecting, and putting in order. See explain.h.
 *
 * All spans carry CLOCK_MONOTONIC times of one machine, so merging is sorting. With a daemon on another machine the
 * clocks differ by days. Its spans are then moved, all by the same time, to where they must have been: the daemon
 * cannot have read the first request before it was sent. What they took is right; how long the bytes travelled is not
 * known, and the story says so.
 *
 * How it fails: quietly. The command has done its work and said its exit code; a story that cannot be told is one line
 * on standard error, never a different exit code. Read next: explain_text.c, explain_dot.c. */
#include "cli/explain.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"
#include "wire/order.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPANS_MAX 20000
#define SPAN_MAX  (1u << 20)  /* bytes of one span's line */
#define SINK_MAX  (64u << 20) /* bytes of our own spans */

/* ---- recording ---- */

static int read_mode(const char *how, enum explain_mode *ret)
{
    static const char *const name[] = {"", "text", "json", "dot", "dot-shape"};
    *ret = EXPLAIN_NONE;
    for (size_t i = 1; how && i < sizeof(name) / sizeof(*name); i++)
        if (str_eq(how, name[i]))
            *ret = (enum explain_mode)i;
    return how && *ret == EXPLAIN_NONE ? -1 : 0;
}

/* Put /dev/null in the place of standard output, and keep the real one for the story. */
static int set_output_aside(struct explain *x, struct err *e)
{
    autoclose int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    x->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (null < 0 || x->out < 0 || dup2(null, STDOUT_FILENO) < 0)
        return err_sys(e, "cannot set standard output aside");
    return 0;
}

/* The command as typed, but for --explain, which is about the telling; words with blanks or quotes in them are quoted.
 */
static char *command_line(int argc, char **argv)
{
    struct str line = STR_INIT;
    bool told = false; /* the first --explain is ours, since there is a story; another may be the container's */
    for (int i = 0; i < argc; i++) {
        bool plain = *argv[i] && !strpbrk(argv[i], " \t\n'\"\\$&|;<>(){}*?");
        const char *slash = strrchr(argv[i], '/');
        if (!told && str_starts(argv[i], "--explain")) {
            told = true;
            continue;
        }
        str_add(&line, i ? " " : "");
        if (i == 0)
            str_add(&line, slash ? slash + 1 : argv[0]);
        else
            str_addf(&line, plain ? "%s" : "'%s'", argv[i]);
    }
    return str_take(&line);
}

int explain_begin(struct explain *x, struct cli *cli, const char *how, int64_t started, int argc, char **argv,
                  struct err *e)
{
    if (read_mode(how, &x->mode) < 0)
        return err_set(e, ERR_INVALID, "invalid --explain=%s: expected text, json, dot or dot-shape", how);
    if (x->mode == EXPLAIN_NONE)
        return 0;
    if (x->mode != EXPLAIN_TEXT) {
        if (set_output_aside(x, e) < 0)
            return -1;
        cli->out_tty = false;
    }
    x->sink = memfd_create("gorae-trace", MFD_CLOEXEC);
    if (x->sink < 0)
        return err_sys(e, "cannot make a place for the trace");
    str_random_hex(x->id, 8);
    cli->client.trace_id = x->id;
    trace_program("gorae");
    trace_to(x->sink);
    autofree char *line = command_line(argc, argv);
    struct span read = trace_begin(1, "read the command line");
    read.start = started;
    trace_end(&read, "%s", line);
    return 0;
}

/* ---- collecting ---- */

/* Take over a span that is one: foreign bytes must not decide what we index into. */
static void add_span(json_t *spans, json_t *span)
{
    bool good = json_is_string(json_object_get(span, "prog")) && json_is_string(json_object_get(span, "what")) &&
                json_is_integer(json_object_get(span, "start")) && json_is_integer(json_object_get(span, "end"));
    if (good && json_array_size(spans) < SPANS_MAX)
        json_array_append(spans, span);
}

static void add_own(json_t *spans, int fd)
{
    size_t n;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return;
    autofree char *text = fd_read_all(fd, SINK_MAX, &n, NULL);
    char *rest = text, *line;
    while (rest && (line = strsep(&rest, "\n"))) {
        json_auto_t *span = *line ? json_parse(line, strlen(line), NULL) : NULL;
        add_span(spans, span);
    }
}

/* The daemon's half: an array, or one object a line. @return whether it keeps traces */
static bool add_daemons(json_t *spans, struct cli *cli, const char *id)
{
    struct reply r;
    struct err e;
    json_t *j;
    autofree char *path = str_printf("/_gorae/trace/%s", id);
    size_t before = json_array_size(spans);
    if (client_request(&cli->client, "GET", path, NULL, NULL, &r, &e) < 0)
        return false;
    while (reply_next(&r, &j, &e) > 0) {
        json_each (span, j)
            add_span(spans, span);
        add_span(spans, j);
        json_decref(j);
    }
    reply_release(&r);
    return json_array_size(spans) > before;
}

/* ---- one clock ---- */

/* The start or the end of the first span called `what` from the `at`th on; 0 where there is none. */
static int64_t time_of_first(const json_t *spans, size_t at, const char *what, const char *edge)
{
    for (; at < json_array_size(spans); at++)
        if (str_eq(json_str(json_array_get(spans, at), "what", ""), what))
            return json_int(json_array_get(spans, at), edge, 0);
    return 0;
}

/* The spans from the `own`th on are the daemon's. @return by how much they were moved, ns; 0 for one machine */
static int64_t fit_clocks(json_t *spans, size_t own)
{
    int64_t sent = time_of_first(spans, 0, "send the request", "start"), last = sent;
    int64_t heard = time_of_first(spans, own, "parse the request", "start");
    for (size_t i = 0; i < own; i++)
        if (str_eq(json_str(json_array_get(spans, i), "what", ""), "receive the response"))
            last = json_int(json_array_get(spans, i), "end", 0);
    if (!sent || !heard || (heard >= sent && heard <= last))
        return 0;
    int64_t shift = time_of_first(spans, 0, "send the request", "end") - heard;
    for (size_t i = own; i < json_array_size(spans); i++) {
        json_t *span = json_array_get(spans, i);
        json_object_set_new(span, "start", json_integer(json_int(span, "start", 0) + shift));
        json_object_set_new(span, "end", json_integer(json_int(span, "end", 0) + shift));
    }
    return shift;
}

static int by_start(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;
    int64_t s = json_int(*x, "start", 0), t = json_int(*y, "start", 0);
    if (s != t)
        return s < t ? -1 : 1;
    /* of two that begin together, the longer holds the shorter */
    int64_t p = json_int(*x, "end", 0), q = json_int(*y, "end", 0);
    return p != q ? (p > q ? -1 : 1) : 0;
}

static void tell(const struct explain *x, const struct story *s)
{
    FILE *out = x->mode == EXPLAIN_TEXT ? stderr : fdopen(fcntl(x->out, F_DUPFD_CLOEXEC, 3), "w");
    if (!out)
        return;
    if (x->mode == EXPLAIN_TEXT) {
        story_text(s, out);
        fflush(out);
        return;
    }
    if (x->mode == EXPLAIN_JSON) {
        autofree char *text = json_dumps(s->spans, JSON_INDENT(2));
        fprintf(out, "%s\n", text);
    } else {
        story_dot(s, x->mode == EXPLAIN_SHAPE, out);
    }
    fclose(out);
}

void explain_end(struct explain *x, struct cli *cli, int code)
{
    if (x->mode == EXPLAIN_NONE)
        return;
    trace_to(-1); /* asking for the story is not part of it */
    cli->client.trace_id = NULL;
    json_auto_t *spans = json_array();
    add_own(spans, x->sink);
    struct story s = {.code = code};
    size_t own = json_array_size(spans);
    /* Where no answer came at all there is nobody to ask. */
    s.traced = *cli->client.version && add_daemons(spans, cli, x->id);
    s.shift = fit_clocks(spans, own);
    s.spans = json_sorted(spans, by_start);
    json_each (span, s.spans) {
        int64_t end = json_int(span, "end", 0);
        s.start = span_at ? s.start : json_int(span, "start", 0);
        s.end = end > s.end ? end : s.end;
    }
    tell(x, &s);
    json_decref(s.spans);
    fd_close(x->sink);
    fd_close(x->out);
}

/* ---- reading a story ---- */

int story_step(const json_t *span)
{
    int64_t step = json_int(span, "step", 0);
    if (step >= 1 && step <= EXPLAIN_STEPS)
        return (int)step;
    return str_eq(json_str(span, "prog", ""), "gorae") ? 2 : 3;
}

int64_t story_time(const struct story *s, int step)
{
    int64_t total = 0, until = 0;
    json_each (span, s->spans) {
        int64_t start = json_int(span, "start", 0), end = json_int(span, "end", 0);
        if (step && story_step(span) != step)
            continue;
        if (start < until)
            start = until;
        if (end > start)
            total += end - start;
        until = end > until ? end : until;
    }
    return total;
}

char *story_first_line(const json_t *span)
{
    const char *text = json_str(span, "detail", "");
    return mem_strndup(text, strcspn(text, "\r\n"));
}
