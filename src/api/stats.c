/* GET /containers/{id}/stats: readings, one a second, or one alone (spec 3.10).
 *
 * What a client gets depends on two words of the query. stream=1, the default: a reading at once and another each
 * second, each with the one before, until the client goes or the container is removed. stream=0: one answer that holds
 * two readings a second apart, so that a percentage can be made of it. stream=0 and one-shot=1: one reading at once. */
#include "api/api.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>

#define SECOND_MS 1000

/* @return false where the client went away meanwhile */
static bool a_second_later(struct request *r)
{
    struct pollfd p = {.fd = r->http->fd, .events = POLLRDHUP};
    int n;
    while ((n = poll(&p, 1, SECOND_MS)) < 0 && errno == EINTR)
        ;
    return n == 0;
}

static int stream(struct request *r, json_t *first, struct err *e)
{
    json_auto_t *last = json_incref(first);
    autofree char *id = mem_strdup(json_str(first, "id", "")); /* its name may change meanwhile */
    int got = reply_object(r, last, "\n", e);
    while (got == 0 && a_second_later(r)) {
        json_t *next = engine_stats(r->engine, id, last, e);
        if (!next)
            return reply_end(r, e); /* removed: the stream ends as it began, quietly */
        json_decref(last);
        last = next;
        got = reply_object(r, last, "\n", e);
    }
    if (got == 0)
        r->http->broken = true;
    return got;
}

int stats_get(struct request *r, struct err *e)
{
    bool streams = http_query_bool(&r->target, "stream", true);
    bool once = r->minor >= 41 && http_query_bool(&r->target, "one-shot", false);
    if (streams && once)
        return err_set(e, ERR_INVALID, "cannot have stream=true and one-shot=true");
    json_auto_t *first = engine_stats(r->engine, r->name, NULL, e);
    if (!first)
        return -1;
    if (streams)
        return stream(r, first, e);
    bool runs = json_object_get(json_object_get(first, "cpu_stats"), "system_cpu_usage") != NULL;
    if (once || !runs)
        return reply_json(r, 200, json_incref(first), e);
    if (!a_second_later(r))
        return err_set(e, ERR_UNAVAILABLE, "the client went away");
    return reply_json(r, 200, engine_stats(r->engine, json_str(first, "id", ""), first, e), e);
}
