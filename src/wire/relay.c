/* Standard streams on one side, a daemon's socket on the other: see relay.h.
 *
 * What matters is the ends. An end of input is handed on as a half-close, since `echo x | gorae run -i` goes on reading
 * after it has nothing more to say; and the daemon may have said all and still listen. Only a unix socket tells that
 * from a daemon that has hung up altogether, so elsewhere the end of what it says is the end of all, as it is in
 * docker. So is, everywhere, the end of whoever reads our output. Read next: cli/dial_stdio.c. */
#include "wire/relay.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#define PART 65536

/* One direction: what was read and not yet written. */
struct way {
    int from, to;
    char *buf; /* buf[at..n) */
    size_t at, n;
    bool ended, closed; /* `from` is at its end; `to` was told so */
};

static int fill(struct way *w, struct err *e)
{
    ssize_t k = read(w->from, w->buf, PART);
    if (k < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (k < 0 && errno != ECONNRESET && errno != EIO)
        return err_sys(e, "cannot read");
    w->at = 0;
    w->n = k > 0 ? (size_t)k : 0;
    w->ended = k <= 0;
    return 0;
}

/* Never blocks: a socket is asked not to, and poll(2) promised a pipe room for PIPE_BUF bytes. @return 0; -1 where
 * nobody reads there any more */
static int drain(struct way *w)
{
    size_t n = w->n - w->at;
    ssize_t k = send(w->to, w->buf + w->at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (k < 0 && errno == ENOTSOCK)
        k = write(w->to, w->buf + w->at, n < PIPE_BUF ? n : PIPE_BUF);
    if (k < 0 && errno != EINTR && errno != EAGAIN)
        return -1;
    w->at += k > 0 ? (size_t)k : 0;
    return 0;
}

static bool has_more(const struct way *w)
{
    return w->at < w->n;
}

/* All was handed on: hand the end on, too. A pipe has no half to shut, it is closed. */
static void end(struct way *w)
{
    if (!w->ended || w->closed || has_more(w))
        return;
    w->closed = true;
    if (shutdown(w->to, SHUT_WR) < 0 && errno == ENOTSOCK)
        close(w->to);
}

/* Nobody hears what we hand on: drop it, and take no more. */
static void give_up(struct way *w)
{
    w->at = w->n;
    w->ended = w->closed = true;
}

static int copy(struct way *up, struct way *down, bool tells, struct err *e)
{
    while (!down->closed || (tells && !up->closed)) {
        bool room_up = !up->ended && !has_more(up), room_down = !down->ended && !has_more(down);
        struct pollfd f[] = {
            {.fd = room_up ? up->from : -1, .events = POLLIN},
            {.fd = down->closed ? -1 : down->to, .events = has_more(down) ? POLLOUT : 0},
            {.fd = room_down || has_more(up) || down->closed ? up->to : -1,
             .events = (short)((room_down ? POLLIN : 0) | (has_more(up) ? POLLOUT : 0))},
        };
        if (poll(f, 3, -1) < 0 && errno != EINTR)
            return err_sys(e, "cannot wait");
        if ((f[1].revents & (POLLERR | POLLHUP)) || (down->closed && f[2].revents & (POLLERR | POLLHUP)))
            return 0;
        if (f[0].revents && fill(up, e) < 0)
            return -1;
        if (room_down && f[2].revents & ~POLLOUT && fill(down, e) < 0)
            return -1;
        if (has_more(up) && drain(up) < 0)
            give_up(up); /* a daemon that refuses an upload in the middle still says why */
        if (has_more(down) && drain(down) < 0)
            return 0;
        end(up);
        end(down);
    }
    return 0;
}

int relay(int in, int out, int daemon, bool tells, struct err *e)
{
    autofree char *up_buf = mem_alloc(PART), *down_buf = mem_alloc(PART);
    struct way up = {.from = in, .to = daemon, .buf = up_buf};
    struct way down = {.from = daemon, .to = out, .buf = down_buf};
    return copy(&up, &down, tells, e);
}
