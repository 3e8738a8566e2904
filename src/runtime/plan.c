/* The plan: see plan.h. This file reads the top of config.json and "linux"; plan_process.c and plan_mounts.c read the
 * two large parts.
 *
 * The specification says that a runtime must ignore keys that it does not know, and must not ignore what it does know
 * and cannot do. So unknown keys pass, and the known ones without an implementation here are refused by name: a
 * container that runs with less isolation than was asked for is worse than one that does not run. */
#include "runtime/plan.h"
#include "runtime/mnt.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEFAULT_DEVICES 6

const int plan_ns_flag[NS_COUNT] = {CLONE_NEWNS,  CLONE_NEWPID,  CLONE_NEWNET,    CLONE_NEWIPC,
                                    CLONE_NEWUTS, CLONE_NEWUSER, CLONE_NEWCGROUP, CLONE_NEWTIME};
const char *const plan_ns_name[NS_COUNT] = {"mount", "pid", "network", "ipc", "uts", "user", "cgroup", "time"};

const char **plan_strings(const json_t *list, const char *name, struct err *e)
{
    size_t n = json_array_size(list), i;
    json_t *v;
    if (list && !json_is_null(list) && !json_is_array(list)) {
        err_set(e, ERR_INVALID, "config.json: %s is not a list", name);
        return NULL;
    }
    if (n > PLAN_STRINGS_MAX) {
        err_set(e, ERR_INVALID, "config.json: %s has more than %d entries", name, PLAN_STRINGS_MAX);
        return NULL;
    }
    autofree const char **out = mem_alloc((n + 1) * sizeof(*out));
    json_array_foreach(list, i, v)
    {
        out[i] = json_string_value(v);
        if (!out[i]) {
            err_set(e, ERR_INVALID, "config.json: entry %zu of %s is not a string", i, name);
            return NULL;
        }
    }
    return take_ptr(&out);
}

static int read_namespaces(struct plan *p, const json_t *list, struct err *e)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        const char *type = json_str(v, "type", "");
        int k = 0;
        while (k < NS_COUNT && !str_eq(plan_ns_name[k], type))
            k++;
        if (k == NS_COUNT)
            return err_set(e, ERR_INVALID, "config.json: unknown namespace type \"%s\"", type);
        if (p->ns[k].own)
            return err_set(e, ERR_INVALID, "config.json: namespace \"%s\" is listed twice", type);
        const char *path = json_str(v, "path", NULL);
        p->ns[k] = (struct plan_namespace){true, str_empty(path) ? NULL : path};
        if (p->ns[k].path && (k == NS_MOUNT || k == NS_USER))
            return err_set(e, ERR_NOT_IMPLEMENTED, "joining an existing %s namespace is not supported", type);
        if (p->ns[k].path && *p->ns[k].path != '/')
            return err_set(e, ERR_INVALID, "config.json: path of namespace \"%s\" is not absolute", type);
    }
    if (!p->ns[NS_MOUNT].own)
        return err_set(e, ERR_INVALID, "config.json: a container needs a mount namespace of its own");
    return 0;
}

static int read_device(struct plan_device *d, const json_t *j, struct err *e)
{
    const char *type = json_str(j, "type", "");
    d->path = json_str(j, "path", "");
    d->tree = -1;
    if (*d->path != '/')
        return err_set(e, ERR_INVALID, "config.json: device path \"%s\" is not absolute", d->path);
    int64_t major = json_int(j, "major", 0), minor = json_int(j, "minor", 0), mode = json_int(j, "fileMode", 0666);
    int64_t uid = json_int(j, "uid", 0), gid = json_int(j, "gid", 0);
    if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff || mode < 0 || mode > 07777)
        return err_set(e, ERR_INVALID, "config.json: numbers of device %s are out of range", d->path);
    if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
        return err_set(e, ERR_INVALID, "config.json: owner of device %s is out of range", d->path);
    mode_t kind = str_eq(type, "c") || str_eq(type, "u") ? S_IFCHR
                  : str_eq(type, "b")                    ? S_IFBLK
                  : str_eq(type, "p")                    ? S_IFIFO
                                                         : 0;
    if (!kind)
        return err_set(e, ERR_INVALID, "config.json: device %s is of unknown type \"%s\"", d->path, type);
    d->mode = kind | (mode_t)mode;
    d->rdev = makedev((unsigned)major, (unsigned)minor);
    d->uid = (uid_t)uid;
    d->gid = (gid_t)gid;
    return 0;
}

/* Every container has these six, unless the bundle describes one of them itself. */
static void add_default_devices(struct plan *p)
{
    static const struct {
        const char *path;
        unsigned major, minor;
    } always[DEFAULT_DEVICES] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
                                 {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};
    for (size_t i = 0, given = p->ndevices; i < DEFAULT_DEVICES; i++) {
        bool known = false;
        for (size_t k = 0; k < given; k++)
            known |= str_eq(p->devices[k].path, always[i].path);
        if (!known)
            p->devices[p->ndevices++] = (struct plan_device){.path = always[i].path,
                                                             .mode = S_IFCHR | 0666,
                                                             .rdev = makedev(always[i].major, always[i].minor),
                                                             .tree = -1};
    }
}

static int read_devices(struct plan *p, const json_t *list, struct err *e)
{
    size_t n = json_array_size(list);
    if (n > PLAN_DEVICES_MAX)
        return err_set(e, ERR_INVALID, "config.json: more than %d devices", PLAN_DEVICES_MAX);
    p->devices = mem_alloc((n + DEFAULT_DEVICES) * sizeof(*p->devices));
    for (size_t i = 0; i < n; i++) {
        if (read_device(&p->devices[i], json_array_get(list, i), e) < 0)
            return -1;
        p->ndevices++;
    }
    add_default_devices(p);
    return 0;
}

/* A sysctl that no namespace owns would change the host. The kernel keeps these, and only these, per namespace. */
static int check_sysctl(const struct plan *p, const char *name, struct err *e)
{
    static const char *const ipc[] = {"kernel.msgmax",      "kernel.msgmnb",          "kernel.msgmni",
                                      "kernel.sem",         "kernel.shmall",          "kernel.shmmax",
                                      "kernel.shmmni",      "kernel.shm_rmid_forced", "kernel.msg_next_id",
                                      "kernel.sem_next_id", "kernel.shm_next_id"};
    bool is_ipc = str_starts(name, "fs.mqueue.");
    for (size_t i = 0; i < sizeof(ipc) / sizeof(ipc[0]); i++)
        is_ipc |= str_eq(name, ipc[i]);
    bool is_net = str_starts(name, "net."), is_uts = str_eq(name, "kernel.domainname");
    if (strchr(name, '/') || strstr(name, ".."))
        return err_set(e, ERR_INVALID, "sysctl \"%s\" is not written with single dots", name);
    if (str_eq(name, "kernel.hostname"))
        return err_set(e, ERR_INVALID, "sysctl \"kernel.hostname\" is set by \"hostname\" in config.json");
    if (!is_ipc && !is_net && !is_uts)
        return err_set(e, ERR_INVALID, "sysctl \"%s\" is not in a separate kernel namespace", name);
    enum plan_ns need = is_ipc ? NS_IPC : is_net ? NS_NETWORK : NS_UTS;
    if (!p->ns[need].own)
        return err_set(e, ERR_INVALID, "sysctl \"%s\" is not allowed in the host's %s namespace", name,
                       plan_ns_name[need]);
    return 0;
}

static int check_idmap(const json_t *list, const char *name, struct err *e)
{
    size_t i;
    json_t *v;
    if (json_array_size(list) == 0 || json_array_size(list) > PLAN_IDMAPS_MAX)
        return err_set(e, ERR_INVALID, "config.json: a user namespace needs 1 to %d %s", PLAN_IDMAPS_MAX, name);
    json_array_foreach(list, i, v)
    {
        int64_t c = json_int(v, "containerID", -1), h = json_int(v, "hostID", -1), n = json_int(v, "size", -1);
        if (c < 0 || h < 0 || n < 1 || c > UINT32_MAX || h > UINT32_MAX || n > UINT32_MAX)
            return err_set(e, ERR_INVALID, "config.json: entry %zu of %s is out of range", i, name);
    }
    return 0;
}

static int check_security_modules(const struct plan *p, struct err *e)
{
    if (!str_empty(json_str(p->config, "process.apparmorProfile", "")) &&
        access("/sys/kernel/security/apparmor", F_OK) == 0)
        return err_set(e, ERR_NOT_IMPLEMENTED, "process.apparmorProfile: AppArmor profiles are not supported");
    if ((!str_empty(json_str(p->config, "process.selinuxLabel", "")) ||
         !str_empty(json_str(p->config, "linux.mountLabel", ""))) &&
        access("/sys/fs/selinux/enforce", F_OK) == 0)
        return err_set(e, ERR_NOT_IMPLEMENTED, "SELinux labels are not supported");
    return 0;
}

/* Keys of the specification that are not implemented. Ignoring AppArmor and SELinux where the kernel has them not
 * loses nothing; ignoring them where it has would lose protection that somebody counts on. */
static int refuse_unsupported(const struct plan *p, struct err *e)
{
    static const char *const keys[] = {"linux.intelRdt",
                                       "process.scheduler",
                                       "process.ioPriority",
                                       "linux.seccomp.listenerPath",
                                       "vm",
                                       "windows",
                                       "solaris",
                                       "zos"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const json_t *v = json_at(p->config, keys[i]);
        if (v && !json_is_null(v) && !str_eq(json_string_value(v), ""))
            return err_set(e, ERR_NOT_IMPLEMENTED, "config.json: %s is not supported", keys[i]);
    }
    return check_security_modules(p, e);
}

static int read_personality(struct plan *p, const json_t *j, struct err *e)
{
    const char *domain = json_str(j, "domain", NULL);
    if (!domain)
        return 0;
    if (!str_eq(domain, "LINUX") && !str_eq(domain, "LINUX32"))
        return err_set(e, ERR_INVALID, "config.json: unknown personality \"%s\"", domain);
    p->has_personality = true;
    p->personality = str_eq(domain, "LINUX32") ? 8 /* PER_LINUX32 */ : 0;
    return 0;
}

static int read_linux(struct plan *p, const json_t *lin, struct err *e)
{
    const char *key;
    json_t *v;
    const char *propagation = json_str(lin, "rootfsPropagation", "");
    if (read_namespaces(p, json_object_get(lin, "namespaces"), e) < 0 ||
        read_devices(p, json_object_get(lin, "devices"), e) < 0 ||
        read_personality(p, json_object_get(lin, "personality"), e) < 0)
        return -1;
    p->masked = plan_strings(json_object_get(lin, "maskedPaths"), "linux.maskedPaths", e);
    p->readonly = p->masked ? plan_strings(json_object_get(lin, "readonlyPaths"), "linux.readonlyPaths", e) : NULL;
    if (!p->readonly)
        return -1;
    json_object_foreach(json_object_get(lin, "sysctl"), key, v)
    {
        if (check_sysctl(p, key, e) < 0)
            return -1;
        if (!json_is_string(v))
            return err_set(e, ERR_INVALID, "config.json: sysctl \"%s\" is not a string", key);
    }
    p->root_propagation = *propagation ? plan_propagation(propagation, &p->root_propagate_tree) : MS_PRIVATE;
    if (!*propagation)
        p->root_propagate_tree = true;
    if (!p->root_propagation)
        return err_set(e, ERR_INVALID, "config.json: unknown rootfsPropagation \"%s\"", propagation);
    p->cgroups_path = json_str(lin, "cgroupsPath", NULL);
    if (plan_new(p, NS_USER) && (check_idmap(json_object_get(lin, "uidMappings"), "linux.uidMappings", e) < 0 ||
                                 check_idmap(json_object_get(lin, "gidMappings"), "linux.gidMappings", e) < 0))
        return -1;
    return 0;
}

static int read_root(struct plan *p, struct err *e)
{
    const char *path = json_str(p->config, "root.path", "");
    if (!*path || strlen(path) > PLAN_PATH_MAX)
        return err_set(e, ERR_INVALID, "config.json: root.path is missing or too long");
    p->rootfs = *path == '/' ? mem_strdup(path) : str_printf("%s/%s", p->bundle, path);
    p->root_readonly = json_is(p->config, "root.readonly");
    struct stat st;
    if (stat(p->rootfs, &st) < 0)
        return err_sys(e, "root file system %s", p->rootfs);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_INVALID, "root file system %s is not a folder", p->rootfs);
    return 0;
}

static int read_all(struct plan *p, const struct runtime *rt, struct err *e)
{
    const char *version = json_str(p->config, "ociVersion", "");
    if (!str_starts(version, "1."))
        return err_set(e, ERR_INVALID, "config.json: ociVersion \"%s\" is not 1.x", version);
    p->hostname = json_str(p->config, "hostname", NULL);
    p->domainname = json_str(p->config, "domainname", NULL);
    if (read_root(p, e) < 0 || refuse_unsupported(p, e) < 0 ||
        plan_process(&p->process, json_object_get(p->config, "process"), rt, e) < 0 ||
        read_linux(p, json_object_get(p->config, "linux"), e) < 0 ||
        plan_mounts(p, json_object_get(p->config, "mounts"), e) < 0)
        return -1;
    if ((p->hostname || p->domainname) && !p->ns[NS_UTS].own)
        return err_set(e, ERR_INVALID, "config.json: a hostname needs a uts namespace");
    return 0;
}

int plan_load(struct plan *p, const struct runtime *rt, const char *bundle, struct err *e)
{
    *p = (struct plan){0};
    p->bundle = realpath(bundle, NULL);
    if (!p->bundle)
        return err_sys(e, "bundle %s", bundle);
    autofree char *path = str_printf("%s/config.json", p->bundle);
    p->config = plan_read(path, PLAN_CONFIG_MAX, e);
    int r = p->config ? read_all(p, rt, e) : err_wrap(e, "bundle");
    if (r < 0)
        plan_release(p);
    return r;
}

void plan_release(struct plan *p)
{
    plan_process_release(&p->process);
    for (size_t i = 0; i < p->nmounts; i++)
        fd_close(p->mounts[i].tree);
    for (size_t i = 0; i < p->ndevices; i++)
        fd_close(p->devices[i].tree);
    free(p->mounts);
    free(p->devices);
    free(p->masked);
    free(p->readonly);
    free(p->rootfs);
    free(p->bundle);
    json_decref(p->config);
    *p = (struct plan){0};
}
