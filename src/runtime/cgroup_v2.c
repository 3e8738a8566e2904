/* Limits on version 2. config.json speaks version 1, so some numbers change their scale on the way:
 *
 *     cpu.shares  2 … 262144 (normal 1024)  →  cpu.weight  1 … 10000 (normal 100)
 *     blockIO.weight  10 … 1000             →  io.weight   1 … 10000
 *     memory.swap  memory and swap          →  memory.swap.max  swap alone
 *     cpu.quota, cpu.period                 →  cpu.max  "quota period"
 *
 * "unified" holds version 2 files by their own names and is written last, so it can set what no other key reaches.
 *
 * Disabling the OOM killer and swappiness do not exist on version 2: asked for, they are a warning.
 * Source: Documentation/admin-guide/cgroup-v2.rst; OCI runtime-spec config-linux.md. */
#include "runtime/cgroup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

static int put_max(const struct cgroup *cg, const char *controller, const char *file, int64_t value, struct err *e)
{
    return value < 0 ? cgroup_put(cg, controller, file, "max", e) : cgroup_put_int(cg, controller, file, value, e);
}

static int limit_memory(const struct cgroup *cg, const struct runtime *rt, const json_t *m, struct err *e)
{
    int64_t limit = json_int(m, "limit", 0), swap = json_int(m, "swap", 0), low = json_int(m, "reservation", 0);
    if (swap > 0 && (limit <= 0 || swap < limit))
        return err_set(e, ERR_INVALID,
                       "a limit on memory and swap must come with a limit on memory, and not be below it");
    if (limit != 0 && put_max(cg, "memory", "memory.max", limit, e) < 0)
        return -1;
    if (low != 0 && put_max(cg, "memory", "memory.low", low, e) < 0)
        return -1;
    if (json_is(m, "disableOOMKiller"))
        runtime_warn(rt, "control groups of version 2 cannot disable the OOM killer");
    if (json_int(m, "swappiness", -1) >= 0)
        runtime_warn(rt, "control groups of version 2 have no swappiness");
    if (swap != 0 && cgroup_has_file(cg, "memory", "memory.max") && !cgroup_has_file(cg, "memory", "memory.swap.max")) {
        runtime_warn(rt, "the kernel does not count swap; the limit on memory and swap is not applied");
        return 0;
    }
    return swap != 0 ? put_max(cg, "memory", "memory.swap.max", swap < 0 ? -1 : swap - limit, e) : 0;
}

int64_t cgroup_weight_of_shares(int64_t shares)
{
    return 1 + (shares - 2) * 9999 / 262142;
}

static int limit_cpu(const struct cgroup *cg, const json_t *cpu, struct err *e)
{
    int64_t shares = json_int(cpu, "shares", 0), quota = json_int(cpu, "quota", 0), period = json_int(cpu, "period", 0);
    if (shares < 0 || shares == 1 || shares > 262144)
        return err_set(e, ERR_INVALID, "cpu.shares is not between 2 and 262144");
    if (shares != 0 && cgroup_put_int(cg, "cpu", "cpu.weight", cgroup_weight_of_shares(shares), e) < 0)
        return -1;
    if (quota != 0 || period != 0) {
        char most[24] = "max", text[64];
        if (quota > 0)
            snprintf(most, sizeof(most), "%lld", (long long)quota);
        snprintf(text, sizeof(text), "%s %lld", most, (long long)(period ? period : 100000));
        if (cgroup_put(cg, "cpu", "cpu.max", text, e) < 0)
            return -1;
    }
    return cgroup_limit_cpuset(cg, cpu, e);
}

static int limit_unified(const struct cgroup *cg, const json_t *unified, struct err *e)
{
    const char *file;
    json_t *v;
    json_object_foreach((json_t *)unified, file, v)
    {
        const char *dot = strchr(file, '.');
        if (!dot || strchr(file, '/') || str_starts(file, "cgroup.") || !json_is_string(v))
            return err_set(e, ERR_INVALID, "linux.resources.unified: \"%.64s\" is not a file of a controller", file);
        autofree char *controller = mem_strndup(file, (size_t)(dot - file));
        if (cgroup_put(cg, controller, file, json_string_value(v), e) < 0)
            return -1;
    }
    return 0;
}

int cgroup_limit_v2(const struct cgroup *cg, const struct runtime *rt, const json_t *resources, struct err *e)
{
    int64_t pids = json_int(resources, "pids.limit", 0);
    if (json_object_size(json_object_get(resources, "rdma")) > 0)
        return err_set(e, ERR_NOT_IMPLEMENTED, "linux.resources.rdma is not supported");
    if (json_int(resources, "network.classID", 0) != 0 || json_array_size(json_at(resources, "network.priorities")) > 0)
        return err_set(e, ERR_INVALID, "linux.resources.network needs control groups of version 1");
    if (limit_memory(cg, rt, json_object_get(resources, "memory"), e) < 0 ||
        limit_cpu(cg, json_object_get(resources, "cpu"), e) < 0 ||
        cgroup_limit_huge_pages(cg, resources, "max", e) < 0 ||
        cgroup_limit_io(cg, json_object_get(resources, "blockIO"), e) < 0)
        return -1;
    if (pids != 0 && put_max(cg, "pids", "pids.max", pids, e) < 0)
        return -1;
    return limit_unified(cg, json_object_get(resources, "unified"), e);
}

static int limit_weight(const struct cgroup *cg, int64_t weight, struct err *e)
{
    if (weight == 0)
        return 0;
    if (weight < 10 || weight > 1000)
        return err_set(e, ERR_INVALID, "blockIO.weight is not between 10 and 1000");
    /* The same knob has another name where the BFQ scheduler provides it, and there it keeps the old scale. */
    if (cg->version == 1)
        return cgroup_put_int(
            cg, "blkio", cgroup_has_file(cg, "blkio", "blkio.weight") ? "blkio.weight" : "blkio.bfq.weight", weight, e);
    if (cgroup_has_file(cg, "io", "io.bfq.weight"))
        return cgroup_put_int(cg, "io", "io.bfq.weight", weight, e);
    return cgroup_put_int(cg, "io", "io.weight", 1 + (weight - 10) * 9999 / 990, e);
}

/* "major:minor weight", a line a device, beside the weight for all. */
static int limit_weights(const struct cgroup *cg, const json_t *list, struct err *e)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        int64_t weight = json_int(v, "weight", 0);
        bool bfq = cg->version == 1 ? !cgroup_has_file(cg, "blkio", "blkio.weight_device")
                                    : cgroup_has_file(cg, "io", "io.bfq.weight");
        if (weight < 10 || weight > 1000)
            return err_set(e, ERR_INVALID, "blockIO.weightDevice: a weight is not between 10 and 1000");
        autofree char *line =
            str_printf("%lld:%lld %lld", (long long)json_int(v, "major", 0), (long long)json_int(v, "minor", 0),
                       (long long)(cg->version == 1 || bfq ? weight : 1 + (weight - 10) * 9999 / 990));
        const char *file = cg->version == 1 ? (bfq ? "blkio.bfq.weight_device" : "blkio.weight_device")
                           : bfq            ? "io.bfq.weight"
                                            : "io.weight";
        if (cgroup_put(cg, cg->version == 1 ? "blkio" : "io", file, line, e) < 0)
            return -1;
    }
    return 0;
}

int cgroup_limit_io(const struct cgroup *cg, const json_t *block, struct err *e)
{
    static const struct {
        const char *key, *v1, *v2;
    } rates[] = {{"throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"},
                 {"throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"},
                 {"throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"},
                 {"throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"}};
    if (limit_weight(cg, json_int(block, "weight", 0), e) < 0 ||
        limit_weights(cg, json_object_get(block, "weightDevice"), e) < 0)
        return -1;
    for (size_t k = 0; k < sizeof(rates) / sizeof(rates[0]); k++) {
        size_t i;
        json_t *v;
        json_array_foreach(json_object_get(block, rates[k].key), i, v)
        {
            autofree char *line = str_printf("%lld:%lld %s%s%lld", (long long)json_int(v, "major", 0),
                                             (long long)json_int(v, "minor", 0), cg->version == 1 ? "" : rates[k].v2,
                                             cg->version == 1 ? "" : "=", (long long)json_int(v, "rate", 0));
            if (cgroup_put(cg, cg->version == 1 ? "blkio" : "io", cg->version == 1 ? rates[k].v1 : "io.max", line, e) <
                0)
                return -1;
        }
    }
    return 0;
}
