/** @file
 * Detach keys: what a person types to leave a container running. The daemon checks the sequence; the shim looks for it,
 * and so does the client, which restores the terminal at once. */
#ifndef GORAE_BASE_KEYS_H
#define GORAE_BASE_KEYS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define KEYS_MAX 16 /**< bytes in a detach sequence */

/** A sequence and how far it has been typed. All zero: none is looked for. */
struct keys {
    unsigned char sequence[KEYS_MAX];
    size_t n;
    size_t matched; /**< bytes of the sequence seen and held back */
};

/** Parse "ctrl-p,ctrl-q", "ctrl-a,x": single characters and ctrl-@ … ctrl-_. NULL and "" mean the default.
 * @return false where it is none of these, or longer than KEYS_MAX */
bool keys_parse(struct keys *k, const char *text);

/** The same with a sentence. @return 0, -1 ERR_INVALID */
int keys_init(struct keys *k, const char *text, struct err *e);

/** Look for the sequence in input. `out` receives what is to be passed on, at most n + KEYS_MAX bytes.
 * @return true where the sequence is complete; the bytes after it are dropped */
bool keys_scan(struct keys *k, const char *p, size_t n, char *out, size_t *ret_n);

#endif
