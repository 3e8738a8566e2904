/* Time: see clock.h. The steps of clock_human() are those of spec section 6.6. */
#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_mono(void)
{
    return now(CLOCK_MONOTONIC);
}

int64_t clock_real(void)
{
    return now(CLOCK_REALTIME);
}

char *clock_format(int64_t t, char *out)
{
    if (t == 0)
        return strcpy(out, CLOCK_ZERO);
    time_t s = t / NS_PER_S;
    long ns = t % NS_PER_S;
    if (ns < 0) { /* before 1970: the fraction still counts forward */
        ns += NS_PER_S;
        s -= 1;
    }
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, CLOCK_TEXT - n, ".%09ldZ", ns);
    return out;
}

/* ".123" → 123000000; the pointer moves past the digits. More than nine digits are cut. */
static int64_t fraction(const char **p)
{
    int64_t v = 0, unit = NS_PER_S / 10;
    if (**p != '.')
        return 0;
    for (++*p; **p >= '0' && **p <= '9'; ++*p, unit /= 10)
        v += (**p - '0') * unit;
    return v;
}

static bool parse_zone(const char *p, int64_t *offset)
{
    int h, m, n = 0;
    *offset = 0;
    if (str_eq(p, "Z") || str_eq(p, "z") || *p == '\0')
        return true;
    if ((*p != '+' && *p != '-') || sscanf(p + 1, "%2d:%2d%n", &h, &m, &n) != 2 || p[1 + n] != '\0')
        return false;
    *offset = (int64_t)(h * 60 + m) * 60 * NS_PER_S * (*p == '-' ? -1 : 1);
    return true;
}

static bool parse_date(const char *s, int64_t *ret)
{
    struct tm tm = {0};
    int n = 0;
    if (sscanf(s, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &n) != 3 || n != 10)
        return false;
    s += n;
    if (*s == 'T' || *s == 't') {
        n = 0;
        if (sscanf(s + 1, "%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &n) != 2 || n != 5)
            return false;
        s += 1 + n;
        if (*s == ':') {
            n = 0;
            if (sscanf(s + 1, "%2d%n", &tm.tm_sec, &n) != 1 || n != 2)
                return false;
            s += 1 + n;
        }
    }
    if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60)
        return false;
    int64_t ns = fraction(&s), offset;
    if (!parse_zone(s, &offset))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    /* Year 1 is Docker's "never"; it is far outside what 64 bits of nanoseconds hold. */
    if (tm.tm_year < -222 || tm.tm_year > 361) {
        *ret = 0;
        return true;
    }
    *ret = (int64_t)timegm(&tm) * NS_PER_S + ns - offset;
    return true;
}

static bool parse_unix(const char *s, int64_t *ret)
{
    int64_t v = 0;
    const char *p = s;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
            return false;
    if (p == s)
        return false;
    int64_t ns = fraction(&p);
    return *p == '\0' && !__builtin_mul_overflow(v, NS_PER_S, &v) && !__builtin_add_overflow(v, ns, ret);
}

bool clock_parse(const char *s, int64_t at, int64_t *ret)
{
    int64_t span;
    if (str_empty(s))
        return false;
    if (parse_unix(s, ret) || parse_date(s, ret))
        return true;
    if (at != 0 && clock_parse_duration(s, &span)) {
        *ret = at - span;
        return true;
    }
    return false;
}

static int64_t unit_ns(const char **p)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1},       {"us", 1000},         {"µs", 1000},          {"ms", NS_PER_MS},
                 {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}};
    /* "m" must not swallow the m of "ms": take the longest name that fits. */
    size_t best = 0;
    int64_t ns = 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t n = strlen(units[i].name);
        if (n > best && strncmp(*p, units[i].name, n) == 0) {
            best = n;
            ns = units[i].ns;
        }
    }
    *p += best;
    return ns;
}

bool clock_parse_duration(const char *s, int64_t *ret)
{
    int64_t total = 0;
    if (str_empty(s))
        return false;
    if (str_eq(s, "0")) {
        *ret = 0;
        return true;
    }
    while (*s) {
        int64_t whole = 0;
        const char *digits = s;
        for (; *s >= '0' && *s <= '9'; s++)
            if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *s - '0', &whole))
                return false;
        bool some = s > digits || (s[0] == '.' && s[1] >= '0' && s[1] <= '9');
        int64_t part = fraction(&s);
        int64_t unit = unit_ns(&s);
        if (!some || unit == 0 || __builtin_mul_overflow(whole, unit, &whole))
            return false;
        part = (int64_t)((double)part / 1e9 * (double)unit);
        if (__builtin_add_overflow(total, whole, &total) || __builtin_add_overflow(total, part, &total))
            return false;
    }
    *ret = total;
    return true;
}

char *clock_human(int64_t span, char *out, size_t size)
{
    int64_t s = span / NS_PER_S, m = s / 60, h = (span + 1800 * NS_PER_S) / (3600 * NS_PER_S);
    if (s < 1)
        snprintf(out, size, "Less than a second");
    else if (s == 1)
        snprintf(out, size, "1 second");
    else if (s < 60)
        snprintf(out, size, "%d seconds", (int)s);
    else if (m == 1)
        snprintf(out, size, "About a minute");
    else if (m < 60)
        snprintf(out, size, "%d minutes", (int)m);
    else if (h == 1)
        snprintf(out, size, "About an hour");
    else if (h < 48)
        snprintf(out, size, "%d hours", (int)h);
    else if (h < 24 * 14)
        snprintf(out, size, "%d days", (int)(h / 24));
    else if (h < 24 * 60)
        snprintf(out, size, "%d weeks", (int)(h / 24 / 7));
    else if (h < 24 * 365 * 2)
        snprintf(out, size, "%d months", (int)(h / 24 / 30));
    else
        snprintf(out, size, "%d years", (int)(h / 24 / 365));
    return out;
}
