/* The mount of a container's root: a base and the image's layers below, its own folder above.
 *
 * A run needs it, and so does whoever copies files, looks for changes or commits, which may be done while nothing runs.
 * Two overlay mounts of one upper folder would corrupt it, so there is one, counted. Nobody waits for anybody: a
 * container may be started, stopped and removed while it is copied from. The copy's process has the mount in a
 * namespace of its own (archive/view.c); taken away here, it lives on there until the copy ends.
 *
 * --rm: a run's mount is "volatile" (not written back to disk at the end). A copy's is not.
 *
 * Killed in between, the daemon leaves a mount without a run; recovery takes it down (recover.c). */
#include "engine/model.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Two files that Docker's containers have and images need not: the sign of being in one, and a table of mounts for
 * programs of old. Below all of the image's layers, so that an image that has its own keeps it. */
int rootfs_make_base(struct engine *en, struct err *e)
{
    const char *root = en->opt.data_root;
    autofree char *etc = str_printf("%s/base/etc", root), *mtab = str_printf("%s/base/etc/mtab", root),
                  *mark = str_printf("%s/base/.dockerenv", root);
    if (dir_make_all(etc, 0755, e) < 0)
        return -1;
    autoclose int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0755);
    if (fd < 0 || (symlink("/proc/mounts", mtab) < 0 && errno != EEXIST))
        return err_sys(e, "make %s", fd < 0 ? mark : mtab);
    return 0;
}

int rootfs_lower(struct engine *en, struct container *c, struct strv *ret, struct err *e)
{
    if (image_layers(en->images, c->image, ret, e) < 0)
        return err_wrap(e, "container %.12s", c->id);
    strv_addf(ret, "%s/base", en->opt.data_root);
    return 0;
}

static int mount_it(struct engine *en, struct container *c, bool for_run, struct err *e)
{
    autostrv lower = {NULL, 0};
    autofree char *rootfs = container_path(en, c, "rootfs"), *upper = container_path(en, c, "upper"),
                  *work = container_path(en, c, "work");
    if (overlay_mounted(rootfs))
        return 0;
    if (rootfs_lower(en, c, &lower, e) < 0)
        return -1;
    /* The mark of a volatile mount means that the machine may have crashed since. At a restart of a --rm container, or
     * a copy from it, it has not. */
    autofree char *mark = str_printf("%s/work/incompat", work);
    if (container_ephemeral(c) && tree_remove(AT_FDCWD, mark, e) < 0)
        return -1;
    return overlay_mount(lower.v, lower.n, upper, work, rootfs, for_run && container_ephemeral(c), e);
}

static int unmount_it(struct engine *en, struct container *c, struct err *e)
{
    autofree char *rootfs = container_path(en, c, "rootfs");
    return overlay_unmount(rootfs, e);
}

int rootfs_begin_run(struct engine *en, struct container *c, struct err *e)
{
    pthread_mutex_lock(&c->mount);
    int r = mount_it(en, c, true, e);
    c->run_mounted = r == 0;
    pthread_mutex_unlock(&c->mount);
    if (r == 0)
        FAULT("start.rootfs-mounted");
    return r;
}

static bool leaving(struct engine *en, struct container *c)
{
    bool gone = locked(&en->lock, c->removing || !c->in_table);
    return gone;
}

int rootfs_end_run(struct engine *en, struct container *c, struct err *e)
{
    pthread_mutex_lock(&c->mount);
    c->run_mounted = false;
    int r = c->copies == 0 || leaving(en, c) ? unmount_it(en, c, e) : 0;
    pthread_mutex_unlock(&c->mount);
    return r;
}

int rootfs_hold(struct engine *en, struct container *c, struct err *e)
{
    pthread_mutex_lock(&c->mount);
    int r = leaving(en, c) ? err_set(e, ERR_CONFLICT, "container %.12s is marked for removal", c->id)
                           : mount_it(en, c, false, e);
    c->copies += r == 0;
    pthread_mutex_unlock(&c->mount);
    if (r == 0)
        FAULT("copy.mounted");
    return r;
}

void rootfs_release(struct engine *en, struct container *c)
{
    struct err e;
    pthread_mutex_lock(&c->mount);
    c->copies--;
    if (c->copies == 0 && !c->run_mounted && unmount_it(en, c, &e) < 0)
        log_warn("container %.12s: %s", c->id, e.msg);
    pthread_mutex_unlock(&c->mount);
}
