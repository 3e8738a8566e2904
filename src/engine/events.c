/* Events: what happened, told to whoever listens (GET /events).
 *
 * The last 256 events are kept in a ring. A listener holds no queue of its own, only the number of the next event
 * that it wants: it reads the ring at its own pace, and one that falls more than a ring behind loses the oldest, as
 * with Docker. So a slow listener costs nothing and holds nobody up. */
#include "engine/model.h"
#include "base/clock.h"
#include "base/filter.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define RING         256
#define ATTENTION_MS 1000 /* how often a quiet listener looks whether its client is still there */

struct event_bus {
    pthread_mutex_t lock;
    pthread_cond_t more;
    json_t *ring[RING];
    uint64_t next;  /* number of the next event; event n is in ring[n % RING] */
    json_t *counts; /* by type and action, as /metrics labels them → how often */
    unsigned listeners;
};

struct event_bus *bus_new(void)
{
    struct event_bus *b = mem_alloc(sizeof(*b));
    b->counts = json_object();
    pthread_condattr_t at;
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&at);
    pthread_condattr_setclock(&at, CLOCK_MONOTONIC);
    pthread_cond_init(&b->more, &at);
    pthread_condattr_destroy(&at);
    return b;
}

void bus_free(struct event_bus *b)
{
    for (size_t i = 0; i < RING; i++)
        json_decref(b->ring[i]);
    json_decref(b->counts);
    pthread_cond_destroy(&b->more);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static void publish(struct event_bus *b, const char *type, const char *action, const char *id, json_t *attributes)
{
    pthread_mutex_lock(&b->lock);
    int64_t now = clock_real(); /* taken under the lock, so that times in the ring never step back */
    json_t *ev = json_pack("{s:s, s:s, s:{s:s, s:o}, s:s, s:I, s:I}", "Type", type, "Action", action, "Actor", "ID", id,
                           "Attributes", attributes, "scope", "local", "time", (json_int_t)(now / NS_PER_S), "timeNano",
                           (json_int_t)now);
    json_object_set_new(ev, "status", json_string(action));
    json_object_set_new(ev, "id", json_string(id));
    if (str_eq(type, "container"))
        json_object_set_new(ev, "from", json_string(json_str(attributes, "image", "")));
    /* what stands behind a colon is a detail */
    autofree char *kind = str_printf("type=\"%s\",action=\"%.*s\"", type, (int)strcspn(action, ":"), action);
    json_object_set_new(b->counts, kind, json_integer(json_integer_value(json_object_get(b->counts, kind)) + 1));
    json_t **slot = &b->ring[b->next % RING];
    json_decref(*slot);
    *slot = ev;
    b->next++;
    pthread_cond_broadcast(&b->more);
    pthread_mutex_unlock(&b->lock);
}

void event_container(struct engine *en, struct container *c, const char *action, json_t *extra)
{
    json_t *a = json_object();
    pthread_mutex_lock(&en->lock);
    json_object_update(a, json_object_get(c->config, "Labels"));
    json_object_set_new(a, "image", json_string(json_str(c->config, "Image", "")));
    json_object_set_new(a, "name", json_string(c->name));
    pthread_mutex_unlock(&en->lock);
    if (extra)
        json_object_update(a, extra);
    json_decref(extra);
    publish(en->bus, "container", action, c->id, a);
}

void event_image(struct engine *en, const char *action, const char *id, const char *name)
{
    publish(en->bus, "image", action, id, json_pack("{s:s}", "name", name));
}

void event_prune(struct engine *en, const char *type, int64_t reclaimed)
{
    autofree char *bytes = str_printf("%lld", (long long)reclaimed);
    publish(en->bus, type, "prune", "", json_pack("{s:s}", "reclaimed", bytes));
}

void event_daemon(struct engine *en, const char *action, json_t *attributes)
{
    json_t *texts = json_pack("{s:s}", "name", en->hostname);
    json_each_pair (key, v, attributes) {
        autofree char *text = json_is_string(v) ? mem_strdup(json_string_value(v)) : json_compact(v);
        json_object_set_new(texts, key, json_string(text));
    }
    json_decref(attributes);
    publish(en->bus, "daemon", action, en->daemon_id, texts);
}

json_t *event_counts(struct engine *en)
{
    pthread_mutex_lock(&en->bus->lock);
    json_t *out = json_pack("{s:o, s:I, s:i}", "Events", json_copy(en->bus->counts), "EventCount",
                            (json_int_t)en->bus->next, "Listeners", (int)en->bus->listeners);
    pthread_mutex_unlock(&en->bus->lock);
    return out;
}

/* ---- which events a listener wants ---- */

static const char *const filter_keys[] = {"type",      "event",   "image",   "label",  "scope",
                                          "container", "network", "volume",  "daemon", "plugin",
                                          "node",      "secret",  "service", "config", NULL};

/* Does one of the values name this object: its id, a prefix of it, or its name? */
static bool names_object(const json_t *values, const json_t *ev)
{
    const char *id = json_str(ev, "Actor.ID", ""), *name = json_str(ev, "Actor.Attributes.name", "");
    json_each (v, values) {
        const char *s = json_string_value(v);
        if (str_eq(s, name) || (*s == '/' && str_eq(s + 1, name)) || (*s && str_starts(id, s)))
            return true;
    }
    return false;
}

static bool names_image(const json_t *values, const json_t *ev)
{
    bool of_image = str_eq(json_str(ev, "Type", ""), "image");
    const char *name = json_str(ev, of_image ? "Actor.Attributes.name" : "Actor.Attributes.image", "");
    if (of_image && names_object(values, ev))
        return true;
    json_each (v, values) {
        const char *s = json_string_value(v);
        size_t n = strlen(s);
        if (str_eq(s, name) || (strncmp(s, name, n) == 0 && name[n] == ':' && !strchr(name + n, '/')))
            return true;
    }
    return false;
}

/* Exactly, or for the three actions that carry more after a colon, by what stands before it. */
static bool names_action(const json_t *values, const char *action)
{
    json_each (v, values) {
        const char *s = json_string_value(v);
        size_t n = strlen(s);
        if (str_eq(s, action) || (strncmp(s, action, n) == 0 && action[n] == ':'))
            return true;
    }
    return false;
}

static bool wanted(const json_t *filters, const json_t *ev)
{
    const char *type = json_str(ev, "Type", "");
    const json_t *v = json_object_get(filters, "event");
    if ((v && !names_action(v, json_str(ev, "Action", ""))) || !filter_allows(filters, "type", type) ||
        !filter_allows(filters, "scope", "local") || !filter_labels(filters, json_at(ev, "Actor.Attributes")))
        return false;
    v = json_object_get(filters, "image");
    if (v && !names_image(v, ev))
        return false;
    for (const char *const *kind = filter_keys + 5; *kind; kind++) { /* types of objects, some known to a swarm only */
        v = json_object_get(filters, *kind);
        if (v && (!str_eq(type, *kind) || !names_object(v, ev)))
            return false;
    }
    return true;
}

/* ---- listening ---- */

/* The event with number *at or the oldest still there after it, waiting up to ATTENTION_MS. @return a reference, or
 * NULL */
static json_t *next_event(struct event_bus *b, uint64_t *at, int64_t until)
{
    int64_t ms = ATTENTION_MS, left = until ? (until - clock_real()) / NS_PER_MS : ms;
    if (left < ms)
        ms = left > 0 ? left : 0;
    int64_t end = clock_mono() + ms * NS_PER_MS;
    struct timespec limit = {end / NS_PER_S, end % NS_PER_S};
    pthread_mutex_lock(&b->lock);
    while (*at >= b->next)
        if (pthread_cond_timedwait(&b->more, &b->lock, &limit) == ETIMEDOUT)
            break;
    json_t *ev = NULL;
    if (*at < b->next) {
        if (*at + RING < b->next)
            *at = b->next - RING;
        ev = json_incref(b->ring[(*at)++ % RING]);
    }
    pthread_mutex_unlock(&b->lock);
    return ev;
}

int engine_events_check(const struct event_query *q, struct err *e)
{
    if (filters_check(q->filters, filter_keys, e) < 0)
        return -1;
    if (q->since && q->until && q->until < q->since)
        return err_set(e, ERR_INVALID, "`since` time cannot be after `until` time");
    return 0;
}

int engine_events(struct engine *en, const struct event_query *q, engine_event_sink *sink, void *arg, struct err *e)
{
    if (engine_events_check(q, e) < 0)
        return -1;
    struct event_bus *b = en->bus;
    pthread_mutex_lock(&b->lock);
    bool replay = q->since || q->until;
    uint64_t at = !replay ? b->next : b->next > RING ? b->next - RING : 0;
    b->listeners++;
    pthread_mutex_unlock(&b->lock);
    for (;;) {
        json_auto_t *ev = next_event(b, &at, q->until);
        int64_t when = json_int(ev, "timeNano", 0);
        if (q->until && (ev ? when > q->until : clock_real() >= q->until))
            break;
        if (ev && (when < q->since || !wanted(q->filters, ev)))
            continue;
        if (sink(arg, ev))
            break;
    }
    locked(&b->lock, b->listeners--);
    return 0;
}
