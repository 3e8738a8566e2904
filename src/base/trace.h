/** @file
 * The trace: what each program did for one request, and how long it took.
 *
 * A request that carries an id (header `Gorae-Trace: <16 hex>`) is traced. Each program appends its spans to
 * one file, a JSON object a line:
 *
 *     {"prog":"goraed","pid":71,"step":3,"what":"parse the request","start":…,"end":…,"detail":"…"}
 *
 * `step` is the step of figure 2.68 that the span belongs to (1 typed, 2 through the socket, 3 the daemon does
 * the work, 4 the result comes back and is printed), 0 where it follows its surroundings. Times are
 * CLOCK_MONOTONIC nanoseconds, one clock for all processes of a machine. A line is written by one write(2) to an
 * O_APPEND descriptor, so lines of several processes never mix.
 *
 * The sink is a property of the thread. Without one (the usual case) a span costs a comparison. The path of
 * the file reaches child programs in the environment variable GORAE_TRACE.
 */
#ifndef GORAE_BASE_TRACE_H
#define GORAE_BASE_TRACE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define TRACE_ENV    "GORAE_TRACE"
#define TRACE_HEADER "Gorae-Trace"

struct span {
    const char *what; /**< borrowed; NULL while tracing is off */
    int step;
    int64_t start;
};

/** Name the program in every span from here on. @param prog a literal */
void trace_program(const char *prog);
/** Send this thread's spans to `fd` (borrowed; -1 turns tracing off). */
void trace_to(int fd);
/** Append this thread's spans to the file at `path`, made if missing, and remember the path for child programs. NULL
 * ends tracing and closes the file. */
void trace_to_file(const char *path);
/** The path given to trace_to_file() by this thread, or NULL. @return borrowed until the next trace_to_file() */
const char *trace_path(void);
/** This thread's sink, or -1. */
int trace_fd(void);
/** Open the file named by GORAE_TRACE, if any, as this thread's sink. For child programs, early in main(). */
void trace_from_env(void);
/** True where this thread is traced: to skip preparing costly details. */
bool trace_on(void);

/** Begin a span. @param what a literal: a verb and its object, in words */
struct span trace_begin(int step, const char *what);
/** End it, with a detail or "" (printf). Quietly does nothing where tracing is off. */
void trace_end(struct span *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** A span that began at `start` and ends now, for what was timed by other means. */
void trace_span(int step, const char *what, int64_t start, int64_t end, const char *detail);
/** Likewise on behalf of another process, which cannot know that it is traced. */
void trace_span_by(const char *prog, int pid, int step, const char *what, int64_t start, int64_t end,
                   const char *detail);

#endif
