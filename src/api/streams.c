/* Handlers whose answer is a stream of bytes: attach and logs (spec 3).
 *
 * attach leaves HTTP: the connection belongs to the container's shim from then on, together with whatever bytes the
 * client sent after its request. The last of HTTP, the head of the answer, is written by the engine, which alone can
 * see to it that nothing comes between the head and the attachment (engine/attach.c).
 *
 * Read next: relay.c for clients that stay within HTTP, or what stands behind the first call of `run`, engine/create.c.
 */
#include "api/api.h"
#include "base/file.h"
#include "base/keys.h"
#include "base/mem.h"
#include "wire/frame.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ATTACH_BODY_MAX (64u << 10)
#define HEAD_MS         100

/* Clients before 1.42 know one media type only. */
const char *stream_type(const struct request *r, bool tty)
{
    return tty || r->minor < 42 ? "application/vnd.docker.raw-stream" : "application/vnd.docker.multiplexed-stream";
}

/* The body is the container's stdin, chunk by chunk, for as long as the client keeps it open (relay.c). */
static int attach_within_http(struct request *r, const struct attach_options *o, const char *type, struct err *e)
{
    struct relay l;
    autofree char *head = reply_hijack(false, type, false);
    if (relay_open(&l, e) < 0)
        return -1;
    const struct attach_client client = {l.pair[1], head, NULL, 0};
    if (engine_attach(r->engine, r->name, o, &client, e) < 0) {
        fd_close(l.pair[0]);
        return -1;
    }
    return relay_run(&l, r, e);
}

#define STALL_S    120   /* for a client that does not read what was said, as any answer has (listen.c) */
#define LOGS_CHUNK 32768 /* bytes that are gathered; a system call a line would cost ten times the rest */

struct log_stream {
    struct request *r;
    int fd; /* a connection that was taken over, or -1: chunks of an HTTP answer */
    bool tty;
    struct str held; /* frames that are not sent yet */
};

static int send_held(struct log_stream *s)
{
    struct err ignored; /* the client is gone: the stream ends */
    int r = 0;
    if (s->held.len > 0)
        r = s->fd >= 0 ? fd_write_all(s->fd, s->held.s, s->held.len)
                       : reply_chunk(s->r, s->held.s, s->held.len, &ignored);
    str_reset(&s->held);
    return r < 0;
}

/* One record, one frame; frames are sent when there are many, or no more for now (n = 0). */
static int send_record(void *arg, int stream, const char *p, size_t n)
{
    struct log_stream *s = arg;
    unsigned char head[FRAME_HEAD];
    if (n == 0)
        return send_held(s) || http_peek_peer(s->r->http) < 0;
    frame_head(head, stream, (uint32_t)n);
    if (!s->tty)
        str_addn(&s->held, head, sizeof(head));
    str_addn(&s->held, p, n);
    return s->held.len >= LOGS_CHUNK ? send_held(s) : 0;
}

static void let_go(struct log_stream *s)
{
    str_release(&s->held);
}

/* attach with logs=1 where nothing runs, or without stream=1: what was said until now; without either, nothing. @param
 * stay and then whatever the next run says, for which `o` no longer asks for logs */
static int attach_past(struct request *r, struct attach_options *o, const char *type, bool stay, struct err *e)
{
    __attribute__((cleanup(let_go))) struct log_stream s = {.r = r, .fd = -1, .held = STR_INIT};
    const struct logs_options past = {.out = o->out, .err = o->err, .tail = -1};
    size_t nrest;
    if (o->logs && engine_logs_check(r->engine, r->name, &s.tty, e) < 0)
        return -1;
    autofree char *rest = NULL, *head = reply_hijack(r->head->upgrade, type, false);
    autoclose int fd = s.fd = http_take(r->http, &rest, &nrest);
    r->taken = true;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){.tv_sec = STALL_S}, sizeof(struct timeval));
    if (fd_write_all(fd, head, strlen(head)) < 0)
        return err_sys(e, "write the head of the stream");
    /* As in engine/attach.c: there are clients that read the head through a buffer and the stream past it. Here all is
     * ready to be sent, so the head is given a moment to be fetched. */
    for (int left = 1, ms = 0; ms < HEAD_MS && ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0; ms++)
        usleep(1000);
    if (o->logs && engine_logs(r->engine, r->name, &past, send_record, &s, e) < 0)
        return -1;
    send_held(&s);
    if (!stay)
        return 0;
    o->logs = false;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){0}, sizeof(struct timeval));
    const struct attach_client client = {take_fd(&fd), "", rest, nrest};
    return engine_attach(r->engine, r->name, o, &client, e);
}

int streams_attach(struct request *r, struct err *e)
{
    bool tty, alive, stream = http_query_bool(&r->target, "stream", false),
                     logs = http_query_bool(&r->target, "logs", false);
    struct attach_options o = {
        .in = stream && http_query_bool(&r->target, "stdin", false),
        .out = http_query_bool(&r->target, "stdout", false),
        .err = http_query_bool(&r->target, "stderr", false),
        .logs = logs,
        .detach_keys = http_query(&r->target, "detachKeys", NULL),
    };
    struct keys keys;
    if (engine_attach_check(r->engine, r->name, &tty, &alive, e) < 0 || keys_init(&keys, o.detach_keys, e) < 0)
        return -1;
    if (o.in && !r->head->upgrade && r->head->body == HTTP_BODY_CHUNKED)
        return attach_within_http(r, &o, stream_type(r, tty), e);
    /* Some clients post their options as JSON as well. What belongs to the request must not become the container's
     * stdin. */
    if (http_drain_body(r->http, ATTACH_BODY_MAX, e) < 0)
        return -1;
    if (!stream || (logs && !alive))
        return attach_past(r, &o, stream_type(r, tty), stream, e);
    size_t nrest;
    autofree char *rest = NULL;
    autofree char *head = reply_hijack(r->head->upgrade, stream_type(r, tty), false);
    int fd = http_take(r->http, &rest, &nrest);
    const struct attach_client client = {fd, head, rest, nrest};
    r->taken = true;
    return engine_attach(r->engine, r->name, &o, &client, e);
}

/* ---- logs ---- */

int streams_logs(struct request *r, struct err *e)
{
    __attribute__((cleanup(let_go))) struct log_stream s = {.r = r, .fd = -1, .held = STR_INIT};
    struct logs_options o = {
        .out = http_query_bool(&r->target, "stdout", false),
        .err = http_query_bool(&r->target, "stderr", false),
        .follow = http_query_bool(&r->target, "follow", false),
        .timestamps = http_query_bool(&r->target, "timestamps", false),
        .details = http_query_bool(&r->target, "details", false),
        .tail = -1,
    };
    uint64_t tail;
    if (str_to_u64(http_query(&r->target, "tail", ""), &tail) && tail <= INT64_MAX)
        o.tail = (int64_t)tail;
    if (!o.out && !o.err)
        return err_set(e, ERR_INVALID, "Bad parameters: you must choose at least one stream");
    if (input_time(r, "since", &o.since, e) < 0 || input_time(r, "until", &o.until, e) < 0 ||
        engine_logs_check(r->engine, r->name, &s.tty, e) < 0 || reply_begin(r, stream_type(r, s.tty), e) < 0)
        return -1;
    if (engine_logs(r->engine, r->name, &o, send_record, &s, e) < 0) {
        /* Too late for a status: stream 3 carries the reason to clients that take frames apart. */
        if (!s.tty)
            send_record(&s, FRAME_ERROR, e->msg, strlen(e->msg));
        send_held(&s);
        reply_end(r, e);
        return -1;
    }
    send_held(&s);
    return reply_end(r, e);
}
