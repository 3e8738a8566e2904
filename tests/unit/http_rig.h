/* A connection for the tests of wire/: a socket pair with our end in a struct http and the other in the test's hands.
 */
#ifndef GORAE_TESTS_HTTP_RIG_H
#define GORAE_TESTS_HTTP_RIG_H

#include "base/file.h"
#include "base/mem.h"
#include "wire/ask.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct rig {
    struct http h;
    int peer;
};

static inline struct rig rig_new(void)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct rig r = {.peer = pair[1]};
    http_init(&r.h, pair[0]);
    /* No test waits for ever: where a parser asks for more than was sent, it fails with ERR_TIMEOUT. */
    r.h.head_timeout_ms = r.h.idle_timeout_ms = 2000;
    return r;
}

static inline void rig_free(struct rig *r)
{
    http_release(&r->h);
    fd_close(r->peer);
}

/* Send bytes as the peer. They must fit the socket's buffer: nobody reads meanwhile. */
static inline void rig_feedn(struct rig *r, const void *p, size_t n)
{
    ck_assert_int_eq(fd_write_all(r->peer, p, n), 0);
}
static inline void rig_feed(struct rig *r, const char *s)
{
    rig_feedn(r, s, strlen(s));
}
static inline void rig_eof(struct rig *r)
{
    ck_assert_int_eq(shutdown(r->peer, SHUT_WR), 0);
}

/* What we have written so far, as the peer sees it. */
static inline const char *rig_seen(struct rig *r)
{
    static char text[262144];
    ssize_t n = recv(r->peer, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, (ms % 1000) * 1000000L}, NULL);
}

/* Threads that send while the test reads: a text byte by byte, or whole after a pause. */
struct trickle {
    int fd, every_ms;
    const char *text;
};

static inline void *wait_then_feed(void *arg)
{
    struct trickle *t = arg;
    sleep_ms(t->every_ms);
    fd_write_all(t->fd, t->text, strlen(t->text));
    return NULL;
}

static inline void *trickle(void *arg)
{
    struct trickle *t = arg;
    for (const char *c = t->text; *c; c++) {
        if (send(t->fd, c, 1, MSG_NOSIGNAL) < 0)
            break;
        sleep_ms(t->every_ms);
    }
    return NULL;
}

#endif
