/* The daemon's log: see log.h. A line is one write(2), so lines of two threads never mix. Control bytes, which
 * could drive the terminal of whoever reads the log, are shown as '?'. */
#include "base/log.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_int threshold = LOG_INFO;

void log_level(enum log_level max)
{
    threshold = (int)max;
}

static atomic_bool as_json;

void log_as_json(bool yes)
{
    as_json = yes;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char line[2048], when[CLOCK_TEXT];
    if ((int)level > threshold)
        return;
    const char *tail = as_json ? "\"}\n" : "\"\n";
    clock_format(clock_real(), when);
    int n = as_json ? snprintf(line, sizeof(line), "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":\"", when, names[level])
                    : snprintf(line, sizeof(line), "time=\"%s\" level=%s msg=\"", when, names[level]);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 3, fmt, ap);
    va_end(ap);
    size_t end = (size_t)n + (m < 0 ? 0 : (size_t)m);
    if (end > sizeof(line) - 4)
        end = sizeof(line) - 4;
    for (size_t i = (size_t)n; i < end; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
        else if (as_json && (line[i] == '"' || line[i] == '\\'))
            line[i] = '\'';
    }
    snprintf(line + end, sizeof(line) - end, "%s", tail); /* room for it was left above */
    (void)!write(STDERR_FILENO, line, end + strlen(tail));
}
