/* A container's folder: see state.h. Not fsynced: it lies on tmpfs, and after a reboot no container runs. */
#include "runtime/state.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An id becomes a folder's name: letters, digits and "_+-." only. */
static int check_id(const char *id, struct err *e)
{
    size_t n = strlen(id);
    bool good = n > 0 && n <= STATE_ID_MAX && !str_eq(id, ".") && !str_eq(id, "..") && !str_eq(id, STATE_CACHE);
    for (size_t i = 0; good && i < n; i++)
        good = isalnum((unsigned char)id[i]) || strchr("_+-.", id[i]);
    return good ? 0
                : err_set(e, ERR_INVALID, "invalid container ID \"%.64s\": 1 to %d of A-Z a-z 0-9 _ + - .", id,
                          STATE_ID_MAX);
}

static int open_folder(struct state *s, const struct runtime *rt, const char *id, bool lock, struct err *e)
{
    autofree char *path = str_printf("%s/%s", rt->root, id);
    s->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->dir < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "container %s does not exist", id);
    if (s->dir < 0)
        return err_sys(e, "open %s", path);
    s->id = mem_strdup(id);
    /* flock(2) on the folder: verbs on one container take turns. The lock goes with the descriptor. */
    while (lock && flock(s->dir, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_sys(e, "lock %s", path);
    return 0;
}

int state_new(struct state *s, const struct runtime *rt, const char *id, struct err *e)
{
    *s = (struct state)STATE_INIT;
    if (check_id(id, e) < 0 || dir_make_all(rt->root, 0700, e) < 0)
        return -1;
    autofree char *path = str_printf("%s/%s", rt->root, id);
    if (mkdir(path, 0700) < 0)
        return errno == EEXIST ? err_set(e, ERR_CONFLICT, "container with id exists: %s", id)
                               : err_sys(e, "make folder %s", path);
    return open_folder(s, rt, id, true, e);
}

static int read_doc(struct state *s, struct err *e)
{
    s->doc = json_read_file(s->dir, "state.json", STATE_MAX, e);
    if (!s->doc) {
        /* Killed before the first write: nothing is known and nothing was made, but `delete --force` may clear it. */
        s->doc = json_pack("{s:s}", "id", s->id);
        return 0;
    }
    s->pid = (pid_t)json_int(s->doc, "pid", 0);
    s->starttime = (uint64_t)json_int(s->doc, "starttime", 0);
    s->leads = json_is(s->doc, "leads");
    return cgroup_from_json(&s->cgroup, json_object_get(s->doc, "cgroup"), e);
}

int state_open(struct state *s, const struct runtime *rt, const char *id, bool lock, struct err *e)
{
    struct stat st;
    *s = (struct state)STATE_INIT;
    int r = check_id(id, e) < 0 ? -1 : open_folder(s, rt, id, lock, e);
    /* No links: another `delete` removed it while we waited for the lock. */
    if (r == 0 && (fstat(s->dir, &st) < 0 || st.st_nlink == 0))
        r = err_set(e, ERR_NOT_FOUND, "container %s does not exist", id);
    if (r == 0)
        r = read_doc(s, e);
    if (r < 0)
        state_release(s);
    return r;
}

void state_release(struct state *s)
{
    fd_close(s->dir);
    json_decref(s->doc);
    free(s->id);
    cgroup_release(&s->cgroup);
    *s = (struct state)STATE_INIT;
}

void state_describe(struct state *s, const struct plan *p)
{
    static const char *const kept[] = {"annotations", "hooks", "process"};
    char now[CLOCK_TEXT];
    json_t *ns = json_array();
    for (int k = 0; k < NS_COUNT; k++)
        if (p->ns[k].own)
            json_array_append_new(ns, json_string(plan_ns_name[k]));
    s->leads = plan_new(p, NS_PID);
    s->doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:b}", "ociVersion", OCI_VERSION, "id", s->id, "bundle",
                       p->bundle, "rootfs", p->rootfs, "created", clock_format(clock_real(), now), "namespaces", ns,
                       "leads", (int)s->leads);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        json_object_set(s->doc, kept[i], json_object_get(p->config, kept[i])); /* nothing happens for a missing one */
}

bool state_has_ns(const struct state *s, enum plan_ns kind)
{
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(s->doc, "namespaces"), i, v)
    {
        if (str_eq(json_string_value(v), plan_ns_name[kind]))
            return true;
    }
    return false;
}

int state_save(struct state *s, struct err *e)
{
    json_object_set_new(s->doc, "pid", json_integer(s->pid));
    json_object_set_new(s->doc, "starttime", json_integer((json_int_t)s->starttime));
    json_object_set_new(s->doc, "cgroup", cgroup_to_json(&s->cgroup));
    autofree char *text = json_text(s->doc);
    return file_replace_volatile(s->dir, "state.json", text, strlen(text), 0600, e);
}

int state_remove(struct state *s, const struct runtime *rt, struct err *e)
{
    autoclose int root = open(rt->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_sys(e, "open %s", rt->root);
    return tree_remove(root, s->id, e);
}

uint64_t process_starttime(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    autofree char *text = pid > 0 ? file_read(AT_FDCWD, path, 4096, NULL, NULL) : NULL;
    /* The second field is the program's name in parentheses and may itself hold blanks and parentheses. */
    const char *p = text ? strrchr(text, ')') : NULL;
    if (!p || !p[1] || p[2] == 'Z' || p[2] == 'X')
        return 0;
    for (int field = 2; field < 22 && p; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p, NULL, 10) : 0;
}

/* 0 is the answer for a process that is gone, and must not equal a 0 from a damaged file. */
static bool is_alive(const struct state *s)
{
    uint64_t now = process_starttime(s->pid);
    return now != 0 && now == s->starttime;
}

int state_pidfd(const struct state *s, struct err *e)
{
    autoclose int fd = s->pid > 0 ? (int)syscall(SYS_pidfd_open, s->pid, 0) : -1;
    /* Opened first, checked second: what the descriptor names can no longer change. */
    if (fd < 0 || !is_alive(s))
        return err_set(e, ERR_NOT_FOUND, "container %s is not running", s->id);
    return take_fd(&fd);
}

enum status state_status(const struct state *s)
{
    if (s->pid == 0)
        return STATUS_CREATING;
    if (!is_alive(s))
        return STATUS_STOPPED;
    if (faccessat(s->dir, STATE_BARRIER, F_OK, 0) == 0)
        return STATUS_CREATED;
    return cgroup_frozen(&s->cgroup) ? STATUS_PAUSED : STATUS_RUNNING;
}

const char *status_name(enum status st)
{
    static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};
    return names[st];
}

json_t *state_oci(const struct state *s, enum status st)
{
    static const char *const kept[] = {"bundle", "rootfs", "created", "annotations"};
    json_t *j = json_pack("{s:s, s:s, s:i, s:s}", "ociVersion", OCI_VERSION, "id", s->id, "pid",
                          st == STATUS_STOPPED ? 0 : (int)s->pid, "status", status_name(st));
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        json_object_set(j, kept[i], json_object_get(s->doc, kept[i]));
    json_object_set_new(j, "owner", json_string(""));
    return j;
}

char *state_socket_path(const struct state *s, const char *name)
{
    return str_printf("/proc/self/fd/%d/%s", s->dir, name);
}
