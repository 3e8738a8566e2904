/* stats: what a container uses, as the kernel counts it.
 *
 * Nothing is counted here. Each answer is the present reading of the container's control groups and of its interfaces,
 * together with the reading before, because a percentage is a difference of two: CPU % = own time / the machine's time
 * between the two, × CPUs. The client does that arithmetic; the field names and units are Docker's, whichever version
 * of control groups the numbers come from:
 *
 *                     version 1                              version 2
 *     CPU time        cpuacct.usage (ns), cpuacct.stat       cpu.stat usage_usec, user_usec, system_usec
 *     throttling      cpu.stat (ns)                          cpu.stat throttled_usec
 *     memory          memory.usage_in_bytes, .max_usage…     memory.current, memory.max
 *     block I/O       blkio.throttle.io_service_bytes…       io.stat rbytes=, wbytes=
 *     processes       pids.current, pids.max                 the same
 *
 * The interfaces are read from /proc/PID/net/dev, which shows the network namespace of that process; where it is the
 * host's, there is nothing that belongs to the container alone.
 *
 * A container that does not run has zeros. A file that is not there (a controller that this machine lacks) leaves its
 * field zero as well. Source: Engine API, GET /containers/{id}/stats; the kernel's cgroup documents; proc(5). */
#include "engine/snapshot.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"
#include "net/net.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define PROC_FILE_MAX (1u << 20)
#define NEVER         "0001-01-01T00:00:00Z"
#define NSEC          INT64_C(1000000000)

struct group {
    struct engine *en;
    struct container *c;
    bool v2;
};

/* jansson's integers have a sign; what the kernel calls "unlimited" is above all of them. */
static json_t *number(uint64_t v)
{
    return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

static char *read_file(const struct group *g, const char *controller, const char *v1, const char *v2)
{
    const char *file = g->v2 ? v2 : v1;
    return file ? cgroup_read(g->en, g->c, controller, file) : NULL;
}

/* A file of one number; "max" is the largest there is. */
static uint64_t one(const struct group *g, const char *controller, const char *v1, const char *v2)
{
    autofree char *text = read_file(g, controller, v1, v2);
    return !text ? 0 : str_starts(text, "max") ? UINT64_MAX : strtoull(text, NULL, 10);
}

/* The number behind `key` in lines "key number". */
static uint64_t keyed(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
        if (strncmp(p, key, n) == 0 && p[n] == ' ')
            return strtoull(p + n + 1, NULL, 10);
    return 0;
}

/* ---- CPU ---- */

/* The time of all CPUs since boot, at work or idle: the first seven columns of the first line. */
static uint64_t machine_time(void)
{
    struct err ignored;
    autofree char *text = file_read(AT_FDCWD, "/proc/stat", PROC_FILE_MAX, NULL, &ignored);
    uint64_t sum = 0;
    char *p = text && str_starts(text, "cpu ") ? text + 4 : NULL;
    for (int i = 0; p && i < 7; i++)
        sum += strtoull(p, &p, 10);
    return sum * (uint64_t)(NSEC / sysconf(_SC_CLK_TCK));
}

static void add_each_cpu(const struct group *g, json_t *usage)
{
    autofree char *text = read_file(g, "cpuacct", "cpuacct.usage_percpu", NULL);
    json_t *list = text ? json_array() : NULL;
    for (char *p = text, *end; p; p = end) {
        uint64_t v = strtoull(p, &end, 10);
        if (end == p)
            break;
        json_array_append_new(list, number(v));
    }
    if (list)
        json_object_set_new(usage, "percpu_usage", list);
}

static json_t *cpu(const struct group *g)
{
    autofree char *stat = read_file(g, "cpu", "cpu.stat", "cpu.stat");
    autofree char *account = read_file(g, "cpuacct", "cpuacct.stat", NULL);
    uint64_t tick = (uint64_t)(NSEC / sysconf(_SC_CLK_TCK));
    uint64_t total = g->v2 ? keyed(stat, "usage_usec") * 1000 : one(g, "cpuacct", "cpuacct.usage", NULL);
    uint64_t user = g->v2 ? keyed(stat, "user_usec") * 1000 : keyed(account, "user") * tick;
    uint64_t system = g->v2 ? keyed(stat, "system_usec") * 1000 : keyed(account, "system") * tick;
    uint64_t throttled = g->v2 ? keyed(stat, "throttled_usec") * 1000 : keyed(stat, "throttled_time");
    json_t *usage = json_pack("{s:o, s:o, s:o}", "total_usage", number(total), "usage_in_kernelmode", number(system),
                              "usage_in_usermode", number(user));
    add_each_cpu(g, usage);
    return json_pack("{s:o, s:o, s:I, s:{s:o, s:o, s:o}}", "cpu_usage", usage, "system_cpu_usage",
                     number(machine_time()), "online_cpus", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN),
                     "throttling_data", "periods", number(keyed(stat, "nr_periods")), "throttled_periods",
                     number(keyed(stat, "nr_throttled")), "throttled_time", number(throttled));
}

static json_t *no_cpu(void)
{
    return json_pack("{s:{s:i, s:i, s:i}, s:{s:i, s:i, s:i}}", "cpu_usage", "total_usage", 0, "usage_in_kernelmode", 0,
                     "usage_in_usermode", 0, "throttling_data", "periods", 0, "throttled_periods", 0, "throttled_time",
                     0);
}

/* ---- memory, processes ---- */

static json_t *memory(const struct group *g)
{
    struct sysinfo si = {0};
    autofree char *stat = read_file(g, "memory", "memory.stat", "memory.stat");
    autofree char *events = g->v2 ? read_file(g, "memory", NULL, "memory.events") : NULL;
    uint64_t limit = one(g, "memory", "memory.limit_in_bytes", "memory.max");
    sysinfo(&si);
    uint64_t ram = (uint64_t)si.totalram * si.mem_unit;
    json_t *m = json_pack("{s:o, s:o}", "usage", number(one(g, "memory", "memory.usage_in_bytes", "memory.current")),
                          "limit", number(limit == 0 || limit > ram ? ram : limit));
    json_t *stats = json_object();
    for (const char *p = stat; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
        autofree char *key = mem_strndup(p, strcspn(p, " \n"));
        json_object_set_new(stats, key, number(strtoull(p + strlen(key), NULL, 10)));
    }
    json_object_set_new(m, "stats", stats);
    if (!g->v2)
        json_object_set_new(m, "max_usage", number(one(g, "memory", "memory.max_usage_in_bytes", NULL)));
    json_object_set_new(m, "failcnt", number(g->v2 ? keyed(events, "oom") : one(g, "memory", "memory.failcnt", NULL)));
    return m;
}

static json_t *processes(const struct group *g)
{
    uint64_t limit = one(g, "pids", "pids.max", "pids.max");
    json_t *p = json_pack("{s:o}", "current", number(one(g, "pids", "pids.current", "pids.current")));
    if (limit != UINT64_MAX)
        json_object_set_new(p, "limit", number(limit));
    return p;
}

/* ---- block I/O ---- */

static const char *const io_fields[] = {"io_service_bytes_recursive", "io_serviced_recursive",  "io_queue_recursive",
                                        "io_service_time_recursive",  "io_wait_time_recursive", "io_merged_recursive",
                                        "io_time_recursive",          "sectors_recursive"};

static void add_io(json_t *list, unsigned major, unsigned minor, const char *op, uint64_t value)
{
    json_array_append_new(list, json_pack("{s:I, s:I, s:s, s:o}", "major", (json_int_t)major, "minor",
                                          (json_int_t)minor, "op", op, "value", number(value)));
}

/* Version 1, lines "8:0 Read 4096". The last, "Total", has no device. */
static void read_io_v1(const struct group *g, const char *file, json_t *list)
{
    autofree char *text = read_file(g, "blkio", file, NULL);
    for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
        unsigned major, minor;
        char op[16];
        unsigned long long value;
        if (sscanf(p, "%9u:%9u %15s %20llu", &major, &minor, op, &value) == 4)
            add_io(list, major, minor, op, value);
    }
}

/* Version 2, lines "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0". */
static void read_io_v2(const struct group *g, const char *suffix, json_t *list)
{
    static const char *const ops[] = {"read", "write"};
    autofree char *text = read_file(g, "io", NULL, "io.stat");
    for (char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
        unsigned major, minor;
        if (sscanf(p, "%9u:%9u", &major, &minor) != 2)
            continue;
        for (size_t i = 0; i < 2; i++) {
            autofree char *line = mem_strndup(p, strcspn(p, "\n")), *key = str_printf(" %c%s=", *ops[i], suffix);
            const char *found = strstr(line, key);
            if (found)
                add_io(list, major, minor, ops[i], strtoull(found + strlen(key), NULL, 10));
        }
    }
}

static json_t *block_io(const struct group *g)
{
    json_t *b = json_object();
    for (size_t i = 0; i < sizeof(io_fields) / sizeof(io_fields[0]); i++)
        json_object_set_new(b, io_fields[i], i < 2 && g ? json_array() : json_null());
    if (!g)
        return b;
    json_t *bytes = json_object_get(b, io_fields[0]), *count = json_object_get(b, io_fields[1]);
    if (g->v2) {
        read_io_v2(g, "bytes", bytes);
        read_io_v2(g, "ios", count);
    } else {
        read_io_v1(g, "blkio.throttle.io_service_bytes_recursive", bytes);
        read_io_v1(g, "blkio.throttle.io_serviced_recursive", count);
    }
    return b;
}

/* ---- interfaces ---- */

json_t *stats_networks(const char *text)
{
    static const char *const fields[] = {"rx_bytes", "rx_packets", "rx_errors",  "rx_dropped", NULL,        NULL, NULL,
                                         NULL,       "tx_bytes",   "tx_packets", "tx_errors",  "tx_dropped"};
    json_t *all = json_object();
    for (const char *line = text; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *name = line + strspn(line, " "), *colon = name + strcspn(name, ":|\n");
        if (*colon != ':' || strncmp(name, "lo:", 3) == 0)
            continue; /* the two lines of headings have bars, and the loopback is not traffic */
        json_t *one_of_them = json_object();
        char *p = (char *)colon + 1;
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
            uint64_t v = strtoull(p, &p, 10);
            if (fields[i])
                json_object_set_new(one_of_them, fields[i], number(v));
        }
        autofree char *key = mem_strndup(name, (size_t)(colon - name));
        json_object_set_new(all, key, one_of_them);
    }
    return all;
}

static void add_networks(const struct snapshot *s, json_t *out)
{
    enum net_kind kind;
    struct err ignored;
    if (net_plan(json_str(s->host, "NetworkMode", ""), &kind, &ignored) < 0 || kind == NET_HOST)
        return;
    autofree char *path = str_printf("/proc/%d/net/dev", s->pid);
    autofree char *text = file_read(AT_FDCWD, path, PROC_FILE_MAX, NULL, &ignored);
    json_auto_t *all = stats_networks(text);
    if (json_object_size(all) > 0)
        json_object_set(out, "networks", all);
}

/* ---- all of it ---- */

json_t *stats_read(struct engine *en, struct container *c)
{
    const struct group g = {en, c, cgroup_is_v2()};
    return json_pack("{s:o, s:o, s:o, s:o}", "cpu_stats", cpu(&g), "memory_stats", memory(&g), "pids_stats",
                     processes(&g), "blkio_stats", block_io(&g));
}

static json_t *nothing(void)
{
    return json_pack("{s:o, s:{}, s:{}, s:o}", "cpu_stats", no_cpu(), "memory_stats", "pids_stats", "blkio_stats",
                     block_io(NULL));
}

static json_t *stats(struct engine *en, struct container *c, const json_t *before)
{
    struct snapshot s;
    char now[CLOCK_TEXT];
    snapshot_take(en, c, &s);
    bool runs = state_alive(s.state);
    struct span span = trace_begin(3, "read the counters of its control groups");
    json_t *out = runs ? stats_read(en, c) : nothing();
    trace_end(&span, "cpu, memory, pids, %s; version %d", cgroup_is_v2() ? "io" : "blkio", cgroup_is_v2() ? 2 : 1);
    autofree char *name = str_printf("/%s", s.name);
    json_t *past = json_object_get(before, "cpu_stats");
    json_object_set_new(out, "read", json_string(runs ? clock_format(clock_real(), now) : NEVER));
    json_object_set_new(out, "preread", json_string(past ? json_str(before, "read", NEVER) : NEVER));
    json_object_set_new(out, "precpu_stats", past ? json_incref(past) : no_cpu());
    json_object_set_new(out, "num_procs", json_integer(0));
    json_object_set_new(out, "storage_stats", json_object());
    json_object_set_new(out, "name", json_string(name));
    json_object_set_new(out, "id", json_string(c->id));
    if (runs)
        add_networks(&s, out);
    snapshot_release(&s);
    return out;
}

json_t *engine_stats(struct engine *en, const char *name, const json_t *before, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    return c ? stats(en, c, before) : NULL;
}
