/* Texts of a create request that end up in files of the system: sysctls, and the lines of /etc/hosts and resolv.conf.
 *
 * Each is written into a file where a newline begins another entry, or becomes a path below /proc/sys. So each is
 * checked against its grammar before anything is made of it; what is not one is refused by name.
 *
 * Source: sysctl(8), hosts(5), resolv.conf(5); Engine API, HostConfig. */
#include "engine/spec.h"
#include "base/json.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <ctype.h>

#define TEXT_MAX 1024

/* One word: printable, no blank, not too long. */
static bool is_word(const char *s)
{
    size_t n = strlen(s);
    for (const char *p = s; *p; p++)
        if (!isgraph((unsigned char)*p))
            return false;
    return n > 0 && n <= TEXT_MAX;
}

static bool is_address(const char *s)
{
    struct in6_addr a;
    return inet_pton(AF_INET, s, &a) == 1 || inet_pton(AF_INET6, s, &a) == 1;
}

static int check_words(const json_t *host, const char *key, const char *what, bool blanks, struct err *e)
{
    json_each (v, json_object_get(host, key)) {
        autofree char *copy = mem_strdup(json_string_value(v));
        for (char *p = copy; blanks && *p; p++)
            if (*p == ' ')
                *p = '_';
        if (!is_word(copy))
            return err_set(e, ERR_INVALID, "invalid %s: \"%.100s\"", what, json_string_value(v));
    }
    return 0;
}

static int check_dns(const json_t *host, struct err *e)
{
    json_each (v, json_object_get(host, "Dns"))
        if (!is_address(json_string_value(v)))
            return err_set(e, ERR_INVALID, "bad nameserver address: %.100s is not an IP address", json_string_value(v));
    if (check_words(host, "DnsSearch", "DNS search domain", false, e) < 0)
        return -1;
    return check_words(host, "DnsOptions", "DNS option", true, e);
}

static int check_hosts(const json_t *host, struct err *e)
{
    json_each (v, json_object_get(host, "ExtraHosts")) {
        const char *text = json_string_value(v), *colon = strchr(text, ':');
        autofree char *name = mem_strndup(text, colon ? (size_t)(colon - text) : 0);
        if (!colon || !is_word(name))
            return err_set(e, ERR_INVALID, "bad format for add-host: \"%.100s\"", text);
        if (str_eq(colon + 1, "host-gateway"))
            return err_set(e, ERR_NOT_IMPLEMENTED,
                           "host-gateway in ExtraHosts is not supported yet: it comes with the step on networks");
        if (!is_address(colon + 1))
            return err_set(e, ERR_INVALID, "invalid IP address in add-host: \"%.100s\"", colon + 1);
    }
    return 0;
}

/* ---- sysctls ---- */

enum owner { OWNER_NONE, OWNER_IPC, OWNER_NET, OWNER_UTS };

/* Which namespace keeps this parameter. One that none keeps is the host's, and would change it for everybody. */
static enum owner owner_of(const char *name)
{
    static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                                      "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};
    for (size_t i = 0; i < sizeof(ipc) / sizeof(ipc[0]); i++)
        if (str_eq(name, ipc[i]))
            return OWNER_IPC;
    if (str_starts(name, "fs.mqueue."))
        return OWNER_IPC;
    if (str_starts(name, "net."))
        return OWNER_NET;
    return str_eq(name, "kernel.domainname") ? OWNER_UTS : OWNER_NONE;
}

static int check_sysctls(const json_t *host, struct err *e)
{
    static const char *const mode[] = {NULL, "IpcMode", "NetworkMode", "UTSMode"}, *const ns[] = {"", "IPC", "network",
                                                                                                  "UTS"};
    json_each_pair (name, v, json_object_get(host, "Sysctls")) {
        enum owner o = owner_of(name);
        const char *where = o ? json_str(host, mode[o], "") : "";
        if (!is_word(name) || strchr(name, '/') || strstr(name, ".."))
            return err_set(e, ERR_INVALID, "invalid sysctl name \"%.100s\"", name);
        if (o == OWNER_NONE)
            return err_set(e, ERR_INVALID, "sysctl '%s' is not whitelisted: no namespace of a container has it", name);
        if (str_eq(where, "host") || str_starts(where, "container:"))
            return err_set(e, ERR_INVALID,
                           "sysctl '%s' is not allowed where the %s namespace is not the container's own", name, ns[o]);
        if (strlen(json_string_value(v)) > TEXT_MAX || strchr(json_string_value(v), '\n'))
            return err_set(e, ERR_INVALID, "invalid value of sysctl '%s'", name);
    }
    return 0;
}

int texts_check(const json_t *config, const json_t *host, struct err *e)
{
    static const char *const names[] = {"Hostname", "Domainname"};
    for (size_t i = 0; i < 2; i++) {
        const char *s = json_str(config, names[i], "");
        if (*s && (!is_word(s) || strchr(s, '/') || strlen(s) > 64))
            return err_set(e, ERR_INVALID, "invalid hostname format: \"%.100s\"", s);
    }
    return check_sysctls(host, e) < 0 || check_dns(host, e) < 0 || check_hosts(host, e) < 0 ? -1 : 0;
}
