/** @file
 * The client's half of the conversation: one daemon, one kept-alive connection, calls.
 *
 *     struct client c;
 *     client_init(&c, "unix:///run/gorae.sock", NULL);
 *     json_auto_t *list = client_json(&c, "GET", "/containers/json?all=1", NULL, &e);
 *     client_release(&c);
 *
 * Paths are given without the version: the first request asks `HEAD /_ping` for the daemon's version and every path
 * gets the prefix /vX.Y (Engine API, "Versioning"). A path holds an encoded query where it has one (http_encode()).
 *
 * One request at a time travels on a connection. While a reply is still being read (`events`, `wait`, `pull`), other
 * requests of the same client open connections of their own, so a `wait` may be outstanding while a `kill` is sent;
 * the first that is read to its end is kept for the next request. A client serves one thread at a time.
 *
 * Failure has two sources, and people are told which: where c->status is 0, no answer came and the message is
 * ours; otherwise the daemon answered c->status, and the message is its `{"message"}` verbatim, which the command
 * line prints after "Error response from daemon: ".
 *
 * While the thread is traced (base/trace.h) each call records its dialling, the bytes it sent and the head it received.
 */
#ifndef GORAE_WIRE_CLIENT_H
#define GORAE_WIRE_CLIENT_H

#include "base/err.h"
#include "wire/dial.h"
#include "wire/ask.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CLIENT_API_MAX     "1.44"      /**< the newest version that we speak */
#define CLIENT_API_UNKNOWN "1.24"      /**< what a daemon speaks that does not name its version */
#define CLIENT_JSON_MAX    (64u << 20) /**< bytes of a JSON answer */
#define CLIENT_ERROR_MAX   (1u << 20)  /**< bytes of an error answer */
#define CLIENT_LINE_MAX    (4u << 20)  /**< bytes of one object of a JSON stream or list */

struct client {
    char *host;                 /**< as given to client_init(); never NULL */
    char version[16];           /**< of every path: "1.44"; "" until negotiated */
    char server[16];            /**< the newest version that the daemon speaks, as it said; "" until negotiated */
    char ostype[16];            /**< the daemon's "Ostype": "linux"; "" until negotiated */
    int status;                 /**< of the last answer; 0 where the last request got none */
    int patience_ms;            /**< how long a daemon may be silent before a request has failed; 0: for ever */
    const char *trace_id;       /**< borrowed; sent as Gorae-Trace with every request; NULL for none */
    const struct dial_tls *tls; /**< borrowed; NULL: plain text */
    const struct http_field
        *fields;          /**< borrowed; more headers for every request (HttpHeaders of config.json) or NULL */
    struct ssh_link *ssh; /**< private: the ssh processes behind our connections */
    struct http *idle;    /**< private: the connection that waits for the next request, or NULL */
};

/** @param host copied; NULL or "" means DIAL_HOST_DEFAULT @param version fixes the API version, as DOCKER_API_VERSION
 * does; NULL or "" negotiates it. Nothing is dialled yet. */
void client_init(struct client *c, const char *host, const char *version);
/** Close and free; replies still held keep their own connection and are released by themselves. */
void client_release(struct client *c);

/** A connection that is the caller's, before any request. @param ret_why as dial_with_why() @return fd or -1 */
int client_connect(struct client *c, int *ret_why, struct err *e);

/** Settle c->version: the smaller of CLIENT_API_MAX and what /_ping says. Does nothing where it is settled. Every call
 * below does this by itself; call it to fail early, or to look at c->version before choosing a path. */
int client_negotiate(struct client *c, struct err *e);

/** Does this errno value of a read or write mean that the machine at the other end has vanished, and not that the
 * daemon ended the connection? */
bool client_is_lost(int sys);

/** Compare two API versions by number, part for part: "1.9" is below "1.10". @return < 0, 0, > 0 */
int client_version_compare(const char *a, const char *b);

/** Where the body of an upload comes from. @return bytes put into `p`, 0 at the end, -1 with `e` filled */
typedef ssize_t client_source(void *arg, void *p, size_t n, struct err *e);

/** An answer: its head, and its body still to be read. Release it on success of the call that filled it, only. */
struct reply {
    struct client *client;
    struct http *http;
    struct http_head head;
    char *line; /**< private to reply_next() and reply_element(): bytes of the object that is being collected */
    size_t line_len, line_cap, line_pos;
    size_t list_bytes; /**< private to reply_element(): of the objects that it has returned */
};

/** Send a request, read the answer's head. A status of 400 and above is a failure whose kind follows from the status
 * and whose message is the daemon's; 304 is success.
 * @param path from the first slash after the version, query and all @param fields more headers, or NULL
 * @param body sent as application/json; NULL for none @return 0 (then reply_release(ret)) or -1 */
int client_request(struct client *c, const char *method, const char *path, const struct http_field *fields,
                   const json_t *body, struct reply *ret, struct err *e);

/** As client_request(), with a chunked body of `type` (NULL: no Content-Type) drawn from `source`. An answer that comes
 * before the body is all sent and that reports an error ends the sending at once. */
int client_upload(struct client *c, const char *method, const char *path, const struct http_field *fields,
                  const char *type, client_source *source, void *arg, struct reply *ret, struct err *e);

/** A whole exchange whose answer does not matter. @return the status (200, 201, 204, 304 …) or -1 */
int client_call(struct client *c, const char *method, const char *path, const json_t *body, struct err *e);

/** A whole exchange whose answer is JSON. An empty answer (204) is JSON null. @return a new reference, or NULL */
json_t *client_json(struct client *c, const char *method, const char *path, const json_t *body, struct err *e);

/** The status of the answer. */
static inline int reply_status(const struct reply *r)
{
    return r->head.status;
}
/** Read body bytes. @return bytes, 0 at the end, -1 */
ssize_t reply_read(struct reply *r, void *p, size_t n, struct err *e);
/** Read the whole body as one JSON value. @return a new reference, or NULL */
json_t *reply_value(struct reply *r, struct err *e);
/** Read the next object of a JSON stream: one a line (events, stats, pull, build). @return 1 with a new reference, 0 at
 * the end, -1 */
int reply_next(struct reply *r, json_t **ret, struct err *e);
/** Read the next element of a body that is one JSON array of objects (null is an empty one), while the daemon makes the
 * rest of it. @return 1 with a new reference, 0 after the last, -1; ERR_TOO_LARGE above CLIENT_JSON_MAX in all */
int reply_element(struct reply *r, json_t **ret, struct err *e);
/** The descriptor to poll(2) for more of the body; ask reply_pending() first. @return borrowed */
int reply_fd(const struct reply *r);
/** True where a read would find bytes that were received already, which poll(2) cannot see. */
bool reply_pending(const struct reply *r);
/** Free it. The connection goes back to the client where the body was read to its end (a short rest that is there
 * already is dropped), else it is closed. */
void reply_release(struct reply *r);

/** A connection that stopped being HTTP (attach, exec). */
struct hijack {
    int fd;     /**< the caller's; writing is ended by shutdown(2) */
    int why;    /**< the caller's, too: asked by dial_why() after the end, once fd is closed; -1 without TLS */
    char *rest; /**< stream bytes that arrived with the head; the caller's; NULL where rest_len is 0 */
    size_t rest_len;
    bool multiplexed; /**< the answer's type says frames (wire/frame.h). Daemons below 1.42 never say so: trust
                         Config.Tty */
};

/** POST with "Connection: Upgrade", "Upgrade: tcp" on a connection of its own, and take the connection after 101, or
 * after 200 where the body runs up to the end of the connection. @return 0 or -1 */
int client_hijack(struct client *c, const char *path, const json_t *body, struct hijack *ret, struct err *e);

#endif
