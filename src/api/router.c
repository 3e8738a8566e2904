/* The route table: which handler answers which method and path.
 *
 * A pattern has at most one {}, which stands for a name: anything, even with slashes (an image may be called
 * 127.0.0.1:5000/a/b), so it is what lies between the pattern's head and tail. The first row that fits wins; fixed
 * paths stand before patterns. A path that no row knows is 404, never 405, whatever the method (spec 2.3).
 *
 * Read next: the handlers of one subject, containers.c, or the most unusual of them, streams.c. */
#include "api/api.h"
#include "base/clock.h"
#include "base/doing.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tlsproto.h"
#include "base/trace.h"

#include <stdlib.h>
#include <string.h>

struct route {
    const char *method, *pattern;
    handler_fn *handler; /* NULL: 501 with the sentence below */
    const char *later;   /* what it would do, and which step brings it */
};

static const struct route routes[] = {
    {"HEAD", "/_ping", system_ping, NULL},
    {"GET", "/_ping", system_ping, NULL},
    {"GET", "/version", system_version, NULL},
    {"GET", "/info", system_info, NULL},
    {"GET", "/events", system_events, NULL},
    {"GET", "/plugins", system_plugins, NULL},
    {"GET", "/_gorae/trace/{}", system_trace, NULL},
    {"GET", "/system/df", system_df, NULL},
    {"POST", "/auth", NULL, "login comes with the step on registries"},
    {"GET", "/distribution/{}/json", NULL, "looking into a registry comes with the step on registries"},

    {"GET", "/containers/json", containers_list, NULL},
    {"POST", "/containers/create", containers_create, NULL},
    {"POST", "/containers/prune", containers_prune, NULL},
    {"GET", "/containers/{}/json", containers_inspect, NULL},
    {"POST", "/containers/{}/start", containers_start, NULL},
    {"POST", "/containers/{}/stop", containers_stop, NULL},
    {"POST", "/containers/{}/restart", containers_restart, NULL},
    {"POST", "/containers/{}/pause", containers_pause, NULL},
    {"POST", "/containers/{}/unpause", containers_unpause, NULL},
    {"POST", "/containers/{}/kill", containers_kill, NULL},
    {"POST", "/containers/{}/wait", containers_wait, NULL},
    {"POST", "/containers/{}/attach", streams_attach, NULL},
    {"POST", "/containers/{}/resize", containers_resize, NULL},
    {"POST", "/containers/{}/rename", containers_rename, NULL},
    {"GET", "/containers/{}/logs", streams_logs, NULL},
    {"GET", "/containers/{}/attach/ws", NULL, "attaching through a WebSocket is not supported"},
    {"POST", "/containers/{}/update", containers_update, NULL},
    {"POST", "/containers/{}/exec", exec_create, NULL},
    {"GET", "/containers/{}/stats", stats_get, NULL},
    {"GET", "/containers/{}/top", containers_top, NULL},
    {"GET", "/containers/{}/changes", copy_changes, NULL},
    {"GET", "/containers/{}/export", copy_export, NULL},
    {"HEAD", "/containers/{}/archive", copy_stat, NULL},
    {"GET", "/containers/{}/archive", copy_get, NULL},
    {"PUT", "/containers/{}/archive", copy_put, NULL},
    {"DELETE", "/containers/{}", containers_remove, NULL},
    {"POST", "/exec/{}/start", exec_start, NULL},
    {"POST", "/exec/{}/resize", exec_resize, NULL},
    {"GET", "/exec/{}/json", exec_inspect, NULL},
    {"POST", "/commit", copy_commit, NULL},

    {"GET", "/images/json", images_list, NULL},
    {"POST", "/images/create", images_create, NULL},
    {"POST", "/images/load", images_load, NULL},
    {"GET", "/images/get", images_get, NULL},
    {"POST", "/images/prune", images_prune, NULL},
    {"GET", "/images/search", NULL, "search comes with the step on registries"},
    {"GET", "/images/{}/json", images_inspect, NULL},
    {"GET", "/images/{}/history", images_history, NULL},
    {"GET", "/images/{}/get", images_get_one, NULL},
    {"POST", "/images/{}/tag", images_tag, NULL},
    {"POST", "/images/{}/push", NULL, "push comes with the step on registries"},
    {"DELETE", "/images/{}", images_remove, NULL},
    {"POST", "/build", NULL, "build comes with the step on builds"},
    {"POST", "/build/prune", system_prune_builds, NULL},
    {"POST", "/build/cancel", NULL, "build comes with the step on builds"},

    {"GET", "/networks", NULL, "networks come with the step on networks"},
    {"POST", "/networks/create", NULL, "networks come with the step on networks"},
    {"POST", "/networks/prune", system_prune_networks, NULL},
    {"POST", "/networks/{}/connect", NULL, "networks come with the step on networks"},
    {"POST", "/networks/{}/disconnect", NULL, "networks come with the step on networks"},
    {"GET", "/networks/{}", system_no_network, NULL},
    {"DELETE", "/networks/{}", NULL, "networks come with the step on networks"},
    {"GET", "/volumes", NULL, "volumes come with the step on volumes"},
    {"POST", "/volumes/create", NULL, "volumes come with the step on volumes"},
    {"POST", "/volumes/prune", system_prune_volumes, NULL},
    {"GET", "/volumes/{}", system_no_volume, NULL},
    {"DELETE", "/volumes/{}", NULL, "volumes come with the step on volumes"},
};

static struct {
    atomic_ullong ok, failed;
    atomic_llong ns;
} tallies[sizeof(routes) / sizeof(routes[0])];

void router_tallies(void (*visit)(void *arg, const struct route_tally *t), void *arg)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct route_tally t = {routes[i].method, routes[i].pattern, tallies[i].ok, tallies[i].failed,
                                      tallies[i].ns};
        visit(arg, &t);
    }
}

static int take_route(struct request *r, size_t i, struct err *e)
{
    int64_t from = clock_mono();
    int done = routes[i].handler ? routes[i].handler(r, e)
                                 : err_set(e, ERR_NOT_IMPLEMENTED, "not implemented yet: %s", routes[i].later);
    atomic_fetch_add(done < 0 ? &tallies[i].failed : &tallies[i].ok, 1);
    if (done == 0)
        atomic_fetch_add(&tallies[i].ns, clock_mono() - from);
    return done;
}

/* Does the path fit? Then the name, if the pattern has one, is new memory in *ret_name. */
static bool fits(const char *pattern, const char *path, char **ret_name)
{
    const char *gap = strstr(pattern, "{}");
    if (!gap)
        return strcmp(pattern, path) == 0;
    size_t head = (size_t)(gap - pattern), tail = strlen(gap + 2), n = strlen(path);
    if (n <= head + tail || strncmp(pattern, path, head) != 0 || strcmp(path + n - tail, gap + 2) != 0)
        return false;
    /* a name without a tail after it holds no slash, unless it is an image's */
    if (tail == 0 && memchr(path + head, '/', n - head) && strncmp(pattern, "/images/", 8) != 0)
        return false;
    *ret_name = mem_strndup(path + head, n - head - tail);
    return true;
}

static bool below(const char *path, const char *root)
{
    size_t n = strlen(root);
    return strncmp(path, root, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* What gorae will never have is said by name as well. @return -1 */
static int refuse(const char *method, const char *path, struct err *e)
{
    static const char *const swarm[] = {"/swarm", "/services", "/tasks", "/nodes", "/secrets", "/configs"};
    bool cluster = below(path, "/volumes") && str_eq(method, "PUT");
    for (size_t i = 0; i < sizeof(swarm) / sizeof(swarm[0]); i++)
        cluster = cluster || below(path, swarm[i]);
    if (cluster)
        return err_set(e, ERR_UNAVAILABLE, "This node is not a swarm manager: gorae has no swarm mode");
    if (below(path, "/plugins") && !str_eq(method, "GET"))
        return err_set(e, ERR_NOT_IMPLEMENTED, "plugins are not supported: all that gorae can do is in its programs");
    return err_set(e, ERR_NOT_FOUND, "page not found");
}

/* ---- versions ---- */

/* "/v1.44/rest": the minor number, and the path moves on to "/rest". Unversioned means our own. @return 0 or -1 */
static int take_version(struct request *r, const char **path, struct err *e)
{
    const char *p = *path;
    r->minor = ENGINE_API_MINOR;
    size_t n = p[0] == '/' && p[1] == 'v' ? strspn(p + 2, "0123456789.") : 0;
    if (n == 0 || p[2 + n] != '/')
        return 0;
    int major = 0, minor = 0, used = 0;
    if (sscanf(p + 2, "%9d.%9d%n", &major, &minor, &used) != 2 || (size_t)used != n)
        return err_set(e, ERR_NOT_FOUND, "page not found");
    if (major > 1 || (major == 1 && minor > ENGINE_API_MINOR))
        return err_set(e, ERR_INVALID, "client version %d.%d is too new. Maximum supported API version is 1.%d", major,
                       minor, ENGINE_API_MINOR);
    if (major < 1 || minor < ENGINE_API_MINOR_MIN)
        return err_set(
            e, ERR_INVALID,
            "client version %d.%d is too old. Minimum supported API version is 1.%d, please upgrade your client to "
            "a newer version",
            major, minor, ENGINE_API_MINOR_MIN);
    r->minor = minor;
    *path = p + 2 + n;
    return 0;
}

/* ---- dispatch ---- */

static int dispatch(struct request *r, struct span *parsed, struct err *e)
{
    const char *path = r->target.path;
    if (take_version(r, &path, e) < 0)
        return -1;
    size_t n = strlen(path);
    autofree char *trimmed =
        mem_strndup(path, n > 1 && path[n - 1] == '/' && strcmp(path, "/networks/") == 0 ? n - 1 : n);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(routes[i].method, r->head->method) != 0 || !fits(routes[i].pattern, trimmed, &r->name))
            continue;
        trace_end(parsed, "route %s %s%s%s, API 1.%d", routes[i].method, routes[i].pattern, r->name ? ", name " : "",
                  r->name ? r->name : "", r->minor);
        return take_route(r, i, e);
    }
    return refuse(r->head->method, trimmed, e);
}

/* A traced request names its trace; the file collects the spans of all programs that work for it. */
static void begin_trace(struct request *r)
{
    const char *id = http_header(r->head, TRACE_HEADER);
    if (!id || !str_is_hex(id, 16))
        return;
    autofree char *path = str_printf("%s/trace/%s", engine_config(r->engine)->exec_root, id);
    trace_to_file(path);
    struct tls_message *tls = r->tls;
    if (tls && tls->end) { /* how this connection came to be, once */
        autofree char *detail = str_printf("%s, from %s\nthe client's certificate: %s", tls->session, tls->peer,
                                           tls->verified ? tls->name : "not asked for");
        trace_span_by("tlspiped", tls->pid, 2, "shake hands (TLS)", tls->start, tls->end, detail);
        tls->end = 0;
    }
}

void router_serve(struct request *r)
{
    struct err e = {0};
    autodoing d = {0};
    doing_begin(&d, "%s %s", r->head->method, r->head->target);
    begin_trace(r);
    struct span parsed = trace_begin(3, "parse the request");
    if (guard_check(r, &e) < 0 || http_target_parse(r->head->target, &r->target, &e) < 0 ||
        dispatch(r, &parsed, &e) < 0) {
        log_debug("%s %.200s: %s", r->head->method, r->head->target, e.msg);
        reply_error(r, &e);
    }
    trace_to_file(NULL);
    free(r->name);
    r->name = NULL;
    http_target_release(&r->target);
}
