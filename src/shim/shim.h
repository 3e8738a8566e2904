/** @file
 * The monitor of one container: what its files share.
 *
 * A container's phases, and the function of child.c that takes each step:
 *
 *     CREATING --after_create--> CREATED --op start--> STARTING --after_start--> RUNNING
 *                                                                                   | init ended: end_of_init
 *        ENDING <--finish-- RECORDING <--after_drain-- DRAINING <-------------------+
 *          | the last client is served: the program ends
 *
 *     CREATING, CREATED, STARTING --undo--> UNDOING --after_undo--> ENDING
 *
 * An exec (a further process in a container that runs) is the same with fewer steps: it is started as it is made, so
 * CREATING leads to RUNNING.
 *
 * Two rules keep the rest simple. Everything runs in one thread around one poll(2), and nothing waits anywhere else:
 * the runtime's calls run as children while the loop goes on. And the loop keeps no list of what it waits for: before
 * each poll every part is asked afresh what it wants now (the …_watch functions), so that no forgotten registration can
 * spin or stall.
 *
 * Read shimproto.h first for what is said to the daemon, then main.c, child.c, stdio.c, attach.c.
 */
#ifndef GORAE_SHIM_SHIM_H
#define GORAE_SHIM_SHIM_H

#include "base/clock.h"
#include "base/err.h"
#include "base/jsonlog.h"
#include "base/keys.h"
#include "base/str.h"

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TASK_FILE_MAX      (8u << 20)       /**< bytes of shim.json: an exec's holds its whole request */
#define RUNTIME_LOG_MAX    65536            /**< bytes looked at, from the end of what a runtime call logged */
#define RUNTIME_TIMEOUT    (120 * NS_PER_S) /**< for one call of the runtime */
#define DRAIN_TIMEOUT      NS_PER_S         /**< for output that outlives init, and for its orphans to die */
#define RECORD_RETRY       NS_PER_S         /**< between attempts at the exit record */
#define RECORD_TRIES       5                /**< then a connected daemon is told although nothing is on disk */
#define OUTPUT_CHUNK       16384            /**< bytes of output read at a time */
#define OUTPUT_PENDING_MAX 65536            /**< bytes that a client may be behind before the container has to wait */
#define DRAIN_PENDING_MAX  (2u << 20)       /**< likewise after init has ended: more than a pipe can have held */
#define CLIENTS_MAX        128
#define CLIENT_STALL       (10 * NS_PER_S) /**< an ending client that takes no byte for so long is dropped */
#define CLIENT_LINGER      NS_PER_S        /**< from our FIN to the client's */
#define CONNS_MAX          8
#define SETTLE_TIME        NS_PER_S /**< without an event, until memory is given back */

enum phase {
    PHASE_CREATING,
    PHASE_CREATED,
    PHASE_STARTING,
    PHASE_RUNNING,
    PHASE_DRAINING,
    PHASE_RECORDING,
    PHASE_UNDOING,
    PHASE_ENDING,
};

/** What DIR/shim.json says. The strings are borrowed from `json`. */
struct task {
    json_t *json;
    char *dir; /**< absolute */
    const char *id, *bundle, *runtime, *runtime_root, *log, *exit, *memory_events;
    const char *process; /**< an exec's; NULL: the task is a container */
    const json_t *runtime_args;
    const char *log_attrs; /**< what each record of the log carries, a JSON object; or NULL */
    int64_t log_size;      /**< bytes after which the log begins a new file; 0: never */
    int log_files;         /**< files that are kept */
    const json_t *journal; /**< write to systemd's journal instead: its socket, and fields that each record carries */
    bool tty, keep_stdin, stdin_once, ephemeral;
    int rows, columns;
};

/* ---- the loop (main.c) ---- */

struct shim;
typedef void ready_fn(struct shim *s, void *arg, short revents);

/** What one turn of the loop waits for. */
struct watch {
    struct pollfd fd[CONNS_MAX + CLIENTS_MAX + 8];
    struct {
        ready_fn *ready;
        void *arg;
    } who[CONNS_MAX + CLIENTS_MAX + 8];
    size_t n;
    int64_t wake; /**< CLOCK_MONOTONIC ns */
};

/** Wait for `events` on `fd`; then `ready` is called. Errors and hang-ups always count as events (poll(2)). */
void watch_fd(struct watch *w, int fd, short events, ready_fn *ready, void *arg);
/** Turn the loop no later than `when`. */
void watch_until(struct watch *w, int64_t when);

/** Read and check DIR/shim.json. */
int task_load(struct task *t, const char *dir, struct err *e);
void task_release(struct task *t);

/* ---- the log (log.c) ---- */

/** The journal's socket, and how each datagram begins (journal.c). */
struct journal {
    const char *path;
    int sock;         /**< -1: to be connected anew */
    int64_t quiet;    /**< CLOCK_MONOTONIC ns: nothing is tried before, since the last try took its whole time */
    struct str field; /**< the fields that all records share, encoded */
    size_t n;         /**< fields; 0: the journal is not in use */
};

struct logger {
    const struct task *task;
    int fd;       /**< -1: the log is no file */
    int64_t size; /**< of the file, in bytes */
    struct journal journal;
    struct str batch;      /**< records to be written by the next write(2) */
    struct str partial[2]; /**< by stream: the line that has no end yet */
    uint64_t lost;         /**< records that could not be written, not yet told in the log */
    int lost_why;          /**< errno of the last of them */
};

/** Begin the log that the task asks for, if any. */
int logger_open(struct logger *l, const struct task *t, struct err *e);
/** Does the container have a log? */
bool logger_on(const struct logger *l);
/** Take output of one stream and write the records that are complete. `at`: real time, for all of them. */
void logger_feed(struct logger *l, int stream, const char *p, size_t n, int64_t at);
/** The container's output is over: unfinished lines become records, and lost ones are told. */
void logger_finish(struct logger *l, int64_t at);
void logger_close(struct logger *l);

/** Connect to systemd's journal. @param task {"socket": path, "fields": {NAME: text …}} */
int journal_open(struct logger *l, const json_t *task, struct err *e);
/** Send one record. @return false with errno where it is lost */
bool journal_put(struct logger *l, int stream, const char *p, size_t n);
void journal_close(struct logger *l);

/* ---- stdio (stdio.c) ---- */

struct output {
    int fd;           /**< pipe, or the pseudoterminal's master; -1 once it has ended */
    int stream;       /**< JSONLOG_STDOUT or JSONLOG_STDERR */
    int64_t retry_at; /**< the terminal has no other end just now: look again then; else 0 */
};

struct stdio {
    struct output out[2];
    int in;             /**< pipe or master; -1 while there is none */
    bool in_closed;     /**< no more input will be taken: it is read from clients and dropped */
    bool in_ending;     /**< close it when `pending` is written */
    struct str pending; /**< input that the container has not taken yet */
    int console;        /**< listening socket for the pseudoterminal, or -1 */
    int child[3];       /**< the runtime's ends until it is started, or -1 */
};

int stdio_open(struct shim *s, struct err *e);
/** After `runtime create`: fetch the pseudoterminal, if there is to be one. */
int stdio_created(struct shim *s, struct err *e);
/** What the failed runtime wrote to its standard error, for want of a better message: one line, or "". */
void stdio_last_words(struct shim *s, char *out, size_t size);
void stdio_watch(struct shim *s, struct watch *w);
/** True where output may still come. */
bool stdio_live(const struct shim *s);
/** Read what lies in the pipes at this moment, whoever lags; at most DRAIN_PENDING_MAX bytes of each stream. */
void stdio_drain(struct shim *s);
/** Stop reading and writing. */
void stdio_close(struct shim *s);
/** True where a client's input may be read now: all that came before it has been taken. */
bool stdin_ready(const struct shim *s);
void stdin_put(struct shim *s, const char *p, size_t n);
/** End of file for the container, after what is pending. */
void stdin_end(struct shim *s);
int stdio_resize(struct shim *s, int rows, int columns, struct err *e);

/* ---- attached clients (attach.c, replay.c) ---- */

enum client_state {
    CLIENT_LIVE,
    CLIENT_FLUSHING,  /**< gets what is pending and nothing new */
    CLIENT_LINGERING, /**< has got all and our FIN; we wait for its own */
    CLIENT_DEAD,      /**< to be freed at the end of this turn */
};

struct client {
    struct client *next;
    int fd;
    enum client_state state;
    bool wants[3];    /**< by stream number: 0 its input goes to the container, 1 and 2 it gets output */
    bool input_over;  /**< its FIN has been seen */
    bool gone;        /**< it has hung up: nothing can be sent, but input may still lie in the socket */
    bool told;        /**< its detach has been reported */
    struct str out;   /**< bytes for it … */
    size_t sent;      /**< … of which so many are sent */
    int64_t progress; /**< CLOCK_MONOTONIC ns of the last byte taken or the last change of state */
    struct keys keys;
    struct replay *replay; /**< it is still being shown the log; NULL once it is live */
};

/** The client on `fd` (taken over) joins; `request` is the attach packet, `rest` the input that came before it. */
void attach_add(struct shim *s, int fd, const json_t *request, const char *rest, size_t n);
void attach_watch(struct shim *s, struct watch *w);
/** Output of the container for all who want it. */
void attach_output(struct shim *s, int stream, const char *p, size_t n);
/** True where nobody who wants this stream is too far behind. */
bool attach_room(const struct shim *s, int stream);
/** No more output will come: let everybody have the rest and go. */
void attach_end(struct shim *s);
/** Once a turn: move ending clients on and free the dead. */
void attach_sweep(struct shim *s);
/** Put output behind what waits for this client, framed unless the container has a terminal. */
void client_queue(const struct shim *s, struct client *c, int stream, const char *p, size_t n);
/** Send what the socket takes now. The client may be gone afterwards, and its replay with it. */
void client_flush(struct shim *s, struct client *c);
size_t client_pending(const struct client *c);

/** Begin to show the log to `c`. Without a log nothing happens. */
void replay_begin(struct shim *s, struct client *c);
/** Show the next piece; at the end of the log the client becomes live. */
void replay_step(struct shim *s, struct client *c);
void replay_free(struct replay *r);

/* ---- the daemon (control.c) ---- */

struct conn {
    int fd;         /**< -1: dropped, its slot is reused after this turn */
    json_t *attach; /**< a request whose raw bytes come in the next packet, … */
    int attach_fd;  /**< … and its client */
};

/** Adopt the first connection. @return -1 where fd is not a SOCK_SEQPACKET socket */
int control_add(struct shim *s, int fd, struct err *e);
void control_watch(struct shim *s, struct watch *w);
/** Tell the newest connection; `event` is consumed. Nobody there is no error. */
void control_event(struct shim *s, json_t *event);
bool control_connected(const struct shim *s);
void control_sweep(struct shim *s);
/** Stop listening and remove the socket, so that a successor may use its name. */
void control_unlisten(struct shim *s);
void control_close(struct shim *s);

/* ---- the runtime's calls (runtime.c) ---- */

struct call {
    pid_t pid; /**< 0 while none runs */
    const char *what;
    int64_t began; /**< CLOCK_MONOTONIC ns */
    off_t log_from;
    bool late; /**< killed for taking longer than RUNTIME_TIMEOUT */
    int code;
};

/** `runtime create`, or `runtime exec` where the task is one. */
int runtime_create(struct shim *s, struct err *e);
int runtime_start(struct shim *s, struct err *e);
int runtime_delete(struct shim *s, struct err *e);
/** The running call ended with this code of spawn_wait()'s kind. */
void runtime_done(struct shim *s, int code);
/** Why the last call failed, in the runtime's own words where it left any. */
void runtime_why(struct shim *s, struct err *e);

/* ---- the container (child.c) ---- */

/** `runtime start`, asked for by the daemon. @return -1 where the container is not in phase created */
int child_start(struct shim *s, struct err *e);
void child_watch(struct shim *s, struct watch *w);
/** Once a turn: collect the dead and take every step that is due. */
void child_advance(struct shim *s);

/* ---- out of memory (oom.c) ---- */

/** The kernel's count of processes that it killed for want of memory. */
struct kills {
    int fd; /**< becomes readable when the count may have grown; -1: not watched */
    uint64_t count;
    int looks;     /**< still to be taken, after the kernel told of a shortage */
    int64_t again; /**< CLOCK_MONOTONIC ns: the next one */
};
/** Watch the count, once the control group is there. Where that cannot be, oom_look() at the end remains. */
void oom_begin(struct shim *s);
void oom_watch(struct shim *s, struct watch *w);
/** Has it grown? Then the daemon is told, and s->oom is true. */
void oom_look(struct shim *s);

struct shim {
    struct task task;
    enum phase phase;
    int signals;  /**< signalfd(2) for SIGCHLD */
    int listener; /**< DIR/shim.sock, or -1 */
    int64_t listen_again;
    struct conn conns[CONNS_MAX]; /**< oldest first */
    size_t nconns;
    struct stdio io;
    struct logger log;
    struct client *clients;
    size_t nclients;
    struct call call;
    pid_t init;         /**< 0 until it is known */
    uint64_t starttime; /**< field 22 of /proc/PID/stat, in clock ticks since boot */
    bool init_ended;
    int code; /**< of init, valid once it has ended: exit status, or 128 + the signal's number */
    bool oom; /**< a process of the container was killed for want of memory */
    struct kills kills;
    int64_t started_at; /**< real-time ns */
    int64_t ended_at;
    int64_t deadline; /**< CLOCK_MONOTONIC ns: the end of DRAINING or UNDOING, the next try of RECORDING */
    int tries;
    bool settled;   /**< memory has been given back */
    struct err why; /**< the failure that is being undone */
};

#endif
