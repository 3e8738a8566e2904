/** @file
 * Tables: text with tabs becomes text with columns.
 *
 * Docker's client writes its tables as lines of tab-separated cells and lets Go's tabwriter align them, with
 * columns at least 10 wide and 3 blanks between them. Scripts and eyes are used to exactly that, so the same
 * rules hold here. They are those of "elastic tabstops": a column is a run of neighbouring lines that have a
 * cell there, and it is as wide as its widest cell; a line without that cell ends the column.
 */
#ifndef GORAE_CLI_TABLE_H
#define GORAE_CLI_TABLE_H

#include "base/str.h"

#define TABLE_WIDTH_MIN 10
#define TABLE_PADDING   3

/** Align `text`: lines ended by newlines, in which every cell but the last is ended by a tab. Appends to `out`. */
void table_align(const char *text, struct str *out);

/** How many columns of a terminal the text takes: characters of UTF-8, wide East Asian ones counting two. */
size_t table_width(const char *s, size_t n);

/** Append `s` with control bytes shown as `\x1b` and the like when `safe`; for names and labels that others chose and
 * that must not steer the administrator's terminal. */
void table_text(struct str *out, const char *s, bool safe);

#endif
