/* An exec's run: from the claim to the exit code, in numbered steps.
 *
 *   1. write the process and the shim's task into <exec-root>/containers/<id>/exec/<exec id>
 *   2. tell the client that the stream begins: the head of its answer, before any byte of output
 *   3. hand its connection over: it is the first thing that the new shim finds in its socket
 *   4. start the shim, which calls `runtime exec`
 *   5. wait for it to say that the process runs, or why it does not
 *   6. follow the shim until it tells the exit code; then the folder goes
 *
 * The container's `op` is not held: execs of one container start side by side, and whoever stops the container need not
 * wait for them. If it ends meanwhile, the runtime finds nothing to enter, and execs_settle() sees to it that the
 * folder is gone before the container's is.
 *
 * From step 4 on the daemon may die: the shim goes on, and the next daemon finds it by its folder (execs_recover).
 *
 * Read next: src/shim/child.c for the other end. */
#include "engine/exec.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/doing.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/shimproto.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#define TASK_MAX (8u << 20) /* bytes of a shim.json that a new daemon reads: the shim takes as many */
#define NO_START 126        /* the exit code of what could not be started, unless it was not found */
#define NO_SHIM  137        /* and of what was ended because its shim died */

/* ---- step 1 ---- */

static int put(const char *dir, const char *name, const json_t *j, struct err *e)
{
    autofree char *path = str_printf("%s/%s", dir, name), *text = json_text(j);
    return file_replace_volatile(AT_FDCWD, path, text, strlen(text), 0600, e);
}

/* "config" is nothing to the shim: a new daemon learns from it what it has found. */
static int write_files(struct engine *en, struct exec *x, const char *dir, struct err *e)
{
    struct span s = trace_begin(3, "write the exec's process");
    autofree char *process_path = str_printf("%s/process.json", dir), *exit_path = str_printf("%s/exit.json", dir);
    json_auto_t *process = exec_process(en, x->c, x->config, x->size, e);
    if (!process || dir_make_all(dir, 0700, e) < 0 || put(dir, "process.json", process, e) < 0)
        return -1;
    bool in = json_is(x->config, "AttachStdin");
    json_auto_t *task = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:O}", "id", x->c->id, "process", process_path,
                                  "exit", exit_path, "ephemeral", 1, "tty", json_is(x->config, "Tty"), "stdin", in,
                                  "stdin_once", in, "config", x->config);
    if (runtime_task(en, x->c, task, e) < 0)
        return -1;
    if (json_integer_value(json_array_get(x->size, 0)) > 0)
        json_object_set(task, "console_size", x->size);
    if (put(dir, "shim.json", task, e) < 0)
        return -1;
    trace_end(&s, "process.json for the OCI runtime, shim.json for the shim");
    FAULT("exec.files-written");
    return 0;
}

/* ---- steps 2 to 5 ---- */

static int hand_over(struct exec *x, struct attach_client *client, struct err *e)
{
    json_auto_t *request = json_pack("{s:s, s:b, s:b, s:b, s:I}", "op", "attach", "stdin",
                                     json_is(x->config, "AttachStdin"), "stdout", json_is(x->config, "AttachStdout"),
                                     "stderr", json_is(x->config, "AttachStderr"), "rest", (json_int_t)client->nrest);
    const char *keys = json_str(x->config, "DetachKeys", "");
    if (*keys)
        json_object_set_new(request, "detach_keys", json_string(keys));
    if (fd_write_all(client->fd, client->head, strlen(client->head)) < 0)
        return err_sys(e, "write the head of the stream");
    if (shim_attach(&x->link, request, client, e) < 0) {
        client->fd = -1;
        return -1;
    }
    client->fd = -1;
    return 0;
}

static void note_running(struct engine *en, struct exec *x, const json_t *started)
{
    pthread_mutex_lock(&en->lock);
    x->state = EXEC_RUNNING;
    x->pid = (int)json_int(started, "pid", 0);
    x->starttime = (uint64_t)json_int(started, "starttime", 0);
    pthread_cond_broadcast(&en->exec_changed);
    pthread_mutex_unlock(&en->lock);
}

static int launch(struct engine *en, struct exec *x, struct attach_client *client, struct err *e)
{
    json_auto_t *started = NULL;
    autofree char *dir = exec_dir(en, x);
    autoclose int end = -1;
    if (write_files(en, x, dir, e) < 0 || shim_open(&x->link, &end, e) < 0)
        return -1;
    exec_event(en, x, "exec_start", true, NULL);
    if (client && hand_over(x, client, e) < 0)
        return -1;
    FAULT("exec.handed-over");
    int r = shim_spawn(&x->link, dir, end, e);
    mem_closep(&end); /* or the end of the shim's would not be noticed */
    end = -1;
    FAULT("exec.shim-started");
    if (r < 0 || shim_expect(&x->link, "started", &started, e) < 0)
        return -1;
    note_running(en, x, started);
    FAULT("exec.started");
    return exec_follow(en, x, e);
}

static void give_up(struct engine *en, struct exec *x, struct err *e)
{
    struct err ignored;
    int code = failure_code(e->msg);
    if (x->pid > 0)
        process_signal(x->pid, x->starttime, SIGKILL, x->link.what, &ignored);
    exec_over(en, x, code == 128 ? NO_START : code, x->pid > 0);
    if (code != 128) /* the caller asked for what cannot be run: its mistake, not ours */
        e->kind = ERR_INVALID;
}

int engine_exec_run(struct engine *en, struct exec *x, struct attach_client *client, struct err *e)
{
    x->trace = mem_strdup(trace_path());
    pthread_mutex_lock(&x->news); /* who asks for its state waits until that is certain */
    int r = launch(en, x, client, e);
    if (r < 0)
        give_up(en, x, e);
    pthread_mutex_unlock(&x->news);
    if (r < 0) {
        log_debug("exec %.12s in container %.12s: %s", x->id, x->c->id, e->msg);
        shim_drop(&x->link);
    }
    exec_put(en, x);
    return r;
}

/* ---- step 6 ---- */

void exec_over(struct engine *en, struct exec *x, int code, bool ran)
{
    struct err e;
    autofree char *dir = exec_dir(en, x), *text = str_printf("%d", code);
    FAULT("exec.ended");
    if (tree_remove(AT_FDCWD, dir, &e) < 0)
        log_warn("exec %.12s: %s", x->id, e.msg);
    if (ran)
        exec_event(en, x, "exec_die", false, json_pack("{s:s}", "exitCode", text));
    pthread_mutex_lock(&en->lock);
    x->state = EXEC_ENDED;
    x->code = code;
    x->pid = 0;
    x->finished = clock_mono();
    pthread_cond_broadcast(&en->exec_changed);
    pthread_mutex_unlock(&en->lock);
}

static json_t *read_record(const char *dir, const char *name, size_t most)
{
    struct err ignored; /* what is not there or makes no sense is no record */
    autofree char *path = str_printf("%s/%s", dir, name);
    return json_read_file(AT_FDCWD, path, most, &ignored);
}

/* The shim is gone without a last word: it was killed, and with it the process's standard streams. */
static void on_silence(struct engine *en, struct exec *x)
{
    struct err ignored;
    autofree char *dir = exec_dir(en, x);
    json_auto_t *record = read_record(dir, "exit.json", 4096);
    if (!record) {
        log_warn("exec %.12s in container %.12s: its shim died; the process is ended", x->id, x->c->id);
        process_signal(x->pid, x->starttime, SIGKILL, x->link.what, &ignored);
    }
    exec_over(en, x, (int)json_int(record, "code", NO_SHIM), true);
}

static void on_event(struct engine *en, struct exec *x, const json_t *msg)
{
    const char *ev = json_str(msg, "ev", "");
    if (str_eq(ev, "exit")) {
        exec_over(en, x, (int)json_int(msg, "code", 255), true);
    } else if (str_eq(ev, "failed")) {
        int code = failure_code(json_str(msg, "error.message", ""));
        exec_over(en, x, code == 128 ? NO_START : code, false);
    } else if (str_eq(ev, "started")) {
        note_running(en, x, msg);
    } else if (str_eq(ev, "detach") && json_is(msg, "keys")) {
        exec_event(en, x, "exec_detach", false, NULL);
    }
}

/* Messages are read by whoever holds `news`, the thread that follows the shim or one that was asked for the exit code;
 * both look first whether there are any, so neither can take one away from under the other. */
bool exec_news(struct engine *en, struct exec *x)
{
    pthread_mutex_lock(&x->news);
    for (;;) {
        bool alive = locked(&en->lock, x->state == EXEC_RUNNING || x->state == EXEC_STARTING);
        /* Of one that is over, the thread that follows it may be closing the socket at this moment. */
        struct pollfd p = {.fd = alive ? x->link.fd : -1, .events = POLLIN};
        if (p.fd < 0 || poll(&p, 1, 0) <= 0) {
            pthread_mutex_unlock(&x->news);
            return alive;
        }
        struct err e = {0};
        json_auto_t *msg = shimproto_recv(x->link.fd, NULL, &e);
        if (msg)
            on_event(en, x, msg);
        else
            on_silence(en, x);
    }
}

struct follower {
    struct engine *en;
    struct exec *x;
};

static void *follow_main(void *arg)
{
    struct follower *f = arg;
    struct exec *x = f->x;
    autodoing d = {0};
    doing_begin(&d, "follows exec %.12s to its end", x->id);
    trace_to_file(x->trace);
    struct pollfd p = {.fd = x->link.fd, .events = POLLIN};
    do
        while (poll(&p, 1, -1) < 0 && errno == EINTR)
            ;
    while (exec_news(f->en, x));
    trace_to_file(NULL);
    shim_drop(&x->link); /* it lives on until its clients have hung up */
    exec_put(f->en, x);
    malloc_trim(0);
    free(f);
    return NULL;
}

int exec_follow(struct engine *en, struct exec *x, struct err *e)
{
    struct follower *f = mem_alloc(sizeof(*f));
    *f = (struct follower){en, x};
    locked(&en->lock, x->refs++);
    if (thread_start(follow_main, f, e) == 0)
        return 0;
    free(f);
    pthread_mutex_lock(&en->lock);
    x->refs--; /* the caller has another */
    pthread_mutex_unlock(&en->lock);
    return err_wrap(e, "follow exec %.12s", x->id);
}

/* ---- a new daemon ---- */

/* Running: followed from here on. Ended: its exit code is kept, for whoever watched its stream end. Neither: its start
 * was cut short, and it is forgotten. */
static void recover_one(struct engine *en, struct container *c, const char *id, const char *dir)
{
    struct err e;
    json_auto_t *task = read_record(dir, "shim.json", TASK_MAX);
    json_t *config = json_object_get(task, "config");
    if (!config) { /* then there is no shim either */
        if (tree_remove(AT_FDCWD, dir, &e) < 0)
            log_error("%s", e.msg);
        return;
    }
    struct exec *x = exec_insert(en, c, id, config, EXEC_STARTING);
    json_auto_t *hello = shim_adopt(&x->link, dir);
    const char *phase = json_str(hello, "phase", "");
    if (str_eq(phase, "running") || str_eq(phase, "creating")) {
        x->pid = (int)json_int(hello, "pid", 0);
        x->starttime = (uint64_t)json_int(hello, "starttime", 0);
        if (str_eq(phase, "running"))
            x->state = EXEC_RUNNING;
        log_info("exec %.12s in container %.12s runs on, pid %d", id, c->id, x->pid);
        if (exec_follow(en, x, &e) < 0)
            log_error("%s", e.msg);
    } else {
        json_auto_t *record = read_record(dir, "exit.json", 4096);
        pthread_mutex_lock(&x->news);
        exec_over(en, x, (int)json_int(record, "code", NO_START), record != NULL);
        pthread_mutex_unlock(&x->news);
        shim_drop(&x->link);
    }
    exec_put(en, x);
}

void execs_recover(struct engine *en, struct container *c)
{
    struct err e;
    autofree char *all = container_run_path(en, c, "exec");
    autostrv names = {NULL, 0};
    if (access(all, F_OK) == 0 && dir_names(AT_FDCWD, all, &names, &e) < 0)
        log_error("%s", e.msg);
    for (size_t i = 0; i < names.n; i++) {
        autofree char *dir = str_printf("%s/%s", all, names.v[i]);
        if (str_is_hex(names.v[i], ID_LENGTH))
            recover_one(en, c, names.v[i], dir);
        else if (tree_remove(AT_FDCWD, dir, &e) < 0)
            log_error("%s", e.msg);
    }
}
