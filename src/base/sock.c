/* Sockets: see sock.h. */
#include "base/sock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int fill_address(struct sockaddr_un *a, const char *path, struct err *e)
{
    memset(a, 0, sizeof(*a));
    a->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(a->sun_path))
        return err_set(e, ERR_INVALID, "socket path %s is too long: %zu bytes, and unix(7) allows %zu", path,
                       strlen(path), sizeof(a->sun_path) - 1);
    memcpy(a->sun_path, path, strlen(path) + 1);
    return 0;
}

/* One at a time: a socket that is bound but does not listen yet looks stale, and of two who see the same stale one, one
 * would remove what the other has put in its place. The lock file is removed while held: who waited takes the next. */
static int take_turn(const char *lock, struct err *e)
{
    for (;;) {
        struct stat held, there;
        autoclose int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &held) < 0)
            return err_sys(e, "lock %s", lock);
        if (lstat(lock, &there) == 0 && there.st_ino == held.st_ino && there.st_dev == held.st_dev)
            return take_fd(&fd);
    }
}

/* Is somebody listening? Only connect(2) can tell a live socket from a file that its owner left behind. */
static int clear_stale(const struct sockaddr_un *a, int type, struct err *e)
{
    struct stat st;
    if (lstat(a->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "stat %s", a->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, ERR_CONFLICT, "%s exists and is not a socket", a->sun_path);
    autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
        return err_set(e, ERR_CONFLICT, "%s is in use by the process with pid %d", a->sun_path, (int)sock_peer_pid(fd));
    /* EAGAIN: its queue is full, so somebody listens; EPROTOTYPE: a socket of another type, and alive. */
    if (errno != ECONNREFUSED && errno != ENOENT)
        return err_sys(e, "%s looks alive and is not replaced", a->sun_path);
    if (unlink(a->sun_path) < 0 && errno != ENOENT)
        return err_sys(e, "remove stale socket %s", a->sun_path);
    return 0;
}

static int listen_at(const struct sockaddr_un *a, int type, mode_t mode, struct err *e)
{
    autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    /* fchmod before bind sets the mode of the file that bind creates (a Linux property: socket(7) inodes pass their
     * mode on), so there is no instant at which the socket is open to everybody. */
    if (fchmod(fd, mode) < 0)
        return err_sys(e, "chmod socket");
    if (bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
        return err_sys(e, "bind %s", a->sun_path);
    if (chmod(a->sun_path, mode) < 0 || listen(fd, SOMAXCONN) < 0)
        return err_sys(e, "listen on %s", a->sun_path);
    return take_fd(&fd);
}

int sock_listen_unix(const char *path, int type, mode_t mode, struct err *e)
{
    struct sockaddr_un a;
    if (fill_address(&a, path, e) < 0)
        return -1;
    autofree char *lock = str_printf("%s.lock", path);
    autoclose int turn = take_turn(lock, e);
    if (turn < 0)
        return -1;
    int fd = clear_stale(&a, type, e) < 0 ? -1 : listen_at(&a, type, mode, e);
    unlink(lock);
    return fd;
}

int sock_dial_unix(const char *path, int type, struct err *e)
{
    struct sockaddr_un a;
    if (fill_address(&a, path, e) < 0)
        return -1;
    autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "socket");
    int r;
    do
        r = connect(fd, (struct sockaddr *)&a, sizeof(a));
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return err_sys(e, "connect to %s", path);
    return take_fd(&fd);
}

int sock_send(int sock, const void *p, size_t n, int fd)
{
    struct iovec part = {(void *)p, n};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = control.space;
        m.msg_controllen = sizeof(control.space);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    ssize_t k;
    do
        k = sendmsg(sock, &m, MSG_NOSIGNAL);
    while (k < 0 && errno == EINTR);
    return k < 0 ? -1 : 0;
}

ssize_t sock_next(int sock)
{
    ssize_t k;
    do
        k = recv(sock, NULL, 0, MSG_PEEK | MSG_TRUNC);
    while (k < 0 && errno == EINTR);
    return k;
}

ssize_t sock_recv(int sock, void *p, size_t n, int *ret_fd)
{
    struct iovec part = {p, n};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space)};
    ssize_t k;
    do
        k = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    while (k < 0 && errno == EINTR);
    if (ret_fd)
        *ret_fd = -1;
    if (k < 0)
        return -1;
    int fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        fd_close(fd);
        errno = EMSGSIZE;
        return -1;
    }
    if (ret_fd)
        *ret_fd = fd;
    else
        fd_close(fd);
    return k;
}

static struct ucred peer(int sock)
{
    struct ucred c = {0, (uid_t)-1, (gid_t)-1};
    socklen_t n = sizeof(c);
    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0)
        c = (struct ucred){0, (uid_t)-1, (gid_t)-1};
    return c;
}

pid_t sock_peer_pid(int sock)
{
    return peer(sock).pid;
}

uid_t sock_peer_uid(int sock)
{
    return peer(sock).uid;
}

void sock_prepare_tcp(int fd)
{
    /* With a user timeout the kernel ends by time and does not look at TCP_KEEPCNT; it is set to agree. */
    static const struct {
        int level, name, value;
    } option[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, SOCK_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, SOCK_ASK_S},
        {IPPROTO_TCP, TCP_KEEPCNT, (SOCK_LOST_S - SOCK_IDLE_S) / SOCK_ASK_S},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, SOCK_LOST_S * 1000},
    };
    for (size_t i = 0; i < sizeof(option) / sizeof(*option); i++) /* what a kernel cannot do is done without */
        (void)setsockopt(fd, option[i].level, option[i].name, &option[i].value, sizeof(option[i].value));
}
