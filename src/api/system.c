/* Handlers about the daemon itself: ping, version, info, events, and the trace. */
#include "api/api.h"
#include "base/file.h"
#include "base/filter.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define TRACE_MAX (8u << 20)

int system_ping(struct request *r, struct err *e)
{
    static const struct http_field fields[] = {{"Api-Version", "1.44"},
                                               {"Builder-Version", "1"},
                                               {"Cache-Control", "no-cache, no-store, must-revalidate"},
                                               {"Content-Type", "text/plain; charset=utf-8"},
                                               {"Docker-Experimental", "false"},
                                               {"Ostype", "linux"},
                                               {"Pragma", "no-cache"},
                                               {"Server", API_SERVER},
                                               {"Swarm", "inactive"},
                                               {NULL, NULL}};
    bool head = strcmp(r->head->method, "HEAD") == 0;
    r->begun = true;
    return http_write_whole(r->http, r->head, 200, fields, head ? "" : "OK", head ? 0 : 2, e);
}

int system_version(struct request *r, struct err *e)
{
    return reply_json(r, 200, engine_version(), e);
}

int system_info(struct request *r, struct err *e)
{
    return reply_json(r, 200, engine_info(r->engine), e);
}

/* Clients ask for any kind of object in turn ("docker inspect NAME"): that there is none of this name is the truth even
 * before there can be any, while the three networks that do exist cannot be told about yet. */
int system_no_network(struct request *r, struct err *e)
{
    if (str_eq(r->name, "none") || str_eq(r->name, "host") || str_eq(r->name, "bridge"))
        return err_set(e, ERR_NOT_IMPLEMENTED, "not implemented yet: networks come with the step on networks");
    return err_set(e, ERR_NOT_FOUND, "network %.128s not found", r->name);
}

int system_no_volume(struct request *r, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "get %.128s: no such volume", r->name);
}

/* "docker system prune" asks for every kind. Nothing was removed where there is nothing yet: no step that makes
 * networks, volumes or a build cache is here. */
static int removed_none(struct request *r, const char *const *keys, json_t *answer, struct err *e)
{
    json_auto_t *filters = input_filters(r, e), *none = answer;
    if (!filters || filters_check(filters, keys, e) < 0)
        return -1;
    return reply_json(r, 200, json_incref(none), e);
}

int system_prune_networks(struct request *r, struct err *e)
{
    static const char *const keys[] = {"until", "label", "label!", NULL};
    return removed_none(r, keys, json_pack("{s:n}", "NetworksDeleted"), e);
}

int system_prune_volumes(struct request *r, struct err *e)
{
    static const char *const keys[] = {"all", "label", "label!", NULL};
    return removed_none(r, keys, json_pack("{s:[], s:i}", "VolumesDeleted", "SpaceReclaimed", 0), e);
}

int system_prune_builds(struct request *r, struct err *e)
{
    static const char *const keys[] = {"until", "label",       "label!",  "id",     "parent",  "type",
                                       "inuse", "description", "mutable", "shared", "private", NULL};
    return removed_none(r, keys, json_pack("{s:n, s:i}", "CachesDeleted", "SpaceReclaimed", 0), e);
}

int system_plugins(struct request *r, struct err *e)
{
    return reply_json(r, 200, json_array(), e);
}

/* ---- events ---- */

static int send_event(void *arg, const json_t *event)
{
    struct request *r = arg;
    struct err ignored; /* a client that is gone ends the stream; there is nobody left to tell */
    if (http_peek_peer(r->http) < 0)
        return 1;
    return event ? reply_object(r, event, "\n", &ignored) < 0 : 0;
}

int system_events(struct request *r, struct err *e)
{
    struct event_query q = {0};
    json_auto_t *filters = input_filters(r, e);
    if (!filters || input_time(r, "since", &q.since, e) < 0 || input_time(r, "until", &q.until, e) < 0)
        return -1;
    q.filters = filters;
    /* The head goes out before the first event: clients wait for it. A bad filter is known at once, so ask first. */
    if (engine_events_check(&q, e) < 0 || reply_begin(r, "application/json", e) < 0)
        return -1;
    if (engine_events(r->engine, &q, send_event, r, e) < 0)
        return -1;
    return reply_end(r, e);
}

/* ---- the trace ---- */

/* Ours, not Docker's: GET /_gorae/trace/{id} gives the spans as JSON lines, once; the file goes with the answer. */
int system_trace(struct request *r, struct err *e)
{
    size_t n;
    if (!str_is_hex(r->name, 16))
        return err_set(e, ERR_INVALID, "a trace id is 16 hexadecimal digits");
    autofree char *path = str_printf("%s/trace/%s", engine_config(r->engine)->exec_root, r->name);
    autofree char *text = file_read(AT_FDCWD, path, TRACE_MAX, &n, e);
    if (!text)
        return e->sys == ENOENT ? err_set(e, ERR_NOT_FOUND, "no such trace: %s", r->name) : -1;
    unlink(path);
    return reply_text(r, 200, "application/x-ndjson", text, e);
}
