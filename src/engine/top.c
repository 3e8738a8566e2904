/* top: the processes of a container, as the host's ps(1) shows them.
 *
 * Nothing inside the container is asked, so it works for an image without ps, and a container cannot lie. ps is run
 * with the caller's arguments, and of its table only the rows stay whose PID is in the container's control group. So
 * the arguments must lead to a column PID, and to none that merely calls itself so. No shell is between.
 *
 * How it fails: ps missing (500 naming it), ps refusing the arguments (500 with its own words), no PID column. ps reads
 * /proc, and may hang there over a process that hangs: after PS_SECONDS it is killed. */
#include "engine/model.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/trace.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define PS_OUTPUT_MAX (8u << 20)
#define PS_WORDS_MAX  64
#define PS_SECONDS    10

/* Words between blanks. */
static void words_of(const char *text, size_t n, size_t most, struct strv *ret)
{
    const char *p = text, *end = text + n;
    while (p < end) {
        while (p < end && isspace((unsigned char)*p))
            p++;
        const char *from = p;
        bool rest = ret->n + 1 == most; /* the last column holds all that follows, blanks and all */
        while (p < end && (rest || !isspace((unsigned char)*p)))
            p++;
        if (p > from)
            strv_addf(ret, "%.*s", (int)(p - from), from);
    }
}

/* "-o foo=PID" would give another column the name by which the rows are chosen. */
static int check_args(const struct strv *args, struct err *e)
{
    if (args->n > PS_WORDS_MAX)
        return err_set(e, ERR_INVALID, "ps_args has more than %d words", PS_WORDS_MAX);
    for (size_t i = 0; i < args->n; i++) {
        const char *eq = strchr(args->v[i], '=');
        if (eq && str_starts(eq + 1, "PID"))
            return err_set(e, ERR_INVALID, "specifying \"%s\" is not allowed: the title PID is ps's own", args->v[i]);
    }
    return 0;
}

static const char *find_ps(void)
{
    static const char *const places[] = {"/usr/bin/ps", "/bin/ps", "/usr/local/bin/ps"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

/* Everything that comes out of `fd` within the time. @return 0, or -1 */
static int drain(int fd, struct str *out, struct err *e)
{
    char part[16384];
    int64_t end = clock_mono() + PS_SECONDS * NS_PER_S;
    str_reset(out);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = (end - clock_mono()) / NS_PER_MS;
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(e, ERR_SYSTEM, "ps took longer than %d s", PS_SECONDS);
        ssize_t got = read(fd, part, sizeof(part));
        if (got < 0)
            return err_sys(e, "read what ps prints");
        if (got == 0)
            return 0;
        if (out->len + (size_t)got > PS_OUTPUT_MAX)
            return err_set(e, ERR_SYSTEM, "ps prints more than %u bytes", PS_OUTPUT_MAX);
        str_addn(out, part, (size_t)got);
    }
}

static int run_ps(const struct strv *args, struct str *out, struct err *e)
{
    int end[2];
    const char *path = find_ps();
    autostrv argv = {NULL, 0};
    if (!path)
        return err_set(e, ERR_SYSTEM, "top needs the program ps (package procps), which is not installed");
    strv_add(&argv, "ps");
    for (size_t i = 0; i < args->n; i++)
        strv_add(&argv, args->v[i]);
    if (args->n == 0)
        strv_add(&argv, "-ef");
    if (pipe2(end, O_CLOEXEC) < 0)
        return err_sys(e, "make a pipe for ps");
    struct spawn sp = {.path = path, .argv = argv.v, .in = -1, .out = end[1], .error = end[1]};
    struct span s = trace_begin(3, "ask ps for the processes");
    pid_t pid = spawn_start(&sp, e);
    fd_close(end[1]);
    int r = pid < 0 ? -1 : drain(end[0], out, e);
    fd_close(end[0]);
    if (pid > 0 && r < 0)
        kill(pid, SIGKILL);
    struct err ignored;
    int code = pid > 0 ? spawn_wait(pid, &ignored) : 0;
    trace_end(&s, "%s, pid %d, exit code %d", path, (int)pid, code);
    if (r == 0 && code != 0)
        return err_set(e, ERR_SYSTEM, "ps: %.*s", (int)strcspn(out->s, "\n"), out->s);
    return r;
}

static bool is_member(const json_t *pids, const char *text)
{
    int64_t pid;
    if (!str_to_i64(text, &pid))
        return false;
    json_each (v, pids)
        if (json_integer_value(v) == pid)
            return true;
    return false;
}

static json_t *strings(const struct strv *words)
{
    json_t *out = json_array();
    for (size_t i = 0; i < words->n; i++)
        json_array_append_new(out, json_string_lossy(words->v[i], strlen(words->v[i])));
    return out;
}

/* The rows of ps's table that belong to `pids`. @return NULL where it has no column PID */
static json_t *choose(const char *text, const json_t *pids, struct err *e)
{
    autostrv titles = {NULL, 0};
    size_t column = 0, n = strcspn(text, "\n");
    words_of(text, n, SIZE_MAX, &titles);
    while (column < titles.n && !str_eq(titles.v[column], "PID"))
        column++;
    if (column == titles.n)
        return err_null(err_set(e, ERR_SYSTEM, "Couldn't find PID field in ps output"));
    json_t *rows = json_array();
    for (const char *p = text + n + (text[n] == '\n'); *p; p += n + (p[n] == '\n')) {
        autostrv row = {NULL, 0};
        n = strcspn(p, "\n");
        words_of(p, n, titles.n, &row);
        if (row.n > column && is_member(pids, row.v[column]))
            json_array_append_new(rows, strings(&row));
    }
    return json_pack("{s:o, s:o}", "Titles", strings(&titles), "Processes", rows);
}

static json_t *top(struct engine *en, struct container *c, const char *args, struct err *e)
{
    autostrv words = {NULL, 0};
    autostr out = STR_INIT;
    bool alive = locked(&en->lock, state_alive(c->state));
    words_of(args, strlen(args), SIZE_MAX, &words);
    if (!alive)
        err_set(e, ERR_CONFLICT, "Container %.12s is not running", c->id);
    if (!alive || check_args(&words, e) < 0)
        return NULL;
    json_auto_t *pids = cgroup_pids(en, c);
    str_reset(&out);
    json_t *found = run_ps(&words, &out, e) < 0 ? NULL : choose(out.s, pids, e);
    if (found)
        event_container(en, c, "top", NULL);
    return found;
}

json_t *engine_top(struct engine *en, const char *name, const char *args, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    return c ? top(en, c, args, e) : NULL;
}
