/* The plan, reading a file: integers that are wider than the ones of jansson.
 *
 * The specification has numbers of 64 bits without a sign: limits (rlimits), of which the largest means "none", and
 * what seccomp compares arguments with. Managers that are written in Go spell them so: "hard": 18446744073709551615.
 * jansson knows numbers with a sign only and refuses the whole file for one that is above. So before it is parsed, each
 * such number is written as the one with a sign that has the same 64 bits, and those who read it cast it back.
 *
 * It fails for nothing of its own: what is no number of 64 bits either stays as it is, for the parser to refuse. */
#include "runtime/plan.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define NARROWEST 19 /* digits of 2^63 */

/* @return the end of the string that begins behind `p`, its closing quote; or of the text */
static const char *skip_string(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return p;
}

/* @return true where the `n` bytes at `p` are a number above INT64_MAX with 64 bits */
static bool is_wide(const char *p, size_t n, uint64_t *ret)
{
    if (n < NARROWEST || strspn(p, "0123456789") != n || *p == '0')
        return false;
    errno = 0;
    *ret = strtoull(p, NULL, 10);
    return errno == 0 && *ret > INT64_MAX;
}

/* Needs no valid JSON: what is not in quotes and made of the signs of a number is taken for one. */
static void narrow(const char *text, struct str *out)
{
    const char *done = text;
    for (const char *p = text; *p; p++) {
        size_t n = isdigit((unsigned char)*p) || *p == '-' ? strspn(p, "+-.0123456789eE") : 0;
        uint64_t value;
        if (is_wide(p, n, &value)) {
            str_addn(out, done, (size_t)(p - done));
            str_addf(out, "%lld", (long long)value);
            done = p + n;
        }
        if (n > 0)
            p += n - 1;
        else if (*p == '"' && !*(p = skip_string(p)))
            break;
    }
    str_add(out, done);
}

json_t *plan_read(const char *path, size_t limit, struct err *e)
{
    autostr plain = STR_INIT;
    size_t n;
    autofree char *text = file_read(AT_FDCWD, path, limit, &n, e);
    if (!text)
        return NULL;
    bool whole = !memchr(text, '\0', n); /* else it is no JSON, which the parser will say */
    if (whole)
        narrow(text, &plain);
    json_t *j = whole ? json_parse(plain.s, plain.len, e) : json_parse(text, n, e);
    if (!j)
        err_wrap(e, "%s", path);
    return j;
}
