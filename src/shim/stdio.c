/* The container's standard input, output and error: three pipes, or one pseudoterminal.
 *
 * With pipes the shim makes both ends, gives the container's to the runtime as its own fds 0, 1, 2, which init
 * inherits, and closes them here, so that end of file means what it says. With a terminal the container's /dev/pts is a
 * file system of its own; only from inside can a terminal be made in it. The runtime therefore opens it and sends the
 * master side over console.sock (the --console-socket of runc and crun).
 *
 * Output is read in chunks and goes first to the log, then to the clients. It is not read while a client lags too far
 * behind: the container then blocks in write(2), as under Docker. Input goes the other way under the same rule: a
 * client is read only when all earlier input has been taken.
 *
 * A terminal has a state that a pipe has not: while no process has its slave side open, the master reads EIO, and
 * becomes readable again when somebody opens /dev/console anew. As long as init lives that is not the end, and is
 * looked at ten times a second. (Holding a slave open ourselves would not help: it is hung up with all others when a
 * session leader exits.)
 *
 * Read next: log.c and attach.c, where the bytes go. */
#include "shim/shim.h"
#include "base/jsonlog.h"
#include "base/mem.h"
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONSOLE_TIMEOUT_MS 1000 /* for the master to arrive after the runtime said that all is done */
#define CONSOLE_NAME_MAX   4096 /* bytes beside it: runc sends the terminal's name */
#define TERMINAL_RETRY     (100 * NS_PER_MS)

/* A pipe whose end `ours` does not block. The flag belongs to one end; the container's keeps the blocking one that
 * programs expect. */
static int make_pipe(int ours, int *ret_ours, int *ret_child, struct err *e)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys(e, "make a pipe for the container");
    *ret_ours = p[ours];
    *ret_child = p[!ours];
    if (fcntl(p[ours], F_SETFL, O_NONBLOCK) < 0)
        return err_sys(e, "prepare a pipe for the container");
    return 0;
}

int stdio_open(struct shim *s, struct err *e)
{
    struct stdio *io = &s->io;
    io->out[0].stream = JSONLOG_STDOUT;
    io->out[1].stream = JSONLOG_STDERR;
    io->in_closed = !s->task.keep_stdin;
    if (s->task.tty) {
        io->console = sock_listen_unix("console.sock", SOCK_STREAM, 0600, e);
        return io->console < 0 ? -1 : 0;
    }
    if (s->task.keep_stdin && make_pipe(1, &io->in, &io->child[0], e) < 0)
        return -1;
    if (make_pipe(0, &io->out[0].fd, &io->child[1], e) < 0 || make_pipe(0, &io->out[1].fd, &io->child[2], e) < 0)
        return -1;
    return 0;
}

/* ---- the pseudoterminal ---- */

static int receive_master(int console, struct err *e)
{
    struct pollfd p = {.fd = console, .events = POLLIN};
    if (poll(&p, 1, CONSOLE_TIMEOUT_MS) <= 0)
        return err_set(e, ERR_SYSTEM, "the runtime did not connect to the console socket");
    autoclose int from = accept4(console, NULL, NULL, SOCK_CLOEXEC);
    if (from < 0)
        return err_sys(e, "accept on the console socket");
    char name[CONSOLE_NAME_MAX];
    int master = -1;
    p.fd = from;
    if (poll(&p, 1, CONSOLE_TIMEOUT_MS) <= 0 || sock_recv(from, name, sizeof(name), &master) < 0 || master < 0)
        return err_set(e, ERR_SYSTEM, "the runtime sent no terminal over the console socket");
    if (!isatty(master) || fcntl(master, F_SETFL, O_NONBLOCK) < 0) {
        fd_close(master);
        return err_set(e, ERR_SYSTEM, "what the runtime sent over the console socket is not a terminal");
    }
    return master;
}

int stdio_created(struct shim *s, struct err *e)
{
    if (!s->task.tty)
        return 0;
    int master = receive_master(s->io.console, e);
    mem_closep(&s->io.console);
    s->io.console = -1;
    unlink("console.sock");
    if (master < 0)
        return -1;
    s->io.out[0].fd = master;
    s->io.in = master;
    if (s->task.rows > 0 && s->task.columns > 0)
        return stdio_resize(s, s->task.rows, s->task.columns, e);
    return 0;
}

int stdio_resize(struct shim *s, int rows, int columns, struct err *e)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    if (!s->task.tty)
        return err_set(e, ERR_INVALID, "container %.12s has no terminal to resize", s->task.id);
    if (s->io.out[0].fd < 0)
        return err_set(e, ERR_CONFLICT, "the terminal of container %.12s is not open", s->task.id);
    if (ioctl(s->io.out[0].fd, TIOCSWINSZ, &size) < 0)
        return err_sys(e, "resize the terminal of container %.12s", s->task.id);
    return 0;
}

/* ---- output ---- */

static void close_output(struct shim *s, struct output *o)
{
    if (s->io.in == o->fd) { /* the terminal: one descriptor for both ways */
        s->io.in = -1;
        s->io.in_closed = true;
        str_release(&s->io.pending);
    }
    fd_close(o->fd);
    o->fd = -1;
    o->retry_at = 0;
}

/* The log first: replay.c counts on finding there all that a client might have been sent. One time stamp serves for a
 * whole chunk; it says when the shim read it. @return true where there was something */
static bool read_output(struct shim *s, struct output *o)
{
    char buf[OUTPUT_CHUNK];
    ssize_t n = read(o->fd, buf, sizeof(buf));
    if (n > 0) {
        logger_feed(&s->log, o->stream, buf, (size_t)n, clock_real());
        attach_output(s, o->stream, buf, (size_t)n);
    } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    } else if (n < 0 && errno == EIO && s->task.tty && !s->init_ended) {
        o->retry_at = clock_mono() + TERMINAL_RETRY;
    } else {
        close_output(s, o);
    }
    return n > 0;
}

void stdio_drain(struct shim *s)
{
    for (int i = 0; i < 2; i++)
        for (size_t n = 0; n < DRAIN_PENDING_MAX && s->io.out[i].fd >= 0 && read_output(s, &s->io.out[i]);)
            n += OUTPUT_CHUNK;
}

/* Write what is pending, as far as the container takes it; at the end of it comes the end of file, if asked for. */
static void stdin_flush(struct shim *s)
{
    struct stdio *io = &s->io;
    ssize_t k = write(io->in, io->pending.s, io->pending.len);
    if (k < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (k < 0) { /* EPIPE: the container has closed it. EIO: nobody has the terminal open. */
        k = (ssize_t)io->pending.len;
        if (!s->task.tty)
            io->in_closed = io->in_ending = true;
    }
    io->pending.len -= (size_t)k;
    memmove(io->pending.s, io->pending.s + k, io->pending.len);
    if (io->pending.len > 0)
        return;
    str_release(&io->pending);
    if (io->in_ending && !s->task.tty) {
        fd_close(io->in);
        io->in = -1;
    }
}

/* For the terminal both ways meet here, because it is one descriptor. */
static void output_ready(struct shim *s, void *arg, short revents)
{
    struct output *o = arg;
    if ((revents & POLLOUT) && s->io.in == o->fd && s->io.pending.len > 0)
        stdin_flush(s);
    /* The room is looked at again: the other stream may just have used it up. */
    if ((revents & (POLLIN | POLLHUP | POLLERR)) && o->fd >= 0 && attach_room(s, o->stream))
        read_output(s, o);
}

static void stdin_ready_to_write(struct shim *s, void *arg, short revents)
{
    (void)arg;
    (void)revents;
    if (s->io.in >= 0 && s->io.pending.len > 0)
        stdin_flush(s);
}

/* Before the start only the runtime can have written: its warnings. They are read when the container is. */
static bool reading(const struct shim *s)
{
    return s->phase == PHASE_STARTING || s->phase == PHASE_RUNNING || s->phase == PHASE_DRAINING;
}

void stdio_watch(struct shim *s, struct watch *w)
{
    struct stdio *io = &s->io;
    bool write_pending = io->in >= 0 && io->pending.len > 0;
    for (int i = 0; i < 2; i++) {
        struct output *o = &io->out[i];
        short events = 0;
        if (o->fd < 0)
            continue;
        if (o->retry_at > clock_mono() && !s->init_ended) /* once it has, an end is the end */
            watch_until(w, o->retry_at);
        else if (reading(s) && attach_room(s, o->stream))
            events = POLLIN;
        if (write_pending && io->in == o->fd)
            events |= POLLOUT;
        /* With no event wanted it must not be in the set at all: a hang-up would be reported for ever. */
        if (events)
            watch_fd(w, o->fd, events, output_ready, o);
    }
    if (write_pending && !s->task.tty)
        watch_fd(w, io->in, POLLOUT, stdin_ready_to_write, NULL);
}

bool stdio_live(const struct shim *s)
{
    return s->io.out[0].fd >= 0 || s->io.out[1].fd >= 0;
}

void stdio_last_words(struct shim *s, char *out, size_t size)
{
    out[0] = '\0';
    ssize_t n = s->io.out[1].fd >= 0 ? read(s->io.out[1].fd, out, size - 1) : -1;
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
}

void stdio_close(struct shim *s)
{
    struct stdio *io = &s->io;
    if (io->in >= 0 && io->in != io->out[0].fd)
        fd_close(io->in);
    for (int i = 0; i < 2; i++)
        fd_close(io->out[i].fd);
    for (int i = 0; i < 3; i++)
        fd_close(io->child[i]);
    if (io->console >= 0)
        unlink("console.sock");
    fd_close(io->console);
    str_release(&io->pending);
    *io = (struct stdio){.in = -1, .in_closed = true, .console = -1, .out = {{.fd = -1}, {.fd = -1}}};
    io->child[0] = io->child[1] = io->child[2] = -1;
}

/* ---- input ---- */

bool stdin_ready(const struct shim *s)
{
    return s->io.in_closed || (s->io.in >= 0 && s->io.pending.len == 0);
}

void stdin_put(struct shim *s, const char *p, size_t n)
{
    if (s->io.in_closed || n == 0)
        return;
    str_addn(&s->io.pending, p, n);
    if (s->io.in >= 0 && s->io.pending.len == n)
        stdin_flush(s);
}

void stdin_end(struct shim *s)
{
    struct stdio *io = &s->io;
    if (s->task.tty || io->in_closed)
        return;
    io->in_closed = io->in_ending = true;
    if (io->pending.len == 0 && io->in >= 0) {
        fd_close(io->in);
        io->in = -1;
    }
}
