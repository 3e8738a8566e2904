/* Numbers for people: see human.h. The formats are docker's, digit for digit, because scripts cut them apart. */
#include "cli/human.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <time.h>

static char *scaled(double v, double step, const char *const *unit, size_t units, int digits, char *out)
{
    size_t i = 0;
    for (; v >= step && i + 1 < units; i++)
        v /= step;
    snprintf(out, HUMAN_TEXT, "%.*g%s", digits, v, unit[i]);
    /* 999.9 with three digits rounds up to 1e+03: that is 1 of the next unit. */
    if (strstr(out, "e+") && i + 1 < units)
        snprintf(out, HUMAN_TEXT, "%.*g%s", digits, v / step, unit[i + 1]);
    return out;
}

char *human_size(double bytes, int digits, char *out)
{
    static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
    return scaled(bytes, 1000, unit, sizeof(unit) / sizeof(*unit), digits, out);
}

char *human_memory(double bytes, char *out)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
    return scaled(bytes, 1024, unit, sizeof(unit) / sizeof(*unit), 4, out);
}

char *human_ago(int64_t then, char *out)
{
    if (then < 0 || then > INT64_MAX / NS_PER_S) {
        snprintf(out, HUMAN_TEXT, "N/A");
        return out;
    }
    int64_t span = clock_real() - then * NS_PER_S;
    clock_human(span > 0 ? span : 0, out, HUMAN_TEXT - 4);
    size_t n = strlen(out);
    snprintf(out + n, HUMAN_TEXT - n, " ago");
    return out;
}

char *human_time(int64_t then, char *out)
{
    time_t t = (time_t)then;
    struct tm tm;
    if (!localtime_r(&t, &tm) || strftime(out, HUMAN_TEXT, "%Y-%m-%d %H:%M:%S %z %Z", &tm) == 0)
        snprintf(out, HUMAN_TEXT, "N/A");
    return out;
}

char *human_cut(const char *s, size_t max)
{
    size_t chars = 0, at = 0, cut = 0;
    for (; s[at]; at++) {
        if (((unsigned char)s[at] & 0xc0) == 0x80)
            continue;
        if (chars + 1 == max)
            cut = at;
        if (++chars > max)
            return str_printf("%.*s…", (int)cut, s);
    }
    return mem_strdup(s);
}

char *human_id(const char *id)
{
    if (str_starts(id, "sha256:"))
        id += 7;
    return mem_strndup(id, strnlen(id, 12));
}
