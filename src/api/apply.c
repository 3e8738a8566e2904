/* From settings to options: every value checked, every default filled in. Nothing on the machine is changed here, so
 * the same function serves the start, --validate and a reload.
 *
 * What concerns containers (log driver, ulimits, sizes) becomes a piece of HostConfig, which the engine puts under what
 * a request for a container leaves unsaid: so a default cannot mean anything that a container could not ask for itself,
 * and is checked by the same rules. */
#include "api/options.h"
#include "api/settings.h"
#include "api/tls.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROFILE_MAX (1u << 20)

static char *absolute(const char *path)
{
    autofree char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    return here ? str_printf("%s/%s", here, path) : mem_strdup(path);
}

static char *path_setting(const json_t *s, const char *key, const char *otherwise)
{
    return absolute(json_str(s, key, otherwise));
}

/* ---- the daemon's own ---- */

static int apply_hosts(struct options *o, const json_t *s, struct err *e)
{
    json_each (v, json_object_get(s, "hosts")) {
        const char *text = json_string_value(v);
        if (str_starts(text, "unix://") && text[7] != '\0') {
            autofree char *path = absolute(text + 7);
            strv_addf(&o->hosts, "unix://%s", path);
        } else if (str_starts(text, "tcp://") || str_starts(text, "fd://")) {
            strv_add(&o->hosts, text);
        } else {
            return err_set(e, ERR_INVALID, "-H %s: unix:///path, tcp://address:port or fd:// is expected", text);
        }
    }
    if (o->hosts.n == 0)
        strv_add(&o->hosts, DEFAULT_HOST);
    return 0;
}

static int apply_log(struct options *o, const json_t *s, struct err *e)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", "fatal"};
    const char *level = json_str(s, "log-level", "info"), *format = json_str(s, "log-format", "text");
    size_t n = 0;
    while (n < 5 && !str_eq(levels[n], level))
        n++;
    if (n == 5)
        return err_set(e, ERR_INVALID, "--log-level %s: debug, info, warn, error or fatal is expected", level);
    if (!str_eq(format, "text") && !str_eq(format, "json"))
        return err_set(e, ERR_INVALID, "--log-format %s: text or json is expected", format);
    o->debug = json_is(s, "debug") || n == 0;
    o->log_level = o->debug ? LOG_DEBUG : n < 3 ? (enum log_level)(LOG_DEBUG - n) : LOG_ERROR;
    o->log_json = str_eq(format, "json");
    return 0;
}

static int apply_labels(struct options *o, const json_t *s, struct err *e)
{
    json_auto_t *seen = json_object();
    json_each (v, json_object_get(s, "labels")) {
        const char *text = json_string_value(v), *eq = strchr(text, '=');
        if (!eq || eq == text)
            return err_set(e, ERR_INVALID, "--label %s: KEY=VALUE is expected", text);
        autofree char *key = mem_strndup(text, (size_t)(eq - text));
        const char *other = json_string_value(json_object_get(seen, key));
        if (other && !str_eq(other, eq + 1))
            return err_set(e, ERR_INVALID, "conflict labels for %s=%s and %s=%s", key, other, key, eq + 1);
        if (!other)
            json_array_append(o->labels, v);
        json_object_set_new(seen, key, json_string(eq + 1));
    }
    return 0;
}

/* {"path":…,"runtimeArgs":[…]}; what else dockerd takes there (runtimeType, options) is containerd's. */
static int check_runtime(const char *name, const json_t *v, struct err *e)
{
    const char *path = json_str(v, "path", "");
    json_t *args = json_object_get(v, "runtimeArgs");
    if (str_eq(name, "gorae"))
        return err_set(e, ERR_INVALID, "--add-runtime gorae=%s: the runtime gorae is there already", path);
    json_each_pair (key, x, v)
        if (!str_eq(key, "path") && !str_eq(key, "runtimeArgs"))
            return err_set(e, ERR_INVALID, "the runtime %s has the key \"%s\": path and runtimeArgs are known", name,
                           key);
    if (*path != '/')
        return err_set(e, ERR_INVALID, "the runtime %s needs an absolute \"path\"", name);
    if (access(path, X_OK) < 0)
        return err_sys(e, "--add-runtime %s=%s: %s", name, path, path);
    bool fine = !args || json_is_array(args);
    json_each (x, args)
        fine = fine && json_is_string(x);
    return fine ? 0 : err_set(e, ERR_INVALID, "the runtime %s: \"runtimeArgs\" must be a list of strings", name);
}

static int apply_runtimes(struct options *o, const json_t *s, struct err *e)
{
    const json_t *given = json_object_get(s, "runtimes");
    autofree char *own = spawn_sibling("gorae-runtime", e);
    if (!own)
        return -1;
    json_each_pair (name, v, given)
        if (check_runtime(name, v, e) < 0)
            return -1;
    json_t *known = given ? json_deep_copy(given) : json_object();
    json_object_set_new(known, "gorae", json_pack("{s:s}", "path", own));
    const char *chosen = json_str(s, "default-runtime", "gorae");
    o->runtimes = json_pack("{s:s, s:o}", "Default", chosen, "Known", known);
    return json_object_get(known, chosen)
               ? 0
               : err_set(e, ERR_INVALID, "--default-runtime %s: no such runtime was added", chosen);
}

/* @return 0, or -1: a driver that is none, or one that this machine does not have */
static int choose_driver(struct options *o, const char *text, struct err *e)
{
    o->systemd_cgroup = str_eq(text, "native.cgroupdriver=systemd");
    if (!o->systemd_cgroup && !str_eq(text, "native.cgroupdriver=cgroupfs"))
        return err_set(e, ERR_INVALID, "--exec-opt %s: native.cgroupdriver=cgroupfs or systemd is expected", text);
    /* sd_booted(3) looks at the same folder */
    if (o->systemd_cgroup && access("/run/systemd/system", F_OK) < 0)
        return err_set(e, ERR_INVALID,
                       "--exec-opt %s: systemd does not run this machine (there is no /run/systemd/system)", text);
    return 0;
}

static int apply_cgroups(struct options *o, const json_t *s, struct err *e)
{
    json_each (v, json_object_get(s, "exec-opts"))
        if (choose_driver(o, json_string_value(v), e) < 0)
            return -1;
    const char *parent = json_str(s, "cgroup-parent", o->systemd_cgroup ? "system.slice" : "/gorae");
    if (!o->systemd_cgroup && (*parent != '/' || parent[1] == '\0' || str_ends(parent, "/")))
        return err_set(e, ERR_INVALID,
                       "--cgroup-parent %s: an absolute path below the root of the hierarchy is expected", parent);
    if (engine_check_cgroup_parent(parent, o->systemd_cgroup, e) < 0)
        return err_wrap(e, "--cgroup-parent %s", parent);
    o->cgroup_parent = mem_strdup(parent);
    return 0;
}

static int apply_numbers(struct options *o, const json_t *s, struct err *e)
{
    static const char *const registry[] = {"max-concurrent-downloads", "max-concurrent-uploads",
                                           "max-download-attempts"};
    int64_t timeout = json_int(s, "shutdown-timeout", 15);
    if (timeout < -1 || timeout > 86400)
        return err_set(e, ERR_INVALID, "--shutdown-timeout %jd: a number of seconds from -1 to 86400 is expected",
                       (intmax_t)timeout);
    for (size_t i = 0; i < sizeof(registry) / sizeof(registry[0]); i++) {
        int64_t n = json_int(s, registry[i], 1);
        if (n < 1 || n > 100)
            return err_set(e, ERR_INVALID, "--%s %jd: a number from 1 to 100 is expected", registry[i], (intmax_t)n);
    }
    o->shutdown_timeout = (int)timeout;
    return 0;
}

/* ---- what containers get that do not say otherwise ---- */

/* A profile travels to the engine as a client sends one: its text in a security option. */
static int apply_profile(const json_t *s, json_t *security, struct err *e)
{
    const char *path = json_str(s, "seccomp-profile", "");
    if (str_empty(path) || str_eq(path, "builtin"))
        return 0;
    if (str_eq(path, "unconfined")) {
        json_array_append_new(security, json_string("seccomp=unconfined"));
        return 0;
    }
    size_t n;
    autofree char *text = file_read(AT_FDCWD, path, PROFILE_MAX, &n, e);
    json_auto_t *profile = text ? json_parse(text, n, e) : NULL;
    if (!profile)
        return err_wrap(e, "--seccomp-profile %s", path);
    autofree char *option = str_printf("seccomp=%s", text);
    json_array_append_new(security, json_string(option));
    return 0;
}

static int apply_containers(struct options *o, const json_t *s, struct err *e)
{
    static const char *const ipc[] = {"private", "shareable", NULL}, *const cgroupns[] = {"host", "private", NULL};
    const char *size = json_string_value(json_object_get(s, "default-shm-size"));
    const char *mode = json_str(s, "default-ipc-mode", "private"), *ns = json_str(s, "default-cgroupns-mode", "");
    int64_t bytes;
    json_t *host = o->host_defaults, *security = json_array(), *limits = json_array();
    json_object_set_new(host, "SecurityOpt", security);
    json_object_set_new(host, "Ulimits", limits);
    if (json_is(s, "init"))
        json_object_set_new(host, "Init", json_true());
    if (json_is(s, "no-new-privileges"))
        json_array_append_new(security, json_string("no-new-privileges"));
    if (size && (!engine_size(size, &bytes) || bytes <= 0))
        return err_set(e, ERR_INVALID, "--default-shm-size %s: a size such as 64m is expected", size);
    if (size)
        json_object_set_new(host, "ShmSize", json_integer((json_int_t)bytes));
    if (!str_among(mode, ipc))
        return err_set(e, ERR_INVALID, "--default-ipc-mode %s: private or shareable is expected", mode);
    json_object_set_new(host, "IpcMode", json_string(mode));
    if (*ns && !str_among(ns, cgroupns))
        return err_set(e, ERR_INVALID, "--default-cgroupns-mode %s: host or private is expected", ns);
    if (*ns)
        json_object_set_new(host, "CgroupnsMode", json_string(ns));
    json_each_pair (name, v, json_object_get(s, "default-ulimits")) {
        json_auto_t *limit = json_copy(v);
        json_object_set_new(limit, "Name", json_string(name));
        json_array_append(limits, limit);
    }
    const json_t *opts = json_object_get(s, "log-opts");
    json_object_set_new(host, "LogConfig",
                        json_pack("{s:s, s:o}", "Type", json_str(s, "log-driver", "json-file"), "Config",
                                  opts ? json_deep_copy(opts) : json_object()));
    return apply_profile(s, security, e) < 0 ? -1 : engine_check_defaults(host, e);
}

static int apply_registries(struct options *o, const json_t *s, struct err *e)
{
    const json_t *mirrors = json_object_get(s, "registry-mirrors"),
                 *insecure = json_object_get(s, "insecure-registries");
    json_each (v, mirrors) {
        const char *url = json_string_value(v);
        if (!str_starts(url, "https://") && !str_starts(url, "http://"))
            return err_set(e, ERR_INVALID, "--registry-mirror %s: https://host or http://host is expected", url);
    }
    json_object_set_new(o->registries, "Mirrors", mirrors ? json_deep_copy(mirrors) : json_array());
    json_object_set_new(o->registries, "InsecureRegistries", insecure ? json_deep_copy(insecure) : json_array());
    return 0;
}

static int apply_fixed(const json_t *s, struct err *e)
{
    for (size_t i = 0; i < nsettings; i++) {
        const struct setting *x = &settings[i];
        const json_t *v = x->kind >= SETTING_FIXED ? json_object_get(s, x->key) : NULL;
        autofree char *text = json_is_string(v) ? mem_strdup(json_string_value(v)) : json_compact(v);
        if (v && !setting_is_fixed(x, v))
            return err_set(e, ERR_INVALID, "--%s %s: it can only be %s: %s", x->flag, text,
                           *x->word ? x->word : "empty", x->help);
    }
    return 0;
}

/* ---- TLS ---- */

/* As with dockerd, DOCKER_CERT_PATH may name another folder. */
static char *cert_setting(const json_t *s, const char *key, const char *file)
{
    const char *folder = getenv("DOCKER_CERT_PATH");
    autofree char *usual = str_printf("%s/%s", str_empty(folder) ? DEFAULT_CERTS : folder, file);
    return path_setting(s, key, usual);
}

/* To speak of tlsverify at all is to want TLS, as with dockerd. */
static int apply_tls(struct options *o, const json_t *s, struct err *e)
{
    const char *wish = getenv("DOCKER_TLS_VERIFY");
    const json_t *verify = json_object_get(s, "tlsverify");
    o->tls.verify = verify ? json_is_true(verify) : !str_empty(wish);
    o->tls.on = json_is(s, "tls") || verify || o->tls.verify;
    o->tls.ca = cert_setting(s, "tlscacert", "ca.pem");
    o->tls.cert = cert_setting(s, "tlscert", "cert.pem");
    o->tls.key = cert_setting(s, "tlskey", "key.pem");
    return o->tls.on ? tls_check(o, e) : 0;
}

static int apply(struct options *o, const json_t *s, struct err *e)
{
    static const char *const paths[] = {"data-root", "exec-root", "pidfile", "tlscacert", "tlscert", "tlskey"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (!*json_str(s, paths[i], "/"))
            return err_set(e, ERR_INVALID, "--%s \"\": a path is expected", paths[i]);
    o->data_root = path_setting(s, "data-root", DEFAULT_DATA_ROOT);
    o->exec_root = path_setting(s, "exec-root", DEFAULT_EXEC_ROOT);
    o->pidfile = path_setting(s, "pidfile", DEFAULT_PIDFILE);
    o->group = mem_strdup(json_str(s, "group", DEFAULT_GROUP));
    o->metrics = mem_strdup(json_str(s, "metrics-addr", ""));
    o->live_restore = json_is(s, "live-restore");
    o->insecure_tcp = json_is(s, "insecure-tcp");
    return apply_hosts(o, s, e) < 0 || apply_log(o, s, e) < 0 || apply_labels(o, s, e) < 0 ||
                   apply_cgroups(o, s, e) < 0 || apply_runtimes(o, s, e) < 0 || apply_numbers(o, s, e) < 0 ||
                   apply_containers(o, s, e) < 0 || apply_registries(o, s, e) < 0 || apply_tls(o, s, e) < 0 ||
                   apply_fixed(s, e) < 0
               ? -1
               : 0;
}

int options_load(struct options *o, const struct command_line *l, struct err *e)
{
    *o = (struct options){.labels = json_array(), .host_defaults = json_object(), .registries = json_object()};
    json_auto_t *file = settings_read(l->config, l->config_given, e);
    o->settings = file ? settings_join(l->flags, file, e) : NULL;
    if (o->settings && apply(o, o->settings, e) == 0)
        return 0;
    options_release(o);
    return -1;
}

void options_release(struct options *o)
{
    char *texts[] = {o->data_root, o->exec_root, o->pidfile,  o->group,  o->cgroup_parent,
                     o->metrics,   o->tls.ca,    o->tls.cert, o->tls.key};
    json_t *values[] = {o->settings, o->labels, o->host_defaults, o->registries, o->runtimes};
    strv_release(&o->hosts);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        json_decref(values[i]);
    *o = (struct options){0};
}
