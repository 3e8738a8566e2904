/* Capabilities of a container: Docker's fourteen, plus --cap-add, minus --cap-drop, or all where privileged.
 *
 * Root inside a container is root with these and no others (capabilities(7)). Names may come with or without CAP_ and
 * in any case; ALL stands for all. They go into the bounding, permitted and effective sets; the inheritable set stays
 * empty, because with it a file capability in the image would give them back to a user who is not root
 * (CVE-2022-24769). */
#include "engine/capability.h"
#include "base/json.h"
#include "base/str.h"

#include <ctype.h>
#include <sys/prctl.h>

static const char *const all_caps[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};
#define CAPS (sizeof(all_caps) / sizeof(all_caps[0]))

static const char *const default_caps[] = {
    "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FSETID",     "CAP_FOWNER",      "CAP_MKNOD",
    "CAP_NET_RAW", "CAP_SETGID",           "CAP_SETUID",     "CAP_SETFCAP",     "CAP_SETPCAP",
    "CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_AUDIT_WRITE",
};

/* @return index, CAPS for ALL, or -1 */
static int find(const char *name)
{
    char up[32] = "CAP_";
    size_t n = 4;
    for (const char *p = name; *p; p++) {
        if (n >= sizeof(up) - 1)
            return -1;
        up[n++] = (char)toupper((unsigned char)*p);
    }
    up[n] = '\0';
    const char *want = str_starts(up + 4, "CAP_") ? up + 4 : up;
    if (str_eq(want, "CAP_ALL"))
        return (int)CAPS;
    for (size_t i = 0; i < CAPS; i++)
        if (str_eq(all_caps[i], want))
            return (int)i;
    return -1;
}

/* What the daemon itself cannot have, no child of it can: its bounding set is the ceiling. The table is in the order of
 * the kernel's numbers. */
static bool available(size_t i)
{
    return prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1;
}

void capabilities_foretell(const json_t *host, json_t *warnings)
{
    json_each (v, json_object_get(host, "CapAdd")) {
        int k = find(json_string_value(v));
        if (k >= 0 && (size_t)k < CAPS && !available((size_t)k))
            json_array_append_new(warnings, json_sprintf("Capability %s is not available here: the daemon itself does "
                                                         "not have it.",
                                                         all_caps[k]));
    }
}

static int apply(bool have[CAPS], const json_t *list, bool value, struct err *e)
{
    json_each (v, list) {
        int k = find(json_string_value(v));
        if (k < 0)
            return err_set(e, ERR_INVALID, "invalid capability: unknown capability \"%.64s\"", json_string_value(v));
        for (size_t j = 0; j < CAPS; j++)
            if ((size_t)k == j || (size_t)k == CAPS)
                have[j] = value && available(j);
    }
    return 0;
}

static bool names_all(const json_t *list)
{
    json_each (v, list)
        if (find(json_string_value(v)) == (int)CAPS)
            return true;
    return false;
}

json_t *capabilities_of(const json_t *host, struct err *e)
{
    bool have[CAPS] = {false};
    const json_t *add = json_object_get(host, "CapAdd"), *drop = json_object_get(host, "CapDrop");
    bool privileged = json_is(host, "Privileged");
    for (size_t i = 0; i < sizeof(default_caps) / sizeof(default_caps[0]); i++)
        have[find(default_caps[i])] = true;
    for (size_t i = 0; i < CAPS && privileged; i++)
        have[i] = available(i);
    /* ALL on one side is the start from which the other side takes or adds. */
    int r = names_all(drop) ? apply(have, drop, false, e) || apply(have, add, true, e)
                            : apply(have, add, true, e) || apply(have, drop, false, e);
    if (r)
        return NULL;
    json_t *out = json_array();
    for (size_t i = 0; i < CAPS; i++)
        if (have[i])
            json_array_append_new(out, json_string(all_caps[i]));
    return out;
}
