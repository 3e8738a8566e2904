/* The container's log: lines out of bytes, records out of lines, and one write(2) a batch (or one datagram a record,
 * journal.c).
 *
 * Invariant: outside these functions the file holds exactly the records of all output fed so far, except the unfinished
 * line of each stream, which lies in `partial`. A client that is shown the log (replay.c) relies on it: end of file
 * plus the partial lines is the point where live output goes on.
 *
 * The file is opened for appending and has no other writer. A record is never half in it: where the disk fills up in
 * the middle of a batch, the whole records that fitted stay, the torn one is cut off again, and the rest is counted.
 * The container goes on. When there is room once more, a record of the shim's own says how many are missing, in their
 * place. Nothing is fsynced: a log line is not worth a disk flush, and what write(2) took survives the death of any
 * process.
 *
 * A file that has reached its largest size is set aside before the next record (logset_rotate.h). Where that is not
 * possible at the moment, it grows on and the next batch tries again.
 *
 * Read next: base/jsonlog.h for the format. */
#include "shim/shim.h"
#include "shim/jsonlog_write.h"
#include "shim/logset_rotate.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_MAX 65536 /* bytes gathered before a write even though more output is at hand */

/* A machine that lost power may have left half a record at the end. The next one must not be glued to it. */
static int mend_end(int fd, const char *path, struct err *e)
{
    struct stat st;
    char last = '\n';
    if (fstat(fd, &st) < 0)
        return err_sys(e, "stat log %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_SYSTEM, "log %s is not a regular file", path);
    if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) < 0)
        return err_sys(e, "read log %s", path);
    if (last != '\n' && write(fd, "\n", 1) < 0)
        return err_sys(e, "write log %s", path);
    return 0;
}

int logger_open(struct logger *l, const struct task *t, struct err *e)
{
    struct stat st;
    l->task = t;
    if (t->journal)
        return journal_open(l, t->journal, e);
    if (!t->log)
        return 0;
    autoclose int fd = open(t->log, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (fd < 0)
        return err_sys(e, "open log %s", t->log);
    if (mend_end(fd, t->log, e) < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return err_sys(e, "stat log %s", t->log);
    l->size = st.st_size;
    l->fd = take_fd(&fd);
    return 0;
}

bool logger_on(const struct logger *l)
{
    return l->fd >= 0 || l->journal.n > 0;
}

/* Append records. @return how many bytes of whole records are in the file; less than n on failure, with errno */
static size_t put(struct logger *l, const char *p, size_t n)
{
    ssize_t k;
    do
        k = write(l->fd, p, n);
    while (k < 0 && errno == EINTR);
    if (k == (ssize_t)n)
        return n;
    if (k < 0)
        return 0;
    size_t whole = (size_t)k;
    while (whole > 0 && p[whole - 1] != '\n')
        whole--;
    struct stat st;
    if (fstat(l->fd, &st) == 0)
        (void)!ftruncate(l->fd, st.st_size - (k - (ssize_t)whole));
    errno = ENOSPC; /* a short write to a regular file means a full disk or a limit; the next one would say so */
    return whole;
}

static void rotate(struct logger *l)
{
    struct err ignored; /* the log goes on in the file that it has */
    int fd;
    if (logset_rotate(l->task->log, l->task->log_files, &fd, &ignored) <= 0)
        return;
    fd_close(l->fd);
    l->fd = fd;
    l->size = 0;
}

/* How much of these records goes into the file that we have: up to the end of the one that fills it. */
static size_t share(const struct logger *l, const char *p, size_t n)
{
    int64_t room = l->task->log_size - l->size;
    if (l->task->log_size == 0 || room <= 0 || room >= (int64_t)n)
        return n;
    const char *end = memchr(p + room - 1, '\n', n - (size_t)room + 1);
    return end ? (size_t)(end - p) + 1 : n;
}

/* As put(), and a file that is full is set aside first. */
static size_t put_in_files(struct logger *l, const char *p, size_t n)
{
    size_t done = 0;
    while (done < n) {
        if (l->task->log_size > 0 && l->size >= l->task->log_size)
            rotate(l);
        size_t k = share(l, p + done, n - done), got = put(l, p + done, k);
        done += got;
        l->size += (int64_t)got;
        if (got < k)
            break;
    }
    return done;
}

/* Newlines inside the text of a record are escaped, so each one counted is the end of a record. */
static void lose(struct logger *l, const char *p, size_t n)
{
    l->lost_why = errno;
    for (size_t i = 0; i < n; i++)
        l->lost += p[i] == '\n';
}

/* Say in the log that records are missing here. @return true where there is nothing (more) to say */
static bool tell_lost(struct logger *l, int64_t at)
{
    if (l->lost == 0)
        return true;
    autostr record = STR_INIT;
    autofree char *text =
        str_printf("gorae: %ju log records are missing here: %s\n", (uintmax_t)l->lost, strerrordesc_np(l->lost_why));
    if (l->fd < 0) {
        if (!journal_put(l, JSONLOG_STDERR, text, strlen(text)))
            return false;
    } else {
        jsonlog_encode(&record, JSONLOG_STDERR, text, strlen(text), l->task->log_attrs, at);
        if (put_in_files(l, record.s, record.len) < record.len)
            return false;
    }
    l->lost = 0;
    return true;
}

/* A disk that was full is tried with the note about the loss first. While that does not fit either, all that comes is
 * lost too, and counted: the note must stand where the records are missing. */
static void flush(struct logger *l, int64_t at)
{
    if (l->batch.len == 0)
        return;
    size_t done = tell_lost(l, at) ? put_in_files(l, l->batch.s, l->batch.len) : 0;
    if (done < l->batch.len)
        lose(l, l->batch.s + done, l->batch.len - done);
    str_reset(&l->batch);
}

static void record(struct logger *l, int stream, const char *p, size_t n, int64_t at)
{
    if (l->fd < 0) {
        if (!tell_lost(l, at) || !journal_put(l, stream, p, n)) {
            l->lost_why = errno;
            l->lost++;
        }
        return;
    }
    jsonlog_encode(&l->batch, stream, p, n, l->task->log_attrs, at);
    if (l->batch.len >= BATCH_MAX)
        flush(l, at);
}

/* Move bytes to the unfinished line: up to its newline, or as many as a record holds. @return how many */
static size_t fill_partial(struct str *part, const char *p, size_t n)
{
    size_t room = JSONLOG_TEXT_MAX - part->len;
    size_t k = n < room ? n : room;
    const char *newline = memchr(p, '\n', k);
    if (newline)
        k = (size_t)(newline - p) + 1;
    str_addn(part, p, k);
    return k;
}

/* Docker's rule: a record for each line, one more whenever JSONLOG_TEXT_MAX bytes have come without a newline, and the
 * rest is kept until it has grown into one of these. So a prompt without a newline is not in the log yet, but it is at
 * the clients. */
void logger_feed(struct logger *l, int stream, const char *p, size_t n, int64_t at)
{
    struct str *part = &l->partial[stream - JSONLOG_STDOUT];
    if (!logger_on(l))
        return;
    while (n > 0) {
        size_t k = part->len == 0 ? jsonlog_cut(p, n) : 0;
        if (k > 0) { /* the usual case: a whole line, encoded from where it lies */
            record(l, stream, p, k, at);
        } else {
            k = fill_partial(part, p, n);
            size_t cut = jsonlog_cut(part->s, part->len);
            if (cut > 0) {
                record(l, stream, part->s, cut, at);
                /* What is left are at most three bytes, of a character that the cut went before. */
                memmove(part->s, part->s + cut, part->len - cut);
                part->len -= cut;
            }
        }
        p += k;
        n -= k;
    }
    flush(l, at);
}

void logger_finish(struct logger *l, int64_t at)
{
    if (!logger_on(l))
        return;
    l->journal.quiet = 0; /* the last chance for the note about what was lost: one more wait, at most */
    for (int i = 0; i < 2; i++) {
        if (l->partial[i].len > 0)
            record(l, JSONLOG_STDOUT + i, l->partial[i].s, l->partial[i].len, at);
        str_release(&l->partial[i]);
    }
    flush(l, at);
    tell_lost(l, at);
}

void logger_close(struct logger *l)
{
    fd_close(l->fd);
    l->fd = -1;
    journal_close(l);
    str_release(&l->batch);
    str_release(&l->partial[0]);
    str_release(&l->partial[1]);
}
