/* The container's control group, as the daemon reads it.
 *
 * Only the runtime makes and changes control groups; the daemon looks into them, for what the kernel alone knows: who
 * is in there, how much it used, whether it is frozen. On version 1 each controller has a tree of its own, on version 2
 * one folder holds all. The files are small, made by the kernel when they are read, and never block.
 *
 * Source: the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst. Read next: pause.c, stats.c. */
#include "engine/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/slice.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define CGROUP_FILE_MAX (1u << 20)
#define BUNDLE_MAX      (16u << 20)

const char *cgroup_root = "/sys/fs/cgroup";

/* ---- where it is ---- */

int engine_check_cgroup_parent(const char *parent, bool systemd, struct err *e)
{
    autofree char *folder = systemd && *parent ? slice_path(parent, e) : NULL, *fenced = str_printf("/%s/", parent);
    if (systemd)
        return *parent && !folder ? -1 : 0;
    if (strstr(fenced, "/../") || strchr(parent, ':') || strpbrk(parent, "\n"))
        return err_set(e, ERR_INVALID, "\"%.100s\" is not a path below the root of the control groups", parent);
    return 0;
}

char *cgroup_place(struct engine *en, const struct container *c)
{
    const char *parent = json_str(c->host, "CgroupParent", "");
    if (!*parent)
        parent = en->opt.cgroup_parent;
    return en->opt.systemd_cgroup ? str_printf("%s:gorae:%s", parent, c->id)
                                  : str_printf("%s%s/%s", *parent == '/' ? "" : "/", parent, c->id);
}

char *container_cgroup(struct engine *en, struct container *c)
{
    struct err ignored; /* checked when the settings and the container were made */
    autofree char *place = locked(&en->lock, c->place ? mem_strdup(c->place) : NULL);
    if (!place)
        place = cgroup_place(en, c);
    if (*place == '/')
        return take_ptr(&place);
    place[strcspn(place, ":")] = '\0'; /* SLICE:gorae:ID */
    autofree char *folder = slice_path(place, &ignored);
    return str_printf("%s/gorae-%s.scope", folder ? folder : "", c->id);
}

/* The daemon may have another driver or parent now than when the container was started. */
void cgroup_recover(struct engine *en, struct container *c)
{
    struct err ignored;
    autofree char *path = container_run_path(en, c, "bundle/config.json");
    json_auto_t *spec = json_read_file(AT_FDCWD, path, BUNDLE_MAX, &ignored);
    const char *place = json_str(spec, "linux.cgroupsPath", NULL);
    c->place = place ? mem_strdup(place) : NULL;
}

/* ---- what is in it ---- */

bool cgroup_is_v2(void)
{
    autofree char *path = str_printf("%s/cgroup.controllers", cgroup_root);
    return access(path, F_OK) == 0;
}

char *cgroup_read(struct engine *en, struct container *c, const char *controller, const char *file)
{
    struct err ignored; /* a controller that the machine lacks, or a container that has just ended */
    bool v2 = cgroup_is_v2();
    autofree char *group = container_cgroup(en, c);
    autofree char *path = str_printf("%s%s%s%s/%s", cgroup_root, v2 ? "" : "/", v2 ? "" : controller, group, file);
    return file_read(AT_FDCWD, path, CGROUP_FILE_MAX, NULL, &ignored);
}

#define DEPTH_MAX 32 /* a container with rights over its own groups can nest them */

static void collect(int at, const char *name, int depth, json_t *pids)
{
    struct err ignored;
    autoclose int fd = depth < DEPTH_MAX ? openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    autofree char *text = fd >= 0 ? file_read(fd, "cgroup.procs", CGROUP_FILE_MAX, NULL, &ignored) : NULL;
    for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
        json_array_append_new(pids, json_integer(strtol(p, NULL, 10)));
    autostrv names = {NULL, 0};
    if (fd >= 0 && dir_names(fd, ".", &names, &ignored) == 0)
        for (size_t i = 0; i < names.n; i++)
            collect(fd, names.v[i], depth + 1, pids);
}

json_t *cgroup_pids(struct engine *en, struct container *c)
{
    bool v2 = cgroup_is_v2();
    json_t *pids = json_array();
    autofree char *group = container_cgroup(en, c);
    autofree char *path = str_printf("%s%s%s", cgroup_root, v2 ? "" : "/devices", group);
    collect(AT_FDCWD, path, 0, pids);
    return pids;
}

/* Version 1 says THAWED, FREEZING or FROZEN; version 2 says 1 or 0, from the moment it was asked. */
bool container_frozen(struct engine *en, struct container *c)
{
    bool v2 = cgroup_is_v2();
    autofree char *text = cgroup_read(en, c, "freezer", v2 ? "cgroup.freeze" : "freezer.state");
    return text && (*text == '1' || *text == 'F');
}
