/** @file
 * Writing records of the json-file log, whose format is base/jsonlog.h's.
 */
#ifndef GORAE_SHIM_JSONLOG_WRITE_H
#define GORAE_SHIM_JSONLOG_WRITE_H

#include "base/jsonlog.h"

/** Where does the first record of this output end? A line with its newline, or JSONLOG_TEXT_MAX bytes of a longer one,
 * less up to three so that no UTF-8 sequence is cut. @return its size; 0 where the line is not finished yet */
size_t jsonlog_cut(const void *p, size_t n);

/** Append one record, newline included, to `out`. @param attrs the "attrs" object as JSON without newlines, or NULL
 * @param time_ns real time in ns since 1970 */
void jsonlog_encode(struct str *out, int stream, const void *p, size_t n, const char *attrs, int64_t time_ns);

#endif
