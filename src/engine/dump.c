/* Who holds which lock: for SIGUSR1, when something does not move and somebody wants to know why.
 *
 * The answer must come from a daemon that may be stuck, so nothing here waits for long. glibc notes in every locked
 * mutex the thread that has it (the field that gdb shows too); that is read as it stands. It may be out of date by the
 * time it is printed, which does not matter for a lock that is held for seconds. What that thread is about, and since
 * when, it has said itself (base/doing.h).
 *
 * Read next: model.h for the two locks and their order. */
#include "engine/model.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <unistd.h>

#define PATIENCE_NS (NS_PER_S / 5)
#define PAUSE_US    1000

static pid_t owner(const pthread_mutex_t *m)
{
    return m->__data.__owner;
}

void engine_dump_locks(struct engine *en)
{
    int64_t until = clock_mono() + PATIENCE_NS;
    autostrv lines = {NULL, 0};
    while (pthread_mutex_trylock(&en->lock) != 0) {
        if (clock_mono() > until) {
            log_warn("the engine's lock is held by thread %d, and has been for a while", (int)owner(&en->lock));
            return;
        }
        usleep(PAUSE_US);
    }
    for (struct container *c = en->containers; c; c = c->next)
        if (owner(&c->op) != 0)
            strv_addf(&lines, "container %.12s (%s), %s: thread %d has an operation on it under way", c->id, c->name,
                      state_name(c->state), (int)owner(&c->op));
    size_t all = en->ncontainers;
    pthread_mutex_unlock(&en->lock);
    for (size_t i = 0; i < lines.n; i++)
        log_info("%s", lines.v[i]);
    log_info("the engine's lock is free; %zu of %zu containers have an operation under way", lines.n, all);
}
