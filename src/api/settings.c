/* Settings: the table, and what makes JSON of it. See settings.h.
 *
 * A setting may stand on the command line or in daemon.json, never in both: which of two values counts would be a rule
 * that nobody remembers at night. Runtimes are the exception, they add up. A key that the table does not have ends the
 * start, because a misspelt limit that is silently no limit is worse than a daemon that does not start.
 *
 * Read next: options.c for the command line, apply.c for what the values mean. */
#include "api/settings.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define FILE_MAX (1u << 20)

const struct setting settings[] = {
    {"add-runtime", 0, "runtimes", SETTING_RUNTIMES, true, "NAME=PATH", "Register another OCI runtime"},
    {"cgroup-parent", 0, "cgroup-parent", SETTING_TEXT, false, "PATH",
     "Cgroup that holds the containers' (default \"/gorae\"); with systemd a slice (\"system.slice\")"},
    {"config-file", 0, NULL, SETTING_TEXT, false, "PATH", "Settings in a file (default \"/etc/gorae/daemon.json\")"},
    {"data-root", 0, "data-root", SETTING_TEXT, false, "PATH", "Root of what must last (default \"/var/lib/gorae\")"},
    {"debug", 'D', "debug", SETTING_BOOL, true, NULL, "Log more"},
    {"default-cgroupns-mode", 0, "default-cgroupns-mode", SETTING_TEXT, true, "MODE",
     "Cgroup namespace of containers: host or private"},
    {"default-ipc-mode", 0, "default-ipc-mode", SETTING_TEXT, true, "MODE",
     "IPC namespace of containers: private or shareable (default \"private\")"},
    {"default-runtime", 0, "default-runtime", SETTING_TEXT, true, "NAME",
     "Runtime of containers that name none (default \"gorae\")"},
    {"default-shm-size", 0, "default-shm-size", SETTING_TEXT, true, "BYTES", "Size of /dev/shm (default 64m)"},
    {"default-ulimit", 0, "default-ulimits", SETTING_ULIMITS, true, "NAME=SOFT[:HARD]",
     "Resource limit of containers that set none of that name"},
    {"exec-opt", 0, "exec-opts", SETTING_LIST, false, "KEY=VALUE",
     "native.cgroupdriver=cgroupfs or systemd: who makes the control groups"},
    {"exec-root", 0, "exec-root", SETTING_TEXT, false, "PATH", "Root of running state (default \"/run/gorae\")"},
    {"group", 'G', "group", SETTING_TEXT, false, "NAME", "Group that may use the unix sockets (default \"gorae\")"},
    {"host", 'H', "hosts", SETTING_LIST, false, "ADDRESS",
     "Where to listen, may be given several times: unix://PATH, tcp://ADDRESS:PORT, fd:// (default "
     "\"unix:///run/gorae.sock\")"},
    {"init", 0, "init", SETTING_BOOL, true, NULL, "Run an init in every container"},
    {"insecure-registry", 0, "insecure-registries", SETTING_LIST, true, "HOST[:PORT]",
     "Registry that may be spoken to without TLS"},
    {"insecure-tcp", 0, "insecure-tcp", SETTING_BOOL, false, NULL,
     "Listen on TCP without TLS beyond this machine: whoever can connect is root here"},
    {"label", 0, "labels", SETTING_LIST, true, "KEY=VALUE", "Label of this daemon, shown by info"},
    {"live-restore", 0, "live-restore", SETTING_BOOL, true, NULL, "Leave containers running when the daemon stops"},
    {"log-driver", 0, "log-driver", SETTING_TEXT, true, "NAME",
     "Where containers' output is kept (default \"json-file\")"},
    {"log-format", 0, "log-format", SETTING_TEXT, false, "FORMAT",
     "The daemon's own log: text or json (default \"text\")"},
    {"log-level", 'l', "log-level", SETTING_TEXT, true, "LEVEL",
     "debug, info, warn, error or fatal (default \"info\")"},
    {"log-opt", 0, "log-opts", SETTING_MAP, true, "KEY=VALUE", "Option of the log driver"},
    {"max-concurrent-downloads", 0, "max-concurrent-downloads", SETTING_NUMBER, true, "N",
     "Layers of one pull at a time (default 3)"},
    {"max-concurrent-uploads", 0, "max-concurrent-uploads", SETTING_NUMBER, true, "N",
     "Layers of one push at a time (default 5)"},
    {"max-download-attempts", 0, "max-download-attempts", SETTING_NUMBER, true, "N",
     "How often a layer is tried (default 5)"},
    {"metrics-addr", 0, "metrics-addr", SETTING_TEXT, false, "ADDRESS:PORT",
     "Serve /metrics there, as text for Prometheus"},
    {"no-new-privileges", 0, "no-new-privileges", SETTING_BOOL, true, NULL,
     "Containers cannot gain privileges, unless they say otherwise"},
    {"pidfile", 'p', "pidfile", SETTING_TEXT, false, "PATH",
     "File that holds the daemon's pid (default \"/run/gorae.pid\")"},
    {"registry-mirror", 0, "registry-mirrors", SETTING_LIST, true, "URL", "Where to look first when pulling"},
    {"seccomp-profile", 0, "seccomp-profile", SETTING_TEXT, true, "PATH",
     "Seccomp profile of containers that bring none; or builtin, unconfined"},
    {"shutdown-timeout", 0, "shutdown-timeout", SETTING_NUMBER, true, "SECS",
     "Wait so long for containers to stop with the daemon, or as long as one of them has for itself (default 15, -1 "
     "for ever)"},
    {"tls", 0, "tls", SETTING_BOOL, false, NULL, "Speak TLS on TCP sockets; implied by --tlsverify"},
    {"tlscacert", 0, "tlscacert", SETTING_TEXT, true, "PATH",
     "Authority that signed the clients' certificates (default \"/etc/gorae/ca.pem\")"},
    {"tlscert", 0, "tlscert", SETTING_TEXT, true, "PATH",
     "The daemon's certificate (default \"/etc/gorae/cert.pem\"); read again on SIGHUP"},
    {"tlskey", 0, "tlskey", SETTING_TEXT, true, "PATH", "Its key (default \"/etc/gorae/key.pem\")"},
    {"tlsverify", 0, "tlsverify", SETTING_BOOL, false, NULL,
     "Speak TLS on TCP sockets, and let in only who shows a certificate of --tlscacert"},

    /* What people have in dockerd's file. It is taken where it says what is so, and refused where it asks for more. */
    {"authorization-plugin", 0, "authorization-plugins", FIXED_LIST, false, "", "There are no plugins"},
    {"bridge", 'b', "bridge", FIXED_TEXT, false, "none", "Networks come with a later step"},
    {"containerd", 0, "containerd", FIXED_TEXT, false, NULL, "Taken and not used: there is no containerd here"},
    {"experimental", 0, "experimental", SETTING_FIXED, false, "false", "Nothing here is experimental"},
    {"feature", 0, "features", FIXED_PAIRS, true, "false", "None of dockerd's is here"},
    {"ip-masq", 0, "ip-masq", SETTING_FIXED, false, "false", "Networks come with a later step"},
    {"ip6tables", 0, "ip6tables", SETTING_FIXED, false, "false", "Networks come with a later step"},
    {"iptables", 0, "iptables", SETTING_FIXED, false, "false", "Networks come with a later step"},
    {"ipv6", 0, "ipv6", SETTING_FIXED, false, "false", "Networks come with a later step"},
    {"raw-logs", 0, "raw-logs", SETTING_FIXED, false, "false", "The daemon's log has no colours to leave out"},
    {"selinux-enabled", 0, "selinux-enabled", SETTING_FIXED, false, "false", "SELinux labels are not supported"},
    {"storage-driver", 's', "storage-driver", FIXED_TEXT, false, "overlay2", "Overlayfs is the one there is"},
    {"userland-proxy", 0, "userland-proxy", SETTING_FIXED, false, "false", "Networks come with a later step"},
    {"userns-remap", 0, "userns-remap", FIXED_TEXT, false, "", "User namespaces are not supported"},
};
const size_t nsettings = sizeof(settings) / sizeof(settings[0]);

/* What dockerd has besides, by flag and by key. */
static const struct {
    const char *why, *names;
} refused[] = {
    {"networks come with a later step",
     "allow-direct-routing bip bip6 bridge-accept-fwmark default-address-pool default-address-pools default-gateway "
     "default-gateway-v6 default-network-opt default-network-opts dns dns-opt dns-opts dns-search firewall-backend "
     "fixed-cidr fixed-cidr-v6 host-gateway-ip host-gateway-ips icc ip ip-forward ip-forward-no-drop mtu "
     "network-control-plane-mtu userland-proxy-path"},
    {"registries come with a later step, and with them what lies on the way",
     "allow-nondistributable-artifacts http-proxy https-proxy no-proxy proxies"},
    {"there is no swarm here",
     "network-diagnostic-port node-generic-resource node-generic-resources swarm-default-advertise-addr"},
    {"there is no containerd here", "containerd-namespace containerd-plugins-namespace"},
    {"overlayfs has no options here", "storage-opt storage-opts"},
    {"real-time scheduling is asked for by each container", "cpu-rt-period cpu-rt-runtime"},
    {"who starts the daemon sets it, as OOMScoreAdjust= of its service", "oom-score-adjust"},
    {"gorae-init is the one there is", "init-path"},
    {"there are no CDI devices here", "cdi-spec-dir cdi-spec-dirs"},
};

const char *setting_refused(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        for (const char *p = refused[i].names; *p; p += strcspn(p, " "), p += *p == ' ')
            if (strcspn(p, " ") == n && strncmp(p, name, n) == 0)
                return refused[i].why;
    return NULL;
}

const struct setting *setting_of_key(const char *key)
{
    for (size_t i = 0; i < nsettings; i++)
        if (str_eq(settings[i].key, key))
            return &settings[i];
    return NULL;
}

/* Before any key: a setting without one lives under its flag's name. */
static const char *key_of(const struct setting *s)
{
    return s->key ? s->key : s->flag;
}

/* ---- from the command line ---- */

static json_t *at(json_t *to, const struct setting *s, bool list)
{
    json_t *v = json_object_get(to, key_of(s));
    if (!v) {
        v = list ? json_array() : json_object();
        json_object_set_new(to, key_of(s), v);
    }
    return v;
}

/* "NAME=SOFT:HARD", "NAME=BOTH"; -1 is no limit. */
static json_t *ulimit_of(const char *name, const char *text)
{
    const char *colon = strchr(text, ':');
    autofree char *first = colon ? mem_strndup(text, (size_t)(colon - text)) : mem_strdup(text);
    int64_t soft, hard;
    if (!str_to_i64(first, &soft) || !str_to_i64(colon ? colon + 1 : text, &hard))
        return NULL;
    return json_pack("{s:s, s:I, s:I}", "Name", name, "Soft", (json_int_t)soft, "Hard", (json_int_t)hard);
}

static int add_pair(json_t *to, const struct setting *s, const char *text, struct err *e)
{
    const char *eq = strchr(text, '=');
    if (!eq || eq == text || (s->kind == SETTING_RUNTIMES && eq[1] != '/'))
        return err_set(e, ERR_INVALID, "--%s %s: %s is expected", s->flag, text,
                       s->kind == SETTING_RUNTIMES ? "NAME=/absolute/path" : s->word);
    autofree char *name = mem_strndup(text, (size_t)(eq - text));
    json_t *map = at(to, s, false), *value = NULL;
    if (s->kind == SETTING_MAP)
        value = json_string(eq + 1);
    else if (s->kind == SETTING_RUNTIMES)
        value = json_pack("{s:s}", "path", eq + 1);
    else if (!(value = ulimit_of(name, eq + 1)))
        return err_set(e, ERR_INVALID, "--%s %s: %s is expected", s->flag, text, s->word);
    if (json_object_get(map, name)) {
        json_decref(value);
        return err_set(e, ERR_INVALID, "--%s %s: %s is there already", s->flag, text, name);
    }
    json_object_set_new(map, name, value);
    return 0;
}

int setting_add(json_t *to, const struct setting *s, const char *text, struct err *e)
{
    int64_t n;
    switch (s->kind) {
    case SETTING_BOOL:
        if (text && !str_eq(text, "true") && !str_eq(text, "false"))
            return err_set(e, ERR_INVALID, "--%s=%s: true or false is expected", s->flag, text);
        json_object_set_new(to, key_of(s), json_boolean(!str_eq(text, "false")));
        return 0;
    case SETTING_TEXT: json_object_set_new(to, key_of(s), json_string(text)); return 0;
    case SETTING_NUMBER:
        if (!str_to_i64(text, &n))
            return err_set(e, ERR_INVALID, "--%s %s: a number is expected", s->flag, text);
        json_object_set_new(to, key_of(s), json_integer((json_int_t)n));
        return 0;
    case SETTING_LIST: json_array_append_new(at(to, s, true), json_string(text)); return 0;
    default:
        return s->kind >= SETTING_FIXED ? json_object_set_new(to, key_of(s), json_string(text ? text : "true"))
                                        : add_pair(to, s, text, e);
    }
}

/* ---- from the file ---- */

/* @param where the key that is wrong in an object, or NULL */
static bool right_type(enum setting_kind kind, const json_t *v, const char **where)
{
    json_int_t number;
    const char *name;
    *where = NULL;
    switch (kind) {
    case SETTING_FIXED:
    case SETTING_BOOL: return json_is_boolean(v);
    case FIXED_TEXT:
    case SETTING_TEXT: return json_is_string(v);
    case SETTING_NUMBER: return json_is_integer(v);
    case FIXED_LIST:
    case SETTING_LIST:
        json_each (x, v)
            if (!json_is_string(x))
                return false;
        return json_is_array(v);
    default:
        json_each_pair (key, x, v) {
            *where = key;
            if ((kind == SETTING_MAP && !json_is_string(x)) ||
                (kind == SETTING_ULIMITS &&
                 json_unpack(x, "{s:I, s:I, s?:s !}", "Soft", &number, "Hard", &number, "Name", &name) < 0))
                return false;
        }
        *where = NULL;
        return json_is_object(v);
    }
}

/* In a list or an object each has to; "--feature x=false" is its text. */
bool setting_is_fixed(const struct setting *s, const json_t *v)
{
    const char *text = json_string_value(v);
    bool all = true;
    if (!s->word)
        return true;
    if (text && str_eq(s->flag, "feature") && strchr(text, '='))
        text = strchr(text, '=') + 1;
    json_each (x, v)
        all = all && setting_is_fixed(s, x);
    json_each_pair (key, x, v)
        all = all && setting_is_fixed(s, x);
    return json_is_boolean(v) ? str_eq(s->word, json_is_true(v) ? "true" : "false")
           : text             ? str_eq(s->word, text)
                              : all && (json_is_object(v) || json_is_array(v));
}

static int check_file(const json_t *file, struct err *e)
{
    static const char *const words[] = {"true or false", "a string",          "a number",  "a list of strings",
                                        "an object",     "an object",         "an object", "true or false",
                                        "a string",      "a list of strings", "an object"};
    const char *where;
    autostr unknown = STR_INIT;
    json_each_pair (key, v, file) {
        const struct setting *s = setting_of_key(key), nothing = {.flag = key, .word = json_is_false(v) ? "false" : ""};
        const char *why = setting_refused(key, strlen(key));
        if (why ? setting_is_fixed(&nothing, v) : s && right_type(s->kind, v, &where))
            continue;
        if (why)
            return err_set(e, ERR_INVALID, "\"%s\" cannot be set: %s", key, why);
        if (s)
            return err_set(e, ERR_INVALID, "\"%s%s%s\" must be %s", key, where ? "." : "", where ? where : "",
                           !where                   ? words[s->kind]
                           : s->kind == SETTING_MAP ? "a string"
                                                    : "{\"Soft\": NUMBER, \"Hard\": NUMBER}");
        str_addf(&unknown, "%s%s", unknown.len ? ", " : "", key);
    }
    if (unknown.len > 0)
        return err_set(e, ERR_INVALID, "the following directives don't match any configuration option: %s", unknown.s);
    return 0;
}

json_t *settings_read(const char *path, bool must, struct err *e)
{
    size_t n;
    autofree char *text = file_read(AT_FDCWD, path, FILE_MAX, &n, e);
    if (!text && e->sys == ENOENT && !must)
        return json_object();
    if (text && strspn(text, " \t\r\n") == n)
        return json_object(); /* an empty file is what a package may install */
    json_t *j = text ? json_parse(text, n, e) : NULL;
    if (j && !json_is_object(j))
        err_set(e, ERR_INVALID, "an object of settings is expected");
    else if (j && check_file(j, e) == 0)
        return j;
    json_decref(j);
    return err_null(err_wrap(e, "configuration file %s", path));
}

/* ---- both ---- */

json_t *settings_join(const json_t *flags, const json_t *file, struct err *e)
{
    autostr both = STR_INIT;
    json_t *all = json_deep_copy(file);
    json_each_pair (key, v, flags) {
        json_t *other = json_object_get(all, key);
        const struct setting *s = setting_of_key(key);
        if (other && s && s->kind == SETTING_RUNTIMES) {
            json_each_pair (name, runtime, v)
                json_object_set(other, name, runtime);
            continue;
        }
        if (other) {
            autofree char *a = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT),
                          *b = json_dumps(other, JSON_ENCODE_ANY | JSON_COMPACT);
            str_addf(&both, "%s%s: (from flag: %s, from file: %s)", both.len ? ", " : "", key, a, b);
        }
        json_object_set(all, key, v);
    }
    if (both.len == 0)
        return all;
    json_decref(all);
    return err_null(err_set(e, ERR_INVALID,
                            "the following directives are specified both as a flag and in the configuration file: %s",
                            both.s));
}
