/* attach: a client's connection is handed over, and the daemon is out of the way.
 *
 * While the container runs, the connection goes straight to its shim, so the bytes flow between client and shim and a
 * restart of the daemon does not touch them. A client may also attach before there is a process: `run` always does, so
 * as not to miss a byte. Such a connection is parked, with the bytes that came with it, until the next start. */
#include "engine/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <poll.h>
#include <stdlib.h>

#define PARKED_MAX 64

int engine_attach_check(struct engine *en, const char *name, bool *ret_tty, bool *ret_alive, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return -1;
    *ret_tty = json_is(c->config, "Tty");
    pthread_mutex_lock(&en->lock);
    bool going = c->removing, paused = c->state == STATE_PAUSED, again = c->state == STATE_RESTARTING;
    *ret_alive = state_alive(c->state);
    pthread_mutex_unlock(&en->lock);
    if (going)
        return err_set(e, ERR_CONFLICT, "container %.12s is marked for removal and cannot be attached to", c->id);
    if (paused)
        return err_set(e, ERR_CONFLICT, "container %.12s is paused, unpause the container before attach", c->id);
    if (again)
        return err_set(e, ERR_CONFLICT, "Container %s is restarting, wait until the container is running", c->id);
    return 0;
}

static void parked_free(struct parked *p)
{
    fd_close(p->client.fd);
    json_decref(p->request);
    free(p->rest);
    free(p);
}

static struct parked *take_parked(struct engine *en, struct container *c)
{
    pthread_mutex_lock(&en->lock);
    struct parked *all = c->parked;
    c->parked = NULL;
    pthread_mutex_unlock(&en->lock);
    return all;
}

void parked_drop(struct engine *en, struct container *c)
{
    for (struct parked *next, *p = take_parked(en, c); p; p = next) {
        next = p->next;
        parked_free(p);
    }
}

int parked_hand_over(struct engine *en, struct container *c, struct err *e)
{
    int r = 0;
    for (struct parked *next, *p = take_parked(en, c); p; p = next) {
        next = p->next;
        if (r == 0) {
            r = shim_attach(&c->link, p->request, &p->client, e);
            p->client.fd = -1;
        }
        parked_free(p);
    }
    return r;
}

/* Forget parked clients that have gone away. POLLHUP needs both directions closed, so a client that has merely
 * half-closed (as the stock one does at once when it has no stdin to send) stays. Call with the lock held. @return how
 * many are left */
static size_t sweep(struct container *c)
{
    size_t n = 0;
    for (struct parked **at = &c->parked; *at;) {
        struct parked *p = *at;
        struct pollfd f = {.fd = p->client.fd};
        if (poll(&f, 1, 0) > 0 && (f.revents & (POLLHUP | POLLERR))) {
            *at = p->next;
            parked_free(p);
            continue;
        }
        n++;
        at = &p->next;
    }
    return n;
}

static int park(struct container *c, json_t *request, const struct attach_client *client, struct err *e)
{
    if (sweep(c) >= PARKED_MAX) {
        fd_close(client->fd);
        return err_set(e, ERR_UNAVAILABLE, "container %.12s has %d clients waiting for it already", c->id, PARKED_MAX);
    }
    struct parked *p = mem_alloc(sizeof(*p)), **at = &c->parked;
    p->client = *client;
    p->client.rest = p->rest = client->nrest ? mem_strndup(client->rest, client->nrest) : NULL;
    p->request = json_incref(request);
    while (*at)
        at = &(*at)->next;
    *at = p;
    return 0;
}

/* The head goes out first, as a segment of its own: some clients read it through a buffer and the stream past it. `op`
 * is held, so that no start, and so no output, can come between the head and the attachment: a client that has read it
 * sends start at once, and its container may live for a millisecond.
 *
 * Between "does it run?" and "pass it on" the process may end; then the shim is gone and the connection is closed,
 * which is what the client of an ended container sees anyway. */
static int attach_locked(struct engine *en, struct container *c, json_t *request, const struct attach_client *client,
                         struct err *e)
{
    bool gone = locked(&en->lock, !c->in_table || c->removing);
    if (gone) { /* removed while this client waited for its turn */
        fd_close(client->fd);
        return err_set(e, ERR_CONFLICT, "container %.12s is being removed", c->id);
    }
    if (fd_write_all(client->fd, client->head, strlen(client->head)) < 0) {
        err_sys(e, "write the head of the stream");
        fd_close(client->fd);
        return -1;
    }
    pthread_mutex_lock(&en->lock);
    bool running = state_alive(c->state);
    int r = running ? 0 : park(c, request, client, e);
    pthread_mutex_unlock(&en->lock);
    return running ? shim_attach(&c->link, request, client, e) : r;
}

int engine_attach(struct engine *en, const char *name, const struct attach_options *opt,
                  const struct attach_client *client, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c) {
        fd_close(client->fd);
        return -1;
    }
    bool in = opt->in && json_is(c->config, "OpenStdin");
    json_auto_t *request = json_pack("{s:s, s:b, s:b, s:b, s:b, s:I}", "op", "attach", "stdin", in, "stdout", opt->out,
                                     "stderr", opt->err, "logs", opt->logs, "rest", (json_int_t)client->nrest);
    if (!str_empty(opt->detach_keys))
        json_object_set_new(request, "detach_keys", json_string(opt->detach_keys));
    event_container(en, c, "attach", NULL);
    return locked(&c->op, attach_locked(en, c, request, client, e));
}
