/* A container's streams: the loop. See session.h for the picture.
 *
 * One thread, one poll(2) over everything that may happen. Three rules keep it from standing still:
 *
 *   1. Standard input is read only when what was read before has been sent. So a container that does not read makes us
 *      stop reading (the shell's `yes | …` blocks, as with a pipe), and memory stays bounded.
 *   2. The connection is non-blocking for writing: while the container is busy writing to us and not reading, a
 *      blocking write would wait for it, it would wait for us, and nothing would move any more.
 *   3. Standard output may be a pipe that nobody reads (a pager). Each write there is of at most PIPE_BUF bytes, after
 *      poll said that it will not block, so that Ctrl-C is handed on even then.
 *
 * How it fails: when the connection breaks, the container lives on; the caller says so and exits 1.
 * Read next: run.c and attach.c, which set it up. */
#include "cli/session.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_API     "1.30" /* wait?condition= (Engine API, version history) */
#define AGAIN_TRIES  100    /* AGAIN_MS apart: as long as a daemon may take to be started again */
#define AGAIN_MS     100
#define RESIZE_TRIES 10               /* `start` returns before the pty may be there */
#define RESIZE_PAUSE (10 * NS_PER_MS) /* before the second try; then twice, three times as long … */
#define PATIENCE_MS  2000             /* for the daemon to answer a call while the streams stand still */
#define STOPS_MAX    3                /* INT or TERM so often means: leave, whatever the container does */
#define SAMPLE_MAX   512              /* bytes of output that the trace shows */

/* ---- handshake ---- */

int session_attach(struct session *s, bool in, bool out, bool error, bool logs, const char *detach_keys, struct err *e)
{
    autostr path = STR_INIT;
    path_start(&path, "/containers/%s/attach", s->id);
    path_query(&path, "detachKeys", detach_keys);
    path_flag(&path, "logs", logs);
    path_flag(&path, "stderr", error);
    path_flag(&path, "stdin", in);
    path_flag(&path, "stdout", out);
    path_flag(&path, "stream", true);
    if (client_hijack(&s->cli->client, path.s, NULL, &s->hijack, e) < 0)
        return -1;
    session_input(s, in);
    return 0;
}

void session_input(struct session *s, bool in)
{
    if (in)
        s->in = STDIN_FILENO;
    else /* nothing will be typed: say so at once, or a container that reads would wait for ever */
        shutdown(s->hijack.fd, SHUT_WR);
}

int session_check(struct cli *cli, struct err *e)
{
    const struct client *c = &cli->client;
    int r = client_negotiate(&cli->client, e);
    if (r < 0 || client_version_compare(c->version, WAIT_API) >= 0)
        return r;
    cli->client.status = 0; /* it is ours to say */
    return err_set(e, ERR_NOT_IMPLEMENTED,
                   "staying attached from the start takes API " WAIT_API
                   ", and the daemon at %s is spoken to in %s: use run -d or start, then attach",
                   c->host, c->version);
}

int session_wait(struct session *s, const char *condition, struct reply *ret, struct err *e)
{
    autostr path = STR_INIT;
    path_start(&path, "/containers/%s/wait", s->id);
    path_query(&path, "condition", condition);
    if (client_request(&s->cli->client, "POST", path.s, NULL, NULL, ret, e) < 0)
        return -1;
    s->wait = ret;
    return 0;
}

int session_open(struct session *s, struct err *e)
{
    signal(SIGPIPE, SIG_IGN); /* a pager that quits must not end us before the terminal is restored */
    s->signals = signals_take(e);
    if (s->signals < 0)
        return -1;
    if (s->tty && s->in >= 0 && isatty(s->in) && term_raw(&s->term, s->in, e) < 0)
        return -1;
    if (s->tty && s->resize && isatty(STDOUT_FILENO))
        s->resize_tries = RESIZE_TRIES;
    int flags = s->hijack.fd >= 0 ? fcntl(s->hijack.fd, F_GETFL) : 0;
    if (s->hijack.fd >= 0 && (flags < 0 || fcntl(s->hijack.fd, F_SETFL, flags | O_NONBLOCK) < 0))
        return err_sys(e, "cannot make the connection non-blocking");
    return 0;
}

static void hang_up(struct session *s)
{
    fd_close(s->hijack.fd);
    s->hijack.fd = -1;
}

void session_close(struct session *s)
{
    term_restore(&s->term);
    hang_up(s);
    fd_close(s->hijack.why);
    s->hijack.why = -1;
    free(s->hijack.rest);
    s->hijack.rest = NULL;
    fd_close(s->signals);
    s->signals = -1;
    if (s->wait)
        reply_release(s->wait);
    s->wait = NULL;
    str_release(&s->sample);
}

/* ---- signals and size ---- */

/* A call in the middle of the loop. The daemon may hang, or hold the container for as long as a commit takes: the keys
 * and the third signal do not wait for that. What it has been sent it may still do. @return as client_call() */
static int call(struct session *s, const char *path, struct err *e)
{
    s->cli->client.patience_ms = PATIENCE_MS;
    int status = client_call(&s->cli->client, "POST", path, NULL, e);
    s->cli->client.patience_ms = 0;
    return status;
}

static void hand_on(struct session *s, const char *name)
{
    struct err e;
    autostr path = STR_INIT;
    path_start(&path, "/containers/%s/kill", s->id);
    path_query(&path, "signal", name);
    /* It may have ended, or not have begun: nothing that the person who pressed the key has to read. */
    if (call(s, path.s, &e) < 0)
        log_debug("signal %s not handed on: %s", name, e.msg);
}

static int take_signals(struct session *s, struct err *e)
{
    for (int sig; (sig = signals_next(s->signals)) != 0;) {
        if (sig == SIGWINCH) {
            s->resize_tries = s->tty && s->resize ? RESIZE_TRIES : 0;
            s->resize_at = 0;
        } else if (s->proxy) {
            hand_on(s, signal_api_name(sig));
        }
        bool stop = sig == SIGINT || sig == SIGTERM;
        if (stop && (!s->proxy || ++s->stops == STOPS_MAX)) {
            s->stopped_by = sig;
            return err_set(e, ERR_SYSTEM,
                           s->proxy ? "stopped by the third signal; the container may still be running"
                                    : "stopped by a signal; the container is still running");
        }
    }
    return 0;
}

static int send_size(struct session *s, int rows, int columns, struct err *e)
{
    autofree char *path = str_printf("%s?h=%d&w=%d", s->resize, rows, columns);
    return call(s, path, e);
}

static void try_resize(struct session *s)
{
    struct err e;
    int rows, columns;
    int64_t begun = clock_mono();
    if (!term_size(STDOUT_FILENO, &rows, &columns)) {
        s->resize_tries = 0;
        return;
    }
    if (s->redraw && send_size(s, rows + 1, columns + 1, &e) >= 0)
        s->redraw = false;
    if (send_size(s, rows, columns, &e) >= 0) {
        s->resize_tries = 0;
        return;
    }
    /* a daemon that hangs is not asked ten times */
    s->resize_tries = clock_mono() - begun < PATIENCE_MS * NS_PER_MS ? s->resize_tries - 1 : 0;
    s->resize_at = clock_mono() + RESIZE_PAUSE * (RESIZE_TRIES - s->resize_tries);
    log_debug("window size not sent: %s", e.msg);
}

/* Milliseconds until the next try, or -1. */
static int until_resize(const struct session *s)
{
    if (s->resize_tries == 0)
        return -1;
    int64_t left = s->resize_at - clock_mono();
    return left <= 0 ? 0 : (int)(left / NS_PER_MS) + 1;
}

/* ---- output ---- */

static int put(struct session *s, int fd, const char *p, size_t n, struct err *e)
{
    while (n > 0) {
        struct pollfd f[] = {{.fd = fd, .events = POLLOUT}, {.fd = s->signals, .events = POLLIN}};
        if (poll(f, 2, -1) < 0 && errno != EINTR)
            return err_sys(e, "cannot wait for standard output");
        if (f[1].revents && take_signals(s, e) < 0)
            return -1;
        if (!f[0].revents)
            continue;
        ssize_t k = write(fd, p, n < PIPE_BUF ? n : PIPE_BUF);
        if (k < 0 && errno != EINTR && errno != EAGAIN)
            return err_sys(e, "cannot write to %s", fd == STDOUT_FILENO ? "standard output" : "standard error");
        p += k > 0 ? k : 0;
        n -= k > 0 ? (size_t)k : 0;
    }
    return 0;
}

/* What came in one read, gathered by stream: short lines would otherwise cost two system calls each. */
struct sink {
    struct session *s;
    struct err *e;
    int fd;
    size_t held;
    char hold[16384];
};

static int put_held(struct sink *to)
{
    size_t n = to->held;
    to->held = 0;
    return put(to->s, to->fd, to->hold, n, to->e);
}

static int put_frame(void *arg, int stream, const void *p, size_t n)
{
    struct sink *to = arg;
    struct session *s = to->s;
    if (stream == FRAME_ERROR) {
        put_held(to); /* what came before it; the error that is told is the daemon's */
        err_set(to->e, ERR_SYSTEM, "the daemon ended the stream: %.*s", (int)(n < 512 ? n : 512), (const char *)p);
        return -2;
    }
    s->bytes += n;
    if (trace_on() && s->sample.len < SAMPLE_MAX)
        str_addn(&s->sample, p, n < SAMPLE_MAX - s->sample.len ? n : SAMPLE_MAX - s->sample.len);
    int fd = stream == FRAME_STDERR ? STDERR_FILENO : STDOUT_FILENO;
    if ((fd != to->fd || to->held + n > sizeof(to->hold)) && put_held(to) < 0)
        return -2;
    to->fd = fd;
    if (n > sizeof(to->hold))
        return put(s, fd, p, n, to->e) < 0 ? -2 : 0;
    memcpy(to->hold + to->held, p, n);
    to->held += n;
    return 0;
}

int session_print(struct session *s, const void *p, size_t n, struct err *e)
{
    struct sink to;
    to.s = s;
    to.e = e;
    to.fd = STDOUT_FILENO;
    to.held = 0;
    int r = s->tty ? put_frame(&to, FRAME_STDOUT, p, n) : frame_feed(&s->frames, p, n, put_frame, &to);
    if (r != -2 && put_held(&to) < 0)
        r = -2;
    if (r == -1)
        err_set(e, ERR_INVALID, "the stream is not in frames, as it should be without a terminal");
    return r < 0 ? -1 : 0;
}

/* A read or write of the connection has failed, errno says how. */
static int broken(const struct session *s, const char *what, struct err *e)
{
    if (client_is_lost(errno))
        return err_sys(e, "lost the connection to the daemon at %s", s->cli->client.host);
    return err_sys(e, "cannot %s the container", what);
}

/* @return 0, also when the other side has ended (then the connection is closed), or -1 */
static int from_container(struct session *s, struct err *e)
{
    char part[16384];
    ssize_t n = read(s->hijack.fd, part, sizeof(part));
    if (n > 0)
        return session_print(s, part, (size_t)n, e);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0 && errno != ECONNRESET)
        return broken(s, "read from", e);
    hang_up(s);
    /* Behind TLS an end may be a break, which only gorae-tlspipe has seen; it ends now, and has said so if it was. */
    return dial_why(s->hijack.why, e) ? err_wrap(e, "lost the connection to the daemon at %s", s->cli->client.host) : 0;
}

/* ---- input ---- */

static void end_input(struct session *s)
{
    s->in = -1;
    if (s->hijack.fd >= 0 && s->out_pos == s->out_len)
        shutdown(s->hijack.fd, SHUT_WR);
}

/* @return 1 when the detach keys are complete, 0, -1 */
static int from_keyboard(struct session *s, struct err *e)
{
    char part[8192];
    ssize_t n = read(s->in, part, sizeof(part));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0 && errno != EIO) /* EIO: the terminal was hung up, which is an end of input */
        return err_sys(e, "cannot read standard input");
    if (n <= 0) {
        end_input(s);
        return 0;
    }
    s->out_pos = 0;
    return keys_scan(&s->keys, part, (size_t)n, s->out, &s->out_len);
}

static int to_container(struct session *s, struct err *e)
{
    ssize_t n = send(s->hijack.fd, s->out + s->out_pos, s->out_len - s->out_pos, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        if (errno != EPIPE && errno != ECONNRESET)
            return broken(s, "write to", e);
        /* It closed its standard input; it may go on writing. */
        s->out_pos = s->out_len;
        s->in = -1;
        return 0;
    }
    s->out_pos += n > 0 ? (size_t)n : 0;
    if (s->out_pos == s->out_len && s->in < 0)
        shutdown(s->hijack.fd, SHUT_WR);
    return 0;
}

/* ---- the loop ---- */

static bool is_over(const struct session *s)
{
    return s->hijack.fd < 0 && (!s->wait || reply_pending(s->wait));
}

/* @return 0 to go on, 1 detached, -1 */
static int once(struct session *s, struct err *e)
{
    bool unsent = s->out_pos < s->out_len;
    int wait_fd = s->wait && s->hijack.fd < 0 ? reply_fd(s->wait) : -1;
    struct pollfd f[] = {
        {.fd = s->signals, .events = POLLIN},
        {.fd = s->hijack.fd, .events = (short)(POLLIN | (unsent ? POLLOUT : 0))},
        {.fd = s->hijack.fd >= 0 && !unsent ? s->in : -1, .events = POLLIN},
        {.fd = wait_fd, .events = POLLIN},
    };
    if (poll(f, 4, until_resize(s)) < 0)
        return errno == EINTR ? 0 : err_sys(e, "cannot wait for the container");
    if (f[0].revents && take_signals(s, e) < 0)
        return -1;
    if (until_resize(s) == 0)
        try_resize(s);
    if ((f[1].revents & POLLOUT) && to_container(s, e) < 0)
        return -1;
    if ((f[1].revents & ~POLLOUT) && from_container(s, e) < 0)
        return -1;
    if (f[2].revents) {
        int r = from_keyboard(s, e);
        if (r != 0)
            return r;
    }
    return f[3].revents ? 2 : 0;
}

int session_copy(struct session *s, struct err *e)
{
    struct span span = trace_begin(4, "copy the container's streams");
    int r = 0;
    if (s->hijack.rest_len > 0)
        r = session_print(s, s->hijack.rest, s->hijack.rest_len, e);
    while (r == 0 && !is_over(s))
        r = once(s, e);
    if (s->bytes > 0)
        trace_end(&span, "%llu bytes, which begin:\n%s", (unsigned long long)s->bytes, s->sample.s ? s->sample.s : "");
    else
        trace_end(&span, "no output");
    return r == 2 ? SESSION_ENDED : r;
}

int session_failed(struct session *s, const struct err *e)
{
    int code = cli_fail_own(s->cli, e);
    return s->stopped_by && !s->proxy ? 128 + s->stopped_by : code;
}

/* The daemon went away while we waited. Its containers run on, and the next one knows how they ended, but for those
 * that it was to remove then. Streams end a moment before it is noted that their container has. Nothing is copied any
 * more, so a signal may end us as it ends anybody. @return {"StatusCode"}, or NULL */
static json_t *ask_again(struct session *s)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    s->cli->client.status = 0;
    for (int i = 0; i < AGAIN_TRIES && s->cli->client.status != 404; i++) {
        struct err ignored; /* the first failure is the one to tell */
        json_auto_t *c = cli_ask(s->cli, "GET", "containers", s->id, "/json", NULL, &ignored);
        if (c && !json_is(c, "State.Running"))
            return json_pack("{s:I}", "StatusCode", (json_int_t)json_int(c, "State.ExitCode", 0));
        poll(NULL, 0, AGAIN_MS);
    }
    return NULL;
}

int session_exit_code(struct session *s, struct err *e)
{
    json_auto_t *j = reply_value(s->wait, e);
    if (!j)
        j = ask_again(s);
    bool gone = s->cli->client.status == 404;
    s->cli->client.status = 0; /* what failed is no answer of a daemon's */
    if (!j)
        return err_wrap(e, gone ? "the container ended while the daemon was away, and was removed: how is not known"
                                : "waiting for the container");
    const char *message = json_str(j, "Error.Message", "");
    if (*message) {
        fprintf(stderr, "Error waiting for container: %s\n", message);
        return EXIT_USAGE;
    }
    return (int)(json_int(j, "StatusCode", 0) & 0xff);
}
