/* GET /images/get: which images and under which names; the worker writes the archive (archive/save.c).
 *
 * A name with a tag saves that tag, a bare repository all its tags, an id the image without a name. Layers cannot
 * vanish meanwhile: nothing is swept while the store is busy. Next: overlay.c. */
#include "image/store.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

/* The entry of image `id` in the request, made on first use. */
static json_t *entry_of(struct image_store *st, json_t *images, const char *id, struct err *e)
{
    size_t i;
    struct image_facts f;
    json_each (x, images)
        if (str_eq(json_str(x, "config", ""), id))
            return x;
    if (!table_facts(st, id, &f))
        return err_null(err_set(e, ERR_NOT_FOUND, "No such image: %.12s", id));
    json_t *entry = json_pack("{s:s, s:[], s:[]}", "config", id, "tags", "layers");
    for (i = 0; i < f.diffs.n; i++)
        json_array_append_new(json_object_get(entry, "layers"), json_string(f.diffs.v[i]));
    image_facts_release(&f);
    json_array_append_new(images, entry);
    return entry;
}

static void add_tag(json_t *entry, const char *key)
{
    json_t *tags = json_object_get(entry, "tags");
    json_each (x, tags)
        if (str_eq(json_string_value(x), key))
            return;
    json_array_append_new(tags, json_string(key));
}

/* All tags of the repository that `name` is, where it has neither tag nor digest. @return how many */
static int add_repository(struct image_store *st, json_t *images, const char *name, struct err *e)
{
    struct err ignored;
    struct image_ref r = {NULL, NULL, NULL};
    const char *slash = strrchr(name, '/');
    int n = 0;
    if (strchr(slash ? slash : name, ':') || strchr(name, '@') || image_ref_parse(name, &r, &ignored) < 0)
        return 0;
    json_auto_t *refs = locked(&st->lock, json_copy(st->refs));
    json_each_pair (key, v, refs) {
        if (reference_is_digest(key) || reference_name_length(key) != strlen(r.name) || !str_starts(key, r.name))
            continue;
        json_t *entry = entry_of(st, images, json_string_value(v), e);
        if (!entry) {
            n = -1;
            break;
        }
        add_tag(entry, key);
        n++;
    }
    image_ref_release(&r);
    return n;
}

static int add_name(struct image_store *st, json_t *images, const char *name, struct err *e)
{
    struct found f;
    int n = add_repository(st, images, name, e);
    if (n != 0)
        return n < 0 ? -1 : 0;
    if (table_find(st, name, &f, e) < 0)
        return -1;
    json_t *entry = entry_of(st, images, f.id, e);
    if (entry && f.key && !reference_is_digest(f.key))
        add_tag(entry, f.key);
    free(f.key);
    return entry ? 0 : -1;
}

struct text_source {
    const char *text;
    size_t left;
};

static ssize_t read_text(void *arg, void *p, size_t n, struct err *e)
{
    struct text_source *t = arg;
    (void)e;
    n = n < t->left ? n : t->left;
    memcpy(p, t->text, n);
    t->text += n;
    t->left -= n;
    return (ssize_t)n;
}

static int save(struct image_store *st, const struct strv *names, json_t *images, image_sink *sink, void *arg,
                struct err *e)
{
    for (size_t i = 0; i < names->n; i++)
        if (add_name(st, images, names->v[i], e) < 0)
            return -1;
    json_auto_t *request = json_pack("{s:O}", "images", images);
    autofree char *text = json_compact(request);
    struct text_source t = {text, strlen(text)};
    autoclose int blobs = store_open_folder(st, "blobs/sha256", e);
    if (blobs < 0)
        return -1;
    const struct worker_job job = {
        .verb = "save", .work = blobs, .layers = -1, .src = read_text, .src_arg = &t, .sink = sink, .sink_arg = arg};
    json_auto_t *done = worker_run(&job, e);
    return done ? 0 : -1;
}

int image_save(struct image_store *st, const struct strv *names, image_sink *sink, void *arg, struct err *e)
{
    json_auto_t *images = json_array();
    if (names->n == 0)
        return err_set(e, ERR_INVALID, "no image was named");
    store_busy(st);
    int r = save(st, names, images, sink, arg, e);
    store_idle(st);
    if (r < 0)
        return -1;
    json_each (x, images)
        store_event(st, "save", json_str(x, "config", ""), NULL);
    return 0;
}
