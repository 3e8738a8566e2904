/* Limits on version 1: the names of config.json are those of its files, so most of this is a table.
 *
 * Zero means "not asked for" in all of these numbers (that is what managers send for an unset one), except where the
 * table says otherwise. */
#include "runtime/cgroup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>

static const struct {
    const char *key; /* below "resources" */
    const char *controller, *file;
    bool zero_counts;
} numbers[] = {
    {"memory.reservation", "memory", "memory.soft_limit_in_bytes", false},
    {"memory.kernelTCP", "memory", "memory.kmem.tcp.limit_in_bytes", false},
    {"memory.swappiness", "memory", "memory.swappiness", true},
    {"cpu.shares", "cpu", "cpu.shares", false},
    {"cpu.period", "cpu", "cpu.cfs_period_us", false},
    {"cpu.quota", "cpu", "cpu.cfs_quota_us", false},
    {"cpu.realtimePeriod", "cpu", "cpu.rt_period_us", false},
    {"cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us", false},
    {"cpu.idle", "cpu", "cpu.idle", false},
    {"network.classID", "net_cls", "net_cls.classid", false},
};

/* "swap" counts memory and swap together, and the kernel keeps it above the memory limit at every instant: which of the
 * two must be written first depends on whether they grow or shrink. */
static int limit_memory(const struct cgroup *cg, const struct runtime *rt, const json_t *m, struct err *e)
{
    int64_t limit = json_int(m, "limit", 0), swap = json_int(m, "swap", 0);
    bool counted = cgroup_has_file(cg, "memory", "memory.memsw.limit_in_bytes");
    if (swap != 0 && !counted && cgroup_path(cg, "memory")) {
        runtime_warn(rt, "the kernel does not count swap; the limit on memory and swap is not applied");
        swap = 0;
    }
    int r = limit != 0 ? cgroup_put_int(cg, "memory", "memory.limit_in_bytes", limit, e) : 0;
    bool again = r < 0 && swap != 0;
    if ((r == 0 || again) && swap != 0)
        r = cgroup_put_int(cg, "memory", "memory.memsw.limit_in_bytes", swap, e);
    if (r == 0 && again)
        r = cgroup_put_int(cg, "memory", "memory.limit_in_bytes", limit, e);
    if (r == 0 && json_is(m, "disableOOMKiller"))
        r = cgroup_put(cg, "memory", "memory.oom_control", "1", e);
    return r;
}

static int limit_network(const struct cgroup *cg, const json_t *list, struct err *e)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        autofree char *line = str_printf("%s %lld", json_str(v, "name", ""), (long long)json_int(v, "priority", 0));
        if (cgroup_put(cg, "net_prio", "net_prio.ifpriomap", line, e) < 0)
            return -1;
    }
    return 0;
}

int cgroup_limit_v1(const struct cgroup *cg, const struct runtime *rt, const json_t *resources, struct err *e)
{
    int64_t pids = json_int(resources, "pids.limit", 0);
    if (json_object_size(json_object_get(resources, "unified")) > 0)
        return err_set(e, ERR_INVALID, "linux.resources.unified needs control groups of version 2");
    if (json_object_size(json_object_get(resources, "rdma")) > 0)
        return err_set(e, ERR_NOT_IMPLEMENTED, "linux.resources.rdma is not supported");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const json_t *v = json_at(resources, numbers[i].key);
        if (!json_is_integer(v) || (json_integer_value(v) == 0 && !numbers[i].zero_counts))
            continue;
        if (cgroup_put_int(cg, numbers[i].controller, numbers[i].file, json_integer_value(v), e) < 0)
            return -1;
    }
    if (limit_memory(cg, rt, json_object_get(resources, "memory"), e) < 0 ||
        cgroup_limit_cpuset(cg, json_object_get(resources, "cpu"), e) < 0 ||
        cgroup_limit_huge_pages(cg, resources, "limit_in_bytes", e) < 0 ||
        limit_network(cg, json_at(resources, "network.priorities"), e) < 0 ||
        cgroup_limit_io(cg, json_object_get(resources, "blockIO"), e) < 0)
        return -1;
    if (pids != 0 &&
        (pids < 0 ? cgroup_put(cg, "pids", "pids.max", "max", e) : cgroup_put_int(cg, "pids", "pids.max", pids, e)) < 0)
        return -1;
    return 0;
}
