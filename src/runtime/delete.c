/* `delete`: remove what is left of a container. Its processes are gone (or, with --force, are made to go), then its
 * control groups, then its folder, last of all the poststop hooks run.
 *
 * Every part may be missing already: a delete that was interrupted is simply done again. */
#include "runtime/create.h"
#include "runtime/args.h"
#include "runtime/hooks.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/trace.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KILL_WAIT_MS 10000

/* The first process by pidfd: if it leads a pid namespace, the kernel kills all others with it. A container that shares
 * one, the host's or another container's, has no such leader, and is ended through its control group. Frozen, nobody
 * dies: thaw first. */
int container_kill(struct state *s, struct err *e)
{
    autoclose int fd = state_pidfd(s, NULL);
    if (fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0)
        return err_sys(e, "kill container %s", s->id);
    if (s->cgroup.claimed && cgroup_frozen(&s->cgroup) && cgroup_freeze(&s->cgroup, false, e) < 0)
        return -1;
    if (!s->leads || s->pid == 0)
        cgroup_signal(&s->cgroup, SIGKILL, NULL);
    struct pollfd p = {fd, POLLIN, 0};
    if (fd >= 0 && poll(&p, 1, KILL_WAIT_MS) == 0)
        return err_set(e, ERR_TIMEOUT, "container %s did not die within %d s", s->id, KILL_WAIT_MS / 1000);
    return 0;
}

int container_remove(const struct runtime *rt, struct state *s, struct err *e)
{
    struct err hook;
    struct span span = trace_begin(3, "remove the control groups");
    if (!s->leads)
        cgroup_signal(&s->cgroup, SIGKILL, NULL);
    if (cgroup_remove(&s->cgroup, e) < 0)
        return -1;
    trace_end(&span, "rmdir x %zu", s->cgroup.n);
    if (state_remove(s, rt, e) < 0)
        return -1;
    const json_t *hooks = json_object_get(s->doc, "hooks");
    if (hooks_any(hooks, "poststop")) {
        json_auto_t *oci = state_oci(s, STATUS_STOPPED);
        if (hooks_run(hooks, "poststop", oci, &hook) < 0)
            runtime_warn(rt, "%s", hook.msg);
    }
    return 0;
}

static int delete_one(const struct runtime *rt, const char *id, bool force, struct err *e)
{
    struct state s;
    if (force) { /* before taking turns: a hanging `start` holds the lock until the container is dead */
        if (state_open(&s, rt, id, false, e) < 0)
            return e->kind == ERR_NOT_FOUND ? 0 : -1;
        int r = container_kill(&s, e);
        state_release(&s);
        if (r < 0)
            return -1;
    }
    if (state_open(&s, rt, id, true, e) < 0)
        return force && e->kind == ERR_NOT_FOUND ? 0 : -1;
    enum status st = state_status(&s);
    int r = 0;
    if (st == STATUS_CREATED || force)
        r = container_kill(&s, e);
    else if (st != STATUS_STOPPED)
        r = err_set(e, ERR_CONFLICT, "cannot delete container %s that is not stopped: %s", id, status_name(st));
    if (r == 0)
        r = container_remove(rt, &s, e);
    state_release(&s);
    return r;
}

int verb_delete(struct runtime *rt, int argc, char **argv, struct err *e)
{
    bool force = false;
    const struct arg table[] = {{"force", 'f', ARG_FLAG, &force, NULL}, {0}};
    int first = args_parse(table, argc, argv, 1, 1, e);
    return first < 0 ? -1 : delete_one(rt, argv[first], force, e);
}
