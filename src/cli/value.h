/** @file
 * JSON values made of words, and maps in order: what several commands need beyond base/json.h.
 */
#ifndef GORAE_CLI_VALUE_H
#define GORAE_CLI_VALUE_H

#include "base/str.h"

#include <jansson.h>

/** A word of the command line as JSON; what is not UTF-8 becomes U+FFFD. @return a new reference */
json_t *json_word(const char *s);
/** Likewise, and the word is freed. @return a new reference */
json_t *json_take(char *s);
/** The strings as a JSON array. @return a new reference */
json_t *json_strings(const struct strv *v);
/** "key=value" strings as a JSON object; one without '=' gets "". @return a new reference */
json_t *json_pairs(const struct strv *v);
/** Set the key made of the first `n` bytes of `key`. Takes `value` over. */
void json_put(json_t *object, const char *key, size_t n, json_t *value);
/** The object at `key`, made if missing. @return borrowed from `object` */
json_t *json_object_at(json_t *object, const char *key);
/** Of two char *, for qsort(3): the order of their bytes. */
int by_bytes(const void *a, const void *b);
/** The keys of a map in byte order: jansson keeps the order of arrival, people and Go's templates want this one.
 * @return the caller's, the strings borrowed from `map` */
const char **json_sorted_keys(const json_t *map, size_t *ret_n);

#endif
