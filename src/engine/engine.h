/** @file
 * The engine: containers, and what can be done with them. This is all that the API sees of it.
 *
 * Functions take ids, names or unique id prefixes as people give them; a miss is ERR_NOT_FOUND. Results are JSON in the
 * API's shape, made under the engine's lock and owned by the caller, or plain values. All functions are safe to call
 * from any thread and block until the work is done.
 */
#ifndef GORAE_ENGINE_ENGINE_H
#define GORAE_ENGINE_ENGINE_H

#include "base/err.h"
#include "base/str.h"
#include "image/image.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct engine;

struct engine_options {
    const char *data_root; /**< absolute; made if missing, mode 0710 */
    const char *exec_root; /**< absolute; made if missing, mode 0711 */
    json_t *runtimes;      /**< OCI runtimes: {"Default":NAME,"Known":{NAME:{"path","runtimeArgs"}}}; "gorae" is ours */
    const char *cgroup_parent; /**< where containers' cgroups go unless they say otherwise, e.g. "/gorae" */
    bool systemd_cgroup;       /**< the cgroup driver: systemd makes them, and cgroup_parent is a slice */
    json_t *labels;            /**< the daemon's own labels ["k=v"]; may be NULL */
    json_t *host_defaults;     /**< HostConfig for what a create leaves unsaid; may be NULL */
    json_t *registries;        /**< {"Mirrors","InsecureRegistries"}, for info; may be NULL */
    const json_t *settings;    /**< what was given, for the event of a reload; borrowed for the call; may be NULL */
    const json_t *warnings;    /**< of how the daemon is reached, for info; borrowed for good; may be NULL */
    bool debug, live_restore;
};

/** Let this process open as many files as it may, before its first thread; its containers keep the limit of before. */
void engine_raise_files(void);

/** Open the data root (one daemon at a time: flock), recover what an earlier daemon left, adopt what still runs.
 * @return owned, or NULL; ERR_CONFLICT names the pid that holds the data root */
struct engine *engine_open(const struct engine_options *opt, struct err *e);
/** Does the engine accept these defaults? @return -1 naming the one that it does not */
int engine_check_defaults(const json_t *host, struct err *e);
/** "10m", "1g", "512", "20kb": bytes, in powers of 1024. "-1" is no limit, 0. */
bool engine_size(const char *text, int64_t *ret);
/** A cgroup parent, of the daemon or of a container: a path, or a slice where systemd is the driver. */
int engine_check_cgroup_parent(const char *parent, bool systemd, struct err *e);
/** Other labels, defaults, registries, runtimes, from now on; of the rest nothing is read. */
void engine_reload(struct engine *en, const struct engine_options *opt);
/** Start those that a restart policy wants: call once, when the daemon can serve. Returns at once. */
void engine_autostart(struct engine *en);
/** Stop every running container with its own signal and timeout, all at once; from here on none can be started. Gives
 * up on those that are still there after `timeout_s` seconds, or 5 s after the longest of their own timeouts, whichever
 * is later; -1 in any of these is no limit (spec 8.4). */
void engine_stop_all(struct engine *en, int timeout_s);
/** While engine_stop_all() waits: kill what it waits for. */
void engine_hurry(struct engine *en);
/** Log who holds the engine's lock and the containers' operations, by thread id. Does not wait for any of them. */
void engine_dump_locks(struct engine *en);
/** Remove the daemon's cgroup where nothing is left in it. */
void engine_tidy_cgroups(struct engine *en);
/** Release everything in memory. Containers that still run go on; a later daemon adopts them. */
void engine_close(struct engine *en);

struct image_store *engine_images(struct engine *en);
const struct engine_options *engine_config(const struct engine *en);

/* ---- life ---- */

/** POST /containers/create. @param name may be NULL @param platform that the image must be for, or ""
 * @param body the request's JSON, borrowed @param api_minor of the client. ERR_NOT_FOUND means the image alone, because
 * clients then pull it @return {"Id","Warnings"} */
json_t *engine_create(struct engine *en, const char *name, const char *platform, const json_t *body, int api_minor,
                      struct err *e);
/** ERR_UNMODIFIED where it already runs. */
int engine_start(struct engine *en, const char *name, struct err *e);
/** @param signal number, or 0 for the container's own @param timeout_s seconds; -1 for ever; ENGINE_TIMEOUT_DEFAULT for
 * the container's own. ERR_UNMODIFIED where it is stopped already. */
int engine_stop(struct engine *en, const char *name, int signal, int timeout_s, struct err *e);
#define ENGINE_TIMEOUT_DEFAULT (-2)
/** Stop it where it runs, with the parameters of engine_stop(), then start it. */
int engine_restart(struct engine *en, const char *name, int signal, int timeout_s, struct err *e);
/** SIGKILL waits for the exit; other signals return at once. */
int engine_kill(struct engine *en, const char *name, int signal, struct err *e);
/** Freeze all its processes, and let them go on. ERR_CONFLICT where it does not run, or is (not) paused already. */
int engine_pause(struct engine *en, const char *name, struct err *e);
int engine_unpause(struct engine *en, const char *name, struct err *e);
/** Other limits, another restart policy; at once where it runs. @param body Resources and RestartPolicy, borrowed
 * @return {"Warnings"} */
json_t *engine_update(struct engine *en, const char *name, const json_t *body, struct err *e);
int engine_rename(struct engine *en, const char *name, const char *to, struct err *e);
int engine_remove(struct engine *en, const char *name, bool force, bool volumes, struct err *e);
/** Remove every container that does not run and passes the filters until, label, label!.
 * @return {"ContainersDeleted","SpaceReclaimed"}; ERR_CONFLICT while another prune is at work */
json_t *engine_prune(struct engine *en, const json_t *filters, struct err *e);
int engine_resize(struct engine *en, const char *name, int rows, int columns, struct err *e);

/* ---- waiting ---- */

/** The API's three: for one that runs, the first two mean the end of this run, whether or not a restart policy brings
 * it back. WAIT_DOWN is for those within who want it down for good. */
enum wait_condition { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED, WAIT_DOWN };
struct waiter;
/** Register interest. @return owned: engine_wait_end() */
struct waiter *engine_wait_begin(struct engine *en, const char *name, enum wait_condition cond, struct err *e);
/** A descriptor that becomes readable once the condition holds: for poll(2) beside the client's. */
int engine_wait_fd(const struct waiter *w);
/** The exit code and, where the container failed, its error text (borrowed from `w`), after the fd became readable. */
int engine_wait_result(struct engine *en, struct waiter *w, const char **ret_error);
void engine_wait_end(struct engine *en, struct waiter *w);

/* ---- streams ---- */

struct attach_options {
    bool in, out, err; /**< which streams */
    bool logs;         /**< first what was logged so far */
    const char *detach_keys;
};
/** May the container be attached to now? Also tells whether it has a TTY (hence the media type), and if it runs. */
int engine_attach_check(struct engine *en, const char *name, bool *ret_tty, bool *ret_alive, struct err *e);
/** A client's connection on its way out of HTTP. */
struct attach_client {
    int fd;           /**< taken in every case */
    const char *head; /**< what the client is told before the first byte of the stream */
    const char *rest; /**< bytes that the client sent already */
    size_t nrest;
};
/** Tell the client that the stream begins, and hand its connection over. No start of the container can fall between the
 * two: when the client has read `head`, it is attached. */
int engine_attach(struct engine *en, const char *name, const struct attach_options *opt,
                  const struct attach_client *client, struct err *e);

struct logs_options {
    bool out, err, follow, timestamps, details;
    int64_t since, until; /**< real-time ns, 0 for none */
    int64_t tail;         /**< records; -1 for all */
};
/** A record: stream is FRAME_STDOUT or FRAME_STDERR. @return non-zero to stop. Called with n = 0 while following: there
 * is no more for now, or a second has passed; so what was held back can be sent, and a client that went away noticed.
 */
typedef int engine_log_sink(void *arg, int stream, const char *p, size_t n);
/** Whether the logs can be read, and whether they are of a TTY. */
int engine_logs_check(struct engine *en, const char *name, bool *ret_tty, struct err *e);
int engine_logs(struct engine *en, const char *name, const struct logs_options *opt, engine_log_sink *sink, void *arg,
                struct err *e);

/* ---- exec: a further process in a running container ---- */

struct exec;
struct exec_terms {
    bool tty;    /**< it has a terminal, which decides the media type */
    bool detach; /**< the client only wants it started */
};
/** POST /containers/{}/exec. @param body borrowed @return {"Id"} */
json_t *engine_exec_create(struct engine *en, const char *name, const json_t *body, struct err *e);
/** The first half of POST /exec/{}/start: may it be started? Then nobody else can start it any more.
 * @param body of the request, borrowed
 * @return owned: give it to engine_exec_run() or engine_exec_abandon() */
struct exec *engine_exec_claim(struct engine *en, const char *id, const json_t *body, struct exec_terms *ret,
                               struct err *e);
/** The second half: tell the client that the stream begins, hand its connection over, start the process. Back when
 * the process runs, or could not be started (-1); then the exec has its exit code.
 * @param client NULL: nobody is attached. Its fd is closed, and -1, once somebody else has it, who then also tells the
 * client of a failure; where it is left open the failure is the caller's to tell */
int engine_exec_run(struct engine *en, struct exec *x, struct attach_client *client, struct err *e);
/** Back to where engine_exec_claim() found it. */
void engine_exec_abandon(struct engine *en, struct exec *x);
/** GET /exec/{}/json */
json_t *engine_exec_inspect(struct engine *en, const char *id, struct err *e);
int engine_exec_resize(struct engine *en, const char *id, int rows, int columns, struct err *e);

/* ---- files of a container (copy.c, diff.c, commit.c): nothing here waits for its other operations ---- */

/** HEAD /containers/{}/archive. @return the object of X-Docker-Container-Path-Stat, a new reference */
json_t *engine_path_stat(struct engine *en, const char *name, const char *path, struct err *e);
/** GET /containers/{}/archive: `stat` gets that object as {"stat":…} before the first byte. */
int engine_copy_out(struct engine *en, const char *name, const char *path, image_progress *stat, void *stat_arg,
                    image_sink *sink, void *arg, struct err *e);
struct copy_in {
    const char *path;
    bool strict;   /**< noOverwriteDirNonDir */
    bool own_user; /**< copyUIDGID: everything belongs to the container's user */
};
/** PUT /containers/{}/archive: a tar, perhaps compressed, into an existing folder. */
int engine_copy_in(struct engine *en, const char *name, const struct copy_in *o, image_source *src, void *arg,
                   struct err *e);
/** GET /containers/{}/export. */
int engine_export(struct engine *en, const char *name, image_sink *sink, void *arg, struct err *e);
/** GET /containers/{}/changes, as text. */
int engine_changes(struct engine *en, const char *name, image_sink *sink, void *arg, struct err *e);
struct commit_options {
    const char *ref, *author, *comment;
    bool pause;
    const struct strv *changes; /**< lines of a Dockerfile */
    const json_t *config;       /**< keys that replace those of the container's Config; may be NULL */
};
/** POST /commit. @return the image id, the caller's */
char *engine_commit(struct engine *en, const char *name, const struct commit_options *o, struct err *e);
/** GET /system/df. @param types what to count, as the query names it; empty for everything */
json_t *engine_usage(struct engine *en, const struct strv *types, struct err *e);

/* ---- looking ---- */

struct list_options {
    bool all, size;
    bool
        brief; /**< only what a table of containers shows: the short id, no image id, state, labels, networks, mounts */
    int64_t limit;         /**< newest N, stopped ones too; ≤ 0 for no limit */
    const json_t *filters; /**< key → array of strings, or NULL */
};
/** Takes one element of the list, with its reference. @return 0, or -1 to end it */
typedef int list_sink(void *arg, json_t *element, struct err *e);
/** GET /containers/json, the newest first. @return 0, or -1; with ERR_INVALID or ERR_NOT_FOUND (a filter) nothing was
 * handed out */
int engine_list(struct engine *en, const struct list_options *opt, list_sink *sink, void *arg, struct err *e);
json_t *engine_inspect(struct engine *en, const char *name, bool size, struct err *e);
/** The processes of a running container as ps(1) of the host shows them. @param args of ps, divided by blanks; "" means
 * -ef @return {"Titles","Processes"} */
json_t *engine_top(struct engine *en, const char *name, const char *args, struct err *e);
/** What it uses now, in the API's shape. @param before an earlier answer, which becomes "precpu_stats" and "preread";
 * NULL for none */
json_t *engine_stats(struct engine *en, const char *name, const json_t *before, struct err *e);
json_t *engine_info(struct engine *en);
/** Counts for /metrics: {"States","Docker","Health","Images","Events","EventCount","Listeners"}; those of many values
 * are objects, their keys labels as Prometheus writes them. */
json_t *engine_metrics(struct engine *en);
json_t *engine_version(void);
/** The state machine as a graphviz digraph, from the table that the engine itself runs on. @return the caller's */
char *engine_machine_dot(void);

/* ---- events ---- */

struct event_query {
    int64_t since, until;  /**< real-time ns, 0 for none */
    const json_t *filters; /**< as filters_parse() makes them */
};
/** Each event object, borrowed; NULL about every second, so that the caller can notice that its client went away.
 * @return non-zero to stop */
typedef int engine_event_sink(void *arg, const json_t *event);
/** Whether the query can be answered: its filters are known, its times in order. */
int engine_events_check(const struct event_query *q, struct err *e);
int engine_events(struct engine *en, const struct event_query *q, engine_event_sink *sink, void *arg, struct err *e);

#define ENGINE_API_MINOR     44 /**< advertised: 1.44 */
#define ENGINE_API_MINOR_MIN 24

#endif
