/* SHA-256: see digest.h. The arithmetic is nettle's: its library weighs 250 KiB where libcrypto brings 3 MiB of
 * resident memory to a daemon whose budget is 4 MiB. */
#include "base/digest.h"
#include "base/str.h"

#include <stdint.h>
#include <stdio.h>

void digest_init(struct digest *d)
{
    sha256_init(&d->ctx);
}

void digest_add(struct digest *d, const void *p, size_t n)
{
    sha256_update(&d->ctx, n, p);
}

char *digest_hex(struct digest *d, char *out)
{
    static const char digit[] = "0123456789abcdef";
    uint8_t raw[SHA256_DIGEST_SIZE];
    sha256_digest(&d->ctx, sizeof(raw), raw);
    for (size_t i = 0; i < sizeof(raw); i++) {
        out[2 * i] = digit[raw[i] >> 4];
        out[2 * i + 1] = digit[raw[i] & 15];
    }
    out[DIGEST_HEX] = '\0';
    return out;
}

char *digest_of(const void *p, size_t n, char *out)
{
    struct digest d;
    digest_init(&d);
    digest_add(&d, p, n);
    return digest_hex(&d, out);
}

char *digest_chain(const char *parent, const char *diff, char *out)
{
    if (str_empty(parent)) {
        memmove(out, diff, DIGEST_SIZE);
        return out;
    }
    char text[2 * sizeof(DIGEST_PREFIX) + 2 * DIGEST_SIZE];
    int n = snprintf(text, sizeof(text), DIGEST_PREFIX "%s " DIGEST_PREFIX "%s", parent, diff);
    return digest_of(text, (size_t)n, out);
}

const char *digest_parse(const char *s)
{
    const size_t n = sizeof(DIGEST_PREFIX) - 1;
    if (!s || strncmp(s, DIGEST_PREFIX, n) != 0 || !str_is_hex(s + n, DIGEST_HEX))
        return NULL;
    return s + n;
}
