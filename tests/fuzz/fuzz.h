/* What the fuzz targets share.
 *
 * A target is one function, LLVMFuzzerTestOneInput(), in fuzz_NAME.c. It states properties; a property that does not
 * hold aborts, and so does the sanitizer. Each is built twice: with libFuzzer, which invents inputs (make fuzz), and
 * with replay.c, which runs the files of corpus/NAME/ (part of make test, needs no clang). An input that once broke
 * something stays in the corpus under a telling name. */
#ifndef GORAE_TESTS_FUZZ_H
#define GORAE_TESTS_FUZZ_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(property)                                                                   \
    do {                                                                                  \
        if (!(property)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property); \
            abort();                                                                      \
        }                                                                                 \
    } while (0)

/* The ways in which an input is cut into pieces: in one, byte by byte, and at places drawn from the input itself, so
 * that an input behaves the same each time it is run. */
enum cut { CUT_NONE, CUT_BYTES, CUT_DRAWN, CUTS };

struct cutter {
    enum cut how;
    uint32_t seed;
};

static inline struct cutter cutter_new(enum cut how, const uint8_t *data, size_t size)
{
    struct cutter c = {how, 2166136261u}; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        c.seed = (c.seed ^ data[i]) * 16777619u;
    return c;
}

/* The length of the next piece, 1 to `left`. */
static inline size_t cutter_next(struct cutter *c, size_t left)
{
    if (c->how == CUT_NONE || left <= 1)
        return left;
    if (c->how == CUT_BYTES)
        return 1;
    c->seed = c->seed * 1664525u + 1013904223u;
    size_t most = c->seed >> 30 ? 7 : 300; /* mostly short, to cut within a line; now and then long */
    size_t n = 1 + (c->seed >> 8) % most;
    return n < left ? n : left;
}

#endif
