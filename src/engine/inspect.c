/* inspect: everything about one container, in the API's shape (GET /containers/{id}/json, spec 4.2). */
#include "engine/health.h"
#include "engine/logging.h"
#include "engine/snapshot.h"
#include "engine/spec.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

static json_t *state_json(const struct snapshot *s)
{
    char started[CLOCK_TEXT], finished[CLOCK_TEXT];
    json_t *out =
        json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:s, s:s, s:s}", "Status", state_name(s->state), "Running",
                  state_up(s->state), "Paused", s->state == STATE_PAUSED, "Restarting", s->state == STATE_RESTARTING,
                  "OOMKilled", s->oom_killed, "Dead", s->state == STATE_DEAD, "Pid", state_alive(s->state) ? s->pid : 0,
                  "ExitCode", s->exit_code, "Error", s->error ? s->error : "", "StartedAt",
                  clock_format(s->started, started), "FinishedAt", clock_format(s->finished, finished));
    if (health_wanted(s->config))
        json_object_set_new(out, "Health",
                            json_pack("{s:s, s:I, s:O}", "Status", health_name(s->health), "FailingStreak",
                                      (json_int_t)s->health_streak, "Log", s->health_log));
    return out;
}

static json_t *network_json(const struct snapshot *s)
{
    json_t *ports = json_object();
    json_each_pair (k, v, json_object_get(s->config, "ExposedPorts"))
        if (state_alive(s->state))
            json_object_set_new(ports, k, json_null());
    return json_pack("{s:s, s:s, s:s, s:b, s:s, s:i, s:o, s:n, s:n, s:s, s:s, s:s, s:i, s:s, s:i, s:s, s:s, s:o}",
                     "Bridge", "", "SandboxID", "", "SandboxKey", "", "HairpinMode", 0, "LinkLocalIPv6Address", "",
                     "LinkLocalIPv6PrefixLen", 0, "Ports", ports, "SecondaryIPAddresses", "SecondaryIPv6Addresses",
                     "EndpointID", "", "Gateway", "", "GlobalIPv6Address", "", "GlobalIPv6PrefixLen", 0, "IPAddress",
                     "", "IPPrefixLen", 0, "IPv6Gateway", "", "MacAddress", "", "Networks", snapshot_networks(s));
}

static json_t *graph_json(struct engine *en, struct container *c)
{
    autostrv lower = {NULL, 0};
    autostr joined = STR_INIT;
    struct err ignored; /* an image that is gone has no lower folders to show */
    rootfs_lower(en, c, &lower, &ignored);
    str_add(&joined, "");
    for (size_t i = 0; i < lower.n; i++)
        str_addf(&joined, "%s%s", i ? ":" : "", lower.v[i]);
    autofree char *upper = container_path(en, c, "upper"), *work = container_path(en, c, "work");
    autofree char *merged = container_path(en, c, "rootfs");
    return json_pack("{s:s, s:{s:s, s:s, s:s, s:s}}", "Name", "overlay2", "Data", "LowerDir", joined.s, "MergedDir",
                     merged, "UpperDir", upper, "WorkDir", work);
}

static void add_paths(struct engine *en, struct container *c, const struct snapshot *s, json_t *out)
{
    static const struct {
        const char *key, *file;
    } paths[] = {{"ResolvConfPath", "resolv.conf"}, {"HostnamePath", "hostname"}, {"HostsPath", "hosts"}};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        autofree char *path = container_path(en, c, paths[i].file);
        json_object_set_new(out, paths[i].key, json_string(path));
    }
    autofree char *path = logging_path(en, c);
    bool theirs = str_eq(json_str(s->host, "LogConfig.Type", ""), "json-file"); /* whose form others may read */
    json_object_set_new(out, "LogPath", json_string(theirs ? path : ""));
}

static json_t *inspect(struct engine *en, struct container *c, bool size)
{
    autosnapshot s;
    char created[CLOCK_TEXT];
    snapshot_take(en, c, &s);
    autofree char *name = str_printf("/%s", s.name);
    json_t *args = json_copy(c->path_args);
    json_array_remove(args, 0);
    json_t *out =
        json_pack("{s:s, s:s, s:O, s:o, s:o, s:s}", "Id", c->id, "Created", clock_format(c->created, created), "Path",
                  json_array_get(c->path_args, 0), "Args", args, "State", state_json(&s), "Image", c->image);
    add_paths(en, c, &s, out);
    json_t *host = json_copy(s.host);
    spec_hidden_paths(s.host, host, "MaskedPaths", "ReadonlyPaths");
    json_t *rest =
        json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:O, s:o, s:o, s:o, s:O, s:o}", "Name", name, "RestartCount",
                  s.restart_count, "Driver", "overlay2", "Platform", "linux", "MountLabel", "", "ProcessLabel", "",
                  "AppArmorProfile", "", "ExecIDs", s.execs, "HostConfig", host, "GraphDriver", graph_json(en, c),
                  "Mounts", snapshot_mounts(&s), "Config", s.config, "NetworkSettings", network_json(&s));
    json_object_update(out, rest);
    json_decref(rest);
    if (size) {
        int64_t rw = snapshot_size_rw(en, c);
        json_object_set_new(out, "SizeRw", json_integer(rw));
        json_object_set_new(out, "SizeRootFs", json_integer(rw + image_size(en->images, c->image)));
    }
    return out;
}

json_t *engine_inspect(struct engine *en, const char *name, bool size, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return NULL;
    struct span span = trace_begin(3, "collect what is known of the container");
    json_t *out = inspect(en, c, size);
    trace_end(&span, "%s", c->id);
    return out;
}
