/** @file
 * JSON: strict reading with limits, and getters that walk a path.
 *
 * jansson does the work. What it lacks for bytes from outside is a depth limit of our own choosing (its
 * own is 2,048), so json_parse() measures the nesting before jansson sees the text. Duplicate keys are
 * refused: with them, whoever checks and whoever acts can each see a different value.
 */
#ifndef GORAE_BASE_JSON_H
#define GORAE_BASE_JSON_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define JSON_NEST_MAX 64

/** Parse exactly one JSON value; trailing bytes, duplicate keys, NUL, nesting over JSON_NEST_MAX are ERR_INVALID.
 * @return a new reference, or NULL */
json_t *json_parse(const char *text, size_t len, struct err *e);

/** Likewise what a file below `dirfd` holds. @return a new reference, or NULL as file_read() and json_parse() fail,
 * naming the file */
json_t *json_read_file(int dirfd, const char *path, size_t limit, struct err *e);

/** Bytes of the object or array at the head of `text`, up to the bracket that closes it; 0 where that is not there
 * (yet). Finds its end and nothing more: json_parse() judges it. */
size_t json_extent(const char *text, size_t len);

/** The value at a dotted path of keys, e.g. "State.Pid". @return borrowed, or NULL */
json_t *json_at(const json_t *j, const char *path);
/** The string at `path`, or `def`. @return borrowed from `j` */
const char *json_str(const json_t *j, const char *path, const char *def);
int64_t json_int(const json_t *j, const char *path, int64_t def);
/** True only for JSON true at `path`. */
bool json_is(const json_t *j, const char *path);

/** For each element `v` of an array, at index `v_at`: json_each (v, list) { … }. What is no array has none. There are
 * two loops, since a loop declares variables of one type only; the inner one runs once, and `v_on` takes `break` out of
 * both. */
#define json_each(v, list)                                                                  \
    for (size_t v##_at = 0, v##_on = 1; v##_on && v##_at < json_array_size(list); v##_at++) \
        for (json_t *v = (v##_on = 0, json_array_get(list, v##_at)); !v##_on; v##_on = 1)
/** Likewise for each key and value of an object. */
#define json_each_pair(key, v, object)                                                                          \
    for (void *v##_at = json_object_iter((json_t *)(object)), *v##_on = v##_at; v##_on && v##_at;               \
         v##_at = json_object_iter_next((json_t *)(object), v##_at))                                            \
        for (const char *key = json_object_iter_key(v##_at), *v##_key = key; v##_key; v##_key = NULL)           \
            for (json_t * v __attribute__((unused)) = (v##_on = NULL, json_object_iter_value(v##_at)); !v##_on; \
                 v##_on = (void *)v##_key)

/** Compact text with a final newline, HTML characters untouched. @return the caller's */
char *json_text(const json_t *j);
/** As json_text() without the newline. */
char *json_compact(const json_t *j);
/** The strings of an array with `by` between them. @return the caller's */
char *json_join(const json_t *list, const char *by);
/** A copy of `s` with each byte that is not UTF-8 replaced by U+FFFD, so that it can become a JSON string. NULL stays
 * NULL.
 * @return the caller's */
char *json_valid_text(const char *s);
/** Does it say anything: neither missing nor null, false, 0, "" nor an empty list? Clients send whole objects. */
bool json_says(const json_t *v);
/** A JSON string from bytes that may not be UTF-8: each bad byte becomes U+FFFD. @return a new reference */
json_t *json_string_lossy(const char *s, size_t n);

#endif
