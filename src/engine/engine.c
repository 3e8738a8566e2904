/* The engine's tables: which containers there are, and how a name finds one.
 *
 * A container is in memory as long as it is in the table or somebody holds a reference; its files are gone when
 * removal is done, which may be earlier. Lookups follow Docker's order (full id, exact name, unique id prefix), and a
 * name that looks like a full id is refused at creation, so that nobody can shadow another's id.
 *
 * Read next: record.c for what is on disk, create.c and start.c for the way in, exit.c for the way out. */
#include "engine/model.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- containers in memory ---- */

struct container *container_new(struct engine *en, const char *id)
{
    struct container *c = mem_alloc(sizeof(*c));
    c->en = en;
    memcpy(c->id, id, ID_LENGTH);
    pthread_mutex_init(&c->op, NULL);
    shim_link_init(&c->link, "container", c->id);
    pthread_mutex_init(&c->saving, NULL);
    pthread_mutex_init(&c->mount, NULL);
    c->refs = 1;
    c->state = STATE_CREATED;
    c->health_log = json_array();
    return c;
}

static void container_free(struct container *c)
{
    json_decref(c->config);
    json_decref(c->host);
    update_forget(c);
    json_decref(c->health_log);
    json_decref(c->path_args);
    pthread_mutex_destroy(&c->op);
    shim_link_release(&c->link);
    pthread_mutex_destroy(&c->saving);
    pthread_mutex_destroy(&c->mount);
    free(c->name);
    free(c->image);
    free(c->error);
    free(c->trace);
    free(c->failure);
    free(c->place);
    free(c);
}

void container_put(struct engine *en, struct container *c)
{
    if (!c)
        return;
    bool last = locked(&en->lock, --c->refs == 0);
    if (last)
        container_free(c);
}

void container_putp(struct container **c)
{
    if (*c)
        container_put((*c)->en, *c);
}

/* The table is kept newest first, which is the order in which lists are shown. */
void container_insert(struct engine *en, struct container *c)
{
    pthread_mutex_lock(&en->lock);
    struct container **at = &en->containers;
    while (*at && (*at)->created > c->created)
        at = &(*at)->next;
    c->next = *at;
    *at = c;
    c->in_table = true;
    c->refs++;
    en->ncontainers++;
    pthread_mutex_unlock(&en->lock);
}

void container_withdraw(struct engine *en, struct container *c)
{
    pthread_mutex_lock(&en->lock);
    for (struct container **at = &en->containers; *at; at = &(*at)->next) {
        if (*at != c)
            continue;
        *at = c->next;
        en->ncontainers--;
        c->in_table = false;
        c->refs--; /* the caller holds another */
        if (c->name)
            json_object_del(en->names, c->name);
        break;
    }
    pthread_mutex_unlock(&en->lock);
}

static struct container *by_id(struct engine *en, const char *id, size_t n, bool *ambiguous)
{
    struct container *found = NULL;
    for (struct container *c = en->containers; c; c = c->next) {
        if (strncmp(c->id, id, n) != 0)
            continue;
        *ambiguous = found != NULL;
        if (*ambiguous)
            return NULL;
        found = c;
    }
    return found;
}

struct container *container_get(struct engine *en, const char *name, struct err *e)
{
    bool ambiguous = false;
    struct container *c = NULL;
    size_t n = strlen(name);
    if (n == 0)
        return err_null(err_set(e, ERR_INVALID, "the name of a container is empty"));
    pthread_mutex_lock(&en->lock);
    if (n == ID_LENGTH)
        c = by_id(en, name, n, &ambiguous);
    if (!c) {
        const char *id = json_string_value(json_object_get(en->names, name + (name[0] == '/')));
        c = id ? by_id(en, id, ID_LENGTH, &ambiguous) : NULL;
    }
    if (!c && n < ID_LENGTH && strspn(name, "0123456789abcdef") == n)
        c = by_id(en, name, n, &ambiguous);
    if (c)
        c->refs++;
    pthread_mutex_unlock(&en->lock);
    if (ambiguous)
        err_set(e, ERR_INVALID, "Multiple IDs found with provided prefix: %s", name);
    else if (!c)
        err_set(e, ERR_NOT_FOUND, "No such container: %s", name);
    return c;
}

struct container **container_all(struct engine *en)
{
    pthread_mutex_lock(&en->lock);
    struct container **v = mem_alloc((en->ncontainers + 1) * sizeof(*v));
    size_t n = 0;
    for (struct container *c = en->containers; c; c = c->next) {
        c->refs++;
        v[n++] = c;
    }
    pthread_mutex_unlock(&en->lock);
    return v;
}

char *container_path(struct engine *en, const struct container *c, const char *tail)
{
    return str_printf("%s/%s%s%s", en->containers_dir, c->id, tail ? "/" : "", tail ? tail : "");
}

char *container_run_path(struct engine *en, const struct container *c, const char *tail)
{
    return str_printf("%s/%s%s%s", en->run_dir, c->id, tail ? "/" : "", tail ? tail : "");
}

int container_step(struct container *c, enum trigger on)
{
    int to = machine_next(c->state, on);
    if (to < 0)
        return -1;
    if (to < STATE_COUNT)
        c->state = (enum state)to;
    return 0;
}

/* ---- images in use ---- */

static struct image_user *image_users(void *arg, size_t *ret_n)
{
    struct engine *en = arg;
    pthread_mutex_lock(&en->lock);
    struct image_user *u = mem_alloc((en->ncontainers + 1) * sizeof(*u));
    size_t n = 0;
    for (struct container *c = en->containers; c; c = c->next, n++)
        u[n] = (struct image_user){mem_strdup(c->id), mem_strdup(c->image), state_up(c->state)};
    pthread_mutex_unlock(&en->lock);
    *ret_n = n;
    return u;
}

static void image_event(void *arg, const char *action, const char *id, const char *name)
{
    event_image(arg, action, id, name);
}

static void image_pruned(void *arg, int64_t bytes)
{
    event_prune(arg, "image", bytes);
}

/* ---- open and close ---- */

/* One daemon a data root and one an exec root, for as long as it lives: the kernel drops the lock with the process,
 * however it ends. In an exec root alone, a second daemon would take the first one's containers for strangers. */
static int lock_root(const char *what, const char *root, int *ret, struct err *e)
{
    autofree char *path = str_printf("%s/lock", root);
    autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        char holder[32] = "(unknown)";
        (void)!read(fd, holder, sizeof(holder) - 1);
        holder[strcspn(holder, "\n")] = '\0';
        return err_set(e, ERR_CONFLICT, "%s %s is in use by the daemon with pid %s", what, root, holder);
    }
    autofree char *pid = str_printf("%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
        return err_sys(e, "write %s", path);
    *ret = take_fd(&fd);
    return 0;
}

static int make_folders(struct engine *en, struct err *e)
{
    struct {
        const char *path;
        mode_t mode;
    } want[] = {{en->opt.data_root, 0710}, {en->containers_dir, 0710}, {en->quarantine, 0700},
                {en->opt.exec_root, 0711}, {en->run_dir, 0700},        {en->trace_dir, 0700}};
    if (tree_remove(AT_FDCWD, en->trace_dir, e) < 0) /* what nobody fetched */
        return -1;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        if (dir_make_all(want[i].path, want[i].mode, e) < 0)
            return -1;
        if (chmod(want[i].path, want[i].mode) < 0) /* whatever the umask was */
            return err_sys(e, "chmod %s", want[i].path);
    }
    return rootfs_make_base(en, e);
}

/* A name for this daemon in `docker info`: made once, kept in the data root. */
static int load_daemon_id(struct engine *en, struct err *e)
{
    autofree char *path = str_printf("%s/id", en->opt.data_root);
    char fresh[33];
    struct err ignored;
    en->daemon_id = file_read(AT_FDCWD, path, 64, NULL, &ignored);
    if (en->daemon_id && str_is_hex(en->daemon_id, 32))
        return 0;
    str_random_hex(fresh, 16);
    free(en->daemon_id);
    en->daemon_id = mem_strdup(fresh);
    return file_replace(AT_FDCWD, path, fresh, 32, 0600, e);
}

static int open_in(struct engine *en, struct err *e)
{
    autofree char *images = str_printf("%s/images", en->opt.data_root);
    const struct image_hooks hooks = {.arg = en, .event = image_event, .pruned = image_pruned, .users = image_users};
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    en->hostname = mem_strdup(host);
    if (dir_make_all(en->opt.data_root, 0710, e) < 0 ||
        lock_root("data root", en->opt.data_root, &en->lock_fd[0], e) < 0 ||
        dir_make_all(en->opt.exec_root, 0711, e) < 0 ||
        lock_root("exec root", en->opt.exec_root, &en->lock_fd[1], e) < 0)
        return -1;
    if (overlay_probe(en->opt.data_root, e) < 0)
        return err_wrap(e, "data root %s, on %s, cannot hold containers", en->opt.data_root,
                        backing_name(en->opt.data_root));
    if (make_folders(en, e) < 0 || load_daemon_id(en, e) < 0)
        return -1;
    en->images = image_store_open(images, en->quarantine, &hooks, e);
    if (!en->images)
        return -1;
    en->recovering = true;
    int r = recover(en, e);
    en->recovering = false;
    return r;
}

/* Of a folder that is about to be made: the topmost that is not there yet. @return the caller's; NULL where all are */
static char *first_missing(const char *path)
{
    for (const char *end = path; *end;) {
        end = strchrnul(end + 1, '/');
        autofree char *part = mem_strndup(path, (size_t)(end - path));
        if (access(part, F_OK) < 0)
            return take_ptr(&part);
    }
    return NULL;
}

struct engine *engine_open(const struct engine_options *opt, struct err *e)
{
    struct engine *en = mem_alloc(sizeof(*en));
    json_object_seed(0); /* jansson seeds its hash tables at first use, which is not safe between threads */
    en->opt = *opt;      /* what a reload may replace is held; the rest lives as long as the process */
    json_incref(en->opt.labels);
    json_incref(en->opt.host_defaults);
    json_incref(en->opt.registries);
    json_incref(en->opt.runtimes);
    en->lock_fd[0] = en->lock_fd[1] = -1;
    en->nursery = NURSERY_UNTRIED;
    pthread_mutex_init(&en->lock, NULL);
    pthread_mutex_init(&en->nursery_lock, NULL);
    pthread_condattr_t at;
    pthread_condattr_init(&at);
    pthread_condattr_setclock(&at, CLOCK_MONOTONIC);
    pthread_cond_init(&en->exec_changed, &at);
    pthread_cond_init(&en->policy, &at);
    pthread_condattr_destroy(&at);
    en->names = json_object();
    en->bus = bus_new();
    en->containers_dir = str_printf("%s/containers", opt->data_root);
    en->quarantine = str_printf("%s/quarantine", opt->data_root);
    en->run_dir = str_printf("%s/containers", opt->exec_root);
    en->trace_dir = str_printf("%s/trace", opt->exec_root);
    autofree char *data = first_missing(opt->data_root), *run = first_missing(opt->exec_root);
    if (open_in(en, e) < 0) {
        /* Nothing is left of a start that failed; a conflict: what we did not lock is another's. */
        struct err ignored;
        if (data && (e->kind != ERR_CONFLICT || en->lock_fd[0] >= 0))
            tree_remove(AT_FDCWD, data, &ignored);
        if (run && (e->kind != ERR_CONFLICT || en->lock_fd[1] >= 0))
            tree_remove(AT_FDCWD, run, &ignored);
        engine_close(en);
        return NULL;
    }
    return en;
}

/* Threads that follow running containers may still be there when the process ends; what they use stays. */
void engine_close(struct engine *en)
{
    for (struct container *c = en->containers; c; c = c->next)
        execs_forget(en, c);
    pthread_mutex_lock(&en->lock);
    bool idle = true;
    for (struct container *c = en->containers; c; c = c->next)
        idle = idle && c->refs == 1 && !state_alive(c->state);
    pthread_mutex_unlock(&en->lock);
    if (!idle)
        return;
    while (en->containers) {
        struct container *c = en->containers;
        en->containers = c->next;
        parked_drop(en, c);
        container_free(c);
    }
    if (en->images)
        image_store_close(en->images);
    bus_free(en->bus);
    json_decref(en->names);
    json_decref(en->opt.labels);
    json_decref(en->opt.host_defaults);
    json_decref(en->opt.registries);
    json_decref(en->opt.runtimes);
    fd_close(en->nursery);
    fd_close(en->lock_fd[0]);
    fd_close(en->lock_fd[1]);
    free(en->containers_dir);
    free(en->quarantine);
    free(en->run_dir);
    free(en->trace_dir);
    free(en->hostname);
    free(en->daemon_id);
    pthread_cond_destroy(&en->exec_changed);
    pthread_cond_destroy(&en->policy);
    pthread_mutex_destroy(&en->lock);
    pthread_mutex_destroy(&en->nursery_lock);
    free(en);
}

/* One folder for v2, one a hierarchy for v1. rmdir(2) refuses while a container is in it, which is as it should be. A
 * slice is systemd's, which removes it when it is empty. */
void engine_tidy_cgroups(struct engine *en)
{
    if (en->opt.systemd_cgroup)
        return;
    autofree char *v2 = str_printf("/sys/fs/cgroup%s", en->opt.cgroup_parent);
    rmdir(v2);
    autoclosedir DIR *d = opendir("/sys/fs/cgroup");
    for (struct dirent *x; d && (x = readdir(d));) {
        autofree char *path = str_printf("/sys/fs/cgroup/%s%s", x->d_name, en->opt.cgroup_parent);
        if (x->d_name[0] != '.' && x->d_type != DT_LNK)
            rmdir(path);
    }
}

struct image_store *engine_images(struct engine *en)
{
    return en->images;
}

const struct engine_options *engine_config(const struct engine *en)
{
    return &en->opt;
}
