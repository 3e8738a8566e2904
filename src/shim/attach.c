/* Attached clients: the connections of `docker attach` and `docker run`, handed over by the daemon.
 *
 * The daemon has answered the HTTP request and passes the bare connection (SCM_RIGHTS); from then on bytes flow between
 * client and shim, and the daemon may come and go. Towards the client they are frames of stdout and stderr, or with a
 * terminal the bare bytes; from it they are bare input.
 *
 * The hard part is what each kind of ending means (Engine API, attach):
 *
 *     the client shuts down its write side, and is …
 *         not attached to stdin          nothing: it still wants output. docker's client does so at once
 *         attached, StdinOnce, no tty    end of file for the container; output goes on
 *         attached otherwise             the attachment ends; the container keeps its stdin and runs on
 *     the client closes                  the attachment ends, after the input that it left behind has been passed on
 *     the detach keys, on a tty          the attachment ends; the keys and what follows them are dropped
 *     the container ends                 the rest of the output, our FIN, then the client's
 *
 * Over a unix socket a close shows as POLLHUP. Over TCP it cannot be told from a half-close until a write is answered
 * by a reset, so such a client is found out by the next output. At the container's end we read until the client's FIN:
 * closing a TCP socket to which input is still coming sends a reset, and that can destroy output on its way.
 *
 * A client that does not read delays the container once OUTPUT_PENDING_MAX bytes wait for it, as under Docker. That
 * bounds memory and loses nothing. After the container's end there is nobody to delay: a client that takes nothing for
 * CLIENT_STALL is dropped.
 *
 * The connection's file description may be shared with the daemon, so O_NONBLOCK is not set on it; MSG_DONTWAIT does
 * the same for one call.
 *
 * Read next: replay.c for attach with logs, stdio.c for the other side. */
#include "shim/shim.h"
#include "base/json.h"
#include "base/mem.h"
#include "wire/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

size_t client_pending(const struct client *c)
{
    return c->out.len - c->sent;
}

/* ---- endings ---- */

static void set_state(struct client *c, enum client_state state)
{
    c->state = state;
    c->progress = clock_mono();
}

static void tell_detach(struct shim *s, struct client *c, bool keys)
{
    if (c->told || s->phase != PHASE_RUNNING)
        return;
    c->told = true;
    control_event(s, json_pack("{s:s, s:b}", "ev", "detach", "keys", keys));
}

/* The attachment ends and the container runs on: what is pending is still sent, then our FIN. */
static void detach(struct shim *s, struct client *c, bool keys)
{
    tell_detach(s, c, keys);
    replay_free(take_ptr(&c->replay));
    set_state(c, CLIENT_FLUSHING);
}

/* The other side is gone. What it sent before may still lie in the socket and is meant for the container. */
static void hang_up(struct shim *s, struct client *c)
{
    c->gone = true;
    c->wants[JSONLOG_STDOUT] = c->wants[JSONLOG_STDERR] = false;
    str_release(&c->out);
    c->sent = 0;
    replay_free(take_ptr(&c->replay));
    if (c->state != CLIENT_LIVE || c->input_over || !c->wants[0]) {
        tell_detach(s, c, false);
        set_state(c, CLIENT_DEAD);
    }
}

/* ---- output ---- */

static void send_failed(struct shim *s, struct client *c)
{
    if (errno != EAGAIN && errno != EINTR)
        hang_up(s, c);
}

void client_queue(const struct shim *s, struct client *c, int stream, const char *p, size_t n)
{
    unsigned char head[FRAME_HEAD];
    frame_head(head, stream, (uint32_t)n);
    if (!s->task.tty)
        str_addn(&c->out, head, sizeof(head));
    str_addn(&c->out, p, n);
}

/* The buffer is given back whenever it runs empty, so that an idle shim is small. A client that always lags never lets
 * it run empty; then the part that is sent is cut off now and again. */
void client_flush(struct shim *s, struct client *c)
{
    if (client_pending(c) == 0)
        return;
    ssize_t k = send(c->fd, c->out.s + c->sent, client_pending(c), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (k < 0) {
        send_failed(s, c);
        return;
    }
    c->progress = clock_mono();
    c->sent += (size_t)k;
    if (client_pending(c) == 0) {
        str_release(&c->out);
        c->sent = 0;
    } else if (c->sent > OUTPUT_PENDING_MAX) {
        memmove(c->out.s, c->out.s + c->sent, client_pending(c));
        c->out.len -= c->sent;
        c->sent = 0;
    }
}

/* The usual case copies nothing: no output waits for the client, and the socket takes all of this. */
static void send_live(struct shim *s, struct client *c, int stream, const char *p, size_t n)
{
    unsigned char head[FRAME_HEAD];
    size_t framing = s->task.tty ? 0 : FRAME_HEAD;
    struct iovec v[2] = {{.iov_base = head, .iov_len = framing}, {.iov_base = (void *)p, .iov_len = n}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    ssize_t k = 0;
    frame_head(head, stream, (uint32_t)n);
    if (client_pending(c) == 0 && (k = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL)) < 0)
        send_failed(s, c);
    if (c->gone)
        return;
    if (k > 0)
        c->progress = clock_mono();
    size_t done = k > 0 ? (size_t)k : 0, of_head = done < framing ? done : framing;
    str_addn(&c->out, head + of_head, framing - of_head);
    str_addn(&c->out, p + (done - of_head), n - (done - of_head));
}

/* Whoever is being shown the log is passed over: this output is in the log already, and is found there. */
void attach_output(struct shim *s, int stream, const char *p, size_t n)
{
    for (struct client *c = s->clients; c; c = c->next)
        if (c->state == CLIENT_LIVE && c->wants[stream] && !c->replay)
            send_live(s, c, stream, p, n);
}

bool attach_room(const struct shim *s, int stream)
{
    size_t most = s->phase == PHASE_DRAINING ? DRAIN_PENDING_MAX : OUTPUT_PENDING_MAX;
    for (const struct client *c = s->clients; c; c = c->next)
        if (c->state == CLIENT_LIVE && c->wants[stream] && !c->replay && client_pending(c) >= most)
            return false;
    return true;
}

/* ---- input ---- */

/* Input goes to the container as it is. Several clients may give some; it is mixed as it comes. */
static void input(struct shim *s, struct client *c, const char *p, size_t n)
{
    if (!s->task.tty) {
        stdin_put(s, p, n);
        return;
    }
    autofree char *pass = mem_alloc(n + KEYS_MAX);
    size_t m;
    bool leave = keys_scan(&c->keys, p, n, pass, &m);
    stdin_put(s, pass, m);
    if (leave)
        detach(s, c, true);
}

static void input_ended(struct shim *s, struct client *c)
{
    c->input_over = true;
    if (!c->wants[0])
        return;
    /* What was held back as the beginning of a detach sequence was none. */
    stdin_put(s, (const char *)c->keys.sequence, c->keys.matched);
    if (s->task.stdin_once && !s->task.tty)
        stdin_end(s);
    else
        detach(s, c, false);
}

/* Input for the container is left in the socket until the container takes it: the kernel then holds up the client. Who
 * is not attached to stdin is read all the same, and what comes is dropped, so that its FIN is seen. */
static bool may_read(const struct shim *s, const struct client *c)
{
    return !c->input_over && (!c->wants[0] || stdin_ready(s));
}

static void read_input(struct shim *s, struct client *c)
{
    char buf[OUTPUT_CHUNK];
    ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        if (c->wants[0])
            input(s, c, buf, (size_t)n);
        return;
    }
    input_ended(s, c);
    if (n < 0 || c->gone)
        hang_up(s, c);
}

static void read_to_end(struct client *c)
{
    char drop[OUTPUT_CHUNK];
    ssize_t n = recv(c->fd, drop, sizeof(drop), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        set_state(c, CLIENT_DEAD);
}

/* ---- the loop's side ---- */

static void client_ready(struct shim *s, void *arg, short revents)
{
    struct client *c = arg;
    if (c->state == CLIENT_LINGERING) {
        read_to_end(c);
        return;
    }
    if (revents & POLLOUT) {
        client_flush(s, c);
        if (c->replay)
            replay_step(s, c);
    }
    /* Another client may have filled the container's stdin in this very turn. */
    if ((revents & (POLLIN | POLLHUP | POLLERR)) && c->state == CLIENT_LIVE && may_read(s, c))
        read_input(s, c);
    if ((revents & (POLLHUP | POLLERR | POLLNVAL)) && c->state != CLIENT_DEAD && !c->gone)
        hang_up(s, c);
}

void attach_watch(struct shim *s, struct watch *w)
{
    for (struct client *c = s->clients; c; c = c->next) {
        short events = 0;
        if (c->state == CLIENT_LIVE && may_read(s, c))
            events |= POLLIN;
        if (c->state == CLIENT_LINGERING)
            events |= POLLIN;
        else if (client_pending(c) > 0 || c->replay)
            events |= POLLOUT;
        if (c->state == CLIENT_LINGERING)
            watch_until(w, c->progress + CLIENT_LINGER);
        else if (c->state == CLIENT_FLUSHING || s->phase >= PHASE_RECORDING)
            watch_until(w, c->progress + CLIENT_STALL);
        /* Gone, and its input has to wait: poll would report the hang-up for ever. */
        if (events || !c->gone)
            watch_fd(w, c->fd, events, client_ready, c);
    }
}

void attach_add(struct shim *s, int fd, const json_t *request, const char *rest, size_t n)
{
    if (s->phase >= PHASE_RECORDING || s->nclients >= CLIENTS_MAX) {
        fd_close(fd);
        return;
    }
    struct client *c = mem_alloc(sizeof(*c));
    c->fd = fd;
    c->wants[0] = json_is(request, "stdin") && s->task.keep_stdin;
    c->wants[JSONLOG_STDOUT] = json_is(request, "stdout");
    c->wants[JSONLOG_STDERR] = json_is(request, "stderr");
    set_state(c, CLIENT_LIVE);
    /* A sequence that does not parse was refused by the API; here the usual one is better than none. */
    if (!keys_parse(&c->keys, json_str(request, "detach_keys", NULL)))
        keys_parse(&c->keys, NULL);
    c->next = s->clients;
    s->clients = c;
    s->nclients++;
    if (json_is(request, "logs"))
        replay_begin(s, c);
    if (c->wants[0])
        input(s, c, rest, n);
}

void attach_end(struct shim *s)
{
    for (struct client *c = s->clients; c; c = c->next)
        if (c->state == CLIENT_LIVE)
            set_state(c, c->replay ? CLIENT_LIVE : CLIENT_FLUSHING);
}

/* What time alone changes. Note the order: a client may go from live to lingering in one turn, and one more turn later,
 * when its FIN has been read, it is dead. */
static void sweep(struct shim *s, struct client *c)
{
    bool ending = s->phase >= PHASE_RECORDING;
    int64_t quiet = clock_mono() - c->progress;
    if (c->state == CLIENT_LIVE && ending && !c->replay)
        set_state(c, CLIENT_FLUSHING);
    else if (c->state == CLIENT_LIVE && ending && quiet > CLIENT_STALL)
        set_state(c, CLIENT_DEAD);
    if (c->state == CLIENT_FLUSHING && client_pending(c) == 0) {
        shutdown(c->fd, SHUT_WR);
        set_state(c, CLIENT_LINGERING);
    } else if ((c->state == CLIENT_FLUSHING && quiet > CLIENT_STALL) ||
               (c->state == CLIENT_LINGERING && quiet > CLIENT_LINGER)) {
        set_state(c, CLIENT_DEAD);
    }
}

void attach_sweep(struct shim *s)
{
    for (struct client **link = &s->clients; *link;) {
        struct client *c = *link;
        sweep(s, c);
        if (c->state != CLIENT_DEAD) {
            link = &c->next;
            continue;
        }
        *link = c->next;
        s->nclients--;
        fd_close(c->fd);
        str_release(&c->out);
        replay_free(c->replay);
        free(c);
    }
}
