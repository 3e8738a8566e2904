/* container prune: remove every container that does not run, or those that the filters leave.
 *
 * Each removal is an ordinary one, with its own lock and its own event; one that is started or removed by another in
 * the meantime is passed over. Killed half-way, the rest stays for the next prune. */
#include "engine/snapshot.h"
#include "base/fault.h"
#include "base/filter.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/trace.h"

#include <stdlib.h>

static const char *const filter_keys[] = {"until", "label", "label!", NULL};

static bool wanted(struct engine *en, struct container *c, const json_t *filters, int64_t until)
{
    autosnapshot s;
    snapshot_take(en, c, &s);
    return !state_up(s.state) && s.state != STATE_REMOVING && c->created < until &&
           filter_labels(filters, json_object_get(s.config, "Labels"));
}

static bool set_pruning(struct engine *en, bool on)
{
    pthread_mutex_lock(&en->lock);
    bool was = en->pruning;
    en->pruning = on;
    pthread_mutex_unlock(&en->lock);
    return was;
}

static json_t *prune(struct engine *en, const json_t *filters, int64_t until)
{
    struct span s = trace_begin(3, "remove the containers that do not run");
    json_t *deleted = json_array();
    int64_t reclaimed = 0;
    autofree struct container **all = container_all(en);
    for (size_t i = 0; all[i]; i++) {
        struct err e;
        if (wanted(en, all[i], filters, until)) {
            int64_t size = snapshot_size_rw(en, all[i]);
            if (engine_remove(en, all[i]->id, false, false, &e) == 0) {
                json_array_append_new(deleted, json_string(all[i]->id));
                reclaimed += size;
                FAULT("prune.removed-one");
            } else {
                log_warn("prune: container %.12s stays: %s", all[i]->id, e.msg);
            }
        }
        container_put(en, all[i]);
    }
    event_prune(en, "container", reclaimed);
    trace_end(&s, "%zu removed", json_array_size(deleted));
    if (json_array_size(deleted) == 0) { /* none is null, as Docker says it */
        json_decref(deleted);
        deleted = json_null();
    }
    return json_pack("{s:o, s:I}", "ContainersDeleted", deleted, "SpaceReclaimed", (json_int_t)reclaimed);
}

json_t *engine_prune(struct engine *en, const json_t *filters, struct err *e)
{
    int64_t until;
    if (filters_check(filters, filter_keys, e) < 0 || filter_until(filters, &until, e) < 0)
        return NULL;
    if (set_pruning(en, true))
        return err_null(err_set(e, ERR_CONFLICT, "a prune operation is already running"));
    json_t *answer = prune(en, filters, until);
    set_pruning(en, false);
    return answer;
}
