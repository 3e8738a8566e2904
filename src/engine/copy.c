/* Files in and out of a container: cp and export.
 *
 * The container may run, be stopped, or change everything while it is read. None of its paths is looked at here: the
 * daemon says where the root is mounted and what else belongs into it, and gorae-archive, shut in with just that, finds
 * the way (archive/view.c). Bytes pass through in pieces.
 *
 * What is in view is what Docker shows: the root with the three files of the engine and the bind mounts, not what is
 * mounted as a tmpfs; for export the root alone.
 *
 * No lock is held while bytes flow, `op` neither: a slow client keeps nobody from stopping or removing the container.
 * Next: diff.c. */
#include "engine/model.h"
#include "engine/mounts.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rootpath.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

json_t *tree_request(struct engine *en, struct container *c)
{
    autofree char *rootfs = container_path(en, c, "rootfs");
    return json_pack("{s:s, s:s}", "root", rootfs, "scratch", rootfs);
}

/* ---- what is in view ---- */

static void add_mount(json_t *list, const char *source, const char *target, bool ro)
{
    json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "source", source, "target", target, "ro", (int)ro));
}

/* A running container has its mounts pinned since its start; their sources are looked up on the host anew. Somebody who
 * can write where a source lies (another container with the folder above it) may have put a link there since. So the
 * worker is told which file it must find: the one that the container has. */
static void pin_mounts(struct engine *en, struct container *c, json_t *list)
{
    int pid = locked(&en->lock, c->pid);
    autofree char *path = str_printf("/proc/%d/root", pid);
    autoclose int root = pid > 0 ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    json_each (m, list) {
        struct stat st;
        struct err ignored;
        autoclose int fd = root < 0 ? -1 : rootpath_open(root, json_str(m, "target", ""), O_PATH, 0, &ignored);
        if (fd < 0 || fstat(fd, &st) < 0)
            continue;
        json_object_set_new(m, "dev", json_integer((json_int_t)st.st_dev));
        json_object_set_new(m, "ino", json_integer((json_int_t)st.st_ino));
    }
}

static int add_view(struct engine *en, struct container *c, json_t *request, struct err *e)
{
    static const char *const files[][2] = {
        {"resolv.conf", "/etc/resolv.conf"}, {"hostname", "/etc/hostname"}, {"hosts", "/etc/hosts"}};
    json_auto_t *host = locked(&en->lock, json_incref(c->host));
    json_auto_t *wanted = mounts_of(host, e);
    json_auto_t *list = json_array();
    size_t i;
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        autofree char *source = container_path(en, c, files[i][0]);
        add_mount(list, source, files[i][1], false);
    }
    json_each (m, wanted)
        if (str_eq(json_str(m, "Type", ""), "bind"))
            add_mount(list, json_str(m, "Source", ""), json_str(m, "Destination", ""), !json_is(m, "RW"));
    pin_mounts(en, c, list);
    json_object_set_new(request, "mounts", mounts_sorted(list, "target"));
    json_object_set_new(request, "readonly", json_boolean(json_is(host, "ReadonlyRootfs")));
    return wanted ? 0 : -1;
}

/* "d/", "/d/." and "d": where it is, whether it must be a folder, and what the tar calls it. */
static int add_path(json_t *request, const char *path, struct err *e)
{
    size_t n = strlen(path);
    if (n == 0)
        return err_set(e, ERR_INVALID, "bad parameter: path cannot be empty");
    if (n >= PATH_MAX)
        return err_set(e, ERR_INVALID, "bad parameter: the path is longer than %d bytes", PATH_MAX - 1);
    autofree char *clean = path_clean(path);
    bool dot = str_ends(path, "/.") || str_eq(path, "."), folder = dot || str_ends(path, "/");
    const char *slash = strrchr(clean, '/');
    const char *name = dot ? "." : slash[1] ? slash + 1 : "/";
    json_t *at = json_string(clean), *called = json_string(name);
    if (!at || !called) { /* JSON is UTF-8, and the client's path came through JSON's relative, the URL */
        json_decref(at);
        json_decref(called);
        return err_set(e, ERR_INVALID, "bad parameter: the path is not UTF-8");
    }
    json_object_set_new(request, "path", at);
    json_object_set_new(request, "name", called);
    json_object_set_new(request, "folder", json_boolean(folder));
    return 0;
}

/* The worker knows the container by no name. */
static int name_container(const char *name, struct err *e)
{
    size_t n = strlen(e->msg);
    if (e->kind == ERR_NOT_FOUND && str_starts(e->msg, "Could not find the file"))
        snprintf(e->msg + n, sizeof(e->msg) - n, " in container %s", name);
    return -1;
}

/* ---- running the worker ---- */

/* @return its last message, or NULL. Takes the request. */
static json_t *run(struct engine *en, struct container *c, json_t *request, struct tree_job *job, struct err *e)
{
    json_auto_t *mine = request;
    job->request = mine;
    if (rootfs_hold(en, c, e) < 0)
        return NULL;
    json_t *done = tree_work(job, e);
    rootfs_release(en, c);
    return done;
}

static json_t *run_on_path(struct engine *en, struct container *c, const char *path, struct tree_job *job,
                           struct err *e)
{
    json_t *request = tree_request(en, c);
    if (add_path(request, path, e) < 0 || add_view(en, c, request, e) < 0) {
        json_decref(request);
        return NULL;
    }
    return run(en, c, request, job, e);
}

json_t *engine_path_stat(struct engine *en, const char *name, const char *path, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return NULL;
    struct tree_job job = {.verb = "stat"};
    json_auto_t *done = run_on_path(en, c, path, &job, e);
    if (done)
        event_container(en, c, "archive-path", NULL);
    else
        name_container(name, e);
    return json_incref(json_object_get(done, "stat"));
}

int engine_copy_out(struct engine *en, const char *name, const char *path, image_progress *stat, void *stat_arg,
                    image_sink *sink, void *arg, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return -1;
    struct tree_job job = {.verb = "pack", .sink = sink, .sink_arg = arg, .stat = stat, .stat_arg = stat_arg};
    json_auto_t *done = run_on_path(en, c, path, &job, e);
    if (done)
        event_container(en, c, "archive-path", NULL);
    else
        name_container(name, e);
    return done ? 0 : -1;
}

/* copyUIDGID: who the container's processes are, by the image's own tables. */
static int add_owner(struct engine *en, struct container *c, json_t *request, struct err *e)
{
    autofree char *rootfs = container_path(en, c, "rootfs"), *home = NULL;
    json_auto_t *config = locked(&en->lock, json_incref(c->config));
    const char *user = json_str(config, "User", "");
    if (!*user)
        return 0;
    autoclose int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_sys(e, "open %s", rootfs);
    json_auto_t *who = user_resolve(root, user, NULL, &home, e);
    if (!who)
        return -1;
    json_object_set_new(request, "owner",
                        json_pack("[O, O]", json_object_get(who, "uid"), json_object_get(who, "gid")));
    return 0;
}

static int copy_in(struct engine *en, struct container *c, const struct copy_in *o, struct tree_job *job, struct err *e)
{
    json_auto_t *request = tree_request(en, c);
    if (add_path(request, o->path, e) < 0 || add_view(en, c, request, e) < 0)
        return -1;
    json_object_set_new(request, "strict", json_boolean(o->strict));
    job->request = request;
    if (rootfs_hold(en, c, e) < 0)
        return -1;
    json_auto_t *done = o->own_user && add_owner(en, c, request, e) < 0 ? NULL : tree_work(job, e);
    FAULT("copy.unpacked");
    rootfs_release(en, c);
    return done ? 0 : -1;
}

int engine_copy_in(struct engine *en, const char *name, const struct copy_in *o, image_source *src, void *arg,
                   struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return -1;
    struct tree_job job = {.verb = "unpack", .src = src, .src_arg = arg};
    int r = copy_in(en, c, o, &job, e);
    if (r == 0)
        event_container(en, c, "extract-to-dir", NULL);
    else
        name_container(name, e);
    return r;
}

int engine_export(struct engine *en, const char *name, image_sink *sink, void *arg, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return -1;
    struct tree_job job = {.verb = "export", .sink = sink, .sink_arg = arg};
    json_auto_t *done = run(en, c, tree_request(en, c), &job, e);
    if (done)
        event_container(en, c, "export", NULL);
    return done ? 0 : -1;
}
