/** @file
 * A JSON list in order.
 */
#ifndef GORAE_WIRE_ORDER_H
#define GORAE_WIRE_ORDER_H

#include <jansson.h>

/** The elements of `list` in the order of `compare`, which is given two pointers to json_t *, as qsort(3) gives them.
 * @return a new list; the elements are shared */
json_t *json_sorted(const json_t *list, int (*compare)(const void *, const void *));

#endif
