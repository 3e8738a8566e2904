/* The daemon's end: accept, shake hands, hand over; then carry the bytes of all who are in.
 *
 *     HANDSHAKE ──▶ OFFER ──▶ PIPE ──▶ LINGER ──▶ gone
 *         └───────────────────────────────┘ (refused)
 *
 *     HANDSHAKE  a stranger: five seconds, and no more than a number of them at a time. When all places are taken, the
 *                one who has been at it longest makes room: an honest handshake takes milliseconds, so whoever holds
 *                connections open to keep others out throws out himself
 *     OFFER      verified: one end of a socketpair waits to be taken by the daemon's control socket
 *     PIPE       bytes (pipe.c)
 *     LINGER     all is said; a moment for the other side to read it. Closing at once, with bytes of the peer still
 *                unread, would make the kernel send a reset, and a reset can overtake the refusal on its way
 *
 * The daemon hears of a connection when it is verified and not before: nobody without a certificate costs it a thread,
 * a descriptor or a line of parsing. When there are as many connections as there may be, the listening socket is not
 * watched, and those who come wait in the kernel's queue.
 *
 * How it ends: base/tlsproto.h. Read next: api/tls.c, the daemon's side of the control socket. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/sock.h"
#include "tlspipe/tlspipe.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define HANDSHAKES_MAX  256
#define HANDSHAKE_MS    5000
#define OFFER_MS        10000
#define LINGER_MS       2000
#define STOP_MS         1000
#define PAUSE_MS        100 /* where accept(2) finds no descriptor */
#define NOTES_MAX       20  /* lines for the log in a second: a port scan shall not fill a disk */

enum state { HANDSHAKE, OFFER, PIPE, LINGER, GONE };

struct conn {
    struct conn *next; /* newest first */
    enum state state;
    int64_t deadline; /* CLOCK_MONOTONIC ns; 0: none */
    bool peeked;
    int offer; /* OFFER: the daemon's end */
    short wants;
    struct tls_message said;
    struct pipe p;
};

struct server {
    SSL_CTX *ctx;
    const struct tls_options *o;
    struct conn *conns;
    size_t n, handshakes, most;
    bool deaf;     /* no new connections: the daemon is gone, or has another tlspipe */
    int64_t pause; /* no accept(2) before this */
};

/* ---- what the daemon is told ---- */

void server_say(enum tls_kind kind, const char *text)
{
    struct tls_message m = {.kind = kind};
    snprintf(m.text, sizeof(m.text), "%s", text);
    (void)sock_send(TLS_FD_PEER, &m, sizeof(m), -1);
}

static void note(const struct conn *c, const char *text)
{
    static int64_t second;
    static unsigned told;
    char line[sizeof(c->said.text)];
    int64_t now = clock_mono() / NS_PER_S;
    if (now != second) {
        second = now;
        told = 0;
    }
    if (++told > NOTES_MAX || !*text)
        return;
    snprintf(line, sizeof(line), "%s was turned away: %.400s%s", c->said.peer, text,
             told == NOTES_MAX ? " (and others, in this second)" : "");
    server_say(TLS_NOTE, line);
}

/* ---- from state to state ---- */

static void end(struct conn *c)
{
    pipe_release(&c->p);
    fd_close(c->offer);
    c->offer = -1;
    c->state = GONE;
}

static void linger(struct conn *c)
{
    fd_close(c->p.plain);
    fd_close(c->offer);
    c->p.plain = c->offer = -1;
    c->state = LINGER;
    c->deadline = clock_mono() + LINGER_MS * NS_PER_MS;
    c->wants = POLLIN;
    if (shutdown(c->p.tcp, SHUT_WR) < 0)
        end(c);
}

static void step_linger(struct conn *c)
{
    char waste[FLOW_SIZE];
    ssize_t k = recv(c->p.tcp, waste, sizeof(waste), MSG_DONTWAIT);
    if (k == 0 || (k < 0 && errno != EAGAIN && errno != EINTR))
        end(c);
}

/* Who speaks HTTP to this port has forgotten TLS, and can read only HTTP. The words are those of Go's server, and so of
 * dockerd. A handshake begins with the byte 22. */
static bool speaks_http(struct conn *c)
{
    static const char answer[] = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: "
                                 "close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    unsigned char first;
    if (c->peeked || recv(c->p.tcp, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        return false;
    c->peeked = true;
    if (!isupper(first))
        return false;
    (void)!send(c->p.tcp, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    return true;
}

static void offer(struct conn *c)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        end(c);
        return;
    }
    c->p.plain = pair[0];
    c->offer = pair[1];
    c->said.kind = TLS_CONNECTION;
    c->said.pid = getpid();
    c->said.end = clock_mono();
    const X509 *cert = SSL_get0_peer_certificate(c->p.ssl);
    c->said.verified = cert && SSL_get_verify_result(c->p.ssl) == X509_V_OK && c->p.why.o->verify;
    if (c->said.verified)
        why_name(cert, c->said.name, sizeof(c->said.name));
    why_session(c->p.ssl, c->said.session, sizeof(c->said.session));
    c->state = OFFER;
    c->deadline = clock_mono() + OFFER_MS * NS_PER_MS;
    c->wants = 0;
}

static void step_handshake(struct server *s, struct conn *c)
{
    bool http = speaks_http(c);
    int r = http ? -1 : pipe_handshake(&c->p, &c->wants);
    if (r == 0)
        return;
    s->handshakes--;
    if (r == 1) {
        offer(c);
        return;
    }
    if (c->peeked) /* somebody who only looks whether the port is open is no news */
        note(c, http ? "it sent an HTTP request without TLS" : c->p.why.text);
    linger(c);
}

static void step_offer(struct conn *c)
{
    if (sock_send(TLS_FD_PEER, &c->said, sizeof(c->said), c->offer) == 0) {
        fd_close(c->offer);
        c->offer = -1;
        c->state = PIPE;
        c->p.again = true;
        c->deadline = 0;
    } else if (errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS) {
        end(c);
    }
}

static void step_pipe(struct conn *c, short tcp, short plain)
{
    pipe_run(&c->p, tcp, plain);
    if (!pipe_done(&c->p))
        return;
    if (c->p.broken || c->p.stop)
        end(c);
    else
        linger(c);
}

static void out_of_time(struct server *s, struct conn *c)
{
    if (c->state == HANDSHAKE) {
        s->handshakes--;
        note(c, "it did not finish the handshake in time");
    }
    end(c);
}

/* ---- those who come ---- */

static void name_peer(const struct sockaddr_storage *a, char *out, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    if (a->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    else
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    snprintf(out, size, a->ss_family == AF_INET6 ? "[%s]:%d" : "%s:%d", text,
             ntohs(a->ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port));
}

static void make_room(struct server *s)
{
    struct conn *oldest = NULL;
    for (struct conn *c = s->conns; c; c = c->next)
        if (c->state == HANDSHAKE)
            oldest = c;
    if (s->handshakes >= HANDSHAKES_MAX && oldest)
        out_of_time(s, oldest);
}

static void welcome(struct server *s, int fd, const struct sockaddr_storage *peer)
{
    make_room(s);
    struct conn *c = mem_alloc(sizeof(*c));
    *c = (struct conn){.next = s->conns, .offer = -1, .wants = POLLIN, .p = {.tcp = fd, .plain = -1}};
    name_peer(peer, c->said.peer, sizeof(c->said.peer));
    c->said.start = clock_mono();
    c->deadline = c->said.start + HANDSHAKE_MS * NS_PER_MS;
    c->p.why = (struct why){.o = s->o, .server = true};
    s->conns = c;
    s->n++;
    s->handshakes++;
    sock_prepare_tcp(fd);
    c->p.ssl = SSL_new(s->ctx);
    if (!c->p.ssl || SSL_set_fd(c->p.ssl, fd) != 1) {
        out_of_time(s, c);
        return;
    }
    why_attach(&c->p.why, c->p.ssl);
    SSL_set_accept_state(c->p.ssl);
}

static void accept_some(struct server *s)
{
    for (int i = 0; i < 16 && s->n < s->most; i++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof(peer);
        int fd = accept4(TLS_FD_TCP, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            welcome(s, fd, &peer);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            s->pause = clock_mono() + PAUSE_MS * NS_PER_MS;
        if (fd < 0)
            return;
    }
}

/* ---- the daemon's word ---- */

static void stop_all(struct server *s)
{
    for (struct conn *c = s->conns; c; c = c->next) {
        if (c->state == PIPE) {
            c->p.stop = c->p.again = c->p.in.ended = c->p.in.shut = true;
            c->deadline = clock_mono() + STOP_MS * NS_PER_MS;
        } else if (c->state != GONE) {
            end(c);
        }
    }
}

static void hear_daemon(struct server *s)
{
    char text[16];
    ssize_t k = sock_recv(TLS_FD_PEER, text, sizeof(text), NULL);
    if (k < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    s->deaf = true; /* what is begun goes on: whoever retires us still listens, and a dead daemon's socket says so */
    close(TLS_FD_TCP);
    if (k > 0)
        stop_all(s);
}

/* ---- the loop ---- */

static void step(struct server *s, struct conn *c, short tcp, short plain)
{
    if (c->state == HANDSHAKE && tcp)
        step_handshake(s, c);
    if (c->state == OFFER)
        step_offer(c);
    if (c->state == PIPE && (tcp || plain || c->p.again))
        step_pipe(c, tcp, plain);
    else if (c->state == LINGER && tcp)
        step_linger(c);
    if (c->state != GONE && c->deadline && clock_mono() >= c->deadline)
        out_of_time(s, c);
}

static void sweep(struct server *s)
{
    for (struct conn **at = &s->conns; *at;) {
        struct conn *c = *at;
        if (c->state != GONE) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        s->n--;
        free(c);
    }
}

/* Milliseconds to the next thing that happens by itself; -1: nothing will. */
static int wait_ms(const struct server *s)
{
    int64_t next = s->pause;
    for (const struct conn *c = s->conns; c; c = c->next) {
        if (c->state == PIPE && c->p.again)
            return 0;
        if (c->deadline && (!next || c->deadline < next))
            next = c->deadline;
    }
    int64_t left = next - clock_mono();
    return !next ? -1 : left <= 0 ? 0 : (int)(left / NS_PER_MS) + 1;
}

/* fds: the control socket, the listening socket, then two for each connection in the order of the list. */
static size_t gather(struct server *s, struct pollfd *fds)
{
    size_t n = 2;
    bool offers = false, room = s->n < s->most && !s->pause;
    for (struct conn *c = s->conns; c; c = c->next) {
        bool piped = c->state == PIPE;
        offers = offers || c->state == OFFER;
        fds[n++] =
            (struct pollfd){.fd = piped ? pipe_poll_tcp(&c->p) : c->p.tcp, .events = piped ? c->p.wants_tcp : c->wants};
        fds[n++] = (struct pollfd){.fd = piped ? pipe_poll_plain(&c->p) : -1, .events = c->p.wants_plain};
    }
    fds[0] = (struct pollfd){.fd = s->deaf && !offers ? -1 : TLS_FD_PEER,
                             .events = (short)((s->deaf ? 0 : POLLIN) | (offers ? POLLOUT : 0))};
    fds[1] = (struct pollfd){.fd = s->deaf || !room ? -1 : TLS_FD_TCP, .events = POLLIN};
    return n;
}

static int serve(struct server *s)
{
    autofree struct pollfd *fds = mem_alloc((2 * s->most + 2) * sizeof(*fds));
    while (!s->deaf || s->conns) {
        size_t n = gather(s, fds), i = 2;
        if (poll(fds, n, wait_ms(s)) < 0 && errno != EINTR)
            return 1;
        if (s->pause && clock_mono() >= s->pause)
            s->pause = 0;
        for (struct conn *c = s->conns; c; c = c->next, i += 2)
            step(s, c, fds[i].revents, fds[i + 1].revents);
        if (fds[1].revents)
            accept_some(s);
        if (!s->deaf && fds[0].revents & (POLLIN | POLLHUP | POLLERR))
            hear_daemon(s);
        sweep(s);
    }
    return 0;
}

static size_t room(void)
{
    struct rlimit r;
    size_t most = CONNECTIONS_MAX;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_max != RLIM_INFINITY && r.rlim_max / 3 < most + 16)
        most = r.rlim_max / 3 > 32 ? r.rlim_max / 3 - 16 : 16;
    return most;
}

int server_main(SSL_CTX *ctx, const struct tls_options *o)
{
    struct server s = {.ctx = ctx, .o = o, .most = room()};
    struct err e;
    char text[sizeof(((struct tls_message *)0)->text)];
    bool ill = context_note(ctx, o, text, sizeof(text));
    if (fcntl(TLS_FD_TCP, F_SETFL, O_NONBLOCK) < 0 || fcntl(TLS_FD_PEER, F_SETFL, O_NONBLOCK) < 0) {
        server_say(TLS_FAILED, "its descriptors are not what they should be");
        return 1;
    }
    if (confine(s.most, &e) < 0) {
        server_say(TLS_FAILED, e.msg);
        return 1;
    }
    server_say(TLS_READY, "");
    if (ill)
        server_say(TLS_NOTE, text);
    int r = serve(&s);
    SSL_CTX_free(ctx);
    return r;
}
