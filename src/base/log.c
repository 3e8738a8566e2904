/* The daemon's log: see log.h. A line is one write(2), so lines of two threads never mix. Control bytes, which
 * could drive the terminal of whoever reads the log, are shown as '?'. */
#include "base/log.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int threshold = LOG_INFO;

void log_level(enum log_level max)
{
    threshold = (int)max;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char line[2048], when[CLOCK_TEXT];
    if ((int)level > threshold)
        return;
    int n = snprintf(line, sizeof(line), "time=\"%s\" level=%s msg=\"", clock_format(clock_real(), when), names[level]);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 2, fmt, ap);
    va_end(ap);
    size_t end = (size_t)n + (m < 0 ? 0 : (size_t)m);
    if (end > sizeof(line) - 3)
        end = sizeof(line) - 3;
    for (size_t i = (size_t)n; i < end; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[end] = '"';
    line[end + 1] = '\n';
    (void)!write(STDERR_FILENO, line, end + 2);
}
