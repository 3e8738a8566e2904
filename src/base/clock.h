/** @file
 * Time: clocks, RFC 3339 text, Go-style durations, and the English that `docker ps` shows.
 *
 * Timeouts use the monotonic clock, which no administrator can turn back; only what people read uses the
 * real-time clock. All values are nanoseconds in int64_t, good until the year 2262.
 */
#ifndef GORAE_BASE_CLOCK_H
#define GORAE_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_S   INT64_C(1000000000)
#define NS_PER_MS  INT64_C(1000000)
/** Docker's text for "never": what an unset time looks like in JSON. */
#define CLOCK_ZERO "0001-01-01T00:00:00Z"
#define CLOCK_TEXT 40

/** CLOCK_MONOTONIC in ns. */
int64_t clock_mono(void);
/** CLOCK_REALTIME in ns since 1970. */
int64_t clock_real(void);

/** `t` as RFC 3339 in UTC with exactly nine fractional digits; 0 gives CLOCK_ZERO. `out` takes CLOCK_TEXT bytes.
 * @return out */
char *clock_format(int64_t t, char *out);

/** Parse RFC 3339 (fraction and zone optional), unix seconds with an optional fraction, or, where `now` is not 0, a Go
 * duration meaning "that long before now". @return false on anything else */
bool clock_parse(const char *s, int64_t now, int64_t *ret);

/** Parse a Go duration: "1h15m30.5s", "100ms", "2us", "0". Negative is refused. @return false on anything else */
bool clock_parse_duration(const char *s, int64_t *ret);

/** The English for a time span as Docker writes it, e.g. "Less than a second", "About an hour", "3 days". @return out
 */
char *clock_human(int64_t span, char *out, size_t size);

#endif
