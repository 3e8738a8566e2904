/* pause and unpause: the kernel's freezer, through the runtime.
 *
 * A frozen process is never scheduled: it holds its memory and its files, and sees nothing of the time that passes.
 * Whether a container is paused is written nowhere but in the kernel: a daemon that is killed between the freezing and
 * its own noting of it finds the truth in the control group when it adopts the container (recover.c), and a reboot ends
 * pause and container together. `op` is held throughout, so of two pauses the second finds it paused.
 *
 * The process can end at any moment nonetheless (the kernel kills a frozen one on version 2, and the freezing may come
 * too late): then the step of the machine is refused, and the answer is that it does not run. */
#include "engine/model.h"
#include "base/mem.h"
#include "base/fault.h"
#include "base/trace.h"

static int not_running(const struct container *c, struct err *e)
{
    return err_set(e, ERR_CONFLICT, "Container %.12s is not running", c->id);
}

static int step(struct engine *en, struct container *c, enum trigger on, const char *event, struct err *e)
{
    int r = locked(&en->lock, container_step(c, on));
    if (r < 0)
        return not_running(c, e);
    event_container(en, c, event, NULL);
    return 0;
}

static enum state state_now(struct engine *en, struct container *c)
{
    enum state s = locked(&en->lock, c->ending ? STATE_EXITED : c->state);
    return s;
}

int container_thaw(struct engine *en, struct container *c, struct err *e)
{
    if (state_now(en, c) != STATE_PAUSED)
        return 0;
    struct span s = trace_begin(3, "thaw the container's processes");
    if (runtime_call(en, c, "resume", NULL, NULL, NULL, e) < 0)
        return -1;
    FAULT("unpause.thawed");
    trace_end(&s, cgroup_is_v2() ? "0 into cgroup.freeze" : "THAWED into freezer.state");
    return step(en, c, ON_UNPAUSE, "unpause", e);
}

static int pause_locked(struct engine *en, struct container *c, struct err *e)
{
    enum state now = state_now(en, c);
    if (now == STATE_PAUSED)
        return err_set(e, ERR_CONFLICT, "Container %.12s is already paused", c->id);
    if (now != STATE_RUNNING)
        return not_running(c, e);
    struct span s = trace_begin(3, "freeze the container's processes");
    if (runtime_call(en, c, "pause", NULL, NULL, NULL, e) < 0)
        return state_now(en, c) == STATE_RUNNING ? -1 : not_running(c, e);
    FAULT("pause.frozen");
    trace_end(&s, cgroup_is_v2() ? "1 into cgroup.freeze" : "FROZEN into freezer.state");
    return step(en, c, ON_PAUSE, "pause", e);
}

static int unpause_locked(struct engine *en, struct container *c, struct err *e)
{
    if (state_now(en, c) != STATE_PAUSED)
        return err_set(e, ERR_CONFLICT, "Container %.12s is not paused", c->id);
    return container_thaw(en, c, e);
}

static int with_op(struct engine *en, const char *name, int (*work)(struct engine *, struct container *, struct err *),
                   struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    return c ? locked(&c->op, work(en, c, e)) : -1;
}

int engine_pause(struct engine *en, const char *name, struct err *e)
{
    return with_op(en, name, pause_locked, e);
}

int engine_unpause(struct engine *en, const char *name, struct err *e)
{
    return with_op(en, name, unpause_locked, e);
}
