/* The OCI runtime as the daemon sees it: which one, its arguments, the mount namespace in which ours begins, and the
 * daemon's own calls for a container that runs: pause, resume, update.
 *
 * create, start and delete of a running container are the shim's, which is the process's parent; these three need
 * nobody's parenthood, only the runtime's own state. The command line is runc's, so any runtime may stand here.
 *
 * Why a call failed stands in its log, JSON lines because of --log-format json: the last of level "error" counts. Ours
 * adds the error triple, others have only the text. */
#include "engine/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/spawn.h"
#include "base/trace.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define RUNTIME_LOG_MAX (256u << 10)
#define NURSERY_MS      5000

/* ---- which, and with what arguments ---- */

/* A copy: a reload may replace them all while we read. @return new {"path","runtimeArgs"}, or NULL */
static json_t *known(struct engine *en, const char *name)
{
    return locked(&en->lock, json_deep_copy(json_object_get(json_object_get(en->opt.runtimes, "Known"), name)));
}

char *runtime_default(struct engine *en)
{
    pthread_mutex_lock(&en->lock);
    char *name = mem_strdup(json_str(en->opt.runtimes, "Default", "gorae"));
    pthread_mutex_unlock(&en->lock);
    return name;
}

int runtime_check(struct engine *en, const char *name, struct err *e)
{
    json_auto_t *r = known(en, name);
    return r ? 0 : err_set(e, ERR_INVALID, "Unknown runtime specified %s", name);
}

/* @return an empty mount namespace (runtime/nursery.c), or -1 */
static int make_nursery(const char *runtime, struct err *e)
{
    int pair[2], ns = -1;
    char byte, *const argv[] = {"gorae-runtime", "nursery", NULL};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "socketpair");
    autoclose int ours = pair[0];
    struct spawn sp = SPAWN_INIT;
    sp.path = runtime;
    sp.argv = argv;
    sp.out = pair[1];
    pid_t pid = spawn_start(&sp, e);
    fd_close(pair[1]); /* so that the end of the runtime is the end of file */
    if (pid < 0)
        return -1;
    if (poll(&(struct pollfd){.fd = ours, .events = POLLIN}, 1, NURSERY_MS) <= 0)
        kill(pid, SIGKILL); /* nobody's start shall hang on this */
    ssize_t n = sock_recv(ours, &byte, 1, &ns);
    int code = spawn_wait(pid, e);
    return n == 1 && ns >= 0 ? ns : err_set(e, ERR_SYSTEM, "the runtime's nursery ended with code %d", code);
}

/* Made when the first container starts. Without one, containers begin in a copy of our mounts. */
static int nursery(struct engine *en, const char *runtime)
{
    pthread_mutex_lock(&en->nursery_lock);
    if (en->nursery == NURSERY_UNTRIED) {
        struct err e;
        struct span s = trace_begin(3, "make an empty mount namespace");
        en->nursery = make_nursery(runtime, &e);
        if (en->nursery < 0)
            log_warn("containers start more slowly: %s", e.msg);
        trace_end(&s, "unshare, pivot_root");
    }
    int ns = en->nursery;
    pthread_mutex_unlock(&en->nursery_lock);
    return ns;
}

/* A shim has none of our descriptors, so it is named through this process; where that is gone, they do without. */
static void add_nursery(struct engine *en, const char *runtime, json_t *args)
{
    int ns = nursery(en, runtime);
    if (ns < 0)
        return;
    json_array_append_new(args, json_string("--nursery"));
    json_array_append_new(args, json_sprintf("/proc/%d/fd/%d", (int)getpid(), ns));
}

int runtime_task(struct engine *en, const struct container *c, json_t *task, struct err *e)
{
    const char *asked = json_str(c->host, "Runtime", ""), *name = *asked ? asked : "gorae";
    json_auto_t *r = known(en, name);
    autofree char *root = str_printf("%s/runtime", en->opt.exec_root);
    if (!r)
        return err_set(e, ERR_SYSTEM, "runtime %s of container %.12s is not known to this daemon", name, c->id);
    json_t *args = json_object_get(r, "runtimeArgs") ? json_copy(json_object_get(r, "runtimeArgs")) : json_array();
    if (en->opt.systemd_cgroup)
        json_array_append_new(args, json_string("--systemd-cgroup"));
    if (str_eq(name, "gorae")) /* always ours: other runtimes have other names (api/apply.c) */
        add_nursery(en, json_str(r, "path", ""), args);
    json_object_set_new(task, "runtime", json_string(json_str(r, "path", "")));
    json_object_set_new(task, "runtime_args", args);
    json_object_set_new(task, "runtime_root", json_string(root));
    return 0;
}

int runtime_argv(struct engine *en, const struct container *c, struct strv *ret, struct err *e)
{
    json_auto_t *task = json_object();
    if (runtime_task(en, c, task, e) < 0)
        return -1;
    strv_add(ret, json_str(task, "runtime", ""));
    json_each (v, json_object_get(task, "runtime_args"))
        strv_add(ret, json_string_value(v));
    strv_add(ret, "--root");
    strv_add(ret, json_str(task, "runtime_root", ""));
    return 0;
}

/* ---- calls ---- */

static void one_line(const char *line, size_t n, json_t *warnings, struct err *e)
{
    struct err ignored; /* what is no JSON is no message for us */
    json_auto_t *j = json_parse(line, n, &ignored);
    const char *level = json_str(j, "level", ""), *msg = json_str(j, "msg", "");
    if (str_eq(level, "warning") && warnings)
        json_array_append_new(warnings, json_string(msg));
    if (!str_eq(level, "error") && !str_eq(level, "fatal"))
        return;
    if (json_is_object(json_object_get(j, "error")))
        err_from_json(e, json_object_get(j, "error"));
    else
        err_set(e, ERR_SYSTEM, "%s", msg);
}

static void read_log(const char *path, json_t *warnings, struct err *e)
{
    struct err ignored;
    autofree char *text = file_read(AT_FDCWD, path, RUNTIME_LOG_MAX, NULL, &ignored);
    for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
        one_line(p, strcspn(p, "\n"), warnings, e);
}

static pid_t begin(struct engine *en, struct container *c, const char *const words[5], const char *log, struct err *e)
{
    autostrv argv = {NULL, 0}, env = {NULL, 0};
    if (runtime_argv(en, c, &argv, e) < 0)
        return -1;
    const char *const head[] = {"--log", log, "--log-format", "json"};
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        strv_add(&argv, head[i]);
    for (size_t i = 0; i < 5 && words[i]; i++)
        strv_add(&argv, words[i]);
    strv_add(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if (trace_path())
        strv_addf(&env, TRACE_ENV "=%s", trace_path());
    struct spawn sp = SPAWN_INIT;
    sp.path = argv.v[0];
    sp.argv = argv.v;
    sp.env = env.v;
    return spawn_start(&sp, e);
}

int runtime_call(struct engine *en, struct container *c, const char *verb, const char *option, const char *value,
                 json_t *warnings, struct err *e)
{
    autofree char *log = container_run_path(en, c, "call.log");
    const char *const words[5] = {verb, option ? option : c->id, value, option ? c->id : NULL, NULL};
    struct span s = trace_begin(3, "call the OCI runtime");
    pid_t pid = begin(en, c, words, log, e);
    int code = pid < 0 ? -1 : spawn_wait(pid, e);
    trace_end(&s, "%s: pid %d, exit code %d", verb, (int)pid, code);
    if (code < 0)
        return -1;
    *e = (struct err){0};
    read_log(log, warnings, e);
    unlink(log);
    if (code == 0)
        return 0;
    return e->kind == ERR_NONE
               ? err_set(e, ERR_SYSTEM, "the runtime's %s ended with code %d and no message", verb, code)
               : -1;
}
