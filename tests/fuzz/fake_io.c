/* See fake_io.h. */
#include "fake_io.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct fake_io fake;

ssize_t __real_read(int fd, void *p, size_t n);
int __real_poll(struct pollfd *p, nfds_t n, int timeout);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
int __real_close(int fd);

ssize_t __wrap_read(int fd, void *p, size_t n);
int __wrap_poll(struct pollfd *p, nfds_t n, int timeout);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
int __wrap_close(int fd);

ssize_t __wrap_read(int fd, void *p, size_t n)
{
    if (fd != FAKE_FD)
        return __real_read(fd, p, n);
    HOLDS(n > 0);
    size_t k = fake.left ? cutter_next(&fake.cutter, fake.left) : 0;
    k = k < n ? k : n;
    if (k > 0)
        memcpy(p, fake.in, k);
    fake.in += k;
    fake.left -= k;
    return (ssize_t)k;
}

int __wrap_poll(struct pollfd *p, nfds_t n, int timeout)
{
    if (n != 1 || p->fd != FAKE_FD)
        return __real_poll(p, n, timeout);
    p->revents = p->events;
    return 1;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
    if (fd != FAKE_FD)
        return __real_sendmsg(fd, m, flags);
    size_t before = fake.out.len;
    for (size_t i = 0; i < m->msg_iovlen; i++)
        str_addn(&fake.out, m->msg_iov[i].iov_base, m->msg_iov[i].iov_len);
    return (ssize_t)(fake.out.len - before);
}

int __wrap_close(int fd)
{
    return fd == FAKE_FD ? 0 : __real_close(fd);
}
