/* version and info: what this daemon is, and what this machine can do (spec 4.5, 4.6). */
#include "engine/health.h"
#include "engine/model.h"
#include "engine/logging.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef __aarch64__
#define ARCH "arm64"
#else
#define ARCH "amd64"
#endif

json_t *engine_version(void)
{
    struct utsname u;
    char now[16];
    uname(&u);
    snprintf(now, sizeof(now), "1.%d", ENGINE_API_MINOR);
    char min[16];
    snprintf(min, sizeof(min), "1.%d", ENGINE_API_MINOR_MIN);
    json_t *details = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ApiVersion", now, "MinAPIVersion",
                                min, "Arch", ARCH, "BuildTime", "", "Experimental", "false", "GitCommit", GORAE_COMMIT,
                                "GoVersion", "none: written in C", "KernelVersion", u.release, "Os", "linux");
    return json_pack("{s:{s:s}, s:[{s:s, s:s, s:o}], s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Platform", "Name",
                     "gorae", "Components", "Name", "Engine", "Version", GORAE_VERSION, "Details", details, "Version",
                     GORAE_VERSION, "ApiVersion", now, "MinAPIVersion", min, "GitCommit", GORAE_COMMIT, "GoVersion",
                     "none: written in C", "Os", "linux", "Arch", ARCH, "KernelVersion", u.release, "BuildTime", "");
}

/* PRETTY_NAME of os-release(5). */
static char *os_name(void)
{
    struct err ignored;
    autofree char *text = file_read(AT_FDCWD, "/etc/os-release", 65536, NULL, &ignored);
    const char *p = text ? strstr(text, "PRETTY_NAME=") : NULL;
    if (!p)
        return mem_strdup("Linux");
    p += strlen("PRETTY_NAME=");
    p += *p == '"';
    return mem_strndup(p, strcspn(p, "\"\n"));
}

/* The file system below the data root, by the magic numbers of statfs(2). */
const char *backing_name(const char *path)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } known[] = {{0xef53, "extfs"},
                 {0x58465342, "xfs"},
                 {0x9123683e, "btrfs"},
                 {0x01021994, "tmpfs"},
                 {0x794c7630, "overlayfs"}};
    struct statfs s;
    if (statfs(path, &s) < 0)
        return "unknown";
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].magic == (unsigned long)s.f_type)
            return known[i].name;
    return "unknown";
}

static int count_fds(void)
{
    autoclosedir DIR *d = opendir("/proc/self/fd");
    int n = 0;
    while (d && readdir(d))
        n++;
    return n > 3 ? n - 3 : 0; /* ".", ".." and the folder itself */
}

#define HEALTHS (HEALTH_BAD + 1)

static int count(struct engine *en, int n[STATE_COUNT], int healths[HEALTHS])
{
    int all = 0;
    pthread_mutex_lock(&en->lock);
    for (struct container *c = en->containers; c; c = c->next, all++) {
        n[c->state]++;
        if (state_up(c->state))
            healths[c->health]++;
    }
    pthread_mutex_unlock(&en->lock);
    return all;
}

static void put_count(json_t *out, const char *label, const char *value, int n)
{
    autofree char *key = str_printf("%s=\"%s\"", label, value);
    json_object_set_new(out, key, json_integer(n));
}

json_t *engine_metrics(struct engine *en)
{
    int n[STATE_COUNT] = {0}, healths[HEALTHS] = {0}, all = count(en, n, healths);
    json_t *out = event_counts(en), *states = json_object(), *health = json_object(), *docker = json_object();
    for (int i = 0; i < STATE_COUNT; i++)
        put_count(states, "state", state_name((enum state)i), n[i]);
    for (int i = 0; i < HEALTHS; i++)
        put_count(health, "health", health_name((enum health)i), healths[i]);
    put_count(docker, "state", "running", n[STATE_RUNNING]);
    put_count(docker, "state", "paused", n[STATE_PAUSED]);
    put_count(docker, "state", "stopped", all - n[STATE_RUNNING] - n[STATE_PAUSED]);
    json_object_set_new(out, "States", states);
    json_object_set_new(out, "Health", health);
    json_object_set_new(out, "Docker", docker);
    json_object_set_new(out, "Images", json_integer((json_int_t)image_count(en->images)));
    return out;
}

static void count_states(struct engine *en, json_t *out)
{
    int n[STATE_COUNT] = {0}, healths[HEALTHS] = {0}, all = count(en, n, healths);
    json_auto_t *events = event_counts(en);
    json_object_set(out, "NEventsListener", json_object_get(events, "Listeners"));
    json_auto_t *counts =
        json_pack("{s:i, s:i, s:i, s:i}", "Containers", all, "ContainersRunning", n[STATE_RUNNING], "ContainersPaused",
                  n[STATE_PAUSED], "ContainersStopped", all - n[STATE_RUNNING] - n[STATE_PAUSED]);
    json_object_update(out, counts);
}

/* Which limits this kernel can enforce, by the controllers that are there. */
static void add_limits(json_t *out, bool v2)
{
    static const struct {
        const char *key, *v1, *v2;
    } limits[] = {
        {"MemoryLimit", "memory/memory.limit_in_bytes", "memory"},
        {"SwapLimit", "memory/memory.memsw.limit_in_bytes", "memory"},
        {"OomKillDisable", "memory/memory.oom_control", NULL},
        {"CpuCfsPeriod", "cpu/cpu.cfs_period_us", "cpu"},
        {"CpuCfsQuota", "cpu/cpu.cfs_quota_us", "cpu"},
        {"CPUShares", "cpu/cpu.shares", "cpu"},
        {"CPUSet", "cpuset/cpuset.cpus", "cpuset"},
        {"PidsLimit", "pids", "pids"},
    };
    struct err ignored;
    autofree char *have = v2 ? file_read(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers", 4096, NULL, &ignored) : NULL;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        autofree char *path = str_printf("/sys/fs/cgroup/%s", limits[i].v1);
        bool yes = v2 ? have && limits[i].v2 && strstr(have, limits[i].v2) : access(path, F_OK) == 0;
        json_object_set_new(out, limits[i].key, json_boolean(yes));
    }
}

static void add_host(struct engine *en, json_t *out)
{
    struct utsname u;
    struct sysinfo si;
    char now[CLOCK_TEXT];
    autofree char *os = os_name();
    uname(&u);
    sysinfo(&si);
    json_t *host = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:s, s:b, s:i, s:i, s:s}", "KernelVersion",
                             u.release, "OperatingSystem", os, "OSVersion", "", "OSType", "linux", "Architecture",
                             u.machine, "NCPU", (int)sysconf(_SC_NPROCESSORS_ONLN), "MemTotal",
                             (json_int_t)si.totalram * si.mem_unit, "Name", en->hostname, "DockerRootDir",
                             en->opt.data_root, "IPv4Forwarding", access("/proc/sys/net/ipv4/ip_forward", F_OK) == 0,
                             "NFd", count_fds(), "NGoroutines", 0, "SystemTime", clock_format(clock_real(), now));
    json_object_update(out, host);
    json_decref(host);
}

/* Registries by name go among the indexes, as Docker shows them; address ranges among the ranges. */
static void add_insecure(json_t *registry, const json_t *names)
{
    json_each (v, names) {
        const char *name = json_string_value(v);
        if (strchr(name, '/'))
            json_array_append(json_object_get(registry, "InsecureRegistryCIDRs"), v);
        else
            json_object_set_new(
                json_object_get(registry, "IndexConfigs"), name,
                json_pack("{s:s, s:[], s:b, s:b}", "Name", name, "Mirrors", "Secure", 0, "Official", 0));
    }
}

/* As Docker words it: what containers get unless they say otherwise. */
static json_t *security(const json_t *defaults, bool v2)
{
    const char *profile = "builtin";
    bool closed = false;
    json_each (v, json_object_get(defaults, "SecurityOpt")) {
        const char *opt = json_string_value(v);
        if (str_starts(opt, "seccomp="))
            profile = str_eq(opt, "seccomp=unconfined") ? "unconfined" : "custom";
        closed = closed || str_eq(opt, "no-new-privileges");
    }
    autofree char *seccomp = str_printf("name=seccomp,profile=%s", profile);
    json_t *out = json_pack("[s]", seccomp);
    if (closed)
        json_array_append_new(out, json_string("name=no-new-privileges"));
    if (str_eq(json_str(defaults, "CgroupnsMode", v2 ? "private" : "host"), "private"))
        json_array_append_new(out, json_string("name=cgroupns"));
    return out;
}

json_t *engine_info(struct engine *en)
{
    struct span s = trace_begin(3, "ask the machine and the tables");
    pthread_mutex_lock(&en->lock);
    json_auto_t *labels = json_incref(en->opt.labels), *defaults = json_incref(en->opt.host_defaults),
                *registries = json_incref(en->opt.registries), *runtimes = json_incref(en->opt.runtimes);
    pthread_mutex_unlock(&en->lock);
    bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
    json_t *out =
        json_pack("{s:s, s:I, s:s, s:[[s,s]], s:{s:[s], s:[s,s], s:n, s:o}, s:b, s:s, s:s, s:s}", "ID", en->daemon_id,
                  "Images", (json_int_t)image_count(en->images), "Driver", "overlay2", "DriverStatus",
                  "Backing Filesystem", backing_name(en->opt.data_root), "Plugins", "Volume", "local", "Network",
                  "host", "null", "Authorization", "Log", logging_drivers(), "Debug", en->opt.debug, "LoggingDriver",
                  json_str(defaults, "LogConfig.Type", "json-file"), "CgroupDriver",
                  en->opt.systemd_cgroup ? "systemd" : "cgroupfs", "CgroupVersion", v2 ? "2" : "1");
    json_t *more =
        json_pack("{s:s, s:{s:[s], s:{}, s:[]}, s:[], s:s, s:s, s:s, s:O, s:b, s:s, s:O, s:s}", "IndexServerAddress",
                  "https://index.docker.io/v1/", "RegistryConfig", "InsecureRegistryCIDRs", "127.0.0.0/8",
                  "IndexConfigs", "Mirrors", "GenericResources", "HttpProxy", "", "HttpsProxy", "", "NoProxy", "",
                  "Labels", labels ? labels : json_null(), "ExperimentalBuild", 0, "ServerVersion", GORAE_VERSION,
                  "Runtimes", json_object_get(runtimes, "Known"), "DefaultRuntime", json_str(runtimes, "Default", ""));
    json_t *tail = json_pack("{s:{s:s, s:s, s:s, s:b, s:s, s:n}, s:b, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}, s:{s:s, "
                             "s:s}, s:o, s:[], s:o}",
                             "Swarm", "NodeID", "", "NodeAddr", "", "LocalNodeState", "inactive", "ControlAvailable", 0,
                             "Error", "", "RemoteManagers", "LiveRestoreEnabled", en->opt.live_restore, "Isolation", "",
                             "InitBinary", "gorae-init", "ContainerdCommit", "ID", "", "Expected", "", "RuncCommit",
                             "ID", GORAE_COMMIT, "Expected", GORAE_COMMIT, "InitCommit", "ID", GORAE_COMMIT, "Expected",
                             GORAE_COMMIT, "SecurityOptions", security(defaults, v2), "CDISpecDirs", "Warnings",
                             en->opt.warnings ? json_deep_copy(en->opt.warnings) : json_array());
    json_t *registry = json_object_get(more, "RegistryConfig");
    if (json_array_size(json_object_get(registries, "Mirrors")) > 0)
        json_object_set(registry, "Mirrors", json_object_get(registries, "Mirrors"));
    add_insecure(registry, json_object_get(registries, "InsecureRegistries"));
    json_object_update(out, more);
    json_object_update(out, tail);
    json_decref(more);
    json_decref(tail);
    count_states(en, out);
    add_limits(out, v2);
    add_host(en, out);
    trace_end(&s, "uname, sysinfo; images and containers counted");
    return out;
}
