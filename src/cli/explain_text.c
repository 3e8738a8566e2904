/* --explain in words.
 *
 * The story is told by step, and inside a step by time, so that a reader finds the figure's four arrows again; the
 * offset before each line says when it really happened, since a command of several calls goes through steps 2 to 4
 * several times. Bytes are shown as they were on the wire, line by line, with their \r\n: that the protocol is plain
 * text is half of the lesson. Read next: explain_dot.c, the same as a figure. */
#include "cli/explain.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

#define DETAIL_LINES 30
#define DETAIL_WIDTH 150

static const char *const titles[] = {
    NULL,
    "A person types a command",
    "The client sends it through the socket",
    "The daemon does the work",
    "The result comes back, and the client prints it",
};

static char *milliseconds(int64_t ns)
{
    return str_printf("%.3f ms", (double)ns / (double)NS_PER_MS);
}

/* One line of a detail: printable bytes as they are, others as \r, \n, \x1b; at most DETAIL_WIDTH columns. */
static void print_line(FILE *out, const char *s, size_t n, bool ended)
{
    autostr text = STR_INIT;
    str_reset(&text);
    for (size_t i = 0; i < n && text.len < DETAIL_WIDTH; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '\r')
            str_add(&text, "\\r");
        else if (c < 0x20 || c == 0x7f)
            str_addf(&text, "\\x%02x", c);
        else
            str_addc(&text, s[i]);
    }
    bool cut = text.len >= DETAIL_WIDTH;
    fprintf(out, "          | %s%s\n", text.s, cut ? " …" : ended ? "\\n" : "");
}

static void print_detail(FILE *out, const char *detail)
{
    bool wire = strstr(detail, "\r\n") != NULL; /* only there do the ends of lines matter */
    int lines = 0;
    for (const char *s = detail; *s; lines++) {
        const char *end = strchrnul(s, '\n');
        if (lines == DETAIL_LINES) {
            fprintf(out, "          | … and %zu bytes more\n", strlen(s));
            return;
        }
        print_line(out, s, (size_t)(end - s), wire && *end);
        s = *end ? end + 1 : end;
    }
}

static void print_span(FILE *out, const struct story *s, const json_t *span)
{
    int64_t start = json_int(span, "start", 0);
    autofree char *offset = milliseconds(start - s->start);
    int64_t length = json_int(span, "end", 0) - start;
    autofree char *took = milliseconds(length > 0 ? length : 0);
    autofree char *who = str_printf("%s %lld", json_str(span, "prog", "?"), (long long)json_int(span, "pid", 0));
    fprintf(out, "  +%12s  took %12s  %-20s %s\n", offset, took, who, json_str(span, "what", ""));
    print_detail(out, json_str(span, "detail", ""));
}

/* Step 3 of a daemon that keeps no traces: the time between our last byte and its first. */
static void print_outside(FILE *out, const struct story *s)
{
    int64_t sent = 0;
    autofree char *request = mem_strdup("");
    if (story_time(s, 2) == 0) {
        fprintf(out, "  It was not asked.\n");
        return;
    }
    fprintf(out, "  This daemon keeps no trace (goraed does), so its work is seen from outside only:\n");
    json_each (span, s->spans) {
        const char *what = json_str(span, "what", "");
        if (str_eq(what, "send the request")) {
            sent = json_int(span, "end", 0);
            free(request);
            request = story_first_line(span);
        } else if (str_eq(what, "receive the response") && sent) {
            autofree char *offset = milliseconds(sent - s->start);
            autofree char *took = milliseconds(json_int(span, "start", 0) - sent);
            fprintf(out, "  +%12s  took %12s  %-20s %s\n", offset, took, "the daemon", request);
            sent = 0;
        }
    }
}

static void print_step(FILE *out, const struct story *s, int step)
{
    autofree char *took = milliseconds(story_time(s, step));
    bool outside = step == 3 && !s->traced;
    fprintf(out, "\n%d  %-60s %s\n", step, titles[step], outside ? "" : took);
    if (outside)
        print_outside(out, s);
    json_each (span, s->spans)
        if (story_step(span) == step)
            print_span(out, s, span);
}

/* Each process once, in the order of appearance, with what it is. */
static void print_processes(FILE *out, const struct story *s)
{
    static const char *const role[][2] = {
        {"gorae", "the client"},
        {"goraed", "the daemon"},
        {"shim", "gorae-shim, the container's monitor: holds its streams, keeps its exit code"},
        {"runtime", "gorae-runtime, the OCI runtime; with pid 1 it is the container's own first process, before it "
                    "runs the program"},
        {"tlspipe", "gorae-tlspipe client: our end of TLS, between us and the network"},
        {"tlspiped", "gorae-tlspipe server: the daemon's end of TLS, without privileges"},
        {"archive", "gorae-archive: packs and unpacks archives, without privileges"},
    };
    autostr seen = STR_INIT;
    str_reset(&seen);
    fprintf(out, "\nThe processes\n");
    json_each (span, s->spans) {
        const char *prog = json_str(span, "prog", "?"), *is = "";
        autofree char *key = str_printf("|%s %lld|", prog, (long long)json_int(span, "pid", 0));
        if (strstr(seen.s, key))
            continue;
        str_add(&seen, key);
        for (size_t k = 0; k < sizeof(role) / sizeof(*role); k++)
            if (str_eq(prog, role[k][0]))
                is = role[k][1];
        fprintf(out, "  %-20.*s %s\n", (int)strlen(key) - 2, key + 1, is);
    }
}

void story_text(const struct story *s, FILE *out)
{
    json_t *first = json_array_get(s->spans, 0);
    fprintf(out, "\n---- the story of: %s ----\n", json_str(first, "detail", ""));
    for (int step = 1; step <= EXPLAIN_STEPS; step++)
        print_step(out, s, step);
    print_processes(out, s);
    autofree char *whole = milliseconds(s->end - s->start);
    fprintf(out, "\nFrom the first span to the last: %s, exit code %d. By step:", whole, s->code);
    for (int step = 1; step <= EXPLAIN_STEPS; step++) {
        autofree char *took = milliseconds(story_time(s, step));
        fprintf(out, "%s %d: %s", step > 1 ? "," : "", step, step == 3 && !s->traced ? "?" : took);
    }
    fprintf(out, ".\nSteps overlap where programs work at the same time.\n");
    if (s->shift)
        fprintf(out, "The daemon is on another machine, with a clock of its own: its times are moved so that it hears "
                     "the first\nrequest when it was sent. What took how long is right; how long the bytes travelled "
                     "is not known.\n");
}
