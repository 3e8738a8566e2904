/* Handlers of /images: lists, tags, removal, and archives in and out (spec 1.3, 3.8). */
#include "api/api.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

int images_list(struct request *r, struct err *e)
{
    json_auto_t *filters = input_filters(r, e);
    const char *glob = http_query(&r->target, "filter", "");
    if (!filters)
        return -1;
    if (*glob && !json_object_get(filters, "reference")) /* how clients before 1.41 said it */
        json_object_set_new(filters, "reference", json_pack("[s]", glob));
    return reply_json(
        r, 200, image_list(engine_images(r->engine), filters, http_query_bool(&r->target, "all", false), r->minor, e),
        e);
}

int images_inspect(struct request *r, struct err *e)
{
    return reply_json(r, 200, image_inspect(engine_images(r->engine), r->name, e), e);
}

int images_history(struct request *r, struct err *e)
{
    return reply_json(r, 200, image_history(engine_images(r->engine), r->name, e), e);
}

int images_tag(struct request *r, struct err *e)
{
    const char *repo = http_query(&r->target, "repo", ""), *tag = http_query(&r->target, "tag", "");
    return image_tag(engine_images(r->engine), r->name, repo, tag, e) < 0 ? -1 : reply_empty(r, 201, e);
}

int images_remove(struct request *r, struct err *e)
{
    return reply_json(r, 200,
                      image_remove(engine_images(r->engine), r->name, http_query_bool(&r->target, "force", false),
                                   http_query_bool(&r->target, "noprune", false), e),
                      e);
}

int images_prune(struct request *r, struct err *e)
{
    json_auto_t *filters = input_filters(r, e);
    if (!filters)
        return -1;
    return reply_json(r, 200, image_prune(engine_images(r->engine), filters, e), e);
}

/* ---- archives ---- */

static int to_progress(void *arg, const json_t *msg)
{
    struct err ignored; /* nobody is left to read it: the operation is given up */
    return reply_object(arg, msg, "\r\n", &ignored) < 0;
}

/* The end of a JSON stream. What failed before its first byte is an ordinary error; later it becomes its last object.
 */
static int end_stream(struct request *r, int result, struct err *e)
{
    if (result < 0 && !r->begun)
        return -1;
    if (result < 0) {
        struct err lost;
        json_t *text = json_string_lossy(e->msg, strlen(e->msg));
        json_auto_t *last = json_pack("{s:{s:O}, s:o}", "errorDetail", "message", text, "error", text);
        reply_object(r, last, "\r\n", &lost);
    } else if (!r->begun && reply_begin(r, "application/json", e) < 0) {
        return -1;
    }
    return reply_end(r, e);
}

int images_load(struct request *r, struct err *e)
{
    if (input_upload(r, e) < 0)
        return -1;
    int got = image_load(engine_images(r->engine), input_body, r, http_query_bool(&r->target, "quiet", false),
                         to_progress, r, e);
    return end_stream(r, got, e);
}

static int import(struct request *r, struct err *e)
{
    const char *repo = http_query(&r->target, "repo", ""), *tag = http_query(&r->target, "tag", "");
    autofree char *ref = *tag ? str_printf("%s%s%s", repo, strchr(tag, ':') ? "@" : ":", tag) : mem_strdup(repo);
    autostrv changes = {NULL, 0};
    input_list(r, "changes", &changes);
    const struct image_import what = {ref, http_query(&r->target, "message", ""),
                                      http_query(&r->target, "platform", ""), &changes};
    autofree char *id = image_import(engine_images(r->engine), input_body, r, &what, to_progress, r, e);
    return end_stream(r, id ? 0 : -1, e);
}

int images_create(struct request *r, struct err *e)
{
    const char *src = http_query(&r->target, "fromSrc", ""), *image = http_query(&r->target, "fromImage", "");
    if (str_eq(src, "-"))
        return input_upload(r, e) < 0 ? -1 : import(r, e);
    if (*src)
        return err_set(e, ERR_NOT_IMPLEMENTED,
                       "not implemented yet: importing from an address comes with the step on registries");
    if (*image)
        return err_set(
            e, ERR_NOT_IMPLEMENTED,
            "not implemented yet: pulling %.200s comes with the step on registries; `load` and `import` work now",
            image);
    return err_set(e, ERR_INVALID, "images/create needs fromSrc or fromImage");
}

static int to_body(void *arg, const void *p, size_t n)
{
    struct request *r = arg;
    struct err ignored; /* the client is gone: the saving ends */
    if (!r->begun && reply_begin(r, "application/x-tar", &ignored) < 0)
        return 1;
    return reply_chunk(r, p, n, &ignored) < 0;
}

static int save(struct request *r, const struct strv *names, struct err *e)
{
    if (image_save(engine_images(r->engine), names, to_body, r, e) < 0) {
        r->http->broken = r->begun; /* half an archive must not look like a whole one: no last chunk */
        return -1;
    }
    return reply_end(r, e);
}

int images_get(struct request *r, struct err *e)
{
    autostrv names = {NULL, 0};
    input_list(r, "names", &names);
    if (names.n == 0)
        return err_set(e, ERR_INVALID, "images/get needs at least one name");
    return save(r, &names, e);
}

int images_get_one(struct request *r, struct err *e)
{
    autostrv names = {NULL, 0};
    strv_add(&names, r->name);
    return save(r, &names, e);
}
