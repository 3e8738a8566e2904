/** @file
 * The filters of list, events and prune: what a client may say in the query parameter `filters` (Docker Engine API).
 */
#ifndef GORAE_BASE_FILTER_H
#define GORAE_BASE_FILTER_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/** Read filters in either encoding ({"k":{"v":true}} or {"k":["v"]}). @param text may be NULL or ""
 * @return key → array of strings, never an empty array; a new reference, or NULL with ERR_INVALID */
json_t *filters_parse(const char *text, struct err *e);
/** ERR_INVALID unless every key of `filters` is in the NULL-terminated list. */
int filters_check(const json_t *filters, const char *const *known, struct err *e);
/** True where `filters` has no `key`, or one of its values passes the test. */
bool filter_any(const json_t *filters, const char *key, bool test(const char *value, const void *arg), const void *arg);
/** Likewise: equals `value`. */
bool filter_allows(const json_t *filters, const char *key, const char *value);
/** label and label!: every "k" or "k=v" of the first must hold, and none of the second. */
bool filter_labels(const json_t *filters, const json_t *labels);
/** The first value of `key`. @return borrowed, or NULL */
const char *filter_one(const json_t *filters, const char *key);
/** The moment that filter "until" names, in real-time ns; INT64_MAX where it is absent. */
int filter_until(const json_t *filters, int64_t *ret, struct err *e);
/** Filter `key` as a truth value; `absent` where it is not given. */
int filter_bool(const json_t *filters, const char *key, bool absent, bool *ret, struct err *e);

#endif
