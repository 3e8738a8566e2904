/* logs: reading the json-file log, from its end and onwards.
 *
 * The shim appends whole lines; this file reads them, from one rotated file to the next (base/logset.h). `tail` finds
 * its start by walking back in blocks and counting newlines, so the last ten lines of a gigabyte cost a few kilobytes.
 * `follow` waits on inotify(7) for the folder and on the container's exit, and ends after reading what was there when
 * the exit was known: the shim writes the last line before it tells of the exit, so nothing is missed. */
#include "engine/logging.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/jsonlog.h"
#include "base/logset.h"
#include "base/mem.h"
#include "base/trace.h"

#include <ctype.h>
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
    struct logset files;
    const char *path;
    struct str pending; /* bytes read and not yet a whole line */
    struct jsonlog_record record;
    const struct logs_options *opt;
    engine_log_sink *sink;
    void *arg;
    uint64_t records, bytes; /* that were handed on */
};

int engine_logs_check(struct engine *en, const char *name, bool *ret_tty, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return -1;
    *ret_tty = json_is(c->config, "Tty");
    if (!logging_readable(c->host))
        return err_set(e, ERR_NOT_IMPLEMENTED, "configured logging driver does not support reading: %s",
                       json_str(c->host, "LogConfig.Type", ""));
    return 0;
}

/* Look for the newline before the last `*n` records of one file. @return an offset; 0 with *n left where it has fewer
 */
static off_t tail_start(int fd, int64_t *n, struct err *e)
{
    autofree char *block = mem_alloc(BLOCK);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(e, "stat the log");
    const off_t end =
        st.st_size; /* the descriptor's own position stays: the younger files are read from their beginnings */
    for (off_t at = end; at > 0;) {
        size_t k = at < BLOCK ? (size_t)at : BLOCK;
        at -= (off_t)k;
        if (pread(fd, block, k, at) != (ssize_t)k)
            return err_sys(e, "read the log");
        for (size_t i = k; i > 0; i--)
            /* the newline that ends the file's last line does not begin another */
            if (block[i - 1] == '\n' && at + (off_t)i != end && --*n == 0)
                return at + (off_t)i;
    }
    if (end > 0)
        --*n; /* its first line */
    return 0;
}

/* Go to where the last `n` records begin: from the youngest file back, until they are found. */
static int seek_tail(struct reader *r, int64_t n, struct err *e)
{
    size_t i = r->files.n;
    off_t at = 0;
    if (i > 0 && n == 0)
        at = lseek(r->files.fd[--i], 0, SEEK_END);
    while (i > 0 && n > 0 && at >= 0)
        at = tail_start(r->files.fd[--i], &n, e);
    if (at < 0)
        return -1;
    while (i-- > 0)
        logset_next(&r->files);
    if (r->files.n > 0 && lseek(r->files.fd[0], at, SEEK_SET) < 0)
        return err_sys(e, "seek in the log");
    return 0;
}

/* As in a query (Go's url.QueryEscape): clients split the text at ',' and '=', which a value may hold. */
static void add_escaped(struct str *out, const char *s)
{
    for (; *s; s++)
        if (isalnum((unsigned char)*s) || strchr("-_.~", *s))
            str_addc(out, *s);
        else
            str_addf(out, *s == ' ' ? "+" : "%%%02X", (unsigned char)*s);
}

/* "k=v,k=v " sorted, percent-encoded: what --details puts before the text. The blank is there without any, too. */
static void add_details(struct str *out, const struct jsonlog_record *r)
{
    struct err ignored;
    json_auto_t *attrs = r->attrs ? json_parse(r->attrs, r->attrs_len, &ignored) : NULL;
    autofree char *sorted = attrs ? json_dumps(attrs, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    json_auto_t *in_order = sorted ? json_loads(sorted, 0, NULL) : NULL;
    bool first = true;
    json_each_pair (k, v, in_order) {
        str_add(out, first ? "" : ",");
        add_escaped(out, k);
        str_addc(out, '=');
        add_escaped(out, json_string_value(v) ? json_string_value(v) : "");
        first = false;
    }
    str_addc(out, ' ');
}

static int deliver(struct reader *r)
{
    const struct jsonlog_record *rec = &r->record;
    const struct logs_options *o = r->opt;
    if (o->until && rec->time > o->until)
        return 1; /* records are in order of time: no later one is wanted */
    if (rec->time < o->since || (rec->stream == JSONLOG_STDOUT && !o->out) ||
        (rec->stream == JSONLOG_STDERR && !o->err))
        return 0;
    r->records++;
    r->bytes += rec->len;
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
        ssize_t k = logset_read(&r->files, r->path, block, BLOCK, e);
        if (k <= 0)
            return (int)k;
        str_addn(&r->pending, block, (size_t)k);
        if (consume(r))
            return 1;
        if (r->pending.len > JSONLOG_LINE_MAX)
            return err_set(e, ERR_SYSTEM, "the log holds a line of more than %d bytes", (int)JSONLOG_LINE_MAX);
    }
}

static int follow(struct reader *r, struct waiter *w, const char *folder, struct err *e)
{
    autoclose int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch < 0 || inotify_add_watch(watch, folder, IN_MODIFY | IN_MOVED_TO) < 0)
        return err_sys(e, "watch %s", folder);
    struct pollfd p[2] = {{.fd = watch, .events = POLLIN}, {.fd = engine_wait_fd(w), .events = POLLIN}};
    for (;;) {
        char news[4096];
        int64_t left = r->opt->until ? r->opt->until - clock_real() : ATTENTION_MS * NS_PER_MS;
        int got = read_on(r, e); /* what was written before the watch began, or what it told of */
        if (got != 0)
            return got;
        if (r->sink(r->arg, JSONLOG_STDOUT, "", 0))
            return 1;
        if (p[1].revents & POLLIN || left <= 0)
            return 0; /* it had ended, or the time was over, before that last reading */
        int n = poll(p, 2, left < ATTENTION_MS * NS_PER_MS ? (int)(left / NS_PER_MS) + 1 : ATTENTION_MS);
        if (n < 0 && errno != EINTR)
            return err_sys(e, "wait for the log");
        while (n > 0 && read(watch, news, sizeof(news)) > 0)
            ;
    }
}

static int logs_of(struct engine *en, struct container *c, struct reader *r, struct err *e)
{
    autofree char *path = logging_path(en, c), *folder = container_path(en, c, NULL);
    /* To the next end, though a restart policy may bring it back: so does Docker. */
    struct waiter *w = r->opt->follow ? waiter_new(en, c, WAIT_NEXT_EXIT, e) : NULL;
    int got = r->opt->follow && !w ? -1 : 0;
    bool alive = locked(&en->lock, state_alive(c->state));
    r->path = path;
    if (got == 0)
        got = logset_open(&r->files, path, e);
    if (got == 0 && r->opt->tail >= 0)
        got = seek_tail(r, r->opt->tail, e);
    if (got == 0)
        got = w && alive ? follow(r, w, folder, e) : read_on(r, e);
    if (w)
        engine_wait_end(en, w);
    logset_close(&r->files);
    str_release(&r->pending);
    jsonlog_release(&r->record);
    return got < 0 ? -1 : 0;
}

int engine_logs(struct engine *en, const char *name, const struct logs_options *opt, engine_log_sink *sink, void *arg,
                struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return -1;
    struct reader r = {.opt = opt, .sink = sink, .arg = arg};
    str_reset(&r.pending);
    struct span s = trace_begin(3, opt->follow ? "read the log and follow it" : "read the log");
    int got = logs_of(en, c, &r, e);
    trace_end(&s, "containers/%.12s…/*-json.log: %llu records, %llu bytes of output", c->id,
              (unsigned long long)r.records, (unsigned long long)r.bytes);
    return got;
}
