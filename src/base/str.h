/** @file
 * Strings: a growing buffer, and the strict conversions that C's library lacks.
 */
#ifndef GORAE_BASE_STR_H
#define GORAE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** A growing, always NUL-terminated buffer. `s` is never NULL after the first str_… call; it may hold any bytes. */
struct str {
    char *s;
    size_t len;
    size_t cap;
};

#define STR_INIT   \
    {              \
        NULL, 0, 0 \
    }
#define autostr __attribute__((cleanup(str_release))) struct str

void str_release(struct str *b);
/** Empty the buffer and keep its memory. */
void str_reset(struct str *b);
void str_addn(struct str *b, const void *p, size_t n);
void str_add(struct str *b, const char *s);
void str_addc(struct str *b, char c);
/** `c`, `n` times. */
void str_pad(struct str *b, char c, size_t n);
void str_addf(struct str *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Hand the bytes over; the buffer is empty afterwards. @return the caller's, never NULL */
char *str_take(struct str *b);

/** The words of `text`, a new line with `indent` blanks before it wherever `width` columns are full, and a line's end.
 * The first word is taken to stand in column `indent`. */
void str_fold(struct str *b, const char *text, size_t indent, size_t width);

/** printf into new memory. @return the caller's, never NULL */
char *str_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline bool str_eq(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}
static inline bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}
bool str_ends(const char *s, const char *suffix);
/** True for NULL and "". */
static inline bool str_empty(const char *s)
{
    return !s || !*s;
}

/** True where `s` is one of the strings of a list that NULL ends. */
bool str_among(const char *s, const char *const *list);

/** Decimal digits only, whole string, no sign, no blank. @return false on anything else or overflow */
bool str_to_u64(const char *s, uint64_t *ret);
/** An optional '-' and decimal digits, whole string. @return false on anything else or overflow */
bool str_to_i64(const char *s, int64_t *ret);
/** True where `s` is exactly `n` lower-case hexadecimal digits. */
bool str_is_hex(const char *s, size_t n);

/** `n` random bytes as 2n lower-case hex digits from getrandom(2); `out` takes 2n+1 bytes. */
void str_random_hex(char *out, size_t n);

/** A NULL-terminated vector of strings that grows. */
struct strv {
    char **v;
    size_t n;
};
#define autostrv __attribute__((cleanup(strv_release))) struct strv
void strv_release(struct strv *v);
void strv_add(struct strv *v, const char *s);
void strv_addf(struct strv *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
