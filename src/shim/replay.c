/* Attach with logs: a client is shown the log from its beginning and then goes on live, with no gap and no repeat.
 *
 * While it is shown the log it gets nothing else; whatever the container writes meanwhile it will find in the file.
 * Once it has read to the end of the file, the file plus the unfinished line of each stream is all that the container
 * has written (the invariant of log.c), and because one thread does everything, nothing can come between that look and
 * the switch. So it needs no buffer for what happened meanwhile, and a slow reader of a long log delays nobody.
 *
 * Rotation in the meantime makes no difference: logset_read() goes from file to file.
 *
 * Lines that are no records (damaged by a crash) are skipped; so is a line too long to be one.
 *
 * Read next: base/jsonlog.h, log.c. */
#include "shim/shim.h"
#include "base/jsonlog.h"
#include "base/logset.h"
#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

#define REPLAY_CHUNK 16384
#define REPLAY_TURN                                                                                  \
    65536 /* bytes of log in one turn of the loop, so that a quick reader does not starve the others \
           */

struct replay {
    struct logset files;
    struct str buf; /* read and not yet shown */
    bool skipping;  /* inside a line that is too long */
    struct jsonlog_record record;
};

void replay_begin(struct shim *s, struct client *c)
{
    struct err ignored;
    if (s->log.fd < 0)
        return;
    c->replay = mem_alloc(sizeof(*c->replay));
    if (logset_open(&c->replay->files, s->task.log, &ignored) < 0)
        replay_free(take_ptr(&c->replay)); /* removed under our hands: then there is nothing to show */
}

void replay_free(struct replay *r)
{
    if (!r)
        return;
    logset_close(&r->files);
    str_release(&r->buf);
    jsonlog_release(&r->record);
    free(r);
}

static void show(struct shim *s, struct client *c, const char *line, size_t n)
{
    struct replay *r = c->replay;
    if (!r->skipping && jsonlog_decode(line, n, &r->record) == 0 && c->wants[r->record.stream] && r->record.len > 0)
        client_queue(s, c, r->record.stream, r->record.text, r->record.len);
}

/* Show the whole lines of the buffer and keep what follows the last of them. */
static void show_lines(struct shim *s, struct client *c)
{
    struct replay *r = c->replay;
    size_t used = 0;
    const char *newline;
    while ((newline = memchr(r->buf.s + used, '\n', r->buf.len - used))) {
        size_t n = (size_t)(newline - r->buf.s) - used;
        show(s, c, r->buf.s + used, n);
        r->skipping = false;
        used += n + 1;
    }
    memmove(r->buf.s, r->buf.s + used, r->buf.len - used);
    r->buf.len -= used;
    if (r->buf.len > JSONLOG_LINE_MAX) {
        r->skipping = true;
        str_release(&r->buf);
    }
}

static void go_live(struct shim *s, struct client *c)
{
    replay_free(take_ptr(&c->replay));
    for (int stream = JSONLOG_STDOUT; stream <= JSONLOG_STDERR; stream++) {
        const struct str *part = &s->log.partial[stream - JSONLOG_STDOUT];
        if (part->len > 0 && c->wants[stream])
            client_queue(s, c, stream, part->s, part->len);
    }
    client_flush(s, c);
}

void replay_step(struct shim *s, struct client *c)
{
    struct err ignored;
    char chunk[REPLAY_CHUNK];
    for (size_t turn = 0; turn < REPLAY_TURN && client_pending(c) < OUTPUT_PENDING_MAX; turn += sizeof(chunk)) {
        ssize_t n = logset_read(&c->replay->files, s->task.log, chunk, sizeof(chunk), &ignored);
        if (n <= 0) {
            go_live(s, c);
            return;
        }
        str_addn(&c->replay->buf, chunk, (size_t)n);
        show_lines(s, c);
        client_flush(s, c);
        if (!c->replay) /* the client is gone */
            return;
    }
}
