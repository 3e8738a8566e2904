/* GET /images/json, and the filters that it shares with prune.
 *
 * The list is made under the lock from memory alone: the tables hold what it needs, labels too. Next: inspect.c. */
#include "image/store.h"
#include "base/clock.h"
#include "base/filter.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <stdlib.h>

/* --- references ------------------------------------------------------------------------------------------------- */

/* A pattern as path.Match of Go has it: '*' and '?' stop at a slash, [a-z] and [^a-z] are sets. One place to go back to
 * is enough, because a later star can take over whatever an earlier one would have to give: no pattern takes more than
 * |pattern| * |text| steps. */
static bool set_matches(const char **pattern, char c)
{
    const char *p = *pattern + 1;
    bool negated = *p == '^', found = false;
    p += negated;
    for (bool first = true; *p && (first || *p != ']'); first = false) {
        char low = *p == '\\' && p[1] ? *++p : *p, high = low;
        p++;
        if (*p == '-' && p[1] && p[1] != ']') {
            p++;
            high = *p == '\\' && p[1] ? *++p : *p;
            p++;
        }
        found |= c >= low && c <= high;
    }
    *pattern = *p ? p + 1 : p;
    return found != negated;
}

static bool one_matches(const char **pattern, char c)
{
    switch (**pattern) {
    case '\0': return false;
    case '?': (*pattern)++; return c != '/';
    case '[': return set_matches(pattern, c) && c != '/';
    case '\\':
        if ((*pattern)[1])
            (*pattern)++;
        break;
    default: break;
    }
    return *(*pattern)++ == c;
}

static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
            continue;
        }
        const char *p = pattern;
        if (one_matches(&p, *text)) {
            pattern = p;
            text++;
        } else if (star && *retry != '/') {
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* The whole familiar reference, or its name without tag. */
static bool reference_matches(const json_t *patterns, const char *key)
{
    const char *whole = reference_familiar(key);
    autofree char *name = mem_strndup(whole, reference_name_length(key) - (size_t)(whole - key));
    json_each (x, patterns)
        if (json_is_string(x) && (matches(json_string_value(x), whole) || matches(json_string_value(x), name)))
            return true;
    return false;
}

/* --- the list ------------------------------------------------------------------------------------------------ */

enum dangling { DANGLING_ANY, DANGLING_ONLY, DANGLING_NOT };

struct query {
    bool all;
    int api_minor;
    enum dangling dangling;
    int64_t before, since, until;
    const json_t *filters, *references;
};

/* The creation time of the image that filter `key` names. */
static int read_moment(struct image_store *st, const json_t *filters, const char *key, int64_t absent, int64_t *ret,
                       struct err *e)
{
    const char *name = filter_one(filters, key);
    struct found f;
    struct image_facts facts;
    *ret = absent;
    if (!name)
        return 0;
    if (table_find(st, name, &f, e) < 0)
        return -1;
    free(f.key);
    if (table_facts(st, f.id, &facts)) {
        *ret = facts.created;
        image_facts_release(&facts);
    }
    return 0;
}

static int read_query(struct image_store *st, const json_t *filters, struct query *q, struct err *e)
{
    static const char *const keys[] = {"before", "since", "until", "dangling", "label", "reference", NULL};
    bool dangling = false;
    if (filters_check(filters, keys, e) < 0 || filter_until(filters, &q->until, e) < 0)
        return -1;
    if (read_moment(st, filters, "before", INT64_MAX, &q->before, e) < 0 ||
        read_moment(st, filters, "since", INT64_MIN, &q->since, e) < 0)
        return -1;
    if (filter_bool(filters, "dangling", false, &dangling, e) < 0)
        return -1;
    if (json_object_get(filters, "dangling"))
        q->dangling = dangling ? DANGLING_ONLY : DANGLING_NOT;
    q->filters = filters;
    q->references = json_object_get(filters, "reference");
    return 0;
}

/* Its references, sorted into tags and digests. @return false where the query does not want the image */
static bool take_refs(const struct image_store *st, const struct query *q, const struct image *im, json_t *tags,
                      json_t *digests)
{
    autostrv keys = {NULL, 0};
    table_refs_of(st, im->id, &keys);
    for (size_t i = 0; i < keys.n; i++)
        if (!q->references || reference_matches(q->references, keys.v[i]))
            json_array_append_new(reference_is_digest(keys.v[i]) ? digests : tags,
                                  json_string(reference_familiar(keys.v[i])));
    bool nameless = json_array_size(tags) == 0 && json_array_size(digests) == 0;
    if (!nameless)
        return q->dangling != DANGLING_ONLY || json_array_size(tags) == 0;
    if (q->references || q->dangling == DANGLING_NOT)
        return false;
    /* Without a name and with children: a step of a build, shown only on demand. */
    return q->all || !table_has_children(st, im->id);
}

/* @param api_minor before 1.43 a nameless image was shown with names that look like "<none>" */
static json_t *element(const struct image *im, json_t *tags, json_t *digests, int api_minor)
{
    int64_t size = 0;
    for (size_t i = 0; i < im->layers; i++)
        size += im->layer[i]->size;
    if (api_minor < 43 && json_array_size(tags) == 0 && json_array_size(digests) == 0) {
        json_array_append_new(tags, json_string("<none>:<none>"));
        json_array_append_new(digests, json_string("<none>@<none>"));
    }
    autofree char *id = store_id(im->id), *parent = *im->parent ? store_id(im->parent) : mem_strdup("");
    /* A copy of the labels: this list is read without the lock, and freed by another thread than the table's. */
    return json_pack("{s:s, s:s, s:O, s:O, s:I, s:I, s:I, s:i, s:i, s:o}", "Id", id, "ParentId", parent, "RepoTags",
                     tags, "RepoDigests", digests, "Created", (json_int_t)(im->created / NS_PER_S), "Size",
                     (json_int_t)size, "VirtualSize", (json_int_t)size, "SharedSize", -1, "Containers", -1, "Labels",
                     im->labels ? json_deep_copy(im->labels) : json_null());
}

/* What the image itself says, before its names are looked at. Times are compared strictly, as Docker does: an image is
 * not "before" itself. */
static bool wanted(const struct query *q, const struct image *im)
{
    return !im->detached && im->created < q->before && im->created > q->since && im->created <= q->until &&
           filter_labels(q->filters, im->labels);
}

static int newest_first(const void *a, const void *b)
{
    const struct image *x = *(struct image *const *)a, *y = *(struct image *const *)b;
    if (x->created != y->created)
        return x->created < y->created ? 1 : -1;
    return strcmp(x->id, y->id);
}

/* `lock` is held. */
static json_t *list_locked(const struct image_store *st, const struct query *q)
{
    json_t *out = json_array();
    autofree struct image **order = mem_alloc((st->images + 1) * sizeof(struct image *));
    for (size_t i = 0; i < st->images; i++)
        order[i] = st->image[i];
    if (st->images > 1)
        qsort(order, st->images, sizeof(struct image *), newest_first);
    for (size_t i = 0; i < st->images; i++) {
        json_auto_t *tags = json_array(), *digests = json_array();
        if (wanted(q, order[i]) && take_refs(st, q, order[i], tags, digests))
            json_array_append_new(out, element(order[i], tags, digests, q->api_minor));
    }
    return out;
}

json_t *image_list(struct image_store *st, const json_t *filters, bool all, int api_minor, struct err *e)
{
    struct query q = {.all = all, .api_minor = api_minor};
    if (read_query(st, filters, &q, e) < 0)
        return NULL;
    struct span s = trace_begin(3, "list the images");
    json_t *out = locked(&st->lock, list_locked(st, &q));
    trace_end(&s, "%zu shown, from memory", json_array_size(out));
    return out;
}

/* --- what images take on disk -------------------------------------------------------------------------------- */

/* The part of `im` that other images have too. */
static int64_t shared_size(const struct image *im)
{
    int64_t n = 0;
    for (size_t i = 0; i < im->layers; i++)
        n += im->layer[i]->images > 1 ? im->layer[i]->size : 0;
    return n;
}

static int count_users(const struct image_user *users, size_t n, const char *id)
{
    int found = 0;
    for (size_t i = 0; i < n; i++)
        found += str_eq(users[i].image, id);
    return found;
}

json_t *image_usage(struct image_store *st)
{
    struct query q = {.api_minor = 44, .before = INT64_MAX, .since = INT64_MIN, .until = INT64_MAX};
    size_t users;
    struct image_user *user = store_users(st, &users);
    int64_t layers = 0;
    pthread_mutex_lock(&st->lock);
    json_t *list = list_locked(st, &q);
    json_each (x, list) {
        const char *id = json_string_value(json_object_get(x, "Id"));
        const struct image *im = table_image(st, digest_parse(id));
        json_object_set_new(x, "SharedSize", json_integer(shared_size(im)));
        json_object_set_new(x, "Containers", json_integer(count_users(user, users, id)));
    }
    for (size_t i = 0; i < st->layers; i++)
        layers += st->layer[i]->images > 0 ? st->layer[i]->size : 0;
    pthread_mutex_unlock(&st->lock);
    store_users_free(user, users);
    return json_pack("{s:I, s:o}", "LayersSize", (json_int_t)layers, "Images", list);
}
