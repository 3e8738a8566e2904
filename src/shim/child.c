/* The container's life, as its parent sees it: created, started, ended, recorded.
 *
 * child_advance() runs once a turn of the loop and takes every step that is due; the diagram stands in shim.h. Each
 * step looks at facts (the runtime's call is over, init has ended, the time is up) and not at events, so the order in
 * which the kernel reports them does not matter: a container that ends before `runtime start` has returned is started
 * first and ended next, all the same.
 *
 * The order at the end is what the daemon builds on:
 *
 *     1. init's status is collected, and the orphans that it left are killed
 *     2. the last output is read, and is in the log
 *     3. the exit record is on disk (file_replace)
 *     4. shim.sock is gone, so that a successor may take the name: `docker restart` need not wait for step 6
 *     5. the daemon is told
 *     6. the clients have got the rest, and the shim ends
 *
 * Whatever instant the machine or one of us dies at, the daemon finds a shim that answers, or a record that is true, or
 * after the death of the shim itself neither; then the exit status is lost for good, because only a parent gets it.
 *
 * Deleting the container from the runtime (its cgroup, its state) is the daemon's, which must be able to do it anyway
 * for a container whose shim was killed. Only what never started is undone here.
 *
 * Read next: runtime.c for the calls, control.c for the messages. */
#include "shim/shim.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROC_FILE_MAX 65536

static void signals_ready(struct shim *s, void *arg, short revents)
{
    /* The signal only wakes the loop. Signals of one kind merge (signal(7)), so what they mean is asked of waitpid. */
    char drop[512];
    (void)arg;
    (void)revents;
    while (read(s->signals, drop, sizeof(drop)) > 0)
        ;
}

void child_watch(struct shim *s, struct watch *w)
{
    watch_fd(w, s->signals, POLLIN, signals_ready, NULL);
    if (s->call.pid && !s->call.late)
        watch_until(w, s->call.began + RUNTIME_TIMEOUT);
    if (s->phase == PHASE_DRAINING || s->phase == PHASE_RECORDING || s->phase == PHASE_UNDOING)
        watch_until(w, s->deadline);
}

/* ---- collecting the dead ---- */

static int exit_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* While `runtime create` runs, init may be among the orphans that we do not know yet. Only the runtime is waited for
 * then; the others stay zombies until init.pid tells which of them is init. */
static void reap(struct shim *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(s->phase == PHASE_CREATING && s->call.pid ? s->call.pid : -1, &status, WNOHANG)) > 0) {
        if (pid == s->call.pid) {
            runtime_done(s, exit_code(status));
            if (s->phase == PHASE_CREATING)
                return;
        } else if (pid == s->init) {
            s->init_ended = true;
            s->code = exit_code(status);
            s->ended_at = clock_real();
        }
    }
}

/* Kill every child left, except a call of the runtime. With a pid namespace of its own a container's processes have
 * died with init; with the host's they become our children one by one, as their parents die. They are killed, as Docker
 * does: "the container has ended" is to be true. What an exec left in the background belongs to its container, which
 * runs on. @return true where some were left */
static bool kill_orphans(const struct shim *s)
{
    struct err e;
    autofree char *path = str_printf("/proc/self/task/%d/children", (int)getpid());
    autofree char *list = file_read(AT_FDCWD, path, PROC_FILE_MAX, NULL, &e);
    bool some = false;
    for (char *p = list, *next; p; p = next) {
        pid_t pid = (pid_t)strtol(p, &next, 10);
        if (next == p)
            break;
        if (pid != s->call.pid) {
            kill(pid, SIGKILL);
            some = true;
        }
    }
    return some;
}

/* ---- undoing what never ran ---- */

/* An exec's client has its answer's head already, so the reason can only come as output; that is what Docker does, line
 * end and all. */
static void tell_clients(struct shim *s)
{
    err_wrap(&s->why, "OCI runtime exec failed: exec failed");
    autofree char *line = str_printf("%s\r\n", s->why.msg);
    attach_output(s, JSONLOG_STDOUT, line, strlen(line));
}

/* The way back from every phase before RUNNING, for whatever reason: kill init, let the runtime clear away what it has
 * made (cgroup, state), see that nobody is left, and say why. It is asked for no success: a runtime that cannot delete
 * has its reasons in runtime.log, and the daemon deletes once more. */
static void undo(struct shim *s, const struct err *why)
{
    struct err e;
    s->why = *why;
    s->phase = PHASE_UNDOING;
    if (s->task.process)
        tell_clients(s);
    attach_end(s);
    s->deadline = clock_mono() + RUNTIME_TIMEOUT + DRAIN_TIMEOUT;
    if (s->init > 0 && !s->init_ended)
        kill(s->init, SIGKILL);
    /* Where not even this can be started, the daemon's own `delete` remains. */
    if (!s->task.process)
        runtime_delete(s, &e);
}

/* The last thing that anybody hears of this container from us. The name of the socket goes before the message: who has
 * read it may at once start a new shim in this folder. */
static void end(struct shim *s, json_t *event)
{
    control_unlisten(s);
    control_event(s, event);
    stdio_close(s);
    attach_end(s);
    s->phase = PHASE_ENDING;
}

static void after_undo(struct shim *s)
{
    if (s->call.pid && clock_mono() < s->deadline)
        return;
    if (kill_orphans(s) && clock_mono() < s->deadline) {
        int64_t soon = clock_mono() + DRAIN_TIMEOUT;
        s->deadline = soon < s->deadline ? soon : s->deadline;
        return; /* their SIGCHLD turns the loop */
    }
    end(s, json_pack("{s:s, s:o}", "ev", "failed", "error", err_to_json(&s->why)));
}

/* ---- created, started ---- */

/* Field 22 of /proc/PID/stat. The second field is the command's name in brackets and may itself hold brackets and
 * blanks, so counting begins behind the last ')' (proc(5)). */
static uint64_t start_time(pid_t pid)
{
    struct err e;
    uint64_t t = 0;
    autofree char *path = str_printf("/proc/%d/stat", (int)pid);
    autofree char *text = file_read(AT_FDCWD, path, PROC_FILE_MAX, NULL, &e);
    char *p = text ? strrchr(text, ')') : NULL;
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (p) {
        p[1 + strcspn(p + 1, " \n")] = '\0';
        str_to_u64(p + 1, &t);
    }
    return t;
}

static int learn_init(struct shim *s, struct err *e)
{
    uint64_t pid;
    siginfo_t info;
    autofree char *text = file_read(AT_FDCWD, "init.pid", 64, NULL, e);
    if (!text)
        return err_wrap(e, "read the pid of the container");
    text[strcspn(text, "\n")] = '\0';
    if (!str_to_u64(text, &pid) || pid < 2 || pid > INT32_MAX)
        return err_set(e, ERR_SYSTEM, "the runtime wrote \"%.20s\" as the pid of the container", text);
    /* A pid that is not our child could be anybody's, and its end would never be reported to us. */
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return err_sys(e, "process %d, which the runtime calls the container, is not ours", (int)pid);
    s->init = (pid_t)pid;
    s->starttime = start_time(s->init);
    return 0;
}

/* Has the call of the runtime ended, and well? One that failed is undone here. */
static bool call_done(struct shim *s)
{
    struct err e;
    if (s->call.pid)
        return false;
    if (s->call.code == 0)
        return true;
    runtime_why(s, &e);
    undo(s, &e);
    return false;
}

static void after_create(struct shim *s)
{
    struct err e;
    if (!call_done(s))
        return;
    if (learn_init(s, &e) < 0 || stdio_created(s, &e) < 0) {
        undo(s, &e);
        return;
    }
    if (s->task.process) {
        s->started_at = clock_real();
        s->phase = PHASE_RUNNING;
        FAULT("shim.exec-started");
        control_event(s, json_pack("{s:s, s:I, s:i, s:I}", "ev", "started", "at", (json_int_t)s->started_at, "pid",
                                   (int)s->init, "starttime", (json_int_t)s->starttime));
        return;
    }
    s->phase = PHASE_CREATED;
    oom_begin(s);
    FAULT("shim.created");
    control_event(
        s, json_pack("{s:s, s:i, s:I}", "ev", "created", "pid", (int)s->init, "starttime", (json_int_t)s->starttime));
}

/* Between create and start a container belongs to its daemon: nobody else knows that it was to be started. */
static void while_created(struct shim *s)
{
    struct err e;
    if (s->init_ended)
        err_set(&e, ERR_SYSTEM, "the container ended with status %d before it was started", s->code);
    else if (!control_connected(s))
        err_set(&e, ERR_SYSTEM, "the daemon went away before the container was started");
    else
        return;
    undo(s, &e);
}

int child_start(struct shim *s, struct err *e)
{
    if (s->phase != PHASE_CREATED)
        return err_set(e, ERR_CONFLICT, "container %.12s is not waiting to be started", s->task.id);
    FAULT("shim.start-asked");
    if (runtime_start(s, e) < 0)
        undo(s, e);
    else
        s->phase = PHASE_STARTING;
    return 0;
}

static void after_start(struct shim *s)
{
    if (!call_done(s))
        return;
    s->started_at = clock_real();
    s->phase = PHASE_RUNNING;
    FAULT("shim.started");
    control_event(s, json_pack("{s:s, s:I}", "ev", "started", "at", (json_int_t)s->started_at));
}

/* ---- the end ---- */

static void end_of_init(struct shim *s)
{
    if (!s->init_ended)
        return;
    s->phase = PHASE_DRAINING;
    s->deadline = clock_mono() + DRAIN_TIMEOUT;
    oom_look(s);
    char detail[64];
    snprintf(detail, sizeof(detail), "pid %d, exit status %d", (int)s->init, s->code);
    trace_span(3, "container exited", clock_mono(), clock_mono(), detail);
    FAULT("shim.init-ended");
}

/* A pipe has its end of file once all writers are gone, and with the orphans killed they are, unless the container
 * passed the descriptor to somebody outside. That one is given until the deadline and then cut off. */
static void after_drain(struct shim *s)
{
    bool orphans = !s->task.process && kill_orphans(s);
    if ((orphans || stdio_live(s)) && clock_mono() < s->deadline)
        return;
    stdio_drain(s);
    stdio_close(s);
    logger_finish(&s->log, clock_real());
    attach_end(s);
    s->phase = PHASE_RECORDING;
    s->deadline = 0;
    FAULT("shim.drained");
}

/* Times are of the real-time clock, in nanoseconds; the daemon turns them into the API's text. */
static int record(struct shim *s, struct err *e)
{
    struct span span = trace_begin(3, "write the exit record");
    json_auto_t *j = json_pack("{s:i, s:I, s:b, s:I}", "code", s->code, "at", (json_int_t)s->ended_at, "oom", s->oom,
                               "started", (json_int_t)s->started_at);
    autofree char *text = json_text(j);
    int r = s->task.ephemeral ? file_replace_volatile(AT_FDCWD, s->task.exit, text, strlen(text), 0600, e)
                              : file_replace(AT_FDCWD, s->task.exit, text, strlen(text), 0600, e);
    trace_end(&span, "%s, exit status %d", s->task.exit, s->code);
    return r;
}

/* A full disk may refuse the record. It is tried again each second; after some tries a daemon that is there is told
 * without it, and without a daemon the shim waits, because then it is the only one who knows. Not so for an exec: the
 * end of its container takes its folder away, and with it whoever would ask. */
static void finish(struct shim *s)
{
    struct err e;
    if (clock_mono() < s->deadline)
        return;
    bool recorded = record(s, &e) == 0, needed = !s->task.process;
    if (!recorded && needed && (++s->tries < RECORD_TRIES || !control_connected(s))) {
        s->deadline = clock_mono() + RECORD_RETRY;
        return;
    }
    FAULT("shim.exit-record-written");
    json_t *event =
        json_pack("{s:s, s:i, s:I, s:b}", "ev", "exit", "code", s->code, "at", (json_int_t)s->ended_at, "oom", s->oom);
    if (!recorded)
        json_object_set_new(event, "error", err_to_json(&e));
    end(s, event);
}

static void step(struct shim *s)
{
    switch (s->phase) {
    case PHASE_CREATING: after_create(s); break;
    case PHASE_CREATED: while_created(s); break;
    case PHASE_STARTING: after_start(s); break;
    case PHASE_RUNNING: end_of_init(s); break;
    case PHASE_DRAINING: after_drain(s); break;
    case PHASE_RECORDING: finish(s); break;
    case PHASE_UNDOING: after_undo(s); break;
    case PHASE_ENDING: break;
    }
}

/* A step may make the next one due at once (a container that was over before it was started), so steps are taken until
 * the phase stays as it is. */
void child_advance(struct shim *s)
{
    enum phase before;
    if (s->call.pid && !s->call.late && clock_mono() >= s->call.began + RUNTIME_TIMEOUT) {
        s->call.late = true;
        kill(s->call.pid, SIGKILL);
    }
    do {
        before = s->phase;
        reap(s);
        step(s);
    } while (s->phase != before);
}
