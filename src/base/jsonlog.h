/** @file
 * The json-file log: one JSON object a line, as Docker's driver of that name writes it.
 *
 *     {"log":"a line\n","stream":"stdout","time":"2024-05-01T12:00:00.123456789Z"}
 *
 * A record is one line of a container's output with its newline, or a piece of one: a line longer than
 * JSONLOG_TEXT_MAX bytes takes several records, and only the last ends in a newline; output that ends without a newline
 * makes a record without one. The shim encodes and the engine decodes, both here, by hand and without building a JSON
 * tree, because a log of hundreds of megabytes passes through.
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

/** Where does the first record of this output end? A line with its newline, or JSONLOG_TEXT_MAX bytes of a longer one,
 * less up to three so that no UTF-8 sequence is cut. @return its size; 0 where the line is not finished yet */
size_t jsonlog_cut(const void *p, size_t n);

/** Append one record, newline included, to `out`. @param attrs the "attrs" object as JSON without newlines, or NULL
 * @param time_ns real time in ns since 1970 */
void jsonlog_encode(struct str *out, int stream, const void *p, size_t n, const char *attrs, int64_t time_ns);

/** Read one line, with or without its final newline. Strict: what is not a whole record is refused, so a line torn by a
 * crash or a full disk cannot pass for one; the reader skips it. Members may stand in any order, unknown ones are
 * skipped, HTML escapes as Docker's encoder makes them are read. @return 0; -1 with `ret` unspecified */
int jsonlog_decode(const char *line, size_t n, struct jsonlog_record *ret);

#endif
