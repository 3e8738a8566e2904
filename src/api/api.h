/** @file
 * The daemon's face: sockets, threads, routes, JSON in and out.
 *
 * One thread a connection reads a request, finds its route, calls the handler, and writes the answer; handlers block
 * and read from top to bottom. A handler returns 0 after it has answered, or -1 with an error that the router turns
 * into a status: no handler chooses an error status itself.
 */
#ifndef GORAE_API_API_H
#define GORAE_API_API_H

#include "base/err.h"
#include "engine/engine.h"
#include "wire/http.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#define API_JSON_MAX (4u << 20) /**< bytes of a JSON request body */
#define API_SERVER   "gorae/" GORAE_VERSION " (linux)"

struct options;
struct hosts;
struct tls_message;

struct server {
    struct engine *engine;
    const struct options *opt;
    struct hosts *hosts;
    int metrics; /**< the socket of --metrics-addr; -1 for none */
    atomic_int connections;
};

struct request {
    struct server *sv;
    struct engine *engine;
    struct http *http;
    const struct http_head *head;
    struct http_target target;
    char *name;              /**< what stood for {} in the route, decoded; or NULL */
    int minor;               /**< of the client's API version: 44 for 1.44 */
    bool begun;              /**< a status has been sent: an error can no longer become one */
    bool tcp;                /**< it came over TCP: guard.c looks at it first */
    struct tls_message *tls; /**< with TLS, and whose it is; or NULL */
    bool taken;              /**< the connection was handed over */
    struct http_field extra; /**< one more header of the answer, where it has a name */
};

typedef int handler_fn(struct request *r, struct err *e);

/* ---- router.c ---- */

/** Serve one request: always answers, except where the connection was taken over or broke. */
void router_serve(struct request *r);

/** How often a route was taken since the start, and for how long. */
struct route_tally {
    const char *method, *pattern;
    uint64_t ok, failed;
    int64_t ns; /**< all of those that succeeded */
};
void router_tallies(void (*visit)(void *arg, const struct route_tally *t), void *arg);

/* ---- metrics.c ---- */

/** Open the socket of --metrics-addr. @param look open nothing, @return 0 where it may be @return it, or -1 naming it
 */
int metrics_open(const struct options *o, bool look, struct err *e);
/** Serve sv->metrics in a thread of its own, for as long as the process lives; nothing where it is -1. */
int metrics_serve(struct server *sv, struct err *e);

/* ---- reply.c ---- */

/** A JSON body and a newline. Takes the reference; NULL: whoever should have made it has failed, and set *e. */
int reply_json(struct request *r, int status, json_t *j, struct err *e);
/** Bytes with a media type of their own. */
int reply_text(struct request *r, int status, const char *type, const char *text, struct err *e);
/** No body: 204, 304, or 200 with length 0. */
int reply_empty(struct request *r, int status, struct err *e);
/** `{"message":…}` with the status of e->kind. Where a status went out already, nothing. */
void reply_error(struct request *r, const struct err *e);
/** Begin a chunked body; the head is sent at once. */
int reply_begin(struct request *r, const char *type, struct err *e);
int reply_chunk(struct request *r, const void *p, size_t n, struct err *e);
int reply_end(struct request *r, struct err *e);
/** One object of a JSON stream, a chunk of its own, ended by `eol`. Begins the answer if need be. */
int reply_object(struct request *r, const json_t *j, const char *eol, struct err *e);
/** The head of a hijacked stream, byte for byte as Docker's clients expect it. @return the caller's */
/** @param named with the fields that every other answer has: exec's has them, attach's has not */
char *reply_hijack(bool upgrade, const char *type, bool named);
/** The HTTP status of an error kind. */
int reply_status(enum err_kind kind);

/** The media type of a stream of standard output and error. */
const char *stream_type(const struct request *r, bool tty);

/* ---- relay.c ---- */

/** A stream that stays within HTTP: chunks in, a body without a length out. pair[1] goes to the container. */
struct relay {
    int pair[2];
};
int relay_open(struct relay *l, struct err *e);
/** Copy both ways until the container or the client ends it; closes pair[0]. The connection ends with it. */
int relay_run(struct relay *l, struct request *r, struct err *e);

/* ---- input (input.c) ---- */

/** The request's JSON body. @param required false: an empty body gives an empty object @return new reference, or NULL
 * with ERR_INVALID or ERR_UNSUPPORTED */
json_t *input_json(struct request *r, bool required, struct err *e);
/** The JSON object at the head of a chunked body, which goes on with something else. @param ret_rest what was read past
 * it, the caller's @return new reference, or NULL */
json_t *input_json_first(struct request *r, char **ret_rest, size_t *ret_n, struct err *e);
/** An upload says how long it is, or comes in chunks: a request with neither has no body at all. @return 0, or -1
 * ERR_LENGTH_REQUIRED */
int input_upload(struct request *r, struct err *e);
/** The size of a terminal from `h` and `w`. */
int input_size(struct request *r, int *ret_rows, int *ret_columns, struct err *e);
/** A query value as an integer. @return 0, or -1 ERR_INVALID naming the key */
int input_int(struct request *r, const char *key, int64_t absent, int64_t *ret, struct err *e);
/** A query value as a time (unix seconds, RFC 3339, or a duration before now); 0 where absent. */
int input_time(struct request *r, const char *key, int64_t *ret, struct err *e);
/** The request's body: an image_source. @param arg the request */
ssize_t input_body(void *arg, void *p, size_t n, struct err *e);
/** Every value that the query gives `key`. */
void input_list(struct request *r, const char *key, struct strv *ret);
/** The `filters` query value, normalised. @return new reference, or NULL */
json_t *input_filters(struct request *r, struct err *e);

/* ---- handlers, by subject ---- */

handler_fn system_ping, system_version, system_info, system_events, system_trace, system_plugins, system_no_network,
    system_no_volume, system_prune_networks, system_prune_volumes, system_prune_builds;
handler_fn containers_list, containers_create, containers_inspect, containers_start, containers_stop, containers_kill,
    containers_wait, containers_resize, containers_rename, containers_remove, containers_pause, containers_unpause,
    containers_restart, containers_top, containers_prune, containers_update;
handler_fn stats_get;
handler_fn streams_attach, streams_logs;
handler_fn exec_create, exec_start, exec_resize, exec_inspect;
handler_fn images_list, images_inspect, images_history, images_create, images_tag, images_remove, images_load,
    images_get, images_get_one, images_prune;

handler_fn copy_stat, copy_get, copy_put, copy_export, copy_changes, copy_commit, system_df;

/* ---- listen.c ---- */

/** Accept connections on sv->hosts. When `event_fd` becomes readable, `on_event` is called, and says whether to go on;
 * so it is called with nothing to read every `tick_ms` (-1: never). */
int listen_serve(struct server *sv, int event_fd, int tick_ms, bool (*on_event)(void *arg), void *arg, struct err *e);

/* ---- guard.c ---- */

/** May this request be served? One that came over TCP must not be a browser's doing. @return -1 ERR_FORBIDDEN */
int guard_check(const struct request *r, struct err *e);

#endif
