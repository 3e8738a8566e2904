/* Limits, stats and seccomp profiles of the engine, against folders that stand for control groups of either version.
 * Needs no root. */
#include "engine/limits.h"
#include "engine/spec.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/gorae-unit.XXXXXX";

static void setup(void)
{
    mem_setup();
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    cgroup_root = dir;
}

static void teardown(void)
{
    ck_assert_int_eq(tree_remove(AT_FDCWD, dir, NULL), 0);
}

static void put(const char *name, const char *text)
{
    struct err e;
    autofree char *path = str_printf("%s/%s", dir, name), *above = mem_strndup(path, strrchr(path, '/') - path);
    ck_assert_msg(dir_make_all(above, 0700, &e) == 0, "%s", e.msg);
    ck_assert_msg(file_replace_volatile(AT_FDCWD, path, text, strlen(text), 0600, &e) == 0, "%s", e.msg);
}

static json_t *parse(const char *text)
{
    struct err e;
    json_t *j = json_parse(text, strlen(text), &e);
    ck_assert_msg(j != NULL, "%s: %s", text, e.msg);
    return j;
}

START_TEST(sets_of_cpus)
{
    static const char *const good[] = {"0", "0-3", "0,2,4-6", "8191"};
    static const char *const bad[] = {
        "", ",", "0,", "-1", "1-", "3-1", "x", "0-9223372036854775807", "8192", "0 1", "99999999999999999999", "0-+3"};
    unsigned char set[LIMITS_SET_MAX] = {0};
    for (size_t i = 0; i < COUNT(good); i++)
        ck_assert_msg(limits_parse_set(good[i], NULL) == 0, "%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(limits_parse_set(bad[i], NULL) < 0, "%s", bad[i]);
    ck_assert_int_eq(limits_parse_set("1,3-4", set), 0);
    ck_assert(!set[0] && set[1] && !set[2] && set[3] && set[4] && !set[5]);
}
END_TEST

#define EVERYTHING                                                                                                   \
    "{\"Memory\":1,\"MemorySwap\":2,\"MemoryReservation\":1,\"MemorySwappiness\":0,\"CpuShares\":3,\"PidsLimit\":4," \
    "\"NanoCpus\":5,\"CpusetCpus\":\"0\",\"BlkioWeight\":10,\"OomKillDisable\":true,\"KernelMemory\":6}"

static void discarded(const char *expect)
{
    json_auto_t *host = parse(EVERYTHING), *warnings = json_array();
    autostr names = STR_INIT;
    const char *key;
    json_t *v;
    limits_discard(host, warnings);
    str_add(&names, "");
    json_object_foreach(host, key, v)
    {
        if (json_is_null(v) || (json_is_integer(v) && json_integer_value(v) == 0 && !str_eq(key, "MemorySwappiness")) ||
            (json_is_string(v) && !*json_string_value(v)))
            str_addf(&names, "%s ", key);
    }
    ck_assert_str_eq(names.s, expect);
}

START_TEST(what_the_kernel_lacks_is_discarded)
{
    discarded("Memory MemorySwap MemoryReservation MemorySwappiness CpuShares PidsLimit NanoCpus CpusetCpus "
              "BlkioWeight OomKillDisable KernelMemory ");
    put("memory/memory.limit_in_bytes", "");
    put("memory/memory.soft_limit_in_bytes", "");
    put("memory/memory.swappiness", "");
    put("cpu/cpu.shares", "");
    put("cpu/cpu.cfs_quota_us", "");
    put("blkio/blkio.bfq.weight", "");
    discarded("MemorySwap PidsLimit CpusetCpus OomKillDisable KernelMemory ");
    put("cgroup.controllers", "cpu memory pids\n"); /* now it is version 2 */
    discarded("MemorySwappiness CpusetCpus BlkioWeight OomKillDisable KernelMemory ");
    put("cgroup.controllers", "cpuset memoryx io\n");
    discarded("Memory MemorySwap MemoryReservation MemorySwappiness CpuShares PidsLimit NanoCpus OomKillDisable "
              "KernelMemory ");
}
END_TEST

START_TEST(restart_policies)
{
    static const struct {
        const char *json;
        enum err_kind kind;
    } t[] = {{"{}", ERR_NONE},
             {"{\"RestartPolicy\":{\"Name\":\"no\",\"MaximumRetryCount\":0}}", ERR_NONE},
             {"{\"RestartPolicy\":{\"Name\":\"nosuch\"}}", ERR_INVALID},
             {"{\"RestartPolicy\":{\"Name\":\"always\",\"MaximumRetryCount\":1}}", ERR_INVALID},
             {"{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":-1}}", ERR_INVALID},
             {"{\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"always\"}}", ERR_INVALID}};
    for (size_t i = 0; i < COUNT(t); i++) {
        struct err e = {0};
        json_auto_t *host = parse(t[i].json);
        restart_policy_check(host, &e);
        ck_assert_msg(e.kind == t[i].kind, "%s: %s", t[i].json, e.msg);
    }
}
END_TEST

/* ---- stats ---- */

static struct engine engine = {.opt = {.cgroup_parent = "/p"}};

static json_t *read_all(void)
{
    static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    struct container *c = container_new(&engine, id);
    c->host = json_object();
    json_t *out = stats_read(&engine, c);
    container_put(&engine, c);
    return out;
}

#define AT(controller) controller "/p/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/"

START_TEST(stats_of_version_1)
{
    put(AT("cpuacct") "cpuacct.usage", "123456789\n");
    put(AT("cpuacct") "cpuacct.stat", "user 7\nsystem 3\n");
    put(AT("cpuacct") "cpuacct.usage_percpu", "100 200 \n");
    put(AT("cpu") "cpu.stat", "nr_periods 5\nnr_throttled 2\nthrottled_time 99\n");
    put(AT("memory") "memory.usage_in_bytes", "4096\n");
    put(AT("memory") "memory.max_usage_in_bytes", "8192\n");
    put(AT("memory") "memory.limit_in_bytes", "16384\n");
    put(AT("memory") "memory.failcnt", "4\n");
    put(AT("memory") "memory.stat", "cache 1\nhierarchical_memory_limit 18446744073709551615\ntotal_inactive_file 2\n");
    put(AT("pids") "pids.current", "6\n");
    put(AT("pids") "pids.max", "max\n");
    put(AT("blkio") "blkio.throttle.io_service_bytes_recursive", "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n");
    json_auto_t *s = read_all();
    json_int_t tick = 1000000000 / sysconf(_SC_CLK_TCK);
    ck_assert_int_eq(json_int(s, "cpu_stats.cpu_usage.total_usage", 0), 123456789);
    ck_assert_int_eq(json_int(s, "cpu_stats.cpu_usage.usage_in_usermode", 0), 7 * tick);
    ck_assert_int_eq(json_int(s, "cpu_stats.cpu_usage.usage_in_kernelmode", 0), 3 * tick);
    ck_assert_int_eq(json_array_size(json_at(s, "cpu_stats.cpu_usage.percpu_usage")), 2);
    ck_assert_int_gt(json_int(s, "cpu_stats.system_cpu_usage", 0), 0);
    ck_assert_int_eq(json_int(s, "cpu_stats.throttling_data.throttled_time", 0), 99);
    ck_assert_int_eq(json_int(s, "memory_stats.usage", 0), 4096);
    ck_assert_int_eq(json_int(s, "memory_stats.max_usage", 0), 8192);
    ck_assert_int_eq(json_int(s, "memory_stats.limit", 0), 16384);
    ck_assert_int_eq(json_int(s, "memory_stats.failcnt", 0), 4);
    ck_assert_int_eq(json_int(s, "memory_stats.stats.total_inactive_file", 0), 2);
    ck_assert_int_eq(json_int(s, "memory_stats.stats.hierarchical_memory_limit", 0), INT64_MAX);
    ck_assert_int_eq(json_int(s, "pids_stats.current", 0), 6);
    ck_assert_ptr_null(json_at(s, "pids_stats.limit"));
    json_t *io = json_at(s, "blkio_stats.io_service_bytes_recursive");
    ck_assert_int_eq(json_array_size(io), 3);
    ck_assert_str_eq(json_str(json_array_get(io, 1), "op", ""), "Write");
    ck_assert_int_eq(json_int(json_array_get(io, 1), "value", 0), 20);
}
END_TEST

START_TEST(stats_of_version_2)
{
    put("cgroup.controllers", "cpu io memory pids\n");
    put(AT("") "cpu.stat",
        "usage_usec 11\nuser_usec 7\nsystem_usec 4\nnr_periods 3\nnr_throttled 2\nthrottled_usec 5\n");
    put(AT("") "memory.current", "4096\n");
    put(AT("") "memory.max", "max\n");
    put(AT("") "memory.stat", "anon 1\ninactive_file 2\n");
    put(AT("") "memory.events", "low 0\noom 3\noom_kill 1\n");
    put(AT("") "pids.current", "6\n");
    put(AT("") "pids.max", "9\n");
    put(AT("") "io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=1\nxx\n");
    json_auto_t *s = read_all();
    ck_assert_int_eq(json_int(s, "cpu_stats.cpu_usage.total_usage", 0), 11000);
    ck_assert_int_eq(json_int(s, "cpu_stats.cpu_usage.usage_in_kernelmode", 0), 4000);
    ck_assert_ptr_null(json_at(s, "cpu_stats.cpu_usage.percpu_usage"));
    ck_assert_int_eq(json_int(s, "cpu_stats.throttling_data.throttled_time", 0), 5000);
    ck_assert_int_eq(json_int(s, "memory_stats.usage", 0), 4096);
    ck_assert_int_gt(json_int(s, "memory_stats.limit", 0), 1 << 20); /* the machine's */
    ck_assert_int_eq(json_int(s, "memory_stats.failcnt", 0), 3);
    ck_assert_int_eq(json_int(s, "memory_stats.stats.inactive_file", 0), 2);
    ck_assert_int_eq(json_int(s, "pids_stats.limit", 0), 9);
    json_t *bytes = json_at(s, "blkio_stats.io_service_bytes_recursive"),
           *count = json_at(s, "blkio_stats.io_serviced_recursive");
    ck_assert_int_eq(json_array_size(bytes), 3);
    ck_assert_str_eq(json_str(json_array_get(bytes, 1), "op", ""), "write");
    ck_assert_int_eq(json_int(json_array_get(bytes, 1), "value", 0), 20);
    ck_assert_int_eq(json_int(json_array_get(bytes, 2), "minor", 0), 16);
    ck_assert_int_eq(json_int(json_array_get(count, 1), "value", 0), 2);
}
END_TEST

START_TEST(stats_of_nothing)
{
    json_auto_t *s = read_all();
    ck_assert_int_eq(json_int(s, "cpu_stats.cpu_usage.total_usage", -1), 0);
    ck_assert_int_eq(json_int(s, "pids_stats.current", -1), 0);
}
END_TEST

START_TEST(stats_of_interfaces)
{
    json_auto_t *n = stats_networks("Inter-|   Receive                                                |  Transmit\n"
                                    " face |bytes    packets errs drop fifo frame compressed multicast|bytes packets\n"
                                    "    lo:  999 9 0 0 0 0 0 0 999 9 0 0 0 0 0 0\n"
                                    "  eth0: 11 2 3 4 0 0 0 0 55 6 7 8 0 0 0 0\n"
                                    "eth1:1\n");
    ck_assert_int_eq(json_object_size(n), 2);
    ck_assert_int_eq(json_int(n, "eth0.rx_bytes", 0), 11);
    ck_assert_int_eq(json_int(n, "eth0.rx_dropped", 0), 4);
    ck_assert_int_eq(json_int(n, "eth0.tx_bytes", 0), 55);
    ck_assert_int_eq(json_int(n, "eth0.tx_dropped", 0), 8);
    ck_assert_int_eq(json_int(n, "eth1.rx_bytes", 0), 1);
    json_auto_t *none = stats_networks(NULL);
    ck_assert_int_eq(json_object_size(none), 0);
}
END_TEST

/* ---- profiles ---- */

START_TEST(profiles)
{
    struct err e = {0};
    json_auto_t *caps = json_pack("[s]", "CAP_SYS_ADMIN");
    static const struct {
        const char *rule;
        bool kept;
    } t[] = {{"{\"names\":[\"a\"],\"action\":\"X\"}", true},
             {"{\"names\":[\"a\"],\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}}", true},
             {"{\"names\":[\"a\"],\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_BPF\"]}}", false},
             {"{\"names\":[\"a\"],\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_BPF\"]}}", false},
             {"{\"names\":[\"a\"],\"excludes\":{\"caps\":[\"CAP_BPF\"]}}", true},
             {"{\"names\":[\"a\"],\"includes\":{\"arches\":[\"s390x\"]}}", false},
             {"{\"names\":[\"a\"],\"includes\":{\"arches\":[\"amd64\",\"arm64\"]}}", true},
             {"{\"names\":[\"a\"],\"excludes\":{\"arches\":[\"amd64\",\"arm64\"]}}", false},
             {"{\"names\":[\"a\"],\"includes\":{\"minKernel\":\"3.0\"}}", true},
             {"{\"names\":[\"a\"],\"includes\":{\"minKernel\":\"99.0\"}}", false},
             {"{\"names\":[\"a\"],\"excludes\":{\"minKernel\":\"3.0\"}}", false}};
    for (size_t i = 0; i < COUNT(t); i++) {
        autofree char *text = str_printf("{\"defaultAction\":\"A\",\"archMap\":[],\"syscalls\":[%s]}", t[i].rule);
        json_auto_t *p = seccomp_of_text(text, caps, &e);
        ck_assert_msg(p && (json_array_size(json_object_get(p, "syscalls")) == 1) == t[i].kept, "%s", t[i].rule);
        ck_assert_ptr_null(json_object_get(p, "archMap"));
    }
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"defaultAction\":1}",
        "{\"defaultAction\":\"A\",\"archMap\":[{}],\"architectures\":[\"x\"]}",
        "{\"defaultAction\":\"A\",\"syscalls\":[{\"includes\":{\"minKernel\":\"new\"}}]}"};
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(!seccomp_of_text(bad[i], caps, &e), "%s", bad[i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("limits");
    TCase *c = unit_case(s, "limits");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, sets_of_cpus);
    tcase_add_test(c, what_the_kernel_lacks_is_discarded);
    tcase_add_test(c, restart_policies);
    tcase_add_test(c, stats_of_version_1);
    tcase_add_test(c, stats_of_version_2);
    tcase_add_test(c, stats_of_nothing);
    tcase_add_test(c, stats_of_interfaces);
    tcase_add_test(c, profiles);
    return unit_run(s);
}
