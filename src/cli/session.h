/** @file
 * A container's streams on this terminal: what run, start -a and attach do after the handshake.
 *
 *     keyboard ──▶ detach keys? ──▶ ┌────────────┐ ──▶ daemon, shim ──▶ stdin
 *     stdout   ◀── frames, or raw ◀─│ connection │ ◀── stdout, stderr
 *                                   └────────────┘
 *     signals  ──▶ POST kill?signal=…        window size ──▶ POST resize?h=…&w=…
 *
 * The order of the handshake matters (Engine API; api.md 3.5): attach before start, or the first output is lost; wait
 * before start, or a container that ends at once and is removed takes its exit code with it. The answer to `wait` comes
 * in two parts: its head at once, which tells that the daemon is watching, its body at the end.
 */
#ifndef GORAE_CLI_SESSION_H
#define GORAE_CLI_SESSION_H

#include "base/keys.h"
#include "cli/cli.h"
#include "cli/term.h"
#include "wire/unframe.h"

struct session {
    struct cli *cli;
    const char *id;       /**< the container; borrowed */
    const char *resize;   /**< path of the resize call, "/containers/ID/resize"; NULL: never */
    bool tty;             /**< the container has a terminal: no frames, raw mode here */
    bool proxy;           /**< hand signals on */
    bool redraw;          /**< make the program draw its screen anew: a resize to one more and back */
    int in;               /**< standard input, or -1 where it is not attached */
    struct keys keys;     /**< looked for in what is typed, where both sides are terminals */
    struct hijack hijack; /**< the connection; fd -1 once it is over, or where there is none */
    struct reply *wait;   /**< the answer to `wait`, its body unread; NULL for none */

    /* private */
    int signals;
    struct term term;
    struct frame_reader frames;
    char out[8192 + KEYS_MAX]; /**< typed, and not yet sent: out[out_pos..out_len) */
    size_t out_pos, out_len;
    int resize_tries;
    int64_t resize_at;
    int stops;         /**< INT and TERM so far */
    int stopped_by;    /**< the signal that ended the copying, or 0 */
    struct str sample; /**< the beginning of the output, for the trace */
    uint64_t bytes;
};

enum session_end { SESSION_ENDED = 0, SESSION_DETACHED = 1 };

/** Connect: POST /containers/ID/attach with these streams, and take the connection. */
int session_attach(struct session *s, bool in, bool out, bool error, bool logs, const char *detach_keys, struct err *e);

/** Say whether standard input goes to the connection. session_attach() does it itself. */
void session_input(struct session *s, bool in);

/** Ask before anything is made: below API 1.30 `wait` has no condition, and answers 0 at once before a start. */
int session_check(struct cli *cli, struct err *e);

/** Send `wait` and read its head. @param condition "next-exit", "removed" or NULL @param ret must outlive the stream */
int session_wait(struct session *s, const char *condition, struct reply *ret, struct err *e);

/** Take over signals, and the terminal's mode where `tty` and standard input are attached. Call it before `start`. */
int session_open(struct session *s, struct err *e);
/** Copy until the connection and `wait` are over, or the detach keys were typed. @return enum session_end, or -1 */
int session_copy(struct session *s, struct err *e);
/** session_copy() has failed: say why. @return exit code: 1, or 128 and the number of the signal that stopped us */
int session_failed(struct session *s, const struct err *e);
/** Restore the terminal, close. Safe on a stream that was never opened. */
void session_close(struct session *s);

/** The exit code from the answer to `wait`. A daemon's error in it is printed, and gives 125. @return the code, or -1
 */
int session_exit_code(struct session *s, struct err *e);

/** Write frames or raw bytes to standard output and error: for `logs`. @return 0 or -1 */
int session_print(struct session *s, const void *p, size_t n, struct err *e);

#define SESSION_INIT                                                                  \
    {                                                                                 \
        .in = -1, .hijack = {.fd = -1, .why = -1}, .signals = -1, .term = {.fd = -1 } \
    }

#endif
