/* Devices of a container: nodes in its /dev, and the rules by which the kernel lets them be opened.
 *
 * A node alone opens nothing: the device control group denies all that no rule allows. The base rules are the handful
 * of character devices that /dev always holds, and mknod of any kind (making a node is harmless where opening it is
 * denied). `--device` adds a node and a rule, `--device-cgroup-rule` a rule alone, `--privileged` gives all nodes of
 * the host and no denial. The rules start with "deny all", so that a list cut short denies more, not less
 * (GHSA-g54h-m393-cpwq).
 *
 * Numbers and owners are read from the host's nodes at each start, since they may differ after a reboot. Source: OCI
 * runtime-spec config-linux.md "Devices"; security spec 3.4. */
#include "engine/spec.h"
#include "base/json.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEVICES_MAX 1024 /* of one container */
#define DEPTH_MAX   8

struct devices {
    json_t *nodes, *rules;
    const char *access; /* "rwm": what the rules of what is found allow */
    bool privileged;
};

static void add_rule(json_t *rules, bool allow, const char *type, int64_t major, int64_t minor, const char *access)
{
    json_t *d = json_pack("{s:b, s:s}", "allow", allow, "access", access);
    if (type)
        json_object_set_new(d, "type", json_string(type));
    if (major >= 0)
        json_object_set_new(d, "major", json_integer(major));
    if (minor >= 0)
        json_object_set_new(d, "minor", json_integer(minor));
    json_array_append_new(rules, d);
}

static void add_base_rules(json_t *rules)
{
    static const struct {
        const char *type;
        int major, minor; /* -1: any */
        const char *access;
    } allowed[] = {{"c", -1, -1, "m"}, {"b", -1, -1, "m"}, {"c", 1, 3, "rwm"},   {"c", 1, 5, "rwm"},
                   {"c", 1, 7, "rwm"}, {"c", 1, 8, "rwm"}, {"c", 1, 9, "rwm"},   {"c", 5, 0, "rwm"},
                   {"c", 5, 1, "rwm"}, {"c", 5, 2, "rwm"}, {"c", 136, -1, "rwm"}};
    add_rule(rules, false, NULL, -1, -1, "rwm");
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        add_rule(rules, true, allowed[i].type, allowed[i].major, allowed[i].minor, allowed[i].access);
}

static int add_node(struct devices *d, const struct stat *st, const char *path, struct err *e)
{
    const char *type = S_ISCHR(st->st_mode) ? "c" : "b";
    if (json_array_size(d->nodes) == DEVICES_MAX)
        return err_set(e, ERR_INVALID, "more than %d devices", DEVICES_MAX);
    json_array_append_new(d->nodes,
                          json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "path", path, "type", type, "major",
                                    (json_int_t)major(st->st_rdev), "minor", (json_int_t)minor(st->st_rdev), "fileMode",
                                    (json_int_t)(st->st_mode & 07777), "uid", (json_int_t)st->st_uid, "gid",
                                    (json_int_t)st->st_gid));
    if (!d->privileged)
        add_rule(d->rules, true, type, (int64_t)major(st->st_rdev), (int64_t)minor(st->st_rdev), d->access);
    return 0;
}

/* Folders of /dev that are mounts or links of their own kind in a container, and the console, which is the terminal. */
static const char *const special[] = {"pts", "shm", "fd", "mqueue", "console", ".udev", ".lxc", ".lxd-mounts", NULL};

/* Every node below a folder of the host. Links are left out: what they name is found by itself. */
static int add_tree(struct devices *d, const char *from, const char *to, int depth, struct err *e)
{
    autoclosedir DIR *dir = opendir(from);
    if (!dir)
        return err_sys(e, "read the devices in %s", from);
    for (struct dirent *x; (x = readdir(dir));) {
        struct stat st;
        if (str_eq(x->d_name, ".") || str_eq(x->d_name, "..") || str_among(x->d_name, special) ||
            fstatat(dirfd(dir), x->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        autofree char *source = str_printf("%s/%s", from, x->d_name), *target = str_printf("%s/%s", to, x->d_name);
        int r = 0;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            r = add_tree(d, source, target, depth + 1, e);
        else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
            r = add_node(d, &st, target, e);
        if (r < 0)
            return -1;
    }
    return 0;
}

static int add_wanted(struct devices *d, const json_t *v, struct err *e)
{
    const char *from = json_str(v, "PathOnHost", ""), *to = json_str(v, "PathInContainer", "");
    struct stat st;
    d->access = json_str(v, "CgroupPermissions", "rwm");
    if (!*d->access)
        d->access = "rwm";
    if (stat(from, &st) < 0) {
        int why = errno;
        return err_set(e, ERR_INVALID, "error gathering device information while adding custom device \"%s\": %s", from,
                       why == ENOENT ? "no such file or directory" : strerrordesc_np(why));
    }
    if (S_ISDIR(st.st_mode))
        return add_tree(d, from, *to ? to : from, 0, e);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return err_set(e, ERR_INVALID,
                       "error gathering device information while adding custom device \"%s\": not a "
                       "device node",
                       from);
    return add_node(d, &st, *to ? to : from, e);
}

/* "c 10:200 rwm", "b *:* m": type, numbers or stars, some of r, w and m. */
static int parse_rule(const char *text, json_t *rules, struct err *e)
{
    char type[2] = {text[0], '\0'};
    int64_t number[2] = {-1, -1};
    const char *p = text + 2;
    bool good = *text && strchr("acb", *text) && text[1] == ' ';
    for (int i = 0; good && i < 2; i++) {
        size_t n = strcspn(p, i == 0 ? ":" : " ");
        autofree char *word = mem_strndup(p, n);
        good = p[n] && (str_eq(word, "*") ||
                        (strspn(word, "0123456789") == n && str_to_i64(word, &number[i]) && number[i] <= UINT32_MAX));
        p += good ? n + 1 : 0;
    }
    if (!good || !*p || strlen(p) > 3 || strspn(p, "rwm") != strlen(p))
        return err_set(e, ERR_INVALID, "invalid device cgroup rule format: '%.100s'", text);
    if (rules)
        add_rule(rules, true, *type == 'a' ? NULL : type, number[0], number[1], p);
    return 0;
}

int devices_check(const json_t *host, struct err *e)
{
    json_each (v, json_object_get(host, "Devices")) {
        const char *from = json_str(v, "PathOnHost", ""), *to = json_str(v, "PathInContainer", "");
        const char *access = json_str(v, "CgroupPermissions", "");
        if (*from != '/' || (*to && *to != '/'))
            return err_set(e, ERR_INVALID, "HostConfig.Devices: entry %zu has no absolute path", v_at);
        if (strlen(access) > 3 || strspn(access, "rwm") != strlen(access))
            return err_set(e, ERR_INVALID, "invalid device mode: %.32s", access);
    }
    json_each (v, json_object_get(host, "DeviceCgroupRules"))
        if (parse_rule(json_string_value(v), NULL, e) < 0)
            return -1;
    return 0;
}

int spec_devices(const json_t *host, json_t **ret_nodes, json_t **ret_rules, struct err *e)
{
    json_auto_t *nodes = json_array(), *rules = json_array();
    struct devices d = {nodes, rules, "rwm", json_is(host, "Privileged")};
    if (d.privileged) {
        add_rule(rules, true, NULL, -1, -1, "rwm");
        if (add_tree(&d, "/dev", "/dev", 0, e) < 0)
            return -1;
    } else {
        add_base_rules(rules);
    }
    json_each (v, json_object_get(host, "Devices"))
        if (add_wanted(&d, v, e) < 0)
            return -1;
    json_each (v, json_object_get(host, "DeviceCgroupRules"))
        if (parse_rule(json_string_value(v), rules, e) < 0)
            return -1;
    *ret_nodes = json_incref(nodes);
    *ret_rules = json_incref(rules);
    return 0;
}
