/* The daemon's side of the shim: see base/shimproto.h for the messages.
 *
 * There may be several connections, since a daemon that was started anew dials while the kernel has not yet reported
 * the end of the old one. Requests are answered where they came from; events go to the newest. Nobody waits for a
 * daemon: a connection that does not take a packet at once has thousands unread before it, so it is dropped, and the
 * daemon, when it wakes, dials again and asks how things stand ("hello"). An event that nobody gets is no loss for the
 * same reason.
 *
 * An attach request carries the client's connection beside its JSON (SCM_RIGHTS). Where the client had sent input
 * behind its request, the daemon has read that already, and it follows as a packet of raw bytes; until it is here
 * nothing else of this connection is looked at. SOCK_SEQPACKET keeps both the order and the borders of packets
 * (unix(7)).
 *
 * Only root, and the user that the shim runs as, may talk to it: the kernel says who dialled (SO_PEERCRED), whatever
 * the permissions of the socket's file have become.
 *
 * Read next: child.c and attach.c, which do what is asked for. */
#include "shim/shim.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/shimproto.h"
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void drop(struct conn *c)
{
    fd_close(c->fd);
    fd_close(c->attach_fd);
    json_decref(c->attach);
    *c = (struct conn){.fd = -1, .attach_fd = -1};
}

int control_add(struct shim *s, int fd, struct err *e)
{
    int type = 0;
    socklen_t n = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_SEQPACKET)
        return err_set(e, ERR_INVALID, "fd %d is not the daemon's SOCK_SEQPACKET socket", fd);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return err_sys(e, "prepare the daemon's socket");
    s->conns[s->nconns++] = (struct conn){.fd = fd, .attach_fd = -1};
    return 0;
}

bool control_connected(const struct shim *s)
{
    for (size_t i = 0; i < s->nconns; i++)
        if (s->conns[i].fd >= 0)
            return true;
    return false;
}

/* ---- sending ---- */

static void answer(struct conn *c, json_t *msg)
{
    struct err e;
    if (c->fd >= 0 && shimproto_send(c->fd, msg, -1, &e) < 0)
        drop(c);
    json_decref(msg);
}

void control_event(struct shim *s, json_t *event)
{
    size_t i = s->nconns;
    while (i > 0 && s->conns[i - 1].fd < 0)
        i--;
    if (i > 0)
        answer(&s->conns[i - 1], event);
    else
        json_decref(event);
}

static void refuse(struct conn *c, const char *op, const struct err *e)
{
    answer(c, json_pack("{s:s, s:s, s:o}", "ev", "error", "op", op, "error", err_to_json(e)));
}

/* ---- requests ---- */

/* The protocol's names are fewer than our phases: STARTING is "created" until it has succeeded, and a container whose
 * end is not on record yet is still "running", because its exit event is still to come. */
static const char *phase_name(const struct shim *s)
{
    switch (s->phase) {
    case PHASE_CREATING: return "creating";
    case PHASE_CREATED:
    case PHASE_STARTING: return "created";
    case PHASE_RUNNING:
    case PHASE_DRAINING:
    case PHASE_RECORDING: return "running";
    case PHASE_UNDOING: return "failed";
    case PHASE_ENDING: return s->ended_at && s->started_at ? "exited" : "failed";
    }
    return "failed";
}

static void hello(struct shim *s, struct conn *c)
{
    bool exited = s->phase == PHASE_ENDING;
    answer(c, json_pack("{s:s, s:i, s:s, s:i, s:I, s:I, s:I, s:i, s:b}", "ev", "hello", "version", SHIM_PROTOCOL,
                        "phase", phase_name(s), "pid", (int)s->init, "starttime", (json_int_t)s->starttime, "started",
                        (json_int_t)s->started_at, "at", (json_int_t)(exited ? s->ended_at : s->started_at), "code",
                        exited ? s->code : 0, "oom", s->oom));
}

static void resize(struct shim *s, struct conn *c, const json_t *msg)
{
    struct err e;
    int64_t rows = json_int(msg, "h", -1), columns = json_int(msg, "w", -1);
    json_t *reply = json_pack("{s:s}", "ev", "resized");
    if (rows < 0 || rows > 65535 || columns < 0 || columns > 65535)
        err_set(&e, ERR_INVALID, "a terminal cannot have %jd rows and %jd columns", (intmax_t)rows, (intmax_t)columns);
    else if (stdio_resize(s, (int)rows, (int)columns, &e) == 0)
        e.kind = ERR_NONE;
    if (e.kind != ERR_NONE)
        json_object_set_new(reply, "error", err_to_json(&e));
    answer(c, reply);
}

/* `fd` is left to the caller to close unless it is taken. */
static void attach(struct shim *s, struct conn *c, json_t *msg, int *fd)
{
    struct err e;
    int64_t rest = json_int(msg, "rest", 0);
    if (*fd < 0 || rest < 0 || rest > SOCK_PACKET_MAX) {
        err_set(&e, ERR_INVALID, *fd < 0 ? "attach came without a connection" : "attach came with too much input");
        refuse(c, "attach", &e);
        if (rest != 0)
            drop(c); /* the bytes that follow would be taken for a request */
    } else if (rest > 0) {
        c->attach = json_incref(msg);
        c->attach_fd = take_fd(fd);
    } else {
        attach_add(s, take_fd(fd), msg, NULL, 0);
    }
}

static void attach_rest(struct shim *s, struct conn *c)
{
    autofree char *bytes = mem_alloc(SOCK_PACKET_MAX);
    ssize_t n = sock_recv(c->fd, bytes, SOCK_PACKET_MAX, NULL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || n != json_int(c->attach, "rest", 0)) {
        drop(c);
        return;
    }
    attach_add(s, take_fd(&c->attach_fd), c->attach, bytes, (size_t)n);
    json_decref(c->attach);
    c->attach = NULL;
}

static void request(struct shim *s, struct conn *c, json_t *msg, int *fd)
{
    struct err e;
    const char *op = json_str(msg, "op", "");
    if (str_eq(op, "attach")) {
        attach(s, c, msg, fd);
    } else if (str_eq(op, "start")) {
        if (child_start(s, &e) < 0)
            refuse(c, op, &e);
    } else if (str_eq(op, "resize")) {
        resize(s, c, msg);
    } else if (str_eq(op, "hello")) {
        hello(s, c);
    } else {
        err_set(&e, ERR_NOT_IMPLEMENTED, "this shim does not know the request \"%.32s\"", op);
        refuse(c, op, &e);
    }
}

static void conn_ready(struct shim *s, void *arg, short revents)
{
    struct conn *c = arg;
    struct err e = {0};
    autoclose int fd = -1;
    (void)revents;
    if (c->fd < 0)
        return;
    if (c->attach) {
        attach_rest(s, c);
        return;
    }
    json_auto_t *msg = shimproto_recv(c->fd, &fd, &e);
    if (msg)
        request(s, c, msg, &fd);
    else if (e.sys != EAGAIN)
        drop(c); /* end of file, or something that is no message: a daemon of ours would not send it */
}

/* ---- connections ---- */

/* One connection a turn; poll(2) reports the next one again. */
static void listener_ready(struct shim *s, void *arg, short revents)
{
    struct err e;
    (void)arg;
    (void)revents;
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        /* Out of descriptors: the connection stays in the queue and poll would return at once, again and again. */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            s->listen_again = clock_mono() + NS_PER_S;
        return;
    }
    uid_t uid = sock_peer_uid(fd);
    if ((uid != 0 && uid != geteuid()) || control_add(s, fd, &e) < 0)
        fd_close(fd);
    else if (s->nconns == CONNS_MAX)
        drop(&s->conns[0]); /* the newest counts, and there must always be room for it */
}

void control_watch(struct shim *s, struct watch *w)
{
    if (s->listener >= 0 && s->listen_again > clock_mono())
        watch_until(w, s->listen_again);
    else if (s->listener >= 0)
        watch_fd(w, s->listener, POLLIN, listener_ready, NULL);
    for (size_t i = 0; i < s->nconns; i++)
        watch_fd(w, s->conns[i].fd, POLLIN, conn_ready, &s->conns[i]);
}

/* Slots move only here, between turns: the handlers of a turn hold pointers to them. */
void control_sweep(struct shim *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->nconns; i++)
        if (s->conns[i].fd >= 0)
            s->conns[n++] = s->conns[i];
    s->nconns = n;
}

void control_unlisten(struct shim *s)
{
    if (s->listener >= 0)
        unlink("shim.sock");
    fd_close(s->listener);
    s->listener = -1;
}

void control_close(struct shim *s)
{
    control_unlisten(s);
    for (size_t i = 0; i < s->nconns; i++)
        drop(&s->conns[i]);
    s->nconns = 0;
}
