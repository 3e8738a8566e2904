/* GET /images/{name}/json and /images/{name}/history.
 *
 * Inspect shows the image's configuration in the API's dress. Two things are made up for clients' sake: "Config" is
 * completed with the defaults of absent keys, because Docker's server always writes them and clients index them
 * blindly; and ContainerConfig, VirtualSize and Parent, which newer servers dropped, are always there (docker-compose
 * 1.29 reads ContainerConfig.Volumes of every image).
 *
 * Only known keys of the configuration are shown or used. An image's author cannot smuggle settings of the engine in
 * by writing other keys. Next: remove.c. */
#include "image/store.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <stdlib.h>

/* --- inspect --------------------------------------------------------------------------------------------------- */

struct known_key {
    const char *name;
    json_type type;
    bool always; /* written with its zero value where absent */
};

/* In the order in which Docker writes them. JSON_TRUE stands for both booleans. */
static const struct known_key known_keys[] = {
    {"Hostname", JSON_STRING, true},      {"Domainname", JSON_STRING, true}, {"User", JSON_STRING, true},
    {"AttachStdin", JSON_TRUE, true},     {"AttachStdout", JSON_TRUE, true}, {"AttachStderr", JSON_TRUE, true},
    {"ExposedPorts", JSON_OBJECT, false}, {"Tty", JSON_TRUE, true},          {"OpenStdin", JSON_TRUE, true},
    {"StdinOnce", JSON_TRUE, true},       {"Env", JSON_ARRAY, true},         {"Cmd", JSON_ARRAY, true},
    {"Healthcheck", JSON_OBJECT, false},  {"ArgsEscaped", JSON_TRUE, false}, {"Image", JSON_STRING, true},
    {"Volumes", JSON_OBJECT, true},       {"WorkingDir", JSON_STRING, true}, {"Entrypoint", JSON_ARRAY, true},
    {"OnBuild", JSON_ARRAY, true},        {"Labels", JSON_OBJECT, true},     {"StopSignal", JSON_STRING, false},
    {"StopTimeout", JSON_INTEGER, false}, {"Shell", JSON_ARRAY, false},
};

static bool has_type(const json_t *v, json_type type)
{
    return type == JSON_TRUE ? json_is_boolean(v) : v && json_typeof(v) == type;
}

static json_t *zero_of(json_type type)
{
    if (type == JSON_STRING)
        return json_string("");
    return type == JSON_TRUE ? json_false() : json_null();
}

static json_t *complete(const json_t *config)
{
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof(known_keys) / sizeof(known_keys[0]); i++) {
        const struct known_key *k = &known_keys[i];
        json_t *v = json_object_get(config, k->name);
        if (has_type(v, k->type))
            json_object_set(out, k->name, v);
        else if (k->always)
            json_object_set_new(out, k->name, zero_of(k->type));
    }
    return out;
}

static json_t *strings(const struct strv *v, const char *prefix)
{
    json_t *out = json_array();
    for (size_t i = 0; i < v->n; i++)
        json_array_append_new(out, json_sprintf("%s%s", prefix, v->v[i]));
    return out;
}

/* Where the files are, for people who want to look. */
static json_t *graph_driver(const struct image_store *st, const struct image_facts *f)
{
    json_t *data = json_object();
    autostr lower = STR_INIT;
    for (size_t i = f->chains.n; i > 0; i--) {
        autofree char *path = str_printf("%s/layers/%s/diff", st->root, f->chains.v[i - 1]);
        if (i == f->chains.n)
            json_object_set_new(data, "UpperDir", json_string(path));
        else
            str_addf(&lower, "%s%s", lower.len ? ":" : "", path);
    }
    if (lower.len)
        json_object_set_new(data, "LowerDir", json_string(lower.s));
    return json_pack("{s:s, s:o}", "Name", "overlay2", "Data", data);
}

static void add_optional(json_t *out, const char *key, const json_t *config, const char *from)
{
    const char *v = json_str(config, from, NULL);
    if (!str_empty(v))
        json_object_set_new(out, key, json_string(v));
}

static json_t *inspect(const struct image_store *st, const struct image_facts *f, const json_t *config)
{
    char tagged[CLOCK_TEXT];
    autofree char *id = store_id(f->id), *parent = *f->parent ? store_id(f->parent) : mem_strdup("");
    json_t *out = json_pack(
        "{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:s}", "Id", id, "RepoTags", strings(&f->tags, ""),
        "RepoDigests", strings(&f->digests, ""), "Parent", parent, "Comment", json_str(config, "comment", ""),
        "Created", json_str(config, "created", CLOCK_ZERO), "Container", json_str(config, "container", ""),
        "ContainerConfig", complete(json_object_get(config, "container_config")), "DockerVersion",
        json_str(config, "docker_version", ""), "Author", json_str(config, "author", ""), "Config",
        complete(json_object_get(config, "config")), "Architecture", json_str(config, "architecture", ""));
    add_optional(out, "Variant", config, "variant");
    json_object_set_new(out, "Os", json_string(json_str(config, "os", "linux")));
    json_t *version = json_object_get(config, "os.version"); /* a key with a dot in it, not a path */
    if (json_is_string(version))
        json_object_set(out, "OsVersion", version);
    json_object_set_new(out, "Size", json_integer(f->size));
    json_object_set_new(out, "VirtualSize", json_integer(f->size));
    json_object_set_new(out, "GraphDriver", graph_driver(st, f));
    json_object_set_new(out, "RootFS",
                        json_pack("{s:s, s:o}", "Type", "layers", "Layers", strings(&f->diffs, DIGEST_PREFIX)));
    json_object_set_new(out, "Metadata", json_pack("{s:s}", "LastTagTime", clock_format(f->tagged, tagged)));
    return out;
}

/* Facts from memory and the configuration from disk. @return the configuration; facts are the caller's with it */
static json_t *look_up(struct image_store *st, const char *name, struct image_facts *facts, struct err *e)
{
    struct found f;
    char shown[SHOW_MAX];
    if (table_find(st, name, &f, e) < 0)
        return NULL;
    free(f.key);
    if (!table_facts(st, f.id, facts)) { /* removed between the two */
        return err_null(err_set(e, ERR_NOT_FOUND, "No such image: %s", store_show(name, shown)));
    }
    json_t *config = record_config(st, f.id, e);
    if (!config)
        image_facts_release(facts);
    return config;
}

json_t *image_inspect(struct image_store *st, const char *name, struct err *e)
{
    struct image_facts f;
    struct span span = trace_begin(3, "read the image's configuration");
    json_auto_t *config = look_up(st, name, &f, e);
    if (!config)
        return NULL;
    trace_end(&span, "blobs/sha256/%.12s", f.id);
    json_t *out = inspect(st, &f, config);
    image_facts_release(&f);
    return out;
}

/* --- history --------------------------------------------------------------------------------------------------- */

static json_t *history_entry(const json_t *h, int64_t size)
{
    int64_t created;
    if (!clock_parse(json_str(h, "created", ""), 0, &created))
        created = 0;
    return json_pack("{s:s, s:I, s:s, s:n, s:I, s:s}", "Id", "<missing>", "Created", (json_int_t)(created / NS_PER_S),
                     "CreatedBy", json_str(h, "created_by", ""), "Tags", "Size", (json_int_t)size, "Comment",
                     json_str(h, "comment", ""));
}

/* The configuration lists steps oldest first; each that is not empty made the next layer. */
static json_t *history(const struct image_facts *f, const json_t *config)
{
    json_t *out = json_array();
    size_t layer = 0;
    json_each (h, json_object_get(config, "history")) {
        bool empty = json_is(h, "empty_layer") || layer >= f->chains.n;
        json_array_insert_new(out, 0, history_entry(h, empty ? 0 : f->sizes[layer]));
        layer += !empty;
    }
    json_t *top = json_array_get(out, 0);
    if (top) {
        json_object_set_new(top, "Id", json_sprintf(DIGEST_PREFIX "%s", f->id));
        if (f->tags.n > 0)
            json_object_set_new(top, "Tags", strings(&f->tags, ""));
    }
    return out;
}

/* Where an image was made here from another (commit), the line at which that one ended carries its id and names. */
static void name_parents(struct image_store *st, const struct image_facts *f, json_t *list)
{
    char parent[DIGEST_SIZE];
    memcpy(parent, f->parent, DIGEST_SIZE);
    for (size_t i = 0; *parent && i < IMAGE_LAYERS_MAX; i++) {
        struct err ignored;
        struct image_facts p;
        if (!table_facts(st, parent, &p))
            return;
        json_auto_t *config = record_config(st, parent, &ignored);
        size_t n = json_array_size(json_object_get(config, "history")), all = json_array_size(list);
        json_t *line = n > 0 && n < all ? json_array_get(list, all - n) : NULL;
        if (line)
            json_object_set_new(line, "Id", json_sprintf(DIGEST_PREFIX "%s", parent));
        if (line && p.tags.n > 0)
            json_object_set_new(line, "Tags", strings(&p.tags, ""));
        memcpy(parent, p.parent, DIGEST_SIZE);
        image_facts_release(&p);
    }
}

json_t *image_history(struct image_store *st, const char *name, struct err *e)
{
    struct image_facts f;
    json_auto_t *config = look_up(st, name, &f, e);
    if (!config)
        return NULL;
    json_t *out = history(&f, config);
    name_parents(st, &f, out);
    image_facts_release(&f);
    return out;
}
