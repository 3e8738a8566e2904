/* list: GET /containers/json with all its filters (spec 4.1, 6.7).
 *
 * The table is copied under the lock, as references; each container's facts are then copied one by one, judged and
 * handed on without it. So `ps` with a thousand containers holds nobody up, and needs the memory of one; and a
 * container that is removed while a slow client reads is left out. */
#include "engine/snapshot.h"
#include "engine/health.h"
#include "base/clock.h"
#include "base/filter.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <regex.h>
#include <stdlib.h>

static const char *const filter_keys[] = {"ancestor", "before",    "exited", "expose", "health",  "id",
                                          "is-task",  "isolation", "label",  "name",   "network", "publish",
                                          "since",    "status",    "volume", NULL};

/* ---- one filter ---- */

#define PATTERN_MAX        256
#define PATTERN_GROUPS_MAX 16

static size_t count_of(const char *s, char c)
{
    size_t n = 0;
    for (; *s; s++)
        n += *s == c;
    return n;
}

/* A regular expression as Docker has it here, or where it is none, plain text somewhere in the value. */
static bool matches(const char *pattern, const char *text)
{
    regex_t re;
    /* The C library compiles by recursion, and counted repeats multiply: what could make it run away is taken as text.
     */
    if (strlen(pattern) > PATTERN_MAX || strpbrk(pattern, "{") || count_of(pattern, '(') > PATTERN_GROUPS_MAX)
        return strstr(text, pattern) != NULL;
    if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return strstr(text, pattern) != NULL;
    bool hit = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return hit;
}

static bool name_test(const char *value, const void *arg)
{
    const char *name = arg; /* with its slash; people write the pattern with or without */
    return matches(value, name) || matches(value, name + 1);
}

static bool id_test(const char *value, const void *arg)
{
    return str_starts(arg, value) || matches(value, arg);
}

static bool exited_test(const char *value, const void *arg)
{
    int64_t code;
    return str_to_i64(value, &code) && code == *(const int *)arg;
}

/* "80", "80/tcp" or "8000-8010/udp" against the keys of ExposedPorts. */
static bool port_test(const char *value, const void *arg)
{
    int lo, hi, port, n = 0;
    const char *proto = strchr(value, '/');
    if (sscanf(value, "%d%n", &lo, &n) != 1)
        return false;
    if (value[n] != '-' || sscanf(value + n + 1, "%d", &hi) != 1)
        hi = lo;
    json_each_pair (k, v, arg) {
        const char *have = strchr(k, '/');
        if (sscanf(k, "%d", &port) == 1 && port >= lo && port <= hi &&
            str_eq(proto ? proto : "/tcp", have ? have : "/tcp"))
            return true;
    }
    return false;
}

static bool volume_test(const char *value, const void *arg)
{
    json_each (m, arg)
        if (str_eq(value, json_str(m, "Name", NULL)) || str_eq(value, json_str(m, "Source", NULL)) ||
            str_eq(value, json_str(m, "Destination", NULL)))
            return true;
    return false;
}

struct lineage {
    struct engine *en;
    const char *image; /* id */
};

/* The image itself, or one built on it: its layers are the first of the container's image's. */
static bool ancestor_test(const char *value, const void *arg)
{
    const struct lineage *l = arg;
    struct err ignored;
    autofree char *id = image_resolve(l->en->images, value, &ignored);
    if (!id)
        return false;
    if (str_eq(id, l->image))
        return true;
    autostrv mine = {NULL, 0}, theirs = {NULL, 0};
    if (image_layers(l->en->images, l->image, &mine, &ignored) < 0 ||
        image_layers(l->en->images, id, &theirs, &ignored) < 0)
        return false;
    for (size_t i = 0; i < theirs.n && theirs.n <= mine.n; i++)
        if (!str_eq(theirs.v[theirs.n - 1 - i], mine.v[mine.n - 1 - i]))
            return false;
    return theirs.n > 0 && theirs.n <= mine.n;
}

/* ---- all filters ---- */

struct bounds {
    int64_t before, since; /* creation times; 0 for none */
};

static int check_values(const json_t *filters, struct err *e)
{
    static const char *const states[] = {"created",  "running", "paused", "restarting",
                                         "removing", "exited",  "dead",   NULL};
    static const char *const health[] = {"starting", "healthy", "unhealthy", "none", NULL};
    const struct {
        const char *key, *const *values;
    } closed[] = {{"status", states}, {"health", health}};
    int64_t n;
    for (size_t k = 0; k < 2; k++) {
        json_each (v, json_object_get(filters, closed[k].key)) {
            if (!str_among(json_string_value(v), closed[k].values))
                return err_set(e, ERR_INVALID, "invalid filter '%s=%.64s'", closed[k].key, json_string_value(v));
        }
    }
    json_each (v, json_object_get(filters, "exited"))
        if (!str_to_i64(json_string_value(v), &n))
            return err_set(e, ERR_INVALID, "invalid filter 'exited=%.64s': a number is expected", json_string_value(v));
    return 0;
}

static int find_bound(struct engine *en, const json_t *filters, const char *key, int64_t *ret, struct err *e)
{
    const json_t *values = json_object_get(filters, key);
    *ret = 0;
    if (!values)
        return 0;
    autocontainer *c = container_get(en, json_string_value(json_array_get(values, 0)), e);
    if (!c)
        return -1;
    *ret = c->created;
    return 0;
}

static bool wanted(struct engine *en, struct container *c, const struct snapshot *s, const struct list_options *o,
                   const struct bounds *b)
{
    const json_t *f = o->filters;
    const struct lineage line = {en, c->image};
    if (!state_up(s->state) && !o->all && o->limit <= 0 && !json_object_get(f, "status"))
        return false;
    if ((b->before && c->created >= b->before) || (b->since && c->created <= b->since))
        return false;
    if (json_object_get(f, "exited") &&
        (s->state != STATE_EXITED || !filter_any(f, "exited", exited_test, &s->exit_code)))
        return false;
    autofree char *name = str_printf("/%s", s->name);
    json_auto_t *mounts = json_object_get(f, "volume") ? snapshot_mounts(s) : NULL;
    return filter_any(f, "name", name_test, name) && filter_any(f, "id", id_test, c->id) &&
           filter_labels(f, json_object_get(s->config, "Labels")) && filter_allows(f, "status", state_name(s->state)) &&
           filter_any(f, "ancestor", ancestor_test, &line) && filter_allows(f, "network", snapshot_network(s)) &&
           filter_any(f, "volume", volume_test, mounts) &&
           filter_any(f, "expose", port_test, json_object_get(s->config, "ExposedPorts")) &&
           filter_any(f, "publish", port_test, json_object_get(s->host, "PortBindings")) &&
           filter_allows(f, "health", health_name(s->health)) && filter_allows(f, "is-task", "false") &&
           filter_allows(f, "isolation", "default");
}

/* ---- one element ---- */

#define SHORT_ID 12 /* digits that a table shows */

/* The argument vector as one line; what holds a blank is put in single quotes, as Docker does. */
static char *command_text(const json_t *argv)
{
    autostr b = STR_INIT;
    str_add(&b, "");
    json_each (v, argv) {
        const char *s = json_string_value(v);
        str_addf(&b, strchr(s, ' ') ? "%s'%s'" : "%s%s", v_at ? " " : "", s);
    }
    return str_take(&b);
}

static json_t *ports_json(const json_t *exposed)
{
    json_t *out = json_array();
    int port;
    json_each_pair (k, v, exposed) {
        const char *proto = strchr(k, '/');
        if (sscanf(k, "%d", &port) == 1 && port > 0 && port < 65536) /* an image may expose anything */
            json_array_append_new(out, json_pack("{s:i, s:s}", "PrivatePort", port, "Type", proto ? proto + 1 : "tcp"));
    }
    return out;
}

static json_t *element(struct engine *en, struct container *c, const struct snapshot *s, const struct list_options *o,
                       int64_t now)
{
    const char *asked = json_str(s->config, "Image", "");
    const json_t *exposed = json_object_get(s->config, "ExposedPorts");
    autofree char *name = str_printf("/%s", s->name), *command = command_text(c->path_args),
                  *status = snapshot_status(s, now);
    bool still = image_names(en->images, asked, c->image);
    json_t *out = json_pack("{s:s#, s:[s], s:s, s:s, s:I, s:s}", "Id", c->id, o->brief ? SHORT_ID : (int)strlen(c->id),
                            "Names", name, "Image", still ? asked : c->image, "Command", command, "Created",
                            (json_int_t)(c->created / NS_PER_S), "Status", status);
    if (state_alive(s->state) && (!o->brief || json_object_size(exposed) > 0))
        json_object_set_new(out, "Ports", ports_json(exposed));
    else if (!o->brief)
        json_object_set_new(out, "Ports", json_array());
    if (!o->brief)
        json_object_update_new(out, json_pack("{s:s, s:s, s:O, s:{s:s}, s:{s:o}, s:o}", "ImageID", c->image, "State",
                                              state_name(s->state), "Labels", json_object_get(s->config, "Labels"),
                                              "HostConfig", "NetworkMode", json_str(s->host, "NetworkMode", ""),
                                              "NetworkSettings", "Networks", snapshot_networks(s), "Mounts",
                                              snapshot_mounts(s)));
    if (o->size) {
        int64_t rw = snapshot_size_rw(en, c);
        json_object_set_new(out, "SizeRw", json_integer(rw));
        json_object_set_new(out, "SizeRootFs", json_integer(rw + image_size(en->images, c->image)));
    }
    return out;
}

int engine_list(struct engine *en, const struct list_options *opt, list_sink *sink, void *arg, struct err *e)
{
    struct bounds b;
    if (filters_check(opt->filters, filter_keys, e) < 0 || check_values(opt->filters, e) < 0 ||
        find_bound(en, opt->filters, "before", &b.before, e) < 0 ||
        find_bound(en, opt->filters, "since", &b.since, e) < 0)
        return -1;
    struct span span = trace_begin(3, "list the containers");
    int64_t now = clock_real(), shown = 0;
    int r = 0;
    autofree struct container **all = container_all(en);
    for (size_t i = 0; all[i]; i++) {
        if (r == 0 && (opt->limit <= 0 || shown < opt->limit)) {
            autosnapshot s;
            snapshot_take(en, all[i], &s);
            if (s.in_table && wanted(en, all[i], &s, opt, &b)) {
                r = sink(arg, element(en, all[i], &s, opt, now), e);
                shown++;
            }
        }
        container_put(en, all[i]);
    }
    trace_end(&span, "%lld shown, each copied under the lock", (long long)shown);
    return r;
}
