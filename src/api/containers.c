/* Handlers of /containers: each reads its input, asks the engine, and answers (spec 1.2). */
#include "api/api.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/signame.h"
#include "base/trace.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

/* A long list is sent while it is made: the client reads the first part while the second is looked up. */
#define LIST_PART 16384 /* bytes that are sent at once */

struct list_answer {
    struct request *r;
    struct str text;
    struct span span; /* from the first part that is sent to the last */
    size_t bytes;
};

static int list_send(struct list_answer *a, struct err *e)
{
    if (!a->r->begun) {
        a->span = trace_begin(4, "answer");
        if (reply_begin(a->r, "application/json", e) < 0)
            return -1;
    }
    a->bytes += a->text.len;
    int r = reply_chunk(a->r, a->text.s, a->text.len, e);
    str_reset(&a->text);
    return r;
}

static int list_add(void *arg, json_t *element, struct err *e)
{
    struct list_answer *a = arg;
    autofree char *text = json_compact(element);
    json_decref(element);
    str_addc(&a->text, a->text.len > 0 || a->r->begun ? ',' : '[');
    str_add(&a->text, text);
    return a->text.len < LIST_PART ? 0 : list_send(a, e);
}

static int list_end(struct list_answer *a, struct err *e)
{
    str_add(&a->text, a->text.len > 0 || a->r->begun ? "]\n" : "[]\n");
    if (!a->r->begun)
        return reply_text(a->r, 200, "application/json", a->text.s, e);
    int r = list_send(a, e) < 0 ? -1 : reply_end(a->r, e);
    trace_end(&a->span, "200 OK, %zu bytes of body, sent as they were made", a->bytes);
    return r;
}

int containers_list(struct request *r, struct err *e)
{
    struct list_options o = {.brief = http_header(r->head, "Gorae-Brief") != NULL,
                             .all = http_query_bool(&r->target, "all", false),
                             .size = http_query_bool(&r->target, "size", false)};
    json_auto_t *filters = input_filters(r, e);
    o.filters = filters;
    static const char *const old[] = {"since", "before"}; /* how clients before 1.24 asked, and some still do */
    for (size_t i = 0; i < 2; i++) {
        const char *name = http_query(&r->target, old[i], "");
        if (filters && *name && !json_object_get(filters, old[i]))
            json_object_set_new(filters, old[i], json_pack("[s]", name));
    }
    if (!filters || input_int(r, "limit", 0, &o.limit, e) < 0)
        return -1;
    struct list_answer answer = {.r = r};
    int got = engine_list(r->engine, &o, list_add, &answer, e) < 0 ? -1 : list_end(&answer, e);
    str_release(&answer.text);
    return got;
}

int containers_create(struct request *r, struct err *e)
{
    json_auto_t *body = input_json(r, true, e);
    const char *name = http_query(&r->target, "name", NULL), *platform = http_query(&r->target, "platform", "");
    return reply_json(r, 201, body ? engine_create(r->engine, name, platform, body, r->minor, e) : NULL, e);
}

int containers_inspect(struct request *r, struct err *e)
{
    return reply_json(r, 200, engine_inspect(r->engine, r->name, http_query_bool(&r->target, "size", false), e), e);
}

int containers_start(struct request *r, struct err *e)
{
    /* Ancient clients sent a HostConfig here. A body of a few bytes ("{}", "null") is tolerated, as Docker does. */
    autofree char *body = http_read_body_all(r->http, 7, NULL, e);
    if (!body)
        return e->kind == ERR_TOO_LARGE ? err_set(e, ERR_INVALID, "starting a container with a body is not supported")
                                        : -1;
    return engine_start(r->engine, r->name, e) < 0 ? -1 : reply_empty(r, 204, e);
}

/* A signal given by name or number; 0 where none was. */
static int input_signal(struct request *r, int *ret, struct err *e)
{
    const char *text = http_query(&r->target, "signal", "");
    *ret = *text ? signal_number(text) : 0;
    if (*text && *ret == 0)
        return err_set(e, ERR_INVALID, "Invalid signal: %.32s", text);
    return 0;
}

/* The patience and the signal of stop and restart. */
static int input_stop(struct request *r, int *ret_signal, int *ret_timeout, struct err *e)
{
    int64_t t;
    *ret_signal = 0;
    if (input_int(r, "t", ENGINE_TIMEOUT_DEFAULT, &t, e) < 0 || (r->minor >= 42 && input_signal(r, ret_signal, e) < 0))
        return -1;
    if (t != ENGINE_TIMEOUT_DEFAULT && (t < -1 || t > INT32_MAX))
        return err_set(e, ERR_INVALID, "t=%lld: a number of seconds, or -1 for ever, is expected", (long long)t);
    *ret_timeout = (int)t;
    return 0;
}

int containers_stop(struct request *r, struct err *e)
{
    int signal, t;
    if (input_stop(r, &signal, &t, e) < 0)
        return -1;
    return engine_stop(r->engine, r->name, signal, t, e) < 0 ? -1 : reply_empty(r, 204, e);
}

int containers_restart(struct request *r, struct err *e)
{
    int signal, t;
    if (input_stop(r, &signal, &t, e) < 0)
        return -1;
    return engine_restart(r->engine, r->name, signal, t, e) < 0 ? -1 : reply_empty(r, 204, e);
}

int containers_kill(struct request *r, struct err *e)
{
    int signal;
    if (input_signal(r, &signal, e) < 0)
        return -1;
    return engine_kill(r->engine, r->name, signal ? signal : SIGKILL, e) < 0 ? -1 : reply_empty(r, 204, e);
}

int containers_pause(struct request *r, struct err *e)
{
    return engine_pause(r->engine, r->name, e) < 0 ? -1 : reply_empty(r, 204, e);
}

int containers_unpause(struct request *r, struct err *e)
{
    return engine_unpause(r->engine, r->name, e) < 0 ? -1 : reply_empty(r, 204, e);
}

int containers_top(struct request *r, struct err *e)
{
    return reply_json(r, 200, engine_top(r->engine, r->name, http_query(&r->target, "ps_args", ""), e), e);
}

int containers_prune(struct request *r, struct err *e)
{
    json_auto_t *filters = input_filters(r, e);
    return reply_json(r, 200, filters ? engine_prune(r->engine, filters, e) : NULL, e);
}

int containers_update(struct request *r, struct err *e)
{
    json_auto_t *body = input_json(r, true, e);
    return reply_json(r, 200, body ? engine_update(r->engine, r->name, body, e) : NULL, e);
}

int containers_resize(struct request *r, struct err *e)
{
    int h, w;
    if (input_size(r, &h, &w, e) < 0)
        return -1;
    return engine_resize(r->engine, r->name, h, w, e) < 0 ? -1 : reply_empty(r, 200, e);
}

int containers_rename(struct request *r, struct err *e)
{
    const char *to = http_query(&r->target, "name", "");
    return engine_rename(r->engine, r->name, to, e) < 0 ? -1 : reply_empty(r, 204, e);
}

int containers_remove(struct request *r, struct err *e)
{
    if (http_query_bool(&r->target, "link", false))
        return err_set(e, ERR_NOT_IMPLEMENTED, "removing a link comes with the step on networks");
    return engine_remove(r->engine, r->name, http_query_bool(&r->target, "force", false),
                         http_query_bool(&r->target, "v", false), e) < 0
               ? -1
               : reply_empty(r, 204, e);
}

/* ---- wait ---- */

static int parse_condition(const char *text, enum wait_condition *ret, struct err *e)
{
    static const char *const words[] = {"not-running", "next-exit", "removed"};
    for (int i = 0; i < 3; i++)
        if (str_eq(text, words[i]) || (i == 0 && *text == '\0')) {
            *ret = (enum wait_condition)i;
            return 0;
        }
    return err_set(e, ERR_INVALID, "invalid condition: \"%.32s\"", text);
}

/* Until the container gets there or the client goes away. @return true for the first */
static bool block(struct request *r, struct waiter *w)
{
    struct pollfd p[2] = {{.fd = engine_wait_fd(w), .events = POLLIN}, {.fd = r->http->fd, .events = POLLRDHUP}};
    for (;;) {
        int n = poll(p, 2, -1);
        if (n < 0 && errno != EINTR)
            return false;
        if (p[0].revents)
            return true;
        if (n > 0 && p[1].revents) /* closed, or at least no longer able to ask for more: give up waiting */
            return false;
    }
}

/* The head goes out as soon as the waiting has begun: `run` sends start only after it has seen it (spec 3.5). */
int containers_wait(struct request *r, struct err *e)
{
    enum wait_condition cond = WAIT_NOT_RUNNING;
    const char *error;
    bool early = r->minor >= 30;
    if (early && parse_condition(http_query(&r->target, "condition", ""), &cond, e) < 0)
        return -1;
    struct waiter *w = engine_wait_begin(r->engine, r->name, cond, e);
    if (!w)
        return -1;
    int got = early ? reply_begin(r, "application/json", e) : 0;
    if (got == 0 && !block(r, w)) {
        r->http->broken = true;
        got = err_set(e, ERR_UNAVAILABLE, "the client went away");
        r->begun = true;
    }
    if (got == 0) {
        int code = engine_wait_result(r->engine, w, &error);
        json_t *why = error ? json_pack("{s:s}", "Message", error) : json_null();
        json_auto_t *j = json_pack("{s:i, s:o}", "StatusCode", code, "Error", why);
        got = early ? reply_object(r, j, "\n", e) : reply_json(r, 200, json_incref(j), e);
        if (got == 0 && early)
            got = reply_end(r, e);
    }
    engine_wait_end(r->engine, w);
    return got;
}
