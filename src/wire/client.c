/* The client: connections, requests, negotiation. See client.h; answers are read in reply.c.
 *
 * What a command does is one or more calls, and what makes them quick is the connection that stays open between them.
 * It may have gone stale meanwhile: the daemon closes idle connections, or was restarted. A request on a connection
 * that was used before is therefore sent a second time, on a new one, where that cannot do a thing twice: when the
 * first could not be written whole, so that no daemon has read it whole; or, for GET and HEAD, when no byte of an
 * answer came.
 *
 * An upload reads from somewhere that cannot be read again (a pipe), so it always begins on a new connection. The
 * daemon may refuse it in the middle (disk full, not a tar archive) and then stops reading; whoever keeps writing
 * blocks or gets EPIPE, and never sees the reason. So send_source() looks for an answer before each chunk, and after a
 * failed write. */
#include "wire/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/trace.h"
#include "wire/client_parts.h"
#include "wire/ssh.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define UPLOAD_PART 32768 /* fits a socket's buffer once poll(2) calls it writable */

void client_init(struct client *c, const char *host, const char *version)
{
    *c = (struct client){.host = mem_strdup(str_empty(host) ? DIAL_HOST_DEFAULT : host)};
    if (version && *version == 'v')
        version++;
    snprintf(c->version, sizeof(c->version), "%s", version ? version : "");
}

void client_release(struct client *c)
{
    client_close(c->idle);
    ssh_end(&c->ssh);
    free(c->host);
    *c = (struct client){0};
}

/* ---- connections ---- */

void client_close(struct http *h)
{
    if (h)
        http_release(h);
    free(h);
}

void client_keep(struct client *c, struct http *h)
{
    if (c->idle || h->fd < 0 || !h->body_done || h->broken || h->last)
        client_close(h);
    else
        c->idle = h;
}

int client_connect(struct client *c, int *ret_why, struct err *e)
{
    bool ssh = str_starts(c->host, "ssh://");
    struct span span = trace_begin(2, ssh ? "start ssh" : "connect to the socket");
    *ret_why = -1;
    int fd = ssh ? ssh_dial(&c->ssh, c->host, e) : dial_with_why(c->host, c->tls, ret_why, e);
    trace_end(&span, "%s%s", c->host, fd < 0 ? ": failed" : "");
    return fd;
}

bool client_is_lost(int sys)
{
    return sys == ETIMEDOUT || sys == EHOSTUNREACH || sys == ENETUNREACH || sys == ECONNRESET;
}

void client_explain(const struct client *c, struct http *h, struct err *e)
{
    if (e && client_is_lost(e->sys)) {
        errno = e->sys;
        err_sys(e, "lost the connection to the daemon at %s", c->host);
    }
    if (dial_why(h->why, e))
        err_wrap(e, h->bytes_in ? "lost the connection to the daemon at %s" : "no answer from the daemon at %s",
                 c->host);
    if (h->fd >= 0 && http_peek_peer(h) < 0)
        ssh_explain(c->ssh, h->fd, c->host, h->bytes_in > 0, e);
}

static struct http *open_new(struct client *c, struct err *e)
{
    int why;
    int fd = client_connect(c, &why, e);
    if (fd < 0)
        return NULL;
    struct http *h = mem_alloc(sizeof(*h));
    http_init(h, fd);
    h->why = why;
    h->idle_timeout_ms = c->patience_ms;
    return h;
}

/* The connection that waits, unless the daemon has closed it or says something unasked. */
static struct http *take_idle(struct client *c)
{
    struct http *h = take_ptr(&c->idle);
    if (h && http_peek_peer(h) != 0) {
        client_close(h);
        h = NULL;
    }
    if (h)
        h->idle_timeout_ms = c->patience_ms;
    return h;
}

/* ---- the head of a request ---- */

struct fields {
    struct http_field v[HTTP_HEADERS_MAX + 1];
    size_t n;
};

static void add(struct fields *f, const char *name, const char *value)
{
    if (value && f->n < HTTP_HEADERS_MAX)
        f->v[f->n++] = (struct http_field){name, value};
}

static void add_all(struct fields *f, const struct http_field *more)
{
    for (; more && more->name; more++)
        add(f, more->name, more->value);
}

/* All that a request consists of, except a body that is streamed. */
struct request {
    const char *method;
    char *target;
    char *authority;
    struct fields fields;
    char *body; /* NULL for none */
    size_t body_len;
};

static void request_release(struct request *q)
{
    free(q->target);
    free(q->authority);
    free(q->body);
}
#define autorequest __attribute__((cleanup(request_release))) struct request

static void request_init(struct request *q, const struct client *c, const char *method, const char *path,
                         const struct http_field *fields, const json_t *body)
{
    *q = (struct request){.method = method, .authority = dial_authority(c->host, c->tls)};
    q->target = *c->version ? str_printf("/v%s%s", c->version, path) : mem_strdup(path);
    add(&q->fields, "Host", q->authority);
    add(&q->fields, "User-Agent", "gorae/" GORAE_VERSION " (linux)");
    add(&q->fields, TRACE_HEADER, c->trace_id);
    add_all(&q->fields, c->fields);
    add_all(&q->fields, fields);
    if (body) {
        q->body = json_compact(body);
        q->body_len = strlen(q->body);
        add(&q->fields, "Content-Type", "application/json");
    }
}

/* ---- one exchange ---- */

static int send_whole(struct http *h, const struct request *q, struct err *e)
{
    struct http_tap tap = {.n = 0};
    h->tap_out = trace_on() ? &tap : NULL;
    struct span span = trace_begin(2, "send the request");
    int r = http_write_request_whole(h, q->method, q->target, q->fields.v, q->body, q->body_len, e);
    client_trace_end(&span, &tap, q->target);
    h->tap_out = NULL;
    return r;
}

static int receive_head(struct client *c, struct http *h, const struct request *q, struct http_head *ret, struct err *e)
{
    struct http_tap tap = {.n = 0};
    h->tap_in = trace_on() ? &tap : NULL;
    int r = http_read_response(h, q->method, ret, e);
    h->tap_in = NULL;
    if (r < 0)
        return err_wrap(e, "no answer from the daemon at %s", c->host);
    c->status = ret->status;
    struct span span = trace_begin(4, "receive the response");
    span.start = h->head_started;
    client_trace_end(&span, &tap, q->target);
    return 0;
}

static bool is_safe(const char *method)
{
    return str_eq(method, "GET") || str_eq(method, "HEAD");
}

/* Send `q` on the idle connection, if there is one. @return it, answered; or NULL, and *again tells whether to send `q`
 * once more on a new one */
static struct http *exchange_idle(struct client *c, const struct request *q, struct http_head *ret, bool *again,
                                  struct err *e)
{
    struct http *h = take_idle(c);
    *again = true;
    if (!h)
        return NULL;
    uint64_t before = h->bytes_in;
    bool sent = send_whole(h, q, e) == 0;
    if (sent && receive_head(c, h, q, ret, e) == 0)
        return h;
    if (sent)
        *again = h->bytes_in == before && is_safe(q->method);
    else
        *again = h->broken; /* else it was never written, because it is malformed */
    client_close(h);
    return NULL;
}

/* Send `q`, receive the head of its answer. @param fresh never use the idle connection @return the connection, or NULL
 */
static struct http *exchange(struct client *c, const struct request *q, bool fresh, struct http_head *ret,
                             struct err *e)
{
    struct err first = {0};
    bool again = true;
    struct http *h = fresh ? NULL : exchange_idle(c, q, ret, &again, &first);
    if (h)
        return h;
    if (!again) {
        if (e)
            *e = first;
        return NULL;
    }
    h = open_new(c, e);
    if (h && (send_whole(h, q, e) < 0 || receive_head(c, h, q, ret, e) < 0)) {
        client_explain(c, h, e);
        client_close(h);
        return NULL;
    }
    return h;
}

/* ---- negotiation ---- */

int client_version_compare(const char *a, const char *b)
{
    while (*a || *b) {
        char *end_a, *end_b;
        unsigned long x = strtoul(a, &end_a, 10), y = strtoul(b, &end_b, 10);
        if (x != y)
            return x < y ? -1 : 1;
        if (end_a == a && end_b == b) /* no number in either: nothing more to compare */
            return 0;
        a = *end_a ? end_a + 1 : end_a;
        b = *end_b ? end_b + 1 : end_b;
    }
    return 0;
}

static bool is_version(const char *s)
{
    return !str_empty(s) && strlen(s) < 16 && strspn(s, "0123456789.") == strlen(s);
}

/* A daemon so ill that it answers 500 still names its version. @return 1 settled, 0 ask in another way, -1 */
static int ping(struct client *c, const char *method, struct err *e)
{
    autorequest q;
    struct reply r = {.client = c};
    request_init(&q, c, method, "/_ping", NULL, NULL);
    r.http = exchange(c, &q, false, &r.head, e);
    if (!r.http)
        return -1;
    bool told = r.head.status == 200 || r.head.status == 500;
    if (told) {
        const char *version = http_header(&r.head, "Api-Version"), *os = http_header(&r.head, "Ostype");
        snprintf(c->server, sizeof(c->server), "%s", is_version(version) ? version : CLIENT_API_UNKNOWN);
        snprintf(c->ostype, sizeof(c->ostype), "%s", os ? os : "");
        bool older = client_version_compare(c->server, CLIENT_API_MAX) < 0;
        snprintf(c->version, sizeof(c->version), "%s", older ? c->server : CLIENT_API_MAX);
    } else if (str_eq(method, "GET")) {
        reply_fail(&r, e);
    }
    reply_release(&r);
    return told ? 1 : str_eq(method, "GET") ? -1 : 0;
}

int client_negotiate(struct client *c, struct err *e)
{
    if (*c->version)
        return 0;
    c->status = 0;
    int r = ping(c, "HEAD", e);
    if (r == 0) /* something between us and the daemon may refuse HEAD */
        r = ping(c, "GET", e);
    return r < 0 ? -1 : 0;
}

/* ---- calls ---- */

int client_request(struct client *c, const char *method, const char *path, const struct http_field *fields,
                   const json_t *body, struct reply *ret, struct err *e)
{
    if (client_negotiate(c, e) < 0)
        return -1;
    c->status = 0;
    autorequest q;
    request_init(&q, c, method, path, fields, body);
    *ret = (struct reply){.client = c};
    ret->http = exchange(c, &q, false, &ret->head, e);
    if (!ret->http)
        return -1;
    if (ret->head.status < 400)
        return 0;
    reply_fail(ret, e);
    reply_release(ret);
    return -1;
}

/* Wait until a part of the body can be written. An answer that comes first has its head read.
 * @return 0 go on, 1 the answer refuses the rest, -1 */
static int await_room(struct client *c, struct reply *r, const struct request *q, struct err *e)
{
    for (;;) {
        struct pollfd p = {.fd = r->http->fd, .events = (short)(POLLOUT | (c->status == 0 ? POLLIN : 0))};
        int ready = poll(&p, 1, -1);
        if (ready < 0 && errno != EINTR)
            return err_sys(e, "wait for the connection");
        if (ready > 0 && (p.revents & POLLIN) && receive_head(c, r->http, q, &r->head, e) < 0)
            return -1;
        if (c->status >= 400)
            return 1;
        if (ready > 0 && (p.revents & (POLLOUT | POLLERR | POLLHUP)))
            return 0;
    }
}

/* @return 0 all is sent, 1 the answer is here and refuses the rest, -1 */
static int send_source(struct client *c, struct reply *r, const struct request *q, client_source *source, void *arg,
                       struct err *e)
{
    autofree char *part = mem_alloc(UPLOAD_PART);
    for (;;) {
        ssize_t n = source(arg, part, UPLOAD_PART, e);
        if (n < 0)
            return -1;
        int go = await_room(c, r, q, e);
        if (go != 0)
            return go;
        if (n == 0)
            return http_write_end(r->http, e);
        if (http_write_body(r->http, part, (size_t)n, e) < 0)
            return -1;
    }
}

static int upload(struct client *c, struct reply *r, const struct request *q, client_source *source, void *arg,
                  struct err *e)
{
    struct http_tap tap = {.n = 0};
    r->http->tap_out = trace_on() ? &tap : NULL;
    struct span span = trace_begin(2, "send the request");
    int done = http_write_request(r->http, q->method, q->target, q->fields.v, -1, e);
    if (done == 0)
        done = send_source(c, r, q, source, arg, e);
    client_trace_end(&span, &tap, q->target);
    r->http->tap_out = NULL;
    if (done == 0 && c->status == 0)
        return receive_head(c, r->http, q, &r->head, e);
    if (done < 0 && c->status == 0 && (e->sys == EPIPE || e->sys == ECONNRESET)) {
        /* The daemon stopped listening, and may have said why before. */
        struct err none;
        r->http->broken = false;
        if (receive_head(c, r->http, q, &r->head, &none) == 0 && c->status >= 400)
            done = 1;
    }
    if (done != 0) /* the request is cut short, so this connection cannot carry another */
        r->http->last = true;
    return done < 0 ? -1 : 0;
}

int client_upload(struct client *c, const char *method, const char *path, const struct http_field *fields,
                  const char *type, client_source *source, void *arg, struct reply *ret, struct err *e)
{
    struct err mine = {0};
    if (client_negotiate(c, e) < 0)
        return -1;
    c->status = 0;
    autorequest q;
    request_init(&q, c, method, path, fields, NULL);
    add(&q.fields, "Content-Type", type);
    *ret = (struct reply){.client = c};
    ret->http = open_new(c, e);
    if (!ret->http)
        return -1;
    int r = upload(c, ret, &q, source, arg, &mine);
    if (r == 0 && ret->head.status < 400)
        return 0;
    if (r == 0)
        reply_fail(ret, &mine);
    else
        client_explain(c, ret->http, &mine);
    reply_release(ret);
    if (e)
        *e = mine;
    return -1;
}

int client_call(struct client *c, const char *method, const char *path, const json_t *body, struct err *e)
{
    struct reply r;
    if (client_request(c, method, path, NULL, body, &r, e) < 0)
        return -1;
    int status = r.head.status;
    int done = http_drain_body(r.http, CLIENT_JSON_MAX, e);
    reply_release(&r);
    return done < 0 ? -1 : status;
}

json_t *client_json(struct client *c, const char *method, const char *path, const json_t *body, struct err *e)
{
    struct reply r;
    if (client_request(c, method, path, NULL, body, &r, e) < 0)
        return NULL;
    json_t *j = reply_value(&r, e);
    reply_release(&r);
    return j;
}

int client_hijack(struct client *c, const char *path, const json_t *body, struct hijack *ret, struct err *e)
{
    static const struct http_field upgrade[] = {{"Connection", "Upgrade"}, {"Upgrade", "tcp"}, {NULL, NULL}};
    if (client_negotiate(c, e) < 0)
        return -1;
    c->status = 0;
    autorequest q;
    request_init(&q, c, "POST", path, upgrade, body);
    struct reply r = {.client = c};
    r.http = exchange(c, &q, true, &r.head, e);
    if (!r.http)
        return -1;
    bool raw = r.head.status == 101 || (r.head.status == 200 && r.head.body == HTTP_BODY_CLOSE);
    if (raw) {
        const char *type = http_header(&r.head, "Content-Type");
        ret->multiplexed = str_eq(type, "application/vnd.docker.multiplexed-stream");
        ret->why = take_fd(&r.http->why);
        ret->fd = http_take(r.http, &ret->rest, &ret->rest_len);
    } else if (r.head.status >= 400) {
        reply_fail(&r, e);
    } else {
        err_set(e, ERR_SYSTEM, "unable to upgrade to tcp, received %d", r.head.status);
    }
    reply_release(&r);
    return raw ? 0 : -1;
}
