/* From a container's record to the OCI config.json that a runtime understands.
 *
 * This file and its neighbours spec_mounts.c, spec_limits.c and spec_security.c are the whole translation: on the one
 * side the Engine API's Config and HostConfig, on the other the OCI runtime specification. Any OCI runtime can take the
 * result, which is how `--runtime runc` works.
 *
 * Source: OCI runtime-spec 1.0.2, config.md and config-linux.md; spec/security section 3 for the values.
 *
 * Read next: who calls the runtime with it, shim/main.c. */
#include "engine/spec.h"
#include "engine/capability.h"
#include "engine/share.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/net.h"

#include <fcntl.h>
#include <unistd.h>

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Replace the variable of the same name, or append. "NAME" without a value removes it. */
static void put_env(json_t *env, const char *entry)
{
    size_t n = strcspn(entry, "=");
    json_each (v, env) {
        const char *s = json_string_value(v);
        if (strncmp(s, entry, n) == 0 && s[n] == '=') {
            json_array_remove(env, v_at);
            break;
        }
    }
    if (entry[n] == '=')
        json_array_append_new(env, json_string(entry));
}

json_t *spec_env(const json_t *config, const char *home)
{
    json_t *env = json_array();
    autofree char *host = str_printf("HOSTNAME=%s", json_str(config, "Hostname", ""));
    autofree char *where = str_printf("HOME=%s", home);
    put_env(env, DEFAULT_PATH);
    put_env(env, host);
    if (json_is(config, "Tty"))
        put_env(env, "TERM=xterm");
    put_env(env, where);
    json_each (v, json_object_get(config, "Env"))
        put_env(env, json_string_value(v));
    return env;
}

/* With --init process 1 is a small program of ours (src/init), which runs the user's. Not in another's pid namespace:
 * it has a first process already. */
bool spec_has_init(const json_t *host)
{
    return json_is(host, "Init") && str_empty(json_str(host, "PidMode", ""));
}

static json_t *arguments(const struct container *c)
{
    json_t *args = spec_has_init(c->host) ? json_pack("[s, s]", SPEC_INIT, "--") : json_array();
    json_array_extend(args, c->path_args);
    return args;
}

json_t *spec_process(const json_t *config, const json_t *host, const json_t *args, int rootfd, struct err *e)
{
    autofree char *home = NULL;
    const char *cwd = json_str(config, "WorkingDir", "");
    json_auto_t *user = user_resolve(rootfd, json_str(config, "User", ""), json_object_get(host, "GroupAdd"), &home, e);
    json_auto_t *caps = user ? capabilities_of(host, e) : NULL;
    json_auto_t *limits = caps ? spec_rlimits(host, e) : NULL;
    int nnp = limits ? spec_no_new_privileges(host, e) : -1;
    if (nnp < 0)
        return NULL;
    /* What execve(2) takes from a user who is not root, taken before it: with no_new_privs a file's capabilities are
     * cut down to what the process has at that moment, which is to be nothing (capabilities(7)). */
    json_auto_t *own = json_int(user, "uid", 0) == 0 ? json_incref(caps) : json_array();
    json_t *p =
        json_pack("{s:b, s:O, s:O, s:o, s:s, s:{s:O, s:O, s:O}, s:O, s:b, s:I}", "terminal", json_is(config, "Tty"),
                  "user", user, "args", args, "env", spec_env(config, home), "cwd", *cwd ? cwd : "/", "capabilities",
                  "bounding", caps, "permitted", own, "effective", own, "rlimits", limits, "noNewPrivileges", nnp,
                  "oomScoreAdj", (json_int_t)json_int(host, "OomScoreAdj", 0));
    const json_t *size = json_object_get(host, "ConsoleSize");
    if (json_is(config, "Tty") && json_integer_value(json_array_get(size, 0)) > 0)
        json_object_set_new(
            p, "consoleSize",
            json_pack("{s:O, s:O}", "height", json_array_get(size, 0), "width", json_array_get(size, 1)));
    return p;
}

static bool own(const json_t *host, const char *key)
{
    return !str_eq(json_str(host, key, ""), "host") && !share_donor(host, key);
}

static json_t *namespaces(const struct container *c, bool host_net)
{
    const json_t *host = c->host;
    json_t *list = json_array();
    const struct {
        const char *type;
        bool own;
    } kinds[] = {
        {"mount", true},
        {"network", !host_net},
        {"uts", own(host, "UTSMode")},
        {"pid", own(host, "PidMode")},
        {"ipc", own(host, "IpcMode")},
        {"cgroup", str_eq(json_str(host, "CgroupnsMode", ""), "private")},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (kinds[i].own)
            json_array_append_new(list, json_pack("{s:s}", "type", kinds[i].type));
    share_add(c, list);
    return list;
}

static json_t *string_list(const char *const *s)
{
    json_t *list = json_array();
    for (; *s; s++)
        json_array_append_new(list, json_string(*s));
    return list;
}

void spec_hidden_paths(const json_t *host, json_t *into, const char *masked_key, const char *readonly_key)
{
    static const char *const masked[] = {"/proc/acpi",
                                         "/proc/asound",
                                         "/proc/interrupts",
                                         "/proc/kcore",
                                         "/proc/keys",
                                         "/proc/latency_stats",
                                         "/proc/sched_debug",
                                         "/proc/scsi",
                                         "/proc/timer_list",
                                         "/proc/timer_stats",
                                         "/sys/devices/virtual/powercap",
                                         "/sys/firmware",
                                         NULL};
    static const char *const readonly[] = {"/proc/bus",           "/proc/fs", "/proc/irq", "/proc/sys",
                                           "/proc/sysrq-trigger", NULL};
    const json_t *own_masked = json_object_get(host, "MaskedPaths"),
                 *own_readonly = json_object_get(host, "ReadonlyPaths");
    if (json_is(host, "Privileged"))
        return;
    json_object_set_new(into, masked_key,
                        json_is_array(own_masked) ? json_copy((json_t *)own_masked) : string_list(masked));
    json_object_set_new(into, readonly_key,
                        json_is_array(own_readonly) ? json_copy((json_t *)own_readonly) : string_list(readonly));
    /* A hot CPU leaks what others compute; one file a CPU, where the kernel has it. */
    for (long i = 0, n = sysconf(_SC_NPROCESSORS_CONF); i < n && !json_is_array(own_masked); i++) {
        autofree char *path = str_printf("/sys/devices/system/cpu/cpu%ld/thermal_throttle", i);
        if (access(path, F_OK) == 0)
            json_array_append_new(json_object_get(into, masked_key), json_string(path));
    }
}

static json_t *sysctls(const json_t *host, bool host_net)
{
    json_t *s = json_object();
    if (!host_net) { /* so that neither ping nor a port below 1024 needs a capability inside */
        json_object_set_new(s, "net.ipv4.ping_group_range", json_string("0 2147483647"));
        json_object_set_new(s, "net.ipv4.ip_unprivileged_port_start", json_string("0"));
    }
    if (json_is_object(json_object_get(host, "Sysctls")))
        json_object_update(s, json_object_get(host, "Sysctls"));
    return s;
}

static json_t *linux_part(struct engine *en, struct container *c, const json_t *caps, const json_t *mounts,
                          struct err *e)
{
    enum net_kind net;
    json_t *nodes, *rules;
    const char *propagation = spec_propagation(mounts, e);
    if (!propagation || net_plan(json_str(c->host, "NetworkMode", ""), &net, e) < 0)
        return NULL;
    json_t *seccomp = spec_seccomp(c->host, caps, e);
    if (!seccomp || spec_devices(c->host, &nodes, &rules, e) < 0) {
        json_decref(seccomp);
        return NULL;
    }
    autofree char *cgroup = cgroup_place(en, c);
    pthread_mutex_lock(&en->lock);
    free(c->place);
    c->place = mem_strdup(cgroup);
    pthread_mutex_unlock(&en->lock);
    json_t *lin = json_pack("{s:s, s:o, s:o, s:o, s:s}", "cgroupsPath", cgroup, "namespaces",
                            namespaces(c, net == NET_HOST), "resources", spec_resources(c->host), "sysctl",
                            sysctls(c->host, net == NET_HOST), "rootfsPropagation", propagation);
    json_object_set_new(lin, "devices", nodes);
    json_object_set_new(json_object_get(lin, "resources"), "devices", rules);
    if (!json_is_null(seccomp))
        json_object_set_new(lin, "seccomp", seccomp);
    spec_hidden_paths(c->host, lin, "maskedPaths", "readonlyPaths");
    return lin;
}

json_t *spec_make(struct engine *en, struct container *c, const char *rootfs, struct err *e)
{
    autoclose int rootfd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rootfd < 0)
        return err_null(err_sys(e, "open %s", rootfs));
    json_auto_t *args = arguments(c);
    json_auto_t *p = spec_process(c->config, c->host, args, rootfd, e);
    json_auto_t *mounts = p ? spec_mounts(en, c, e) : NULL;
    json_auto_t *lin = mounts ? linux_part(en, c, json_at(p, "capabilities.bounding"), mounts, e) : NULL;
    if (!lin)
        return NULL;
    json_t *spec = json_pack("{s:s, s:O, s:{s:s, s:b}, s:O, s:O}", "ociVersion", "1.0.2", "process", p, "root", "path",
                             rootfs, "readonly", json_is(c->host, "ReadonlyRootfs"), "mounts", mounts, "linux", lin);
    if (json_object_size(json_object_get(c->host, "Annotations")) > 0)
        json_object_set(spec, "annotations", json_object_get(c->host, "Annotations"));
    if (own(c->host, "UTSMode")) {
        json_object_set_new(spec, "hostname", json_string(json_str(c->config, "Hostname", "")));
        if (*json_str(c->config, "Domainname", ""))
            json_object_set_new(spec, "domainname", json_string(json_str(c->config, "Domainname", "")));
    }
    return spec;
}
