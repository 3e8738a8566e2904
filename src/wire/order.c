/* A JSON list in order: see order.h. jansson has no sorting of its own. Contexts are listed by name, and a story is
 * told by time. */
#include "wire/order.h"
#include "base/mem.h"

#include <stdlib.h>

json_t *json_sorted(const json_t *list, int (*compare)(const void *, const void *))
{
    size_t n = json_array_size(list);
    autofree json_t **v = mem_alloc((n + 1) * sizeof(*v));
    for (size_t i = 0; i < n; i++)
        v[i] = json_array_get(list, i);
    if (n > 1)
        qsort(v, n, sizeof(*v), compare);
    json_t *ret = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append(ret, v[i]);
    return ret;
}
