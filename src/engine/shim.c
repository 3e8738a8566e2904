/* The daemon's end of a shim: starting one, talking to it, and following it to the container's end. A container has
 * one, and so has every exec (exec_run.c); what is common to both takes a struct shim_link.
 *
 * Until the container runs, the thread that handles `start` has the conversation to itself: it sends a packet and
 * reads the answer. From then on the monitor thread is the only reader, and other threads only send (attach, resize),
 * one at a time. If the connection ends without an exit message the shim itself was killed: the container is ended too,
 * because nobody holds its standard streams any more, and its error says so.
 *
 * Vocabulary: base/shimproto.h. The other end: src/shim. */
#include "engine/logging.h"
#include "engine/model.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/doing.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/shimproto.h"
#include "base/sock.h"
#include "base/spawn.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MONITOR_STACK (256u << 10)
#define HELLO_SECONDS 5

/* ---- starting it ---- */

/* The file in which the kernel counts this container's OOM kills, for both cgroup versions. */
static char *oom_file(struct engine *en, struct container *c)
{
    autofree char *cgroup = container_cgroup(en, c);
    if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)
        return str_printf("/sys/fs/cgroup%s/memory.events", cgroup);
    return str_printf("/sys/fs/cgroup/memory%s/memory.oom_control", cgroup);
}

static int write_task(struct engine *en, struct container *c, const char *dir, struct err *e)
{
    autofree char *bundle = str_printf("%s/bundle", dir), *path = str_printf("%s/shim.json", dir);
    autofree char *exit_path = container_path(en, c, "exit.json");
    autofree char *oom = oom_file(en, c);
    json_auto_t *j = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:s}", "id", c->id, "bundle", bundle, "exit",
                               exit_path, "ephemeral", container_ephemeral(c), "tty", json_is(c->config, "Tty"),
                               "stdin", json_is(c->config, "OpenStdin"), "stdin_once", json_is(c->config, "StdinOnce"),
                               "cgroup_memory_events", oom);
    if (runtime_task(en, c, j, e) < 0)
        return -1;
    logging_task(en, c, j);
    const json_t *size = json_object_get(c->host, "ConsoleSize");
    if (json_integer_value(json_array_get(size, 0)) > 0)
        json_object_set(j, "console_size", (json_t *)size);
    autofree char *text = json_text(j);
    return file_replace_volatile(AT_FDCWD, path, text, strlen(text), 0600, e);
}

static pid_t spawn_shim(const char *dir, int control, struct err *e)
{
    autofree char *program = spawn_sibling("gorae-shim", e);
    if (!program)
        return -1;
    char *const argv[] = {"gorae-shim", (char *)dir, NULL};
    autostrv env = {NULL, 0};
    strv_add(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if (trace_path())
        strv_addf(&env, TRACE_ENV "=%s", trace_path());
    FAULT_PASS(&env);
    autofree char *log_path = str_printf("%s/shim.log", dir);
    autoclose int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct spawn s = {.path = program,
                      .argv = argv,
                      .env = env.v,
                      .in = -1,
                      .out = log,
                      .error = log,
                      .extra = {control},
                      .nextra = 1,
                      .new_session = true};
    return spawn_start(&s, e);
}

/* The shim is our child while we live. It is waited for by its monitor thread, or by init if we die first. */
void shim_reap(pid_t pid)
{
    struct err ignored;
    if (pid > 0)
        spawn_wait(pid, &ignored);
}

void shim_link_init(struct shim_link *l, const char *kind, const char *id)
{
    *l = (struct shim_link){.fd = -1};
    pthread_mutex_init(&l->send, NULL);
    snprintf(l->what, sizeof(l->what), "%s %.12s", kind, id);
}

void shim_link_release(struct shim_link *l)
{
    fd_close(l->fd);
    pthread_mutex_destroy(&l->send);
}

int shim_open(struct shim_link *l, int *ret_end, struct err *e)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a socket pair for the shim");
    l->fd = pair[0];
    *ret_end = pair[1];
    return 0;
}

int shim_spawn(struct shim_link *l, const char *dir, int end, struct err *e)
{
    struct span s = trace_begin(3, "start the shim");
    pid_t pid = spawn_shim(dir, end, e);
    if (pid < 0)
        return -1;
    trace_end(&s, "posix_spawn gorae-shim, pid %d", (int)pid);
    l->pid = pid;
    return 0;
}

/* ---- talking to it ---- */

int shim_expect(struct shim_link *l, const char *ev, json_t **ret, struct err *e)
{
    json_auto_t *msg = shimproto_recv(l->fd, NULL, e);
    if (!msg && e->kind == ERR_NONE)
        return err_set(e, ERR_SYSTEM, "the shim of %s ended without a word", l->what);
    if (!msg)
        return -1;
    const char *got = json_str(msg, "ev", "");
    if (str_eq(got, "failed"))
        return err_from_json(e, json_object_get(msg, "error"));
    if (!str_eq(got, ev))
        return err_set(e, ERR_SYSTEM, "the shim of %s said %.32s where %s was due", l->what, got, ev);
    if (ret)
        *ret = json_incref(msg);
    return 0;
}

static int send_packet(struct shim_link *l, json_t *msg, int fd, const char *rest, size_t nrest, struct err *e)
{
    int r = -1;
    pthread_mutex_lock(&l->send);
    if (l->fd < 0)
        err_set(e, ERR_CONFLICT, "%s is not running", l->what);
    else if (shimproto_send(l->fd, msg, fd, e) == 0 && (nrest == 0 || sock_send(l->fd, rest, nrest, -1) == 0))
        r = 0;
    pthread_mutex_unlock(&l->send);
    return r;
}

int shim_attach(struct shim_link *l, json_t *request, const struct attach_client *client, struct err *e)
{
    int r = send_packet(l, request, client->fd, client->rest, client->nrest, e);
    fd_close(client->fd);
    return r;
}

int shim_resize(struct shim_link *l, int rows, int columns, struct err *e)
{
    json_auto_t *msg = json_pack("{s:s, s:i, s:i}", "op", "resize", "h", rows, "w", columns);
    return send_packet(l, msg, -1, NULL, 0, e);
}

void shim_close(struct shim_link *l)
{
    pthread_mutex_lock(&l->send);
    fd_close(l->fd);
    l->fd = -1;
    pthread_mutex_unlock(&l->send);
}

void shim_drop(struct shim_link *l)
{
    shim_close(l);
    shim_reap(l->pid);
    l->pid = 0;
}

json_t *shim_adopt(struct shim_link *l, const char *dir)
{
    struct err e = {0};
    autoclose int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return NULL; /* it was not running */
    /* The address of a unix socket has room for 107 bytes, and an exec root may be deep: go by way of the open folder.
     */
    autofree char *path = str_printf("/proc/self/fd/%d/shim.sock", at);
    int fd = sock_dial_unix(path, SOCK_SEQPACKET, &e);
    if (fd < 0) {
        if (e.sys != ENOENT && e.sys != ECONNREFUSED)
            log_warn("%s: its shim cannot be reached: %s", l->what, e.msg);
        return NULL;
    }
    json_auto_t *hello = json_pack("{s:s}", "op", "hello");
    struct timeval limit = {.tv_sec = HELLO_SECONDS}; /* a stopped shim must not hold up the daemon's start */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    json_t *answer = shimproto_send(fd, hello, -1, &e) == 0 ? shimproto_recv(fd, NULL, &e) : NULL;
    if (!answer || json_int(answer, "version", 0) != SHIM_PROTOCOL) {
        log_warn("%s: its shim gives no usable answer: %s", l->what, answer ? "another protocol" : e.msg);
        json_decref(answer);
        fd_close(fd);
        return NULL;
    }
    limit.tv_sec = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    l->fd = fd;
    return answer;
}

/* ---- a container's ---- */

int container_shim_create(struct engine *en, struct container *c, struct err *e)
{
    json_auto_t *created = NULL;
    autofree char *dir = container_run_path(en, c, NULL);
    autoclose int end = -1;
    if (write_task(en, c, dir, e) < 0 || shim_open(&c->link, &end, e) < 0)
        return -1;
    int r = shim_spawn(&c->link, dir, end, e);
    mem_closep(&end); /* ours must be closed, or its end would not be noticed */
    end = -1;
    if (r < 0 || shim_expect(&c->link, "created", &created, e) < 0)
        return -1;
    pthread_mutex_lock(&en->lock);
    c->pid = (int)json_int(created, "pid", 0);
    c->starttime = (uint64_t)json_int(created, "starttime", 0);
    pthread_mutex_unlock(&en->lock);
    return 0;
}

int container_shim_start(struct container *c, struct err *e)
{
    json_auto_t *go = json_pack("{s:s}", "op", "start"), *started = NULL;
    if (send_packet(&c->link, go, -1, NULL, 0, e) < 0 || shim_expect(&c->link, "started", &started, e) < 0)
        return -1;
    c->started_by_shim = json_int(started, "at", 0);
    return 0;
}

/* ---- following it ---- */

struct monitor {
    struct engine *en;
    struct container *c;
    pid_t shim; /* to be waited for; 0 where an earlier daemon was its parent */
};

/* Told at once, while the container lives on or is about to end: State.OOMKilled, and an event for each. */
static void on_oom(struct engine *en, struct container *c)
{
    locked(&en->lock, c->oom_killed = true);
    event_container(en, c, "oom", NULL);
}

/* The shim is gone without having told of an exit. If its record is there the message was lost, and the record counts.
 */
static void on_silence(struct engine *en, struct container *c)
{
    autofree char *path = container_path(en, c, "exit.json");
    struct err e;
    json_auto_t *j = json_read_file(AT_FDCWD, path, 4096, &e);
    if (j) {
        container_ended(en, c, (int)json_int(j, "code", 255), json_int(j, "at", 0), json_is(j, "oom"), NULL);
        return;
    }
    log_warn("container %.12s: its shim died; the container is ended", c->id);
    container_signal(en, c, SIGKILL, &e);
    container_ended(en, c, 137, clock_real(), false, "the container's shim died, and with it its standard streams");
}

static void follow(struct engine *en, struct container *c)
{
    for (;;) {
        struct err e = {0};
        json_auto_t *msg = shimproto_recv(c->link.fd, NULL, &e);
        const char *ev = json_str(msg, "ev", "");
        if (!msg) {
            on_silence(en, c);
            return;
        }
        if (str_eq(ev, "exit")) {
            container_ended(en, c, (int)json_int(msg, "code", 255), json_int(msg, "at", 0), json_is(msg, "oom"), NULL);
            return;
        }
        if (str_eq(ev, "detach"))
            event_container(en, c, "detach", NULL);
        else if (str_eq(ev, "oom"))
            on_oom(en, c);
    }
}

static void *monitor_main(void *arg)
{
    struct monitor *m = arg;
    autodoing d = {0};
    doing_begin(&d, "follows container %.12s to its end", m->c->id);
    trace_to_file(m->c->trace);
    follow(m->en, m->c);
    container_auto_remove(m->en, m->c);
    trace_to_file(NULL);
    policy_follow(m->en, m->c);
    shim_reap(
        m->shim); /* last, because it lives on until its clients have hung up, and they may be waiting for the above */
    container_put(m->en, m->c);
    malloc_trim(0); /* a run leaves holes in the heap; off the path of any request, give them back */
    free(m);
    return NULL;
}

int thread_start(void *(*main)(void *), void *arg, struct err *e)
{
    pthread_attr_t at;
    pthread_t thread;
    pthread_attr_init(&at);
    pthread_attr_setstacksize(&at, MONITOR_STACK);
    pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
    int r = pthread_create(&thread, &at, main, arg);
    pthread_attr_destroy(&at);
    if (r == 0)
        return 0;
    errno = r;
    return err_sys(e, "start a thread");
}

int monitor_start(struct engine *en, struct container *c, struct err *e)
{
    struct monitor *m = mem_alloc(sizeof(*m));
    *m = (struct monitor){en, c, c->link.pid};
    c->link.pid = 0;
    locked(&en->lock, c->refs++);
    if (thread_start(monitor_main, m, e) == 0)
        return 0;
    container_put(en, c);
    c->link.pid = m->shim;
    free(m);
    return err_wrap(e, "follow container %.12s", c->id);
}
