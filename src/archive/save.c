/* `gorae-archive save`: an archive that Docker loads and that is an OCI image layout at the same time.
 *
 *     blobs/sha256/<hex>   configurations, plain layer tars, manifests; each once, however many images share it
 *     manifest.json        docker's table of contents
 *     repositories         the same idea of 2013, for the oldest readers
 *     index.json, oci-layout   OCI's table of contents
 *
 * All entries carry owner 0:0 and the time 0, and come in a fixed order, so one set of images is always one sequence of
 * bytes. Each blob is hashed again while it is copied: what rotted on the disk must not travel on under its old name.
 * The tables come last; whoever reads sees only whole archives or cut ones. Next: confine.c. */
#include "archive/worker.h"
#include "base/archiveproto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SAVE_COPY (256 << 10)

struct save {
    int blobs;
    struct archive *out;
    struct strv written; /* blobs that are in the archive already */
    json_t *docker;      /* manifest.json */
    json_t *index;       /* index.json's manifests */
    json_t *repositories;
};

static int out_error(struct save *s, struct err *e)
{
    return err_set(e, ERR_SYSTEM, "write the archive: %s", archive_error_string(s->out));
}

static int put_header(struct save *s, const char *name, int64_t size, struct err *e)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, size);
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    int r = archive_write_header(s->out, entry);
    archive_entry_free(entry);
    return r == ARCHIVE_OK ? 0 : out_error(s, e);
}

static int put_data(struct save *s, const void *p, size_t n, struct err *e)
{
    return archive_write_data(s->out, p, n) == (la_ssize_t)n ? 0 : out_error(s, e);
}

static int put_text(struct save *s, const char *name, const char *text, struct err *e)
{
    if (put_header(s, name, (int64_t)strlen(text), e) < 0)
        return -1;
    return put_data(s, text, strlen(text), e);
}

/* True the first time it is asked about `hex`. */
static bool first_time(struct save *s, const char *hex)
{
    for (size_t i = 0; i < s->written.n; i++)
        if (str_eq(s->written.v[i], hex))
            return false;
    strv_add(&s->written, hex);
    return true;
}

/* Exactly `size` bytes, as the header has promised; a file that changed its length meanwhile is an error. */
static int copy_hashed(struct save *s, int fd, int64_t size, char *hex, struct err *e)
{
    autofree char *buf = mem_alloc(SAVE_COPY);
    struct digest d;
    digest_init(&d);
    while (size > 0) {
        ssize_t k = fd_read_full(fd, buf, size < SAVE_COPY ? (size_t)size : SAVE_COPY);
        if (k <= 0)
            return k < 0 ? err_sys(e, "read") : err_set(e, ERR_SYSTEM, "it ends before its length");
        digest_add(&d, buf, (size_t)k);
        if (put_data(s, buf, (size_t)k, e) < 0)
            return -1;
        size -= k;
    }
    digest_hex(&d, hex);
    return 0;
}

static int put_blob(struct save *s, const char *hex, int64_t *ret_size, struct err *e)
{
    struct stat st;
    char found[DIGEST_SIZE];
    autoclose int fd = openat(s->blobs, hex, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, "open blob %s", hex);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_SYSTEM, "blob %s is not a regular file", hex);
    *ret_size = st.st_size;
    if (!first_time(s, hex))
        return 0;
    autofree char *name = str_printf("blobs/sha256/%s", hex);
    if (put_header(s, name, st.st_size, e) < 0 || copy_hashed(s, fd, st.st_size, found, e) < 0)
        return err_wrap(e, "blob %s", hex);
    return str_eq(found, hex) ? 0 : err_set(e, ERR_SYSTEM, "blob %s is damaged: its digest is %s", hex, found);
}

static json_t *descriptor(const char *type, const char *hex, int64_t size)
{
    autofree char *digest = str_printf(DIGEST_PREFIX "%s", hex);
    return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size", (json_int_t)size);
}

/* "docker.io/library/busybox" as people write it. */
static const char *familiar(const char *canonical)
{
    static const char *const dropped[] = {"docker.io/library/", "docker.io/"};
    for (size_t i = 0; i < 2; i++)
        if (str_starts(canonical, dropped[i]))
            return canonical + strlen(dropped[i]);
    return canonical;
}

/* repositories: {"busybox":{"latest":"<layer>"}}. Only readers older than 2016 look at it. */
static void add_repository(struct save *s, const char *tag, const char *top)
{
    const char *name = familiar(tag);
    const char *colon = strrchr(name, ':');
    autofree char *repo = mem_strndup(name, (size_t)(colon - name));
    json_t *tags = json_object_get(s->repositories, repo);
    if (!tags) {
        tags = json_object();
        json_object_set_new(s->repositories, repo, tags);
    }
    json_object_set_new(tags, colon + 1, json_string(top));
}

/* Enter the image in all tables of contents. An OCI index has one entry a name, or one without a name. */
static void add_tables(struct save *s, const json_t *image, json_t *layers, const char *top, json_t *manifest)
{
    json_t *names = json_array(), *tag;
    size_t i;
    json_array_foreach(json_object_get(image, "tags"), i, tag)
    {
        const char *text = json_string_value(tag);
        const char *colon = text ? strrchr(text, ':') : NULL;
        if (!colon)
            continue;
        json_array_append_new(names, json_string(familiar(text)));
        add_repository(s, text, top);
        json_t *d = json_copy(manifest);
        json_object_set_new(
            d, "annotations",
            json_pack("{s:s, s:s}", "io.containerd.image.name", text, "org.opencontainers.image.ref.name", colon + 1));
        json_array_append_new(s->index, d);
    }
    if (json_array_size(names) == 0)
        json_array_append(s->index, manifest);
    autofree char *config = str_printf("blobs/sha256/%s", json_str(image, "config", ""));
    json_array_append_new(s->docker,
                          json_pack("{s:s, s:o, s:O}", "Config", config, "RepoTags",
                                    json_array_size(names) ? json_incref(names) : json_null(), "Layers", layers));
    json_decref(names);
}

static int put_manifest(struct save *s, const char *text, char *hex, struct err *e)
{
    digest_of(text, strlen(text), hex);
    if (!first_time(s, hex))
        return 0;
    autofree char *name = str_printf("blobs/sha256/%s", hex);
    return put_text(s, name, text, e);
}

static int put_image(struct save *s, const json_t *image, struct err *e)
{
    const char *config = json_str(image, "config", ""), *top = config;
    json_auto_t *paths = json_array();
    json_auto_t *manifest = json_pack("{s:i, s:s, s:n, s:[]}", "schemaVersion", 2, "mediaType",
                                      "application/vnd.oci.image.manifest.v1+json", "config", "layers");
    int64_t size = 0;
    size_t i;
    json_t *layer;
    if (!str_is_hex(config, DIGEST_HEX))
        return err_set(e, ERR_INVALID, "the request names an image that is not a digest");
    if (put_blob(s, config, &size, e) < 0)
        return -1;
    json_object_set_new(manifest, "config", descriptor("application/vnd.oci.image.config.v1+json", config, size));
    json_array_foreach(json_object_get(image, "layers"), i, layer)
    {
        top = json_string_value(layer);
        if (!str_is_hex(top, DIGEST_HEX))
            return err_set(e, ERR_INVALID, "the request names a layer that is not a digest");
        if (put_blob(s, top, &size, e) < 0)
            return -1;
        json_array_append_new(json_object_get(manifest, "layers"),
                              descriptor("application/vnd.oci.image.layer.v1.tar", top, size));
        json_array_append_new(paths, json_sprintf("blobs/sha256/%s", top));
    }
    char hex[DIGEST_SIZE];
    autofree char *text = json_compact(manifest);
    if (put_manifest(s, text, hex, e) < 0)
        return -1;
    json_auto_t *d = descriptor("application/vnd.oci.image.manifest.v1+json", hex, (int64_t)strlen(text));
    add_tables(s, image, paths, top, d);
    return 0;
}

static int put_json(struct save *s, const char *name, const json_t *j, struct err *e)
{
    autofree char *text = json_compact(j);
    return put_text(s, name, text, e);
}

static int put_all(struct save *s, const json_t *request, struct err *e)
{
    size_t i;
    json_t *image;
    json_array_foreach(json_object_get(request, "images"), i, image)
    {
        if (put_image(s, image, e) < 0)
            return -1;
    }
    json_auto_t *index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
                                   "application/vnd.oci.image.index.v1+json", "manifests", s->index);
    json_auto_t *layout = json_pack("{s:s}", "imageLayoutVersion", "1.0.0");
    if (put_json(s, "index.json", index, e) < 0 || put_json(s, "manifest.json", s->docker, e) < 0 ||
        put_json(s, "oci-layout", layout, e) < 0)
        return -1;
    if (json_object_size(s->repositories) > 0 && put_json(s, "repositories", s->repositories, e) < 0)
        return -1;
    return archive_write_close(s->out) == ARCHIVE_OK ? 0 : out_error(s, e);
}

static int save_to(struct save *s, const json_t *request, struct err *e)
{
    s->out = archive_write_new();
    /* "Restricted pax": plain ustar, and pax headers only for what ustar cannot say (a layer over 8 GiB). */
    if (archive_write_set_format_pax_restricted(s->out) != ARCHIVE_OK ||
        archive_write_open_fd(s->out, STDOUT_FILENO) != ARCHIVE_OK)
        return out_error(s, e);
    return put_all(s, request, e);
}

int save_run(int blobs, struct err *e)
{
    size_t len;
    struct save s = {.blobs = blobs};
    struct span span = trace_begin(0, "write the archive");
    autofree char *text = fd_read_all(STDIN_FILENO, DOCUMENT_MAX, &len, e);
    json_auto_t *request = text ? json_parse(text, len, e) : NULL;
    if (!request)
        return -1;
    s.docker = json_array();
    s.index = json_array();
    s.repositories = json_object();
    int r = save_to(&s, request, e);
    if (s.out)
        archive_write_fail(s.out); /* after a failure: free without writing an end; after a close it changes nothing */
    archive_write_free(s.out);
    json_decref(s.docker);
    json_decref(s.index);
    json_decref(s.repositories);
    if (r == 0)
        trace_end(&span, "%zu blobs", s.written.n);
    strv_release(&s.written);
    return r < 0 ? -1 : message_send(json_pack("{s:s}", "ev", "done"), e);
}
