/* create: from a request to a container on disk, in five steps.
 *
 *   1. resolve the image            (404 makes the stock client pull it and ask again)
 *   2. complete Config, HostConfig  (schema.c), check the rules that join several fields
 *   3. reserve the name             (in memory: of two requests with one name one goes on)
 *   4. make the folders, then the record, durably: the record makes the container exist
 *   5. put it into the table, tell the listeners
 *
 * Killed before the record is renamed into place, a folder without a record stays, which recovery removes.
 *
 * Read next: record.c for what is on disk, start.c for what is made of it. */
#include "engine/spec.h"
#include "engine/capability.h"
#include "engine/health.h"
#include "engine/limits.h"
#include "engine/logging.h"
#include "engine/mounts.h"
#include "engine/share.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/signame.h"
#include "base/trace.h"
#include "net/net.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Fields whose feature is not there yet. Refused by name, because a container that silently lacks what was asked for
 * is worse than none. */
static int refuse_later(const json_t *config, const json_t *host, struct err *e)
{
    static const struct {
        const char *key, *step;
    } later[] = {
        {"PortBindings", "networks"}, {"PublishAllPorts", "networks"}, {"Links", "networks"},
        {"VolumesFrom", "volumes"},   {"VolumeDriver", "volumes"},
    };
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
        if (json_says(json_object_get(host, later[i].key)))
            return err_set(e, ERR_NOT_IMPLEMENTED, "HostConfig.%s is not supported yet: it comes with the step on %s",
                           later[i].key, later[i].step);
    if (restart_policy_check(host, e) < 0)
        return -1;
    return health_check_config(config, e);
}

/* Likewise for what a connection to a network can carry. */
static int refuse_endpoints(const json_t *body, const char *mode, struct err *e)
{
    static const char *const later[] = {"Aliases", "IPAMConfig", "Links"};
    bool usual = str_eq(mode, "default") || str_eq(mode, "bridge");
    json_each_pair (network, endpoint, json_object_get(body_get(body, "NetworkingConfig"), "EndpointsConfig")) {
        for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
            if (json_says(json_object_get(endpoint, later[i])))
                return err_set(e, ERR_NOT_IMPLEMENTED,
                               "%s of network %.64s is not supported yet: it comes with the step on networks", later[i],
                               network);
        if (!str_eq(network, mode) && !(usual && (str_eq(network, "default") || str_eq(network, "bridge"))))
            return err_set(e, ERR_INVALID, "Container cannot be connected to network endpoints: %.64s, %.64s", mode,
                           network);
    }
    return 0;
}

/* An image may say what it likes; whoever creates a container is told. */
static int refuse_volumes(const json_t *body, struct err *e)
{
    json_each_pair (path, v, body_get(body, "Volumes"))
        if (*path != '/')
            return err_set(e, ERR_INVALID, "invalid volume specification: '%.200s': mount path must be absolute", path);
    return 0;
}

/* What gorae will not do, or what is no value at all. */
static int refuse_never(const json_t *host, struct err *e)
{
    static const char *const windows[] = {"CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"};
    const char *isolation = json_str(host, "Isolation", "");
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++)
        if (json_says(json_object_get(host, windows[i])))
            return err_set(e, ERR_INVALID, "HostConfig.%s exists on Windows only", windows[i]);
    if (*isolation && !str_eq(isolation, "default"))
        return err_set(e, ERR_INVALID, "invalid isolation '%s': only the default exists on Linux", isolation);
    if (json_says(json_object_get(host, "DeviceRequests")))
        return err_set(e, ERR_INVALID, "HostConfig.DeviceRequests: no device driver is known here");
    if (json_says(json_object_get(host, "StorageOpt")))
        return err_set(e, ERR_INVALID, "HostConfig.StorageOpt: the overlay driver has no options for a container");
    const char *userns = json_str(host, "UsernsMode", "");
    if (*userns && !str_eq(userns, "host"))
        return err_set(e, ERR_INVALID, "invalid user namespace mode '%s': only host is known", userns);
    return 0;
}

static int check_modes(const json_t *config, json_t *host, struct err *e)
{
    static const struct {
        const char *key, *const values[6];
    } modes[] = {
        {"IpcMode", {"private", "shareable", "none", "host"}},
        {"PidMode", {"", "host"}},
        {"UTSMode", {"", "host"}},
        {"CgroupnsMode", {"private", "host"}},
    };
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        const char *have = json_str(host, modes[i].key, "");
        bool joins = i < SHARE_KINDS && str_starts(have, "container:"); /* whose, share_resolve() finds out */
        if (!str_among(have, modes[i].values) && !joins)
            return err_set(e, ERR_INVALID, "invalid HostConfig.%s: '%s'", modes[i].key, have);
    }
    if (str_eq(json_str(host, "UTSMode", ""), "host") && *json_str(config, "Hostname", ""))
        return err_set(e, ERR_INVALID, "a hostname cannot be given together with the host's UTS namespace");
    return 0;
}

static int check_config(const json_t *config, struct err *e)
{
    const char *dir = json_str(config, "WorkingDir", ""), *sig = json_str(config, "StopSignal", "");
    if (*dir && *dir != '/')
        return err_set(e, ERR_INVALID, "the working directory '%s' is invalid, it needs to be an absolute path", dir);
    if (*sig && signal_number(sig) == 0)
        return err_set(e, ERR_INVALID, "Invalid signal: %s", sig);
    json_each (v, json_object_get(config, "Env")) {
        const char *s = json_string_value(v);
        if (*s == '=' || *s == '\0')
            return err_set(e, ERR_INVALID, "invalid environment variable: \"%s\"", s);
    }
    int64_t patience = json_int(config, "StopTimeout", 0);
    if (patience < INT32_MIN || patience > INT32_MAX)
        return err_set(e, ERR_INVALID, "invalid StopTimeout: %lld s", (long long)patience);
    const char *host = json_str(config, "Hostname", "");
    if (strlen(host) > 64)
        return err_set(e, ERR_INVALID, "invalid hostname format: %s is longer than 64 bytes", host);
    return 0;
}

int create_check(struct engine *en, const json_t *config, json_t *host, json_t *warnings, struct err *e)
{
    enum net_kind net;
    const char *runtime = json_str(host, "Runtime", "");
    autofree char *own = *runtime ? NULL : runtime_default(en);
    if (own)
        json_object_set_new(host, "Runtime", json_string(own));
    else if (runtime_check(en, runtime, e) < 0)
        return -1;
    if (engine_check_cgroup_parent(json_str(host, "CgroupParent", ""), en->opt.systemd_cgroup, e) < 0)
        return err_wrap(e, "CgroupParent");
    /* The host's cgroup namespace where cgroup v1 is mounted, as Docker: its tools expect to see the whole tree. */
    if (!*json_str(host, "CgroupnsMode", ""))
        json_object_set_new(host, "CgroupnsMode",
                            json_string(access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? "private" : "host"));
    if (check_config(config, e) < 0 || refuse_never(host, e) < 0 || refuse_later(config, host, e) < 0 ||
        check_modes(config, host, e) < 0 || share_resolve(en, config, host, e) < 0 || limits_check(host, e) < 0 ||
        texts_check(config, host, e) < 0 || devices_check(host, e) < 0 || logging_check(host, e) < 0 ||
        net_plan(json_str(host, "NetworkMode", ""), &net, e) < 0)
        return -1;
    /* What start will make of these is made once here, so that a bad value is refused while nothing exists yet. */
    json_auto_t *mounts = mounts_of(host, e), *caps = mounts ? capabilities_of(host, e) : NULL;
    json_auto_t *limits = caps ? spec_rlimits(host, e) : NULL, *seccomp = limits ? spec_seccomp(host, caps, e) : NULL;
    if (!seccomp || spec_no_new_privileges(host, e) < 0)
        return -1;
    if (json_object_size(json_object_get(config, "Volumes")) > 0)
        json_array_append_new(
            warnings, json_string("Anonymous volumes are folders of the container's own layer here, and go with "
                                  "it: volumes come with a later step."));
    limits_discard(host, warnings);
    int64_t memory = json_int(host, "Memory", 0); /* no word on swap: as much again; the value counts both */
    if (memory > 0 && json_int(host, "MemorySwap", 0) == 0)
        json_object_set_new(host, "MemorySwap", json_integer(memory > INT64_MAX / 2 ? -1 : memory * 2));
    limits_foretell(host, warnings);
    capabilities_foretell(host, warnings);
    return 0;
}

/* ---- making it ---- */

static int make_folders(struct engine *en, struct container *c, struct err *e)
{
    /* 0710 keeps other users of the host from running what a container may have made setuid (CVE-2021-41091). */
    static const struct {
        const char *tail;
        mode_t mode;
    } folders[] = {{NULL, 0710}, {"upper", 0755}, {"work", 0700}, {"rootfs", 0700}};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        autofree char *path = container_path(en, c, folders[i].tail);
        if (mkdir(path, folders[i].mode) < 0 || chmod(path, folders[i].mode) < 0)
            return err_sys(e, "make folder %s", path);
    }
    return 0;
}

static int write_out(struct engine *en, struct container *c, struct err *e)
{
    FAULT("create.name-reserved");
    if (make_folders(en, c, e) < 0)
        return -1;
    FAULT("create.folders-made");
    if (files_make(en, c, e) < 0)
        return -1;
    FAULT("create.files-made");
    if (container_save(en, c, !container_ephemeral(c), e) < 0)
        return -1;
    FAULT("create.record-written");
    return container_ephemeral(c) ? 0 : dir_sync(AT_FDCWD, en->containers_dir, e);
}

/* An id whose first twelve digits are all decimal would look like a number to people and scripts. */
static void make_id(char id[ID_LENGTH + 1])
{
    do
        str_random_hex(id, ID_LENGTH / 2);
    while (strspn(id, "0123456789") >= 12);
}

static int fill(struct engine *en, struct container *c, const json_t *body, int api_minor, json_t *warnings,
                const char *platform, struct err *e)
{
    const char *image_name = json_string_value(body_get(body, "Image"));
    json_auto_t *image = NULL;
    if (str_empty(image_name))
        return err_set(e, ERR_INVALID, "no image was given");
    c->image = image_resolve(en->images, image_name, e);
    image = c->image ? image_config(en->images, c->image, e) : NULL;
    if (!image || (*platform && image_is_for(image, image_name, platform, e) < 0))
        return -1;
    c->config = config_complete(body, json_object_get(image, "config"), e);
    c->host = c->config ? host_complete(body, api_minor, e) : NULL;
    if (c->host)
        defaults_apply(en, body, c->host);
    if (!c->host || refuse_volumes(body, e) < 0 || refuse_endpoints(body, json_str(c->host, "NetworkMode", ""), e) < 0)
        return -1;
    if (create_check(en, c->config, c->host, warnings, e) < 0) {
        if (e->kind ==
            ERR_NOT_FOUND) /* of a donor or a network: to clients "not found" means the image, and they pull */
            e->kind = ERR_INVALID;
        return -1;
    }
    c->path_args = config_command(c->config, e);
    if (!c->path_args)
        return -1;
    if (!*json_str(c->config, "Hostname", "")) {
        bool shared =
            str_eq(json_str(c->host, "UTSMode", ""), "host") || str_eq(json_str(c->host, "NetworkMode", ""), "host");
        autofree char *host = shared ? mem_strdup(en->hostname) : share_hostname(en, c->host);
        host = host ? host : mem_strndup(c->id, 12);
        json_object_set_new(c->config, "Hostname", json_string(host));
    }
    return 0;
}

json_t *engine_create(struct engine *en, const char *name, const char *platform, const json_t *body, int api_minor,
                      struct err *e)
{
    char id[ID_LENGTH + 1];
    json_auto_t *warnings = json_array();
    autofree char *image = NULL;
    make_id(id);
    struct container *c = container_new(en, id);
    c->created = clock_real();
    struct span s = trace_begin(3, "check the request against the image");
    if (fill(en, c, body, api_minor, warnings, platform, e) < 0)
        goto fail;
    trace_end(&s, "Config and HostConfig completed; %s", c->image);
    if (str_empty(name))
        c->name = name_random(en, id);
    else if (name_reserve(en, name + (*name == '/'), id, e) == 0)
        c->name = mem_strdup(name + (*name == '/'));
    if (!c->name)
        goto fail;
    s = trace_begin(3, "write the container's record");
    if (write_out(en, c, e) < 0) {
        autofree char *folder = container_path(en, c, NULL);
        tree_remove(AT_FDCWD, folder, NULL);
        name_release(en, c->name);
        goto fail;
    }
    trace_end(&s, "containers/%.12s…/config.json: write, %srename%s", c->id, container_ephemeral(c) ? "" : "fsync, ",
              container_ephemeral(c) ? " (--rm: no fsync)" : ", fsync of the folder");
    container_insert(en, c);
    /* From here on the image counts as used. It may have been removed between the look at it and now. */
    image = image_resolve(en->images, c->image, e);
    if (!image) {
        struct err ignored;
        pthread_mutex_lock(&c->op);
        container_destroy(en, c, &ignored);
        pthread_mutex_unlock(&c->op);
        goto fail;
    }
    event_container(en, c, "create", NULL);
    json_t *out = json_pack("{s:s, s:O}", "Id", id, "Warnings", warnings);
    container_put(en, c);
    return out;
fail:
    container_put(en, c);
    return NULL;
}
