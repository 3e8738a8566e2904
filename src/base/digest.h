/** @file
 * SHA-256, the name of everything in the image store.
 *
 * A digest is written here as 64 lower-case hex digits without the "sha256:" in front: that is the form that names
 * files. Whoever receives a digest from outside checks it with str_is_hex(s, DIGEST_HEX) before it names anything.
 */
#ifndef GORAE_BASE_DIGEST_H
#define GORAE_BASE_DIGEST_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>

#define DIGEST_HEX    64
#define DIGEST_SIZE   (DIGEST_HEX + 1) /**< with the final NUL */
#define DIGEST_PREFIX "sha256:"

/** A running hash. */
struct digest {
    struct sha256_ctx ctx;
};

void digest_init(struct digest *d);
void digest_add(struct digest *d, const void *p, size_t n);
/** Finish. @param out takes DIGEST_SIZE bytes @return out */
char *digest_hex(struct digest *d, char *out);
/** The digest of `n` bytes. @return out */
char *digest_of(const void *p, size_t n, char *out);

/** The chain id of a layer with diff id `diff` above the chain `parent` (NULL or "" for the lowest layer): the OCI
 * image specification's name for "these layers, in this order". `out` may be `parent`. @return out */
char *digest_chain(const char *parent, const char *diff, char *out);

/** The hex part of "sha256:<64 hex>", or NULL where `s` is anything else. @return borrowed from `s` */
const char *digest_parse(const char *s);

#endif
