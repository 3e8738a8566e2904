/* The mounts of a container: what Docker puts into each, then what the caller asked for.
 *
 * Order matters: a later mount covers an earlier one, and a mount below another needs it first. So the fixed ones come
 * first, the caller's follow sorted by depth, and the three files of the engine come before those, so that a caller
 * may bind something of their own over /etc/hosts.
 *
 * Source: OCI runtime-spec "mounts"; spec/security 3.3 for the options; mount(8). */
#include "engine/spec.h"
#include "engine/mounts.h"
#include "engine/share.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void add(json_t *list, const char *dst, const char *type, const char *src, const char *options)
{
    json_t *o = json_array();
    for (const char *p = options; *p;) {
        size_t n = strcspn(p, ",");
        json_array_append_new(o, json_stringn(p, n));
        p += n + (p[n] == ',');
    }
    json_array_append_new(
        list, json_pack("{s:s, s:s, s:s, s:o}", "destination", dst, "type", type, "source", src, "options", o));
}

static void add_fixed(json_t *list, const json_t *host, const char *shared)
{
    bool privileged = json_is(host, "Privileged");
    const char *ipc = json_str(host, "IpcMode", "private");
    autofree char *shm = str_printf("nosuid,noexec,nodev,mode=1777,size=%lld", (long long)json_int(host, "ShmSize", 0));
    add(list, "/proc", "proc", "proc", "nosuid,noexec,nodev");
    add(list, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
    add(list, "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
    add(list, "/sys", "sysfs", "sysfs", privileged ? "nosuid,noexec,nodev,rw" : "nosuid,noexec,nodev,ro");
    add(list, "/sys/fs/cgroup", "cgroup", "cgroup",
        privileged ? "nosuid,noexec,nodev,relatime,rw" : "ro,nosuid,noexec,nodev");
    add(list, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"); /* that of its IPC namespace, whosever it is */
    if (str_eq(ipc, "host"))
        shared = "/dev/shm";
    if (shared)
        add(list, "/dev/shm", "bind", shared, "rbind,rprivate"); /* with the flags that it has */
    else if (!str_eq(ipc, "none"))
        add(list, "/dev/shm", "tmpfs", "shm", shm);
}

/* The init of --init, from the host. A mount of its own and read-only: what the container does to it, it does not do to
 * ours. */
static int add_init(json_t *list, const json_t *host, struct err *e)
{
    autofree char *program = spec_has_init(host) ? spawn_sibling("gorae-init", e) : NULL;
    if (program)
        add(list, SPEC_INIT, "bind", program, "bind,ro,nosuid,nodev,rprivate");
    return program || !spec_has_init(host) ? 0 : -1;
}

/* Docker makes a missing source of -v as an empty folder; a --mount must name what exists. */
static int check_source(const json_t *m, struct err *e)
{
    const char *src = json_str(m, "Source", "");
    struct stat st;
    if (stat(src, &st) == 0)
        return 0;
    if (json_is(m, "MustExist"))
        return err_set(e, ERR_INVALID, "invalid mount config for type \"bind\": bind source path does not exist: %s",
                       src);
    return dir_make_all(src, 0755, e);
}

static int add_wanted(json_t *list, const json_t *m, struct err *e)
{
    bool rw = json_is_true(json_object_get(m, "RW"));
    if (str_eq(json_str(m, "Type", ""), "tmpfs")) {
        autofree char *o =
            str_printf("noexec,nosuid,nodev%s%s", *json_str(m, "Options", "") ? "," : "", json_str(m, "Options", ""));
        add(list, json_str(m, "Destination", ""), "tmpfs", "tmpfs", o);
        return 0;
    }
    if (check_source(m, e) < 0)
        return -1;
    /* Read-only means the whole tree, mounts below included, unless the caller wants only its top (mount_setattr(2)).
     * Writable is not asked for by name: what the host has mounted read-only stays so. */
    autofree char *o = str_printf("%s%s,%s", json_is(m, "NonRecursive") ? "bind" : "rbind",
                                  rw                              ? ""
                                  : json_is(m, "ReadOnlyTopOnly") ? ",ro"
                                                                  : ",ro,rro",
                                  json_str(m, "Propagation", "rprivate"));
    add(list, json_str(m, "Destination", ""), "bind", json_str(m, "Source", ""), o);
    return 0;
}

json_t *spec_mounts(struct engine *en, struct container *c, struct err *e)
{
    static const struct {
        const char *file, *dst;
    } files[] = {{"resolv.conf", "/etc/resolv.conf"}, {"hostname", "/etc/hostname"}, {"hosts", "/etc/hosts"}};
    json_auto_t *list = json_array(), *wanted = mounts_of(c->host, e);
    if (!wanted)
        return NULL;
    autofree char *shared = share_shm(en, c);
    add_fixed(list, c->host, shared);
    if (add_init(list, c->host, e) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        autofree char *src = container_path(en, c, files[i].file);
        add(list, files[i].dst, "bind", src, "rbind,rprivate");
    }
    json_auto_t *sorted = mounts_sorted(wanted, "Destination");
    json_each (m, sorted)
        if (add_wanted(list, m, e) < 0)
            return NULL;
    return json_incref(list);
}

/* ---- propagation ---- */

#define MOUNTINFO_MAX (16u << 20)

/* The tags of the mount that holds `path`: field 7 and on of its line in mountinfo, "shared:5 master:2", proc(5). */
static char *tags_of(const char *mountinfo, const char *path, struct err *e)
{
    struct statx st;
    if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &st) < 0)
        return err_null(err_sys(e, "find the mount of %s", path));
    for (const char *line = mountinfo; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *p = line;
        if (strtoull(line, NULL, 10) != st.stx_mnt_id)
            continue;
        for (int field = 1; field < 7 && *p && *p != '\n'; field++)
            p += strcspn(p, " \n"), p += *p == ' ';
        const char *end = strstr(p, "- ");
        return mem_strndup(p, end ? (size_t)(end - p) : 0);
    }
    return mem_strdup("");
}

const char *spec_propagation(const json_t *mounts, struct err *e)
{
    const char *root = "rprivate";
    autofree char *mountinfo = NULL;
    json_each (m, mounts) {
        const char *word = "";
        json_each (o, json_object_get(m, "options")) {
            const char *s = json_string_value(o);
            if (str_ends(s, "shared") || str_ends(s, "slave"))
                word = s;
        }
        if (!*word)
            continue;
        if (!mountinfo && !(mountinfo = file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, NULL, e)))
            return NULL;
        autofree char *tags = tags_of(mountinfo, json_str(m, "source", ""), e);
        bool slave = str_ends(word, "slave");
        if (!tags || (!strstr(tags, "shared:") && !(slave && strstr(tags, "master:")))) {
            if (tags)
                err_set(e, ERR_INVALID, "path %s is mounted, but its mount is not a %s mount",
                        json_str(m, "source", ""), slave ? "shared or slave" : "shared");
            return NULL;
        }
        root = !slave ? "shared" : str_eq(root, "shared") ? root : "rslave";
    }
    return root;
}
