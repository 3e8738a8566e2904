/* Defaults: what the administrator wants for containers that do not say otherwise (daemon.json).
 *
 * They are a piece of HostConfig. At a create each is put where the request is silent, before any rule is checked, so
 * that inspect shows what really counts. A reload replaces the piece as a whole, for containers that are made from then
 * on.
 *
 * Read next: create.c. */
#include "engine/logging.h"
#include "engine/spec.h"
#include "base/json.h"
#include "base/mem.h"

int engine_check_defaults(const json_t *host, struct err *e)
{
    json_auto_t *limits = NULL;
    if (logging_check(host, e) < 0)
        return -1;
    limits = spec_rlimits(host, e);
    return limits ? 0 : -1;
}

/* What a request says of one key; NULL where it says nothing: absent, null, empty or 0. */
static const json_t *said(const json_t *body, const char *key)
{
    const json_t *v = json_object_get(body_get(body, "HostConfig"), key);
    bool empty = !v || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0) ||
                 (json_is_integer(v) && json_integer_value(v) == 0);
    return empty ? NULL : v;
}

/* A driver that is named brings its own options; the default's belong to the default. */
static void add_log(json_t *host, const json_t *body, const json_t *from)
{
    const json_t *given = said(body, "LogConfig");
    const char *type = json_str(given, "Type", "");
    if (*type && !str_eq(type, json_str(from, "Type", "")))
        return;
    json_t *merged = json_deep_copy(from), *config = json_object_get(merged, "Config");
    json_object_update(config, json_object_get(given, "Config"));
    json_object_set_new(host, "LogConfig", merged);
}

static bool has_limit(const json_t *limits, const char *name)
{
    json_each (v, limits)
        if (str_eq(json_str(v, "Name", ""), name))
            return true;
    return false;
}

static void add_limits(json_t *host, const json_t *from)
{
    json_t *limits = json_object_get(host, "Ulimits");
    json_t *all = json_is_array(limits) ? json_copy(limits) : json_array();
    json_each (v, from)
        if (!has_limit(limits, json_str(v, "Name", "")))
            json_array_append(all, v);
    if (json_array_size(all) > 0)
        json_object_set(host, "Ulimits", all);
    json_decref(all);
}

/* "no-new-privileges=false" of a request stands against "no-new-privileges" of the daemon: the name counts. */
static void add_security(json_t *host, const json_t *from)
{
    json_t *options = json_object_get(host, "SecurityOpt");
    json_t *all = json_is_array(options) ? json_copy(options) : json_array();
    json_each (v, from) {
        const char *text = json_string_value(v);
        size_t n = strcspn(text, "=:");
        bool there = json_is(host, "Privileged") && str_starts(text, "seccomp");
        json_each (own, options)
            there = there || strncmp(json_string_value(own), text, n) == 0;
        if (!there)
            json_array_append(all, v);
    }
    if (json_array_size(all) > 0)
        json_object_set(host, "SecurityOpt", all);
    json_decref(all);
}

void defaults_apply(struct engine *en, const json_t *body, json_t *host)
{
    static const char *const plain[] = {"ShmSize", "IpcMode", "CgroupnsMode", "Init"};
    json_auto_t *from = locked(&en->lock, json_incref(en->opt.host_defaults));
    if (!from)
        return;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (json_object_get(from, plain[i]) && !said(body, plain[i]))
            json_object_set(host, plain[i], json_object_get(from, plain[i]));
    add_log(host, body, json_object_get(from, "LogConfig"));
    add_limits(host, json_object_get(from, "Ulimits"));
    add_security(host, json_object_get(from, "SecurityOpt"));
}

void engine_reload(struct engine *en, const struct engine_options *opt)
{
    pthread_mutex_lock(&en->lock);
    json_t *old[] = {en->opt.labels, en->opt.host_defaults, en->opt.registries, en->opt.runtimes};
    en->opt.labels = json_incref(opt->labels);
    en->opt.host_defaults = json_incref(opt->host_defaults);
    en->opt.registries = json_incref(opt->registries);
    en->opt.runtimes = json_incref(opt->runtimes);
    en->opt.debug = opt->debug;
    en->opt.live_restore = opt->live_restore;
    pthread_mutex_unlock(&en->lock);
    for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++)
        json_decref(old[i]);
    event_daemon(en, "reload", json_copy((json_t *)opt->settings));
}
