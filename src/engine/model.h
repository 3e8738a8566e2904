/** @file
 * The engine's own data: containers, the tables that hold them, and who may touch what.
 *
 * Two locks, always taken in this order:
 *
 *   1. container.op    one user-made operation on a container at a time (start, remove, rename). Held across I/O.
 *   2. engine.lock     the tables and every field marked [lock]. Never held across I/O or a wait.
 *
 * The step from running to exited belongs to the container's monitor thread alone (exit.c), which needs no `op`: so
 * `stop` and `rm -f` may wait for it, and an exit during a long operation is not held up.
 *
 * `config`, `host` and `image` never change once made: a new value is a new JSON object, swapped in under the lock. A
 * reader takes a reference under the lock and reads at leisure. Who only glances at `host` for what no update changes
 * (Runtime, AutoRemove, LogConfig) may do so without: the pointer is atomic, and a replaced object is kept for a
 * minute.
 */
#ifndef GORAE_ENGINE_MODEL_H
#define GORAE_ENGINE_MODEL_H

#include "engine/engine.h"
#include "engine/machine.h"

#include <pthread.h>

#define ID_LENGTH 64

/** A client that attached before there was a process (or between two): kept until the next start. */
struct parked {
    struct parked *next;
    struct attach_client client;
    json_t *request; /**< the "attach" packet for the shim */
    char *rest;      /**< what client.rest points to */
};

/** The daemon's end of a shim (shim.c): a container has one, and so has each exec. */
struct shim_link {
    pthread_mutex_t send; /**< one sender at a time: an attach is two packets */
    int fd;               /**< [send] control socket, -1 while there is no shim */
    int pid;              /**< our child, to be waited for; 0 once its monitor thread does that */
    char what[32];        /**< "container 0123456789ab": for messages */
};

/** What its own checks say of a container (health.c). */
enum health { HEALTH_NONE, HEALTH_STARTING, HEALTH_GOOD, HEALTH_BAD };

#define SHARE_KINDS 3 /**< namespaces that another container can give: pid, ipc, uts (share.c) */

struct container {
    struct engine *en;      /**< whose it is */
    struct container *next; /**< [lock] newest first */
    unsigned refs;          /**< [lock] pointers held outside the table */
    char id[ID_LENGTH + 1];
    char *name;            /**< [lock] without the slash */
    int64_t created;       /**< real-time ns */
    char *image;           /**< "sha256:…" */
    json_t *config;        /**< [lock] API Config, complete */
    json_t *_Atomic host;  /**< [lock] API HostConfig, complete. `update` replaces it */
    struct former *former; /**< [lock] those that were replaced within the last minute (update.c) */
    json_t *path_args;     /**< the argument vector: Path, then Args */

    pthread_mutex_t op;

    enum state state; /**< [lock] changed only by container_step() */
    bool ended;       /**< [lock] code and time of its end are noted, the state is about to say so: the record does */
    bool in_table;    /**< [lock] false once removed */
    bool removing;    /**< [lock] a removal has been decided */
    bool ending;      /**< [lock] its process is gone and its end is being worked on: no exec may begin */
    bool stopped_by_hand;      /**< [lock] */
    unsigned restarts;         /**< [lock] restarts under way: its end is not the end of a --rm container */
    int restart_count;         /**< [lock] starts by its restart policy since the last by hand */
    int64_t restart_delay;     /**< [lock] ns that it waits, or waited last; 0: it had no need to yet */
    char *failure;             /**< [lock] why it was killed at the end of its start; NULL where it was not */
    bool start_failed;         /**< [lock] the last start was refused: whoever asked for it has been told why */
    int pid;                   /**< [lock] of the container's init; 0 where none */
    uint64_t starttime;        /**< [lock] of that process: field 22 of /proc/PID/stat */
    int exit_code;             /**< [lock] */
    bool oom_killed;           /**< [lock] */
    char *error;               /**< [lock] why the last start failed, or NULL */
    int64_t started, finished; /**< [lock] real-time ns */
    uint64_t run;              /**< [lock] how many runs there were: a thread of an earlier one sees that it is late */
    enum health health;        /**< [lock] */
    int64_t health_streak;     /**< [lock] failed checks in a row */
    json_t *health_log;        /**< [lock] the last checks, as the API shows them; replaced, never changed */
    struct parked *parked;     /**< [lock] */
    struct waiter *waiters;    /**< [lock] */

    pthread_mutex_t saving; /**< one writer of the record at a time, so that none writes older facts over newer */
    struct shim_link link;
    int64_t started_by_shim; /**< what the shim said of the start's time */
    char *place;             /**< [lock] where this run's cgroup is, as cgroup_place() said when it began; or NULL */
    int joined[SHARE_KINDS]; /**< during a start: pids of those whose namespaces it joins; 0 for none */
    char *trace;             /**< trace file of the request that started it, or NULL */

    pthread_mutex_t mount; /**< the root's mount; after `op`, before the engine's lock */
    unsigned copies;       /**< [mount] who needs it besides a run: cp, export, diff, commit */
    bool run_mounted;      /**< [mount] a run needs it */
};

#define NURSERY_UNTRIED (-2)
struct engine {
    struct engine_options opt;
    pthread_mutex_t lock;
    struct container *containers; /**< [lock] */
    size_t ncontainers;           /**< [lock] */
    json_t *names;                /**< [lock] name → id, reservations included */
    struct exec *execs;           /**< [lock] newest first (exec.h) */
    pthread_cond_t exec_changed;  /**< [lock] some exec has begun or is over */
    struct image_store *images;
    struct event_bus *bus;
    bool recovering;       /**< ends that are found now are of the past: no policy restarts anything yet */
    bool stopping;         /**< [lock] the daemon ends: what stops now was not stopped by hand, and stays stopped */
    pthread_cond_t policy; /**< [lock] something that waits for its restart, or for all to stop, may look again */
    unsigned stoppers;     /**< [lock] containers that engine_stop_all() waits for */
    bool pruning;          /**< [lock] one at a time */
    pthread_mutex_t nursery_lock;
    int nursery;    /**< [nursery_lock] a mount namespace where containers begin; -1: none (runtime.c) */
    int lock_fd[2]; /**< flock on <data-root>/lock and <exec-root>/lock */
    char *containers_dir, *run_dir, *quarantine, *trace_dir;
    char *hostname, *daemon_id;
};

/* ---- tables (engine.c) ---- */

/** Find by id, name or unique prefix and take a reference: give it back with container_put(), or hold it in an
 * autocontainer. */
struct container *container_get(struct engine *en, const char *name, struct err *e);
void container_put(struct engine *en, struct container *c);
void container_putp(struct container **c);
#define autocontainer __attribute__((cleanup(container_putp))) struct container
/** Every container, newest first, each with a reference to be given back; NULL ends the array, which is the caller's.
 */
struct container **container_all(struct engine *en);
struct container *container_new(struct engine *en, const char *id);
/** Put a new one into the table. Its name must be reserved. */
void container_insert(struct engine *en, struct container *c);
/** The one step of the machine: call with the lock held. @return 0, or -1 where the table has no such step (the state
 * stays) */
int container_step(struct container *c, enum trigger on);
/** Take it out of the table and give its name back. */
void container_withdraw(struct engine *en, struct container *c);
/** @return 0, or -1 ERR_CONFLICT naming the holder */
int name_reserve(struct engine *en, const char *name, const char *id, struct err *e);
void name_release(struct engine *en, const char *name);
/** The grammar of names. */
bool name_valid(const char *name);
/** A name nobody has yet, reserved. @return the caller's */
char *name_random(struct engine *en, const char *id);
/** `<data-root>/containers/<id>[/tail]`. @return the caller's */
char *container_path(struct engine *en, const struct container *c, const char *tail);
/** `<exec-root>/containers/<id>[/tail]`. @return the caller's */
char *container_run_path(struct engine *en, const struct container *c, const char *tail);

/* ---- records (record.c) ---- */

/** True for --rm: whatever becomes of it after a crash, it is removed, so nothing of it need be on disk for certain. */
bool container_ephemeral(const struct container *c);
/** Write config.json. @param durable false only for what a crash may forget (see record.c) */
int container_save(struct engine *en, struct container *c, bool durable, struct err *e);
/** The same with a state that is about to be. */
int container_save_as(struct engine *en, struct container *c, enum state state, bool durable, struct err *e);
/** Read config.json of the folder `id`. @return a new container, in no table */
struct container *container_load(struct engine *en, const char *id, struct err *e);

/* ---- create ---- */

/** A key of a request's body, in any letter case. @return borrowed, or NULL */
const json_t *body_get(const json_t *in, const char *key);
/** The complete Config and HostConfig of a create body, over the image's own (schema.c, merge.c). */
json_t *config_complete(const json_t *body, const json_t *image_config, struct err *e);
json_t *host_complete(const json_t *body, int api_minor, struct err *e);
/** The complete ExecConfig of an exec's create body. */
json_t *exec_complete(const json_t *body, struct err *e);
/** Put the daemon's defaults into `host` where the request says nothing (defaults.c). */
void defaults_apply(struct engine *en, const json_t *body, json_t *host);
/** Entrypoint and Cmd as one array; ERR_INVALID where both are empty. */
json_t *config_command(const json_t *config, struct err *e);
/** Rules across fields, and what we will not do. Adds to `warnings`. */
int create_check(struct engine *en, const json_t *config, json_t *host, json_t *warnings, struct err *e);

/* ---- start ---- */

/** The OCI config.json (spec.c). @param rootfs absolute, mounted */
json_t *spec_make(struct engine *en, struct container *c, const char *rootfs, struct err *e);
/** Who the process runs as (user.c): fills the OCI "user" object and the home folder, from the image's own files. */
json_t *user_resolve(int rootfd, const char *user, const json_t *group_add, char **ret_home, struct err *e);
/** The container's cgroup as its OCI configuration names it, by the present settings: "/gorae/<id>", or for systemd
 * "system.slice:gorae:<id>" (cgroup.c). @return the caller's */
char *cgroup_place(struct engine *en, const struct container *c);
/** Where that is, below each hierarchy: of the present run, or of the next. @return the caller's */
char *container_cgroup(struct engine *en, struct container *c);
/** An adopted container: read from its bundle where the daemon that started it had put it. */
void cgroup_recover(struct engine *en, struct container *c);
/** The default OCI runtime's name. @return the caller's */
char *runtime_default(struct engine *en);
/** An OCI runtime's program, its own arguments and ours, up to the verb (runtime.c). ERR_SYSTEM where no runtime of the
 * container's is known to this daemon. */
int runtime_argv(struct engine *en, const struct container *c, struct strv *ret, struct err *e);
/** The same for a shim's task: "runtime", "runtime_args", "runtime_root". */
int runtime_task(struct engine *en, const struct container *c, json_t *task, struct err *e);
/** ERR_INVALID where there is none of that name. */
int runtime_check(struct engine *en, const char *name, struct err *e);
/** Docker's exit code for a program that could not be started: 127 no such program, 126 it cannot be run, 128
 * anything else (spec 6.4). */
int failure_code(const char *why);
/** hosts, hostname and resolv.conf in the container's folder (files.c). */
int files_make(struct engine *en, struct container *c, struct err *e);

/* ---- shim (shim.c), end (exit.c) ---- */

void shim_link_init(struct shim_link *l, const char *kind, const char *id);
void shim_link_release(struct shim_link *l);
/** Make the control socket. What is sent before shim_spawn() is the first that the shim reads. @param ret_end the
 * shim's end: the caller closes it once the shim has it */
int shim_open(struct shim_link *l, int *ret_end, struct err *e);
/** Start the shim of the task in DIR/shim.json, with its end of the socket. */
int shim_spawn(struct shim_link *l, const char *dir, int end, struct err *e);
/** Receive one event, which must be `ev`; "failed" becomes the error it tells of. @param ret may be NULL */
int shim_expect(struct shim_link *l, const char *ev, json_t **ret, struct err *e);
/** Pass an attachment on. Takes client->fd. */
int shim_attach(struct shim_link *l, json_t *request, const struct attach_client *client, struct err *e);
int shim_resize(struct shim_link *l, int rows, int columns, struct err *e);
/** Ask a shim that an earlier daemon left. @return its hello, and the socket in l->fd; NULL where none answers */
json_t *shim_adopt(struct shim_link *l, const char *dir);
/** End the conversation. The shim itself ends when its clients have hung up. */
void shim_close(struct shim_link *l);
/** The same, and wait for the shim to end. */
void shim_drop(struct shim_link *l);
/** Wait for a shim to end; 0 is none. */
void shim_reap(pid_t pid);

/** Start the shim and see the container created. */
int container_shim_create(struct engine *en, struct container *c, struct err *e);
/** Run the start step; c->started_by_shim is when it happened. */
int container_shim_start(struct container *c, struct err *e);
/** A detached thread with a small stack: for those who follow a shim. */
int thread_start(void *(*main)(void *), void *arg, struct err *e);
/** A thread that follows the shim until the container ends. Takes a reference of its own. */
int monitor_start(struct engine *en, struct container *c, struct err *e);
/** Undo what start made: runtime state, cgroups, mounts, run folder. Safe to repeat. */
void container_teardown(struct engine *en, struct container *c);
/** running → exited, with all that follows: teardown, record, events, waiters. --rm is not part of it. */
void container_ended(struct engine *en, struct container *c, int code, int64_t at, bool oom, const char *error);
/** Where it was made with --rm: remove it, now that it has ended. Takes `op`. */
void container_auto_remove(struct engine *en, struct container *c);
/** Remove it and all its files; op must be held, and it must not run. */
int container_destroy(struct engine *en, struct container *c, struct err *e);
/** Send a signal to a process, if it is still the one that was started then (field 22 of /proc/PID/stat).
 * @return 0; -1 ERR_CONFLICT where it is not, naming `what` */
int process_signal(int pid, uint64_t starttime, int signal, const char *what, struct err *e);
/** Signal, wait, kill: for one that runs; the parameters are engine_stop()'s. Tells of the stop. */
int container_stop(struct engine *en, struct container *c, int signal, int timeout_s, struct err *e);
/** Start it; takes `op`. */
int container_start(struct engine *en, struct container *c, struct err *e);
/** The same for its restart policy; `op` must be held. */
int container_start_again(struct engine *en, struct container *c, struct err *e);
/** Send a signal to the container's init, if that process is still the one we started. */
int container_signal(struct engine *en, struct container *c, int signal, struct err *e);
/** When a process started: field 22 of /proc/PID/stat. @return 0 where there is none */
uint64_t process_start_time(int pid);
/** Pass every parked connection to the shim (attach.c). */
int parked_hand_over(struct engine *en, struct container *c, struct err *e);
/** Close every parked connection. */
void parked_drop(struct engine *en, struct container *c);

/* ---- execs (exec.c, exec_run.c) ---- */

/** The container's processes are dead: wait for its execs to be over, so that their folders are gone with them. */
void execs_settle(struct engine *en, struct container *c);
/** Forget those that do not run: the container is being removed. */
void execs_forget(struct engine *en, struct container *c);
/** The ids of those that are not over yet, as inspect shows them: null where there are none. Call with the lock held */
json_t *execs_ids(struct engine *en, const struct container *c);
/** What an earlier daemon's execs in a container that runs on have become. */
void execs_recover(struct engine *en, struct container *c);
/* ---- the running container: runtime.c, cgroup.c, pause.c ---- */

/** Let the container's OCI runtime do `verb` to it: pause, resume, update. @param option, value one option, or NULL
 * @param warnings array for what the runtime warns of; may be NULL @return 0, or -1 with the runtime's own reason */
int runtime_call(struct engine *en, struct container *c, const char *verb, const char *option, const char *value,
                 json_t *warnings, struct err *e);
/** Where control groups are mounted: "/sys/fs/cgroup". A test puts a folder of its own here. */
extern const char *cgroup_root;
/** What a file of the container's cgroup holds. @param controller of version 1, e.g. "memory"; version 2 has one folder
 * for all @return the caller's, or NULL where there is no such file */
char *cgroup_read(struct engine *en, struct container *c, const char *controller, const char *file);
/** The pids in the container's cgroup and below, as the host counts them. @return new array, empty where it has ended
 */
json_t *cgroup_pids(struct engine *en, struct container *c);
/** True where the machine has control groups of version 2 (alone; a hybrid counts as version 1). */
bool cgroup_is_v2(void);
/** Does the kernel hold its processes frozen? */
bool container_frozen(struct engine *en, struct container *c);
/** The readings of its control groups: {"cpu_stats","memory_stats","pids_stats","blkio_stats"} (stats.c). */
json_t *stats_read(struct engine *en, struct container *c);
/** /proc/PID/net/dev as the API's "networks", without the loopback. @param text NULL is empty */
json_t *stats_networks(const char *text);
/** Finish an update that an earlier daemon began, on adopting the container (update.c). */
void update_finish(struct engine *en, struct container *c);
/** Free what updates have replaced, with the container. */
void update_forget(struct container *c);
/** Where it is paused, let it go on. `op` must be held. */
int container_thaw(struct engine *en, struct container *c, struct err *e);

/* ---- restart policies (policy.c) ---- */

/** It has just ended: is it to be started again? Counts it, and sets the wait. Call with the lock held. */
bool policy_decide(struct engine *en, struct container *c);
/** Where it is restarting: wait, and start it. */
void policy_follow(struct engine *en, struct container *c);
/** Where it is restarting: it shall not. Takes `op`. @return false where it was not */
bool policy_cancel(struct engine *en, struct container *c);

/* ---- the root's mount (rootfs.c): one mount, shared by a run and by any number of copies ---- */

/** Its lower folders, topmost first: the image's layers, and the base, which rootfs_make_base() makes once. */
int rootfs_lower(struct engine *en, struct container *c, struct strv *ret, struct err *e);
int rootfs_make_base(struct engine *en, struct err *e);
/** For a run: mount it, unless a copy has. `op` is held. */
int rootfs_begin_run(struct engine *en, struct container *c, struct err *e);
/** The run is over. Unmounts, unless a copy is under way and the container stays. */
int rootfs_end_run(struct engine *en, struct container *c, struct err *e);
/** For a copy: mount it, unless it is. ERR_CONFLICT for a container that is being removed. Each is given back with
 * rootfs_release(). */
int rootfs_hold(struct engine *en, struct container *c, struct err *e);
void rootfs_release(struct engine *en, struct container *c);

/* ---- files (copy.c) ---- */

/** A request for gorae-archive about this container (base/archiveproto.h), with root and scratch. @return new */
json_t *tree_request(struct engine *en, struct container *c);
/** The same for its changes: upper and lower too. */
json_t *tree_request_changes(struct engine *en, struct container *c, struct err *e);
/** Thaw a container that an earlier daemon froze for a commit and did not thaw. */
void commit_recover(struct engine *en, struct container *c);

/* ---- waiting (wait.c) ---- */

struct waiter {
    struct waiter *next;
    struct container *c;
    enum wait_condition cond;
    int fd;
    bool done;
    int code;
    char *error;
};
/** Wake those whose condition now holds. Call with the engine's lock held, after each change of state. */
void waiters_wake(struct container *c, enum trigger what);
/** Wait at most `timeout_ms` (-1 for ever). @return true once it holds */
bool waiter_block(struct waiter *w, int timeout_ms);
/** @return NULL where the kernel has no eventfd for it */
struct waiter *waiter_new(struct engine *en, struct container *c, enum wait_condition cond, struct err *e);

/* ---- events (events.c) ---- */

struct event_bus *bus_new(void);
void bus_free(struct event_bus *b);
/** Publish a container event. `extra` (may be NULL) is consumed and joins the attributes. */
void event_container(struct engine *en, struct container *c, const char *action, json_t *extra);
void event_image(struct engine *en, const char *action, const char *id, const char *name);
/** {"Events":{"type=…,action=…":N},"EventCount","Listeners"} since the start (metrics.c of the API says why). @return
 * new */
json_t *event_counts(struct engine *en);
/** Something about the daemon itself. `attributes` is consumed; what is no text is written as JSON. */
void event_daemon(struct engine *en, const char *action, json_t *attributes);
/** A prune of objects of one type has ended and freed so many bytes. */
void event_prune(struct engine *en, const char *type, int64_t reclaimed);

/** The kind of file system at `path`, by its usual name (info.c). */
const char *backing_name(const char *path);
/** Bring back what an earlier daemon left (recover.c). */
int recover(struct engine *en, struct err *e);

#endif
