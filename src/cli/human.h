/** @file
 * Numbers for people: sizes, spans of time, shortened text.
 */
#ifndef GORAE_CLI_HUMAN_H
#define GORAE_CLI_HUMAN_H

#include <stddef.h>
#include <stdint.h>

#define HUMAN_TEXT 48

/** Bytes in steps of 1000 with `digits` significant digits, e.g. "1.98MB"; docker uses 3 in lists, 4 in totals.
 * @return out, of HUMAN_TEXT bytes */
char *human_size(double bytes, int digits, char *out);

/** Bytes in steps of 1024 with 4 significant digits, e.g. "23.54GiB", for memory. @return out */
char *human_memory(double bytes, char *out);

/** How long ago the unix second `then` was, by this machine's clock, e.g. "3 days ago"; "N/A" for what is before
 * 1970. @return out */
char *human_ago(int64_t then, char *out);

/** A unix second in local time as Go prints it: "2026-11-23 20:25:35 +0000 UTC". @return out */
char *human_time(int64_t then, char *out);

/** At most `max` characters of `s`; the last one is "…" where something was cut. @return the caller's */
char *human_cut(const char *s, size_t max);

/** The 12 digits by which people know an id; "sha256:" in front is dropped. @return the caller's */
char *human_id(const char *id);

#endif
