/* --explain as a figure for graphviz.
 *
 *     person ──1──▶ gorae ──2──▶ goraed ──3──▶ gorae-shim ──3──▶ gorae-runtime ──3──▶ the container's process
 *            ◀──4──       ◀──4──        (only the programs that took part)
 *
 * With TLS a gorae-tlspipe stands on either side of the network, between gorae and goraed.
 *
 * The programs stand below each other, because every arrow carries lines of text: side by side they would not fit the
 * width of a page. Between two programs there is one arrow in each direction, however many requests went over it; they
 * are the lines of its label, in order. So the figure stays a chain and cannot tangle.
 *
 * The "shape" leaves out what differs from run to run (times, pids, ids, repeated attempts): a figure in the book is
 * committed in this form, and a test compares it with a fresh recording.
 * Read next: explain.c. */
#include "cli/explain.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>

#define LINE_WIDTH 64 /* characters of a label's line */
#define ID_DIGITS  64
#define LINES_MAX  40
#define COPY       "copy the container's streams"
#define TLS        "shake hands (TLS)"

struct drawing {
    const struct story *s;
    bool shape;
    FILE *out;
};

/* ---- labels ---- */

/* Ids are 64 hexadecimal digits: shortened, in a shape replaced by the word ID. Other runs of 12 digits likewise. */
static void add_without_ids(struct str *out, const char *s, bool shape)
{
    while (*s) {
        size_t n = strspn(s, "0123456789abcdef");
        bool id = n == ID_DIGITS || n == 12;
        if (id && shape)
            str_add(out, "ID");
        else if (n > 0)
            str_addn(out, s, id ? 12 : n);
        else
            str_addc(out, *s);
        s += n ? n : 1;
    }
}

/* Add text to a quoted label; control bytes become blanks. */
static void add_escaped(struct str *out, const char *s)
{
    size_t column = 0;
    for (; *s; s++, column++) {
        unsigned char c = (unsigned char)*s;
        if (column >= LINE_WIDTH && (c & 0xc0) != 0x80) {
            str_add(out, "…");
            return;
        }
        if (c == '"' || c == '\\')
            str_addc(out, '\\');
        str_addc(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
}

/* A label's line, left-aligned; the same line again is left out, as a resize that is tried until it succeeds. */
static void add_line(struct str *label, const char *text, bool shape, char **last)
{
    autostr line = STR_INIT;
    str_reset(&line);
    add_without_ids(&line, text, shape);
    if (str_eq(*last, line.s))
        return;
    free(*last);
    *last = mem_strdup(line.s);
    add_escaped(label, line.s);
    str_add(label, "\\l");
}

static void add_time(struct str *label, const struct drawing *d, int64_t ns)
{
    if (!d->shape)
        str_addf(label, "%.2f ms\\l", (double)ns / (double)NS_PER_MS);
}

/* How long the spans called `what` took in all. */
static int64_t time_of(const struct story *s, const char *what)
{
    int64_t total = 0;
    json_each (span, s->spans)
        if (str_eq(json_str(span, "what", ""), what))
            total += json_int(span, "end", 0) - json_int(span, "start", 0);
    return total;
}

/* What was sent or received: the first lines of the spans called `what`. */
static void add_first_lines(struct str *label, const struct drawing *d, const char *what)
{
    autofree char *last = NULL;
    json_each (span, d->s->spans) {
        if (!str_eq(json_str(span, "what", ""), what))
            continue;
        autofree char *line = story_first_line(span);
        char *http = strstr(line, " HTTP/1.");
        char *text = str_starts(line, "HTTP/1.") && strlen(line) > 9 ? line + 9 : line;
        if (http)
            *http = '\0';
        add_line(label, text, d->shape, &last);
    }
}

/* A program of the story: the spans that say its name and, where `process` tells, its pid. */
struct actor {
    const char *prog;
    int64_t pid; /* only this one; 0: any */
    int64_t but; /* any but this one; 0: none */
};

static bool is_by(const struct actor *a, const json_t *span)
{
    int64_t pid = json_int(span, "pid", 0);
    return str_eq(json_str(span, "prog", ""), a->prog) && (!a->pid || pid == a->pid) && (!a->but || pid != a->but);
}

static const json_t *first_by(const struct story *s, const struct actor *a)
{
    json_each (span, s->spans)
        if (is_by(a, span))
            return span;
    return NULL;
}

/* What it did in a step. */
static void add_work(struct str *label, const struct drawing *d, const struct actor *a, int step)
{
    size_t lines = 0;
    autofree char *last = NULL;
    json_each (span, d->s->spans) {
        if (!is_by(a, span) || story_step(span) != step)
            continue;
        if (lines++ == LINES_MAX) {
            str_add(label, "…\\l");
            return;
        }
        add_line(label, json_str(span, "what", ""), d->shape, &last);
    }
}

/* ---- boxes and arrows ---- */

static void box(const struct drawing *d, const char *name, const char *title, const struct actor *a)
{
    autostr label = STR_INIT, lines = STR_INIT;
    const json_t *span = first_by(d->s, a);
    str_reset(&lines);
    str_add(&label, title);
    if (span && !d->shape)
        str_addf(&label, "\\npid %lld", (long long)json_int(span, "pid", 0));
    bool pipe = str_starts(a->prog, "tlspipe"); /* it has a part in steps 2 and 4, and no work of its own */
    add_work(&lines, d, a, pipe ? 2 : 3);
    if (lines.len > 0)
        str_addf(&label, "\\n\\n%s%s", str_eq(name, "daemon") ? "3  does the work:\\l" : "", lines.s);
    fprintf(d->out, "    %s [label=\"%s\"%s];\n", name, label.s, span ? "" : ", style=dashed");
}

/* An arrow of a step. Graphviz sets a label right against its curve, so each line begins with blanks: the lines below
 * the first stand under its text, not under the number. `label` ends each of its lines with \l. */
static void arrow(const struct drawing *d, const char *from, const char *to, int step, const char *label)
{
    autostr lines = STR_INIT;
    str_addf(&lines, "  %d  ", step);
    for (const char *end; (end = strstr(label, "\\l")); label = end + 2) {
        str_addf(&lines, "%.*s\\l", (int)(end - label), label);
        if (end[2])
            str_add(&lines, "     ");
    }
    /* what only tells of output may not pull its ends together */
    bool stream = str_eq(from, "shim") && !str_eq(to, "runtime");
    fprintf(d->out, "    %s -> %s [label=\"%s\"%s];\n", from, to, lines.s, stream ? ", constraint=false" : "");
}

/* 1 and the last part of 4: between the person and the client. */
static void draw_person(const struct drawing *d)
{
    autostr typed = STR_INIT, shown = STR_INIT;
    autofree char *last = NULL;
    str_reset(&typed);
    str_reset(&shown);
    add_line(&typed, json_str(json_array_get(d->s->spans, 0), "detail", ""), d->shape, &last);
    add_time(&typed, d, story_time(d->s, 1));
    str_addf(&shown, "text on the terminal, exit code %d\\l", d->s->code);
    fprintf(d->out, "    person [label=\"a person\", shape=plaintext];\n");
    arrow(d, "person", "gorae", 1, typed.s);
    arrow(d, "gorae", "person", 4, shown.s);
}

/* What both ends of TLS say of it: all but the client's address and port, which differ each time. */
static void add_session(struct str *label, const struct drawing *d)
{
    autofree char *last = NULL;
    json_each (span, d->s->spans) {
        if (!str_eq(json_str(span, "what", ""), TLS) || !str_eq(json_str(span, "prog", ""), "tlspipe"))
            continue;
        for (const char *line = json_str(span, "detail", ""); *line;) {
            size_t n = strcspn(line, "\n");
            autofree char *text = mem_strndup(line, n);
            add_line(label, text, d->shape, &last);
            line += n + (line[n] == '\n');
        }
        break; /* each connection has its own, and they are alike */
    }
}

/* 2 and 4 with TLS: a tlspipe at each end, plain bytes outside of them. A daemon that keeps no trace shows none. */
static void draw_tls(const struct drawing *d, const char *sent, const char *received)
{
    autostr session = STR_INIT;
    /* each connection has a process of its own; one tells it all */
    const json_t *one = first_by(d->s, &(struct actor){"tlspipe", 0, 0});
    const struct actor near = {"tlspipe", json_int(one, "pid", 0), 0}, far = {"tlspiped", 0, 0};
    bool both = first_by(d->s, &far) != NULL;
    str_reset(&session);
    str_add(&session, "encrypted, over TCP:\\l");
    add_session(&session, d);
    add_time(&session, d, time_of(d->s, TLS));
    box(d, "near", "gorae-tlspipe, the client's", &near);
    if (both)
        box(d, "far", "gorae-tlspipe, the daemon's", &far);
    arrow(d, "gorae", "near", 2, sent);
    arrow(d, "near", both ? "far" : "daemon", 2, session.s);
    if (both) {
        arrow(d, "far", "daemon", 2, "the same bytes, plain again\\l");
        arrow(d, "daemon", "far", 4, received);
    }
    arrow(d, both ? "far" : "daemon", "near", 4, "the answer, encrypted\\l");
    arrow(d, "near", "gorae", 4, both ? "the same bytes, plain again\\l" : received);
}

/* The first span called `what`, or NULL. */
static const json_t *first_called(const struct story *s, const char *what)
{
    json_each (span, s->spans)
        if (str_eq(json_str(span, "what", ""), what))
            return span;
    return NULL;
}

/* Figure 2.68 says "through the unix socket"; another address is another way. */
static const char *way(const struct story *s)
{
    const char *address = json_str(first_called(s, "connect to the socket"), "detail", "");
    if (first_by(s, &(struct actor){"tlspipe", 0, 0}))
        return "plain, through a socket pair:";
    return str_starts(address, "unix://") ? "through the unix socket:" : "over the network:";
}

/* 2 and 4: between the client and the daemon. */
static void draw_daemon(const struct drawing *d)
{
    autostr sent = STR_INIT, received = STR_INIT;
    str_reset(&sent);
    str_reset(&received);
    str_addf(&sent, "%s\\l", way(d->s));
    add_first_lines(&sent, d, "send the request");
    add_time(&sent, d, time_of(d->s, "send the request"));
    add_first_lines(&received, d, "receive the response");
    add_time(&received, d, time_of(d->s, "receive the response"));
    box(d, "daemon", d->s->traced ? "the daemon, goraed" : "the daemon (keeps no trace)",
        &(struct actor){"goraed", 0, 0});
    if (first_by(d->s, &(struct actor){"tlspipe", 0, 0})) {
        draw_tls(d, sent.s, received.s);
        return;
    }
    arrow(d, "gorae", "daemon", 2, sent.s);
    arrow(d, "daemon", "gorae", 4, received.s);
}

/* The pid of the process that became the container's, as it saw itself; 0 where none did. */
static int64_t container_pid(const struct story *s)
{
    return json_int(first_called(s, "exec the container's program"), "pid", 0);
}

/* 3: the programs behind the daemon, each started by the one before; 4: the container's output, which does not pass
 * through the daemon. */
static void draw_container(const struct drawing *d)
{
    int64_t pid = container_pid(d->s);
    const struct actor shim = {"shim", 0, 0}, runtime = {"runtime", 0, pid}, process = {"runtime", pid, 0};
    if (!first_by(d->s, &shim))
        return;
    box(d, "shim", "the monitor, gorae-shim", &shim);
    arrow(d, "daemon", "shim", 3, "start it; it stays as long as the container\\l");
    if (first_by(d->s, &runtime)) {
        box(d, "runtime", "the OCI runtime, gorae-runtime", &runtime);
        arrow(d, "shim", "runtime", 3, "run it: create, then start\\l");
    }
    if (pid) {
        box(d, "process", "the container's process", &process);
        arrow(d, "runtime", "process", 3, "clone it into new namespaces\\l");
    }
    int64_t copied = time_of(d->s, COPY);
    autostr label = STR_INIT;
    str_add(&label, "what the container writes\\l");
    add_time(&label, d, copied);
    if (copied > 0)
        arrow(d, "shim", first_by(d->s, &(struct actor){"tlspiped", 0, 0}) ? "far" : "gorae", 4, label.s);
}

void story_dot(const struct story *s, bool shape, FILE *out)
{
    struct drawing d = {s, shape, out};
    fprintf(out,
            "// drawn from a recording by: gorae --explain=%s\n"
            "digraph story {\n"
            "    rankdir=TB; nodesep=1.2; ranksep=0.6;\n"
            "    node [shape=box, style=rounded, fontname=\"Helvetica,sans-serif\", fontsize=11];\n"
            "    edge [fontname=\"Courier,monospace\", fontsize=9];\n",
            shape ? "dot-shape" : "dot");
    draw_person(&d);
    box(&d, "gorae", "the client, gorae", &(struct actor){"gorae", 0, 0});
    draw_daemon(&d);
    draw_container(&d);
    fprintf(out, "}\n");
}
