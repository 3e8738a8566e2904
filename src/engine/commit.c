/* commit: an image from a container.
 *
 * The new configuration is the container's own Config with what the request says put over it: first its body, as that
 * of a create is put over an image's, then the lines of a Dockerfile (image/changes.c). It is made before anything
 * else, so that a line that is not understood costs nothing. The files are the changes (archive/diff.c); image/make.c
 * puts both together.
 *
 * A running container is paused meanwhile unless the request says otherwise: the runtime freezes its cgroup, so that no
 * file is caught half written. Whatever happens it is thawed again; killed in between, the daemon that comes next finds
 * a frozen container and thaws it (recover.c). Next: usage.c. */
#include "engine/model.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/trace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *new_config(const json_t *was, const struct commit_options *o, struct err *e)
{
    json_auto_t *config = json_object_size(o->config) > 0 ? config_complete(o->config, was, e) : json_deep_copy(was);
    return config && image_changes(config, o->changes, e) == 0 ? json_incref(config) : NULL;
}

/* ---- holding it still ---- */

/* Should the daemon die meanwhile, this file tells the next one that it was us who froze it. */
static char *marker_path(struct engine *en, struct container *c)
{
    return container_run_path(en, c, "committing");
}

/* `op` is held as long as it is frozen: a stop or removal waits, which could not end a frozen process anyway. What does
 * not run is not frozen, and nobody waits.
 * @return 1 frozen: let_go() must follow; 0; -1 */
static int hold_still(struct engine *en, struct container *c, struct err *e)
{
    autofree char *marker = marker_path(en, c);
    pthread_mutex_lock(&c->op);
    bool runs = locked(&en->lock, c->state == STATE_RUNNING && !c->ending);
    int r = !runs ? 0 : file_replace_volatile(AT_FDCWD, marker, "", 0, 0600, e) < 0 ? -1 : 1;
    if (r > 0 && runtime_call(en, c, "pause", NULL, NULL, NULL, e) < 0) {
        unlink(marker);
        pthread_mutex_lock(&en->lock);
        r = c->state == STATE_RUNNING && !c->ending ? -1 : 0; /* it ended meanwhile */
        pthread_mutex_unlock(&en->lock);
    }
    if (r <= 0) {
        pthread_mutex_unlock(&c->op);
        return r;
    }
    FAULT("commit.paused");
    event_container(en, c, "pause", NULL);
    return 1;
}

static void let_go(struct engine *en, struct container *c)
{
    struct err e;
    autofree char *marker = marker_path(en, c);
    if (runtime_call(en, c, "resume", NULL, NULL, NULL, &e) < 0)
        log_warn("%s", e.msg);
    else
        event_container(en, c, "unpause", NULL);
    unlink(marker);
    pthread_mutex_unlock(&c->op);
}

void commit_recover(struct engine *en, struct container *c)
{
    struct err e;
    autofree char *marker = marker_path(en, c);
    if (access(marker, F_OK) < 0)
        return;
    if (runtime_call(en, c, "resume", NULL, NULL, NULL, &e) < 0)
        log_warn("%s", e.msg); /* the daemon died before it had frozen it */
    unlink(marker);
}

/* ---- the work ---- */

struct writer {
    struct engine *en;
    struct container *c;
};

static int write_changes(void *arg, image_sink *sink, void *sink_arg, struct err *e)
{
    struct writer *w = arg;
    json_auto_t *request = tree_request_changes(w->en, w->c, e);
    if (!request || rootfs_hold(w->en, w->c, e) < 0)
        return -1;
    const struct tree_job job = {.verb = "layer", .request = request, .sink = sink, .sink_arg = sink_arg};
    json_auto_t *done = tree_work(&job, e);
    rootfs_release(w->en, w->c);
    return done ? 0 : -1;
}

static char *commit(struct engine *en, struct container *c, const struct commit_options *o, struct err *e)
{
    struct writer w = {en, c};
    json_auto_t *was = locked(&en->lock, json_incref(c->config));
    json_auto_t *config = new_config(was, o, e);
    autofree char *command = json_join(c->path_args, " ");
    const struct image_commit job = {.parent = c->image,
                                     .container = c->id,
                                     .config = config,
                                     .container_config = was,
                                     .author = o->author,
                                     .comment = o->comment,
                                     .created_by = command,
                                     .ref = o->ref,
                                     .write = write_changes,
                                     .arg = &w};
    if (!config)
        return NULL;
    int still = o->pause ? hold_still(en, c, e) : 0;
    if (still < 0)
        return NULL;
    char *id = image_commit(en->images, &job, e);
    if (still)
        let_go(en, c);
    return id;
}

char *engine_commit(struct engine *en, const char *name, const struct commit_options *o, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return NULL;
    char *id = commit(en, c, o, e);
    if (id)
        event_container(en, c, "commit",
                        json_pack("{s:s, s:s, s:s}", "comment", o->comment, "imageID", id, "imageRef", o->ref));
    return id;
}
