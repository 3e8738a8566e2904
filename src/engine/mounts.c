/* Host folders and tmpfs in a container: HostConfig.Binds, .Mounts and .Tmpfs as one list of mount points.
 *
 * The list is computed from the HostConfig whenever it is needed (creation checks it, inspect shows it, the OCI
 * specification is made from it), so there is no second copy to go stale. Each entry is in the API's shape:
 * {"Type","Source","Destination","Mode","RW","Propagation"}, and for tmpfs {"Options"} as well.
 *
 * `src:dst[:opts]` with an absolute src is a bind; anything else there names a volume, which a later step brings. */
#include "engine/model.h"
#include "engine/mounts.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

/* Docker refuses these, since a mount there would hide what the runtime itself must put in place (CVE-2015-3631). */
static int check_destination(const char *dst, struct err *e)
{
    static const char *const taken[] = {"/", "/proc", "/sys", "/dev"};
    autofree char *clean = path_clean(dst);
    if (*dst != '/')
        return err_set(e, ERR_INVALID, "invalid mount path: '%s' mount path must be absolute", dst);
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (str_eq(clean, taken[i]) && i != 3)
            return err_set(e, ERR_INVALID, "invalid mount path: destination can't be '%s'", clean);
    if (str_starts(clean, "/proc/"))
        return err_set(e, ERR_INVALID, "invalid mount path: '%s' lies inside /proc", clean);
    return 0;
}

char *path_clean(const char *path)
{
    autostrv parts = {NULL, 0};
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        autofree char *part = mem_strndup(p, n);
        if (str_eq(part, "..")) {
            if (parts.n > 0)
                mem_freep(&parts.v[--parts.n]);
        } else if (n > 0 && !str_eq(part, ".")) {
            strv_add(&parts, part);
        }
        p += n + (p[n] == '/');
    }
    autostr out = STR_INIT;
    for (size_t i = 0; i < parts.n; i++)
        str_addf(&out, "/%s", parts.v[i]);
    if (parts.n == 0)
        str_add(&out, "/");
    return str_take(&out);
}

/* Words after the second colon. Each kind may appear once; consistency words mean nothing on Linux. */
static int parse_mode(const char *mode, bool *rw, char propagation[16], struct err *e)
{
    static const char *const spread[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave"};
    static const char *const silent[] = {"z", "Z", "nocopy", "consistent", "cached", "delegated"};
    int access = 0, spreads = 0;
    *rw = true;
    snprintf(propagation, 16, "rprivate");
    for (const char *p = mode; *p;) {
        size_t n = strcspn(p, ",");
        autofree char *word = mem_strndup(p, n);
        bool known = false;
        if (str_eq(word, "ro") || str_eq(word, "rw")) {
            known = ++access == 1;
            *rw = str_eq(word, "rw");
        }
        for (size_t i = 0; i < sizeof(spread) / sizeof(spread[0]) && !known; i++)
            if (str_eq(word, spread[i])) {
                known = ++spreads == 1;
                snprintf(propagation, 16, "%s", spread[i]);
            }
        for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]) && !known; i++)
            known = str_eq(word, silent[i]);
        if (!known)
            return err_set(e, ERR_INVALID, "invalid mode: %s", mode);
        p += n + (p[n] == ',');
    }
    return 0;
}

static int add_bind(json_t *out, const char *spec, struct err *e)
{
    const char *colon = strchr(spec, ':');
    char propagation[16];
    bool rw;
    if (!colon || *spec != '/')
        return err_set(e, ERR_NOT_IMPLEMENTED,
                       "volume '%s' is not supported yet: volumes come with a later step; an "
                       "absolute folder of the host works now",
                       spec);
    size_t n = strcspn(colon + 1, ":");
    autofree char *src = mem_strndup(spec, (size_t)(colon - spec)), *dst = mem_strndup(colon + 1, n);
    const char *mode = colon[1 + n] == ':' ? colon + 2 + n : "";
    if (strchr(mode, ':'))
        return err_set(e, ERR_INVALID, "invalid volume specification: '%s'", spec);
    if (check_destination(dst, e) < 0 || parse_mode(mode, &rw, propagation, e) < 0)
        return -1;
    json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "Type", "bind", "Source", src, "Destination",
                                         dst, "Mode", mode, "RW", rw, "Propagation", propagation));
    return 0;
}

static int add_mount(json_t *out, const json_t *m, struct err *e)
{
    const char *type = json_str(m, "Type", ""), *src = json_str(m, "Source", ""), *dst = json_str(m, "Target", "");
    const char *spread = json_str(m, "BindOptions.Propagation", "");
    bool rw;
    char propagation[16];
    if (str_eq(type, "volume"))
        return err_set(e, ERR_NOT_IMPLEMENTED,
                       "mounts of type volume are not supported yet: they come with a later step");
    if (!str_eq(type, "bind") && !str_eq(type, "tmpfs"))
        return err_set(e, ERR_INVALID, "invalid mount config: mount type '%s' is unknown", type);
    if (check_destination(dst, e) < 0 || parse_mode(spread, &rw, propagation, e) < 0)
        return -1;
    rw = !json_is(m, "ReadOnly");
    if (str_eq(type, "tmpfs")) {
        if (*src)
            return err_set(e, ERR_INVALID, "invalid mount config for type \"tmpfs\": it must not have a source");
        autostr o = STR_INIT;
        str_add(&o, rw ? "rw" : "ro");
        if (json_int(m, "TmpfsOptions.SizeBytes", 0) > 0)
            str_addf(&o, ",size=%lld", (long long)json_int(m, "TmpfsOptions.SizeBytes", 0));
        if (json_int(m, "TmpfsOptions.Mode", 0) > 0)
            str_addf(&o, ",mode=%llo", (unsigned long long)json_int(m, "TmpfsOptions.Mode", 0));
        json_array_append_new(out,
                              json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s}", "Type", "tmpfs", "Source", "",
                                        "Destination", dst, "Mode", "", "RW", rw, "Propagation", "", "Options", o.s));
        return 0;
    }
    if (*src != '/')
        return err_set(e, ERR_INVALID, "invalid mount config for type \"bind\": source path '%s' must be absolute",
                       src);
    // told now, while the person who mistyped the path is still there (e); a start looks again
    if (e && access(src, F_OK) && !json_is(m, "BindOptions.CreateMountpoint"))
        return err_set(e, ERR_INVALID, "invalid mount config for type \"bind\": bind source path does not exist: %s",
                       src);
    bool top = json_is(m, "BindOptions.ReadOnlyNonRecursive"), all = json_is(m, "BindOptions.ReadOnlyForceRecursive");
    if ((top || all) && (rw || top == all))
        return err_set(e, ERR_INVALID,
                       "invalid mount config for type \"bind\": ReadOnlyNonRecursive and ReadOnlyForceRecursive need "
                       "ReadOnly, and exclude each other");
    json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:b, s:b, s:b}", "Type", "bind", "Source", src,
                                         "Destination", dst, "Mode", "", "RW", rw, "Propagation",
                                         *spread ? propagation : "rprivate", "MustExist",
                                         !json_is(m, "BindOptions.CreateMountpoint"), "NonRecursive",
                                         json_is(m, "BindOptions.NonRecursive"), "ReadOnlyTopOnly", top));
    return 0;
}

/* Words that a caller may give to a tmpfs: the flags of any mount, and what tmpfs(5) knows. Anything else is a mistake,
 * and an option that reaches the kernel unseen is a door (CVE-2024-9407). */
static int check_tmpfs(const char *options, struct err *e)
{
    static const char *const words[] = {
        "rw",    "ro",      "exec",     "noexec",     "suid",     "nosuid",     "dev",         "nodev",
        "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime"};
    static const char *const values[] = {"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks="};
    for (const char *p = options; *p;) {
        size_t n = strcspn(p, ",");
        autofree char *word = mem_strndup(p, n);
        bool known = false;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            known = known || str_eq(word, words[i]);
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            const char *v = str_starts(word, values[i]) ? word + strlen(values[i]) : "";
            known = known || (*v >= '0' && *v <= '9' && strspn(v, "0123456789kKmMgG%") == strlen(v));
        }
        if (!known)
            return err_set(e, ERR_INVALID, "invalid tmpfs option \"%.64s\"", word);
        p += n + (p[n] == ',');
    }
    return 0;
}

json_t *mounts_of(const json_t *host, struct err *e)
{
    json_auto_t *out = json_array();
    size_t k;
    json_t *w;
    json_each (v, json_object_get(host, "Binds"))
        if (add_bind(out, json_string_value(v), e) < 0)
            return NULL;
    json_each (v, json_object_get(host, "Mounts"))
        if (add_mount(out, v, e) < 0)
            return NULL;
    json_each_pair (dst, v, json_object_get(host, "Tmpfs")) {
        if (check_destination(dst, e) < 0 || check_tmpfs(json_string_value(v), e) < 0)
            return NULL;
        json_array_append_new(out,
                              json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:O}", "Type", "tmpfs", "Source", "",
                                        "Destination", dst, "Mode", "", "RW", true, "Propagation", "", "Options", v));
    }
    json_each (v, out) {
        autofree char *a = path_clean(json_str(v, "Destination", ""));
        for (k = 0; k < v_at; k++) {
            w = json_array_get(out, k);
            autofree char *b = path_clean(json_str(w, "Destination", ""));
            if (str_eq(a, b))
                return err_null(err_set(e, ERR_INVALID, "Duplicate mount point: %s", a));
        }
    }
    return json_incref(out);
}

static size_t depth(const json_t *m, const char *key)
{
    size_t n = 0;
    for (const char *p = json_str(m, key, ""); *p; p++)
        n += *p == '/' && p[1];
    return n;
}

static int by_depth(const void *a, const void *b, void *key)
{
    size_t x = depth(*(json_t *const *)a, key), y = depth(*(json_t *const *)b, key);
    return x < y ? -1 : x > y;
}

json_t *mounts_sorted(const json_t *list, const char *key)
{
    size_t n = json_array_size(list);
    autofree json_t **v = mem_alloc((n + 1) * sizeof(*v));
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        v[i] = json_array_get(list, i);
    qsort_r(v, n, sizeof(*v), by_depth, (void *)key);
    for (size_t i = 0; i < n; i++)
        json_array_append(out, v[i]);
    return out;
}
