/* Filters: the little query language of list, events and prune endpoints.
 *
 * Clients write it in two ways, {"k":{"v":true}} and {"k":["v"]}; engine_filters() makes the second of both, so nothing
 * else has to know. Several values of one key are alternatives, several keys must all hold, and labels must all hold.
 */
#include "engine/model.h"
#include "base/json.h"
#include "base/mem.h"

static json_t *values_of(const json_t *v)
{
    json_t *out = json_array();
    if (json_is_array(v)) {
        size_t i;
        json_t *x;
        json_array_foreach(v, i, x)
        {
            if (json_is_string(x))
                json_array_append(out, x);
        }
        if (json_array_size(out) == json_array_size(v))
            return out;
    } else if (json_is_object(v)) {
        const char *k;
        json_t *x;
        json_object_foreach((json_t *)v, k, x)
        {
            if (!json_is_false(x))
                json_array_append_new(out, json_string(k));
        }
        return out;
    }
    json_decref(out);
    return NULL;
}

json_t *engine_filters(const char *text, struct err *e)
{
    json_t *out = json_object();
    if (str_empty(text))
        return out;
    json_auto_t *in = json_parse(text, strlen(text), e);
    const char *k;
    json_t *v;
    if (!json_is_object(in)) {
        json_decref(out);
        err_set(e, ERR_INVALID, "invalid filter: the filters parameter is not a JSON object");
        return NULL;
    }
    json_object_foreach(in, k, v)
    {
        json_t *values = values_of(v);
        if (!values) {
            err_set(e, ERR_INVALID, "invalid filter '%.64s': neither a list of strings nor a map of booleans", k);
            json_decref(out);
            return NULL;
        }
        if (json_array_size(values) > 0)
            json_object_set_new(out, k, values);
        else
            json_decref(values);
    }
    return out;
}

int filters_check(const json_t *filters, const char *const *known, struct err *e)
{
    const char *k;
    json_t *v;
    json_object_foreach((json_t *)filters, k, v)
    {
        const char *const *at = known;
        while (*at && !str_eq(*at, k))
            at++;
        if (!*at)
            return err_set(e, ERR_INVALID, "invalid filter '%.64s'", k);
    }
    return 0;
}

bool filter_allows(const json_t *filters, const char *key, const char *value)
{
    const json_t *values = json_object_get(filters, key);
    size_t i;
    json_t *v;
    if (!values)
        return true;
    json_array_foreach(values, i, v)
    {
        if (str_eq(json_string_value(v), value))
            return true;
    }
    return false;
}

static bool label_holds(const json_t *labels, const char *wish)
{
    const char *eq = strchr(wish, '=');
    if (!eq)
        return json_object_get(labels, wish) != NULL;
    autofree char *key = mem_strndup(wish, (size_t)(eq - wish));
    return str_eq(json_string_value(json_object_get(labels, key)), eq + 1);
}

bool labels_match(const json_t *filters, const json_t *labels)
{
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(filters, "label"), i, v)
    {
        if (!label_holds(labels, json_string_value(v)))
            return false;
    }
    json_array_foreach(json_object_get(filters, "label!"), i, v)
    {
        if (label_holds(labels, json_string_value(v)))
            return false;
    }
    return true;
}
