/* A descriptor that is not one: wire/http on it reads an input in chosen pieces and writes into memory.
 *
 * The linker sends the calls of read(2), poll(2), sendmsg(2) and close(2) here (--wrap, fuzz.mk), and all but those on
 * FAKE_FD go on to the real ones. So the tested code is the one that ships, and no system call slows it down. */
#ifndef GORAE_TESTS_FAKE_IO_H
#define GORAE_TESTS_FAKE_IO_H

#include "fuzz.h"

#define FAKE_FD 1000000

struct fake_io {
    const uint8_t *in;
    size_t left; /* then end of file */
    struct cutter cutter;
    struct str out;
};

extern struct fake_io fake;

#endif
