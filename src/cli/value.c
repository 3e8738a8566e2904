/* JSON values made of words: see value.h.
 *
 * jansson takes UTF-8 only and answers anything else with NULL, which the next call would quietly drop. A command line
 * may hold any bytes, so all words go through json_word(), which replaces what is not UTF-8 (as Go's encoder does). */
#include "cli/value.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

json_t *json_word(const char *s)
{
    return json_string_lossy(s, strlen(s));
}

json_t *json_take(char *s)
{
    json_t *j = json_word(s);
    free(s);
    return j;
}

json_t *json_strings(const struct strv *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n; i++)
        json_array_append_new(list, json_word(v->v[i]));
    return list;
}

json_t *json_pairs(const struct strv *v)
{
    json_t *map = json_object();
    for (size_t i = 0; i < v->n; i++) {
        const char *eq = strchrnul(v->v[i], '=');
        json_put(map, v->v[i], (size_t)(eq - v->v[i]), json_word(*eq ? eq + 1 : ""));
    }
    return map;
}

void json_put(json_t *object, const char *key, size_t n, json_t *value)
{
    json_auto_t *word = json_string_lossy(key, n);
    json_object_set_new(object, json_string_value(word), value);
}

json_t *json_object_at(json_t *object, const char *key)
{
    json_t *o = json_object_get(object, key);
    if (!o) {
        o = json_object();
        json_object_set_new(object, key, o);
    }
    return o;
}

int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **json_sorted_keys(const json_t *map, size_t *ret_n)
{
    size_t n = 0;
    const char **key = mem_alloc((json_object_size(map) + 1) * sizeof(*key));
    for (void *at = json_object_iter((json_t *)map); at; at = json_object_iter_next((json_t *)map, at))
        key[n++] = json_object_iter_key(at);
    if (n > 1)
        qsort(key, n, sizeof(*key), by_bytes);
    *ret_n = n;
    return key;
}
