/* Reading the store at start.
 *
 * Each record names its layers by chain id; each layer's folder has a layer.json; the configuration is a blob whose
 * digest is the image's id. All of it is checked here, so that everything later may trust it: the digest is computed
 * again, the chain ids are derived again from the diff ids, the folders are looked for. A record that fails is set
 * aside in the quarantine folder and named in the log; the others are served. Nothing here follows a path that a file
 * names without checking that it is 64 hex digits first.
 *
 * Layer tars are not hashed again: that would read gigabytes at each start. save does it while it copies. */
#include "image/store.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

json_t *record_config(const struct image_store *st, const char *id, struct err *e)
{
    char found[DIGEST_SIZE];
    size_t len;
    autofree char *path = str_printf("blobs/sha256/%s", id);
    autofree char *text = file_read(st->rootfd, path, IMAGE_CONFIG_MAX, &len, e);
    if (!text)
        return NULL;
    if (!str_eq(digest_of(text, len, found), id))
        return err_null(err_set(e, ERR_SYSTEM, "configuration of image %.12s is damaged: its digest is %s", id, found));
    json_t *config = json_parse(text, len, e);
    if (config && !json_is_object(config)) {
        err_set(e, ERR_SYSTEM, "configuration of image %.12s is not an object", id);
        json_decref(config);
        return NULL;
    }
    return config;
}

void record_digest_config(struct image *im, const json_t *config)
{
    const json_t *labels = json_at(config, "config.Labels");
    if (!clock_parse(json_str(config, "created", ""), 0, &im->created))
        im->created = 0;
    im->labels = json_is_object(labels) && json_object_size(labels) > 0 ? json_deep_copy(labels) : NULL;
}

static bool is_there(const struct image_store *st, const char *path, mode_t type)
{
    struct stat s;
    return fstatat(st->rootfd, path, &s, AT_SYMLINK_NOFOLLOW) == 0 && (s.st_mode & S_IFMT) == type;
}

/* @param below chain id of the layer below, or NULL: the chain is derived again, so a layer.json that was copied from
 * elsewhere does not pass */
static struct layer *read_layer(const struct image_store *st, const char *chain, const char *below, struct err *e)
{
    char derived[DIGEST_SIZE];
    autofree char *about = str_printf("layers/%s/layer.json", chain);
    autofree char *diff_dir = str_printf("layers/%s/diff", chain);
    json_auto_t *j = json_read_file(st->rootfd, about, RECORD_MAX, e);
    if (!j)
        return NULL;
    const char *diff = json_str(j, "diff", "");
    autofree char *blob = str_printf("blobs/sha256/%s", str_is_hex(diff, DIGEST_HEX) ? diff : "-");
    if (!str_is_hex(diff, DIGEST_HEX) || !str_eq(digest_chain(below, diff, derived), chain))
        return err_null(err_set(e, ERR_SYSTEM, "%s does not belong to this chain", about));
    if (!is_there(st, diff_dir, S_IFDIR) || !is_there(st, blob, S_IFREG))
        return err_null(err_set(e, ERR_SYSTEM, "the files or the tar of layer %.12s are missing", chain));
    struct layer *l = mem_alloc(sizeof(*l));
    memcpy(l->chain, chain, DIGEST_SIZE);
    memcpy(l->diff, diff, DIGEST_SIZE);
    l->size = json_int(j, "size", 0);
    l->tar = json_int(j, "tar", 0);
    return l;
}

static int read_layers(struct image_store *st, struct image *im, const json_t *list, struct err *e)
{
    if (!json_is_array(list) || json_array_size(list) > IMAGE_LAYERS_MAX)
        return err_set(e, ERR_SYSTEM, "it has no list of layers");
    im->layer = mem_alloc((json_array_size(list) + 1) * sizeof(struct layer *));
    json_each (x, list) {
        const char *chain = json_string_value(x);
        if (!str_is_hex(chain, DIGEST_HEX))
            return err_set(e, ERR_SYSTEM, "layer %zu is not a digest", x_at);
        struct layer *l = table_layer(st, chain);
        if (!l) {
            l = read_layer(st, chain, x_at ? im->layer[x_at - 1]->chain : NULL, e);
            if (!l)
                return -1;
            table_add_layer(st, l);
        }
        im->layer[im->layers++] = l;
    }
    return 0;
}

/* The configuration is hashed and thereby sure; the record is only a file. */
static int compare_layers(const struct image *im, const json_t *config, struct err *e)
{
    const json_t *ids = json_at(config, "rootfs.diff_ids");
    bool same = json_array_size(ids) == im->layers;
    for (size_t i = 0; same && i < im->layers; i++)
        same = str_eq(digest_parse(json_string_value(json_array_get(ids, i))), im->layer[i]->diff);
    return same ? 0 : err_set(e, ERR_SYSTEM, "its layers are not those of the image's configuration");
}

static int read_record(struct image_store *st, const char *file, struct image *im, struct err *e)
{
    autofree char *path = str_printf("records/%s", file);
    json_auto_t *j = json_read_file(st->rootfd, path, RECORD_MAX, e);
    json_auto_t *config = j ? record_config(st, im->id, e) : NULL;
    if (!config || read_layers(st, im, json_object_get(j, "layers"), e) < 0)
        return -1;
    const char *parent = json_str(j, "parent", "");
    if (str_is_hex(parent, DIGEST_HEX))
        memcpy(im->parent, parent, DIGEST_SIZE);
    im->tagged = json_int(j, "tagged", 0);
    im->detached = json_is(j, "detached");
    record_digest_config(im, config);
    return compare_layers(im, config, e);
}

/* Move a file that cannot be read to where a person can look at it. */
static void set_aside(const struct image_store *st, const char *path, const struct err *why, size_t *aside)
{
    (*aside)++;
    char unique[9];
    str_random_hex(unique, 4);
    const char *slash = strrchr(path, '/');
    autofree char *to = str_printf("%s/image-%s-%s", st->quarantine, slash ? slash + 1 : path, unique);
    if (dir_make_all(st->quarantine, 0700, NULL) < 0 || renameat(st->rootfd, path, AT_FDCWD, to) < 0)
        log_error("images: %s cannot be read (%s), nor be moved to %s", path, why->msg, to);
    else
        log_error("images: %s cannot be read and was moved to %s: %s", path, to, why->msg);
}

static void load_record(struct image_store *st, const char *file, size_t *aside)
{
    struct err e;
    autofree char *id = mem_strndup(file, strcspn(file, "."));
    autofree char *path = str_printf("records/%s", file);
    if (strstr(file, ".tmp-")) { /* file_replace() was killed before its rename */
        unlinkat(st->rootfd, path, 0);
        return;
    }
    struct image *im = mem_alloc(sizeof(*im));
    int r = -1;
    if (!str_is_hex(id, DIGEST_HEX) || !str_eq(file + DIGEST_HEX, ".json")) {
        err_set(&e, ERR_SYSTEM, "its name is not an image's id");
    } else {
        memcpy(im->id, id, DIGEST_SIZE);
        r = read_record(st, file, im, &e);
    }
    if (r < 0) {
        set_aside(st, path, &e, aside);
        image_free(im);
        return;
    }
    table_add_image(st, im);
}

/* A reference must follow the grammar and name an image that is there; others are dropped and named in the log. */
static json_t *sound_refs(const struct image_store *st, const json_t *read)
{
    json_t *refs = json_object();
    struct err e;
    char shown[SHOW_MAX];
    json_each_pair (key, v, read) {
        struct image_ref r = {NULL, NULL, NULL};
        const char *id = json_string_value(v);
        const struct image *im = str_is_hex(id, DIGEST_HEX) ? table_image(st, id) : NULL;
        autofree char *again = image_ref_parse(key, &r, &e) == 0 ? reference_key(&r) : NULL;
        image_ref_release(&r);
        if (str_eq(again, key) && im && !im->detached)
            json_object_set(refs, key, v);
        else
            log_warn("images: reference %s was dropped: it names no image that is here", store_show(key, shown));
    }
    return refs;
}

static void load_refs(struct image_store *st, size_t *aside)
{
    struct err e = {.kind = ERR_NONE};
    st->refs = json_object();
    if (faccessat(st->rootfd, "refs.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
        return;
    json_auto_t *j = json_read_file(st->rootfd, "refs.json", REFS_MAX, &e);
    if (j && !json_is_object(j))
        err_set(&e, ERR_SYSTEM, "not an object");
    if (!json_is_object(j)) {
        set_aside(st, "refs.json", &e, aside);
        return;
    }
    json_decref(st->refs);
    st->refs = sound_refs(st, j);
}

int record_load_all(struct image_store *st, size_t *ret_aside, struct err *e)
{
    *ret_aside = 0;
    autostrv names = {NULL, 0};
    if (dir_names(st->rootfd, "records", &names, e) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        load_record(st, names.v[i], ret_aside);
    load_refs(st, ret_aside);
    return 0;
}
