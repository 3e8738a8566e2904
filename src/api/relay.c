/* A stream for a client that stays within HTTP: its input comes as the chunks of a request body that it keeps open, and
 * the output goes back as a body without a length (spec 3.3; dockerode without `hijack`).
 *
 * Such a connection cannot be given to the shim, which knows bytes and not chunks. So the shim gets one end of a socket
 * pair, and this thread and a helper copy between the other end and the client: here the chunks are taken apart, there
 * the output goes out as it is. The price is that these streams end with the daemon, while all others outlive it.
 *
 *     client ==chunks==> http_read_body ──> pair[0] | pair[1] ──> shim
 *     client <────────── pump            <── pair[0] | pair[1] <── shim
 */
#include "api/api.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define RELAY_BYTES 16384 /* copied at a time */

struct pump {
    int from, to; /* borrowed */
};

/* When the container's side ends, both directions of the client's connection do: that wakes the reader of its chunks.
 */
static void *pump_main(void *arg)
{
    struct pump *p = arg;
    autofree char *buf = mem_alloc(RELAY_BYTES);
    for (;;) {
        ssize_t n = read(p->from, buf, RELAY_BYTES);
        if (n <= 0 || fd_write_all(p->to, buf, (size_t)n) < 0)
            break;
    }
    shutdown(p->from, SHUT_RDWR);
    shutdown(p->to, SHUT_RDWR);
    return NULL;
}

/* A keystroke may be a chunk, so the limit on tiny ones, which protects whoever collects a body, begins anew each time.
 * @return false where the body broke off: then the client is gone, and its output is nobody's */
static bool copy_input(struct http *h, int to)
{
    struct err ignored;
    autofree char *buf = mem_alloc(RELAY_BYTES);
    ssize_t n;
    h->idle_timeout_ms = 0;
    while ((n = http_read_body(h, buf, RELAY_BYTES, &ignored)) > 0) {
        h->chunks = 0;
        if (fd_write_all(to, buf, (size_t)n) < 0)
            break;
    }
    shutdown(to, n < 0 ? SHUT_RDWR : SHUT_WR);
    return n >= 0;
}

int relay_open(struct relay *l, struct err *e)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, l->pair) < 0)
        return err_sys(e, "make a socket pair for the stream");
    return 0;
}

int relay_run(struct relay *l, struct request *r, struct err *e)
{
    struct pump p = {l->pair[0], r->http->fd};
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, pump_main, &p);
    if (failed != 0) {
        fd_close(l->pair[0]);
        errno = failed;
        return err_sys(e, "start a thread for the stream");
    }
    r->taken = true;
    /* Its input is over but it may go on listening: until it hangs up, or the pump does. */
    if (copy_input(r->http, l->pair[0]))
        while (poll(&(struct pollfd){.fd = r->http->fd}, 1, -1) < 0 && errno == EINTR)
            ;
    shutdown(l->pair[0], SHUT_RDWR);
    pthread_join(thread, NULL);
    fd_close(l->pair[0]);
    return 0;
}
