/* The log driver "journald": each record is a datagram to systemd's journal, in its native protocol.
 *
 * A datagram is a row of fields. A field is NAME=value and a newline, or, where the value holds a newline itself: NAME,
 * a newline, eight bytes of length (little-endian), the value, a newline. What names may be, and what the journal does
 * with them: systemd.journal-fields(7); the protocol is described in systemd's documentation, "Native Journal
 * Protocol".
 *
 * The names are Docker's, so that `journalctl CONTAINER_NAME=web` works as its manual says. The line's own newline is
 * left out, and a piece of a longer line carries CONTAINER_PARTIAL_MESSAGE.
 *
 * A journal that is slow makes us wait, at most SEND_TIMEOUT for a record: it is the only place where the shim waits,
 * and a container that writes more than the journal takes has to be slowed down or lose lines. Then the record is lost,
 * counted, and told. A journal that hangs would have us wait for every line and do nothing else: so after a wait in
 * vain what comes in the next second is lost without one.
 *
 * Read next: log.c. */
#include "shim/shim.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sock.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define SEND_TIMEOUT_S 1
#define QUIET_S        1
#define PRIORITY_OUT   "6" /* informational, syslog(3) */
#define PRIORITY_ERR   "3" /* error */

static void add_field(struct str *out, const char *name, const char *p, size_t n)
{
    str_add(out, name);
    if (memchr(p, '\n', n)) {
        uint64_t size = htole64(n);
        str_addc(out, '\n');
        str_addn(out, &size, sizeof(size));
    } else {
        str_addc(out, '=');
    }
    str_addn(out, p, n);
    str_addc(out, '\n');
}

static int dial(struct journal *j, struct err *e)
{
    const struct timeval limit = {.tv_sec = SEND_TIMEOUT_S};
    j->sock = sock_dial_unix(j->path, SOCK_DGRAM, e);
    if (j->sock < 0)
        return -1;
    if (setsockopt(j->sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
        return err_sys(e, "limit the time to send to %s", j->path);
    return 0;
}

int journal_open(struct logger *l, const json_t *task, struct err *e)
{
    struct journal *j = &l->journal;
    const char *name;
    json_t *text;
    j->path = json_str(task, "socket", "");
    json_object_foreach(json_object_get(task, "fields"), name, text)
    {
        const char *value = json_string_value(text);
        if (!value)
            return err_set(e, ERR_INVALID, "shim.json: the journal's field %s must be a string", name);
        add_field(&j->field, name, value, strlen(value));
        j->n++;
    }
    if (j->n == 0)
        return err_set(e, ERR_INVALID, "shim.json: the journal needs fields");
    if (dial(j, e) < 0)
        return err_set(e, ERR_SYSTEM, "journald is not enabled on this host (%s: %s)", j->path, strerror(e->sys));
    return 0;
}

bool journal_put(struct logger *l, int stream, const char *p, size_t n)
{
    struct journal *j = &l->journal;
    struct err ignored;
    autostr datagram = STR_INIT;
    bool whole = n > 0 && p[n - 1] == '\n';
    if (clock_mono() < j->quiet) {
        errno = EAGAIN;
        return false;
    }
    str_addn(&datagram, j->field.s, j->field.len);
    add_field(&datagram, "PRIORITY", stream == JSONLOG_STDERR ? PRIORITY_ERR : PRIORITY_OUT, 1);
    if (!whole && n + 4 > JSONLOG_TEXT_MAX) /* a cut may come up to three bytes early: jsonlog_cut() */
        add_field(&datagram, "CONTAINER_PARTIAL_MESSAGE", "true", 4);
    add_field(&datagram, "MESSAGE", p, n - whole);
    for (int try = 0; try < 2; try++) {
        if (j->sock < 0 && dial(j, &ignored) < 0)
            return false;
        if (send(j->sock, datagram.s, datagram.len, MSG_NOSIGNAL) >= 0)
            return true;
        if (errno == EAGAIN) {
            j->quiet = clock_mono() + QUIET_S * NS_PER_S;
            errno = EAGAIN;
            return false;
        }
        if (errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET)
            return false;
        fd_close(j->sock); /* the journal was started anew */
        j->sock = -1;
    }
    return false;
}

void journal_close(struct logger *l)
{
    fd_close(l->journal.sock);
    l->journal.sock = -1;
    str_release(&l->journal.field);
}
