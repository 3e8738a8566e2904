/* rm and rename.
 *
 * Removal in one stroke: the container's folder is renamed to "removing-<id>", which takes its record away atomically,
 * and then deleted at leisure. Killed in between, recovery finds the odd name and goes on deleting; killed before, the
 * container is still whole. */
#include "engine/model.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define KILL_WAIT_MS 10000

static int take_away(struct engine *en, struct container *c, struct err *e)
{
    autofree char *dir = container_path(en, c, NULL), *odd = str_printf("%s/removing-%s", en->containers_dir, c->id);
    if (rename(dir, odd) < 0 && errno != ENOENT)
        return err_sys(e, "rename %s", dir);
    FAULT("remove.renamed");
    /* For --rm the fsync is spared: a record that a power cut brings back is removed at the next start. */
    if (!container_ephemeral(c) && dir_sync(AT_FDCWD, en->containers_dir, e) < 0)
        return -1;
    return 0;
}

static void delete_rest(struct engine *en, struct container *c)
{
    struct err e;
    autofree char *odd = str_printf("%s/removing-%s", en->containers_dir, c->id);
    if (tree_remove(AT_FDCWD, odd, &e) < 0)
        log_warn("container %.12s is removed, but files of it stay until the next start: %s", c->id, e.msg);
    FAULT("remove.deleted");
}

static void set_state(struct engine *en, struct container *c, enum trigger on)
{
    pthread_mutex_lock(&en->lock);
    container_step(c, on);
    c->removing = on == ON_REMOVE;
    waiters_wake(c, on);
    pthread_cond_broadcast(&en->policy); /* it may be waiting for its restart */
    pthread_mutex_unlock(&en->lock);
}

int container_destroy(struct engine *en, struct container *c, struct err *e)
{
    struct span s = trace_begin(3, "remove the container");
    set_state(en, c, ON_REMOVE);
    container_teardown(en, c); /* does nothing where its end has done it */
    if (take_away(en, c, e) < 0) {
        set_state(en, c, ON_REMOVE_FAILED);
        struct err ignored;
        container_save(en, c, true, &ignored);
        return -1;
    }
    parked_drop(en, c);
    execs_forget(en, c);
    container_withdraw(en, c);
    trace_end(&s, "folder renamed away; its files are deleted afterwards");
    event_container(en, c, "destroy", NULL);
    set_state(en, c, ON_REMOVED); /* whoever waits need not wait for the deleting */
    delete_rest(en, c);
    image_collect(en->images); /* an image removed by force may have been kept for this container alone */
    return 0;
}

/* rm -f of a running one: kill it and wait for the monitor to see the end. */
static int kill_first(struct engine *en, struct container *c, struct err *e)
{
    struct waiter *w = waiter_new(en, c, WAIT_DOWN, e);
    if (!w)
        return -1;
    struct err why = {0};
    if (container_signal(en, c, SIGKILL, &why) == 0)
        event_container(en, c, "kill", json_pack("{s:s}", "signal", "9"));
    container_thaw(en, c, &why);
    bool ended = waiter_block(w, KILL_WAIT_MS);
    engine_wait_end(en, w);
    if (!ended)
        return err_set(e, ERR_SYSTEM, "container %.12s did not end within %d s of SIGKILL", c->id, KILL_WAIT_MS / 1000);
    return 0;
}

static int remove_locked(struct engine *en, struct container *c, bool force, struct err *e)
{
    pthread_mutex_lock(&en->lock);
    enum state s = c->state;
    bool gone = !c->in_table;
    c->stopped_by_hand |= force && state_alive(s); /* seen and marked in one: its policy does not come in between */
    pthread_mutex_unlock(&en->lock);
    if (gone)
        return err_set(e, ERR_NOT_FOUND, "No such container: %s", c->id);
    if (s == STATE_PAUSED && !force)
        return err_set(
            e, ERR_CONFLICT,
            "You cannot remove a paused container %s. Unpause and then stop the container before attempting removal or "
            "force remove",
            c->id);
    if (state_up(s) && !force)
        return err_set(
            e, ERR_CONFLICT,
            "You cannot remove a %s container %s. Stop the container before attempting removal or force remove",
            state_name(s), c->id);
    if (state_alive(s) && kill_first(en, c, e) < 0)
        return -1;
    return container_destroy(en, c, e);
}

int engine_remove(struct engine *en, const char *name, bool force, bool volumes, struct err *e)
{
    (void)volumes; /* there are none yet */
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return -1;
    /* Two removals at once: the second is told so rather than kept waiting. A start or rename in progress is waited
     * for. */
    if (locked(&en->lock, c->removing))
        return err_set(e, ERR_CONFLICT, "removal of container %.12s is already in progress", c->id);
    return locked(&c->op, remove_locked(en, c, force, e));
}

/* ---- rename ---- */

static int rename_locked(struct engine *en, struct container *c, const char *to, struct err *e)
{
    if (str_eq(c->name, to))
        return err_set(e, ERR_INVALID, "Renaming a container with the same name as its current name");
    if (!c->in_table)
        return err_set(e, ERR_NOT_FOUND, "No such container: %s", c->id);
    if (name_reserve(en, to, c->id, e) < 0)
        return -1;
    pthread_mutex_lock(&en->lock);
    char *old = c->name;
    c->name = mem_strdup(to);
    pthread_mutex_unlock(&en->lock);
    if (container_save(en, c, true, e) < 0) {
        struct err ignored;
        pthread_mutex_lock(&en->lock);
        char *failed = c->name;
        c->name = old;
        pthread_mutex_unlock(&en->lock);
        container_save(en, c, true, &ignored); /* the failure may have come after the new record was in place */
        name_release(en, failed);
        free(failed);
        return -1;
    }
    name_release(en, old);
    autofree char *was = str_printf("/%s", old);
    free(old);
    event_container(en, c, "rename", json_pack("{s:s}", "oldName", was));
    return 0;
}

int engine_rename(struct engine *en, const char *name, const char *to, struct err *e)
{
    if (str_empty(to) || str_eq(to, "/"))
        return err_set(e, ERR_INVALID, "Neither old nor new names may be empty");
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return -1;
    struct span s = trace_begin(3, "rename the container");
    int r = locked(&c->op, rename_locked(en, c, to + (*to == '/'), e));
    trace_end(&s, "name reserved, containers/%.12s…/config.json written", c->id);
    return r;
}
