/* The trace: see trace.h. A span that cannot be written is lost in silence: the trace must never change what
 * the traced program does. */
#include "base/trace.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *program = "?";
static _Thread_local int sink = -1;
static _Thread_local char *sink_path;

void trace_program(const char *prog)
{
    program = prog;
}

void trace_to(int fd)
{
    sink = fd;
}

void trace_to_file(const char *path)
{
    if (sink_path) {
        fd_close(sink);
        sink = -1;
        mem_freep(&sink_path);
        sink_path = NULL;
    }
    if (path) {
        sink = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        sink_path = mem_strdup(path);
    }
}

const char *trace_path(void)
{
    return sink_path;
}

int trace_fd(void)
{
    return sink;
}

bool trace_on(void)
{
    return sink >= 0;
}

void trace_from_env(void)
{
    const char *path = getenv(TRACE_ENV);
    if (!str_empty(path))
        sink = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
}

struct span trace_begin(int step, const char *what)
{
    struct span s = {NULL, step, 0};
    if (sink >= 0) {
        s.what = what;
        s.start = clock_mono();
    }
    return s;
}

void trace_span(int step, const char *what, int64_t start, int64_t end, const char *detail)
{
    trace_span_by(program, (int)getpid(), step, what, start, end, detail);
}

void trace_span_by(const char *prog, int pid, int step, const char *what, int64_t start, int64_t end,
                   const char *detail)
{
    if (sink < 0)
        return;
    json_t *text = json_string_lossy(detail, strlen(detail));
    json_auto_t *j = json_pack("{s:s, s:i, s:i, s:s, s:I, s:I, s:o}", "prog", prog, "pid", pid, "step", step, "what",
                               what, "start", (json_int_t)start, "end", (json_int_t)end, "detail", text);
    autofree char *line = json_text(j);
    (void)!write(sink, line, strlen(line));
}

void trace_end(struct span *s, const char *fmt, ...)
{
    if (!s->what || sink < 0)
        return;
    char detail[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    trace_span(s->step, s->what, s->start, clock_mono(), detail);
    s->what = NULL;
}
