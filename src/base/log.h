/** @file
 * The daemon's log: one line an event, to stderr, for a service manager to keep.
 *
 * Only code that runs without a request to answer (start-up, recovery, monitors) logs; everything else returns
 * its error to the client. Never log environment variables, authentication or build arguments.
 */
#ifndef GORAE_BASE_LOG_H
#define GORAE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/** Lines above `max` are dropped. The start value is LOG_INFO. */
void log_level(enum log_level max);
/** Lines as JSON objects, for collectors, instead of text. */
void log_as_json(bool yes);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
