/* Security options: SecurityOpt as OCI fields, and the seccomp filter.
 *
 * `seccomp=` carries the profile itself, since the client has read the file; seccomp_file.c makes an OCI profile of it.
 * The default one is in seccomp_profile.c. */
#include "engine/spec.h"
#include "engine/seccomp_profile.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

#define APPARMOR_ON "/sys/kernel/security/apparmor"
#define SELINUX_ON  "/sys/fs/selinux/enforce"

/* "key=value" or the older "key:value". @return the value, or NULL where the option is another one */
static const char *value_of(const char *opt, const char *key)
{
    size_t n = strlen(key);
    return strncmp(opt, key, n) == 0 && (opt[n] == '=' || opt[n] == ':') ? opt + n + 1 : NULL;
}

/* Profiles and labels are not applied. Passing one over where the kernel has none loses nothing; where it has, somebody
 * would count on protection that is not there. @return 1 if `opt` is one and may be, 0 if it is another option */
static int check_profile(const char *opt, struct err *e)
{
    const char *armor = value_of(opt, "apparmor"), *label = value_of(opt, "label");
    if (!armor && !label)
        return 0;
    if (str_eq(armor, "unconfined") || str_eq(label, "disable") || access(armor ? APPARMOR_ON : SELINUX_ON, F_OK) < 0)
        return 1;
    return err_set(e, ERR_INVALID, "invalid --security-opt: %.200s: gorae applies no such profiles, only %s", opt,
                   armor ? "apparmor=unconfined" : "label=disable");
}

int spec_no_new_privileges(const json_t *host, struct err *e)
{
    int value = 0;
    json_each (v, json_object_get(host, "SecurityOpt")) {
        const char *opt = json_string_value(v), *set = value_of(opt, "no-new-privileges");
        int known = check_profile(opt, e);
        if (known < 0)
            return -1;
        if (str_eq(opt, "no-new-privileges") || str_eq(set, "true"))
            value = 1;
        else if (str_eq(set, "false"))
            value = 0;
        else if (set)
            return err_set(e, ERR_INVALID, "invalid --security-opt: %s: true or false is expected", opt);
        else if (!value_of(opt, "seccomp") && !str_eq(opt, "systempaths=unconfined") && !known)
            return err_set(e, ERR_INVALID, "invalid --security-opt 2: \"%.200s\"", opt);
    }
    return value;
}

json_t *spec_seccomp(const json_t *host, const json_t *caps, struct err *e)
{
    const char *wish = NULL;
    size_t i;
    json_each (v, json_object_get(host, "SecurityOpt")) {
        const char *x = value_of(json_string_value(v), "seccomp");
        wish = x ? x : wish;
    }
    if (str_eq(wish, "unconfined") || (!wish && json_is(host, "Privileged")))
        return json_null();
    if (wish && !str_eq(wish, "builtin"))
        return seccomp_of_text(wish, caps, e);
    size_t n = json_array_size(caps);
    autofree const char **names = mem_alloc((n + 1) * sizeof(*names));
    for (i = 0; i < n; i++)
        names[i] = json_string_value(json_array_get(caps, i));
    return seccomp_profile_default(names, n);
}
