/* Limits, before they become files of the kernel: see limits.h.
 *
 * Three questions, each with its own answer. Is the value possible at all? If not, the request is refused, in the words
 * that Docker's users know. Does this kernel have a file for it? If not, the limit is dropped with a warning, as Docker
 * does, since a laptop's kernel should not keep a lab's command line from working. Has this daemon the right? If not,
 * the runtime does what it can, and the warning says so beforehand, when somebody is still reading.
 *
 * Numbers come from outside and are bounded before they size anything: a CPU list "0-9223372036854775807" once made an
 * engine allocate all of memory (CVE-2018-20699).
 *
 * Read next: spec_limits.c, which translates; update.c, which changes them while the container runs. */
#include "engine/limits.h"
#include "engine/spec.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_MIN (INT64_C(6) << 20)

/* ---- possible at all ---- */

static int check_memory(const json_t *host, struct err *e)
{
    int64_t memory = json_int(host, "Memory", 0), swap = json_int(host, "MemorySwap", 0);
    int64_t reservation = json_int(host, "MemoryReservation", 0), swappiness = json_int(host, "MemorySwappiness", 0);
    if (memory != 0 && memory < MEMORY_MIN)
        return err_set(e, ERR_INVALID, "Minimum memory limit allowed is 6MB");
    if (swap > 0 && memory == 0)
        return err_set(e, ERR_INVALID, "You should always set the Memory limit when using Memoryswap limit");
    if (swap < -1 || (swap > 0 && swap < memory))
        return err_set(e, ERR_INVALID, "Minimum memoryswap limit should be larger than memory limit");
    if (reservation > 0 && reservation < MEMORY_MIN)
        return err_set(e, ERR_INVALID, "Minimum memory reservation allowed is 6MB");
    if (reservation < 0 || (memory > 0 && reservation > memory))
        return err_set(e, ERR_INVALID, "Minimum memory limit can not be less than memory reservation limit");
    if (swappiness < -1 || swappiness > 100)
        return err_set(e, ERR_INVALID, "Invalid value: %lld, valid memory swappiness range is 0-100",
                       (long long)swappiness);
    int64_t oom = json_int(host, "OomScoreAdj", 0);
    if (oom < -1000 || oom > 1000)
        return err_set(e, ERR_INVALID, "Invalid value %lld, range for oom score adj is [-1000, 1000]", (long long)oom);
    if (json_int(host, "ShmSize", 0) < 0)
        return err_set(e, ERR_INVALID, "SHM size can not be less than 0");
    return 0;
}

int limits_parse_set(const char *text, unsigned char *set)
{
    for (const char *p = text;;) {
        char *end;
        if (*p < '0' || *p > '9')
            return -1;
        unsigned long from = strtoul(p, &end, 10), to = from;
        if (*end == '-') {
            p = end + 1;
            if (*p < '0' || *p > '9')
                return -1;
            to = strtoul(p, &end, 10);
        }
        if (from > to || to >= LIMITS_SET_MAX || (*end && *end != ','))
            return -1;
        for (unsigned long i = from; set && i <= to; i++)
            set[i] = 1;
        if (!*end)
            return 0;
        p = end + 1;
    }
}

/* What may be asked for: what the kernel has at the top of its tree. Unknown is no reason to refuse. */
static int check_set(const json_t *host, const char *key, const char *what, const char *v1, const char *v2,
                     struct err *e)
{
    const char *wish = json_str(host, key, "");
    unsigned char want[LIMITS_SET_MAX] = {0}, have[LIMITS_SET_MAX] = {0};
    struct err ignored;
    if (!*wish)
        return 0;
    if (limits_parse_set(wish, want) < 0)
        return err_set(e, ERR_INVALID, "Invalid value %.100s for cpuset %s", wish, what);
    autofree char *path = str_printf("%s/%s", cgroup_root, cgroup_is_v2() ? v2 : v1);
    autofree char *text = file_read(AT_FDCWD, path, 65536, NULL, &ignored);
    if (!text)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    if (!*text || limits_parse_set(text, have) < 0)
        return 0;
    for (size_t i = 0; i < LIMITS_SET_MAX; i++)
        if (want[i] && !have[i])
            return err_set(e, ERR_INVALID, "Requested %s are not available - requested %.100s, available: %.100s", what,
                           wish, text);
    return 0;
}

static int check_cpu(const json_t *host, struct err *e)
{
    int64_t nano = json_int(host, "NanoCpus", 0), period = json_int(host, "CpuPeriod", 0);
    int64_t quota = json_int(host, "CpuQuota", 0), shares = json_int(host, "CpuShares", 0);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (nano < 0 || (nano > 0 && nano > cpus * INT64_C(1000000000)))
        return err_set(e, ERR_INVALID, "Range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs available",
                       cpus, cpus);
    if (nano > 0 && (period || quota))
        return err_set(e, ERR_INVALID,
                       "Conflicting options: Nano CPUs cannot be set together with CPU period or quota");
    if (period != 0 && (period < 1000 || period > 1000000))
        return err_set(e, ERR_INVALID,
                       "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    if (quota > 0 && quota < 1000)
        return err_set(e, ERR_INVALID, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    if (shares < 0)
        return err_set(e, ERR_INVALID, "invalid CPU shares (%lld): value must be a positive integer",
                       (long long)shares);
    if (check_set(host, "CpusetCpus", "CPUs", "cpuset/cpuset.cpus", "cpuset.cpus.effective", e) < 0)
        return -1;
    return check_set(host, "CpusetMems", "memory nodes", "cpuset/cpuset.mems", "cpuset.mems.effective", e);
}

static int check_io(const json_t *host, struct err *e)
{
    static const char *const rates[] = {"BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps",
                                        "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps"};
    int64_t weight = json_int(host, "BlkioWeight", 0);
    if (weight != 0 && (weight < 10 || weight > 1000))
        return err_set(e, ERR_INVALID, "Range of blkio weight is from 10 to 1000");
    for (size_t k = 0; k < sizeof(rates) / sizeof(rates[0]); k++) {
        json_each (v, json_object_get(host, rates[k])) {
            int64_t w = json_int(v, k == 0 ? "Weight" : "Rate", -1);
            const char *path = json_str(v, "Path", "");
            struct stat st;
            if (*path == '/' && stat(path, &st) < 0)
                return err_set(e, ERR_INVALID, "HostConfig.%s: %s: %s", rates[k], path, strerror(errno));
            if (*path == '/' && !S_ISBLK(st.st_mode))
                return err_set(e, ERR_INVALID, "HostConfig.%s: %s is no block device", rates[k], path);
            if (*path != '/' || w < 0 || (k == 0 && (w < 10 || w > 1000)))
                return err_set(e, ERR_INVALID, "HostConfig.%s: entry %zu is no device with a %s", rates[k], v_at,
                               k == 0 ? "weight from 10 to 1000" : "rate");
        }
    }
    return 0;
}

int limits_check(const json_t *host, struct err *e)
{
    return check_memory(host, e) < 0 || check_cpu(host, e) < 0 || check_io(host, e) < 0 ? -1 : 0;
}

int restart_policy_check(const json_t *host, struct err *e)
{
    static const char *const known[] = {"no", "always", "unless-stopped", "on-failure"};
    const char *name = json_str(host, "RestartPolicy.Name", "no");
    int64_t count = json_int(host, "RestartPolicy.MaximumRetryCount", 0);
    size_t i = 0;
    while (i < 4 && !str_eq(known[i], name))
        i++;
    if (i == 4)
        return err_set(e, ERR_INVALID, "invalid restart policy '%.64s'", name);
    if (count != 0 && i != 3)
        return err_set(e, ERR_INVALID, "maximum retry count cannot be used with restart policy '%s'", name);
    if (count < 0)
        return err_set(e, ERR_INVALID, "maximum retry count cannot be negative");
    if (i != 0 && json_is(host, "AutoRemove"))
        return err_set(e, ERR_INVALID, "can't create 'AutoRemove' container with restart policy");
    return 0;
}

/* ---- possible here ---- */

/* The file that a limit needs: a path below the version 1 trees (or two, where the kernel's configuration decides on
 * the name), or a controller of version 2. NULL: that version has no such thing. */
static const struct need {
    const char *key, *v1, *v1_too, *v2;
} needs[] = {
    {"Memory", "memory/memory.limit_in_bytes", NULL, "memory"},
    {"MemoryReservation", "memory/memory.soft_limit_in_bytes", NULL, "memory"},
    {"MemorySwap", "memory/memory.memsw.limit_in_bytes", NULL, "memory"},
    {"MemorySwappiness", "memory/memory.swappiness", NULL, NULL},
    {"OomKillDisable", "memory/memory.oom_control", NULL, NULL},
    {"NanoCpus", "cpu/cpu.cfs_quota_us", NULL, "cpu"},
    {"CpuShares", "cpu/cpu.shares", NULL, "cpu"},
    {"CpuPeriod", "cpu/cpu.cfs_period_us", NULL, "cpu"},
    {"CpuQuota", "cpu/cpu.cfs_quota_us", NULL, "cpu"},
    {"CpuRealtimePeriod", "cpu/cpu.rt_period_us", NULL, NULL},
    {"CpuRealtimeRuntime", "cpu/cpu.rt_runtime_us", NULL, NULL},
    {"CpusetCpus", "cpuset/cpuset.cpus", NULL, "cpuset"},
    {"CpusetMems", "cpuset/cpuset.mems", NULL, "cpuset"},
    {"PidsLimit", "pids/cgroup.procs", NULL, "pids"},
    {"BlkioWeight", "blkio/blkio.weight", "blkio/blkio.bfq.weight", "io"},
    {"BlkioWeightDevice", "blkio/blkio.weight_device", "blkio/blkio.bfq.weight_device", "io"},
    {"BlkioDeviceReadBps", "blkio/blkio.throttle.read_bps_device", NULL, "io"},
    {"BlkioDeviceWriteBps", "blkio/blkio.throttle.write_bps_device", NULL, "io"},
    {"BlkioDeviceReadIOps", "blkio/blkio.throttle.read_iops_device", NULL, "io"},
    {"BlkioDeviceWriteIOps", "blkio/blkio.throttle.write_iops_device", NULL, "io"},
    {"KernelMemory", NULL, NULL, NULL},
    {"KernelMemoryTCP", NULL, NULL, NULL},
};

static bool has_controller(const char *name)
{
    struct err ignored;
    autofree char *path = str_printf("%s/cgroup.controllers", cgroup_root);
    autofree char *list = file_read(AT_FDCWD, path, 4096, NULL, &ignored);
    size_t n = strlen(name);
    for (const char *p = list; p && *p; p += strcspn(p, " \n"), p += *p != '\0')
        if (strncmp(p, name, n) == 0 && strchr(" \n", p[n]))
            return true;
    return false;
}

static bool has_v1(const char *file)
{
    autofree char *path = file ? str_printf("%s/%s", cgroup_root, file) : NULL;
    return path && access(path, F_OK) == 0;
}

/* MemorySwappiness counts even as 0, and is null where nobody said anything. */
static bool asked(const json_t *host, const char *key)
{
    const json_t *v = json_object_get(host, key);
    return str_eq(key, "MemorySwappiness") ? json_is_integer(v) : json_says(v);
}

static json_t *unlimited(const char *key, const json_t *was)
{
    if (json_is_string(was))
        return json_string("");
    if (json_is_array(was))
        return json_array();
    return json_is_integer(was) && !str_eq(key, "MemorySwappiness") && !str_eq(key, "PidsLimit") ? json_integer(0)
                                                                                                 : json_null();
}

void limits_discard(json_t *host, json_t *warnings)
{
    bool v2 = cgroup_is_v2();
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        const struct need *n = &needs[i];
        if (!asked(host, n->key))
            continue;
        if (v2 ? n->v2 && has_controller(n->v2) : has_v1(n->v1) || has_v1(n->v1_too))
            continue;
        json_object_set_new(host, n->key, unlimited(n->key, json_object_get(host, n->key)));
        json_array_append_new(warnings, json_sprintf("HostConfig.%s is discarded: this machine's kernel has no "
                                                     "control group file for it.",
                                                     n->key));
    }
    if (json_is(host, "OomKillDisable") && json_int(host, "Memory", 0) == 0)
        json_array_append_new(warnings, json_string("The OOM killer is disabled for a container without a memory "
                                                    "limit: it can bring the whole machine to a halt."));
}

/* ---- possible for this daemon ---- */

static bool may_raise(void)
{
    struct err ignored;
    autofree char *text = file_read(AT_FDCWD, "/proc/self/status", 65536, NULL, &ignored);
    const char *p = text ? strstr(text, "CapEff:") : NULL;
    return p && (strtoull(p + strlen("CapEff:"), NULL, 16) >> CAP_SYS_RESOURCE & 1);
}

static void foretell_ulimits(const json_t *host, json_t *warnings)
{
    json_each (u, json_object_get(host, "Ulimits")) {
        struct rlimit own;
        const char *name = json_str(u, "Name", "");
        int resource = ulimit_resource(name);
        rlim_t hard = (rlim_t)json_int(u, "Hard", 0); /* -1 is RLIM_INFINITY */
        if (resource < 0 || getrlimit((unsigned)resource, &own) < 0 || hard <= own.rlim_max)
            continue;
        json_array_append_new(warnings, json_sprintf("Ulimit %s cannot be raised to %lld here: the daemon has no "
                                                     "CAP_SYS_RESOURCE. It will be %lld.",
                                                     name, (long long)hard, (long long)own.rlim_max));
    }
}

void limits_foretell(const json_t *host, json_t *warnings)
{
    struct err ignored;
    if (may_raise())
        return;
    foretell_ulimits(host, warnings);
    autofree char *text = file_read(AT_FDCWD, "/proc/self/oom_score_adj", 64, NULL, &ignored);
    int64_t own = text ? strtol(text, NULL, 10) : 0, wish = json_int(host, "OomScoreAdj", 0);
    if (wish < own && wish != 0)
        json_array_append_new(warnings, json_sprintf("OomScoreAdj cannot be lowered to %lld here: the daemon has no "
                                                     "CAP_SYS_RESOURCE. It will be %lld.",
                                                     (long long)wish, (long long)own));
}
