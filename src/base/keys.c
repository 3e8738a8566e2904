/* Detach keys: the sequence that ends an attachment and leaves the container running.
 *
 * Bytes that may be the beginning of the sequence are held back until the next one decides, which is why ctrl-p appears
 * to lag in an attached shell. When the next byte does not fit, the longest end of the held bytes that may still begin
 * the sequence is kept and the rest is passed on, so that "a,a,b" is found in "aaab".
 *
 * Read next: shim/attach.c, cli/session.c. */
#include "base/keys.h"
#include "base/str.h"

#include <string.h>

/* "ctrl-x" → the byte that a terminal sends for it; a single character → itself; else -1. */
static int key_code(const char *p, size_t n)
{
    if (n == 1)
        return (unsigned char)p[0];
    if (n != 6 || strncmp(p, "ctrl-", 5) != 0)
        return -1;
    int c = p[5] >= 'a' && p[5] <= 'z' ? p[5] - 'a' + 'A' : p[5];
    return c >= '@' && c <= '_' ? c - '@' : -1;
}

bool keys_parse(struct keys *k, const char *text)
{
    *k = (struct keys){0};
    if (str_empty(text))
        text = "ctrl-p,ctrl-q";
    for (const char *p = text;; p++) {
        /* A comma that stands where a key is expected is itself the key: ",,x" is comma, x. */
        size_t n = *p == ',' ? 1 : strcspn(p, ",");
        int c = key_code(p, n);
        if (c < 0 || k->n == KEYS_MAX)
            return false;
        k->sequence[k->n++] = (unsigned char)c;
        p += n;
        if (*p == '\0')
            return true;
        if (*p != ',')
            return false;
    }
}

int keys_init(struct keys *k, const char *text, struct err *e)
{
    return keys_parse(k, text) ? 0 : err_set(e, ERR_INVALID, "Invalid detach keys (%s) provided", text);
}

/* `held` bytes of the sequence and then `c` were typed. How many bytes at the end of that begin the sequence? */
static size_t overlap(const struct keys *k, size_t held, unsigned char c)
{
    unsigned char typed[KEYS_MAX];
    memcpy(typed, k->sequence, held);
    typed[held] = c;
    for (size_t n = held + 1; n > 0; n--)
        if (n <= k->n && memcmp(typed + held + 1 - n, k->sequence, n) == 0)
            return n;
    return 0;
}

bool keys_scan(struct keys *k, const char *p, size_t n, char *out, size_t *ret_n)
{
    size_t m = 0;
    if (k->n == 0) {
        memcpy(out, p, n);
        *ret_n = n;
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        size_t held = k->matched;
        k->matched = overlap(k, held, c);
        if (k->matched == k->n) {
            k->matched = 0;
            *ret_n = m;
            return true;
        }
        size_t pass = held + 1 - k->matched;
        memcpy(out + m, k->sequence, pass < held ? pass : held);
        m += pass < held ? pass : held;
        if (pass > held)
            out[m++] = (char)c;
    }
    *ret_n = m;
    return false;
}
