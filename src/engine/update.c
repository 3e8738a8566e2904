/* update: other limits, and another restart policy, for a container that exists; where it runs, at once.
 *
 *   1. put the new values over the old, and check the whole as creation does
 *   2. write the resources into the run folder: the sign that an update is under way
 *   3. write the record
 *   4. let the runtime apply them; where the kernel refuses, the runtime undoes its part, and the old record is written
 *   5. take the sign away, tell the listeners
 *
 * Killed between 2 and 5, the next daemon finds the sign when it adopts the container and applies what the record says
 * (update_finish): so record and kernel agree again, whichever of the two values it is. A value of zero, or none at
 * all, means "as it is"; -1 means unlimited where the API has it so.
 *
 * A HostConfig that has been replaced is not freed at once: other threads glance at it without the lock (model.h).
 *
 * Source: Engine API, POST /containers/{id}/update; api spec 6.9. Read next: limits.c, runtime/kill.c. */
#include "engine/limits.h"
#include "engine/spec.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SIGN       "update.json"
#define FORMER_MAX INT64_C(60000000000) /* ns that a replaced HostConfig is kept */

struct former {
    struct former *next;
    json_t *host;
    int64_t at;
};

static const char *const changeable[] = {
    "CpuShares",  "CpuPeriod",  "CpuQuota", "NanoCpus",   "CpuRealtimePeriod", "CpuRealtimeRuntime",
    "CpusetCpus", "CpusetMems", "Memory",   "MemorySwap", "MemoryReservation", "BlkioWeight"};
#define CHANGEABLE (sizeof(changeable) / sizeof(changeable[0]))

/* What belongs to a container's making and cannot change under a running program. Zero values are no wish: clients send
 * the whole object. */
static int refuse_fixed(const json_t *in, struct err *e)
{
    static const char *const fixed[] = {"CgroupParent",
                                        "Devices",
                                        "DeviceCgroupRules",
                                        "DeviceRequests",
                                        "Ulimits",
                                        "BlkioWeightDevice",
                                        "BlkioDeviceReadBps",
                                        "BlkioDeviceWriteBps",
                                        "BlkioDeviceReadIOps",
                                        "BlkioDeviceWriteIOps",
                                        "OomKillDisable",
                                        "MemorySwappiness"};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (json_says(json_object_get(in, fixed[i])))
            return err_set(e, ERR_INVALID, "%s cannot be updated: it is fixed when a container is created", fixed[i]);
    return 0;
}

/* The request with the types and the names of creation, and by itself possible. */
static json_t *read_wish(const json_t *body, const json_t *old, json_t *warnings, struct err *e)
{
    json_auto_t *wrapped = json_pack("{s:O}", "HostConfig", body);
    json_auto_t *in = host_complete(wrapped, ENGINE_API_MINOR, e);
    if (!in || refuse_fixed(in, e) < 0)
        return NULL;
    json_auto_t *alone = json_copy(in);
    if (json_int(in, "Memory", 0) == 0) /* a swap limit alone is one beside the present memory limit */
        json_object_set(alone, "Memory", json_object_get(old, "Memory"));
    if (limits_check(alone, e) < 0)
        return NULL;
    /* Creation reads a limit of 0 or below as "none said"; here it is a wish: no limit. */
    const json_t *pids = body_get(body, "PidsLimit");
    if (json_is_integer(pids))
        json_object_set_new(in, "PidsLimit",
                            json_integer(json_integer_value(pids) > 0 ? json_integer_value(pids) : -1));
    limits_discard(in, warnings);
    return json_incref(in);
}

static void join_memory(json_t *host, const json_t *in, const json_t *old)
{
    int64_t memory = json_int(in, "Memory", 0);
    if (memory != 0 && json_int(in, "MemorySwap", 0) == 0 && json_int(old, "Memory", 0) == 0)
        json_object_set_new(host, "MemorySwap", json_integer(memory > INT64_MAX / 2 ? -1 : memory * 2));
}

/* @return the new HostConfig, complete; NULL where old and new do not go together */
static json_t *join(const json_t *old, const json_t *in, const json_t *body, struct err *e)
{
    json_auto_t *host = json_copy((json_t *)old);
    const json_t *policy = body_get(body, "RestartPolicy");
    for (size_t i = 0; i < CHANGEABLE; i++)
        if (json_says(json_object_get(in, changeable[i])))
            json_object_set(host, changeable[i], json_object_get(in, changeable[i]));
    if (json_is_integer(json_object_get(in, "PidsLimit")))
        json_object_set(host, "PidsLimit", json_object_get(in, "PidsLimit"));
    join_memory(host, in, old);
    if (limits_check(host, e) < 0) {
        e->kind = ERR_CONFLICT; /* each by itself is possible, so it is the other that is in the way */
        return NULL;
    }
    if (*json_str(policy, "Name", "")) {
        json_object_set_new(host, "RestartPolicy",
                            json_pack("{s:s, s:I}", "Name", json_str(policy, "Name", ""), "MaximumRetryCount",
                                      (json_int_t)json_int(policy, "MaximumRetryCount", 0)));
        if (json_is(host, "AutoRemove") && !str_eq(json_str(policy, "Name", ""), "no"))
            return err_null(err_set(
                e, ERR_CONFLICT, "Restart policy cannot be updated because AutoRemove is enabled for the container"));
        if (restart_policy_check(host, e) < 0)
            return NULL;
    }
    return json_incref(host);
}

/* "linux.resources" of what differs, with what the kernel or the runtime reads together: memory with swap, quota with
 * period. */
static json_t *difference(const json_t *old, const json_t *host)
{
    static const char *const together[][2] = {{"Memory", "MemorySwap"}, {"CpuPeriod", "CpuQuota"}};
    json_auto_t *changed = json_object();
    for (size_t i = 0; i < CHANGEABLE; i++)
        if (!json_equal(json_object_get(old, changeable[i]), json_object_get(host, changeable[i])))
            json_object_set(changed, changeable[i], json_object_get(host, changeable[i]));
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 2; k++)
            if (json_object_get(changed, together[i][k]))
                json_object_set(changed, together[i][1 - k], json_object_get(host, together[i][1 - k]));
    json_t *r = spec_resources(changed);
    if (!json_equal(json_object_get(old, "PidsLimit"), json_object_get(host, "PidsLimit")))
        json_object_set_new(r, "pids", json_pack("{s:O}", "limit", json_object_get(host, "PidsLimit")));
    return r;
}

static void replace_host(struct engine *en, struct container *c, json_t *host)
{
    struct former *f = mem_alloc(sizeof(*f));
    int64_t now = clock_mono();
    pthread_mutex_lock(&en->lock);
    *f = (struct former){c->former, c->host, now};
    c->former = f;
    c->host = json_incref(host);
    for (struct former **p = &f->next; *p;) {
        struct former *old = *p;
        if (now - old->at < FORMER_MAX) {
            p = &old->next;
            continue;
        }
        *p = old->next;
        json_decref(old->host);
        free(old);
    }
    pthread_mutex_unlock(&en->lock);
}

void update_forget(struct container *c)
{
    while (c->former) {
        struct former *f = c->former;
        c->former = f->next;
        json_decref(f->host);
        free(f);
    }
}

static bool alive(struct engine *en, struct container *c)
{
    bool yes = locked(&en->lock, state_alive(c->state) && !c->ending);
    return yes;
}

static int call(struct engine *en, struct container *c, const char *path, json_t *warnings, struct err *e)
{
    return runtime_call(en, c, "update", "--resources", path, warnings, e);
}

/* Step 4. A container that has ended meanwhile has its new limits at its next start. */
static int apply(struct engine *en, struct container *c, const char *sign, const json_t *resources, json_t *warnings,
                 struct err *e)
{
    autofree char *text = json_compact(resources);
    struct span s = trace_begin(3, "change the limits of the running container");
    if (call(en, c, sign, warnings, e) < 0)
        return alive(en, c) ? -1 : 0;
    trace_end(&s, "%.200s; version %d", text, cgroup_is_v2() ? 2 : 1);
    return 0;
}

/* Steps 2 to 5. */
static int change(struct engine *en, struct container *c, json_t *host, json_t *warnings, struct err *e)
{
    struct err ignored; /* the first failure is the one to tell */
    autofree char *sign = container_run_path(en, c, SIGN);
    json_auto_t *old = json_incref(c->host), *resources = difference(old, host);
    autofree char *text = json_text(resources);
    bool live = alive(en, c) && json_object_size(resources) > 0;
    if (live && file_replace_volatile(AT_FDCWD, sign, text, strlen(text), 0600, e) < 0)
        return -1;
    FAULT("update.begun");
    replace_host(en, c, host);
    struct span s = trace_begin(3, "write the container's record");
    int r = container_save(en, c, !container_ephemeral(c), e);
    trace_end(&s, "HostConfig with the new values");
    FAULT("update.recorded");
    if (r == 0 && live)
        r = apply(en, c, sign, resources, warnings, e);
    if (r < 0) {
        replace_host(en, c, old);
        container_save(en, c, !container_ephemeral(c), &ignored);
    }
    FAULT("update.applied");
    if (live)
        unlink(sign);
    return r;
}

void update_finish(struct engine *en, struct container *c)
{
    struct err ignored; /* a runtime that refuses leaves the kernel as it was; the record's values come at next start */
    autofree char *sign = container_run_path(en, c, SIGN);
    if (access(sign, F_OK) < 0)
        return;
    json_auto_t *resources = spec_resources(c->host);
    autofree char *text = json_text(resources);
    if (file_replace_volatile(AT_FDCWD, sign, text, strlen(text), 0600, &ignored) == 0)
        call(en, c, sign, NULL, &ignored);
    unlink(sign);
}

static json_t *update_locked(struct engine *en, struct container *c, const json_t *body, struct err *e)
{
    json_auto_t *warnings = json_array();
    bool gone = locked(&en->lock, c->removing || !c->in_table || c->state == STATE_DEAD || c->state == STATE_REMOVING);
    if (gone)
        return err_null(err_set(e, ERR_CONFLICT, "container %.12s is marked for removal and cannot be updated", c->id));
    struct span s = trace_begin(3, "put the new limits over the old");
    json_auto_t *in = read_wish(body, c->host, warnings, e), *host = in ? join(c->host, in, body, e) : NULL;
    if (!host)
        return NULL;
    trace_end(&s, "HostConfig checked");
    if (change(en, c, host, warnings, e) < 0)
        return err_null(err_wrap(e, "cannot update container %.12s", c->id));
    event_container(en, c, "update", NULL);
    return json_pack("{s:O}", "Warnings", warnings);
}

json_t *engine_update(struct engine *en, const char *name, const json_t *body, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    return c ? locked(&c->op, update_locked(en, c, body, e)) : NULL;
}
