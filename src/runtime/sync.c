/* Parent and child: see sync.h. */
#include "runtime/sync.h"
#include "base/sock.h"

#include <errno.h>
#include <string.h>

struct message {
    enum sync_kind kind;
    struct err what;
};

int sync_send(int sock, enum sync_kind kind, const struct err *what, int fd, struct err *e)
{
    struct message m = {.kind = kind};
    if (what)
        m.what = *what;
    return sock_send(sock, &m, sizeof(m), fd) < 0 ? err_sys(e, "send to the other half of the runtime") : 0;
}

int sync_recv(int sock, struct err *what, int *ret_fd, struct err *e)
{
    struct message m = {.kind = SYNC_END};
    ssize_t n = sock_recv(sock, &m, sizeof(m), ret_fd);
    if (n < 0 && errno == ECONNRESET) /* it ended before it read all that we said; its last words come next */
        n = sock_recv(sock, &m, sizeof(m), ret_fd);
    if (n == 0)
        return SYNC_END;
    if (n != (ssize_t)sizeof(m) || m.kind < SYNC_GO || m.kind > SYNC_ERROR)
        return n < 0 ? err_sys(e, "receive from the other half of the runtime")
                     : err_set(e, ERR_SYSTEM, "the other half of the runtime sent a broken message");
    m.what.msg[sizeof(m.what.msg) - 1] = '\0';
    if (what)
        *what = m.what;
    return (int)m.kind;
}
