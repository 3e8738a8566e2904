/* `exec`: a further process in a running container.
 *
 * It gets what the first one got: namespaces, control groups, filter, capabilities, none of which it could otherwise be
 * trusted to have. The order differs in one thing. A new container is empty while it is built; here hostile processes
 * may run already, and ours becomes visible to them in its first instant (CVE-2016-9962). So it is born undumpable,
 * with the container's root and working folder, holds no descriptor of the host but a socket, and runs from a sealed
 * file (seal.c).
 *
 *     1. read the container's state and the process to add
 *     2. take a pidfd of the container's first process, so that it cannot become another one meanwhile
 *     3. clone a go-between; it enters the control groups, lets go of what is the host's, and joins
 *     4. it clones the process itself, which inherits the groups
 *     5. that joins a user and a cgroup namespace and works through the second half of the list in child.c
 *     6. ready: limits, the pid file, GO; then the exec, or its error */
#include "runtime/create.h"
#include "runtime/args.h"
#include "runtime/seal.h"
#include "runtime/seccomp.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#define PROCESS_FILE_MAX (16 << 20)
#define EXIT_FAILED      255 /* as of runc: 1 would be an exit code of many a program that did run */

struct exec_options {
    struct launch_options launch;
    const char *process, *cwd, *user;
    struct strv env, caps;
    bool tty, detach, no_new_privs;
};

/* Step 1, --process FILE. */
static json_t *process_file(const char *path, struct err *e)
{
    json_t *j = plan_read(path, PROCESS_FILE_MAX, e);
    if (!j)
        err_wrap(e, "--process");
    return j;
}

/* "uid" or "uid:gid", numbers only: names are the daemon's business. What is not named stays the container's, the
 * additional groups always. */
static int set_user(json_t *process, const char *text, struct err *e)
{
    uint64_t uid, gid = 0;
    json_t *user = json_object_get(process, "user");
    size_t n = strcspn(text, ":");
    autofree char *first = mem_strndup(text, n);
    if (!str_to_u64(first, &uid) || (text[n] && !str_to_u64(text + n + 1, &gid)) || uid > INT64_MAX || gid > INT64_MAX)
        return err_set(e, ERR_INVALID, "--user %s is not a number, or two with a colon", text);
    if (!json_is_object(user)) {
        user = json_object();
        json_object_set_new(process, "user", user);
    }
    json_object_set_new(user, "uid", json_integer((json_int_t)uid));
    if (text[n])
        json_object_set_new(user, "gid", json_integer((json_int_t)gid));
    return 0;
}

static void add_caps(json_t *process, const struct strv *caps)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    for (size_t k = 0; k < 3 && caps->n > 0; k++) {
        json_t *have = json_object_get(process, "capabilities");
        if (!have) {
            have = json_object();
            json_object_set_new(process, "capabilities", have);
        }
        if (!json_object_get(have, sets[k]))
            json_object_set_new(have, sets[k], json_array());
        for (size_t i = 0; i < caps->n; i++)
            json_array_append_new(json_object_get(have, sets[k]), json_string(caps->v[i]));
    }
}

/* Step 1, a command line: the container's own process with other words. */
static json_t *process_of(const struct state *s, const struct exec_options *o, char **words, struct err *e)
{
    json_auto_t *j = json_deep_copy(json_object_get(s->doc, "process"));
    json_t *args = json_array();
    if (!j)
        j = json_object();
    for (; *words; words++)
        json_array_append_new(args, json_string_lossy(*words, strlen(*words)));
    json_object_set_new(j, "args", args);
    json_object_set_new(j, "terminal", json_boolean(o->tty));
    json_object_del(j, "consoleSize");
    if (o->cwd)
        json_object_set_new(j, "cwd", json_string(o->cwd));
    if (!json_object_get(j, "env"))
        json_object_set_new(j, "env", json_array());
    for (size_t i = 0; i < o->env.n; i++)
        json_array_append_new(json_object_get(j, "env"), json_string(o->env.v[i]));
    if (o->no_new_privs)
        json_object_set_new(j, "noNewPrivileges", json_true());
    add_caps(j, &o->caps);
    if (o->user && set_user(j, o->user, e) < 0)
        return NULL;
    return json_incref(j);
}

static int check_running(const struct state *s, struct err *e)
{
    enum status st = state_status(s);
    if (st == STATUS_RUNNING || st == STATUS_CREATED)
        return 0;
    return err_set(e, ERR_CONFLICT, "cannot exec in a %s container", status_name(st));
}

static int ns_flags(const struct state *s)
{
    int flags = 0;
    for (int k = 0; k < NS_COUNT; k++)
        if (state_has_ns(s, (enum plan_ns)k))
            flags |= plan_ns_flag[k];
    return flags;
}

/* Step 6. @return 0, or the exit code where we wait for it */
static int attend(const struct runtime *rt, const struct child *c, const struct exec_options *o, pid_t pid, int sock,
                  struct err *e)
{
    if (launch_await(rt, sock, SYNC_READY, e) < 0)
        return -1;
    launch_limits(rt, pid, c);
    if (launch_write_pid(&o->launch, pid, e) < 0 || sync_send(sock, SYNC_GO, NULL, -1, e) < 0)
        return -1;
    return launch_await(rt, sock, SYNC_END, e);
}

static int launch(const struct runtime *rt, const struct state *s, struct child *c, const struct exec_options *o,
                  struct err *e)
{
    autoclose int sock = -1;
    autoclose int pidfd = -1;
    autoclose int group = cgroup_birthplace(&s->cgroup, e);
    if ((s->cgroup.version == 2 && group < 0) || launch_prepare(c, &o->launch, e) < 0)
        return -1;
    pid_t pid = launch_inside(c, group, &sock, &pidfd, e);
    if (pid < 0)
        return -1;
    int r = attend(rt, c, o, pid, sock, e);
    if (r < 0)
        launch_abort(pid, pidfd);
    return r < 0 || o->detach ? r : launch_foreground(pid, e);
}

static int exec_in(const struct runtime *rt, struct state *s, const struct exec_options *o, char **words, struct err *e)
{
    struct plan_process process = {0};
    struct filter filter = {0};
    if (check_running(s, e) < 0)
        return -1;
    json_auto_t *j = o->process ? process_file(o->process, e) : process_of(s, o, words, e);
    autoclose int pidfd = j ? state_pidfd(s, e) : -1;
    if (pidfd < 0)
        return -1;
    struct child c = CHILD_INIT;
    c.id = s->id;
    c.process = &process;
    c.filter = &filter;
    c.cgroup = &s->cgroup;
    c.user_ns = state_has_ns(s, NS_USER);
    c.pidfd = pidfd;
    c.ns_flags = ns_flags(s);
    int r = plan_process(&process, j, rt, e);
    if (r == 0)
        r = filter_load(&filter, s->dir, e);
    if (r == 0)
        r = launch(rt, s, &c, o, e);
    fd_close(c.console);
    filter_release(&filter);
    plan_process_release(&process);
    return r;
}

static int exec_verb(struct runtime *rt, int argc, char **argv, struct exec_options *o, struct err *e)
{
    const struct arg table[] = {{"process", 'p', ARG_STRING, &o->process, NULL},
                                {"pid-file", 0, ARG_STRING, &o->launch.pid_file, NULL},
                                {"console-socket", 0, ARG_STRING, &o->launch.console_socket, NULL},
                                {"preserve-fds", 0, ARG_STRING, &o->launch.preserve_fds, NULL},
                                {"cwd", 0, ARG_STRING, &o->cwd, NULL},
                                {"env", 'e', ARG_LIST, &o->env, NULL},
                                {"user", 'u', ARG_STRING, &o->user, NULL},
                                {"cap", 'c', ARG_LIST, &o->caps, NULL},
                                {"tty", 't', ARG_FLAG, &o->tty, NULL},
                                {"detach", 'd', ARG_FLAG, &o->detach, NULL},
                                {"no-new-privs", 0, ARG_FLAG, &o->no_new_privs, NULL},
                                {0}};
    struct state s;
    int first = args_parse(table, argc, argv, 1, -1, e);
    if (first < 0 || seal_self(rt, e) < 0)
        return -1;
    if (o->process ? argc - first != 1 : argc - first < 2)
        return err_set(e, ERR_INVALID, "exec needs a container and either --process FILE or a command");
    int r = state_open(&s, rt, argv[first], false, e);
    if (r == 0) {
        r = exec_in(rt, &s, o, argv + first + 1, e);
        state_release(&s);
    }
    if (r >= 0)
        return r;
    runtime_error(rt, "exec", e);
    return EXIT_FAILED;
}

int verb_exec(struct runtime *rt, int argc, char **argv, struct err *e)
{
    struct exec_options o = {0};
    int r = exec_verb(rt, argc, argv, &o, e);
    strv_release(&o.env);
    strv_release(&o.caps);
    return r;
}
