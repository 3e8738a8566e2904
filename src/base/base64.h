/** @file
 * Base64 with the standard alphabet and padding (RFC 4648, section 4): for headers that carry JSON.
 */
#ifndef GORAE_BASE_BASE64_H
#define GORAE_BASE_BASE64_H

#include <stddef.h>

/** `n` bytes as text. @return the caller's */
char *base64_encode(const void *p, size_t n);
/** The bytes of `text`, NUL-terminated. @return new memory, the caller's; NULL where `text` is malformed */
char *base64_decode(const char *text, size_t *ret_n);

#endif
