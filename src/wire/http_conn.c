/* A connection's bytes: the buffer, the clock, the ways in and out of HTTP. See http.h.
 *
 * One thread serves one connection with blocking calls, so a peer that says nothing would hold a thread for ever. Each
 * wait therefore goes through http_wait(), which knows two limits: one for silence, counted anew with every byte, and
 * h->deadline, which no trickle of bytes can push back. A slow head is stopped by the second: a client that sends
 * one byte each second is never silent.
 *
 * A daemon keeps many connections that are idle between two requests. They cost a descriptor and a thread, but no
 * buffer: http_trim() gives it back, and the next is allocated only after poll(2) has seen a byte arrive.
 *
 * Reading takes what there is, past the end of a head or a body. What is too much stays in buf[pos..len): the next
 * request finds it there, or http_take() hands it over together with the descriptor. Read next: http_head.c. */
#include "base/clock.h"
#include "base/mem.h"
#include "wire/http_parts.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void http_init(struct http *h, int fd)
{
    *h = (struct http){.fd = fd, .why = -1, .body_done = true};
}

void http_release(struct http *h)
{
    fd_close(h->fd);
    fd_close(h->why);
    free(h->buf);
    http_init(h, -1);
}

void http_linger(struct http *h, int ms)
{
    char part[8192];
    struct err ignored; /* whatever it is, it is the end */
    if (h->fd < 0 || shutdown(h->fd, SHUT_WR) < 0)
        return;
    h->idle_timeout_ms = ms;
    h->deadline = clock_mono() + ms * NS_PER_MS;
    while (http_receive(h, part, sizeof(part), &ignored) > 0 && clock_mono() < h->deadline)
        ;
}

/* Milliseconds until `deadline`, rounded up, so that a wait never ends just before it and spins. */
static int ms_until(int64_t deadline)
{
    int64_t left = deadline - clock_mono();
    if (left <= 0)
        return 0;
    int64_t ms = (left + NS_PER_MS - 1) / NS_PER_MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

int http_wait(struct http *h, short events, int limit_ms)
{
    int64_t until = limit_ms > 0 ? clock_mono() + limit_ms * NS_PER_MS : 0;
    if (h->deadline && (!until || h->deadline < until))
        until = h->deadline;
    for (;;) {
        struct pollfd p = {.fd = h->fd, .events = events};
        int r = poll(&p, 1, until ? ms_until(until) : -1);
        if (r >= 0 || errno != EINTR)
            return r;
    }
}

static void tap(struct http_tap *t, const void *p, size_t n)
{
    if (!t)
        return;
    size_t room = sizeof(t->bytes) - t->n;
    size_t k = n < room ? n : room;
    memcpy(t->bytes + t->n, p, k);
    t->n += k;
}

ssize_t http_receive(struct http *h, void *p, size_t n, struct err *e)
{
    bool limited = h->idle_timeout_ms > 0 || h->deadline;
    for (;;) {
        int ready = limited ? http_wait(h, POLLIN, h->idle_timeout_ms) : 1;
        if (ready == 0) {
            h->broken = true;
            return err_set(e, ERR_TIMEOUT, "the other side was too slow: nothing came in the time allowed");
        }
        ssize_t k = ready < 0 ? -1 : read(h->fd, p, n);
        if (k >= 0) {
            h->bytes_in += (uint64_t)k;
            tap(h->tap_in, p, (size_t)k);
            return k;
        }
        if (errno == EAGAIN) /* a descriptor that does not block: wait even without a limit */
            limited = true;
        else if (errno != EINTR) {
            h->broken = true;
            return err_sys(e, "read from the connection");
        }
    }
}

ssize_t http_fill(struct http *h, struct err *e)
{
    if (h->pos == h->len)
        h->pos = h->len = 0;
    if (h->len == h->cap && h->pos > 0) {
        memmove(h->buf, h->buf + h->pos, h->len - h->pos);
        h->len -= h->pos;
        h->pos = 0;
    }
    if (h->len == h->cap) {
        if (h->cap >= HTTP_BUF_MAX)
            return err_set(e, ERR_SYSTEM, "the connection's buffer of %d bytes is full", HTTP_BUF_MAX);
        h->cap = h->cap ? h->cap * 2 : HTTP_BUF_START;
        h->buf = mem_resize(h->buf, h->cap, 1);
    }
    ssize_t k = http_receive(h, h->buf + h->len, h->cap - h->len, e);
    if (k > 0)
        h->len += (size_t)k;
    return k;
}

void http_trim(struct http *h)
{
    if (h->pos < h->len)
        return;
    free(h->buf);
    h->buf = NULL;
    h->pos = h->len = h->cap = 0;
}

int http_peek_peer(struct http *h)
{
    if (h->pos < h->len)
        return 1;
    struct pollfd p = {.fd = h->fd, .events = POLLIN | POLLRDHUP};
    int r;
    do
        r = poll(&p, 1, 0);
    while (r < 0 && errno == EINTR);
    if (r < 0 || (p.revents & (POLLERR | POLLHUP | POLLNVAL)))
        return -1;
    return r;
}

int http_take(struct http *h, char **ret_rest, size_t *ret_len)
{
    *ret_len = h->len - h->pos;
    *ret_rest = *ret_len ? mem_strndup(h->buf + h->pos, *ret_len) : NULL;
    int fd = take_fd(&h->fd);
    http_release(h);
    return fd;
}

static ssize_t send_once(int fd, struct iovec *part, size_t parts, int flags)
{
    struct msghdr m = {.msg_iov = part, .msg_iovlen = parts};
    ssize_t k = sendmsg(fd, &m, MSG_NOSIGNAL | flags);
    /* A pipe or a terminal: only sendmsg(2) can be told not to raise SIGPIPE, so such a writer must ignore it itself.
     */
    if (k < 0 && errno == ENOTSOCK)
        k = writev(fd, part, (int)parts);
    return k;
}

/* Step over `n` bytes that were sent. */
static void advance(struct http *h, struct iovec **part, size_t *parts, size_t n)
{
    h->bytes_out += n;
    while (*parts > 0) {
        struct iovec *v = *part;
        size_t k = n < v->iov_len ? n : v->iov_len;
        if (k > 0) { /* an empty part may have no address */
            tap(h->tap_out, v->iov_base, k);
            v->iov_base = (char *)v->iov_base + k;
            v->iov_len -= k;
            n -= k;
        }
        if (v->iov_len > 0)
            return;
        ++*part;
        --*parts;
    }
}

int http_send(struct http *h, struct iovec *part, size_t parts, struct err *e)
{
    int flags = h->write_timeout_ms > 0 ? MSG_DONTWAIT : 0;
    advance(h, &part, &parts, 0); /* empty parts at the front */
    while (parts > 0) {
        ssize_t k = send_once(h->fd, part, parts, flags);
        if (k >= 0) {
            advance(h, &part, &parts, (size_t)k);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN) {
            int ready = http_wait(h, POLLOUT, h->write_timeout_ms);
            if (ready > 0)
                continue;
            if (ready == 0) {
                h->broken = true;
                return err_set(e, ERR_TIMEOUT, "the other side was too slow: it took nothing in the time allowed");
            }
        }
        h->broken = true;
        return err_sys(e, "write to the connection");
    }
    return 0;
}
