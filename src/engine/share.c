/* Namespaces that are shared: --pid, --ipc and --uts container:NAME.
 *
 * The donor is noted by its full id when the container is made, so that a rename does not change who is meant; whether
 * it runs is asked at each start. What the OCI runtime is given is a path, /proc/PID/ns/KIND, and a pid is a number
 * that the kernel may give to somebody else the moment its owner is gone. So after the runtime has joined, and before
 * the user's program runs, the donor is asked for once more: if it is the same process still, started at the same time,
 * then the number was its all the while (share_verify). If not, the start fails and is undone.
 *
 * An IPC namespace is half of the matter: POSIX shared memory lives in /dev/shm, a mount. A container that may give
 * ("shareable") has its /dev/shm made here, on the host's side, and whoever joins binds the same one. It is never taken
 * from inside the donor, whose links are not to be trusted.
 *
 * Source: namespaces(7), shm_overview(7); Engine API, HostConfig. */
#include "engine/share.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define PREFIX "container:"

static const struct {
    const char *key, *ns, *name;
} kinds[SHARE_KINDS] = {{"PidMode", "pid", "PID"}, {"IpcMode", "ipc", "IPC"}, {"UTSMode", "uts", "UTS"}};

const char *share_donor(const json_t *host, const char *key)
{
    const char *mode = json_str(host, key, "");
    return str_starts(mode, PREFIX) ? mode + strlen(PREFIX) : NULL;
}

int share_resolve(struct engine *en, const json_t *config, json_t *host, struct err *e)
{
    for (size_t i = 0; i < SHARE_KINDS; i++) {
        const char *name = share_donor(host, kinds[i].key);
        if (!name)
            continue;
        if (!*name)
            return err_set(e, ERR_INVALID, "invalid %s mode: container: names no container", kinds[i].name);
        if (i == 2 && (*json_str(config, "Hostname", "") || *json_str(config, "Domainname", "")))
            return err_set(e, ERR_INVALID, "a hostname cannot be given together with another's UTS namespace");
        autocontainer *donor = container_get(en, name, e);
        if (!donor)
            return -1;
        json_object_set_new(host, kinds[i].key, json_sprintf(PREFIX "%s", donor->id));
    }
    return 0;
}

char *share_hostname(struct engine *en, const json_t *host)
{
    const char *name = share_donor(host, "UTSMode");
    struct err ignored; /* share_resolve() has found it a moment ago; the id will do otherwise */
    autocontainer *donor = name ? container_get(en, name, &ignored) : NULL;
    return donor ? mem_strdup(json_str(donor->config, "Hostname", "")) : NULL;
}

/* @return the donor's pid, -1 where it does not run */
static int donor_pid(struct engine *en, struct container *donor)
{
    pthread_mutex_lock(&en->lock);
    int pid = state_alive(donor->state) ? donor->pid : -1;
    uint64_t starttime = donor->starttime;
    pthread_mutex_unlock(&en->lock);
    return pid > 0 && process_start_time(pid) == starttime ? pid : -1;
}

static int find_donor(struct engine *en, const struct container *c, size_t kind, int *ret_pid, struct err *e)
{
    autocontainer *donor = container_get(en, share_donor(c->host, kinds[kind].key), e);
    if (!donor)
        return err_wrap(e, "cannot join %s namespace", kinds[kind].name);
    bool refused = kind == 1 && !str_eq(json_str(donor->host, "IpcMode", ""), "shareable");
    *ret_pid = donor_pid(en, donor);
    if (*ret_pid < 0)
        err_set(e, ERR_CONFLICT, "cannot join %s namespace of a non running container: %s", kinds[kind].name,
                donor->id);
    else if (refused)
        err_set(e, ERR_INVALID, "cannot join IPC of %s: it is not shareable (--ipc shareable makes a container so)",
                donor->id);
    return *ret_pid < 0 || refused ? -1 : 0;
}

/* The tmpfs that a shareable container's /dev/shm is. */
static int make_shm(struct engine *en, struct container *c, struct err *e)
{
    autofree char *path = container_run_path(en, c, "shm");
    autofree char *options = str_printf("mode=1777,size=%lld", (long long)json_int(c->host, "ShmSize", 0));
    if (dir_make_all(path, 0700, e) < 0)
        return -1;
    return mount("shm", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0
               ? err_sys(e, "mount the shared memory of container %.12s", c->id)
               : 0;
}

int share_prepare(struct engine *en, struct container *c, struct err *e)
{
    for (size_t i = 0; i < SHARE_KINDS; i++) {
        c->joined[i] = 0;
        if (share_donor(c->host, kinds[i].key) && find_donor(en, c, i, &c->joined[i], e) < 0)
            return -1;
    }
    return str_eq(json_str(c->host, "IpcMode", ""), "shareable") ? make_shm(en, c, e) : 0;
}

int share_verify(struct engine *en, struct container *c, struct err *e)
{
    for (size_t i = 0; i < SHARE_KINDS; i++) {
        int pid;
        if (c->joined[i] == 0)
            continue;
        if (find_donor(en, c, i, &pid, e) < 0)
            return -1;
        if (pid != c->joined[i])
            return err_set(e, ERR_CONFLICT, "cannot join %s namespace: its container was restarted meanwhile",
                           kinds[i].name);
    }
    return 0;
}

void share_add(const struct container *c, json_t *namespaces)
{
    for (size_t i = 0; i < SHARE_KINDS; i++)
        if (c->joined[i] > 0)
            json_array_append_new(namespaces, json_pack("{s:s, s:o}", "type", kinds[i].ns, "path",
                                                        json_sprintf("/proc/%d/ns/%s", c->joined[i], kinds[i].ns)));
}

char *share_shm(struct engine *en, struct container *c)
{
    const char *donor = share_donor(c->host, "IpcMode");
    if (donor)
        return str_printf("%s/containers/%s/shm", en->opt.exec_root, donor);
    return str_eq(json_str(c->host, "IpcMode", ""), "shareable") ? container_run_path(en, c, "shm") : NULL;
}

/* Whoever joined keeps it through a mount of his own. */
void share_release(struct engine *en, struct container *c)
{
    autofree char *path = container_run_path(en, c, "shm");
    while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
}
