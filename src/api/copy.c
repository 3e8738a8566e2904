/* Handlers about the files of a container: cp, export, diff, commit (spec 1.2, 3.9). */
#include "api/api.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

#define STAT_HEADER "X-Docker-Container-Path-Stat"

/* The header's value. @return the caller's */
static char *stat_value(const json_t *stat)
{
    autofree char *text = json_compact(stat);
    return base64_encode(text, strlen(text));
}

static const char *path_of(const struct request *r)
{
    return http_query(&r->target, "path", "");
}

int copy_stat(struct request *r, struct err *e)
{
    json_auto_t *stat = engine_path_stat(r->engine, r->name, path_of(r), e);
    if (!stat)
        return -1;
    autofree char *value = stat_value(stat);
    r->extra = (struct http_field){STAT_HEADER, value};
    int got = reply_empty(r, 200, e);
    r->extra.name = NULL;
    return got;
}

/* ---- bytes out ---- */

struct out {
    struct request *r;
    const char *type;
};

static int to_body(void *arg, const void *p, size_t n)
{
    struct out *o = arg;
    struct err ignored; /* the client is gone: so is the reason to go on */
    if (!o->r->begun && reply_begin(o->r, o->type, &ignored) < 0)
        return 1;
    return reply_chunk(o->r, p, n, &ignored) < 0;
}

/* The head goes out with what the path is, before its first byte. */
static int to_head(void *arg, const json_t *msg)
{
    struct out *o = arg;
    struct err ignored;
    autofree char *value = stat_value(json_object_get(msg, "stat"));
    o->r->extra = (struct http_field){STAT_HEADER, value};
    int r = reply_begin(o->r, o->type, &ignored);
    o->r->extra.name = NULL;
    return r < 0;
}

/* Half an archive must not look like a whole one: no last chunk. */
static int end(struct request *r, int got, struct err *e)
{
    if (got < 0) {
        r->http->broken = r->begun;
        return -1;
    }
    return reply_end(r, e);
}

int copy_get(struct request *r, struct err *e)
{
    struct out o = {r, "application/x-tar"};
    return end(r, engine_copy_out(r->engine, r->name, path_of(r), to_head, &o, to_body, &o, e), e);
}

int copy_export(struct request *r, struct err *e)
{
    struct out o = {r, "application/octet-stream"};
    return end(r, engine_export(r->engine, r->name, to_body, &o, e), e);
}

int copy_changes(struct request *r, struct err *e)
{
    struct out o = {r, "application/json"};
    return end(r, engine_changes(r->engine, r->name, to_body, &o, e), e);
}

/* ---- bytes in ---- */

int copy_put(struct request *r, struct err *e)
{
    const struct copy_in o = {.path = path_of(r),
                              .strict = http_query_bool(&r->target, "noOverwriteDirNonDir", false),
                              .own_user = http_query_bool(&r->target, "copyUIDGID", false)};
    if (input_upload(r, e) < 0 || engine_copy_in(r->engine, r->name, &o, input_body, r, e) < 0)
        return -1;
    return reply_empty(r, 200, e);
}

/* ---- commit ---- */

int copy_commit(struct request *r, struct err *e)
{
    const char *repo = http_query(&r->target, "repo", ""), *tag = http_query(&r->target, "tag", "");
    autofree char *ref = *repo && *tag ? str_printf("%s:%s", repo, tag) : mem_strdup(repo);
    autostrv changes = {NULL, 0};
    json_auto_t *config = input_json(r, false, e);
    if (!config)
        return -1;
    input_list(r, "changes", &changes);
    const struct commit_options o = {.ref = ref,
                                     .author = http_query(&r->target, "author", ""),
                                     .comment = http_query(&r->target, "comment", ""),
                                     .pause = http_query_bool(&r->target, "pause", true),
                                     .changes = &changes,
                                     .config = config};
    autofree char *id = engine_commit(r->engine, http_query(&r->target, "container", ""), &o, e);
    return id ? reply_json(r, 201, json_pack("{s:s}", "Id", id), e) : -1;
}

int system_df(struct request *r, struct err *e)
{
    autostrv types = {NULL, 0};
    input_list(r, "type", &types);
    return reply_json(r, 200, engine_usage(r->engine, &types, e), e);
}
