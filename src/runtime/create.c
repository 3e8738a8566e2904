/* `create`, the parent's side: from a bundle to a process that waits in its container to be started.
 *
 *     1. read the bundle (plan.c)                    nothing has changed yet
 *     2. reserve the id: the folder and state.json    from here on `delete --force` can clean up whatever is left
 *     3. the filter (seccomp.c)
 *     4. the control group, on version 2: the child is born in it
 *     5. open what the child needs from the host      bind sources, the root, devices: as detached mounts
 *     6. join namespaces that exist, clone with new ones, return
 *     7. while the child mounts: write id maps; on version 1 make the groups; set limits; on version 1 let it
 *        in, after the limits, since a cpuset must be complete before a process can enter. GO
 *     8. the child is prepared: run the prestart and createRuntime hooks; GO
 *     9. the child is ready: limits that need our rights, then record its pid
 *
 * A failure undoes all of it in reverse. What a SIGKILL leaves behind is named in state.json, written in step 2.
 *
 * Read next: child.c. */
#include "runtime/create.h"
#include "runtime/args.h"
#include "runtime/hooks.h"
#include "runtime/mnt.h"
#include "runtime/nursery.h"
#include "runtime/seal.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/str.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Step 5, binds. The source is cloned here, in the host's mount namespace and with the host's rights; the child,
 * perhaps in a user namespace, could not reach it. A detached copy may be attached by whoever holds it. */
static int open_sources(struct plan *p, struct err *e)
{
    autoclose int bundle = open(p->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (bundle < 0)
        return err_sys(e, "open bundle %s", p->bundle);
    for (size_t i = 0; i < p->nmounts; i++) {
        struct plan_mount *m = &p->mounts[i];
        if (!m->bind)
            continue;
        m->tree = mnt_clone(bundle, m->source, m->recursive);
        if (m->tree < 0)
            return err_sys(e, "mount of %s: bind source %s", m->dest, m->source);
    }
    for (size_t i = 0; plan_new(p, NS_USER) && i < p->ndevices; i++) {
        p->devices[i].tree = mnt_clone(AT_FDCWD, p->devices[i].path, false);
        if (p->devices[i].tree < 0)
            return err_sys(e, "bind device %s", p->devices[i].path);
    }
    return 0;
}

static int open_for_child(struct child *c, struct plan *p, struct err *e)
{
    c->rootfs = mnt_clone(AT_FDCWD, p->rootfs, true);
    if (c->rootfs < 0)
        return err_sys(e, "clone the mount of the root file system %s", p->rootfs);
    if (plan_new(p, NS_USER) && (c->null_tree = mnt_clone(AT_FDCWD, "/dev/null", false)) < 0)
        return err_sys(e, "clone the mount of /dev/null");
    return open_sources(p, e);
}

/* A new time namespace takes its offsets before its first process is in it: made for our children, then filled. */
static int make_time_namespace(const struct plan *p, struct err *e)
{
    static const char *const clocks[] = {"monotonic", "boottime"};
    if (!plan_new(p, NS_TIME))
        return 0;
    if (unshare(CLONE_NEWTIME) < 0)
        return err_sys(e, "make a time namespace");
    for (size_t i = 0; i < 2; i++) {
        const json_t *offset = json_object_get(json_at(p->config, "linux.timeOffsets"), clocks[i]);
        autofree char *line = str_printf("%s %lld %lld", clocks[i], (long long)json_int(offset, "secs", 0),
                                         (long long)json_int(offset, "nanosecs", 0));
        if (offset && file_put(AT_FDCWD, "/proc/self/timens_offsets", line, e) < 0)
            return err_wrap(e, "linux.timeOffsets");
    }
    return 0;
}

/* Descriptors of our own namespaces of the kinds that join_namespaces() leaves, else -1. Close them with go_home(). */
static int keep_home(const struct plan *p, int home[NS_COUNT], struct err *e)
{
    static const char *const names[NS_COUNT] = {"mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time"};
    int r = 0;
    for (int k = 0; k < NS_COUNT; k++) {
        autofree char *path = str_printf("/proc/self/ns/%s", names[k]);
        bool left = p->ns[k].path || (k == NS_TIME && plan_new(p, NS_TIME));
        home[k] = left ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (left && home[k] < 0)
            r = err_sys(e, "open our %s namespace", plan_ns_name[k]);
    }
    return r;
}

static int go_home(int home[NS_COUNT], struct err *e)
{
    int r = 0;
    for (int k = 0; k < NS_COUNT; k++) {
        if (home[k] >= 0 && setns(home[k], plan_ns_flag[k]) < 0)
            r = err_sys(e, "return to our %s namespace", plan_ns_name[k]);
        fd_close(home[k]);
    }
    return r;
}

/* Step 6: we join the existing ones ourselves, and the child is born there. */
static int join_namespaces(const struct plan *p, struct err *e)
{
    for (int k = 0; k < NS_COUNT; k++) {
        if (!p->ns[k].path)
            continue;
        autoclose int fd = open(p->ns[k].path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0 || setns(fd, plan_ns_flag[k]) < 0)
            return err_sys(e, "join %s namespace %s", plan_ns_name[k], p->ns[k].path);
    }
    return make_time_namespace(p, e);
}

/* Not those that the child makes: child.c, nursery.c and make_time_namespace() say why. */
static int clone_flags(const struct plan *p, bool nursery)
{
    int flags = 0;
    for (int k = 0; k < NS_COUNT; k++)
        if (k != NS_CGROUP && k != NS_TIME && plan_new(p, k) && !(k == NS_MOUNT && nursery))
            flags |= plan_ns_flag[k];
    return flags;
}

/* Afterwards we are back where we came from, whatever has happened: hooks and helpers that we start are the host's, and
 * would else be born among another container's processes, as the host's root. */
static pid_t clone_child(struct child *c, const struct plan *p, int group, int *ret_sock, int *ret_pidfd, struct err *e)
{
    struct err why;
    int home[NS_COUNT];
    pid_t pid = -1;
    if (keep_home(p, home, e) == 0 && join_namespaces(p, e) == 0)
        pid = launch_clone(c, clone_flags(p, c->nursery >= 0), group, child_run_create, ret_sock, ret_pidfd, e);
    if (go_home(home, &why) == 0 || pid < 0)
        return pid;
    launch_abort(pid, *ret_pidfd);
    *e = why;
    return -1;
}

static int write_map(pid_t pid, const char *file, const json_t *list, struct err *e)
{
    autostr text = STR_INIT;
    autofree char *path = str_printf("/proc/%d/%s", (int)pid, file);
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        str_addf(&text, "%lld %lld %lld\n", (long long)json_int(v, "containerID", 0),
                 (long long)json_int(v, "hostID", 0), (long long)json_int(v, "size", 0));
    }
    return file_put(AT_FDCWD, path, text.s, e) < 0 ? err_wrap(e, "map ids of the user namespace") : 0;
}

/* That they are ours is written down before anybody is in them: where this process is killed, `delete --force` ends
 * whom it finds in groups that were claimed, and nobody in others. */
static int make_groups(struct state *s, const json_t *resources, struct err *e)
{
    const struct cgroup *cg = &s->cgroup;
    struct span span = trace_begin(3, "make the control groups");
    if (cgroup_create(&s->cgroup, resources, e) < 0)
        return -1;
    if (cg->scope.unit)
        trace_end(&span, "systemd's scope %s; version %d", cg->scope.unit, cg->version);
    else
        trace_end(&span, "mkdir x %zu; version %d", cg->n, cg->version);
    FAULT("runtime.cgroups-made");
    return state_save(s, e);
}

static int limit(const struct runtime *rt, const struct cgroup *cg, const json_t *resources, struct err *e)
{
    struct span s = trace_begin(3, "limit the control groups");
    if (cgroup_limit(cg, rt, resources, e) < 0 ||
        cgroup_limit_devices(cg, json_object_get(resources, "devices"), e) < 0)
        return -1;
    trace_end(&s, "write; version %d", cg->version);
    return 0;
}

/* Step 7. */
static int settle(const struct runtime *rt, const struct child *c, struct state *s, pid_t pid, int sock, struct err *e)
{
    const json_t *lin = json_object_get(c->plan->config, "linux");
    if (plan_new(c->plan, NS_USER) && (write_map(pid, "uid_map", json_object_get(lin, "uidMappings"), e) < 0 ||
                                       write_map(pid, "gid_map", json_object_get(lin, "gidMappings"), e) < 0))
        return -1;
    if ((s->cgroup.version == 1 && make_groups(s, json_object_get(lin, "resources"), e) < 0) ||
        limit(rt, &s->cgroup, json_object_get(lin, "resources"), e) < 0)
        return -1;
    return launch_place(c, sock, e);
}

/* Step 8. */
static int run_hooks(const struct child *c, pid_t pid, struct err *e)
{
    if (!hooks_any(c->hooks, "prestart") && !hooks_any(c->hooks, "createRuntime"))
        return 0;
    json_object_set_new(c->state, "pid", json_integer(pid));
    if (hooks_run(c->hooks, "prestart", c->state, e) < 0)
        return -1;
    return hooks_run(c->hooks, "createRuntime", c->state, e);
}

static int attend(const struct runtime *rt, struct child *c, struct state *s, pid_t pid, int sock, struct err *e)
{
    if (settle(rt, c, s, pid, sock, e) < 0) {
        launch_blame(sock, e);
        return -1;
    }
    if (launch_await(rt, sock, SYNC_PREPARED, e) < 0)
        return -1;
    cgroup_scope_settled(); /* it has entered its groups before it said so */
    FAULT("runtime.prepared");
    if (run_hooks(c, pid, e) < 0 || sync_send(sock, SYNC_GO, NULL, -1, e) < 0 ||
        launch_await(rt, sock, SYNC_READY, e) < 0)
        return -1;
    FAULT("runtime.ready");
    launch_limits(rt, pid, c);
    return 0;
}

/* Steps 6 to 9 for a filled `c`. */
static int bear(const struct runtime *rt, struct child *c, struct plan *p, struct state *s,
                const struct launch_options *o, struct err *e)
{
    autoclose int sock = -1;
    autoclose int pidfd = -1;
    autoclose int group = cgroup_birthplace(&s->cgroup, e);
    if (s->cgroup.version == 2 && group < 0)
        return -1;
    pid_t pid = clone_child(c, p, group, &sock, &pidfd, e);
    if (pid < 0)
        return -1;
    FAULT("runtime.cloned");
    int r = attend(rt, c, s, pid, sock, e);
    if (r == 0) {
        s->pid = pid;
        s->starttime = process_starttime(pid);
        r = state_save(s, e);
    }
    if (r == 0)
        r = launch_write_pid(o, pid, e);
    if (r < 0)
        launch_abort(pid, pidfd);
    return r;
}

static void close_all(struct child *c)
{
    const int fds[] = {c->barrier, c->console, c->rootfs, c->null_tree, c->nursery};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        fd_close(fds[i]);
    json_decref(c->state);
}

/* Version 2, and version 1 with a cgroup namespace, are mounted as file systems (child_cgroup.c). */
static bool shows_groups(const struct plan *p, const struct cgroup *cg)
{
    for (size_t i = 0; cg->version == 1 && !p->ns[NS_CGROUP].own && i < p->nmounts; i++)
        if (plan_is_cgroup(&p->mounts[i]))
            return true;
    return false;
}

static void begin_child(struct child *c, const struct plan *p, const struct state *s, const struct filter *f)
{
    *c = CHILD_INIT;
    c->id = s->id;
    c->plan = p;
    c->process = &p->process;
    c->filter = f;
    c->cgroup = &s->cgroup;
    c->hooks = json_object_get(p->config, "hooks");
    c->state = state_oci(s, STATUS_CREATING);
    c->user_ns = p->ns[NS_USER].own;
    c->shows_groups = shows_groups(p, &s->cgroup);
}

/* Steps 4 to 9; the groups are removed again on failure, if they are ours. */
static int build(const struct runtime *rt, struct child *c, struct plan *p, struct state *s,
                 const struct launch_options *o, struct err *e)
{
    autofree char *barrier = state_socket_path(s, STATE_BARRIER);
    if (launch_prepare(c, o, e) < 0)
        return -1;
    int r = s->cgroup.version == 2 ? make_groups(s, json_at(p->config, "linux.resources"), e) : 0;
    if (r == 0)
        r = open_for_child(c, p, e);
    if (r == 0)
        r = nursery_open(rt, p, &c->nursery, e);
    if (r == 0)
        r = c->barrier = sock_listen_unix(barrier, SOCK_SEQPACKET, 0600, e);
    if (r >= 0)
        r = bear(rt, c, p, s, o, e);
    if (r < 0)
        cgroup_scope_settled();
    if (r < 0 && s->cgroup.claimed) {
        cgroup_signal(&s->cgroup, SIGKILL, NULL);
        cgroup_remove(&s->cgroup, NULL);
    }
    return r;
}

static int create_in(const struct runtime *rt, struct plan *p, struct state *s, const struct launch_options *o,
                     struct err *e)
{
    struct filter filter = {0};
    struct child c;
    if (cgroup_find(&s->cgroup, rt, p->cgroups_path, s->id, e) < 0)
        return -1;
    state_describe(s, p);
    if (state_save(s, e) < 0)
        return -1;
    FAULT("runtime.reserved");
    struct span span = trace_begin(3, "get the seccomp filter");
    if (filter_get(&filter, rt, json_at(p->config, "linux.seccomp"), s->dir, e) < 0)
        return -1;
    trace_end(&span, "%u instructions", filter.n);
    begin_child(&c, p, s, &filter);
    int r = build(rt, &c, p, s, o, e);
    close_all(&c);
    filter_release(&filter);
    return r;
}

int container_create(const struct runtime *rt, const char *id, const char *bundle, const struct launch_options *o,
                     struct state *s, struct err *e)
{
    struct plan p;
    struct span span = trace_begin(3, "read the bundle");
    if (plan_load(&p, rt, bundle, e) < 0)
        return -1;
    trace_end(&span, "%s/config.json: %zu mounts", p.bundle, p.nmounts);
    int r = state_new(s, rt, id, e);
    if (r == 0) {
        r = create_in(rt, &p, s, o, e);
        if (r < 0) {
            state_remove(s, rt, NULL);
            state_release(s);
        }
    }
    plan_release(&p);
    return r;
}

int verb_create(struct runtime *rt, int argc, char **argv, struct err *e)
{
    struct launch_options o = {0};
    const char *bundle = ".";
    const struct arg table[] = {{"bundle", 'b', ARG_STRING, &bundle, NULL},
                                {"pid-file", 0, ARG_STRING, &o.pid_file, NULL},
                                {"console-socket", 0, ARG_STRING, &o.console_socket, NULL},
                                {"preserve-fds", 0, ARG_STRING, &o.preserve_fds, NULL},
                                {"no-pivot", 0, ARG_REFUSED, NULL, "a chroot can be left again; pivot_root cannot"},
                                {"no-new-keyring", 0, ARG_REFUSED, NULL, "the caller's keys are not the container's"},
                                {0}};
    struct state s;
    int first = args_parse(table, argc, argv, 1, 1, e);
    if (first < 0 || seal_self(rt, e) < 0 || container_create(rt, argv[first], bundle, &o, &s, e) < 0)
        return -1;
    state_release(&s);
    return 0;
}
