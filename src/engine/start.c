/* start: from a record on disk to a running process, in numbered steps.
 *
 *   1. mount the overlay          the image's layers below, the container's own above
 *   2. write the OCI bundle       spec.c
 *   3. start the shim, which runs `runtime create`: namespaces, mounts, limits, all but the user's program
 *   4. hand over the clients that attached before there was a process
 *   5. `runtime start`: execve
 *   6. tell the listeners, follow the shim, note it in the record
 *
 * A failure at any step undoes the ones before (container_teardown) and leaves the container as it was, with the
 * reason in State.Error and Docker's exit code for it; in step 6 its process is killed, and the rest is that of any
 * end (exit.c). Killed in between, the shim notices that its daemon is gone
 * before step 5 and undoes the rest; recovery does what is left.
 *
 * Read next: spec.c for step 2, shim.c for step 3. */
#include "engine/health.h"
#include "engine/share.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rootpath.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_bundle(struct engine *en, struct container *c, const char *rootfs, struct err *e)
{
    autofree char *dir = container_run_path(en, c, "bundle"), *path = container_run_path(en, c, "bundle/config.json");
    if (dir_make_all(dir, 0700, e) < 0)
        return -1;
    struct span s = trace_begin(3, "write the OCI bundle");
    json_auto_t *spec = spec_make(en, c, rootfs, e);
    if (!spec)
        return -1;
    autofree char *text = json_text(spec);
    if (file_replace_volatile(AT_FDCWD, path, text, strlen(text), 0600, e) < 0)
        return -1;
    trace_end(&s, "config.json of %zu bytes for the OCI runtime", strlen(text));
    FAULT("start.bundle-written");
    return 0;
}

int failure_code(const char *why)
{
    if (strstr(why, "executable file not found") || strstr(why, "no such file or directory"))
        return 127;
    if (strstr(why, "permission denied") || strstr(why, "is a directory") || strstr(why, "not a directory"))
        return 126;
    return 128;
}

static void note_failure(struct engine *en, struct container *c, struct err *e)
{
    struct err ignored;
    int code = failure_code(e->msg);
    pthread_mutex_lock(&en->lock);
    free(c->error);
    c->error = json_valid_text(e->msg); /* cut somewhere, perhaps in the middle of a character */
    c->exit_code = code;
    c->start_failed = true;
    c->pid = 0;
    pthread_mutex_unlock(&en->lock);
    container_save(en, c, false, &ignored); /* the caller gets the error itself; the record only repeats it */
    if (code != 128) /* the caller asked for a program that cannot be run: its mistake, not ours */
        e->kind = ERR_INVALID;
}

/* Until there are volumes, a folder of the container's own stands where one would be. Where the image has something
 * else there, it begins without. */
static void make_volume_folders(const struct container *c, const char *rootfs)
{
    autoclose int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    json_each_pair (path, v, json_object_get(c->config, "Volumes")) {
        struct err e;
        autoclose int fd = rootpath_make_dirs(root, path, 0755, &e);
        if (fd < 0)
            log_warn("container %.12s has no folder for the volume %s: %s", c->id, path, e.msg);
    }
}

static int bring_up(struct engine *en, struct container *c, struct err *e)
{
    autofree char *rootfs = container_path(en, c, "rootfs");
    if (rootfs_begin_run(en, c, e) < 0)
        return -1;
    make_volume_folders(c, rootfs);
    if (files_make(en, c, e) < 0 || share_prepare(en, c, e) < 0 || write_bundle(en, c, rootfs, e) < 0)
        return -1;
    if (container_shim_create(en, c, e) < 0 || share_verify(en, c, e) < 0)
        return -1;
    FAULT("start.created");
    if (parked_hand_over(en, c, e) < 0)
        return -1;
    FAULT("start.clients-handed-over");
    if (container_shim_start(c, e) < 0)
        return -1;
    FAULT("start.started");
    return 0;
}

/* Forget the last run: its exit record, its error. */
static void begin_run(struct engine *en, struct container *c, bool by_policy)
{
    autofree char *old = container_path(en, c, "exit.json");
    unlink(old);
    pthread_mutex_lock(&en->lock);
    free(c->error);
    free(c->failure);
    c->error = c->failure = NULL;
    c->exit_code = 0;
    c->oom_killed = false;
    c->stopped_by_hand = false;
    if (!by_policy) {
        c->restart_count = 0;
        c->restart_delay = 0;
    }
    c->start_failed = false;
    free(c->trace);
    c->trace = mem_strdup(trace_path());
    pthread_mutex_unlock(&en->lock);
}

static int start_locked(struct engine *en, struct container *c, bool by_policy, struct err *e)
{
    struct err ignored;
    pthread_mutex_lock(&en->lock);
    enum state was = c->state;
    bool gone = c->removing || !c->in_table, late = en->stopping;
    pthread_mutex_unlock(&en->lock);
    if (late) /* engine_stop_all() waits for starts that came before, and for none that comes after */
        return err_set(e, ERR_UNAVAILABLE, "container %.12s cannot be started: the daemon is stopping", c->id);
    if (was == STATE_RUNNING || (was == STATE_RESTARTING && !by_policy))
        return err_set(e, ERR_UNMODIFIED, "container %.12s is already running", c->id);
    if (was == STATE_PAUSED)
        return err_set(e, ERR_CONFLICT, "cannot start a paused container, try unpause instead");
    if (gone || machine_next(was, ON_START) < 0)
        return err_set(e, ERR_CONFLICT, "container %.12s is marked for removal and cannot be started", c->id);
    begin_run(en, c, by_policy);
    if (bring_up(en, c, e) < 0) {
        container_signal(en, c, SIGKILL, &ignored); /* a shim whose container runs would not go with us */
        shim_drop(&c->link);
        container_teardown(en, c);
        parked_drop(en, c);
        note_failure(en, c, e);
        if (json_is(c->host, "AutoRemove")) /* it goes as well, and whoever waits for its removal is told */
            container_destroy(en, c, &ignored);
        return -1;
    }
    pthread_mutex_lock(&en->lock);
    container_step(c, ON_START);
    c->started = c->started_by_shim ? c->started_by_shim : clock_real();
    pthread_mutex_unlock(&en->lock);
    struct span s = trace_begin(3, "note that it runs");
    health_begin(en, c);
    event_container(en, c, "start", NULL);
    /* The monitor first: on a full disk the shim finds no room for its exit record either, and tells it to that. */
    bool followed = monitor_start(en, c, e) == 0;
    if (!followed || container_save(en, c, !container_ephemeral(c), e) < 0) {
        locked(&en->lock, c->failure = mem_strdup(e->msg)); /* else its policy would try for ever */
        container_signal(en, c, SIGKILL, &ignored);
        if (!followed) {
            shim_drop(&c->link);
            container_ended(en, c, 128, clock_real(), false, NULL);
        }
        return -1;
    }
    trace_end(&s, "monitor thread started, record written");
    FAULT("start.noted");
    return 0;
}

int container_start_again(struct engine *en, struct container *c, struct err *e)
{
    bool still = locked(&en->lock, c->state == STATE_RESTARTING);
    return still ? start_locked(en, c, true, e) : err_set(e, ERR_CONFLICT, "it was stopped");
}

int container_start(struct engine *en, struct container *c, struct err *e)
{
    pthread_mutex_lock(&c->op);
    int r = start_locked(en, c, false, e);
    pthread_mutex_unlock(&c->op);
    return r;
}

int engine_start(struct engine *en, const char *name, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    return c ? container_start(en, c, e) : -1;
}
