/** @file
 * The json-file log: one JSON object a line, as Docker's driver of that name writes it.
 *
 *     {"log":"a line\n","stream":"stdout","time":"2024-05-01T12:00:00.123456789Z"}
 *
 * A record is one line of a container's output with its newline, or a piece of one: a line longer than
 * JSONLOG_TEXT_MAX bytes takes several records, and only the last ends in a newline; output that ends without a newline
 * makes a record without one. The shim encodes (shim/jsonlog_write.h) and the engine decodes (here), by hand and
 * without building a JSON tree, because a log of hundreds of megabytes passes through.
 *
 * The text is what the container wrote, except that JSON knows only Unicode: each byte that is not part of valid UTF-8
 * becomes U+FFFD.
 */
#ifndef GORAE_BASE_JSONLOG_H
#define GORAE_BASE_JSONLOG_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

/** The most bytes of text in a record that we write, the same number as in Docker. */
#define JSONLOG_TEXT_MAX 16384
/** The longest line that a reader need accept: the text with every byte as `\uXXXX`, and room for the attributes. */
#define JSONLOG_LINE_MAX (JSONLOG_TEXT_MAX * 6 + 65536)

/** Streams, by the numbers that frames have too (wire/frame.h). */
enum { JSONLOG_STDOUT = 1, JSONLOG_STDERR = 2 };

/** A decoded record. Zero-initialise, decode any number of lines into it, release once. */
struct jsonlog_record {
    char *text; /**< the output; any bytes, NUL among them; valid until the next decode */
    size_t len;
    size_t cap;
    int stream;        /**< JSONLOG_STDOUT or JSONLOG_STDERR */
    int64_t time;      /**< ns since 1970 */
    const char *attrs; /**< the text of the "attrs" object, borrowed from the line; NULL where there is none */
    size_t attrs_len;
};

void jsonlog_release(struct jsonlog_record *r);

/** What a byte is inside a JSON string: itself, in need of an escape, or part of a UTF-8 sequence. */
enum { JSONLOG_PLAIN = 0, JSONLOG_ESCAPE = 1, JSONLOG_HIGH = 2 };
extern const unsigned char jsonlog_kind[256];
/** Length of the well-formed UTF-8 sequence at p, or 0 (RFC 3629: no over-long forms, no surrogates, up to U+10FFFF).
 */
size_t jsonlog_utf8(const unsigned char *p, size_t n);

/** Read one line, with or without its final newline. Strict: what is not a whole record is refused, so a line torn by a
 * crash or a full disk cannot pass for one; the reader skips it. Members may stand in any order, unknown ones are
 * skipped, HTML escapes as Docker's encoder makes them are read. @return 0; -1 with `ret` unspecified */
int jsonlog_decode(const char *line, size_t n, struct jsonlog_record *ret);

#endif
