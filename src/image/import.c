/* POST /images/create?fromSrc=-: an image from the tar of a root file system.
 *
 * The worker makes the one layer; the configuration is written here. Its bytes are the image's identity: the id is
 * their SHA-256, so they are kept exactly as they are hashed. Next: changes.c. */
#include "image/store.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

/* The machine's name as images know it (Go's GOARCH), and for arm64 its variant. */
/* @return the configuration's text, the caller's */
static char *make_config(const char *diff, const struct image_import *what, struct err *e)
{
    char now[CLOCK_TEXT];
    autofree char *digest = store_id(diff);
    const char *comment = str_empty(what->message) ? "Imported from -" : what->message;
    json_auto_t *comment_text = json_string_lossy(comment, strlen(comment));
    clock_format(clock_real(), now);
    json_auto_t *config =
        json_pack("{s:s, s:O, s:{}, s:s, s:[{s:s, s:O}], s:s, s:{s:s, s:[s]}}", "architecture", image_architecture(),
                  "comment", comment_text, "config", "created", now, "history", "created", now, "comment", comment_text,
                  "os", "linux", "rootfs", "type", "layers", "diff_ids", digest);
    if (str_eq(image_architecture(), "arm64"))
        json_object_set_new(config, "variant", json_string("v8"));
    if (platform_set(config, what->platform, e) < 0 ||
        image_changes(json_object_get(config, "config"), what->changes, e) < 0)
        return NULL;
    return json_compact(config);
}

/* @param id takes DIGEST_SIZE bytes */
static int commit_imported(struct image_store *st, const struct staging *s, const json_t *layer, const char *config,
                           const char *key, char *id, struct err *e)
{
    if (staging_put_config(s, config, id, e) < 0)
        return -1;
    json_auto_t *images = json_pack("[{s:s, s:[], s:[O]}]", "config", id, "tags", "layers", layer);
    if (key)
        json_array_append_new(json_object_get(json_array_get(images, 0), "tags"), json_string(key));
    return commit_images(st, s->fd, images, NULL, e);
}

static int import_staged(struct image_store *st, const struct worker_job *job, const struct staging *s, const char *key,
                         const struct image_import *what, char *id, struct err *e)
{
    json_auto_t *done = worker_run(job, e);
    const json_t *layer = json_object_get(done, "layer");
    if (!done)
        return -1;
    if (!str_is_hex(json_str(layer, "diff", ""), DIGEST_HEX))
        return err_set(e, ERR_SYSTEM, ARCHIVE_PROGRAM " reported no layer");
    autofree char *config = make_config(json_str(layer, "diff", ""), what, e);
    return config ? commit_imported(st, s, layer, config, key, id, e) : -1;
}

int reference_of_new(const char *ref, char **ret_key, struct err *e)
{
    struct image_ref r = {NULL, NULL, NULL};
    *ret_key = NULL;
    if (str_empty(ref))
        return 0;
    if (image_ref_parse(ref, &r, e) < 0)
        return -1;
    int k = r.digest ? err_set(e, ERR_INVALID, "cannot import digest reference") : 0;
    if (k == 0)
        *ret_key = reference_key(&r);
    image_ref_release(&r);
    return k;
}

/* All of it is tried before a byte is read: a typing error must not cost an upload. */
static int try(const struct image_import *what, struct err *e)
{
    json_auto_t *config = json_object();
    return platform_set(config, what->platform, e) < 0 ? -1 : image_changes(config, what->changes, e);
}

char *image_import(struct image_store *st, image_source *src, void *src_arg, const struct image_import *what,
                   image_progress *progress, void *progress_arg, struct err *e)
{
    char id[DIGEST_SIZE];
    autofree char *key = NULL;
    struct staging s = STAGING_INIT;
    if (reference_of_new(what->ref, &key, e) < 0 || try(what, e) < 0)
        return NULL;
    store_busy(st);
    int r = staging_make(st, &s, e);
    if (r == 0) {
        const struct worker_job job = {.verb = "import", .work = s.fd, .layers = -1, .src = src, .src_arg = src_arg};
        r = import_staged(st, &job, &s, key, what, id, e);
    }
    staging_remove(st, &s);
    store_idle(st);
    if (r < 0)
        return NULL;
    char *whole = store_id(id);
    json_auto_t *status = json_pack("{s:s}", "status", whole);
    if (progress)
        progress(progress_arg, status);
    store_event(st, "import", id, NULL);
    return whole;
}
