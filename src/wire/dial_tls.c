/* TLS to a daemon: another process speaks it.
 *
 *     gorae ──plain──▶ gorae-tlspipe ══TLS over TCP══▶ the daemon
 *
 * The client links no TLS library: loading one costs several milliseconds, and most commands go to a unix socket. So
 * where TLS is asked for, gorae-tlspipe is started with the connected socket and one end of a socketpair, and the other
 * end is the connection as far as the rest of the client can tell, half-close and all (base/tlsproto.h).
 *
 * The process is nobody's to wait for: it ends with its connection, and when it outlives us, init takes it over. It
 * gets a session of its own, because Ctrl-C at a terminal goes to every process of the foreground: the client passes it
 * on to the container, and needs its connection for that.
 *
 * How it fails: by one sentence on a pipe, which is also its standard error, so that even the dynamic loader's
 * complaint about a missing library arrives here. Read next: tlspipe/client.c. */
#include "wire/dial_tls.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/str.h"
#include "base/tlsproto.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAID_MAX     700
#define HANDSHAKE_MS (DIAL_TIMEOUT_MS + 5000) /* its own limit is shorter, and its sentence better */
#define LAST_WORD_MS 500

static int start(int tcp, int plain, int status, const char *name, const struct dial_tls *tls, struct err *e)
{
    autofree char *program = spawn_sibling(TLS_PROGRAM, e);
    autostrv argv = {0};
    if (!program)
        return -1;
    strv_add(&argv, TLS_PROGRAM);
    strv_add(&argv, "client");
    strv_addf(&argv, "--name=%s", name);
    if (tls->verify)
        strv_add(&argv, "--verify");
    if (tls->ca)
        strv_addf(&argv, "--ca=%s", tls->ca);
    if (tls->cert)
        strv_addf(&argv, "--cert=%s", tls->cert);
    if (tls->key)
        strv_addf(&argv, "--key=%s", tls->key);
    struct spawn s = SPAWN_INIT;
    s.path = program;
    s.argv = argv.v;
    s.error = status;
    s.extra[0] = tcp;
    s.extra[1] = plain;
    s.extra[2] = trace_fd();
    s.nextra = trace_on() ? 3 : 2;
    s.new_session = true;
    return spawn_start(&s, e) < 0 ? -1 : 0;
}

/* What comes on the pipe until its end, or until it is "ok", within `ms`. Lines become one. @return bytes, or -1 where
 * the time is up */
static ssize_t listen_to(int status, char *text, size_t size, int ms)
{
    size_t n = 0;
    int64_t until = clock_mono() + ms * NS_PER_MS;
    while (n < size - 1 && !(n == strlen(TLS_OK) && memcmp(text, TLS_OK, n) == 0)) {
        struct pollfd p = {.fd = status, .events = POLLIN};
        int64_t left = (until - clock_mono()) / NS_PER_MS;
        int r = poll(&p, 1, left > 0 ? (int)left : 0);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return -1;
        /* "ok" is read alone: what follows it is said later, and is for dial_why() */
        ssize_t k = read(status, text + n, n < strlen(TLS_OK) ? strlen(TLS_OK) - n : size - 1 - n);
        if (k <= 0)
            break;
        n += (size_t)k;
    }
    text[n] = '\0';
    return (ssize_t)n;
}

/* A sentence of ours has no end of line; what the loader says has. */
static void tidy(char *text)
{
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = c[1] ? ' ' : '\0';
}

int dial_tls(int tcp, const char *host, const char *name, const struct dial_tls *tls, int *ret_why, struct err *e)
{
    int pair[2], status[2];
    char said[SAID_MAX];
    autoclose int socket = tcp;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a socket pair");
    autoclose int ours = pair[0], theirs = pair[1];
    if (pipe2(status, O_CLOEXEC) < 0)
        return err_sys(e, "make a pipe");
    autoclose int hear = status[0];
    int r = start(socket, theirs, status[1], name, tls, e);
    fd_close(status[1]); /* else the end of the pipe would never come */
    if (r < 0)
        return err_wrap(e, "cannot speak TLS to the daemon at %s", host);
    ssize_t n = listen_to(hear, said, sizeof(said), HANDSHAKE_MS);
    if (n > 0 && str_eq(said, TLS_OK)) {
        *ret_why = take_fd(&hear);
        return take_fd(&ours);
    }
    tidy(said);
    return err_set(e, ERR_SYSTEM, "cannot connect to the daemon at %s: %s", host,
                   n < 0    ? TLS_PROGRAM " does not answer"
                   : n == 0 ? TLS_PROGRAM " ended before it said why"
                            : said);
}

bool dial_why(int why, struct err *e)
{
    char said[SAID_MAX];
    if (why < 0 || listen_to(why, said, sizeof(said), LAST_WORD_MS) <= 0)
        return false;
    tidy(said);
    err_set(e, ERR_SYSTEM, "%s", said);
    return true;
}
