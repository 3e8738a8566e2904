/* `gorae-archive load`: from an archive of images to checked blobs and unpacked layers.
 *
 *   1. spool   every file is written down and hashed                                        (spool.c)
 *   2. read    manifest.json or index.json says which images there are                      (manifest.c)
 *   3. check   the configuration is parsed from the very bytes whose digest is the image id; it names the layers'
 *              diff ids, and there must be as many layers
 *   4. unpack  a layer is expanded to a plain tar, whose digest must be the diff id, and then to files   (layer.c)
 *
 * A layer is known by its chain id: this layer above those. What the store has already is not unpacked again, and may
 * be missing in the archive. The plain tar is kept beside the files, so that save gives back the same bytes and with
 * them the same ids; Docker keeps only what is needed to rebuild the tar ("tar-split"), which saves disk and costs a
 * second format to understand.
 *
 * Nothing outside the staging folder changes; the daemon moves the results into the store (image/commit.c). */
#include "archive/worker.h"
#include "base/archiveproto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define KNOWN_MAX (16 << 20) /* bytes of the list of known chains */

/* A layer of this run: unpacked by us, or known to the store. */
struct layer_done {
    char diff[DIGEST_SIZE];
    char chain[DIGEST_SIZE];
    bool known;
    int64_t tar;
    struct layer_result result;
};

/* Layers of an image so far, lowest first. */
struct chain {
    struct layer_done *layer[IMAGE_LAYERS_MAX];
    size_t n;
};

struct load {
    int root;
    int layers; /* of the store */
    char *known;
    struct spool spool;
    struct manifest manifest;
    struct layer_done **done;
    size_t ndone;
};

/* --- one layer ---------------------------------------------------------------------------------------------- */

struct tar_progress {
    const char *diff;
    int64_t total;
};

static int report(void *arg, int64_t bytes, struct err *e)
{
    const struct tar_progress *p = arg;
    return message_progress(p->diff, bytes < p->total ? bytes : p->total - 1, p->total, e);
}

/* diff/ becomes the container's "/" where the tar does not say otherwise, hence its mode; the folder around it is
 * closed, so that nobody reaches setuid files from the host. @return fd of diff/ */
static int make_folders(int root, const char *chain, struct err *e)
{
    autofree char *layer = str_printf("layers/%s", chain);
    autofree char *diff = str_printf("layers/%s/diff", chain);
    if (mkdirat(root, layer, 0700) < 0 || mkdirat(root, diff, 0755) < 0)
        return err_sys(e, "make folder %s", diff);
    int fd = openat(root, diff, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : err_sys(e, "open folder %s", diff);
}

int load_unpack(int root, int fd, const char *diff, const char *chain, const struct lower *lower, size_t lowers,
                struct layer_result *ret, struct err *e)
{
    struct span span = trace_begin(0, "unpack a layer");
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(e, "stat a layer");
    struct tar_progress p = {diff, st.st_size};
    const struct layer_options o = {.whiteouts = true,
                                    .lower = lower,
                                    .lowers = lowers,
                                    .bytes_max = LAYER_BYTES_MAX,
                                    .entries_max = LAYER_ENTRIES_MAX,
                                    .progress = report,
                                    .arg = &p};
    autoclose int to = make_folders(root, chain, e);
    autostream *a = to < 0 ? NULL : stream_open(fd, STREAM_TAR, e);
    if (!a || layer_apply(to, a, &o, ret, e) < 0)
        return err_wrap(e, "layer %.12s", diff);
    trace_end(&span, "%.12s: %llu entries, %lld bytes", diff, (unsigned long long)ret->entries, (long long)ret->size);
    return message_progress(diff, st.st_size, st.st_size, e);
}

/* Even where nothing is compressed the bytes are copied: they come through a pipe. */
int load_tar(int root, int fd, char *hex, int64_t *ret_size, struct err *e)
{
    static const char tmp[] = "blobs/incoming";
    autostream *a = stream_open(fd, STREAM_PACKED, e);
    autoclose int out = a ? openat(root, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    if (out < 0)
        return a ? err_sys(e, "create %s", tmp) : -1;
    if (stream_copy(a, out, hex, ret_size, e) < 0)
        return -1;
    autofree char *blob = str_printf("blobs/%s", hex);
    return renameat(root, tmp, root, blob) == 0 ? 0 : err_sys(e, "rename %s to %s", tmp, blob);
}

json_t *load_layer_json(const char *diff, const char *chain, int64_t tar, const struct layer_result *r)
{
    json_t *opaque = json_array();
    for (size_t i = 0; i < r->opaque.n; i++)
        json_array_append_new(opaque, archiveproto_escape(r->opaque.v[i]));
    return json_pack("{s:s, s:s, s:I, s:I, s:o}", "diff", diff, "chain", chain, "size", (json_int_t)r->size, "tar",
                     (json_int_t)tar, "opaque", opaque);
}

/* The plain tar of layer `diff` as blobs/<diff>, checked. @return fd of it, or -1 */
static int plain_tar(struct load *l, const char *name, const char *diff, struct err *e)
{
    char hex[DIGEST_SIZE], shown[PATH_SHOWN];
    int64_t size;
    autofree char *blob = str_printf("blobs/%s", diff);
    int have = openat(l->root, blob, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (have >= 0) /* an image before had it */
        return have;
    autofree char *clean = path_clean(name, e);
    const struct spool_file *f = clean ? spool_find(&l->spool, clean) : NULL;
    if (!f)
        return clean ? err_set(e, ERR_INVALID, "the archive lacks the layer %s", path_show(name, shown)) : -1;
    autoclose int fd = spool_open(&l->spool, f, e);
    if (fd < 0)
        return -1;
    if (str_eq(f->hex, diff)) { /* not compressed: the spooled file is the blob */
        if (spool_keep(&l->spool, f, diff, e) < 0)
            return -1;
        return take_fd(&fd);
    }
    if (load_tar(l->root, fd, hex, &size, e) < 0)
        return err_wrap(e, "layer %s", path_show(name, shown));
    if (!str_eq(hex, diff))
        return err_set(e, ERR_INVALID, "layer %s has the diff id %s, its configuration gives %s",
                       path_show(name, shown), hex, diff);
    int tar = openat(l->root, blob, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return tar >= 0 ? tar : err_sys(e, "open %s", blob);
}

/* --- what lies below a layer -------------------------------------------------------------------------------- */

static struct layer_done *find_done(struct load *l, const char *chain)
{
    for (size_t i = 0; i < l->ndone; i++)
        if (str_eq(l->done[i]->chain, chain))
            return l->done[i];
    return NULL;
}

int load_open_known(int layers, const char *chain, struct lower *ret, struct err *e)
{
    autofree char *diff = str_printf("%s/diff", chain), *about = str_printf("%s/layer.json", chain);
    ret->fd = openat(layers, diff, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (ret->fd < 0)
        return err_sys(e, "open layer %.12s", chain);
    size_t len;
    autofree char *text = file_read(layers, about, DOCUMENT_MAX, &len, e);
    json_auto_t *j = text ? json_parse(text, len, e) : NULL;
    size_t i;
    json_t *x;
    json_array_foreach(json_object_get(j, "opaque"), i, x)
    {
        autofree char *path = archiveproto_unescape(x);
        if (!path)
            return err_set(e, ERR_SYSTEM, "layer %.12s: malformed list of opaque folders", chain);
        strv_add(&ret->opaque, path);
    }
    return j ? 0 : -1;
}

static int open_lower(struct load *l, const struct layer_done *d, struct lower *ret, struct err *e)
{
    if (d->known)
        return load_open_known(l->layers, d->chain, ret, e);
    autofree char *diff = str_printf("layers/%s/diff", d->chain);
    ret->fd = openat(l->root, diff, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (ret->fd < 0)
        return err_sys(e, "open layer %.12s", d->chain);
    for (size_t i = 0; i < d->result.opaque.n; i++)
        strv_add(&ret->opaque, d->result.opaque.v[i]);
    return 0;
}

void load_close_lowers(struct lower *lower, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fd_close(lower[i].fd);
        strv_release(&lower[i].opaque);
    }
}

static int unpack_above(struct load *l, int tar, struct layer_done *d, const struct chain *below, struct err *e)
{
    struct lower lower[IMAGE_LAYERS_MAX];
    size_t n = 0;
    int r = 0;
    for (; n < below->n && r == 0; n++) {
        lower[n] = (struct lower){.fd = -1};
        r = open_lower(l, below->layer[below->n - 1 - n], &lower[n], e);
    }
    if (r == 0)
        r = load_unpack(l->root, tar, d->diff, d->chain, lower, n, &d->result, e);
    load_close_lowers(lower, n);
    return r;
}

/* --- one image ---------------------------------------------------------------------------------------------- */

static int make_layer(struct load *l, const char *name, struct layer_done *d, const struct chain *below, struct err *e)
{
    struct stat st;
    autoclose int tar = plain_tar(l, name, d->diff, e);
    if (tar < 0 || fstat(tar, &st) < 0)
        return tar < 0 ? -1 : err_sys(e, "stat layer %.12s", d->diff);
    d->tar = st.st_size;
    return unpack_above(l, tar, d, below, e);
}

/* Put the layer `diff` on top of `c`. */
static int load_layer(struct load *l, const char *name, const char *diff, struct chain *c, struct err *e)
{
    char id[DIGEST_SIZE];
    digest_chain(c->n ? c->layer[c->n - 1]->chain : NULL, diff, id);
    struct layer_done *d = find_done(l, id);
    if (!d) {
        d = mem_alloc(sizeof(*d));
        memcpy(d->diff, diff, DIGEST_SIZE);
        memcpy(d->chain, id, DIGEST_SIZE);
        d->known = strstr(l->known, id) != NULL;
        l->done = mem_resize(l->done, l->ndone + 1, sizeof(struct layer_done *));
        l->done[l->ndone++] = d; /* the load owns it; a failure ends the load */
        if (!d->known && make_layer(l, name, d, c, e) < 0)
            return -1;
    }
    c->layer[c->n++] = d;
    return 0;
}

static size_t values_in(const json_t *j)
{
    size_t n = 1;
    json_each (v, j)
        n += values_in(v);
    json_each_pair (key, v, j)
        n += values_in(v);
    return n;
}

/* The configuration was written by whoever made the archive. What is read from it here is all that load believes. The
 * daemon reads it again and again: so many values have no image, and a megabyte can hold 300,000 of them. And it hands
 * the labels on, to clients that lose their whole list over one that is no text. */
static int check_config(const json_t *config, size_t layers, struct err *e)
{
    const json_t *ids = json_at(config, "rootfs.diff_ids");
    size_t i;
    json_t *id;
    if (!json_is_object(config) || !str_eq(json_str(config, "rootfs.type", ""), "layers") ||
        (ids && !json_is_array(ids)))
        return err_set(e, ERR_INVALID, "not the configuration of an image with layers");
    if (values_in(config) > CONFIG_VALUES_MAX)
        return err_set(e, ERR_INVALID, "it has more than %d values", CONFIG_VALUES_MAX);
    json_each_pair (key, v, json_at(config, "config.Labels"))
        if (!json_is_string(v))
            return err_set(e, ERR_INVALID, "label %.64s is no text", key);
    if (!str_eq(json_str(config, "os", "linux"), "linux"))
        return err_set(e, ERR_INVALID, "the image is made for the operating system %.32s", json_str(config, "os", ""));
    if (json_array_size(ids) != layers)
        return err_set(e, ERR_INVALID, "the configuration names %zu layers, the archive %zu", json_array_size(ids),
                       layers);
    json_array_foreach(ids, i, id)
    {
        if (!digest_parse(json_string_value(id)))
            return err_set(e, ERR_INVALID, "diff id %zu is not a sha256 digest", i);
    }
    return 0;
}

static json_t *image_json(const struct manifest_image *image, const struct chain *c)
{
    json_t *layers = json_array(), *tags = json_array();
    for (size_t i = 0; i < c->n; i++) {
        const struct layer_done *d = c->layer[i];
        json_array_append_new(layers, d->known ? json_pack("{s:s, s:s}", "diff", d->diff, "chain", d->chain)
                                               : load_layer_json(d->diff, d->chain, d->tar, &d->result));
    }
    for (size_t i = 0; i < image->tags.n; i++)
        json_array_append_new(tags, json_string_lossy(image->tags.v[i], strlen(image->tags.v[i])));
    return json_pack("{s:s, s:o, s:o}", "config", image->config->hex, "tags", tags, "layers", layers);
}

static json_t *load_image(struct load *l, const struct manifest_image *image, struct err *e)
{
    size_t len, i;
    json_t *id;
    char shown[PATH_SHOWN];
    autofree char *text = spool_text(&l->spool, image->config, IMAGE_CONFIG_MAX, &len, e);
    json_auto_t *config = text ? json_parse(text, len, e) : NULL;
    if (!config || check_config(config, image->layers.n, e) < 0) {
        err_wrap(e, "configuration %s", path_show(image->config->name, shown));
        return NULL;
    }
    struct chain c = {.n = 0}; /* check_config() has bounded it */
    json_array_foreach(json_at(config, "rootfs.diff_ids"), i, id)
    {
        if (load_layer(l, image->layers.v[i], digest_parse(json_string_value(id)), &c, e) < 0)
            return NULL;
    }
    if (spool_keep(&l->spool, image->config, image->config->hex, e) < 0)
        return NULL;
    return image_json(image, &c);
}

static int load_images(struct load *l, int in, struct err *e)
{
    struct span span = trace_begin(0, "spool the archive");
    if (mkdirat(l->root, "blobs", 0700) < 0 || mkdirat(l->root, "layers", 0700) < 0)
        return err_sys(e, "make folders blobs and layers");
    if (spool_read(&l->spool, in, e) < 0)
        return -1;
    trace_end(&span, "%zu files", l->spool.n);
    if (manifest_read(&l->spool, &l->manifest, e) < 0)
        return -1;
    json_auto_t *images = json_array();
    for (size_t i = 0; i < l->manifest.n; i++) {
        json_t *image = load_image(l, &l->manifest.image[i], e);
        if (!image)
            return -1;
        json_array_append_new(images, image);
    }
    return message_send(json_pack("{s:s, s:O}", "ev", "done", "images", images), e);
}

int load_run(int root, int layers, struct err *e)
{
    struct load l = {.root = root, .layers = layers, .spool = {.root = root}};
    l.known = file_read(root, "known", KNOWN_MAX, NULL, e);
    int r = l.known ? load_images(&l, STDIN_FILENO, e) : -1;
    for (size_t i = 0; i < l.ndone; i++) {
        strv_release(&l.done[i]->result.opaque);
        free(l.done[i]);
    }
    free(l.done);
    free(l.known);
    manifest_release(&l.manifest);
    spool_release(&l.spool);
    return r;
}
