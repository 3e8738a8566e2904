/* Errors as values: see err.h for the contract. The message is truncated at its 1,024 bytes rather than
 * ever allocated; the front of it, which err_wrap() writes, is what names the operation and the object. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static void fill(struct err *e, enum err_kind kind, int sys, const char *fmt,
                                                       va_list ap)
{
    e->kind = kind;
    e->sys = sys;
    vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
}

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    if (e) {
        va_list ap;
        va_start(ap, fmt);
        fill(e, kind, 0, fmt, ap);
        va_end(ap);
    }
    return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
    int sys = errno;
    if (e) {
        va_list ap;
        va_start(ap, fmt);
        fill(e, ERR_SYSTEM, sys, fmt, ap);
        va_end(ap);
        size_t n = strlen(e->msg);
        snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", strerrordesc_np(sys) ? strerrordesc_np(sys) : "unknown error");
        /* Docker's clients look for these phrases in lower case to choose exit codes 126 and 127. */
        if (strlen(e->msg + n) > 2 && e->msg[n + 2] >= 'A' && e->msg[n + 2] <= 'Z')
            e->msg[n + 2] = (char)(e->msg[n + 2] - 'A' + 'a');
    }
    errno = sys;
    return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    if (e) {
        char old[sizeof(e->msg)];
        memcpy(old, e->msg, sizeof(old));
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
        va_end(ap);
        size_t n = strlen(e->msg);
        snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", old);
    }
    return -1;
}

json_t *err_to_json(const struct err *e)
{
    /* A message cut in the middle of a UTF-8 sequence is not valid JSON text: json_stringn_nocheck would
     * write it all the same, so cut back to the last whole character. */
    size_t n = strlen(e->msg);
    json_t *text = json_stringn(e->msg, n);
    while (!text && n > 0)
        text = json_stringn(e->msg, --n);
    return json_pack("{s:i, s:i, s:o}", "kind", (int)e->kind, "sys", e->sys, "message", text);
}

int err_from_json(struct err *e, const json_t *j)
{
    const char *msg = json_string_value(json_object_get(j, "message"));
    json_int_t kind = json_integer_value(json_object_get(j, "kind"));
    err_set(e, kind > ERR_NONE && kind <= ERR_HTTP_VERSION ? (enum err_kind)kind : ERR_SYSTEM, "%s",
            msg ? msg : "unknown error");
    if (e)
        e->sys = (int)json_integer_value(json_object_get(j, "sys"));
    return -1;
}
