/* Execs: what is known of them, and all that can be done with one except running it.
 *
 * An exec is made in two steps, create and start, because the second one's connection becomes the process's standard
 * streams. Its process belongs to a shim of its own (src/shim), just as a container's first process does, so streams,
 * terminal and exit code survive the daemon here as well. In memory an exec lives on after its end, since clients ask
 * for the exit code when the stream is over.
 *
 * The memory is bounded: an end is remembered for EXEC_KEEP_S seconds, the newest EXECS_ENDED_MAX of them, and until
 * the container is removed; of those that were created and never started, the newest EXECS_WAITING_MAX are known.
 *
 * A new daemon takes over what its predecessor started; what was only created is forgotten.
 *
 * Read next: exec_run.c for the start and the end. */
#include "engine/exec.h"
#include "engine/spec.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/keys.h"
#include "base/mem.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#define EXECS_WAITING_MAX 1024
#define EXECS_ENDED_MAX   256
#define EXEC_KEEP_S       300
#define SETTLE_S          3 /* for the shims of a container that has ended to say so */

/* ---- in memory ---- */

struct exec *exec_insert(struct engine *en, struct container *c, const char *id, json_t *config, enum exec_state state)
{
    struct exec *x = mem_alloc(sizeof(*x));
    memcpy(x->id, id, ID_LENGTH);
    x->config = json_incref(config);
    x->state = state;
    x->refs = 2;
    x->in_table = true;
    pthread_mutex_init(&x->news, NULL);
    shim_link_init(&x->link, "exec", id);
    pthread_mutex_lock(&en->lock);
    c->refs++;
    x->c = c;
    x->next = en->execs;
    en->execs = x;
    pthread_mutex_unlock(&en->lock);
    return x;
}

void exec_put(struct engine *en, struct exec *x)
{
    if (!x)
        return;
    bool last = locked(&en->lock, --x->refs == 0);
    if (!last)
        return;
    container_put(en, x->c);
    json_decref(x->config);
    json_decref(x->size);
    shim_link_release(&x->link);
    pthread_mutex_destroy(&x->news);
    free(x->trace);
    free(x);
}

/* The oldest exec that is to be forgotten, out of the table, or NULL. @param c of this container; NULL: too many or too
 * old */
static struct exec *take_one(struct engine *en, const struct container *c)
{
    struct exec **found = NULL, *x;
    size_t ended = 0, waiting = 0;
    int64_t old = clock_mono() - EXEC_KEEP_S * NS_PER_S;
    pthread_mutex_lock(&en->lock);
    for (struct exec **at = &en->execs; *at; at = &(*at)->next) {
        x = *at;
        ended += x->state == EXEC_ENDED;
        waiting += x->state == EXEC_CREATED;
        if (c ? x->c == c && (x->state == EXEC_ENDED || x->state == EXEC_CREATED)
              : (x->state == EXEC_ENDED && (ended > EXECS_ENDED_MAX || x->finished < old)) ||
                    (x->state == EXEC_CREATED && waiting > EXECS_WAITING_MAX))
            found = at;
    }
    x = found ? *found : NULL;
    if (x) {
        *found = x->next;
        x->in_table = false;
    }
    pthread_mutex_unlock(&en->lock);
    return x;
}

void execs_forget(struct engine *en, struct container *c)
{
    for (struct exec *x; (x = take_one(en, c));)
        exec_put(en, x);
}

static struct exec *find(struct engine *en, const char *id, struct err *e)
{
    struct exec *x;
    pthread_mutex_lock(&en->lock);
    for (x = en->execs; x && !str_eq(x->id, id); x = x->next)
        ;
    if (x && !x->c->in_table) /* being removed: as if it were gone */
        x = NULL;
    if (x)
        x->refs++;
    pthread_mutex_unlock(&en->lock);
    if (!x)
        err_set(e, ERR_NOT_FOUND, "No such exec instance: %s", id);
    return x;
}

json_t *execs_ids(struct engine *en, const struct container *c)
{
    json_t *ids = json_array();
    for (const struct exec *x = en->execs; x; x = x->next)
        if (x->c == c && x->state != EXEC_ENDED)
            json_array_insert_new(ids, 0, json_string(x->id));
    if (json_array_size(ids) > 0)
        return ids;
    json_decref(ids);
    return json_null();
}

char *exec_dir(struct engine *en, const struct exec *x)
{
    return str_printf("%s/%s/exec/%s", en->run_dir, x->c->id, x->id);
}

void exec_event(struct engine *en, struct exec *x, const char *action, bool command, json_t *extra)
{
    autostr text = STR_INIT;
    json_t *attributes = extra ? extra : json_object();
    str_add(&text, action);
    json_each (v, json_object_get(x->config, "Cmd"))
        if (command)
            str_addf(&text, "%s%s", v_at == 0 ? ": " : " ", json_string_value(v));
    json_object_set_new(attributes, "execID", json_string(x->id));
    event_container(en, x->c, text.s, attributes);
}

/* ---- the process ---- */

/* Its settings are the container's with some replaced, so that they pass through the same rules (spec.c). Where a name
 * appears twice in the environment, the later value counts. A privileged exec has every capability, and is held by the
 * container's other restrictions still. */
json_t *exec_process(struct engine *en, struct container *c, const json_t *config, const json_t *size, struct err *e)
{
    autofree char *rootfs = container_path(en, c, "rootfs");
    autoclose int rootfd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rootfd < 0)
        return err_null(err_sys(e, "open %s", rootfs));
    pthread_mutex_lock(&en->lock);
    json_auto_t *own = json_copy(c->config), *host = json_copy(c->host);
    pthread_mutex_unlock(&en->lock);
    json_t *env = json_copy(json_object_get(own, "Env"));
    json_array_extend(env, json_object_get(config, "Env"));
    json_object_set_new(own, "Env", env);
    json_object_set(own, "Tty", json_object_get(config, "Tty"));
    static const char *const texts[] = {"User", "WorkingDir"};
    for (size_t i = 0; i < 2; i++)
        if (*json_str(config, texts[i], ""))
            json_object_set(own, texts[i], json_object_get(config, texts[i]));
    json_object_set(host, "ConsoleSize", (json_t *)size);
    if (json_is(config, "Privileged")) {
        json_object_set_new(host, "Privileged", json_true());
        json_object_set_new(host, "CapDrop", json_null());
    }
    return spec_process(own, host, json_object_get(config, "Cmd"), rootfd, e);
}

/* ---- create ---- */

/* A process that joins a frozen cgroup would be frozen too, and its client would wait for somebody else's unpause. */
static int check_running(struct engine *en, const struct container *c, struct err *e)
{
    pthread_mutex_lock(&en->lock);
    bool alive = state_alive(c->state) && !c->ending && c->in_table, paused = c->state == STATE_PAUSED;
    bool again = c->state == STATE_RESTARTING;
    pthread_mutex_unlock(&en->lock);
    if (again)
        return err_set(e, ERR_CONFLICT, "Container %s is restarting, wait until the container is running", c->id);
    if (!alive)
        return err_set(e, ERR_CONFLICT, "Container %s is not running", c->id);
    if (paused)
        return err_set(e, ERR_CONFLICT, "Container %s is paused, unpause the container before exec", c->id);
    return 0;
}

static int check_size(const json_t *size, struct err *e)
{
    if (!size || json_is_null(size))
        return 0;
    bool ok = json_is_array(size) && json_array_size(size) == 2;
    json_each (v, size)
        ok = ok && json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= 65535;
    return ok ? 0 : err_set(e, ERR_INVALID, "ConsoleSize must be [rows, columns], each from 0 to 65535");
}

static json_t *create(struct engine *en, struct container *c, const json_t *body, struct err *e)
{
    char id[ID_LENGTH + 1];
    json_auto_t *config = exec_complete(body, e);
    if (!config || check_size(json_object_get(config, "ConsoleSize"), e) < 0 || check_running(en, c, e) < 0)
        return NULL;
    struct keys keys;
    if (keys_init(&keys, json_str(config, "DetachKeys", ""), e) < 0)
        return NULL;
    if (str_empty(json_string_value(json_array_get(json_object_get(config, "Cmd"), 0))))
        return err_null(err_set(e, ERR_INVALID, "No exec command specified"));
    json_auto_t *tried = exec_process(en, c, config, json_object_get(config, "ConsoleSize"), e);
    if (!tried)
        return NULL; /* for one, an unknown user: the start would fail the same way, but too late for a status */
    for (struct exec *old; (old = take_one(en, NULL));)
        exec_put(en, old);
    str_random_hex(id, ID_LENGTH / 2);
    struct exec *x = exec_insert(en, c, id, config, EXEC_CREATED);
    exec_event(en, x, "exec_create", true, NULL);
    exec_put(en, x);
    return json_pack("{s:s}", "Id", id);
}

json_t *engine_exec_create(struct engine *en, const char *name, const json_t *body, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    return c ? create(en, c, body, e) : NULL;
}

/* ---- claim ---- */

static int claim(struct engine *en, struct exec *x, struct err *e)
{
    int r = 0;
    if (check_running(en, x->c, e) < 0)
        return -1;
    pthread_mutex_lock(&en->lock);
    if (x->c->ending || !state_alive(x->c->state))
        r = err_set(e, ERR_CONFLICT, "Container %s is not running", x->c->id);
    else if (x->state == EXEC_ENDED)
        r = err_set(e, ERR_CONFLICT, "Error: Exec command %s has already run", x->id);
    else if (x->state != EXEC_CREATED)
        r = err_set(e, ERR_CONFLICT, "Error: Exec command %s is already running", x->id);
    else
        x->state = EXEC_STARTING;
    pthread_mutex_unlock(&en->lock);
    return r;
}

/* The size may come with either request; the later one counts. */
struct exec *engine_exec_claim(struct engine *en, const char *id, const json_t *body, struct exec_terms *ret,
                               struct err *e)
{
    const json_t *size = body_get(body, "ConsoleSize"), *detach = body_get(body, "Detach");
    if (detach && !json_is_boolean(detach) && !json_is_null(detach))
        return err_null(err_set(e, ERR_INVALID, "Detach must be true or false"));
    struct exec *x = check_size(size, e) < 0 ? NULL : find(en, id, e);
    if (x && claim(en, x, e) < 0) {
        exec_put(en, x);
        return NULL;
    }
    if (x) {
        *ret = (struct exec_terms){.tty = json_is(x->config, "Tty"), .detach = json_is_true(detach)};
        json_decref(x->size); /* of a claim that was given up */
        x->size = json_incref(json_is_array(size) ? (json_t *)size : json_object_get(x->config, "ConsoleSize"));
    }
    return x;
}

void engine_exec_abandon(struct engine *en, struct exec *x)
{
    pthread_mutex_lock(&en->lock);
    x->state = EXEC_CREATED;
    pthread_cond_broadcast(&en->exec_changed);
    pthread_mutex_unlock(&en->lock);
    exec_put(en, x);
}

/* ---- looking ---- */

static json_t *inspect(struct engine *en, struct exec *x)
{
    const json_t *cfg = x->config, *cmd = json_object_get(cfg, "Cmd");
    json_t *arguments = json_copy((json_t *)cmd);
    json_array_remove(arguments, 0);
    pthread_mutex_lock(&en->lock);
    bool running = x->state == EXEC_RUNNING || x->state == EXEC_STARTING;
    json_t *code = x->state == EXEC_ENDED ? json_integer(x->code) : json_null();
    int pid = x->pid;
    pthread_mutex_unlock(&en->lock);
    json_t *process =
        json_pack("{s:b, s:O, s:o, s:b}", "tty", json_is(cfg, "Tty"), "entrypoint", json_array_get(cmd, 0), "arguments",
                  arguments, "privileged", json_is(cfg, "Privileged"));
    if (*json_str(cfg, "User", ""))
        json_object_set(process, "user", json_object_get(cfg, "User"));
    return json_pack("{s:s, s:b, s:o, s:o, s:b, s:b, s:b, s:b, s:s, s:s, s:i}", "ID", x->id, "Running", running,
                     "ExitCode", code, "ProcessConfig", process, "OpenStdin", json_is(cfg, "AttachStdin"), "OpenStderr",
                     json_is(cfg, "AttachStderr"), "OpenStdout", json_is(cfg, "AttachStdout"), "CanRemove", 0,
                     "ContainerID", x->c->id, "DetachKeys", json_str(cfg, "DetachKeys", ""), "Pid", pid);
}

/* A client asks when its stream has ended, and wants the exit code. The shim tells us before it ends the stream, but
 * nothing says that the thread which follows it has had its turn: so what lies in the socket is taken in here. */
json_t *engine_exec_inspect(struct engine *en, const char *id, struct err *e)
{
    struct exec *x = find(en, id, e);
    if (!x)
        return NULL;
    exec_news(en, x);
    json_t *j = inspect(en, x);
    exec_put(en, x);
    return j;
}

void exec_kill(struct engine *en, struct container *c, const char *id)
{
    struct err ignored; /* it has ended by itself meanwhile */
    struct exec *x = find(en, id, &ignored);
    if (!x)
        return;
    pthread_mutex_lock(&en->lock);
    int pid = x->c == c ? x->pid : 0;
    uint64_t starttime = x->starttime;
    pthread_mutex_unlock(&en->lock);
    process_signal(pid, starttime, SIGKILL, x->link.what, &ignored);
    exec_put(en, x);
}

int engine_exec_resize(struct engine *en, const char *id, int rows, int columns, struct err *e)
{
    struct exec *x = find(en, id, e);
    if (!x)
        return -1;
    int64_t end = clock_mono() + NS_PER_S;
    struct timespec limit = {end / NS_PER_S, end % NS_PER_S};
    /* The process may have written already, and its client seen it, before we are told that it runs. */
    pthread_mutex_lock(&en->lock);
    while (x->state == EXEC_STARTING && pthread_cond_timedwait(&en->exec_changed, &en->lock, &limit) == 0)
        ;
    enum exec_state state = x->state;
    pthread_mutex_unlock(&en->lock);
    int r = -1;
    if (state == EXEC_ENDED)
        err_set(e, ERR_CONFLICT, "exec %.12s is not running", x->id);
    else if (state != EXEC_RUNNING)
        err_set(e, ERR_INVALID, "exec %.12s has not been started", x->id);
    else
        r = shim_resize(&x->link, rows, columns, e);
    exec_put(en, x);
    return r;
}

/* ---- the container ends ---- */

static bool some_left(struct engine *en, const struct container *c, bool cut_off)
{
    bool some = false;
    for (struct exec *x = en->execs; x; x = x->next) {
        if (x->c != c || (x->state != EXEC_STARTING && x->state != EXEC_RUNNING))
            continue;
        some = true;
        if (cut_off) {
            if (x->link.pid > 0)
                kill(x->link.pid, SIGKILL); /* our child, and not waited for while it is in this state */
            if (x->link.fd >= 0)
                shutdown(x->link.fd, SHUT_RDWR);
        }
    }
    return some;
}

/* Their processes have died with the container's first one, or with its cgroup, so each shim is about to say so. One
 * that does not (a debugger has stopped it) is cut off: its exec then ends as if the shim had been killed. */
void execs_settle(struct engine *en, struct container *c)
{
    int64_t began = clock_mono(), end = began + SETTLE_S * NS_PER_S;
    bool cut_off = false;
    pthread_mutex_lock(&en->lock);
    while (some_left(en, c, cut_off)) {
        struct timespec limit = {end / NS_PER_S, end % NS_PER_S};
        bool late = pthread_cond_timedwait(&en->exec_changed, &en->lock, &limit) == ETIMEDOUT;
        if (late && cut_off)
            break;
        if (late) {
            cut_off = true;
            end += NS_PER_S;
        }
    }
    pthread_mutex_unlock(&en->lock);
}
