/* Control groups that systemd makes: each container is a transient scope, which `systemctl` shows and can stop.
 *
 * Where systemd runs the machine, it takes itself for the owner of the whole tree. A group that somebody made behind
 * its back may lose its limits when systemd reloads and writes its own. So with --systemd-cgroup it is asked: for a
 * scope with Delegate=yes (what is below is ours), with the limits as its properties; afterwards they are written into
 * the files too, as without systemd, since not every limit has a property.
 *
 * A scope must have a process from its first moment, and on version 2 the container is born into its group. So a
 * keeper, a process of ours that does nothing, goes in first, and ends when the container is there.
 *
 * The bus is spoken by busctl(1), which every machine with systemd has: a few short strings a container are no reason
 * for a library in a program that must start in a millisecond. How it fails: with what systemd says, and the unit's
 * name. Source: org.freedesktop.systemd1(5), systemd.resource-control(5), "Control Group APIs and Delegation" of
 * systemd. */
#include "runtime/cgroup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAID_MAX    4096
#define PLACE_MS    10000 /* for systemd to put the keeper into its scope */
#define LOADED_MS   5000  /* for it to forget an earlier scope of the same name */
#define STEP_MS     5
#define DEFAULT_CPU 100000 /* cpu.period, in us */

/* ---- the bus ---- */

static char *find_busctl(void)
{
    const char *path = getenv("PATH");
    for (const char *p = path ? path : "/usr/bin:/bin"; *p; p += strcspn(p, ":"), p += *p == ':') {
        autofree char *file = str_printf("%.*s/busctl", (int)strcspn(p, ":"), p);
        if (*file == '/' && access(file, X_OK) == 0)
            return take_ptr(&file);
    }
    return NULL;
}

/* Call a method of systemd's manager. What busctl writes to stderr is why it failed. */
static int call(const struct strv *words, struct err *e)
{
    int pipe_fds[2];
    size_t n;
    autofree char *program = find_busctl();
    autostrv argv = {NULL, 0};
    if (!program)
        return err_set(e, ERR_SYSTEM, "--systemd-cgroup needs the program busctl, and none is in PATH");
    static const char *const head[] = {"busctl",
                                       "--system",
                                       "call",
                                       "org.freedesktop.systemd1",
                                       "/org/freedesktop/systemd1",
                                       "org.freedesktop.systemd1.Manager"};
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        strv_add(&argv, head[i]);
    for (size_t i = 0; i < words->n; i++)
        strv_add(&argv, words->v[i]);
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return err_sys(e, "make a pipe for busctl");
    autoclose int from = pipe_fds[0];
    struct spawn sp = SPAWN_INIT;
    sp.path = program;
    sp.argv = argv.v;
    sp.error = pipe_fds[1];
    pid_t pid = spawn_start(&sp, e);
    close(pipe_fds[1]);
    if (pid < 0)
        return -1;
    autofree char *said = fd_read_all(from, SAID_MAX, &n, NULL);
    int code = spawn_wait(pid, e);
    if (code <= 0)
        return code;
    return err_set(e, ERR_SYSTEM, "%s %s: systemd says: %.*s", words->v[0], words->v[2],
                   said ? (int)strcspn(said, "\n") : 1, said ? said : "?");
}

/* ---- limits as properties ---- */

struct properties {
    struct strv words; /* NAME TYPE VALUE… each */
    size_t n;
};

static void add(struct properties *p, const char *name, const char *type, const char *value)
{
    strv_add(&p->words, name);
    strv_add(&p->words, type);
    strv_add(&p->words, value);
    p->n++;
}

/* A number of 64 bits; what is below zero has no limit, which systemd writes as the largest. */
static void add_number(struct properties *p, const char *name, int64_t value)
{
    autofree char *text = value < 0 ? mem_strdup("18446744073709551615") : str_printf("%lld", (long long)value);
    add(p, name, "t", text);
}

/* "0-2,5" as a mask, lowest CPU first, a byte for each eight. */
static void add_set(struct properties *p, const char *name, const char *list)
{
    unsigned char mask[512] = {0};
    size_t bytes = 0;
    for (const char *s = list; *s; s += *s == ',') {
        char *end;
        unsigned long from = strtoul(s, &end, 10), to = from;
        if (end == s)
            return; /* the kernel will say what is wrong with it */
        if (*end == '-')
            to = strtoul(end + 1, &end, 10);
        for (unsigned long k = from; k <= to && k / 8 < sizeof(mask); k++) {
            mask[k / 8] |= (unsigned char)(1u << k % 8);
            bytes = k / 8 + 1 > bytes ? k / 8 + 1 : bytes;
        }
        s = end;
        if (*s && *s != ',')
            return;
    }
    autofree char *count = str_printf("%zu", bytes);
    add(p, name, "ay", count);
    for (size_t i = 0; i < bytes; i++)
        strv_addf(&p->words, "%u", mask[i]);
}

static void add_cpu(struct properties *p, const struct cgroup *cg, const json_t *cpu)
{
    int64_t shares = json_int(cpu, "shares", 0), quota = json_int(cpu, "quota", 0), period = json_int(cpu, "period", 0);
    if (period <= 0)
        period = DEFAULT_CPU;
    if (shares > 1 && cg->version == 1)
        add_number(p, "CPUShares", shares);
    else if (shares > 1)
        add_number(p, "CPUWeight", cgroup_weight_of_shares(shares));
    if (quota != 0) {
        add_number(p, "CPUQuotaPerSecUSec", quota < 0 ? -1 : quota * 1000000 / period);
        add_number(p, "CPUQuotaPeriodUSec", period);
    }
    /* version 1 has no such properties: cpuset is none of systemd's there */
    if (cg->version == 2 && *json_str(cpu, "cpus", ""))
        add_set(p, "AllowedCPUs", json_str(cpu, "cpus", ""));
    if (cg->version == 2 && *json_str(cpu, "mems", ""))
        add_set(p, "AllowedMemoryNodes", json_str(cpu, "mems", ""));
}

static void add_limits(struct properties *p, const struct cgroup *cg, const json_t *resources)
{
    const json_t *memory = json_object_get(resources, "memory");
    int64_t limit = json_int(memory, "limit", 0), swap = json_int(memory, "swap", 0),
            low = json_int(memory, "reservation", 0), pids = json_int(resources, "pids.limit", 0);
    if (limit != 0)
        add_number(p, "MemoryMax", limit);
    if (low != 0 && cg->version == 2)
        add_number(p, "MemoryLow", low);
    if (swap != 0 && cg->version == 2)
        add_number(p, "MemorySwapMax", swap < 0 ? -1 : swap - limit);
    add_cpu(p, cg, json_object_get(resources, "cpu"));
    if (pids != 0)
        add_number(p, "TasksMax", pids);
}

static void append(struct strv *to, const struct properties *p)
{
    strv_addf(to, "%zu", p->n);
    for (size_t i = 0; i < p->words.n; i++)
        strv_add(to, p->words.v[i]);
}

/* ---- the keeper ---- */

static pid_t keeper; /* one invocation of the runtime makes at most one scope */

static int begin_keeper(struct err *e)
{
    pid_t self = getpid();
    keeper = fork();
    if (keeper < 0)
        return err_sys(e, "start the keeper of a scope");
    if (keeper > 0)
        return 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == self)
        pause();
    _exit(0);
}

void cgroup_scope_settled(void)
{
    if (keeper <= 0)
        return;
    kill(keeper, SIGKILL);
    while (waitpid(keeper, NULL, 0) < 0 && errno == EINTR)
        ;
    keeper = 0;
}

/* Its line of /proc/PID/cgroup: version 2, or systemd's own tree of version 1. */
static bool is_in(pid_t pid, const struct cgroup *cg)
{
    autofree char *path = str_printf("/proc/%d/cgroup", (int)pid);
    autofree char *text = file_read(AT_FDCWD, path, 65536, NULL, NULL);
    autofree char *want = str_printf("%s%s\n", cg->version == 2 ? "0::" : ":name=systemd:", cg->scope.path);
    return text && strstr(text, want);
}

static void step(void)
{
    nanosleep(&(struct timespec){0, STEP_MS * 1000000L}, NULL);
}

/* ---- the scope ---- */

static int start_once(const struct cgroup *cg, const struct properties *p, struct err *e)
{
    autostrv words = {NULL, 0};
    static const char *const method[] = {"StartTransientUnit", "ssa(sv)a(sa(sv))"};
    strv_add(&words, method[0]);
    strv_add(&words, method[1]);
    strv_add(&words, cg->scope.unit);
    strv_add(&words, "replace");
    append(&words, p);
    strv_add(&words, "0");
    return call(&words, e);
}

/* A scope of the last run may not be forgotten yet, or have failed: systemd knows its name still. */
static int start(const struct cgroup *cg, const struct properties *p, struct err *e)
{
    autostrv reset = {NULL, 0};
    strv_add(&reset, "ResetFailedUnit");
    strv_add(&reset, "s");
    strv_add(&reset, cg->scope.unit);
    int64_t until = clock_mono() + LOADED_MS * NS_PER_MS;
    int r;
    while ((r = start_once(cg, p, e)) < 0 && strstr(e->msg, "already loaded") && clock_mono() < until) {
        struct err ignored; /* it has not failed, or is gone by now */
        call(&reset, &ignored);
        step();
    }
    if (r < 0 && strstr(e->msg, "already loaded"))
        e->kind = ERR_CONFLICT; /* another container's, and it runs */
    return r;
}

int cgroup_scope_start(const struct cgroup *cg, const json_t *resources, struct err *e)
{
    struct properties p = {{NULL, 0}, 0};
    if (begin_keeper(e) < 0)
        return -1;
    autofree char *pid = str_printf("%d", (int)keeper);
    autofree char *about = str_printf("container %s", cg->scope.unit);
    add(&p, "Description", "s", about);
    add(&p, "Slice", "s", cg->scope.slice);
    add(&p, "PIDs", "au", "1");
    strv_add(&p.words, pid);
    add(&p, "Delegate", "b", "true");
    add(&p, "DefaultDependencies", "b", "false");
    add(&p, "CollectMode", "s", "inactive-or-failed");
    add_limits(&p, cg, resources);
    int r = start(cg, &p, e);
    strv_release(&p.words);
    int64_t until = clock_mono() + PLACE_MS * NS_PER_MS;
    while (r == 0 && !is_in(keeper, cg)) {
        if (clock_mono() > until)
            r = err_set(e, ERR_TIMEOUT, "systemd has not put a process into %s within %d s", cg->scope.unit,
                        PLACE_MS / 1000);
        step();
    }
    if (r < 0)
        cgroup_scope_settled();
    return r;
}

int cgroup_scope_update(const struct cgroup *cg, const json_t *resources, struct err *e)
{
    struct properties p = {{NULL, 0}, 0};
    autostrv words = {NULL, 0};
    add_limits(&p, cg, resources);
    strv_add(&words, "SetUnitProperties");
    strv_add(&words, "sba(sv)");
    strv_add(&words, cg->scope.unit);
    strv_add(&words, "true");
    append(&words, &p);
    strv_release(&p.words);
    return p.n == 0 ? 0 : call(&words, e);
}

/* Its processes are dead, and systemd is about to see that; where it already has, it knows no such unit. */
void cgroup_scope_stop(const struct cgroup *cg)
{
    struct err ignored;
    autostrv words = {NULL, 0};
    cgroup_scope_settled();
    if (cg->n == 0 || access(cg->dir[0].path, F_OK) < 0)
        return;
    strv_add(&words, "StopUnit");
    strv_add(&words, "ss");
    strv_add(&words, cg->scope.unit);
    strv_add(&words, "replace");
    call(&words, &ignored);
}
