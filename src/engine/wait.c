/* Waiting for a container: POST /containers/{id}/wait, and every inner wait for an exit.
 *
 * A waiter is an eventfd on the container's list. Whoever changes the state marks, under the lock, those whose
 * condition now holds. An eventfd rather than a condition variable, because an API thread must wait for two things at
 * once, the container and its client's hanging up, and poll(2) takes both. */
#include "engine/model.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void finish(struct waiter *w)
{
    static const uint64_t one = 1;
    w->done = true;
    w->code = w->c->exit_code;
    /* The client of a failed start has the error already; the stock one would print it a second time. */
    w->error = w->c->start_failed ? NULL : mem_strdup(w->c->error);
    /* An eventfd that holds 0 takes 1 without blocking. */
    (void)!write(w->fd, &one, sizeof(one));
}

void waiters_wake(struct container *c, enum trigger what)
{
    for (struct waiter *w = c->waiters; w; w = w->next) {
        bool holds = what == ON_REMOVED || what == ON_REMOVE_FAILED ||
                     ((what == ON_EXIT || what == ON_GIVE_UP) && w->cond != WAIT_REMOVED) ||
                     (what == ON_EXIT_AGAIN && w->cond != WAIT_REMOVED && w->cond != WAIT_DOWN);
        if (holds && !w->done)
            finish(w);
    }
}

struct waiter *waiter_new(struct engine *en, struct container *c, enum wait_condition cond, struct err *e)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0)
        return err_null(err_sys(e, "make an eventfd to wait with"));
    struct waiter *w = mem_alloc(sizeof(*w));
    w->cond = cond;
    w->c = c;
    w->fd = fd;
    pthread_mutex_lock(&en->lock);
    c->refs++;
    w->next = c->waiters;
    c->waiters = w;
    if (((cond == WAIT_NOT_RUNNING || cond == WAIT_DOWN) && !state_up(c->state)) || !c->in_table)
        finish(w);
    pthread_mutex_unlock(&en->lock);
    return w;
}

struct waiter *engine_wait_begin(struct engine *en, const char *name, enum wait_condition cond, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    return c ? waiter_new(en, c, cond, e) : NULL;
}

int engine_wait_fd(const struct waiter *w)
{
    return w->fd;
}

int engine_wait_result(struct engine *en, struct waiter *w, const char **ret_error)
{
    pthread_mutex_lock(&en->lock);
    int code = w->code;
    *ret_error = w->error;
    pthread_mutex_unlock(&en->lock);
    return code;
}

bool waiter_block(struct waiter *w, int timeout_ms)
{
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    int r;
    do
        r = poll(&p, 1, timeout_ms);
    while (r < 0 && errno == EINTR);
    return r > 0;
}

void engine_wait_end(struct engine *en, struct waiter *w)
{
    struct container *c = w->c;
    pthread_mutex_lock(&en->lock);
    for (struct waiter **at = &c->waiters; *at; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            break;
        }
    }
    pthread_mutex_unlock(&en->lock);
    fd_close(w->fd);
    free(w->error);
    free(w);
    container_put(en, c);
}
