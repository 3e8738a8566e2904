/* A seccomp profile of the caller's, in Docker's format or in the OCI's.
 *
 * The two agree but for three things. Docker's profile covers every machine, so it has an "archMap" with the siblings
 * of each architecture, where the OCI's "architectures" lists those of this one. And its rules carry conditions,
 * "includes" and "excludes", on the container's capabilities, the architecture and the kernel's version: a rule whose
 * conditions do not hold is left out. What remains is an OCI profile; whether its words make sense is for the runtime
 * to say, which refuses what it does not know.
 *
 * Source: the file format as documented for docker run --security-opt seccomp=; OCI runtime-spec "linux.seccomp". */
#include "engine/spec.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <sys/utsname.h>

#ifdef __aarch64__
#define ARCH_NAME "arm64"
#define ARCH_WORD "SCMP_ARCH_AARCH64"
#else
#define ARCH_NAME "amd64"
#define ARCH_WORD "SCMP_ARCH_X86_64"
#endif

static bool holds(const json_t *list, const char *word)
{
    json_each (v, list)
        if (str_eq(json_string_value(v), word))
            return true;
    return false;
}

static size_t count(const json_t *wanted, const json_t *caps)
{
    size_t n = 0;
    json_each (v, wanted)
        n += holds(caps, json_string_value(v));
    return n;
}

/* Is the kernel at least "4.8"? @return -1 where the text is no version */
static int kernel_at_least(const char *version)
{
    struct utsname u;
    unsigned want[2], have[2];
    uname(&u);
    if (sscanf(version, "%u.%u", &want[0], &want[1]) != 2 || sscanf(u.release, "%u.%u", &have[0], &have[1]) != 2)
        return -1;
    return have[0] > want[0] || (have[0] == want[0] && have[1] >= want[1]);
}

/* Every capability of "includes" must be there, none of "excludes". @return 1, 0, or -1 with an error */
static int applies(const json_t *rule, const json_t *caps, struct err *e)
{
    const json_t *in = json_object_get(rule, "includes"), *ex = json_object_get(rule, "excludes");
    const json_t *in_archs = json_object_get(in, "arches"), *ex_archs = json_object_get(ex, "arches");
    const char *in_kernel = json_str(in, "minKernel", ""), *ex_kernel = json_str(ex, "minKernel", "");
    int new_enough = *in_kernel ? kernel_at_least(in_kernel) : 1, too_new = *ex_kernel ? kernel_at_least(ex_kernel) : 0;
    if (new_enough < 0 || too_new < 0)
        return err_set(e, ERR_INVALID, "decoding seccomp profile failed: invalid kernel version: %.32s",
                       new_enough < 0 ? in_kernel : ex_kernel);
    if (json_array_size(in_archs) > 0 && !holds(in_archs, ARCH_NAME))
        return 0;
    const json_t *needed = json_object_get(in, "caps");
    return count(needed, caps) == json_array_size(needed) && new_enough && !holds(ex_archs, ARCH_NAME) &&
           count(json_object_get(ex, "caps"), caps) == 0 && !too_new;
}

static json_t *rules(const json_t *list, const json_t *caps, struct err *e)
{
    static const char *const kept[] = {"names", "action", "errnoRet", "args"};
    json_auto_t *out = json_array();
    json_each (v, list) {
        int yes = applies(v, caps, e);
        if (yes < 0)
            return NULL;
        if (!yes)
            continue;
        json_t *rule = json_object();
        for (size_t k = 0; k < sizeof(kept) / sizeof(kept[0]); k++)
            if (json_object_get(v, kept[k]) && !json_is_null(json_object_get(v, kept[k])))
                json_object_set(rule, kept[k], json_object_get(v, kept[k]));
        if (json_object_get(v, "name")) /* the older form, one name */
            json_object_set_new(rule, "names", json_pack("[O]", json_object_get(v, "name")));
        json_array_append_new(out, rule);
    }
    return json_incref(out);
}

static json_t *architectures(const json_t *map)
{
    json_t *out = json_array();
    json_each (v, map) {
        if (!str_eq(json_str(v, "architecture", ""), ARCH_WORD))
            continue;
        json_array_append(out, json_object_get(v, "architecture"));
        if (json_is_array(json_object_get(v, "subArchitectures")))
            json_array_extend(out, json_object_get(v, "subArchitectures"));
    }
    return out;
}

json_t *seccomp_of_text(const char *text, const json_t *caps, struct err *e)
{
    json_auto_t *p = json_parse(text, strlen(text), e);
    if (!p)
        return err_null(err_wrap(e, "decoding seccomp profile failed"));
    const json_t *map = json_object_get(p, "archMap");
    if (!json_is_string(json_object_get(p, "defaultAction")))
        return err_null(err_set(e, ERR_INVALID, "decoding seccomp profile failed: defaultAction is missing"));
    if (json_array_size(map) > 0 && json_array_size(json_object_get(p, "architectures")) > 0)
        return err_null(
            err_set(e, ERR_INVALID, "decoding seccomp profile failed: both 'architectures' and 'archMap' are given"));
    json_t *syscalls = rules(json_object_get(p, "syscalls"), caps, e);
    if (!syscalls)
        return NULL;
    json_object_set_new(p, "syscalls", syscalls);
    if (json_array_size(map) > 0)
        json_object_set_new(p, "architectures", architectures(map));
    json_object_del(p, "archMap");
    return json_incref(p);
}
