/* From staging into the store: the one way in.
 *
 * What a worker says is checked again here, although the worker is ours: it has read a stranger's bytes. Digests and
 * references must follow their grammars before they name anything, chain ids are derived again, and the configuration
 * is read and hashed by this process. (That a layer's tar has its digest is believed: hashing gigabytes twice would
 * double the time, and a worker that lies about it can only spoil the layer it was given.)
 *
 * Then the store is changed in an order in which a kill at any moment is harmless:
 *
 *     1. syncfs: everything in staging is on disk
 *     2. blobs and layers are renamed into place; nothing names them yet, so a kill leaves garbage for sweep.c
 *     3. the record of each image is written: now the image exists, perhaps without a name
 *     4. refs.json is replaced: now all names are there, at once
 *
 * The tables in memory follow the disk. An error in 2 or 3 likewise leaves garbage, or untagged images that are whole.
 * Next: remove.c. */
#include "image/store.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rootpath.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* One image on its way in. */
struct incoming {
    char id[DIGEST_SIZE], parent[DIGEST_SIZE]; /* parent: what it was made from here, or "" */
    struct strv keys;                          /* references to give it */
    const json_t *list;                        /* its LAYERs */
};

struct commit {
    struct image_store *st;
    int staging;
    struct incoming *in;
    size_t n;
};

static int suspect(const char *what, struct err *e)
{
    return err_set(e, ERR_SYSTEM, ARCHIVE_PROGRAM " reported %s that does not fit", what);
}

/* --- checking ------------------------------------------------------------------------------------------------- */

static int check_layers(const struct incoming *in, const json_t *config, struct err *e)
{
    const json_t *ids = json_at(config, "rootfs.diff_ids");
    char chain[DIGEST_SIZE] = "";
    if (json_array_size(in->list) > IMAGE_LAYERS_MAX || json_array_size(in->list) != json_array_size(ids))
        return suspect("a number of layers", e);
    json_each (layer, in->list) {
        const char *diff = json_str(layer, "diff", "");
        if (!str_is_hex(diff, DIGEST_HEX) ||
            !str_eq(digest_parse(json_string_value(json_array_get(ids, layer_at))), diff) ||
            !str_eq(digest_chain(chain, diff, chain), json_str(layer, "chain", "")))
            return suspect("a layer", e);
    }
    return 0;
}

/* Tags come as the archive has them, in any of the forms that people write; keys are canonical. */
static int check_tags(struct incoming *in, const json_t *tags, struct err *e)
{
    if (json_array_size(tags) > ARCHIVE_TAGS_MAX)
        return err_set(e, ERR_TOO_LARGE, "the image has more than %d tags", ARCHIVE_TAGS_MAX);
    json_each (tag, tags) {
        struct image_ref r = {NULL, NULL, NULL};
        if (image_ref_parse(json_string_value(tag) ? json_string_value(tag) : "", &r, e) < 0)
            return -1;
        autofree char *key = reference_key(&r);
        image_ref_release(&r);
        if (reference_is_digest(key))
            return err_set(e, ERR_INVALID, "invalid tag %s: a digest cannot be given as a name", key);
        strv_add(&in->keys, key);
    }
    return 0;
}

static int read_incoming(struct commit *c, const json_t *image, struct incoming *in, struct err *e)
{
    char found[DIGEST_SIZE];
    size_t len;
    const char *id = json_str(image, "config", "");
    if (!str_is_hex(id, DIGEST_HEX))
        return suspect("an image id", e);
    memcpy(in->id, id, DIGEST_SIZE);
    if (str_is_hex(json_str(image, "parent", ""), DIGEST_HEX))
        memcpy(in->parent, json_str(image, "parent", ""), DIGEST_SIZE);
    in->list = json_object_get(image, "layers");
    autofree char *path = str_printf("blobs/%s", id);
    autofree char *text = file_read(c->staging, path, IMAGE_CONFIG_MAX, &len, e);
    if (!text)
        return -1;
    if (!str_eq(digest_of(text, len, found), id))
        return suspect("a configuration", e);
    json_auto_t *config = json_parse(text, len, e); /* not kept: of many images it would be many times their size */
    if (!config || check_layers(in, config, e) < 0)
        return -1;
    return check_tags(in, json_object_get(image, "tags"), e);
}

/* --- completing what is in staging ---------------------------------------------------------------------------- */

/* A layer that the worker unpacked has sizes; one that the store had already has none. */
static bool is_fresh(const json_t *layer)
{
    return json_object_get(layer, "size") != NULL;
}

/* Folders that hide what is below: overlayfs wants an attribute that only CAP_SYS_ADMIN may set, which the worker has
 * not. The path is resolved inside the layer, and no link can lead out of it. */
static int mark_opaque(struct commit *c, const json_t *layer, struct err *e)
{
    const json_t *list = json_object_get(layer, "opaque");
    if (json_array_size(list) == 0)
        return 0;
    autofree char *diff = str_printf("layers/%s/diff", json_str(layer, "chain", ""));
    autoclose int root = openat(c->staging, diff, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return err_sys(e, "open %s", diff);
    json_each (x, list) {
        autofree char *path = archiveproto_unescape(x);
        if (!path)
            return suspect("an opaque folder", e);
        autoclose int fd = rootpath_open(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, e);
        if (fd < 0)
            return -1;
        if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
            return err_sys(e, "mark a folder of layer %.12s opaque", json_str(layer, "diff", ""));
    }
    return 0;
}

/* The folder and the tar are there, and layer.json is put beside them: after the rename it is all or nothing. */
static int complete_layer(struct commit *c, const json_t *layer, const char *parent, struct err *e)
{
    struct stat st;
    const char *chain = json_str(layer, "chain", ""), *diff = json_str(layer, "diff", "");
    autofree char *about = str_printf("layers/%s/layer.json", chain);
    autofree char *folder = str_printf("layers/%s/diff", chain);
    autofree char *blob = str_printf("blobs/%s", diff), *digest = store_id(diff);
    if (fstatat(c->staging, folder, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) ||
        fstatat(c->staging, blob, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return suspect("a layer that is not there", e);
    if (mark_opaque(c, layer, e) < 0)
        return -1;
    json_auto_t *j = json_pack("{s:s, s:s, s:I, s:I, s:s, s:O}", "diff", diff, "blob", digest, "size",
                               (json_int_t)json_int(layer, "size", 0), "tar", (json_int_t)st.st_size, "parent", parent,
                               "opaque", json_object_get(layer, "opaque"));
    autofree char *text = json_text(j);
    return file_replace_volatile(c->staging, about, text, strlen(text), 0600, e); /* syncfs() follows */
}

static int complete(struct commit *c, struct err *e)
{
    for (size_t k = 0; k < c->n; k++) {
        const char *parent = "";
        json_each (layer, c->in[k].list) {
            if (is_fresh(layer) && complete_layer(c, layer, parent, e) < 0)
                return -1;
            parent = json_str(layer, "chain", "");
        }
    }
    struct span span = trace_begin(3, "flush the new layers to disk");
    if (syncfs(c->staging) < 0)
        return err_sys(e, "flush the staging folder");
    trace_end(&span, "syncfs");
    FAULT("image.commit.synced");
    return 0;
}

/* --- moving ---------------------------------------------------------------------------------------------------- */

/* What is there already under a digest is the same content. */
static int move_blob(struct commit *c, const char *hex, struct err *e)
{
    autofree char *from = str_printf("blobs/%s", hex), *to = str_printf("blobs/sha256/%s", hex);
    if (renameat(c->staging, from, c->st->rootfd, to) < 0 && errno != ENOENT)
        return err_sys(e, "move blob %s into the store", hex);
    struct stat s;
    if (fstatat(c->st->rootfd, to, &s, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "find blob %s in the store", hex);
    if (fchmodat(c->st->rootfd, to, 0600, 0) < 0)
        return err_sys(e, "set the mode of blob %s", hex);
    FAULT("image.commit.blob-moved");
    return 0;
}

static int move_blobs(struct commit *c, struct err *e)
{
    for (size_t k = 0; k < c->n; k++) {
        json_each (layer, c->in[k].list)
            if (is_fresh(layer) && move_blob(c, json_str(layer, "diff", ""), e) < 0)
                return -1;
        if (move_blob(c, c->in[k].id, e) < 0)
            return -1;
    }
    return dir_sync(c->st->rootfd, "blobs/sha256", e);
}

/* A folder of that name which no table knows: left by a sweep that failed. Take it out of the way, whole. */
static int clear_leftover(struct image_store *st, const char *path, struct err *e)
{
    char unique[17];
    str_random_hex(unique, 8);
    autofree char *aside = str_printf("staging/%s", unique);
    if (renameat(st->rootfd, path, st->rootfd, aside) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "move %s away", path);
    return tree_remove(st->rootfd, aside, e);
}

static int move_layer(struct commit *c, const json_t *layer, struct err *e)
{
    struct image_store *st = c->st;
    const char *chain = json_str(layer, "chain", "");
    if (table_layer(st, chain))
        return 0;
    if (!is_fresh(layer)) /* it was known when the worker started, and nothing is swept meanwhile */
        return err_set(e, ERR_SYSTEM, "layer %.12s is gone", chain);
    autofree char *path = str_printf("layers/%s", chain);
    if (clear_leftover(st, path, e) < 0)
        return -1;
    if (renameat(c->staging, path, st->rootfd, path) < 0)
        return err_sys(e, "move layer %.12s into the store", chain);
    FAULT("image.commit.layer-moved");
    struct layer *l = mem_alloc(sizeof(*l));
    memcpy(l->chain, chain, DIGEST_SIZE);
    memcpy(l->diff, json_str(layer, "diff", ""), DIGEST_SIZE);
    l->size = json_int(layer, "size", 0);
    l->tar = json_int(layer, "tar", 0);
    pthread_mutex_lock(&st->lock);
    table_add_layer(st, l);
    pthread_mutex_unlock(&st->lock);
    return 0;
}

static int move_layers(struct commit *c, struct err *e)
{
    for (size_t k = 0; k < c->n; k++) {
        json_each (layer, c->in[k].list)
            if (move_layer(c, layer, e) < 0)
                return -1;
    }
    return dir_sync(c->st->rootfd, "layers", e);
}

/* --- records and references -------------------------------------------------------------------------------------- */

/* The image as the table will hold it. One that is loaded again keeps what only this store knows: its parent. */
static struct image *make_image(const struct commit *c, const struct incoming *in, int64_t now, const json_t *config)
{
    struct image *im = mem_alloc(sizeof(*im));
    const struct image *old = table_image(c->st, in->id);
    memcpy(im->id, in->id, DIGEST_SIZE);
    if (*in->parent || old)
        memcpy(im->parent, *in->parent ? in->parent : old->parent, DIGEST_SIZE);
    im->tagged = in->keys.n > 0 ? now : old ? old->tagged : 0;
    im->layer = mem_alloc((json_array_size(in->list) + 1) * sizeof(struct layer *));
    json_each (layer, in->list)
        im->layer[im->layers++] = table_layer(c->st, json_str(layer, "chain", ""));
    record_digest_config(im, config);
    return im;
}

static int write_records(struct commit *c, struct err *e)
{
    int64_t now = clock_real();
    for (size_t k = 0; k < c->n; k++) {
        json_auto_t *config = record_config(c->st, c->in[k].id, e); /* move_all() has its blob in place */
        if (!config)
            return -1;
        struct image *im = make_image(c, &c->in[k], now, config);
        if (table_write_record(c->st, im, e) < 0) {
            image_free(im);
            return -1;
        }
        FAULT("image.commit.recorded");
        pthread_mutex_lock(&c->st->lock);
        struct image *old = table_image(c->st, im->id);
        if (old) /* loaded again, perhaps with a container still living on it */
            table_drop_image(c->st, old);
        table_add_image(c->st, im);
        pthread_mutex_unlock(&c->st->lock);
    }
    return 0;
}

/* All names of all images in one replacement of the file: a reader sees none of them or all. */
static int write_refs(struct commit *c, json_t **ret_moved, struct err *e)
{
    json_t *refs = json_copy(c->st->refs);
    json_auto_t *moved = json_array();
    bool changed = false;
    for (size_t k = 0; k < c->n; k++) {
        for (size_t i = 0; i < c->in[k].keys.n; i++) {
            const char *key = c->in[k].keys.v[i], *was = json_string_value(json_object_get(refs, key));
            if (str_eq(was, c->in[k].id))
                continue;
            if (was)
                json_array_append_new(moved, json_pack("{s:s, s:s}", "tag", reference_familiar(key), "was", was));
            json_object_set_new(refs, key, json_string(c->in[k].id));
            changed = true;
        }
    }
    if (!changed)
        json_decref(refs);
    else if (table_replace_refs(c->st, refs, e) < 0)
        return -1;
    FAULT("image.commit.tagged");
    if (ret_moved)
        *ret_moved = json_incref(moved);
    return 0;
}

static int move_all(struct commit *c, json_t **ret_moved, struct err *e)
{
    struct span span = trace_begin(3, "move the image into the store");
    pthread_mutex_lock(&c->st->writer);
    int r = move_blobs(c, e) < 0 || move_layers(c, e) < 0 || write_records(c, e) < 0 ? -1 : write_refs(c, ret_moved, e);
    if (r < 0) { /* layers that were moved and that no record names yet */
        locked(&c->st->lock, c->st->garbage = true);
    }
    pthread_mutex_unlock(&c->st->writer);
    trace_end(&span, "%zu images: blobs, layers, records, refs.json", c->n);
    return r;
}

int commit_images(struct image_store *st, int staging, const json_t *images, json_t **ret_moved, struct err *e)
{
    struct commit c = {.st = st, .staging = staging};
    size_t i;
    int r = 0;
    if (json_array_size(images) > ARCHIVE_IMAGES_MAX)
        return suspect("a number of images", e);
    c.in = mem_alloc((json_array_size(images) + 1) * sizeof(*c.in));
    json_each (image, images) {
        c.n++;
        if ((r = read_incoming(&c, image, &c.in[image_at], e)) < 0)
            break;
    }
    if (r == 0)
        r = complete(&c, e) < 0 ? -1 : move_all(&c, ret_moved, e);
    for (i = 0; i < c.n; i++)
        strv_release(&c.in[i].keys);
    free(c.in);
    return r;
}
