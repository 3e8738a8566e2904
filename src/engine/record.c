/* A container's record: containers/<id>/config.json, what must survive the daemon and the machine.
 *
 * It holds what was asked for (Config, HostConfig), what was decided (Image, Path, Args) and how far it got (State).
 * What a running container needs only while it runs (pid, sockets) is not here but below the exec root, on a file
 * system that a reboot empties.
 *
 * Whether it is paused is such a fact too: the kernel's freezer knows it, and the record says "running". One that waits
 * for its restart is "exited" there: the next daemon looks at its policy anyway.
 *
 * Durable or not: an answer of 2xx promises that what it says is on disk, so `create` and `start` write durably. A
 * container with --rm is the exception: after a power cut it would be removed at once, so it makes no difference
 * whether it came back, and nothing of it waits for the disk. The file is replaced whole, so a reader finds an old
 * state or a new one. */
#include "engine/model.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdlib.h>

#define RECORD_VERSION 1
#define RECORD_MAX \
    (64u << 20) /* bytes: what a create of API_JSON_MAX can become, spread over lines, its command twice */

bool container_ephemeral(const struct container *c)
{
    return json_is(c->host, "AutoRemove");
}

static const char *recorded_name(enum state s)
{
    return state_name(s == STATE_PAUSED ? STATE_RUNNING : s == STATE_RESTARTING ? STATE_EXITED : s);
}

static json_t *record_make(struct engine *en, struct container *c, enum state state)
{
    pthread_mutex_lock(&en->lock);
    json_t *j =
        json_pack("{s:i, s:s, s:s, s:I, s:s, s:O, s:O, s:O, s:{s:s, s:i, s:b, s:s, s:I, s:I, s:b, s:i}}", "Version",
                  RECORD_VERSION, "Id", c->id, "Name", c->name, "Created", (json_int_t)c->created, "Image", c->image,
                  "Command", c->path_args, "Config", c->config, "HostConfig", c->host, "State", "Status",
                  recorded_name(state), "ExitCode", c->exit_code, "OOMKilled", c->oom_killed, "Error",
                  c->error ? c->error : "", "StartedAt", (json_int_t)c->started, "FinishedAt", (json_int_t)c->finished,
                  "StoppedByHand", c->stopped_by_hand, "RestartCount", c->restart_count);
    pthread_mutex_unlock(&en->lock);
    return j;
}

static int write_record(struct engine *en, struct container *c, enum state state, bool durable, struct err *e)
{
    autofree char *path = container_path(en, c, "config.json");
    json_auto_t *j = record_make(en, c, state);
    autofree char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    if (!text)
        return err_set(e, ERR_SYSTEM, "the record of container %.12s cannot be put into JSON", c->id);
    int r = durable ? file_replace(AT_FDCWD, path, text, strlen(text), 0600, e)
                    : file_replace_volatile(AT_FDCWD, path, text, strlen(text), 0600, e);
    return r < 0 ? err_wrap(e, "write the record of container %.12s", c->id) : 0;
}

int container_save_as(struct engine *en, struct container *c, enum state state, bool durable, struct err *e)
{
    int r = locked(&c->saving, write_record(en, c, state, durable, e));
    return r;
}

int container_save(struct engine *en, struct container *c, bool durable, struct err *e)
{
    pthread_mutex_lock(&c->saving);
    enum state now = locked(&en->lock, c->ended ? STATE_EXITED : c->state);
    int r = write_record(en, c, now, durable, e);
    pthread_mutex_unlock(&c->saving);
    return r;
}

static int state_from(const char *name)
{
    for (int s = 0; s < STATE_COUNT; s++)
        if (str_eq(state_name((enum state)s), name))
            return s;
    return -1;
}

static int record_read(struct container *c, const json_t *j, const char *id, struct err *e)
{
    const char *name = json_str(j, "Name", NULL), *image = json_str(j, "Image", NULL);
    json_t *config = json_at(j, "Config"), *host = json_at(j, "HostConfig"), *command = json_at(j, "Command");
    int state = state_from(json_str(j, "State.Status", ""));
    if (json_int(j, "Version", 0) > RECORD_VERSION)
        return err_set(e, ERR_SYSTEM, "it was written by a newer gorae (record version %d)",
                       (int)json_int(j, "Version", 0));
    if (!str_eq(json_str(j, "Id", NULL), id))
        return err_set(e, ERR_SYSTEM, "its id is not the name of its folder");
    if (!name || !name_valid(name) || !image || !json_is_object(config) || !json_is_object(host) ||
        json_array_size(command) == 0 || state < 0)
        return err_set(e, ERR_SYSTEM, "a field is missing or of the wrong type");
    c->name = mem_strdup(name);
    c->image = mem_strdup(image);
    c->config = json_incref(config);
    c->host = json_incref(host);
    c->path_args = json_incref(command);
    c->created = json_int(j, "Created", 0);
    c->state = (enum state)state;
    c->exit_code = (int)json_int(j, "State.ExitCode", 0);
    c->oom_killed = json_is(j, "State.OOMKilled");
    c->stopped_by_hand = json_is(j, "State.StoppedByHand");
    c->restart_count = (int)json_int(j, "State.RestartCount", 0);
    c->started = json_int(j, "State.StartedAt", 0);
    c->start_failed = c->started == 0;
    c->finished = json_int(j, "State.FinishedAt", 0);
    const char *error = json_str(j, "State.Error", "");
    c->error = *error ? mem_strdup(error) : NULL;
    return 0;
}

struct container *container_load(struct engine *en, const char *id, struct err *e)
{
    struct container *c = container_new(en, id);
    autofree char *path = container_path(en, c, "config.json");
    json_auto_t *j = json_read_file(AT_FDCWD, path, RECORD_MAX, e);
    if (!j || record_read(c, j, id, e) < 0) {
        container_put(en, c);
        return NULL;
    }
    return c;
}
