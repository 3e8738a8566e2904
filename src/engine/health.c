/* Health checks: is a container well, by its own account?
 *
 * A container with a health check has a thread that runs the check as an exec, now and again, and draws its
 * conclusions:
 *
 *     starting ──success──▶ healthy ◀──success── unhealthy
 *         └──── `retries` failures in a row ────────▲
 *
 * From healthy, too. During the start period failures do not count.
 *
 * The first check comes after one interval. A check that takes longer than its timeout is killed and has failed. A
 * paused container is not checked. What the last five said is kept for `inspect`. When the run ends the thread ends,
 * and who is not there is not well: unhealthy, as Docker says.
 *
 * The check's output comes as any attached client would get it, through a socket, in frames; beyond OUTPUT_MAX bytes it
 * is read and dropped.
 *
 * Read next: exec.c. */
#include "engine/health.h"
#include "base/clock.h"
#include "base/doing.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/exec.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL       (30 * NS_PER_S)
#define TIMEOUT        (30 * NS_PER_S)
#define START_INTERVAL (5 * NS_PER_S)
#define RETRIES        3
#define LOG_MAX        5
#define OUTPUT_MAX     4096
#define FRAME_HEAD     8  /* stream, three zeros, length (wire/frame.h) */
#define NO_RESULT      -1 /* the exit code of a check that was killed or could not be run */

/* ---- what is asked for ---- */

static int64_t setting(const json_t *config, const char *key, int64_t otherwise)
{
    int64_t v = json_int(json_object_get(config, "Healthcheck"), key, 0);
    return v > INT64_MAX / 4 ? INT64_MAX / 4 : v > 0 ? v : otherwise; /* a sum with the clock must not run over */
}

bool health_wanted(const json_t *config)
{
    const char *kind = json_string_value(json_array_get(json_at(config, "Healthcheck.Test"), 0));
    return kind && !str_eq(kind, "NONE");
}

int health_check_config(const json_t *config, struct err *e)
{
    static const char *const times[] = {"Interval", "Timeout", "StartPeriod", "StartInterval"};
    const json_t *h = json_object_get(config, "Healthcheck"), *test = json_object_get(h, "Test");
    const char *kind = json_string_value(json_array_get(test, 0));
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int64_t ns = json_int(h, times[i], 0);
        if (ns != 0 && ns < NS_PER_MS)
            return err_set(e, ERR_INVALID, "%s in Healthcheck cannot be less than 1ms", times[i]);
    }
    if (json_int(h, "Retries", 0) < 0)
        return err_set(e, ERR_INVALID, "Retries in Healthcheck cannot be negative");
    if (!kind || str_eq(kind, "NONE"))
        return 0;
    if (!str_eq(kind, "CMD") && !str_eq(kind, "CMD-SHELL"))
        return err_set(e, ERR_INVALID, "Unknown healthcheck type '%.64s' (expected 'CMD')", kind);
    if (json_array_size(test) < 2)
        return err_set(e, ERR_INVALID, "Healthcheck of type %s needs a command", kind);
    return 0;
}

/* ["CMD", word…] as it is; ["CMD-SHELL", line] by the container's shell. */
static json_t *command_of(const json_t *config)
{
    const json_t *test = json_at(config, "Healthcheck.Test"), *shell = json_object_get(config, "Shell");
    json_t *words;
    if (str_eq(json_string_value(json_array_get(test, 0)), "CMD")) {
        words = json_copy((json_t *)test);
        json_array_remove(words, 0);
        return words;
    }
    words = json_array_size(shell) > 0 ? json_copy((json_t *)shell) : json_pack("[s, s]", "/bin/sh", "-c");
    json_array_append(words, json_array_get(test, 1));
    return words;
}

/* ---- one check ---- */

struct check {
    int code;
    bool late;
    struct str output;
};

/* What frames hold. A frame may come in pieces: `head` and `left` say where in one we are. */
struct unframer {
    unsigned char head[FRAME_HEAD];
    size_t have, left;
};

static void take_in(struct unframer *u, struct str *out, const char *p, size_t n)
{
    while (n > 0) {
        if (u->left == 0) {
            u->head[u->have++] = (unsigned char)*p++;
            n--;
            if (u->have == FRAME_HEAD) {
                u->left = (size_t)u->head[4] << 24 | (size_t)u->head[5] << 16 | (size_t)u->head[6] << 8 | u->head[7];
                u->have = 0;
            }
            continue;
        }
        size_t k = n < u->left ? n : u->left, room = out->len <= OUTPUT_MAX ? OUTPUT_MAX + 1 - out->len : 0;
        str_addn(out, p, k < room ? k : room);
        u->left -= k;
        p += k;
        n -= k;
    }
}

/* @return false where the time is over before the stream is */
static bool read_output(int fd, int64_t until, struct str *out)
{
    struct unframer u = {.have = 0};
    char block[4096];
    for (;;) {
        int64_t left = (until - clock_mono()) / NS_PER_MS;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int r = left > 0 ? poll(&p, 1, left > 60000 ? 60000 : (int)left) : 0;
        if (r < 0 && errno != EINTR)
            return true;
        if (r == 0 && clock_mono() >= until)
            return false;
        if (r <= 0)
            continue;
        ssize_t n = read(fd, block, sizeof(block));
        if (n <= 0)
            return true;
        take_in(&u, out, block, (size_t)n);
    }
}

/* The exit code, once there is one: the stream's end comes a moment before or after the process's. */
static int code_of(struct engine *en, struct container *c, const char *id, int64_t until)
{
    struct err ignored;
    for (useconds_t pause = 2000;; pause += pause < 100000 ? 1000 : 0) {
        json_auto_t *j = engine_exec_inspect(en, id, &ignored);
        if (!j)
            return NO_RESULT;
        if (!json_is(j, "Running"))
            return (int)json_int(j, "ExitCode", NO_RESULT);
        if (clock_mono() >= until) {
            exec_kill(en, c, id);
            return NO_RESULT;
        }
        usleep(pause);
    }
}

static void late(struct check *k, int64_t timeout)
{
    char took[64];
    if (timeout >= NS_PER_S)
        snprintf(took, sizeof(took), "%gs", (double)timeout / (double)NS_PER_S);
    else
        snprintf(took, sizeof(took), "%gms", (double)timeout / (double)NS_PER_MS);
    str_reset(&k->output);
    str_addf(&k->output, "Health check exceeded timeout (%s)", took);
    k->code = NO_RESULT;
}

static int run_check(struct engine *en, struct container *c, json_t *config, struct check *k, struct err *e)
{
    int pair[2];
    int64_t timeout = setting(config, "Timeout", TIMEOUT), until = clock_mono() + timeout;
    json_auto_t *body = json_pack("{s:o, s:b, s:b}", "Cmd", command_of(config), "AttachStdout", 1, "AttachStderr", 1);
    json_auto_t *made = engine_exec_create(en, c->id, body, e);
    if (!made)
        return -1;
    const char *id = json_str(made, "Id", "");
    struct exec_terms terms;
    struct exec *x = engine_exec_claim(en, id, NULL, &terms, e);
    if (!x)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        engine_exec_abandon(en, x);
        return err_sys(e, "make a socket for the check's output");
    }
    autoclose int ours = pair[0];
    struct attach_client client = {.fd = pair[1], .head = "", .rest = NULL, .nrest = 0};
    int r = engine_exec_run(en, x, &client, e);
    fd_close(client.fd);
    bool done = read_output(ours, until, &k->output);
    if (!done)
        exec_kill(en, c, id);
    k->code = code_of(en, c, id, done ? until : clock_mono() + NS_PER_S);
    if (!done || (k->code == NO_RESULT && clock_mono() >= until))
        late(k, timeout);
    return r;
}

/* ---- conclusions ---- */

static const char *const names[] = {"none", "starting", "healthy", "unhealthy"};

const char *health_name(enum health h)
{
    return names[h];
}

static void note(struct container *c, const struct check *k, int64_t began, int64_t ended)
{
    char from[CLOCK_TEXT], to[CLOCK_TEXT];
    size_t n = k->output.len < OUTPUT_MAX ? k->output.len : OUTPUT_MAX;
    autofree char *cut =
        str_printf("%.*s%s", (int)n, k->output.s ? k->output.s : "", k->output.len > OUTPUT_MAX ? "..." : "");
    json_t *entry =
        json_pack("{s:s, s:s, s:i, s:o}", "Start", clock_format(began, from), "End", clock_format(ended, to),
                  "ExitCode", k->code, "Output", json_string_lossy(cut, strlen(cut)));
    json_t *log = json_copy(c->health_log); /* a reader may hold the old one */
    json_array_append_new(log, entry);
    while (json_array_size(log) > LOG_MAX)
        json_array_remove(log, 0);
    json_decref(c->health_log);
    c->health_log = log;
}

/* @return true where the state has changed. Call with the lock held. */
static bool conclude(struct container *c, const struct check *k, int64_t began)
{
    enum health was = c->health;
    int64_t period = setting(c->config, "StartPeriod", 0);
    if (k->code == 0) {
        c->health_streak = 0;
        c->health = HEALTH_GOOD;
    } else if (was != HEALTH_STARTING || period == 0 || began - c->started >= period) {
        c->health_streak++;
        if (c->health_streak >= setting(c->config, "Retries", RETRIES))
            c->health = HEALTH_BAD;
    }
    return c->health != was;
}

static void tell(struct engine *en, struct container *c, enum health h)
{
    autofree char *action = str_printf("health_status: %s", health_name(h));
    event_container(en, c, action, NULL);
}

static void check_once(struct engine *en, struct container *c, uint64_t run)
{
    struct err e;
    struct check k = {.code = NO_RESULT, .output = STR_INIT};
    json_auto_t *config = locked(&en->lock, json_incref(c->config));
    int64_t began = clock_real();
    str_reset(&k.output);
    if (run_check(en, c, config, &k, &e) < 0 && k.output.len == 0) {
        str_add(&k.output, e.msg);
        if (k.code == 0)
            k.code = NO_RESULT;
    }
    pthread_mutex_lock(&en->lock);
    bool still = c->run == run && state_alive(c->state) && !c->ending, changed = false;
    if (still) {
        note(c, &k, began, clock_real());
        changed = conclude(c, &k, began);
    }
    enum health now = c->health;
    pthread_mutex_unlock(&en->lock);
    str_release(&k.output);
    if (changed)
        tell(en, c, now);
}

/* ---- the thread ---- */

struct watcher {
    struct engine *en;
    struct container *c;
    uint64_t run; /* of the container: with the next one comes another thread */
};

/* Until the next check is due. @return false where the run is over */
static bool wait_for_turn(struct watcher *w)
{
    struct engine *en = w->en;
    struct container *c = w->c;
    pthread_mutex_lock(&en->lock);
    bool early = c->health == HEALTH_STARTING && setting(c->config, "StartPeriod", 0) > clock_real() - c->started;
    int64_t until = clock_mono() + (early ? setting(c->config, "StartInterval", START_INTERVAL)
                                          : setting(c->config, "Interval", INTERVAL));
    const struct timespec at = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
    bool goes_on;
    while ((goes_on = c->run == w->run && state_alive(c->state) && !c->ending && !en->stopping) && clock_mono() < until)
        pthread_cond_timedwait(&en->policy, &en->lock, &at);
    pthread_mutex_unlock(&en->lock);
    return goes_on;
}

static bool is_paused(struct watcher *w)
{
    bool yes = locked(&w->en->lock, w->c->state == STATE_PAUSED);
    return yes;
}

static void *watch(void *arg)
{
    struct watcher *w = arg;
    autodoing d = {0};
    doing_begin(&d, "checks the health of container %.12s", w->c->id);
    while (wait_for_turn(w))
        if (!is_paused(w))
            check_once(w->en, w->c, w->run);
    container_put(w->en, w->c);
    free(w);
    return NULL;
}

void health_begin(struct engine *en, struct container *c)
{
    struct err e;
    pthread_mutex_lock(&en->lock);
    bool wanted = health_wanted(c->config);
    c->run++;
    c->health = wanted ? HEALTH_STARTING : HEALTH_NONE;
    c->health_streak = 0;
    json_decref(c->health_log);
    c->health_log = json_array();
    struct watcher *w = wanted ? mem_alloc(sizeof(*w)) : NULL;
    if (w) {
        *w = (struct watcher){en, c, c->run};
        c->refs++;
    }
    pthread_mutex_unlock(&en->lock);
    if (!w || thread_start(watch, w, &e) == 0)
        return;
    log_error("container %.12s: no health checks: %s", c->id, e.msg);
    container_put(en, c);
    free(w);
}

void health_end(struct engine *en, struct container *c)
{
    if (c->health != HEALTH_NONE)
        c->health = HEALTH_BAD;
    pthread_cond_broadcast(&en->policy);
}
