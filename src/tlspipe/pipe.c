/* Bytes both ways between a TLS session and a plain socket, ends included.
 *
 *     TLS peer ══▶ SSL_read  ──▶ in.bytes  ──▶ send   ──▶ plain         close_notify  becomes  shutdown(SHUT_WR)
 *     TLS peer ◀══ SSL_write ◀── out.bytes ◀── recv   ◀── plain         end of file   becomes  close_notify
 *
 * Docker's streams need each direction to end by itself: `echo x | docker exec -i c cat` closes its half when the pipe
 * is empty and reads on. TLS can say that (an alert, close_notify, RFC 8446 section 6.1), and proxies that cannot are
 * why such commands hang. So an end is passed on as an end, in order, behind the bytes before it.
 *
 * One buffer a direction, and a direction reads only when its buffer is empty: a slow reader stops the writer at the
 * other end of the world by TCP's own means, and no stream can make this process grow.
 *
 * OpenSSL in non-blocking mode may want to read in order to write (a key update), so each call says what it waits for,
 * and whatever moved is tried again until nothing moves. Bytes that OpenSSL has decrypted and holds are invisible to
 * poll(2): that is why one goes on until SSL_read() says that it waits.
 *
 * A TCP connection that ends without close_notify was cut, by accident or by somebody: `broken`, not `ended`. */
#include "base/mem.h"
#include "tlspipe/tlspipe.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 32 /* half a megabyte, then it is another connection's turn */

/* What SSL_get_error() says of a call that did not go through. */
static void ssl_waits(struct pipe *p, int result)
{
    int error = SSL_get_error(p->ssl, result);
    if (error == SSL_ERROR_WANT_READ) {
        p->wants_tcp |= POLLIN;
    } else if (error == SSL_ERROR_WANT_WRITE) {
        p->wants_tcp |= POLLOUT;
    } else {
        why_failed(&p->why, error);
        p->broken = true;
    }
}

int pipe_handshake(struct pipe *p, short *events)
{
    ERR_clear_error();
    errno = 0;
    int r = SSL_do_handshake(p->ssl);
    if (r == 1)
        return 1;
    p->wants_tcp = 0;
    ssl_waits(p, r);
    *events = p->wants_tcp;
    return p->broken ? -1 : 0;
}

/* ---- from TLS to plain ---- */

static bool read_tls(struct pipe *p)
{
    ERR_clear_error();
    errno = 0;
    int r = SSL_read(p->ssl, p->in.bytes, FLOW_SIZE);
    if (r > 0) {
        p->in.at = 0;
        p->in.n = (size_t)r;
        return true;
    }
    if (SSL_get_error(p->ssl, r) == SSL_ERROR_ZERO_RETURN) {
        p->in.ended = true;
        return true;
    }
    ssl_waits(p, r);
    return false;
}

/* Nobody reads what comes from TLS any more; what has come is dropped. */
static void lose_reader(struct pipe *p)
{
    p->in.ended = p->in.shut = true;
    p->in.n = 0;
}

static bool write_plain(struct pipe *p)
{
    ssize_t k = send(p->plain, p->in.bytes + p->in.at, p->in.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (k < 0 && (errno == EAGAIN || errno == EINTR)) {
        p->wants_plain |= POLLOUT;
        return false;
    }
    if (k < 0) {
        lose_reader(p);
        return true;
    }
    p->in.at += (size_t)k;
    p->in.n -= (size_t)k;
    return true;
}

static bool move_in(struct pipe *p)
{
    if (p->in.shut)
        return false;
    if (p->in.n > 0)
        return write_plain(p);
    if (!p->in.ended)
        return read_tls(p);
    shutdown(p->plain, SHUT_WR);
    p->in.shut = true;
    return true;
}

/* ---- from plain to TLS ---- */

/* Nothing more can be sent. What the other side said before it closed is still to be read: a daemon that refuses an
 * upload answers, and closes. */
static void lose_writer(struct pipe *p)
{
    p->out.ended = p->out.shut = true;
    p->out.n = 0;
}

static void write_failed(struct pipe *p, int result)
{
    if (SSL_get_error(p->ssl, result) == SSL_ERROR_SYSCALL)
        lose_writer(p);
    else
        ssl_waits(p, result);
}

static bool read_plain(struct pipe *p)
{
    ssize_t k = recv(p->plain, p->out.bytes, FLOW_SIZE, MSG_DONTWAIT);
    if (k > 0) {
        p->out.at = 0;
        p->out.n = (size_t)k;
        return true;
    }
    if (k < 0 && (errno == EAGAIN || errno == EINTR) && !p->stop) {
        p->wants_plain |= POLLIN;
        return false;
    }
    p->out.ended = true;
    return true;
}

static bool write_tls(struct pipe *p)
{
    ERR_clear_error();
    errno = 0;
    int r = SSL_write(p->ssl, p->out.bytes + p->out.at, (int)p->out.n);
    if (r <= 0) {
        write_failed(p, r);
        return p->out.shut;
    }
    p->out.at += (size_t)r;
    p->out.n -= (size_t)r;
    return true;
}

static bool say_goodbye(struct pipe *p)
{
    ERR_clear_error();
    errno = 0;
    int r = SSL_shutdown(p->ssl); /* 0: said, and not answered yet */
    if (r < 0)
        write_failed(p, r);
    else
        p->out.shut = true;
    return p->out.shut;
}

static bool move_out(struct pipe *p)
{
    if (p->out.shut)
        return false;
    if (p->out.n > 0)
        return write_tls(p);
    return p->out.ended ? say_goodbye(p) : read_plain(p);
}

/* ---- both ---- */

void pipe_run(struct pipe *p, short tcp, short plain)
{
    /* A plain peer that has closed both ways is reported without being asked for, as is a TCP peer that reset. */
    if (plain & (POLLHUP | POLLERR))
        lose_reader(p);
    if ((tcp & (POLLHUP | POLLERR)) && !p->wants_tcp)
        lose_writer(p);
    p->again = false;
    for (int i = 0; i < ROUNDS; i++) {
        p->wants_tcp = p->wants_plain = 0;
        bool in = !p->broken && move_in(p);
        bool out = !p->broken && move_out(p);
        if (!in && !out)
            return;
    }
    p->again = true;
}

bool pipe_done(const struct pipe *p)
{
    return p->broken || (p->in.shut && p->out.shut);
}

int pipe_poll_tcp(const struct pipe *p)
{
    return p->out.shut && !p->wants_tcp ? -1 : p->tcp;
}

int pipe_poll_plain(const struct pipe *p)
{
    return p->in.shut && !p->wants_plain ? -1 : p->plain;
}

void pipe_release(struct pipe *p)
{
    SSL_free(p->ssl);
    fd_close(p->tcp);
    fd_close(p->plain);
    p->ssl = NULL;
    p->tcp = p->plain = -1;
}
