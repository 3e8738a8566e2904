/* Who a container's process runs as: "user[:group]" against the image's own /etc/passwd and /etc/group.
 *
 * Both files are data from outside. They are opened inside the container's root (base/rootpath), must be regular
 * files, and only their first megabyte and lines of ordinary length count. A value of digits only is a number and is
 * never looked up as a name: an image with a user *named* 1000 and uid 0 must not turn `--user 1000` into root
 * (CVE-2016-3697 and its returns). No library resolves names here: NSS would load code from the image.
 *
 * Source: OCI runtime-spec "process.user"; Docker's rules for USER. */
#include "engine/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rootpath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_MAX (1u << 20)
#define GIDS_MAX  4096 /* groups of one user: each is compared with all before */
#define ID_MAX    INT64_C(2147483647)
#define FIELDS    7

struct table {
    char *text, *at;
    char *f[FIELDS]; /* the fields of the present line; NULL beyond the last */
};

static void table_release(struct table *t)
{
    free(t->text);
}
#define autotable __attribute__((cleanup(table_release))) struct table

/* A missing file is an empty table: names then cannot be found, but numbers still work. */
static int table_open(int rootfd, const char *path, struct table *t, struct err *e)
{
    struct stat st;
    struct err why = {0};
    autoclose int fd = rootpath_open_file(rootfd, path, &why);
    if (fd < 0 && (why.sys == ENOENT || why.sys == ENOTDIR || why.sys == ELOOP))
        return 0;
    if (fd < 0)
        return err_set(e, why.kind, "the container's users: %s", why.msg);
    size_t most = fstat(fd, &st) == 0 && st.st_size < TABLE_MAX ? (size_t)st.st_size : TABLE_MAX;
    t->text = mem_alloc(most + 1);
    ssize_t n = pread(fd, t->text, most, 0);
    if (n < 0)
        return err_sys(e, "read %s in the image", path);
    t->text[n] = '\0';
    t->at = t->text;
    return 0;
}

/* Split the next line at its colons. @return false at the end */
static bool table_next(struct table *t)
{
    memset(t->f, 0, sizeof(t->f));
    if (!t->at || !*t->at)
        return false;
    char *line = t->at;
    size_t n = strcspn(line, "\n");
    t->at = line + n + (line[n] == '\n');
    line[n] = '\0';
    int k = 0;
    for (char *p = line; p && k < FIELDS; k++) {
        t->f[k] = p;
        p = strchr(p, ':');
        if (p)
            *p++ = '\0';
    }
    return true;
}

static bool id_field(const char *s, int64_t *ret)
{
    return s && str_to_i64(s, ret) && *ret >= 0 && *ret <= ID_MAX;
}

struct who {
    int64_t uid, gid;
    char name[256];
    char home[1024];
};

static bool number(const char *s, int64_t *ret, struct err *e, bool *bad)
{
    uint64_t v;
    *bad = false;
    if (str_empty(s) || strspn(s, "0123456789") != strlen(s))
        return false;
    if (!str_to_u64(s, &v) || v > (uint64_t)ID_MAX) {
        err_set(e, ERR_INVALID, "uids and gids must be in range 0-2147483647: %.32s", s);
        *bad = true;
    }
    *ret = (int64_t)v;
    return true;
}

static int find_user(int rootfd, const char *user, struct who *w, struct err *e)
{
    autotable t = {0};
    int64_t uid, gid;
    bool bad, by_number = number(user, &w->uid, e, &bad);
    if (bad || table_open(rootfd, "/etc/passwd", &t, e) < 0)
        return -1;
    while (table_next(&t)) {
        if (!id_field(t.f[2], &uid) || !id_field(t.f[3], &gid) || (by_number ? uid != w->uid : !str_eq(t.f[0], user)))
            continue;
        w->uid = uid;
        w->gid = gid;
        snprintf(w->name, sizeof(w->name), "%s", t.f[0]);
        snprintf(w->home, sizeof(w->home), "%s", t.f[5] ? t.f[5] : "");
        return 0;
    }
    if (by_number)
        return 0;
    return err_set(e, ERR_INVALID, "unable to find user %.64s: no matching entries in passwd file", user);
}

static int find_group(int rootfd, const char *group, int64_t *ret, struct err *e)
{
    autotable t = {0};
    bool bad;
    if (number(group, ret, e, &bad))
        return bad ? -1 : 0;
    if (table_open(rootfd, "/etc/group", &t, e) < 0)
        return -1;
    while (table_next(&t))
        if (str_eq(t.f[0], group) && id_field(t.f[2], ret))
            return 0;
    return err_set(e, ERR_INVALID, "unable to find group %.64s: no matching entries in group file", group);
}

static void add_gid(json_t *gids, int64_t gid)
{
    json_each (v, gids)
        if (json_integer_value(v) == gid)
            return;
    json_array_append_new(gids, json_integer(gid));
}

static bool is_member(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; p && *p; p += strcspn(p, ",") + (strchr(p, ',') != NULL))
        if (strcspn(p, ",") == n && strncmp(p, name, n) == 0)
            return true;
    return false;
}

/* The groups that list this user as a member: without them a file that is closed to a group would be open. */
static int add_memberships(int rootfd, const char *name, json_t *gids, struct err *e)
{
    autotable t = {0};
    int64_t gid;
    if (!*name)
        return 0;
    if (table_open(rootfd, "/etc/group", &t, e) < 0)
        return -1;
    while (json_array_size(gids) < GIDS_MAX && table_next(&t))
        if (is_member(t.f[3], name) && id_field(t.f[2], &gid))
            add_gid(gids, gid);
    return 0;
}

json_t *user_resolve(int rootfd, const char *user, const json_t *group_add, char **ret_home, struct err *e)
{
    struct who w = {0, 0, "", ""};
    const char *colon = strchr(user, ':');
    autofree char *name = colon ? mem_strndup(user, (size_t)(colon - user)) : mem_strdup(user);
    json_auto_t *gids = json_array();
    if (find_user(rootfd, *name ? name : "0", &w, e) < 0)
        return NULL;
    if (colon && colon[1]) {
        if (find_group(rootfd, colon + 1, &w.gid, e) < 0)
            return NULL;
    } else if (add_memberships(rootfd, w.name, gids, e) < 0) {
        return NULL;
    }
    add_gid(gids, w.gid);
    json_each (v, group_add) {
        int64_t gid;
        if (find_group(rootfd, json_string_value(v), &gid, e) < 0)
            return NULL;
        add_gid(gids, gid);
    }
    *ret_home = mem_strdup(*w.home ? w.home : "/");
    return json_pack("{s:I, s:I, s:O}", "uid", (json_int_t)w.uid, "gid", (json_int_t)w.gid, "additionalGids", gids);
}
