/* Recovery: what a new daemon finds of an earlier one, however that one ended.
 *
 * The rule is the same in both directions: everything on the machine belongs to a record, and every record has what it
 * says. So:
 *
 *   folder without a record          a creation that was cut short: removed
 *   folder "removing-<id>"           a removal that was cut short: finished
 *   record that cannot be read       set aside in quarantine/ and named in the log; the daemon starts
 *   shim answers, container runs     adopted: it never noticed
 *   exit record is there             the container ended while nobody looked: its code is kept, --rm is honoured
 *   said to run, nothing is there    the machine was restarted, or the shim was killed: ended with 255
 *   run folder without a record      torn down
 *
 * Each step may itself be cut short and is then done again by the next daemon. */
#include "engine/model.h"
#include "engine/health.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOST_CODE 255

/* ---- one container ---- */

/* The runtime's and our own view of the process are gone with the run folder; what the record knows is not enough to
 * find it. The shim wrote init.pid, and the runtime kept start times: container_teardown() asks the runtime. */
static void adopt(struct engine *en, struct container *c, const json_t *hello)
{
    struct err e;
    bool noted = c->state == STATE_RUNNING;
    if (!noted) { /* the daemon died between the start and its record: what that says is of the run before */
        container_step(c, ON_START);
        c->stopped_by_hand = false;
        c->exit_code = 0;
        free(c->error);
        c->error = NULL;
    }
    c->run_mounted = true;
    c->pid = (int)json_int(hello, "pid", 0);
    c->starttime = (uint64_t)json_int(hello, "starttime", 0);
    c->started = json_int(hello, "at", c->started);
    c->oom_killed = json_is(hello, "oom");
    if (!noted && container_save(en, c, !container_ephemeral(c), &e) < 0)
        log_error("%s", e.msg);
    cgroup_recover(en, c);
    update_finish(en, c);
    log_info("container %.12s (%s) runs on, pid %d", c->id, c->name, c->pid);
    commit_recover(en, c);
    if (container_frozen(en, c))
        container_step(c, ON_PAUSE);
    execs_recover(en, c);
    health_begin(en, c);
    if (monitor_start(en, c, &e) < 0)
        log_error("%s", e.msg);
}

static bool read_exit(struct engine *en, struct container *c, int *code, int64_t *at, bool *oom)
{
    autofree char *path = container_path(en, c, "exit.json");
    struct err e;
    json_auto_t *j = json_read_file(AT_FDCWD, path, 4096, &e);
    *code = (int)json_int(j, "code", LOST_CODE);
    *at = json_int(j, "at", clock_real());
    *oom = json_is(j, "oom");
    return j != NULL;
}

static void settle(struct engine *en, struct container *c)
{
    struct err e;
    int code;
    int64_t at;
    bool oom, recorded;
    autofree char *run = container_run_path(en, c, NULL), *rootfs = container_path(en, c, "rootfs");
    json_auto_t *hello = shim_adopt(&c->link, run);
    const char *phase = json_str(hello, "phase", "");
    if (str_eq(phase, "running")) {
        adopt(en, c, hello);
        return;
    }
    shim_drop(&c->link);
    recorded = read_exit(en, c, &code, &at, &oom);
    if (recorded || c->state == STATE_RUNNING) {
        log_info("container %.12s (%s) ended while no daemon looked, code %d", c->id, c->name, code);
        if (c->started == 0)
            c->started = at;
        container_ended(en, c, code, at, oom,
                        recorded ? NULL
                                 : "the container was lost: neither its process nor its exit "
                                   "record is there");
        container_auto_remove(en, c);
        return;
    }
    if (access(run, F_OK) == 0 || overlay_mounted(rootfs))
        container_teardown(en, c); /* a start that was cut short */
    if (json_is(c->host, "AutoRemove") && c->state != STATE_CREATED && container_destroy(en, c, &e) < 0)
        log_error("container %.12s: --rm: %s", c->id, e.msg);
    else if (c->state == STATE_REMOVING)
        container_step(c, ON_REMOVE_FAILED);
}

/* What a container has on the machine, by its id alone: there is no record to ask. */
static void tear_down_id(struct engine *en, const char *id)
{
    struct container *c = container_new(en, id);
    container_teardown(en, c);
    container_put(en, c);
}

static void set_aside(struct engine *en, const char *id, const struct err *why)
{
    tear_down_id(en, id);
    autofree char *from = str_printf("%s/%s", en->containers_dir, id),
                  *to = str_printf("%s/container-%s", en->quarantine, id);
    log_error("container %s cannot be read and is set aside in %s: %s", id, to, why->msg);
    if (rename(from, to) < 0)
        log_error("container %s: rename to %s: %s", id, to, strerrordesc_np(errno));
}

static void load_one(struct engine *en, const char *id)
{
    struct err e = {0};
    struct container *c = container_load(en, id, &e);
    if (!c && e.sys == ENOENT) {
        autofree char *dir = str_printf("%s/%s", en->containers_dir, id);
        log_info("container %.12s was never finished: removed", id);
        if (tree_remove(AT_FDCWD, dir, &e) < 0)
            log_error("%s", e.msg);
        return;
    }
    if (c && name_reserve(en, c->name, c->id, &e) < 0) {
        container_put(en, c);
        c = NULL;
    }
    if (!c) {
        set_aside(en, id, &e);
        return;
    }
    container_insert(en, c);
    settle(en, c);
    container_put(en, c);
}

/* ---- all of them ---- */

/* What file_replace() was writing when its process died. */
static void drop_temporaries(const char *dir)
{
    autostrv names = {NULL, 0};
    struct err ignored;
    if (dir_names(AT_FDCWD, dir, &names, &ignored) < 0)
        return;
    for (size_t i = 0; i < names.n; i++) {
        autofree char *path = str_printf("%s/%s", dir, names.v[i]);
        if (strstr(names.v[i], ".tmp-"))
            unlink(path);
    }
}

/* A run folder whose container is no more: a kill between taking the record away and the teardown cannot leave one,
 * but a data root that was swapped under a living exec root can. It is nobody else's: the exec root is locked. */
static void drop_strangers(struct engine *en)
{
    autostrv names = {NULL, 0};
    struct err e;
    if (dir_names(AT_FDCWD, en->run_dir, &names, &e) < 0)
        return;
    for (size_t i = 0; i < names.n; i++) {
        struct container *known = str_is_hex(names.v[i], ID_LENGTH) ? container_get(en, names.v[i], &e) : NULL;
        autofree char *path = str_printf("%s/%s", en->run_dir, names.v[i]);
        if (!known) {
            log_warn("%s belongs to no container: removed", path);
            if (str_is_hex(names.v[i], ID_LENGTH))
                tear_down_id(en, names.v[i]);
            if (tree_remove(AT_FDCWD, path, &e) < 0)
                log_error("%s", e.msg);
        }
        container_put(en, known);
    }
}

int recover(struct engine *en, struct err *e)
{
    autostrv names = {NULL, 0};
    drop_temporaries(en->opt.data_root);
    if (dir_names(AT_FDCWD, en->containers_dir, &names, e) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.v[i];
        autofree char *path = str_printf("%s/%s", en->containers_dir, name);
        struct err why;
        if (str_is_hex(name, ID_LENGTH)) {
            drop_temporaries(path);
            load_one(en, name);
        } else if (str_starts(name, "removing-") && str_is_hex(name + 9, ID_LENGTH)) {
            autofree char *rootfs = str_printf("%s/rootfs", path); /* somebody of the host stood in it */
            if (overlay_unmount(rootfs, &why) < 0 || tree_remove(AT_FDCWD, path, &why) < 0)
                log_error("finish a removal: %s", why.msg);
        } else {
            log_warn("%s is nothing of ours; left alone", path);
        }
    }
    drop_strangers(en);
    return 0;
}
