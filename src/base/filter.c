/* Filters: the little query language of list, events and prune endpoints.
 *
 * Clients write it in two ways, {"k":{"v":true}} and {"k":["v"]}; filters_parse() makes the second of both, so nothing
 * else has to know. Several values of one key are alternatives, several keys must all hold, and labels must all hold.
 */
#include "base/filter.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

static json_t *values_of(const json_t *v)
{
    json_t *out = json_array();
    if (json_is_array(v)) {
        json_each (x, v)
            if (json_is_string(x))
                json_array_append(out, x);
        if (json_array_size(out) == json_array_size(v))
            return out;
    } else if (json_is_object(v)) {
        json_each_pair (k, x, v)
            if (!json_is_false(x))
                json_array_append_new(out, json_string(k));
        return out;
    }
    json_decref(out);
    return NULL;
}

json_t *filters_parse(const char *text, struct err *e)
{
    json_t *out = json_object();
    if (str_empty(text))
        return out;
    json_auto_t *in = json_parse(text, strlen(text), e);
    if (!json_is_object(in)) {
        json_decref(out);
        return err_null(err_set(e, ERR_INVALID, "invalid filter: the filters parameter is not a JSON object"));
    }
    json_each_pair (k, v, in) {
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
    json_each_pair (k, v, filters) {
        const char *const *at = known;
        while (*at && !str_eq(*at, k))
            at++;
        if (!*at)
            return err_set(e, ERR_INVALID, "invalid filter '%.64s'", k);
    }
    return 0;
}

bool filter_any(const json_t *filters, const char *key, bool test(const char *value, const void *arg), const void *arg)
{
    const json_t *values = json_object_get(filters, key);
    json_each (v, values)
        if (test(json_string_value(v), arg))
            return true;
    return !values;
}

static bool is_text(const char *value, const void *arg)
{
    return str_eq(value, arg);
}

bool filter_allows(const json_t *filters, const char *key, const char *value)
{
    return filter_any(filters, key, is_text, value);
}

static bool label_holds(const json_t *labels, const char *wish)
{
    const char *eq = strchr(wish, '=');
    if (!eq)
        return json_object_get(labels, wish) != NULL;
    autofree char *key = mem_strndup(wish, (size_t)(eq - wish));
    return str_eq(json_string_value(json_object_get(labels, key)), eq + 1);
}

bool filter_labels(const json_t *filters, const json_t *labels)
{
    json_each (v, json_object_get(filters, "label"))
        if (!label_holds(labels, json_string_value(v)))
            return false;
    json_each (v, json_object_get(filters, "label!"))
        if (label_holds(labels, json_string_value(v)))
            return false;
    return true;
}

const char *filter_one(const json_t *filters, const char *key)
{
    return json_string_value(json_array_get(json_object_get(filters, key), 0));
}

int filter_until(const json_t *filters, int64_t *ret, struct err *e)
{
    const char *text = filter_one(filters, "until");
    *ret = INT64_MAX;
    if (json_array_size(json_object_get(filters, "until")) > 1)
        return err_set(e, ERR_INVALID, "more than one until filter specified");
    if (text && !clock_parse(text, clock_real(), ret))
        return err_set(e, ERR_INVALID, "invalid filter 'until=%.64s': not a time, a duration or seconds since 1970",
                       text);
    return 0;
}

int filter_bool(const json_t *filters, const char *key, bool absent, bool *ret, struct err *e)
{
    static const char *const yes[] = {"1", "true", "t", "yes"}, *const no[] = {"0", "false", "f", "no"};
    const char *text = filter_one(filters, key);
    *ret = absent;
    if (!json_object_get(filters, key))
        return 0;
    for (size_t i = 0; text && i < 4; i++) {
        *ret = strcasecmp(text, yes[i]) == 0;
        if (*ret || strcasecmp(text, no[i]) == 0)
            return 0;
    }
    return err_set(e, ERR_INVALID, "invalid filter '%.64s=%.64s': neither true nor false", key, text ? text : "");
}
