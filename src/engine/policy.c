/* Restart policies: who comes back after its end, and when.
 *
 *     no                never
 *     on-failure[:N]    after an exit code other than 0, at most N times
 *     always            after every end, but not after a stop by hand, until the daemon itself is started anew
 *     unless-stopped    likewise, and then neither
 *
 * The thread that followed the container to its end does the rest (exit.c decides, by asking here): it waits and starts
 * it again. The wait doubles with each run that was short, so that a program that fails at once does not keep the
 * machine busy. While it lasts the container is "restarting", which counts as running for everybody who asks; whoever
 * stops or removes it changes the state, and the waiting thread sees that and ends.
 *
 * A daemon that begins treats those that are not running as if they had just ended (engine_autostart): so they come
 * back after a reboot. A start that fails is not repeated: an image that is gone will not come back by itself.
 *
 * Read next: exit.c, start.c, machine.c. */
#include "engine/model.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/doing.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <time.h>

#define DELAY_FIRST (NS_PER_S / 10)
#define DELAY_MAX   (60 * NS_PER_S)
#define RUN_SOUND   (10 * NS_PER_S) /* a run that lasted as long was no failure to start: the wait begins anew */

static bool wanted(const struct container *c, bool at_boot)
{
    const char *name = json_str(c->host, "RestartPolicy.Name", "no");
    int64_t most = json_int(c->host, "RestartPolicy.MaximumRetryCount", 0);
    if (str_eq(name, "always"))
        return at_boot || !c->stopped_by_hand;
    if (c->stopped_by_hand && !(at_boot && str_eq(name, "on-failure")))
        return false;
    if (str_eq(name, "unless-stopped"))
        return true;
    return str_eq(name, "on-failure") && c->exit_code != 0 && (most == 0 || c->restart_count < most);
}

bool policy_decide(struct engine *en, struct container *c)
{
    if (en->recovering || en->stopping || c->removing || c->failure || c->restarts > 0 || !wanted(c, false))
        return false;
    bool sound = c->finished - c->started >= RUN_SOUND;
    c->restart_delay = sound || c->restart_delay == 0     ? DELAY_FIRST
                       : c->restart_delay > DELAY_MAX / 2 ? DELAY_MAX
                                                          : 2 * c->restart_delay;
    c->restart_count++;
    return true;
}

/* RESTARTING → EXITED. Call with `op` held. @return false where it was not restarting */
static bool give_up(struct engine *en, struct container *c, bool by_hand)
{
    pthread_mutex_lock(&en->lock);
    bool was = c->state == STATE_RESTARTING;
    if (was) {
        container_step(c, ON_GIVE_UP);
        c->stopped_by_hand = c->stopped_by_hand || (by_hand && !en->stopping);
        waiters_wake(c, ON_GIVE_UP);
        pthread_cond_broadcast(&en->policy);
    }
    pthread_mutex_unlock(&en->lock);
    struct err e;
    if (was && container_save(en, c, true, &e) < 0)
        log_error("%s", e.msg);
    return was;
}

bool policy_cancel(struct engine *en, struct container *c)
{
    bool was = locked(&c->op, give_up(en, c, true));
    return was;
}

/* @return true where it is still to be started */
static bool wait_out(struct engine *en, struct container *c)
{
    pthread_mutex_lock(&en->lock);
    int64_t until = clock_mono() + c->restart_delay;
    const struct timespec at = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
    while (c->state == STATE_RESTARTING && !en->stopping && clock_mono() < until)
        pthread_cond_timedwait(&en->policy, &en->lock, &at);
    bool go = c->state == STATE_RESTARTING && !en->stopping;
    pthread_mutex_unlock(&en->lock);
    return go;
}

void policy_follow(struct engine *en, struct container *c)
{
    struct err e;
    if (!wait_out(en, c))
        return;
    FAULT("policy.waited");
    pthread_mutex_lock(&c->op);
    if (str_eq(json_str(c->host, "RestartPolicy.Name", "no"), "no")) /* `update` has changed it meanwhile */
        give_up(en, c, false);
    else if (container_start_again(en, c, &e) < 0 && give_up(en, c, false))
        log_error("container %.12s: it cannot be restarted: %s", c->id, e.msg);
    pthread_mutex_unlock(&c->op);
}

/* ---- when the daemon begins ---- */

static void *autostart(void *arg)
{
    struct engine *en = arg;
    autodoing d = {0};
    doing_begin(&d, "starts what restart policies want");
    autofree struct container **all = container_all(en);
    size_t n = 0;
    while (all[n])
        n++;
    while (n-- > 0) { /* the oldest first: a later one may join its namespaces */
        struct container *c = all[n];
        struct err e;
        bool start = locked(&en->lock, c->state == STATE_EXITED && c->started != 0 && !en->stopping && wanted(c, true));
        if (start && container_start(en, c, &e) < 0 && e.kind != ERR_UNMODIFIED)
            log_error("container %.12s: its restart policy %s, but: %s", c->id,
                      json_str(c->host, "RestartPolicy.Name", ""), e.msg);
        container_put(en, c);
    }
    return NULL;
}

void engine_autostart(struct engine *en)
{
    struct err e;
    if (thread_start(autostart, en, &e) < 0)
        log_error("restart policies: %s", e.msg);
}
