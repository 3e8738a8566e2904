/* restart: stop, then start, as one request.
 *
 * Between the two nobody is kept out: `op` is taken by the start alone, because a stop may wait for as long as the
 * caller likes, and a removal must be able to come in meanwhile. So at the start the container may be gone (404), or
 * somebody may have started it already, which is what was asked for. A --rm container that is restarted has not come to
 * its end: `restarts` tells its monitor so. Killed between the two, it is a stopped container, and a --rm one is
 * removed; the request was never answered. */
#include "engine/model.h"
#include "base/mem.h"
#include "base/fault.h"
#include "base/trace.h"

static void count(struct engine *en, struct container *c, int by)
{
    locked(&en->lock, c->restarts += (unsigned)by);
}

static bool alive(struct engine *en, struct container *c)
{
    pthread_mutex_lock(&c->op); /* a start in progress is waited for */
    bool yes = locked(&en->lock, state_up(c->state));
    pthread_mutex_unlock(&c->op);
    return yes;
}

static int restart(struct engine *en, struct container *c, int signal, int timeout_s, struct err *e)
{
    struct span s = trace_begin(3, "stop the container");
    bool ran = alive(en, c);
    if (ran && container_stop(en, c, signal, timeout_s, e) < 0)
        return -1;
    trace_end(&s, ran ? "it ended" : "it did not run");
    FAULT("restart.stopped");
    if (container_start(en, c, e) < 0 && e->kind != ERR_UNMODIFIED)
        return -1;
    event_container(en, c, "restart", NULL);
    return 0;
}

int engine_restart(struct engine *en, const char *name, int signal, int timeout_s, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return -1;
    count(en, c, 1);
    int r = restart(en, c, signal, timeout_s, e);
    count(en, c, -1);
    container_auto_remove(en, c); /* where it has --rm and does not run now, its end is the end after all */
    return r;
}
