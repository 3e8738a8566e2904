/* Control groups, the part that both versions share: finding, making, entering, leaving, ending. See cgroup.h.
 *
 * Two things are slower than they look. Moving another process between version 1 groups (its pid into cgroup.procs)
 * stops all forks of the machine for an instant, and after a quiet while the kernel first waits a grace period of
 * several milliseconds for that. A thread that moves itself cannot fork or end meanwhile, and nobody waits (Linux 5.4,
 * cgroup_procs_write_start()): so the child is handed the open files and writes "0" into each. And a group can be
 * removed only when the last zombie has left it, which the kernel does in its own time. */
#include "runtime/cgroup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define PROC_FILE_MAX (4 << 20)
#define MOUNTS_FIRST  (16 << 10)
#define DEPTH_MAX     32
/* Together about two seconds: 1 ms, 2, 4 … 64, then 64 again and again. */
#define TRIES_MAX     36

static void pause_ms(int turn)
{
    long ms = turn < 6 ? 1L << turn : 64;
    nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

static bool list_has(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, ",\n"), p += *p == ',') {
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0' || p[n] == '\n'))
            return true;
        if (*p == '\n')
            break;
    }
    return false;
}

/* A line of mountinfo: "36 35 98:0 ROOT MOUNTPOINT OPTIONS [tags] - FSTYPE SOURCE SUPEROPTIONS", proc(5). Find the
 * version 1 tree whose super options name `controller`. Outputs are the caller's. */
static bool find_mount(const char *mountinfo, const char *controller, char **ret_root, char **ret_mount)
{
    for (const char *line = mountinfo; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *field[5] = {line};
        for (int i = 1; i < 5; i++)
            field[i] = field[i - 1] + strcspn(field[i - 1], " \n") + 1;
        const char *end = strchrnul(line, '\n'), *type = strstr(field[4], " - cgroup ");
        if (!type || type > end)
            continue;
        const char *super = type + strlen(" - cgroup ");
        super += strcspn(super, " \n");
        if (*super != ' ' || !list_has(super + 1, controller))
            continue;
        *ret_root = mem_strndup(field[3], strcspn(field[3], " "));
        *ret_mount = mem_strndup(field[4], strcspn(field[4], " "));
        return true;
    }
    return false;
}

/* Join a wanted path to where a tree is mounted. `own` is our own group as /proc/self/cgroup names it, counted from the
 * root of the hierarchy, of which the mount may show only the part below `root` (inside a container it does). */
static char *join(const char *mount, const char *root, const char *own, const char *want)
{
    if (*want == '/')
        return str_printf("%s%s", mount, want);
    if (!str_eq(root, "/") && str_starts(own, root))
        own += strlen(root);
    while (*own == '/')
        own++;
    return str_printf("%s/%s%s%s", mount, own, *own ? "/" : "", want);
}

static void drop_dirs(struct cgroup *cg)
{
    for (; cg->n > 0; cg->n--) {
        free(cg->dir[cg->n - 1].controllers);
        free(cg->dir[cg->n - 1].mount);
        free(cg->dir[cg->n - 1].path);
    }
}

void cgroup_release(struct cgroup *cg)
{
    drop_dirs(cg);
    scope_release(&cg->scope);
    *cg = (struct cgroup){0};
}

/* The first whole lines of mountinfo, at most `most` bytes. @return the caller's, or NULL */
static char *read_mounts(size_t most, struct err *e)
{
    autoclose int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    autofree char *text = mem_alloc(most + 1);
    size_t n = 0;
    ssize_t k = fd < 0 ? -1 : 1;
    while (k > 0 && n < most && (k = read(fd, text + n, most - n)) > 0)
        n += (size_t)k;
    if (k < 0) {
        err_sys(e, "read /proc/self/mountinfo");
        return NULL;
    }
    const char *end = memrchr(text, '\n', n);
    text[end ? end - text + 1 : 0] = '\0';
    return take_ptr(&text);
}

/* @return whether every controller's tree was found */
static bool find_trees(struct cgroup *cg, const char *want, const char *self, const char *mountinfo)
{
    bool all = true;
    /* A line of /proc/self/cgroup: "4:memory:/some/group"; the one of version 2 is "0::/…". */
    for (const char *line = self; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *names = line + strcspn(line, ":") + 1, *own = names + strcspn(names, ":");
        if (names == own || *own != ':' || cg->n == CGROUP_TREES_MAX)
            continue;
        autofree char *controllers = mem_strndup(names, (size_t)(own - names));
        autofree char *first = mem_strndup(controllers, strcspn(controllers, ","));
        autofree char *group = mem_strndup(own + 1, strcspn(own + 1, "\n")), *root = NULL, *mount = NULL;
        if (!find_mount(mountinfo, first, &root, &mount)) {
            all = false;
            continue;
        }
        struct cgroup_dir *d = &cg->dir[cg->n++];
        d->path = join(mount, root, group, want);
        d->controllers = take_ptr(&controllers);
        d->mount = take_ptr(&mount);
    }
    return all;
}

/* The trees were mounted when the machine started, so they stand in the first lines. The whole file has a line for each
 * container that runs, and the kernel makes the lines as they are read: it is read only where those were not enough. */
static int find_v1(struct cgroup *cg, const char *want, const char *self, struct err *e)
{
    static const size_t most[] = {MOUNTS_FIRST, PROC_FILE_MAX};
    bool all = false;
    for (size_t i = 0; i < 2 && !all; i++) {
        autofree char *mountinfo = read_mounts(most[i], e);
        if (!mountinfo)
            return -1;
        drop_dirs(cg); /* of a first try */
        all = find_trees(cg, want, self, mountinfo);
    }
    return cg->n > 0 ? 0 : err_set(e, ERR_SYSTEM, "no control group tree is mounted below " CGROUP_ROOT);
}

static int find_v2(struct cgroup *cg, const char *want, const char *self, struct err *e)
{
    const char *line = strstr(self, "0::");
    if (!line)
        return err_set(e, ERR_SYSTEM, "/proc/self/cgroup has no line for version 2");
    autofree char *own = mem_strndup(line + 3, strcspn(line + 3, "\n"));
    cg->n = 1;
    cg->dir[0].controllers = mem_strdup("");
    cg->dir[0].mount = mem_strdup(CGROUP_ROOT);
    cg->dir[0].path = join(CGROUP_ROOT, "/", own, want);
    return 0;
}

/* @return the scope's folder, or `want`; NULL with an error */
static const char *find_scope(struct cgroup *cg, bool systemd, const char *want, const char *id, struct err *e)
{
    autofree char *own = str_empty(want) ? str_printf(":gorae:%s", id) : NULL;
    if (systemd)
        return scope_parse(&cg->scope, own ? own : want, e) < 0 ? err_wrap(e, "linux.cgroupsPath"),
               NULL                                             : cg->scope.path;
    if (!own && strchr(want, ':')) {
        err_set(e, ERR_INVALID, "linux.cgroupsPath \"%.100s\" is one of systemd's: say --systemd-cgroup", want);
        return NULL;
    }
    return own ? id : want;
}

int cgroup_find(struct cgroup *cg, const struct runtime *rt, const char *want, const char *id, struct err *e)
{
    struct statfs fs;
    *cg = (struct cgroup){0};
    want = find_scope(cg, rt->systemd, want, id, e);
    if (!want)
        return -1;
    autofree char *fenced = str_printf("/%s/", want);
    if (strstr(fenced, "/../") || strlen(want) > 2048)
        return err_set(e, ERR_INVALID, "linux.cgroupsPath \"%.100s\" climbs with \"..\" or is too long", want);
    if (statfs(CGROUP_ROOT, &fs) < 0)
        return err_sys(e, "find control groups at " CGROUP_ROOT);
    autofree char *self = file_read(AT_FDCWD, "/proc/self/cgroup", PROC_FILE_MAX, NULL, e);
    if (!self)
        return -1;
    cg->version = fs.f_type == CGROUP2_SUPER_MAGIC ? 2 : 1;
    return cg->version == 2 ? find_v2(cg, want, self, e) : find_v1(cg, want, self, e);
}

json_t *cgroup_to_json(const struct cgroup *cg)
{
    json_t *list = json_array();
    for (size_t i = 0; i < cg->n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "controllers", cg->dir[i].controllers, "mount",
                                              cg->dir[i].mount, "path", cg->dir[i].path));
    return json_pack("{s:i, s:b, s:o, s:s*, s:s*, s:s*}", "version", cg->version, "claimed", (int)cg->claimed, "dirs",
                     list, "slice", cg->scope.slice, "unit", cg->scope.unit, "path", cg->scope.path);
}

int cgroup_from_json(struct cgroup *cg, const json_t *j, struct err *e)
{
    const json_t *list = json_object_get(j, "dirs");
    /* Said in so many words only: a state.json of before there was the word is of a container that stands. */
    *cg = (struct cgroup){.version = (int)json_int(j, "version", 0),
                          .claimed = !json_is_false(json_object_get(j, "claimed"))};
    if (json_array_size(list) > CGROUP_TREES_MAX)
        return err_set(e, ERR_SYSTEM, "state.json lists more than %d control groups", CGROUP_TREES_MAX);
    if (json_object_get(j, "unit"))
        cg->scope = (struct scope){mem_strdup(json_str(j, "slice", "")), mem_strdup(json_str(j, "unit", "")),
                                   mem_strdup(json_str(j, "path", ""))};
    for (; cg->n < json_array_size(list); cg->n++) {
        const json_t *d = json_array_get(list, cg->n);
        cg->dir[cg->n] = (struct cgroup_dir){mem_strdup(json_str(d, "controllers", "")),
                                             mem_strdup(json_str(d, "mount", "")), mem_strdup(json_str(d, "path", ""))};
    }
    return 0;
}

const char *cgroup_path(const struct cgroup *cg, const char *controller)
{
    for (size_t i = 0; i < cg->n; i++)
        if (cg->version == 2 || list_has(cg->dir[i].controllers, controller))
            return cg->dir[i].path;
    return NULL;
}

bool cgroup_has_file(const struct cgroup *cg, const char *controller, const char *file)
{
    const char *dir = cgroup_path(cg, controller);
    autofree char *path = dir ? str_printf("%s/%s", dir, file) : NULL;
    return path && access(path, F_OK) == 0;
}

/* Only files of one line say what they were in the words that they take. */
static void remember(struct cgroup_journal *j, const char *path)
{
    autofree char *was = j && j->n < CGROUP_JOURNAL_MAX ? file_read(AT_FDCWD, path, 4096, NULL, NULL) : NULL;
    if (!was || was[strcspn(was, "\n")] == '\0' || was[strcspn(was, "\n") + 1])
        return;
    j->entry[j->n].path = mem_strdup(path);
    j->entry[j->n++].was = take_ptr(&was);
}

int cgroup_put(const struct cgroup *cg, const char *controller, const char *file, const char *value, struct err *e)
{
    const char *dir = cgroup_path(cg, controller);
    autofree char *path = dir ? str_printf("%s/%s", dir, file) : NULL;
    if (!dir || (access(path, F_OK) < 0 && errno == ENOENT))
        return err_set(e, ERR_INVALID, "limit %s was asked for, but this machine has no %s controller for it", file,
                       controller);
    remember(cg->journal, path);
    return file_put(AT_FDCWD, path, value, e) < 0 ? err_wrap(e, "set %s", file) : 0;
}

int cgroup_put_int(const struct cgroup *cg, const char *controller, const char *file, int64_t value, struct err *e)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    return cgroup_put(cg, controller, file, text, e);
}

int cgroup_limit_cpuset(const struct cgroup *cg, const json_t *cpu, struct err *e)
{
    const char *cpus = json_str(cpu, "cpus", ""), *mems = json_str(cpu, "mems", "");
    if (*cpus && cgroup_put(cg, "cpuset", "cpuset.cpus", cpus, e) < 0)
        return -1;
    return *mems ? cgroup_put(cg, "cpuset", "cpuset.mems", mems, e) : 0;
}

int cgroup_limit_huge_pages(const struct cgroup *cg, const json_t *resources, const char *file, struct err *e)
{
    json_each (v, json_object_get(resources, "hugepageLimits")) {
        autofree char *name = str_printf("hugetlb.%s.%s", json_str(v, "pageSize", ""), file);
        if (strchr(name, '/'))
            return err_set(e, ERR_INVALID, "hugepageLimits: a page size holds a slash");
        if (cgroup_put_int(cg, "hugetlb", name, json_int(v, "limit", 0), e) < 0)
            return -1;
    }
    return 0;
}

/* A new cpuset (version 1) is empty, and a process cannot enter where it may run on no CPU: inherit from above. */
static int inherit_cpuset(const char *above, const char *path, struct err *e)
{
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    for (size_t i = 0; i < 2; i++) {
        autofree char *from = str_printf("%s/%s", above, files[i]), *to = str_printf("%s/%s", path, files[i]);
        autofree char *have = file_read(AT_FDCWD, to, 4096, NULL, e);
        autofree char *value =
            have && have[strspn(have, "\n")] == '\0' ? file_read(AT_FDCWD, from, 4096, NULL, e) : NULL;
        if (!have || (value && file_put(AT_FDCWD, to, value, e) < 0))
            return -1;
    }
    return 0;
}

/* Version 2: a controller works in a group only where the group above hands it down. All that there are, at each level;
 * one that cannot be (a threaded or busy parent) shows when its limit is set. */
static void hand_down(const char *above)
{
    autofree char *from = str_printf("%s/cgroup.controllers", above),
                  *to = str_printf("%s/cgroup.subtree_control", above);
    autofree char *names = file_read(AT_FDCWD, from, 4096, NULL, NULL);
    for (const char *p = names; p && *p;) {
        size_t n = strcspn(p, " \n");
        autofree char *word = str_printf("+%.*s", (int)n, p);
        if (n > 0)
            file_put(AT_FDCWD, to, word, NULL);
        p += n + (p[n] != '\0');
    }
}

static int make_level(const struct cgroup *cg, const struct cgroup_dir *d, const char *above, const char *path,
                      struct err *e)
{
    if (mkdir(path, 0755) < 0)
        return -1;
    if (cg->version == 1 && list_has(d->controllers, "cpuset") && inherit_cpuset(above, path, e) < 0)
        return err_wrap(e, "prepare control group %s", path);
    return 0;
}

/* All levels between where the tree is mounted and the container's folder, that one left out. */
static int make_parents(const struct cgroup *cg, const struct cgroup_dir *d, struct err *e)
{
    autofree char *above = mem_strdup(d->mount), *path = mem_strdup(d->path);
    for (char *slash = path + strlen(d->mount); (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        if (cg->version == 2)
            hand_down(above);
        if (make_level(cg, d, above, path, e) < 0 && errno != EEXIST)
            return err_sys(e, "make control group %s", path);
        mem_freep(&above);
        above = mem_strdup(path);
        *slash = '/';
    }
    if (cg->version == 2)
        hand_down(above);
    return 0;
}

static int check_empty(const char *path, struct err *e)
{
    autofree char *procs = str_printf("%s/cgroup.procs", path);
    autofree char *inside = file_read(AT_FDCWD, procs, PROC_FILE_MAX, NULL, e);
    if (!inside)
        return -1;
    return *inside ? err_set(e, ERR_CONFLICT, "control group %s exists and holds processes", path) : 0;
}

/* The folder itself first: on version 1 its parents usually are there already. */
static int make_group(const struct cgroup *cg, const struct cgroup_dir *d, struct err *e)
{
    autofree char *above = mem_strndup(d->path, (size_t)(strrchr(d->path, '/') - d->path));
    if (cg->version == 1 && make_level(cg, d, above, d->path, e) == 0)
        return 0;
    if (cg->version == 2 || errno == ENOENT) {
        if (make_parents(cg, d, e) < 0)
            return -1;
        if (make_level(cg, d, above, d->path, e) == 0)
            return 0;
    }
    return errno == EEXIST ? check_empty(d->path, e) : err_sys(e, "make control group %s", d->path);
}

/* rmdir(2) cannot take a group from anybody who is in it. */
static void remove_empty(const struct cgroup *cg, size_t n)
{
    for (size_t i = 0; i < n; i++)
        unlinkat(AT_FDCWD, cg->dir[i].path, AT_REMOVEDIR);
}

/* systemd makes the folders of the trees that it knows; the others of version 1 are ours. A scope that it was not asked
 * for with success is another's, and is not stopped. */
int cgroup_create(struct cgroup *cg, const json_t *resources, struct err *e)
{
    if (cg->scope.unit && cgroup_scope_start(cg, resources, e) < 0)
        return -1;
    for (size_t i = 0; i < cg->n; i++) {
        bool made = cg->scope.unit && access(cg->dir[i].path, F_OK) == 0;
        if (made || make_group(cg, &cg->dir[i], e) == 0)
            continue;
        if (cg->scope.unit)
            cgroup_scope_stop(cg);
        remove_empty(cg, i + 1);
        return -1;
    }
    cg->claimed = true;
    return 0;
}

int cgroup_birthplace(const struct cgroup *cg, struct err *e)
{
    if (cg->version != 2)
        return -1;
    int fd = open(cg->dir[0].path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : err_sys(e, "open control group %s", cg->dir[0].path);
}

int cgroup_door(const struct cgroup *cg, size_t i, struct err *e)
{
    autofree char *tasks = str_printf("%s/tasks", cg->dir[i].path);
    int fd = open(tasks, O_WRONLY | O_CLOEXEC);
    return fd >= 0 ? fd : err_sys(e, "open %s", tasks);
}

int cgroup_enter(int door, struct err *e)
{
    if (write(door, "0", 1) == 1)
        return 0;
    return err_sys(e, "enter a control group");
}

int cgroup_limit(const struct cgroup *cg, const struct runtime *rt, const json_t *resources, struct err *e)
{
    return cg->version == 2 ? cgroup_limit_v2(cg, rt, resources, e) : cgroup_limit_v1(cg, rt, resources, e);
}

/* Newest first: what depended on another limit when it was set depends on it when it is put back. */
int cgroup_relimit(struct cgroup *cg, const struct runtime *rt, const json_t *resources, struct err *e)
{
    struct cgroup_journal j = {0};
    struct err why;
    cg->journal = &j;
    int r = cgroup_limit(cg, rt, resources, e);
    cg->journal = NULL;
    if (r == 0 && cg->scope.unit)
        r = cgroup_scope_update(cg, resources, e);
    for (size_t i = j.n; i-- > 0;) {
        if (r < 0 && file_put(AT_FDCWD, j.entry[i].path, j.entry[i].was, &why) < 0)
            runtime_warn(rt, "a limit could not be put back: %s", why.msg);
        free(j.entry[i].path);
        free(j.entry[i].was);
    }
    return r;
}

bool cgroup_frozen(const struct cgroup *cg)
{
    const char *dir = cgroup_path(cg, "freezer");
    autofree char *path = dir ? str_printf("%s/%s", dir, cg->version == 2 ? "cgroup.freeze" : "freezer.state") : NULL;
    autofree char *text = path ? file_read(AT_FDCWD, path, 64, NULL, NULL) : NULL;
    return text && (*text == '1' || *text == 'F'); /* "1", "FROZEN", "FREEZING" */
}

static bool settled(const struct cgroup *cg, const char *dir, bool frozen)
{
    autofree char *path = str_printf("%s/%s", dir, cg->version == 2 ? "cgroup.events" : "freezer.state");
    autofree char *text = file_read(AT_FDCWD, path, 4096, NULL, NULL);
    if (!text)
        return true; /* it is gone, and with it whom we waited for */
    return cg->version == 2 ? strstr(text, frozen ? "frozen 1" : "frozen 0") != NULL
                            : str_starts(text, frozen ? "FROZEN" : "THAWED");
}

static int say(const struct cgroup *cg, bool frozen, struct err *e)
{
    static const char *const words[2][2] = {{"THAWED", "FROZEN"}, {"0", "1"}};
    bool v2 = cg->version == 2;
    return cgroup_put(cg, "freezer", v2 ? "cgroup.freeze" : "freezer.state", words[v2][frozen], e);
}

int cgroup_freeze(const struct cgroup *cg, bool frozen, struct err *e)
{
    const char *dir = cgroup_path(cg, "freezer");
    if (!dir)
        return err_set(e, ERR_SYSTEM, "this machine has no freezer controller");
    for (int try = 0; try < TRIES_MAX; try++) {
        /* Version 1 freezes lazily, and a process forked meanwhile may be missed: say it again each time. */
        if (say(cg, frozen, e) < 0)
            return -1;
        if (settled(cg, dir, frozen))
            return 0;
        pause_ms(try);
    }
    /* A process that waits for its disk cannot be stopped. The others already are, and would be for good after a pause
     * that has failed. */
    if (frozen)
        say(cg, false, NULL);
    return err_set(e, ERR_TIMEOUT, "control group %s did not become %s", dir, frozen ? "frozen" : "thawed");
}

/* Walk a group and those below it, depth first, below first. */
static int walk(int at, const char *name, int depth, int (*visit)(int at, const char *name, void *arg), void *arg)
{
    autoclose int fd = depth < DEPTH_MAX ? openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    autoclose int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    autoclosedir DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d)
        return -1;
    take_fd(&copy);
    for (struct dirent *x; (x = readdir(d));)
        if (x->d_type == DT_DIR && x->d_name[0] != '.' && walk(fd, x->d_name, depth + 1, visit, arg) < 0)
            return -1;
    return visit(at, name, arg);
}

static int collect(int at, const char *name, void *arg)
{
    autofree char *path = str_printf("%s/cgroup.procs", name);
    autofree char *text = file_read(at, path, PROC_FILE_MAX, NULL, NULL);
    for (char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
        json_array_append_new(arg, json_integer(strtol(p, NULL, 10)));
    return 0;
}

json_t *cgroup_pids(const struct cgroup *cg)
{
    json_t *list = json_array();
    const char *dir = cgroup_path(cg, "pids");
    if (!dir)
        dir = cgroup_path(cg, "devices");
    if (!dir && cg->n > 0)
        dir = cg->dir[0].path;
    if (dir)
        walk(AT_FDCWD, dir, 0, collect, list);
    return list;
}

static size_t signal_once(const struct cgroup *cg, int sig)
{
    json_auto_t *pids = cgroup_pids(cg);
    size_t i;
    json_t *v;
    json_array_foreach(pids, i, v)
    {
        kill((pid_t)json_integer_value(v), sig);
    }
    return json_array_size(pids);
}

/* No pid can be reused while it stands in cgroup.procs of a frozen group: a frozen process cannot end. */
int cgroup_signal(const struct cgroup *cg, int sig, struct err *e)
{
    if (!cg->claimed)
        return 0;
    if (sig == SIGKILL && cg->version == 2 && cgroup_has_file(cg, "", "cgroup.kill"))
        return cgroup_put(cg, "", "cgroup.kill", "1", e);
    bool was_frozen = cgroup_frozen(cg), freeze = cgroup_path(cg, "freezer") != NULL;
    for (int try = 0; try < TRIES_MAX; try++) {
        freeze = freeze && cgroup_freeze(cg, true, NULL) == 0; /* once in vain is enough: each time takes two seconds */
        size_t left = signal_once(cg, sig);
        /* A signal to a frozen process waits until the thaw. */
        if (freeze && (sig == SIGKILL || !was_frozen))
            cgroup_freeze(cg, false, NULL);
        if (sig != SIGKILL || left == 0)
            return 0;
        pause_ms(try);
    }
    /* Zombies that their parent has not reaped may still be listed; whether the group can be removed will tell. */
    return 0;
}

static int remove_one(int at, const char *name, void *arg)
{
    (void)arg;
    return unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -1 : 0;
}

int cgroup_remove(const struct cgroup *cg, struct err *e)
{
    if (!cg->claimed) {
        remove_empty(cg, cg->n);
        return 0;
    }
    if (cg->scope.unit)
        cgroup_scope_stop(cg);
    for (size_t i = 0; i < cg->n; i++) {
        int try = 0;
        while (unlinkat(AT_FDCWD, cg->dir[i].path, AT_REMOVEDIR) < 0 && errno != ENOENT &&
               walk(AT_FDCWD, cg->dir[i].path, 0, remove_one, NULL) < 0) {
            if (errno != EBUSY || ++try == TRIES_MAX)
                return err_sys(e, "remove control group %s", cg->dir[i].path);
            pause_ms(try - 1);
        }
    }
    return 0;
}
