/* The container's control group, as the daemon reads it.
 *
 * Only the runtime makes and changes control groups; the daemon looks into them, for what the kernel alone knows: who
 * is in there, how much it used, whether it is frozen. On version 1 each controller has a tree of its own, on version 2
 * one folder holds all. The files are small, made by the kernel when they are read, and never block.
 *
 * Source: the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst. Read next: pause.c, stats.c. */
#include "engine/model.h"
#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <unistd.h>

#define CGROUP_ROOT     "/sys/fs/cgroup"
#define CGROUP_FILE_MAX (1u << 20)

bool cgroup_is_v2(void)
{
    return access(CGROUP_ROOT "/cgroup.controllers", F_OK) == 0;
}

char *cgroup_read(struct engine *en, struct container *c, const char *controller, const char *file)
{
    struct err ignored; /* a controller that the machine lacks, or a container that has just ended */
    bool v2 = cgroup_is_v2();
    autofree char *group = container_cgroup(en, c);
    autofree char *path = str_printf(CGROUP_ROOT "%s%s%s/%s", v2 ? "" : "/", v2 ? "" : controller, group, file);
    return file_read(AT_FDCWD, path, CGROUP_FILE_MAX, NULL, &ignored);
}

/* Version 1 says THAWED, FREEZING or FROZEN; version 2 says 1 or 0, from the moment it was asked. */
bool container_frozen(struct engine *en, struct container *c)
{
    bool v2 = cgroup_is_v2();
    autofree char *text = cgroup_read(en, c, "freezer", v2 ? "cgroup.freeze" : "freezer.state");
    return text && (*text == '1' || *text == 'F');
}
