/* Three bytes are four letters of six bits each; see base64.h. */
#include "base/base64.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *p, size_t n)
{
    const unsigned char *in = p;
    char *out = mem_alloc((n + 2) / 3 * 4 + 1), *at = out;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t b = (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);
        *at++ = letters[b >> 18];
        *at++ = letters[b >> 12 & 63];
        *at++ = '=';
        *at++ = '=';
        if (i + 1 < n)
            at[-2] = letters[b >> 6 & 63];
        if (i + 2 < n)
            at[-1] = letters[b & 63];
    }
    return out;
}

char *base64_decode(const char *text, size_t *ret_n)
{
    size_t len = strlen(text), pad = 0;
    while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
        pad++;
    autofree char *out = mem_alloc(len / 4 * 3 + 1);
    size_t n = 0;
    if (len % 4 != 0)
        return NULL;
    for (size_t i = 0; i < len; i += 4) {
        uint32_t b = 0;
        for (size_t k = 0; k < 4; k++) {
            const char *x = i + k < len - pad ? strchr(letters, text[i + k]) : letters;
            if (!x || !*x)
                return NULL;
            b = b << 6 | (uint32_t)(x - letters);
        }
        out[n++] = (char)(b >> 16);
        out[n++] = (char)(b >> 8);
        out[n++] = (char)b;
    }
    *ret_n = n - pad;
    out[*ret_n] = '\0';
    return take_ptr(&out);
}
