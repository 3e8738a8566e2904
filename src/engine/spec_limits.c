/* Limits of a container: HostConfig's numbers as OCI "linux.resources" and "process.rlimits".
 *
 * The OCI names are cgroup v1's; the runtime translates them where v2 is mounted. Only what was asked for is written:
 * an absent key leaves the kernel's own value.
 *
 * Source: OCI runtime-spec config-linux.md "Control groups"; Engine API "Resources"; getrlimit(2). */
#include "engine/spec.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static void set_int(json_t *o, const char *key, int64_t v)
{
    if (v != 0)
        json_object_set_new(o, key, json_integer(v));
}

static void set_text(json_t *o, const char *key, const char *v)
{
    if (*v)
        json_object_set_new(o, key, json_string(v));
}

static json_t *memory(const json_t *host)
{
    json_t *m = json_object();
    int64_t limit = json_int(host, "Memory", 0), swap = json_int(host, "MemorySwap", 0);
    set_int(m, "limit", limit);
    set_int(m, "reservation", json_int(host, "MemoryReservation", 0));
    /* As Docker: with a limit and no word on swap, as much swap again; the value counts both. */
    set_int(m, "swap", swap != 0 ? swap : limit > INT64_MAX / 2 ? -1 : limit * 2);
    if (json_is_integer(json_object_get(host, "MemorySwappiness")))
        json_object_set(m, "swappiness", json_object_get(host, "MemorySwappiness"));
    if (json_is(host, "OomKillDisable"))
        json_object_set_new(m, "disableOOMKiller", json_true());
    return m;
}

static json_t *cpu(const json_t *host)
{
    json_t *c = json_object();
    int64_t nano = json_int(host, "NanoCpus", 0), period = json_int(host, "CpuPeriod", 0);
    set_int(c, "shares", json_int(host, "CpuShares", 0));
    if (nano > 0) { /* so many thousand-millionths of a CPU, over a period of 100 ms */
        set_int(c, "period", 100000);
        set_int(c, "quota", nano / 10000);
    } else {
        set_int(c, "period", period);
        set_int(c, "quota", json_int(host, "CpuQuota", 0));
    }
    set_int(c, "realtimePeriod", json_int(host, "CpuRealtimePeriod", 0));
    set_int(c, "realtimeRuntime", json_int(host, "CpuRealtimeRuntime", 0));
    set_text(c, "cpus", json_str(host, "CpusetCpus", ""));
    set_text(c, "mems", json_str(host, "CpusetMems", ""));
    return c;
}

/* {"Path","Rate"} as {"major","minor","rate"}. A path that is no device now was one when the container was made: it has
 * no I/O to limit. */
static json_t *rates(const json_t *list, const char *from, const char *to)
{
    json_t *out = json_array();
    json_each (v, list) {
        struct stat st;
        if (stat(json_str(v, "Path", ""), &st) == 0 && S_ISBLK(st.st_mode))
            json_array_append_new(out, json_pack("{s:I, s:I, s:I}", "major", (json_int_t)major(st.st_rdev), "minor",
                                                 (json_int_t)minor(st.st_rdev), to, (json_int_t)json_int(v, from, 0)));
    }
    return out;
}

static json_t *block_io(const json_t *host)
{
    static const char *const keys[][4] = {
        {"BlkioWeightDevice", "weightDevice", "Weight", "weight"},
        {"BlkioDeviceReadBps", "throttleReadBpsDevice", "Rate", "rate"},
        {"BlkioDeviceWriteBps", "throttleWriteBpsDevice", "Rate", "rate"},
        {"BlkioDeviceReadIOps", "throttleReadIOPSDevice", "Rate", "rate"},
        {"BlkioDeviceWriteIOps", "throttleWriteIOPSDevice", "Rate", "rate"},
    };
    json_t *b = json_object();
    set_int(b, "weight", json_int(host, "BlkioWeight", 0));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (json_array_size(json_object_get(host, keys[i][0])) > 0)
            json_object_set_new(b, keys[i][1], rates(json_object_get(host, keys[i][0]), keys[i][2], keys[i][3]));
    return b;
}

json_t *spec_resources(const json_t *host)
{
    const struct {
        const char *key;
        json_t *value;
    } parts[] = {{"memory", memory(host)}, {"cpu", cpu(host)}, {"blockIO", block_io(host)}};
    json_t *r = json_object();
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (json_object_size(parts[i].value) > 0)
            json_object_set(r, parts[i].key, parts[i].value);
        json_decref(parts[i].value);
    }
    if (json_int(host, "PidsLimit", 0) > 0)
        json_object_set_new(r, "pids", json_pack("{s:I}", "limit", (json_int_t)json_int(host, "PidsLimit", 0)));
    return r;
}

int ulimit_resource(const char *name)
{
    static const struct {
        const char *name;
        int resource;
    } known[] = {{"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
                 {"data", RLIMIT_DATA},         {"fsize", RLIMIT_FSIZE},
                 {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK},
                 {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
                 {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},
                 {"rss", RLIMIT_RSS},           {"rtprio", RLIMIT_RTPRIO},
                 {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
                 {"stack", RLIMIT_STACK}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(known[i].name, name))
            return known[i].resource;
    return -1;
}

/* The daemon's own, as it was before it was raised. */
static struct rlimit files;

void engine_raise_files(void)
{
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){files.rlim_max, files.rlim_max});
}

json_t *spec_rlimits(const json_t *host, struct err *e)
{
    json_auto_t *out = json_array();
    bool keep_files = files.rlim_max > 0;
    json_each (u, json_object_get(host, "Ulimits")) {
        const char *name = json_str(u, "Name", "");
        int64_t soft = json_int(u, "Soft", 0), hard = json_int(u, "Hard", 0);
        autofree char *type = str_printf("RLIMIT_%s", name);
        keep_files = keep_files && !str_eq(name, "nofile");
        if (ulimit_resource(name) < 0)
            return err_null(err_set(e, ERR_INVALID, "invalid ulimit type: %.32s", name));
        if (hard >= 0 && (soft > hard || soft == -1))
            return err_null(err_set(e, ERR_INVALID,
                                    "ulimit soft limit must be less than or equal to hard limit: %s: %lld > %lld", name,
                                    (long long)soft, (long long)hard));
        for (char *p = type; *p; p++)
            *p = (char)toupper((unsigned char)*p);
        json_array_append_new(
            out, json_pack("{s:s, s:I, s:I}", "type", type, "soft", (json_int_t)soft, "hard", (json_int_t)hard));
    }
    if (keep_files)
        json_array_append_new(out, json_pack("{s:s, s:I, s:I}", "type", "RLIMIT_NOFILE", "soft",
                                             (json_int_t)files.rlim_cur, "hard", (json_int_t)files.rlim_max));
    return json_incref(out);
}
