/** @file
 * What is remembered of a container between two invocations: the folder `<root>/<id>` (mode 0700, on tmpfs).
 *
 *     state.json     the facts below, written whole or not at all
 *     start.sock     the start barrier: the container's first process listens here until `start` connects (child_go.c).
 *                    It is there exactly as long as the container is "created"
 *     seccomp        the compiled filter, a hard link into the cache, for `exec`
 *
 * Whether a container runs is never written down, because nobody could keep that true: it is asked of the kernel. A
 * process is named by its pid and its start time together; the pid alone may meanwhile be another's.
 */
#ifndef GORAE_RUNTIME_STATE_H
#define GORAE_RUNTIME_STATE_H

#include "base/err.h"
#include "runtime/cgroup.h"
#include "runtime/plan.h"
#include "runtime/runtime.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STATE_ID_MAX  255
#define STATE_MAX     (16 << 20)
#define STATE_BARRIER "start.sock"
#define STATE_SECCOMP "seccomp"
#define STATE_CACHE   "seccomp-cache" /**< stands beside the containers, so it is no id */

enum status { STATUS_CREATING, STATUS_CREATED, STATUS_RUNNING, STATUS_PAUSED, STATUS_STOPPED };

struct state {
    char *id;
    int dir; /**< the folder */
    /** state.json: ociVersion, id, pid, starttime, bundle, rootfs, created, namespaces, leads, cgroup, and from
     * config.json annotations, hooks, process. */
    json_t *doc;
    struct cgroup cgroup;
    pid_t pid; /**< 0 while creating */
    uint64_t starttime;
    bool leads; /**< its first process began a pid namespace: the kernel ends all in there with it */
};

#define STATE_INIT \
    {              \
        .dir = -1  \
    }

/** Reserve the id: make its folder. ERR_CONFLICT where it exists. */
int state_new(struct state *s, const struct runtime *rt, const char *id, struct err *e);
/** Open an existing one. ERR_NOT_FOUND where there is none. @param lock keep other locking verbs out until
 * state_release(); those that only look, and `kill`, which may have to end a hanging `start`, do not lock */
int state_open(struct state *s, const struct runtime *rt, const char *id, bool lock, struct err *e);
void state_release(struct state *s);
/** Fill s->doc from the plan. */
void state_describe(struct state *s, const struct plan *p);
/** True where the container has a namespace of this kind that is not the runtime's. */
bool state_has_ns(const struct state *s, enum plan_ns kind);
/** Write state.json, with s->pid, s->starttime and s->cgroup. */
int state_save(struct state *s, struct err *e);
/** Remove the folder and all in it. */
int state_remove(struct state *s, const struct runtime *rt, struct err *e);
enum status state_status(const struct state *s);
const char *status_name(enum status st);
/** The document that `state` prints and hooks read. @return new reference */
json_t *state_oci(const struct state *s, enum status st);
/** A path of a file in the folder that needs no more than 108 bytes, for unix(7) addresses. @return the caller's */
char *state_socket_path(const struct state *s, const char *name);

/** Field 22 of /proc/PID/stat, in clock ticks since boot. @return 0 where there is no such live process */
uint64_t process_starttime(pid_t pid);
/** A pidfd of the container's first process, if that still is the process that we started. @return fd, or -1
 * (ERR_NOT_FOUND where it has ended) */
int state_pidfd(const struct state *s, struct err *e);

#endif
