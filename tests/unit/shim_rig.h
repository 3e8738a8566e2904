/* A shim in a box: a folder, a task, a runtime (fake_runtime.h), and the daemon's end of the control socket in the
 * test's hands. */
#ifndef GORAE_TESTS_SHIM_RIG_H
#define GORAE_TESTS_SHIM_RIG_H

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/jsonlog.h"
#include "base/mem.h"
#include "base/shimproto.h"
#include "base/sock.h"
#include "base/spawn.h"
#include "base/str.h"
#include "wire/unframe.h"
#include "fake_runtime.h"
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000 /* no step of a test takes longer than this, even on a loaded machine under a sanitizer */

/* For payloads: wait until the test puts a file "go" into the box. */
#define WAIT_GO "while ! [ -e $BOX/go ]; do sleep .05; done;"

/* ---- the box ---- */

struct box {
    char top[256];
    json_t *task;
    pid_t shim;
    int control;
    pid_t init;
};

static inline char *box_path(const struct box *b, const char *name)
{
    return str_printf("%s/%s", b->top, name);
}

static inline void box_put(const struct box *b, const char *name, const char *text)
{
    struct err e;
    autofree char *path = box_path(b, name);
    ck_assert_msg(file_replace_volatile(AT_FDCWD, path, text, strlen(text), 0600, &e) == 0, "%s", e.msg);
}

/* @return the text, or NULL where there is no such file */
static inline char *box_get(const struct box *b, const char *name)
{
    struct err e;
    autofree char *path = box_path(b, name);
    return file_read(AT_FDCWD, path, 256u << 20, NULL, &e);
}

static inline bool box_has(const struct box *b, const char *name)
{
    autofree char *path = box_path(b, name);
    return access(path, F_OK) == 0;
}

static inline void box_wait_for(const struct box *b, const char *name)
{
    for (int i = 0; i < PATIENCE_MS / 10 && !box_has(b, name); i++)
        usleep(10000);
    ck_assert_msg(box_has(b, name), "%s does not appear", name);
}

static inline void box_set(struct box *b, const char *key, json_t *value)
{
    json_object_set_new(b->task, key, value);
}

/* @param once whether the end of a client's input is the end of the container's */
static inline void box_open_stdin(struct box *b, bool once)
{
    box_set(b, "stdin", json_true());
    box_set(b, "stdin_once", json_boolean(once));
}

static inline void box_at(struct box *b, const char *top, const char *payload)
{
    static const char *const dirs[] = {"dir", "bundle", "root"};
    struct err e;
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    signal(SIGPIPE, SIG_IGN);
    *b = (struct box){.control = -1};
    snprintf(b->top, sizeof(b->top), "%s", top);
    for (size_t i = 0; i < 3; i++) {
        autofree char *path = box_path(b, dirs[i]);
        ck_assert_msg(dir_make_all(path, 0700, &e) == 0, "%s", e.msg);
    }
    b->task = json_pack("{s:s, s:s, s:[s], s:b, s:b, s:b}", "id", BOX_ID, "runtime", self, "runtime_args",
                        "fake-runtime", "tty", 0, "stdin", 0, "stdin_once", 0);
    static const char *const paths[][2] = {
        {"bundle", "bundle"}, {"runtime_root", "root"}, {"log", "log"}, {"exit", "exit"}};
    for (size_t i = 0; i < 4; i++) {
        autofree char *path = box_path(b, paths[i][1]);
        box_set(b, paths[i][0], json_string(path));
    }
    box_put(b, "bundle/payload", payload);
}

/* @param payload for sh; it runs with the box as $BOX */
static inline void box_new(struct box *b, const char *payload)
{
    char top[] = "/tmp/gorae-shim-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(top));
    setenv("BOX", top, 1);
    box_at(b, top, payload);
}

/* A test that fails leaves the box as it is for whoever looks, but no process: a shim outlives those who started it. */
static struct box *box_running;
static inline void box_kill(void)
{
    if (box_running && box_running->shim > 0)
        kill(box_running->shim, SIGKILL);
    if (box_running && box_running->shim > 0 && box_running->init > 0)
        kill(box_running->init, SIGKILL);
}

/* Write the task down and start a shim for it. */
static inline void box_launch(struct box *b)
{
    struct err e;
    if (!box_running)
        atexit(box_kill);
    box_running = b;
    int pair[2];
    autofree char *task = json_text(b->task);
    box_put(b, "dir/shim.json", task);
    autofree char *dir = box_path(b, "dir");
    autofree char *shim = spawn_sibling("../bin/gorae-shim", &e);
    ck_assert_msg(shim, "%s", e.msg);
    char *argv[] = {shim, dir, NULL};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    struct spawn sp = SPAWN_INIT;
    sp.path = shim;
    sp.argv = argv;
    sp.error = STDERR_FILENO; /* the sanitizer's voice */
    sp.extra[0] = pair[1];
    sp.nextra = 1;
    b->shim = spawn_start(&sp, &e);
    ck_assert_msg(b->shim > 0, "%s", e.msg);
    close(pair[1]);
    b->control = pair[0];
}

/* The next message, which must be of this kind. */
static inline json_t *box_event(struct box *b, const char *ev)
{
    struct err e = {0};
    struct pollfd p = {.fd = b->control, .events = POLLIN};
    ck_assert_msg(poll(&p, 1, PATIENCE_MS) == 1, "no event while waiting for %s", ev);
    json_t *j = shimproto_recv(b->control, NULL, &e);
    ck_assert_msg(j, "end of the control connection instead of %s: %s", ev, e.msg);
    autofree char *text = json_text(j);
    ck_assert_msg(str_eq(json_str(j, "ev", ""), ev), "expected %s, got %s", ev, text);
    return j;
}

static inline void box_expect(struct box *b, const char *ev)
{
    json_decref(box_event(b, ev));
}

/* No message within 200 ms. */
static inline void box_quiet(struct box *b)
{
    struct pollfd p = {.fd = b->control, .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 200), 0);
}

static inline void box_send(struct box *b, json_t *msg, int fd)
{
    struct err e;
    ck_assert_msg(shimproto_send(b->control, msg, fd, &e) == 0, "%s", e.msg);
    json_decref(msg);
}

static inline void box_op(struct box *b, const char *op)
{
    box_send(b, json_pack("{s:s}", "op", op), -1);
}

static inline void box_create(struct box *b)
{
    box_launch(b);
    json_auto_t *j = box_event(b, "created");
    b->init = (pid_t)json_int(j, "pid", 0);
    ck_assert_int_gt(b->init, 1);
}

static inline void box_start(struct box *b)
{
    box_op(b, "start");
    box_expect(b, "started");
}

static inline void box_run(struct box *b)
{
    box_create(b);
    box_start(b);
}

static inline void box_exit_code(struct box *b, int code)
{
    json_auto_t *j = box_event(b, "exit");
    ck_assert_int_eq(json_int(j, "code", -1), code);
}

/* The shim's own exit status. */
static inline int box_reap(struct box *b)
{
    int status;
    for (int i = 0; i < PATIENCE_MS / 10; i++, usleep(10000))
        if (waitpid(b->shim, &status, WNOHANG) == b->shim) {
            b->shim = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    ck_abort_msg("the shim does not end");
    return -1;
}

static inline void box_free(struct box *b)
{
    struct err e;
    if (b->shim > 0)
        ck_assert_int_eq(box_reap(b), 0);
    fd_close(b->control);
    json_decref(b->task);
    ck_assert_msg(tree_remove(AT_FDCWD, b->top, &e) == 0, "%s", e.msg);
    *b = (struct box){.control = -1};
}

/* The container ends so, and the shim with it. */
static inline void box_end(struct box *b, int code)
{
    box_exit_code(b, code);
    box_free(b);
}

/* The daemon dies. */
static inline void box_lose_daemon(struct box *b)
{
    close(b->control);
    b->control = -1;
}

static inline bool alive(pid_t pid)
{
    char path[64], state = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    int n = fscanf(f, "%*d (%*[^)]) %c", &state);
    fclose(f);
    return n == 1 && state != 'Z';
}

/* ---- clients ---- */

enum { IN = 1, OUT = 2, ERR = 4, LOGS = 8 };

static inline void box_attach_fd(struct box *b, int what, const char *keys, const char *rest, int fd)
{
    size_t n = rest ? strlen(rest) : 0;
    json_t *j = json_pack("{s:s, s:b, s:b, s:b, s:b, s:i}", "op", "attach", "stdin", what & IN, "stdout", what & OUT,
                          "stderr", what & ERR, "logs", what & LOGS, "rest", (int)n);
    if (keys)
        json_object_set_new(j, "detach_keys", json_string(keys));
    box_send(b, j, fd);
    if (n > 0)
        ck_assert_int_eq(sock_send(b->control, rest, n, -1), 0);
}

/* @return the client's end */
static inline int box_attach_with(struct box *b, int what, const char *keys, const char *rest)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    box_attach_fd(b, what, keys, rest, pair[1]);
    close(pair[1]);
    return pair[0];
}

static inline int box_attach(struct box *b, int what)
{
    return box_attach_with(b, what, NULL, NULL);
}

/* Created, attached to, started. @return the client's end */
static inline int box_run_attached(struct box *b, int what)
{
    box_create(b);
    int client = box_attach(b, what);
    box_start(b);
    return client;
}

/* A packet that was answered: all before it have been handled. */
static inline json_t *box_hello(struct box *b)
{
    box_op(b, "hello");
    return box_event(b, "hello");
}

static inline void box_sync(struct box *b)
{
    json_decref(box_hello(b));
}

struct seen {
    struct str out[3]; /* by stream; raw output is in 0 */
    bool raw;
    struct frame_reader frames;
};

static inline void seen_free(struct seen *s)
{
    for (int i = 0; i < 3; i++)
        str_release(&s->out[i]);
}

#define autoseen __attribute__((cleanup(seen_free))) struct seen

static inline int seen_frame(void *arg, int stream, const void *p, size_t n)
{
    struct seen *s = arg;
    if (stream < 1 || stream > 2)
        ck_abort_msg("a frame of stream %d", stream);
    str_addn(&s->out[stream], p, n);
    return 0;
}

/* Read once. @return false at end of file */
static inline bool seen_some(struct seen *s, int fd)
{
    char buf[65536];
    ssize_t n = read(fd, buf, sizeof(buf));
    if (n < 0)
        ck_abort_msg("client: %s", strerror(errno));
    if (n > 0 && s->raw)
        str_addn(&s->out[0], buf, (size_t)n);
    else if (n > 0 && frame_feed(&s->frames, buf, (size_t)n, seen_frame, s) != 0)
        ck_abort_msg("no frame where one should begin");
    return n > 0;
}

static inline void seen_all(struct seen *s, int fd)
{
    while (seen_some(s, fd))
        ;
}

/* Read until `text` has come on this stream (0: raw). */
static inline void seen_until(struct seen *s, int fd, int stream, const char *text)
{
    while (!s->out[stream].s || !strstr(s->out[stream].s, text))
        ck_assert_msg(seen_some(s, fd), "end of file before \"%s\"; seen: %s", text, s->out[stream].s);
}

/* With what comes until the end of file, one stream (0: raw output) is this; then the client goes. */
static inline void seen_end(struct seen *s, int fd, int stream, const char *want)
{
    seen_all(s, fd);
    ck_assert_str_eq(s->out[stream].s, want);
    close(fd);
}

static inline void seen_to_end(int fd, int stream, const char *want)
{
    autoseen s = {.raw = stream == 0};
    seen_end(&s, fd, stream, want);
}

static inline void say(int fd, const char *text)
{
    ck_assert_msg(fd_write_all(fd, text, strlen(text)) == 0, "client: %s", strerror(errno));
}

/* Nothing at all to be read, and no end of file, within 200 ms. */
static inline void silent(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 200), 0);
}

/* ---- the log ---- */

/* The text of one stream (0: both) in the log; every line must be a whole record. */
static inline char *log_text(const struct box *b, int stream, size_t *ret_n, size_t *ret_records)
{
    autofree char *log = box_get(b, "log");
    struct str text = STR_INIT;
    struct jsonlog_record r = {0};
    size_t records = 0;
    ck_assert_ptr_nonnull(log);
    for (char *p = log, *end; *p; p = end + 1, records++) {
        end = strchr(p, '\n');
        if (!end || jsonlog_decode(p, (size_t)(end - p), &r) < 0)
            ck_abort_msg("no whole record: %.200s", p);
        if (stream == 0 || r.stream == stream)
            str_addn(&text, r.text, r.len);
    }
    jsonlog_release(&r);
    if (ret_n)
        *ret_n = text.len;
    if (ret_records)
        *ret_records = records;
    return str_take(&text);
}

static inline void log_is(const struct box *b, int stream, const char *want)
{
    autofree char *text = log_text(b, stream, NULL, NULL);
    ck_assert_str_eq(text, want);
}

static inline TCase *shim_case(Suite *s, const char *name)
{
    TCase *t = unit_case(s, name);
    tcase_set_timeout(t, 60);
    return t;
}

static inline int shim_run(Suite *s, int argc, char **argv)
{
    if (argc > 1 && str_eq(argv[1], "fake-runtime"))
        rt_exit(fake_runtime(argc, argv));
    return unit_run(s);
}

#endif
