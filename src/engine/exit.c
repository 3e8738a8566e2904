/* The end of a run: everything between the process's death and the answer to `wait`.
 *
 * container_ended() is called once per run, by the container's monitor thread (or by recovery, for a run that ended
 * while no daemon lived). It takes down what start put up, notes the exit in the record, and only then lets the state
 * become "exited": whoever waits for that may at once start or remove the container again.
 *
 * Every step can be repeated: killed anywhere in here, recovery finds the exit record and does it all once more. */
#include "engine/share.h"
#include "engine/health.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* `runtime delete --force`: cgroups, the runtime's own state, whatever still lives. It works while the daemon unmounts.
 * @return its pid; 0 where there is nothing to delete */
static pid_t begin_delete(struct engine *en, struct container *c)
{
    autofree char *state = str_printf("%s/runtime/%s", en->opt.exec_root, c->id);
    autostrv argv = {NULL, 0};
    struct err e = {0};
    struct stat st;
    if (stat(state, &st) < 0)
        return 0; /* never created, or already deleted */
    int r = runtime_argv(en, c, &argv, &e);
    strv_add(&argv, "delete");
    strv_add(&argv, "--force");
    strv_add(&argv, c->id);
    struct spawn sp = {.path = argv.v[0], .argv = argv.v, .in = -1, .out = -1, .error = -1};
    pid_t pid = r < 0 ? -1 : spawn_start(&sp, &e);
    if (pid < 0)
        log_warn("container %.12s: %s", c->id, e.msg);
    return pid;
}

static void finish_delete(struct container *c, pid_t pid)
{
    struct err e = {0};
    if (pid <= 0)
        return;
    struct span s = trace_begin(3, "runtime delete");
    int code = spawn_wait(pid, &e);
    trace_end(&s, "cgroups and state removed, code %d", code);
    if (code != 0)
        log_warn("container %.12s: the runtime could not delete it (code %d) %s", c->id, code, e.msg);
}

void container_teardown(struct engine *en, struct container *c)
{
    struct err e;
    autofree char *run = container_run_path(en, c, NULL);
    pid_t deleting = begin_delete(en, c);
    if (rootfs_end_run(en, c, &e) < 0)
        log_warn("container %.12s: %s", c->id, e.msg);
    FAULT("exit.unmounted");
    finish_delete(c, deleting);
    execs_settle(en, c);
    FAULT("exit.runtime-deleted");
    share_release(en, c);
    if (tree_remove(AT_FDCWD, run, &e) < 0)
        log_warn("container %.12s: %s", c->id, e.msg);
    FAULT("exit.run-folder-removed");
}

/* The record first, while nobody can start or remove the container yet, then the news, and last the state: from that
 * instant on it may be started again by whoever was waiting. With --rm the next step is to remove it, so nothing is
 * written: should the daemon end before that, recovery finds the shim's exit record and comes here again. */
static void publish_exit(struct engine *en, struct container *c, int code, bool tell_oom)
{
    struct err e;
    autofree char *record = container_path(en, c, "exit.json"), *text = str_printf("%d", code);
    if (!container_ephemeral(c)) {
        if (container_save_as(en, c, STATE_EXITED, true, &e) < 0)
            log_error("%s", e.msg);
        else
            unlink(record);
    }
    FAULT("exit.noted");
    if (tell_oom)
        event_container(en, c, "oom", NULL);
    event_container(en, c, "die", json_pack("{s:s}", "exitCode", text));
    pthread_mutex_lock(&en->lock);
    if (!state_alive(c->state)) /* recovery: the daemon died before it could note the start */
        container_step(c, ON_START);
    enum trigger end = policy_decide(en, c) ? ON_EXIT_AGAIN : ON_EXIT;
    container_step(c, end);
    c->ending = c->ended = false;
    waiters_wake(c, end);
    pthread_mutex_unlock(&en->lock);
}

void container_ended(struct engine *en, struct container *c, int code, int64_t at, bool oom, const char *error)
{
    struct span s = trace_begin(3, "clean up after the process");
    shim_close(&c->link);
    pthread_mutex_lock(&en->lock);
    c->ending = true;
    health_end(en, c);
    pthread_mutex_unlock(&en->lock);
    container_teardown(en, c);
    pthread_mutex_lock(&en->lock);
    bool news = oom && !c->oom_killed; /* a daemon that was not there when it happened */
    c->exit_code = code;
    c->finished = at;
    c->ended = true;
    c->oom_killed = c->oom_killed || oom;
    c->pid = 0;
    free(c->error);
    c->error = json_valid_text(error ? error : c->failure);
    pthread_mutex_unlock(&en->lock);
    publish_exit(en, c, code, news);
    trace_end(&s, "exit code %d; unmounted, cgroups and run folder removed", code);
}

/* Whoever removes it by hand at the same moment holds `op` and was first: then there is nothing left to do. */
void container_auto_remove(struct engine *en, struct container *c)
{
    struct err e;
    if (!container_ephemeral(c))
        return;
    pthread_mutex_lock(&c->op);
    bool still = locked(&en->lock, c->in_table && !state_up(c->state) && c->restarts == 0);
    if (still && container_destroy(en, c, &e) < 0)
        log_error("container %.12s: --rm: %s", c->id, e.msg);
    pthread_mutex_unlock(&c->op);
}

/* Field 22 of /proc/PID/stat. The name in field 2 may hold blanks and parentheses: count from the last ')'. */
uint64_t process_start_time(int pid)
{
    struct err ignored;
    autofree char *path = str_printf("/proc/%d/stat", pid), *text = file_read(AT_FDCWD, path, 4096, NULL, &ignored);
    const char *p = text ? strrchr(text, ')') : NULL;
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p + 1, NULL, 10) : 0;
}

int process_signal(int pid, uint64_t starttime, int signal, const char *what, struct err *e)
{
    if (pid <= 0)
        return err_set(e, ERR_CONFLICT, "%s is not running", what);
    /* A pid may be given to another process once ours is reaped. The pidfd pins whatever has the number now; only
     * then is it asked whether that is the process we started. */
    autoclose int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 || process_start_time(pid) != starttime)
        return err_set(e, ERR_CONFLICT, "%s is not running", what);
    struct span span = trace_begin(3, "send a signal");
    int r = (int)syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);
    trace_end(&span, "pidfd_send_signal(%d) to pid %d", signal, pid);
    if (r < 0)
        return errno == ESRCH ? err_set(e, ERR_CONFLICT, "%s is not running", what)
                              : err_sys(e, "send signal %d to %s", signal, what);
    return 0;
}

int container_signal(struct engine *en, struct container *c, int signal, struct err *e)
{
    pthread_mutex_lock(&en->lock);
    int pid = c->pid;
    uint64_t starttime = c->starttime;
    pthread_mutex_unlock(&en->lock);
    return process_signal(pid, starttime, signal, c->link.what, e);
}
