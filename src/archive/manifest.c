/* Which images an archive holds: two tables of contents, one answer.
 *
 * docker save writes manifest.json, a list of {"Config","RepoTags","Layers"}; older versions with the layers in folders
 * <id>/layer.tar, newer ones with everything in blobs/sha256. OCI's tools write index.json, whose descriptors lead by
 * digest to manifests, or to further indexes that choose by platform. Where both exist, manifest.json counts, as it
 * does for Docker.
 *
 * A document that could be read as two things (a manifest with "manifests" beside "layers", a body whose mediaType
 * differs from the one its descriptor gave) is refused: CVE-2021-41190 was two programs reading one such text, each in
 * its own way. Descriptors name content by digest and size; both are checked. Next: load.c. */
#include "archive/worker.h"
#include "base/archiveproto.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

#define OCI    "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

static const char *const index_types[] = {OCI "index.v1+json", DOCKER "distribution.manifest.list.v2+json", NULL};
static const char *const manifest_types[] = {OCI "manifest.v1+json", DOCKER "distribution.manifest.v2+json", NULL};
static const char *const config_types[] = {OCI "config.v1+json", DOCKER "container.image.v1+json", NULL};
static const char *const layer_types[] = {OCI "layer.v1.tar",
                                          OCI "layer.v1.tar+gzip",
                                          OCI "layer.v1.tar+zstd",
                                          OCI "layer.nondistributable.v1.tar",
                                          OCI "layer.nondistributable.v1.tar+gzip",
                                          OCI "layer.nondistributable.v1.tar+zstd",
                                          DOCKER "image.rootfs.diff.tar",
                                          DOCKER "image.rootfs.diff.tar.gzip",
                                          DOCKER "image.rootfs.diff.tar.zstd",
                                          DOCKER "image.rootfs.foreign.diff.tar.gzip",
                                          NULL};

static bool is_one_of(const char *s, const char *const *list)
{
    for (; s && *list; list++)
        if (str_eq(s, *list))
            return true;
    return false;
}

static struct manifest_image *add_image(struct manifest *m, const struct spool_file *config, struct err *e)
{
    if (m->n >= ARCHIVE_IMAGES_MAX) {
        err_set(e, ERR_TOO_LARGE, "the archive holds more than %d images", ARCHIVE_IMAGES_MAX);
        return NULL;
    }
    m->image = mem_resize(m->image, m->n + 1, sizeof(*m->image));
    m->image[m->n] = (struct manifest_image){.config = config};
    return &m->image[m->n++];
}

void manifest_release(struct manifest *m)
{
    for (size_t i = 0; i < m->n; i++) {
        strv_release(&m->image[i].tags);
        strv_release(&m->image[i].layers);
    }
    free(m->image);
    *m = (struct manifest){NULL, 0};
}

static json_t *parse_file(const struct spool *s, const struct spool_file *f, struct err *e)
{
    size_t len;
    char shown[PATH_SHOWN];
    autofree char *text = spool_text(s, f, DOCUMENT_MAX, &len, e);
    json_t *j = text ? json_parse(text, len, e) : NULL;
    if (text && !j)
        err_wrap(e, "file %s of the archive", path_show(f->name, shown));
    return j;
}

/* --- docker's manifest.json --------------------------------------------------------------------------------- */

static int add_strings(struct strv *v, const json_t *list, size_t max, const char *what, struct err *e)
{
    size_t i;
    json_t *x;
    if (json_array_size(list) > max)
        return err_set(e, ERR_TOO_LARGE, "manifest.json: more than %zu %s", max, what);
    json_array_foreach(list, i, x)
    {
        if (!json_is_string(x))
            return err_set(e, ERR_INVALID, "manifest.json: %s has to be an array of strings", what);
        strv_add(v, json_string_value(x));
    }
    return 0;
}

/* One element of manifest.json. "Layers" may be absent or null: an image of settings only. */
static int read_docker_image(const struct spool *s, const json_t *j, struct manifest *m, struct err *e)
{
    const char *config = json_str(j, "Config", NULL);
    const json_t *layers = json_object_get(j, "Layers"), *tags = json_object_get(j, "RepoTags");
    if (!config || (layers && !json_is_array(layers) && !json_is_null(layers)) ||
        (tags && !json_is_array(tags) && !json_is_null(tags)))
        return err_set(e, ERR_INVALID, "manifest.json: an image needs Config, Layers and RepoTags");
    autofree char *name = path_clean(config, e);
    if (!name)
        return -1;
    const struct spool_file *f = spool_find(s, name);
    char shown[PATH_SHOWN];
    if (!f)
        return err_set(e, ERR_INVALID, "the archive lacks the configuration %s", path_show(config, shown));
    struct manifest_image *image = add_image(m, f, e);
    if (!image || add_strings(&image->tags, tags, ARCHIVE_TAGS_MAX, "RepoTags", e) < 0)
        return -1;
    return add_strings(&image->layers, layers, IMAGE_LAYERS_MAX, "Layers", e);
}

static int read_docker(const struct spool *s, const struct spool_file *f, struct manifest *m, struct err *e)
{
    json_auto_t *list = parse_file(s, f, e);
    size_t i;
    json_t *j;
    if (!list)
        return -1;
    if (!json_is_array(list) || json_array_size(list) == 0)
        return err_set(e, ERR_INVALID, "manifest.json: not a list of images");
    json_array_foreach(list, i, j)
    {
        if (read_docker_image(s, j, m, e) < 0)
            return -1;
    }
    return 0;
}

/* --- OCI's index.json --------------------------------------------------------------------------------------- */

/* The file that a descriptor means. @return NULL where it is malformed, absent or of another size */
static const struct spool_file *described(const struct spool *s, const json_t *d, struct err *e)
{
    const char *hex = digest_parse(json_str(d, "digest", NULL));
    if (!hex) {
        err_set(e, ERR_INVALID, "a descriptor without a sha256 digest");
        return NULL;
    }
    autofree char *name = str_printf("blobs/sha256/%s", hex);
    const struct spool_file *f = spool_find(s, name);
    if (!f)
        err_set(e, ERR_INVALID, "the archive lacks blob %s", hex);
    else if (!str_eq(f->hex, hex))
        err_set(e, ERR_INVALID, "blob %s has the digest %s", hex, f->hex);
    else if (f->size != json_int(d, "size", -1))
        err_set(e, ERR_INVALID, "blob %s has %lld bytes, its descriptor gives %lld", hex, (long long)f->size,
                (long long)json_int(d, "size", -1));
    else
        return f;
    return NULL;
}

/* A tag: a whole reference where the tool gave one. ref.name alone is often just "latest", which names nothing. */
static void add_annotated_tag(struct manifest_image *image, const json_t *descriptor)
{
    const json_t *notes = json_object_get(descriptor, "annotations");
    const char *full = json_string_value(json_object_get(notes, "io.containerd.image.name"));
    const char *ref = json_string_value(json_object_get(notes, "org.opencontainers.image.ref.name"));
    if (full)
        strv_add(&image->tags, full);
    else if (ref && strpbrk(ref, ":/"))
        strv_add(&image->tags, ref);
}

/* @param descriptor what led here; it carries the image's name */
static int read_oci_manifest(const struct spool *s, const json_t *j, const json_t *descriptor, struct manifest *m,
                             struct err *e)
{
    const json_t *config = json_object_get(j, "config"), *layers = json_object_get(j, "layers");
    size_t i;
    json_t *layer;
    if (json_object_get(j, "manifests") || json_object_get(j, "fsLayers") || !json_is_object(config) ||
        !json_is_array(layers) || json_array_size(layers) > IMAGE_LAYERS_MAX)
        return err_set(e, ERR_INVALID, "a manifest has to have config and layers and nothing of other documents");
    if (!is_one_of(json_str(config, "mediaType", NULL), config_types))
        return err_set(e, ERR_INVALID, "a manifest that is not that of a container image");
    const struct spool_file *f = described(s, config, e);
    struct manifest_image *image = f ? add_image(m, f, e) : NULL;
    if (!image)
        return -1;
    json_array_foreach(layers, i, layer)
    {
        if (!is_one_of(json_str(layer, "mediaType", NULL), layer_types))
            return err_set(e, ERR_INVALID, "layer %zu has a media type that is not a tar's", i);
        f = described(s, layer, e);
        if (!f)
            return -1;
        strv_add(&image->layers, f->name);
    }
    add_annotated_tag(image, descriptor);
    return 0;
}

static const char *machine(void)
{
#if defined(__aarch64__)
    return "arm64";
#else
    return "amd64";
#endif
}

/* Variants of arm are not told apart: all arm64 machines run v8. */
static bool fits(const json_t *descriptor)
{
    const json_t *p = json_object_get(descriptor, "platform");
    return !p || (str_eq(json_str(p, "os", ""), "linux") && str_eq(json_str(p, "architecture", ""), machine()));
}

/* Attestations (signatures of the build) travel as manifests for a platform that cannot exist. */
static bool is_image(const json_t *descriptor)
{
    return !str_eq(json_str(descriptor, "platform.os", ""), "unknown");
}

static int read_described(const struct spool *s, const json_t *descriptor, int depth, struct manifest *m,
                          struct err *e);

/* @param top index.json itself lists images; an index below it lists one image for several platforms */
static int read_index(const struct spool *s, const json_t *j, bool top, int depth, struct manifest *m, struct err *e)
{
    const json_t *list = json_object_get(j, "manifests");
    size_t i;
    json_t *d;
    if (json_object_get(j, "layers") || json_object_get(j, "config") || !json_is_array(list) ||
        json_int(j, "schemaVersion", 0) != 2)
        return err_set(e, ERR_INVALID, "an index has to have manifests and nothing of other documents");
    json_array_foreach(list, i, d)
    {
        if (!is_image(d) || (!top && !fits(d)))
            continue;
        if (read_described(s, d, depth, m, e) < 0)
            return -1;
        if (!top)
            return 0;
    }
    return top ? 0 : err_set(e, ERR_NOT_FOUND, "the archive has no image for linux/%s", machine());
}

static int read_described(const struct spool *s, const json_t *descriptor, int depth, struct manifest *m, struct err *e)
{
    const struct spool_file *f = described(s, descriptor, e);
    json_auto_t *j = f ? parse_file(s, f, e) : NULL;
    if (!j)
        return -1;
    const char *type = json_str(descriptor, "mediaType", NULL);
    const char *own = json_str(j, "mediaType", type);
    if (!str_eq(type, own))
        return err_set(e, ERR_INVALID, "blob %s is not of the media type its descriptor gives", f->hex);
    if (is_one_of(type, manifest_types))
        return read_oci_manifest(s, j, descriptor, m, e);
    if (!is_one_of(type, index_types))
        return err_set(e, ERR_INVALID, "blob %s has an unknown media type", f->hex);
    if (depth >= INDEX_DEPTH)
        return err_set(e, ERR_INVALID, "indexes are nested deeper than %d", INDEX_DEPTH);
    size_t before = m->n;
    if (read_index(s, j, false, depth + 1, m, e) < 0)
        return -1;
    if (m->n > before) /* the name stands where the index is mentioned */
        add_annotated_tag(&m->image[before], descriptor);
    return 0;
}

int manifest_read(const struct spool *s, struct manifest *ret, struct err *e)
{
    struct manifest m = {NULL, 0};
    int r;
    const struct spool_file *docker = spool_find(s, "manifest.json"), *oci = spool_find(s, "index.json");
    if (docker) {
        r = read_docker(s, docker, &m, e);
    } else if (oci) {
        json_auto_t *j = parse_file(s, oci, e);
        r = j ? read_index(s, j, true, 0, &m, e) : -1;
        if (r == 0 && m.n == 0)
            r = err_set(e, ERR_INVALID, "index.json lists no image");
    } else {
        r = err_set(e, ERR_INVALID, "neither manifest.json nor index.json: not an archive of images");
    }
    if (r < 0)
        manifest_release(&m);
    else
        *ret = m;
    return r;
}
