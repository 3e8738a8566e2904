/** @file
 * --explain: the story of one command, told from recorded spans (base/trace.h).
 *
 * The client records its own spans into a memfd and sends a trace id with every request (header Gorae-Trace). Daemon,
 * shim and runtime record theirs under that id. After the command the client fetches them (GET /_gorae/trace/ID), puts
 * all on one clock, and tells the four steps of the course's figure:
 *
 *     1  a person types a command          gorae
 *     2  the client sends it               gorae
 *     3  the daemon does the work          goraed, gorae-shim, gorae-runtime
 *     4  the result comes back, printed    gorae
 *
 * A daemon that keeps no traces (a stock dockerd) answers 404; then step 3 is known from outside only, and said to be.
 */
#ifndef GORAE_CLI_EXPLAIN_H
#define GORAE_CLI_EXPLAIN_H

#include "cli/cli.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#define EXPLAIN_STEPS 4

enum explain_mode {
    EXPLAIN_NONE,
    EXPLAIN_TEXT,  /**< on standard error, after the command's own output */
    EXPLAIN_JSON,  /**< the spans as one JSON array, the command's own output is dropped */
    EXPLAIN_DOT,   /**< a figure for graphviz, likewise */
    EXPLAIN_SHAPE, /**< likewise without times, pids and ids: equal for equal flows */
};

struct explain {
    enum explain_mode mode;
    int sink; /**< memfd of our spans, or -1 */
    int out;  /**< the real standard output, where 1 is /dev/null; or -1 */
    char id[17];
};

#define EXPLAIN_INIT          \
    {                         \
        .sink = -1, .out = -1 \
    }

/** Begin to record where `how` asks for it (NULL: not). @param how "text", "json", "dot" or "dot-shape" */
int explain_begin(struct explain *x, struct cli *cli, const char *how, int64_t started, int argc, char **argv,
                  struct err *e);
/** Collect and tell. @param code the command's exit code */
void explain_end(struct explain *x, struct cli *cli, int code);

/** What the story is told from. */
struct story {
    json_t *spans; /**< array, in order of `start` */
    bool traced;   /**< the daemon's half is in it */
    int64_t shift; /**< ns added to the times of a daemon on another machine; 0: one clock */
    int code;      /**< the command's exit code */
    int64_t start; /**< of the first span */
    int64_t end;   /**< of the last */
};

/** The step of a span, 1 to 4: those that say 0 belong to the program's usual step. */
int story_step(const json_t *span);
/** Nanoseconds that step `step` (0: any) took: overlapping spans count once. */
int64_t story_time(const struct story *s, int step);
/** The first line of what a span sent or received, e.g. "GET /v1.44/containers/json HTTP/1.1", without its end.
 * @return the caller's */
char *story_first_line(const json_t *span);

/** Tell it in words. (explain_text.c) */
void story_text(const struct story *s, FILE *out);
/** Draw it. @param shape without times, pids and ids (explain_dot.c) */
void story_dot(const struct story *s, bool shape, FILE *out);

#endif
