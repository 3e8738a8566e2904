/* stop and kill: signals to the container's first process, and the patience between them.
 *
 * Neither holds the container's `op` while it waits: the exit itself is the monitor thread's affair, and a second stop
 * or a removal must be able to come in meanwhile. A signal goes through a pidfd to the very process that was started
 * (container_signal), never to a bare number. */
#include "engine/model.h"
#include "base/clock.h"
#include "base/doing.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/signame.h"

#include <ctype.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>

#define STOP_DEFAULT_S 10
#define KILL_WAIT_MS   10000

/* A running container, found and referenced. `op` is taken for an instant, so that a start in progress is over. */
static struct container *get_running(struct engine *en, const char *name, enum err_kind otherwise, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return NULL;
    pthread_mutex_lock(&c->op);
    bool running = locked(&en->lock, state_up(c->state));
    pthread_mutex_unlock(&c->op);
    if (running)
        return take_ptr(&c);
    return err_null(err_set(e, otherwise, "Container %.12s is not running", c->id));
}

static void event_kill(struct engine *en, struct container *c, int signal)
{
    autofree char *text = str_printf("%d", signal);
    event_container(en, c, "kill", json_pack("{s:s}", "signal", text));
}

/* After its end the policy asks for this mark. @return false where it has asked already: policy_cancel() is due */
static bool mark_stopped_by_hand(struct engine *en, struct container *c)
{
    pthread_mutex_lock(&en->lock);
    bool in_time = c->state != STATE_RESTARTING;
    c->stopped_by_hand |= in_time && !en->stopping;
    pthread_mutex_unlock(&en->lock);
    return in_time;
}

/* @return true where there is no process that could get a signal, and will be none */
static bool stopped_between(struct engine *en, struct container *c, bool mark)
{
    do
        if (policy_cancel(en, c))
            return true;
    while (mark && !mark_stopped_by_hand(en, c));
    return false;
}

static int stop_signal(const struct container *c)
{
    int signal = signal_number(json_str(c->config, "StopSignal", "TERM"));
    return signal ? signal : SIGTERM;
}

/* A container that ends of these was stopped by hand. Others may be news to it: HUP to read its settings again. */
static bool asks_to_end(const struct container *c, int signal)
{
    return signal == SIGKILL || signal == SIGTERM || signal == SIGINT || signal == stop_signal(c);
}

/* A frozen process sees no signal: whoever asks a paused container to end gets it thawed, after the signal, so that the
 * signal is the first thing it sees. Where the thaw fails the waiting that follows tells. */
static void thaw(struct engine *en, struct container *c)
{
    struct err e;
    pthread_mutex_lock(&c->op);
    if (container_thaw(en, c, &e) < 0)
        log_warn("container %.12s: %s", c->id, e.msg);
    pthread_mutex_unlock(&c->op);
}

/* Signal, wait, and if that does not help, SIGKILL. A process that is gone before the signal arrives is no failure:
 * then its exit is on the way. */
static int stop_running(struct engine *en, struct container *c, int signal, int timeout_s, struct err *e)
{
    struct waiter *w = waiter_new(en, c, WAIT_DOWN, e);
    if (!w)
        return -1;
    struct err why = {0};
    int r = 0;
    if (container_signal(en, c, signal, &why) == 0)
        event_kill(en, c, signal);
    FAULT("stop.signalled");
    thaw(en, c);
    int64_t ms = (int64_t)timeout_s * 1000;
    if (!waiter_block(w, timeout_s < 0 ? -1 : ms > INT_MAX ? INT_MAX : (int)ms)) {
        if (container_signal(en, c, SIGKILL, &why) == 0)
            event_kill(en, c, SIGKILL);
        thaw(en, c);
        if (!waiter_block(w, KILL_WAIT_MS))
            r = err_set(e, ERR_SYSTEM, "container %.12s did not end within %d s of SIGKILL %s", c->id,
                        KILL_WAIT_MS / 1000, why.msg);
    }
    engine_wait_end(en, w);
    return r;
}

int container_stop(struct engine *en, struct container *c, int signal, int timeout_s, struct err *e)
{
    if (stopped_between(en, c, true)) {
        event_container(en, c, "stop", NULL);
        return 0;
    }
    if (signal == 0)
        signal = stop_signal(c);
    if (timeout_s == ENGINE_TIMEOUT_DEFAULT)
        timeout_s = (int)json_int(c->config, "StopTimeout", STOP_DEFAULT_S);
    int r = stop_running(en, c, signal, timeout_s, e);
    if (r == 0)
        event_container(en, c, "stop", NULL);
    return r;
}

int engine_stop(struct engine *en, const char *name, int signal, int timeout_s, struct err *e)
{
    autocontainer *c = get_running(en, name, ERR_UNMODIFIED, e);
    return c ? container_stop(en, c, signal, timeout_s, e) : -1;
}

int engine_kill(struct engine *en, const char *name, int signal, struct err *e)
{
    autocontainer *c = get_running(en, name, ERR_CONFLICT, e);
    if (!c)
        return -1;
    if (stopped_between(en, c, asks_to_end(c, signal)))
        return 0;
    struct waiter *w = signal == SIGKILL ? waiter_new(en, c, WAIT_DOWN, e) : NULL;
    if (signal == SIGKILL && !w)
        return -1;
    int r = container_signal(en, c, signal, e);
    if (r == 0)
        event_kill(en, c, signal);
    if (r == 0 && (signal == SIGKILL || signal == stop_signal(c)))
        thaw(en, c);
    if (r == 0 && w && !waiter_block(w, KILL_WAIT_MS))
        r = err_set(e, ERR_SYSTEM, "container %.12s did not end within %d s of SIGKILL", c->id, KILL_WAIT_MS / 1000);
    if (w)
        engine_wait_end(en, w);
    return r;
}

int engine_resize(struct engine *en, const char *name, int rows, int columns, struct err *e)
{
    autocontainer *c = get_running(en, name, ERR_CONFLICT, e);
    if (!c)
        return -1;
    bool alive = locked(&en->lock, state_alive(c->state)); /* else the shim may be in conversation with a start */
    int r = alive ? shim_resize(&c->link, rows, columns, e)
                  : err_set(e, ERR_CONFLICT, "Container %.12s is not running", c->id);
    if (r == 0) {
        autofree char *h = str_printf("%d", rows), *w = str_printf("%d", columns);
        event_container(en, c, "resize", json_pack("{s:s, s:s}", "height", h, "width", w));
    }
    return r;
}

/* ---- all at once, when the daemon stops ---- */

#define GRACE_S 5 /* beyond the longest patience, for SIGKILL to do its work */

struct stopper {
    struct engine *en;
    struct container *c;
};

static void *stopper_main(void *arg)
{
    struct stopper *s = arg;
    struct err e = {0};
    autodoing d = {0};
    doing_begin(&d, "stops container %.12s", s->c->id);
    if (engine_stop(s->en, s->c->id, 0, ENGINE_TIMEOUT_DEFAULT, &e) < 0 && e.kind != ERR_UNMODIFIED &&
        e.kind != ERR_NOT_FOUND)
        log_error("%s", e.msg);
    container_put(s->en, s->c);
    pthread_mutex_lock(&s->en->lock);
    s->en->stoppers--;
    pthread_cond_broadcast(&s->en->policy);
    pthread_mutex_unlock(&s->en->lock);
    free(s);
    return NULL;
}

/* Is there anything to stop, or about to be? A start that is under way holds `op`; it is waited for. */
static bool may_run(struct container *c)
{
    bool busy = pthread_mutex_trylock(&c->op) != 0;
    if (!busy)
        pthread_mutex_unlock(&c->op);
    return busy || state_alive(c->state);
}

/* @param patience_s in: what the daemon has; out: the longest that one of them needs, if that is more; -1 for no limit
 * @return NULL-terminated, with a reference each; the array is the caller's */
static struct container **whom_to_stop(struct engine *en, int64_t *patience_s)
{
    int64_t most = *patience_s;
    pthread_mutex_lock(&en->lock);
    en->stopping = true;
    pthread_cond_broadcast(&en->policy);
    struct container **v = mem_alloc((en->ncontainers + 1) * sizeof(*v));
    for (struct container *c = en->containers; c; c = c->next) {
        if (!may_run(c))
            continue;
        int64_t own = json_int(c->config, "StopTimeout", STOP_DEFAULT_S);
        most = most < 0 || own < 0 ? -1 : own + GRACE_S > most ? own + GRACE_S : most;
        c->refs++;
        v[en->stoppers++] = c;
    }
    pthread_mutex_unlock(&en->lock);
    *patience_s = most;
    return v;
}

void engine_stop_all(struct engine *en, int timeout_s)
{
    int64_t patience = timeout_s;
    autofree struct container **all = whom_to_stop(en, &patience);
    int64_t until = clock_mono() + (patience < 0 ? 365 * 86400LL : patience) * NS_PER_S;
    const struct timespec at = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
    for (size_t i = 0; all[i]; i++) {
        struct stopper *s = mem_alloc(sizeof(*s));
        struct err ignored; /* then one after the other */
        *s = (struct stopper){en, all[i]};
        if (thread_start(stopper_main, s, &ignored) < 0)
            stopper_main(s);
    }
    pthread_mutex_lock(&en->lock);
    while (en->stoppers > 0 && pthread_cond_timedwait(&en->policy, &en->lock, &at) == 0)
        ;
    unsigned late = en->stoppers;
    pthread_mutex_unlock(&en->lock);
    if (late > 0)
        log_error("%u containers could not be stopped in time: they are left to the next daemon", late);
}

void engine_hurry(struct engine *en)
{
    autofree struct container **all = container_all(en);
    for (size_t i = 0; all[i]; i++) {
        struct err ignored; /* it has ended by itself */
        if (container_signal(en, all[i], SIGKILL, &ignored) == 0)
            event_kill(en, all[i], SIGKILL);
        container_put(en, all[i]);
    }
}
