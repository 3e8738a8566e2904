/* POST /images/load: archives of images. The worker opens it (archive/load.c), commit.c takes it in. Next: import.c. */
#include "image/store.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

struct load_progress {
    image_progress *to;
    void *arg;
};

/* The worker's message in Docker's words. */
static int forward(void *arg, const json_t *msg)
{
    const struct load_progress *p = arg;
    json_auto_t *out = json_pack("{s:s, s:{s:I, s:I}, s:s}", "status", "Loading layer", "progressDetail", "current",
                                 (json_int_t)json_int(msg, "current", 0), "total",
                                 (json_int_t)json_int(msg, "total", 0), "id", json_str(msg, "id", ""));
    return p->to(p->arg, out);
}

static int say(const struct load_progress *p, const char *fmt, const char *a, const char *b)
{
    if (!p->to)
        return 0;
    autostr text = STR_INIT;
    str_add(&text, fmt);
    str_add(&text, a);
    if (b)
        str_addf(&text, " already exists, renaming the old one with ID sha256:%s to empty string", b);
    str_addc(&text, '\n');
    json_auto_t *out = json_pack("{s:s}", "stream", text.s);
    return p->to(p->arg, out);
}

/* What happened, to the client; the store is changed already, so a client that is gone changes nothing. */
static void tell(struct image_store *st, const struct load_progress *p, const json_t *images, const json_t *moved)
{
    json_each (x, moved)
        say(p, "The image ", json_str(x, "tag", ""), json_str(x, "was", ""));
    json_each (x, images) {
        const char *id = json_str(x, "config", "");
        autofree char *whole = store_id(id);
        json_each (tag, json_object_get(x, "tags")) {
            struct image_ref r = {NULL, NULL, NULL};
            struct err ignored; /* commit_images() has parsed it */
            if (image_ref_parse(json_string_value(tag), &r, &ignored) < 0)
                continue;
            autofree char *familiar = image_ref_familiar(&r);
            image_ref_release(&r);
            say(p, "Loaded image: ", familiar, NULL);
        }
        if (json_array_size(json_object_get(x, "tags")) == 0)
            say(p, "Loaded image ID: ", whole, NULL);
        store_event(st, "load", id, NULL);
    }
}

static int load_staged(struct image_store *st, struct worker_job *job, const struct staging *s,
                       const struct load_progress *p, struct err *e)
{
    json_auto_t *moved = NULL;
    json_auto_t *done = worker_run(job, e);
    if (!done)
        return -1;
    const json_t *images = json_object_get(done, "images");
    if (commit_images(st, s->fd, images, &moved, e) < 0)
        return -1;
    tell(st, p, images, moved);
    return 0;
}

int image_load(struct image_store *st, image_source *src, void *src_arg, bool quiet, image_progress *progress,
               void *progress_arg, struct err *e)
{
    struct load_progress p = {progress, progress_arg};
    struct staging s = STAGING_INIT;
    store_busy(st);
    int r = staging_make(st, &s, e);
    autoclose int layers = r < 0 ? -1 : store_open_folder(st, "layers", e);
    if (layers >= 0) {
        struct worker_job job = {.verb = "load",
                                 .work = s.fd,
                                 .layers = layers,
                                 .src = src,
                                 .src_arg = src_arg,
                                 .progress = quiet || !progress ? NULL : forward,
                                 .progress_arg = &p};
        r = load_staged(st, &job, &s, &p, e);
    } else {
        r = -1;
    }
    staging_remove(st, &s);
    store_idle(st);
    return r;
}
