/* What a create request may say: the fields of Config, HostConfig and ExecConfig, their types and their defaults.
 *
 * Clients send a few fields or all of them, in any letter case, with null for "unset" (spec 2.4, 5). The tables below
 * turn that into one complete object with the API's own keys, which is then stored, shown by inspect, and read by
 * everything else without further checks of type. A value of the wrong type is refused by name.
 *
 * Source: Engine API v1.44, definitions ContainerConfig, HostConfig and Resources, and the body of ContainerExec. */
#include "engine/model.h"
#include "base/json.h"
#include "base/mem.h"

#include <strings.h>

enum type {
    T_BOOL,
    T_INT,
    T_STR,
    T_STRS,    /* array of strings */
    T_COMMAND, /* a string or an array of strings; kept as an array */
    T_MAP,     /* object of strings */
    T_OBJECT,  /* object, checked by its user */
    T_ARRAY,   /* array, checked by its user */
};

#define KEY_MAX 64

struct field {
    const char *keys; /* with blanks between them, as inspect shows them; "Mounts.Type" is checked and no more */
    enum type type;
    const char *unset; /* JSON text of the value where none was given; NULL: the key is left out */
};

static const struct field config_fields[] = {
    {"Hostname Domainname User", T_STR, "\"\""},
    {"AttachStdin AttachStdout AttachStderr", T_BOOL, "false"},
    {"ExposedPorts", T_OBJECT, NULL},
    {"Tty OpenStdin StdinOnce", T_BOOL, "false"},
    {"Env", T_STRS, "[]"},
    {"Cmd", T_COMMAND, "null"},
    {"Healthcheck", T_OBJECT, NULL},
    {"Healthcheck.Test", T_STRS, NULL},
    {"Healthcheck.Interval Healthcheck.Timeout Healthcheck.StartPeriod Healthcheck.StartInterval Healthcheck.Retries",
     T_INT, NULL},
    {"ArgsEscaped", T_BOOL, NULL},
    {"Image", T_STR, "\"\""},
    {"Volumes", T_OBJECT, "null"},
    {"WorkingDir", T_STR, "\"\""},
    {"Entrypoint", T_COMMAND, "null"},
    {"NetworkDisabled", T_BOOL, NULL},
    {"MacAddress", T_STR, NULL},
    {"OnBuild", T_STRS, "null"},
    {"Labels", T_MAP, "{}"},
    {"StopSignal", T_STR, NULL},
    {"StopTimeout", T_INT, NULL},
    {"Shell", T_STRS, NULL},
};

static const struct field host_fields[] = {
    {"Binds", T_STRS, "null"},
    {"ContainerIDFile", T_STR, "\"\""},
    {"LogConfig", T_OBJECT, "{\"Type\":\"json-file\",\"Config\":{}}"},
    {"NetworkMode", T_STR, "\"default\""},
    {"PortBindings", T_OBJECT, "{}"},
    {"RestartPolicy", T_OBJECT, "{\"Name\":\"no\",\"MaximumRetryCount\":0}"},
    {"AutoRemove", T_BOOL, "false"},
    {"VolumeDriver", T_STR, "\"\""},
    {"VolumesFrom", T_STRS, "null"},
    {"ConsoleSize", T_ARRAY, "[0,0]"},
    {"Annotations", T_MAP, NULL},
    {"CapAdd CapDrop", T_STRS, "null"},
    {"CgroupnsMode", T_STR, "\"\""},
    {"Dns DnsOptions DnsSearch", T_STRS, "[]"},
    {"ExtraHosts GroupAdd", T_STRS, "null"},
    {"IpcMode Cgroup", T_STR, "\"\""},
    {"Links", T_STRS, "null"},
    {"OomScoreAdj", T_INT, "0"},
    {"PidMode", T_STR, "\"\""},
    {"Privileged PublishAllPorts ReadonlyRootfs", T_BOOL, "false"},
    {"SecurityOpt", T_STRS, "null"},
    {"StorageOpt Tmpfs", T_MAP, NULL},
    {"UTSMode UsernsMode", T_STR, "\"\""},
    {"ShmSize", T_INT, "67108864"},
    {"Sysctls", T_MAP, NULL},
    {"Runtime Isolation", T_STR, "\"\""},
    {"CpuShares Memory NanoCpus", T_INT, "0"},
    {"CgroupParent", T_STR, "\"\""},
    {"BlkioWeight", T_INT, "0"},
    {"BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps", T_ARRAY,
     "[]"},
    {"CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime", T_INT, "0"},
    {"CpusetCpus CpusetMems", T_STR, "\"\""},
    {"Devices", T_ARRAY, "[]"},
    {"DeviceCgroupRules", T_STRS, "null"},
    {"DeviceRequests", T_ARRAY, "null"},
    {"KernelMemory KernelMemoryTCP", T_INT, NULL},
    {"MemoryReservation MemorySwap", T_INT, "0"},
    {"MemorySwappiness", T_INT, "null"},
    {"OomKillDisable", T_BOOL, "null"},
    {"PidsLimit", T_INT, "null"},
    {"Ulimits", T_ARRAY, "[]"},
    {"CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth", T_INT, "0"},
    {"Mounts", T_ARRAY, NULL},
    {"MaskedPaths ReadonlyPaths", T_STRS, "null"},
    {"Init", T_BOOL, NULL},
    {"LogConfig.Config", T_OBJECT, NULL},
    {"LogConfig.Type RestartPolicy.Name Ulimits.Name Mounts.Type Mounts.Source Mounts.Target "
     "Mounts.BindOptions.Propagation Devices.PathOnHost Devices.PathInContainer Devices.CgroupPermissions",
     T_STR, NULL},
    {"RestartPolicy.MaximumRetryCount Ulimits.Soft Ulimits.Hard", T_INT, NULL},
    {"Mounts.ReadOnly Mounts.BindOptions.ReadOnlyForceRecursive Mounts.BindOptions.NonRecursive", T_BOOL, NULL},
};

static const struct field exec_fields[] = {
    {"AttachStdin AttachStdout AttachStderr", T_BOOL, "false"},
    {"Cmd", T_STRS, "[]"},
    {"ConsoleSize", T_ARRAY, "null"},
    {"Detach", T_BOOL, "false"},
    {"DetachKeys", T_STR, "\"\""},
    {"Env", T_STRS, "[]"},
    {"Privileged Tty", T_BOOL, "false"},
    {"User WorkingDir", T_STR, "\"\""},
};

/* Whoever looked at the body before us, a proxy that says who may do what, may have read the other one. */
static bool is_twice(const json_t *in, const char *key)
{
    size_t n = 0;
    json_each_pair (k, v, in)
        n += strcasecmp(k, key) == 0;
    return n > 1;
}

/* Exactly, else in another letter case: Go's JSON reader, which clients were written against, does the same. */
const json_t *body_get(const json_t *in, const char *key)
{
    const json_t *exact = json_object_get(in, key);
    if (exact)
        return exact;
    json_each_pair (k, v, in)
        if (strcasecmp(k, key) == 0)
            return v;
    return NULL;
}

static bool strings_only(const json_t *v)
{
    if (!json_is_array(v))
        return false;
    json_each (x, v)
        if (!json_is_string(x))
            return false;
    return true;
}

static bool fits(enum type t, const json_t *v)
{
    switch (t) {
    case T_BOOL: return json_is_boolean(v);
    case T_INT: return json_is_integer(v);
    case T_STR: return json_is_string(v);
    case T_STRS: return strings_only(v);
    case T_COMMAND: return json_is_string(v) || strings_only(v);
    case T_OBJECT: return json_is_object(v);
    case T_ARRAY: return json_is_array(v);
    case T_MAP:
        if (!json_is_object(v))
            return false;
        json_each_pair (k, x, v)
            if (!json_is_string(x))
                return false;
        return true;
    }
    return false;
}

static const char *const words[] = {
    "true or false",        "a whole number", "a string", "an array of strings", "a string or an array of strings",
    "an object of strings", "an object",      "an array"};

/* "Mounts.Type": in the object, or in each object of the array, that was taken as "Mounts". */
static bool fits_inside(enum type t, const json_t *taken, const char *key)
{
    char outer[KEY_MAX];
    size_t n = strcspn(key, ".");
    snprintf(outer, sizeof(outer), "%.*s", (int)n, key);
    json_t *in = json_object_get(taken, outer);
    json_auto_t *list = json_is_array(in) ? json_incref(in) : json_pack("[O?]", in);
    json_each (one, list) {
        const json_t *v = json_at(one, key + n + 1);
        if (v && !json_is_null(v) && !fits(t, v))
            return false;
    }
    return true;
}

static json_t *complete(const char *object, const json_t *in, const struct field *f, size_t n, struct err *e)
{
    json_auto_t *out = json_object();
    for (; n > 0; n--, f++)
        for (const char *p = f->keys; *p; p += strcspn(p, " "), p += *p == ' ') {
            char key[KEY_MAX];
            snprintf(key, sizeof(key), "%.*s", (int)strcspn(p, " "), p);
            const json_t *v = strchr(key, '.') ? NULL : body_get(in, key);
            if (is_twice(in, key))
                return err_null(
                    err_set(e, ERR_INVALID, "%s has the key %s twice, in different letter case", object, key));
            if (json_is_null(v))
                v = NULL;
            if (strchr(key, '.') ? !fits_inside(f->type, out, key) : v && !fits(f->type, v))
                return err_null(err_set(e, ERR_INVALID, "%s.%s must be %s", object, key, words[f->type]));
            if (f->type == T_COMMAND && json_is_string(v))
                json_object_set_new(out, key, json_pack("[O]", v));
            else if (v)
                json_object_set(out, key, (json_t *)v);
            else if (f->unset)
                json_object_set_new(out, key, json_loads(f->unset, JSON_DECODE_ANY, NULL));
        }
    return json_incref(out);
}

/* ---- Config over the image's Config ---- */

static bool same_variable(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return strncmp(a, b, n) == 0 && (b[n] == '=' || b[n] == '\0');
}

/* The image's variables, each unless the caller sets the same name, then the caller's. */
static void merge_env(json_t *config, const json_t *image)
{
    json_t *own = json_object_get(config, "Env"), *out = json_array();
    json_each (x, json_object_get(image, "Env")) {
        bool overridden = !json_is_string(x);
        json_each (y, own)
            overridden = overridden || same_variable(json_string_value(x), json_string_value(y));
        if (!overridden)
            json_array_append(out, x);
    }
    json_array_extend(out, own);
    json_object_set_new(config, "Env", out);
}

static void merge_union(json_t *config, const json_t *image, const char *key)
{
    json_t *base = json_object_get(image, key), *own = json_object_get(config, key);
    if (!json_is_object(base) || json_object_size(base) == 0)
        return;
    json_t *out = json_copy(base);
    json_object_update(out, own);
    json_object_set_new(config, key, out);
}

static void merge_if_empty(json_t *config, const json_t *image, const char *key)
{
    const json_t *own = json_object_get(config, key);
    json_t *base = json_object_get(image, key);
    bool empty = !own || json_is_null(own) || (json_is_string(own) && !*json_string_value(own)) ||
                 (json_is_array(own) && json_array_size(own) == 0);
    if (empty && base && !json_is_null(base))
        json_object_set(config, key, base);
}

/* Cmd comes from the image only where neither Cmd nor Entrypoint was given; [""] means "no entrypoint at all". */
static void merge_command(json_t *config, const json_t *image)
{
    bool given = json_array_size(json_object_get(config, "Entrypoint")) > 0;
    if (!given && json_array_size(json_object_get(config, "Cmd")) == 0)
        merge_if_empty(config, image, "Cmd");
    if (!given)
        merge_if_empty(config, image, "Entrypoint");
    const json_t *entry = json_object_get(config, "Entrypoint");
    if (json_array_size(entry) == 1 && str_eq(json_string_value(json_array_get(entry, 0)), ""))
        json_object_set_new(config, "Entrypoint", json_null());
    if (given && json_array_size(json_object_get(config, "Cmd")) == 0)
        json_object_set_new(config, "Cmd", json_null());
}

/* Field by field: a request may change the interval of the image's check and leave the rest. */
static void merge_health(json_t *config, const json_t *image)
{
    const json_t *from = json_object_get(image, "Healthcheck"), *given = json_object_get(config, "Healthcheck");
    json_t *merged = json_is_object(from) ? json_copy((json_t *)from) : json_object();
    json_each_pair (key, v, given) {
        bool empty = json_is_null(v) || (json_is_array(v) && json_array_size(v) == 0) ||
                     (json_is_integer(v) && json_integer_value(v) == 0);
        if (!empty || !json_object_get(merged, key))
            json_object_set(merged, key, v);
    }
    if (json_object_size(merged) > 0)
        json_object_set(config, "Healthcheck", merged);
    json_decref(merged);
}

json_t *config_complete(const json_t *body, const json_t *image_config, struct err *e)
{
    json_auto_t *image = NULL;
    json_auto_t *config = complete("Config", body, config_fields, sizeof(config_fields) / sizeof(config_fields[0]), e);
    if (!config)
        return NULL;
    /* An image is data from outside: its configuration passes through the same table. */
    image = complete("the image's config", image_config, config_fields,
                     sizeof(config_fields) / sizeof(config_fields[0]), e);
    if (!image)
        return NULL;
    static const char *const plain[] = {"User", "WorkingDir", "StopSignal", "Shell"};
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        merge_if_empty(config, image, plain[i]);
    merge_health(config, image);
    merge_union(config, image, "ExposedPorts");
    merge_union(config, image, "Volumes");
    merge_union(config, image, "Labels");
    merge_env(config, image);
    merge_command(config, image);
    return json_incref(config);
}

json_t *config_command(const json_t *config, struct err *e)
{
    json_t *argv = json_array();
    json_t *entry = json_object_get(config, "Entrypoint"), *cmd = json_object_get(config, "Cmd");
    if (json_is_array(entry))
        json_array_extend(argv, entry);
    if (json_is_array(cmd))
        json_array_extend(argv, cmd);
    if (json_array_size(argv) == 0 || str_empty(json_string_value(json_array_get(argv, 0)))) {
        json_decref(argv);
        return err_null(err_set(e, ERR_INVALID,
                                "No command specified: neither the request nor the image has a Cmd or an Entrypoint"));
    }
    return argv;
}

/* ---- HostConfig ---- */

static void default_string(json_t *host, const char *key, const char *was, const char *value)
{
    if (str_eq(json_str(host, key, ""), was))
        json_object_set_new(host, key, json_string(value));
}

json_t *host_complete(const json_t *body, int api_minor, struct err *e)
{
    const json_t *in = body_get(body, "HostConfig");
    if (is_twice(body, "HostConfig"))
        return err_null(err_set(e, ERR_INVALID, "HostConfig is there twice, in different letter case"));
    if (in && !json_is_object(in) && !json_is_null(in))
        return err_null(err_set(e, ERR_INVALID, "HostConfig must be an object"));
    json_auto_t *host = complete("HostConfig", in, host_fields, sizeof(host_fields) / sizeof(host_fields[0]), e);
    if (!host)
        return NULL;
    /* Values that only mean "unset" (spec 5). */
    default_string(host, "NetworkMode", "", "default");
    if (api_minor < 41)
        default_string(host, "CgroupnsMode", "", "host");
    if (api_minor < 42)
        json_object_set_new(host, "ConsoleSize", json_pack("[i,i]", 0, 0));
    default_string(host, "IpcMode", "", api_minor < 40 ? "shareable" : "private");
    if (json_int(host, "MemorySwappiness", -1) == -1)
        json_object_set_new(host, "MemorySwappiness", json_null());
    if (json_int(host, "PidsLimit", 0) <= 0)
        json_object_set_new(host, "PidsLimit", json_null());
    if (json_int(host, "ShmSize", 0) == 0)
        json_object_set_new(host, "ShmSize", json_integer(64 << 20));
    json_t *log = json_copy(json_object_get(host, "LogConfig"));
    if (str_empty(json_str(log, "Type", "")))
        json_object_set_new(log, "Type", json_string("json-file"));
    if (!json_is_object(json_object_get(log, "Config")))
        json_object_set_new(log, "Config", json_object());
    json_object_set_new(host, "LogConfig", log);
    json_t *policy = json_copy(json_object_get(host, "RestartPolicy"));
    if (str_empty(json_str(policy, "Name", "")))
        json_object_set_new(policy, "Name", json_string("no"));
    json_object_set_new(host, "RestartPolicy", policy);
    if (api_minor < 25)
        json_object_set_new(host, "AutoRemove", json_false()); /* such a client removes the container itself */
    return json_incref(host);
}

/* ---- ExecConfig ---- */

json_t *exec_complete(const json_t *body, struct err *e)
{
    return complete("ExecConfig", body, exec_fields, sizeof(exec_fields) / sizeof(exec_fields[0]), e);
}
