/* Running gorae-archive: the daemon's end of base/archiveproto.h.
 *
 * Three streams run at once: bytes go in, bytes may come out, and messages come. One thread serves all of them with
 * poll(2), so that neither side ever waits for the other while it is itself waited for. The upload's own source may
 * block (a slow client); messages then wait as long, which only delays progress.
 *
 * Bytes go in through a socket pair rather than a pipe, because send(2) can be told not to raise SIGPIPE. A worker that
 * stops reading early is not an error by itself: its last message says what it was. A job that is given up (the client
 * is gone) has its worker killed; nothing is lost but the staging folder. Next: commit.c. */
#include "image/store.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES (64 << 10)

extern char **environ;

/* --- staging ------------------------------------------------------------------------------------------------ */

/* Only layers that images have: one without may be swept any moment. */
static void list_known(struct image_store *st, struct str *out)
{
    str_reset(out);
    pthread_mutex_lock(&st->lock);
    for (size_t i = 0; i < st->layers; i++)
        if (st->layer[i]->images > 0)
            str_addf(out, "%s\n", st->layer[i]->chain);
    pthread_mutex_unlock(&st->lock);
}

static int write_known(const struct staging *s, const char *text, size_t n, struct err *e)
{
    autoclose int fd = openat(s->fd, "known", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, text, n) < 0)
        return err_sys(e, "write %s/known", s->path);
    return 0;
}

int staging_make(struct image_store *st, struct staging *ret, struct err *e)
{
    char unique[17];
    str_random_hex(unique, 8);
    struct staging s = {str_printf("staging/%s", unique), -1};
    autostr known = STR_INIT;
    if (mkdirat(st->rootfd, s.path, 0700) < 0)
        err_sys(e, "make folder %s/%s", st->root, s.path);
    else
        s.fd = openat(st->rootfd, s.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    list_known(st, &known);
    if (s.fd < 0 || write_known(&s, known.s, known.len, e) < 0) {
        staging_remove(st, &s);
        return -1;
    }
    *ret = s;
    return 0;
}

int staging_put_config(const struct staging *s, const char *config, char *id, struct err *e)
{
    size_t n = strlen(config);
    digest_of(config, n, id);
    autofree char *path = str_printf("blobs/%s", id);
    if (n > (size_t)IMAGE_CONFIG_MAX)
        return err_set(e, ERR_TOO_LARGE, "the image's configuration is too long");
    return file_replace_volatile(s->fd, path, config, n, 0600, e);
}

void staging_remove(struct image_store *st, struct staging *s)
{
    fd_close(s->fd);
    if (s->path)
        tree_remove(st->rootfd, s->path, NULL); /* what stays is removed at the next start */
    free(s->path);
    *s = (struct staging)STAGING_INIT;
}

/* --- the streams ---------------------------------------------------------------------------------------------- */

struct pump {
    const struct worker_job *job;
    int in, out, msg; /* our ends; -1 when done */
    char *buf;        /* buf[from..to) is to go in; the second half takes what comes out */
    size_t from, to;
    struct str line; /* the beginning of a message */
    json_t *last;    /* the last message that is not progress */
};

static void shut(int *fd)
{
    fd_close(*fd);
    *fd = -1;
}

/* Get more to send, where there is nothing left. */
static int refill(struct pump *p, struct err *e)
{
    if (p->in < 0 || p->from < p->to)
        return 0;
    ssize_t n = !p->job->src ? 0 : p->job->src(p->job->src_arg, p->buf, COPY_BYTES, e);
    if (n < 0)
        return -1;
    p->from = 0;
    p->to = (size_t)n;
    if (n == 0)
        shut(&p->in);
    return 0;
}

/* EPIPE: the worker has what it wants, or is dead; its messages tell which. */
static int send_some(struct pump *p, struct err *e)
{
    ssize_t n = send(p->in, p->buf + p->from, p->to - p->from, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
        p->from += (size_t)n;
    else if (errno == EPIPE || errno == ECONNRESET)
        shut(&p->in);
    else if (errno != EAGAIN && errno != EINTR)
        return err_sys(e, "send to " ARCHIVE_PROGRAM);
    return 0;
}

static int gone(struct err *e)
{
    return err_set(e, ERR_SYSTEM, "the client is gone");
}

static int receive_bytes(struct pump *p, struct err *e)
{
    char *bytes = p->buf + COPY_BYTES; /* not on the stack: the daemon's threads have small ones */
    ssize_t n = read(p->out, bytes, COPY_BYTES);
    if (n > 0 && p->job->sink)
        return p->job->sink(p->job->sink_arg, bytes, (size_t)n) == 0 ? 0 : gone(e);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    shut(&p->out);
    return n >= 0 ? 0 : err_sys(e, "read from " ARCHIVE_PROGRAM);
}

/* One line. Progress is passed on at once; of all others the last is kept, which says how it ended. */
static int take_message(struct pump *p, const char *text, size_t n, struct err *e)
{
    json_t *j = json_parse(text, n, e);
    if (!j)
        return err_wrap(e, "message from " ARCHIVE_PROGRAM);
    int r = 0;
    if (!str_eq(json_str(j, "ev", ""), "progress")) {
        json_decref(p->last);
        p->last = json_incref(j);
    } else if (p->job->progress && p->job->progress(p->job->progress_arg, j) != 0) {
        r = gone(e);
    }
    json_decref(j);
    return r;
}

static int receive_messages(struct pump *p, struct err *e)
{
    char bytes[8192];
    ssize_t n = read(p->msg, bytes, sizeof(bytes));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0) {
        shut(&p->msg);
        return n == 0 ? 0 : err_sys(e, "read from " ARCHIVE_PROGRAM);
    }
    str_addn(&p->line, bytes, (size_t)n);
    if (p->line.len > ARCHIVE_MESSAGE_MAX)
        return err_set(e, ERR_SYSTEM, "a message from " ARCHIVE_PROGRAM " is too long");
    char *end;
    while ((end = memchr(p->line.s, '\n', p->line.len))) {
        size_t k = (size_t)(end - p->line.s);
        if (take_message(p, p->line.s, k, e) < 0)
            return -1;
        memmove(p->line.s, end + 1, p->line.len - k); /* the final NUL too */
        p->line.len -= k + 1;
    }
    return 0;
}

static int pump_all(struct pump *p, struct err *e)
{
    while (p->msg >= 0 || p->out >= 0) {
        if (refill(p, e) < 0)
            return -1;
        struct pollfd fds[3] = {
            {.fd = p->in, .events = POLLOUT}, {.fd = p->out, .events = POLLIN}, {.fd = p->msg, .events = POLLIN}};
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            return err_sys(e, "poll");
        if (fds[0].revents && send_some(p, e) < 0)
            return -1;
        /* Messages first: one that was sent before the first byte is seen before it. */
        if (fds[2].revents && receive_messages(p, e) < 0)
            return -1;
        if (fds[1].revents && receive_bytes(p, e) < 0)
            return -1;
    }
    return 0;
}

/* --- the process ------------------------------------------------------------------------------------------------ */

/* Our environment, with the trace of this thread in it. */
static void make_environment(struct strv *ret)
{
    for (char **v = environ; *v; v++)
        if (!str_starts(*v, TRACE_ENV "="))
            strv_add(ret, *v);
    if (trace_path())
        strv_addf(ret, TRACE_ENV "=%s", trace_path());
}

struct ends {
    int in[2], out[2], msg[2]; /* ours, the worker's */
};

static void close_ends(struct ends *x, int which)
{
    shut(&x->in[which]);
    shut(&x->out[which]);
    shut(&x->msg[which]);
}

static int open_ends(struct ends *x, bool out, struct err *e)
{
    *x = (struct ends){{-1, -1}, {-1, -1}, {-1, -1}};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x->in) < 0 || pipe2(x->msg, O_CLOEXEC) < 0 ||
        (out && pipe2(x->out, O_CLOEXEC) < 0)) {
        err_sys(e, "make pipes to " ARCHIVE_PROGRAM);
        close_ends(x, 0);
        close_ends(x, 1);
        return -1;
    }
    return 0;
}

/* The worker gets exactly the descriptors of base/archiveproto.h: posix_spawn closes all others. */
static pid_t start(const struct worker_job *job, const struct ends *x, struct err *e)
{
    autostrv env = {NULL, 0};
    autofree char *program = spawn_sibling(ARCHIVE_PROGRAM, e);
    if (!program)
        return -1;
    make_environment(&env);
    char *argv[] = {program, (char *)job->verb, NULL};
    struct spawn s = SPAWN_INIT;
    s.path = program;
    s.argv = argv;
    s.env = env.v;
    s.in = x->in[1];
    s.out = x->out[1];
    s.error = STDERR_FILENO;
    s.extra[s.nextra++] = x->msg[1];
    s.extra[s.nextra++] = job->work;
    if (job->layers >= 0)
        s.extra[s.nextra++] = job->layers;
    return spawn_start(&s, e);
}

/* What its last message and its exit status say together. */
static int judge(struct pump *p, int status, struct err *e)
{
    const char *ev = json_str(p->last, "ev", "");
    if (status == 0 && str_eq(ev, "done"))
        return 0;
    if (str_eq(ev, "error"))
        return err_from_json(e, json_object_get(p->last, "error"));
    if (status == EXIT_EXHAUSTED)
        return err_set(e, ERR_TOO_LARGE, "the archive needs more memory than the limit to unpack");
    if (status == 128 + SIGXCPU)
        return err_set(e, ERR_TOO_LARGE, "the archive needs more processor time than the limit to unpack");
    return err_set(e, ERR_SYSTEM, ARCHIVE_PROGRAM " ended with status %d", status);
}

json_t *worker_run(const struct worker_job *job, struct err *e)
{
    struct ends x;
    if (open_ends(&x, job->sink != NULL, e) < 0)
        return NULL;
    struct span span = trace_begin(3, "run " ARCHIVE_PROGRAM);
    pid_t pid = start(job, &x, e);
    close_ends(&x, 1);
    if (pid < 0) {
        close_ends(&x, 0);
        return NULL;
    }
    struct pump p = {.job = job, .in = x.in[0], .out = x.out[0], .msg = x.msg[0], .buf = mem_alloc(2 * COPY_BYTES)};
    int r = pump_all(&p, e);
    if (r < 0)
        kill(pid, SIGKILL);
    shut(&p.in);
    shut(&p.out);
    shut(&p.msg);
    struct err why;
    int status = spawn_wait(pid, &why);
    trace_end(&span, "%s, pid %d, status %d", job->verb, (int)pid, status);
    if (r == 0 && judge(&p, status, e) < 0)
        r = -1;
    free(p.buf);
    str_release(&p.line);
    if (r < 0)
        json_decref(p.last);
    return r < 0 ? NULL : p.last;
}
