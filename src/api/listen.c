/* Connections: accept, one thread each, and the loop that reads requests from it.
 *
 * A thread costs a stack of 256 KiB of address space and a few pages of memory, and buys handlers that read from top to
 * bottom. The number of connections is bounded; beyond it the answer is 503. When the process is out of descriptors,
 * accept(2) would fail at once and for ever, with the connection still waiting: a spare descriptor is given up to
 * accept it and turn it away. */
#include "api/api.h"
#include "api/hosts.h"
#include "api/tls.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX  1000
#define CONN_STACK       (256u << 10)
#define HEAD_TIMEOUT_MS  10000
#define IDLE_TIMEOUT_MS  60000
#define BODY_TIMEOUT_MS  60000  /* for a whole JSON body; an archive may take as long as it moves */
#define WRITE_TIMEOUT_MS 120000 /* for a peer that does not read */
#define LINGER_MS        2000   /* for a peer that sends what nobody wants, to read why */

struct conn {
    struct server *sv;
    int fd;
    bool tcp;
    struct tls_message *tls; /* how it came by TLS; or NULL */
};

/* The head could not be read: say why, if there is a way to, and close. */
static void refuse(struct server *sv, struct http *h, const struct err *e)
{
    struct http_head none = {.method = "GET", .minor = 1};
    struct request r = {.sv = sv, .engine = sv->engine, .http = h, .head = &none};
    if (e->kind == ERR_SYSTEM) /* the connection broke */
        return;
    log_debug("bad request: %s", e->msg);
    reply_error(&r, e);
}

/* @return true where another request may follow */
static bool serve_one(const struct conn *c, struct http *h)
{
    struct http_head head;
    struct err e = {0};
    int got = http_read_request(h, &head, &e);
    if (got <= 0) {
        if (got < 0)
            refuse(c->sv, h, &e);
        return false;
    }
    struct request r = {.sv = c->sv, .engine = c->sv->engine, .http = h, .head = &head, .tcp = c->tcp, .tls = c->tls};
    router_serve(&r);
    bool more = !r.taken && !h->broken && head.keep_alive && !h->last && http_drain_body(h, HTTP_DRAIN_MAX, &e) == 0;
    http_head_release(&head);
    return more;
}

static void *conn_main(void *arg)
{
    struct conn *c = arg;
    struct http h;
    http_init(&h, c->fd);
    h.head_timeout_ms = HEAD_TIMEOUT_MS;
    h.idle_timeout_ms = IDLE_TIMEOUT_MS;
    h.whole_timeout_ms = BODY_TIMEOUT_MS;
    h.write_timeout_ms = WRITE_TIMEOUT_MS;
    while (serve_one(c, &h))
        ;
    if (!h.body_done || h.broken)
        http_linger(&h, LINGER_MS);
    http_release(&h);
    atomic_fetch_sub(&c->sv->connections, 1);
    free(c->tls);
    free(c);
    return NULL;
}

static void turn_away(int fd)
{
    static const char full[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
        "Content-Length: 50\r\n\r\n{\"message\":\"too many connections, try again soon\"}";
    (void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    fd_close(fd);
}

static void begin(struct server *sv, int fd, bool tcp, const struct tls_message *tls)
{
    pthread_attr_t at;
    pthread_t thread;
    if (atomic_fetch_add(&sv->connections, 1) >= CONNECTIONS_MAX) {
        atomic_fetch_sub(&sv->connections, 1);
        turn_away(fd);
        return;
    }
    struct conn *c = mem_alloc(sizeof(*c));
    *c = (struct conn){sv, fd, tcp, NULL};
    if (tls) {
        c->tls = mem_alloc(sizeof(*tls));
        *c->tls = *tls;
    }
    pthread_attr_init(&at);
    pthread_attr_setstacksize(&at, CONN_STACK);
    pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &at, conn_main, c) != 0) {
        atomic_fetch_sub(&sv->connections, 1);
        turn_away(fd);
        free(c->tls);
        free(c);
    }
    pthread_attr_destroy(&at);
}

static void accept_one(struct server *sv, struct host *host, int *spare)
{
    if (host->tls) {
        struct tls_message said;
        int plain = tls_take(host, &said);
        if (plain >= 0)
            begin(sv, plain, true, &said);
        return;
    }
    int listener = host->fd, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        if (host->tcp)
            sock_prepare_tcp(fd);
        begin(sv, fd, host->tcp, NULL);
        return;
    }
    if (errno != EMFILE && errno != ENFILE)
        return; /* the client went away between poll and accept, or the like */
    fd_close(*spare);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        turn_away(fd);
    *spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    log_warn("out of file descriptors: a connection was turned away");
}

/* Milliseconds, rounded up, so that after them it is due. */
static int ms_until(int64_t due)
{
    int64_t left = due - clock_mono();
    return left < 0 ? 0 : (int)(left / NS_PER_MS) + 1;
}

int listen_serve(struct server *sv, int event_fd, int tick_ms, bool (*on_event)(void *arg), void *arg, struct err *e)
{
    struct hosts *hosts = sv->hosts;
    struct pollfd p[HOSTS_MAX + HOSTS_OLD + 1];
    int spare = open("/dev/null", O_RDONLY | O_CLOEXEC), r = 0;
    int64_t due = clock_mono() + tick_ms * NS_PER_MS;
    for (;;) {
        int wait = tls_tend(hosts, sv->opt), left = tick_ms < 0 ? -1 : ms_until(due);
        size_t k = hosts->n;
        for (size_t i = 0; i < k; i++)
            p[i] = (struct pollfd){.fd = hosts->v[i].tls ? hosts->v[i].control : hosts->v[i].fd, .events = POLLIN};
        p[k] = (struct pollfd){.fd = event_fd, .events = POLLIN};
        int n = poll(p, k + 1, wait < 0 || (left >= 0 && left < wait) ? left : wait);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            r = err_sys(e, "wait for connections");
            break;
        }
        for (size_t i = 0; i < k; i++)
            if (p[i].revents)
                accept_one(sv, &hosts->v[i], &spare);
        if (p[k].revents && !on_event(arg)) /* it may change the hosts */
            break;
        /* A tick comes by the clock: under constant traffic poll never runs out of time. */
        if (tick_ms >= 0 && clock_mono() >= due) {
            if (!on_event(arg))
                break;
            due = clock_mono() + tick_ms * NS_PER_MS;
        }
    }
    fd_close(spare);
    return r;
}
