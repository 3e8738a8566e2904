/* logs: reading the json-file log, from its end and onwards.
 *
 * The shim appends whole lines; this file reads them. `tail` finds its start by walking back in blocks and counting
 * newlines, so the last ten lines of a gigabyte cost a few kilobytes. `follow` waits on inotify(7) for the file and on
 * the container's exit, and ends after reading what was there when the exit was known: the shim writes the last line
 * before it tells of the exit, so nothing is missed. */
#include "engine/model.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/jsonlog.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK        65536
#define ATTENTION_MS 1000

struct reader {
    int fd;
    struct str pending; /* bytes read and not yet a whole line */
    struct jsonlog_record record;
    const struct logs_options *opt;
    engine_log_sink *sink;
    void *arg;
};

int engine_logs_check(struct engine *en, const char *name, bool *ret_tty, struct err *e)
{
    struct container *c = container_get(en, name, e);
    if (!c)
        return -1;
    int r = 0;
    *ret_tty = json_is(c->config, "Tty");
    if (!str_eq(json_str(c->host, "LogConfig.Type", ""), "json-file"))
        r = err_set(e, ERR_NOT_IMPLEMENTED, "configured logging driver does not support reading: %s",
                    json_str(c->host, "LogConfig.Type", ""));
    container_put(en, c);
    return r;
}

/* Where the last `n` records begin. @return an offset, or -1 */
static off_t tail_start(int fd, int64_t n, struct err *e)
{
    autofree char *block = mem_alloc(BLOCK);
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0)
        return err_sys(e, "seek in the log");
    int64_t seen = 0;
    if (n == 0)
        return end;
    for (off_t at = end; at > 0;) {
        size_t k = at < BLOCK ? (size_t)at : BLOCK;
        at -= (off_t)k;
        if (pread(fd, block, k, at) != (ssize_t)k)
            return err_sys(e, "read the log");
        for (size_t i = k; i > 0; i--)
            /* the newline that ends the file's last line does not begin another */
            if (block[i - 1] == '\n' && at + (off_t)i != end && ++seen == n)
                return at + (off_t)i;
    }
    return n == 0 ? end : 0;
}

/* "k=v,k=v " sorted, percent-encoded: what --details puts before the text. */
static void add_details(struct str *out, const struct jsonlog_record *r)
{
    struct err ignored;
    json_auto_t *attrs = r->attrs ? json_parse(r->attrs, r->attrs_len, &ignored) : NULL;
    autofree char *sorted = attrs ? json_dumps(attrs, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    json_auto_t *in_order = sorted ? json_loads(sorted, 0, NULL) : NULL;
    const char *k;
    json_t *v;
    bool first = true;
    json_object_foreach(in_order, k, v)
    {
        str_addf(out, "%s%s=%s", first ? "" : ",", k, json_string_value(v) ? json_string_value(v) : "");
        first = false;
    }
    if (r->attrs)
        str_addc(out, ' ');
}

static int deliver(struct reader *r)
{
    const struct jsonlog_record *rec = &r->record;
    const struct logs_options *o = r->opt;
    if ((rec->stream == JSONLOG_STDOUT && !o->out) || (rec->stream == JSONLOG_STDERR && !o->err))
        return 0;
    if (rec->time < o->since || (o->until && rec->time > o->until))
        return 0;
    if (!o->timestamps && !o->details)
        return r->sink(r->arg, rec->stream, rec->text, rec->len);
    autostr line = STR_INIT;
    char when[CLOCK_TEXT];
    if (o->timestamps)
        str_addf(&line, "%s ", clock_format(rec->time, when));
    if (o->details)
        add_details(&line, rec);
    str_addn(&line, rec->text, rec->len);
    return r->sink(r->arg, rec->stream, line.s, line.len);
}

/* Every whole line of what has been read. A line that is no record (a torn one after a full disk) is passed over. */
static int consume(struct reader *r)
{
    size_t at = 0;
    for (;;) {
        char *nl = memchr(r->pending.s + at, '\n', r->pending.len - at);
        if (!nl)
            break;
        size_t n = (size_t)(nl - (r->pending.s + at)) + 1;
        if (jsonlog_decode(r->pending.s + at, n, &r->record) == 0 && deliver(r))
            return 1;
        at += n;
    }
    memmove(r->pending.s, r->pending.s + at, r->pending.len - at + 1);
    r->pending.len -= at;
    return 0;
}

/* All that is there now. @return 1 where the sink wants no more */
static int read_on(struct reader *r, struct err *e)
{
    autofree char *block = mem_alloc(BLOCK);
    for (;;) {
        ssize_t k = read(r->fd, block, BLOCK);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(e, "read the log");
        if (k == 0)
            return 0;
        str_addn(&r->pending, block, (size_t)k);
        if (consume(r))
            return 1;
        if (r->pending.len > JSONLOG_LINE_MAX)
            return err_set(e, ERR_SYSTEM, "the log holds a line of more than %d bytes", (int)JSONLOG_LINE_MAX);
    }
}

static int follow(struct reader *r, struct waiter *w, const char *path, struct err *e)
{
    autoclose int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY) < 0)
        return err_sys(e, "watch %s", path);
    struct pollfd p[2] = {{.fd = watch, .events = POLLIN}, {.fd = engine_wait_fd(w), .events = POLLIN}};
    for (;;) {
        char news[4096];
        int got = read_on(r, e); /* what was written before the watch began, or what it told of */
        if (got != 0)
            return got;
        if (p[1].revents & POLLIN)
            return 0; /* it had ended before that last reading */
        int n = poll(p, 2, ATTENTION_MS);
        if (n < 0 && errno != EINTR)
            return err_sys(e, "wait for the log");
        if (n == 0 && r->sink(r->arg, JSONLOG_STDOUT, "", 0))
            return 1;
        while (n > 0 && read(watch, news, sizeof(news)) > 0)
            ;
    }
}

static int open_at_start(struct reader *r, const char *path, struct err *e)
{
    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0)
        return err_sys(e, "open %s", path);
    if (r->opt->tail < 0)
        return 0;
    off_t at = tail_start(r->fd, r->opt->tail, e);
    return at < 0 ? -1 : lseek(r->fd, at, SEEK_SET) < 0 ? err_sys(e, "seek in the log") : 0;
}

static int logs_of(struct engine *en, struct container *c, struct reader *r, struct err *e)
{
    autofree char *name = str_printf("%s-json.log", c->id), *path = container_path(en, c, name);
    struct waiter *w = r->opt->follow ? waiter_new(en, c, WAIT_NOT_RUNNING, e) : NULL;
    int got = -1;
    if (r->opt->follow && !w)
        ;
    else if (open_at_start(r, path, e) == 0)
        got = w ? follow(r, w, path, e) : read_on(r, e);
    else if (e->sys == ENOENT) /* it has never run */
        got = 0;
    if (w)
        engine_wait_end(en, w);
    fd_close(r->fd);
    str_release(&r->pending);
    jsonlog_release(&r->record);
    return got < 0 ? -1 : 0;
}

int engine_logs(struct engine *en, const char *name, const struct logs_options *opt, engine_log_sink *sink, void *arg,
                struct err *e)
{
    struct container *c = container_get(en, name, e);
    if (!c)
        return -1;
    struct reader r = {.fd = -1, .opt = opt, .sink = sink, .arg = arg};
    str_reset(&r.pending);
    int got = logs_of(en, c, &r, e);
    container_put(en, c);
    return got;
}
