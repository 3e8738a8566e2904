/* -v, --mount and --tmpfs.
 *
 * Three ways to say what a container finds at a path. -v is short and forgiving: the daemon makes a missing folder.
 * --mount is long and strict: key=value pairs, a missing source is an error. The API keeps them apart (Binds, Mounts),
 * so -v is passed on nearly as typed; only what depends on where we stand, a relative path, is made absolute here. Read
 * next: create_body.c. */
#include "cli/create.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/value.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

int csv_split(const char *text, struct strv *ret, struct err *e)
{
    autostr field = STR_INIT;
    bool quoted = false;
    str_reset(&field);
    for (const char *s = text;; s++) {
        if (*s == '"' && quoted && s[1] == '"')
            str_addc(&field, *s++); /* "" inside quotes is one quote */
        else if (*s == '"')
            quoted = !quoted;
        else if ((*s == ',' && !quoted) || !*s) {
            strv_add(ret, field.s);
            str_reset(&field);
        } else {
            str_addc(&field, *s);
        }
        if (!*s)
            break;
    }
    return quoted ? err_set(e, ERR_INVALID, "\"%s\": a quote is not closed", text) : 0;
}

/* Remove ".", ".." and doubled slashes by the letter, without looking at the file system: links are the daemon's
 * matter, it may be on another machine. `path` is absolute. */
static void clean(char *path)
{
    char *out = path;
    for (char *s = path; *s;) {
        s += strspn(s, "/");
        size_t n = strcspn(s, "/");
        if (n == 2 && s[0] == '.' && s[1] == '.') {
            while (out > path && *--out != '/')
                ;
        } else if (n > 0 && !(n == 1 && s[0] == '.')) {
            *out++ = '/';
            memmove(out, s, n);
            out += n;
        }
        s += n;
    }
    if (out == path)
        *out++ = '/';
    *out = '\0';
}

/* "./x" and ".." mean a folder here; "x" is the name of a volume. @return the caller's, NULL on failure */
static char *absolute(const char *source, struct err *e)
{
    if (*source != '.')
        return mem_strdup(source);
    autofree char *here = getcwd(NULL, 0);
    if (!here)
        return err_null(err_sys(e, "cannot find the working directory for \"%s\"", source));
    char *path = str_printf("%s/%s", here, source);
    clean(path);
    return path;
}

static int add_volume(const char *text, json_t *volumes, json_t *binds, struct err *e)
{
    const char *colon = strchr(text, ':');
    if (!*text || *text == ':')
        return err_set(e, ERR_INVALID, "invalid volume \"%s\": expected [source:]path[:options]", text);
    if (!colon) {
        json_put(volumes, text, strlen(text), json_object());
        return 0;
    }
    autofree char *first = mem_strndup(text, (size_t)(colon - text));
    autofree char *source = absolute(first, e);
    if (!source)
        return -1;
    autofree char *bind = str_printf("%s%s", source, colon);
    json_array_append_new(binds, json_word(bind));
    return 0;
}

/* ---- --mount ---- */

enum option_kind { TEXT, TRUTH, BYTES, OCTAL, PAIR };

/* The keys of --mount and where they go: a path in the object of the API. */
static const struct mount_key {
    const char *name, *object, *key;
    enum option_kind kind;
} mount_keys[] = {
    {"type", NULL, "Type", TEXT},
    {"source", NULL, "Source", TEXT},
    {"src", NULL, "Source", TEXT},
    {"target", NULL, "Target", TEXT},
    {"destination", NULL, "Target", TEXT},
    {"dst", NULL, "Target", TEXT},
    {"readonly", NULL, "ReadOnly", TRUTH},
    {"ro", NULL, "ReadOnly", TRUTH},
    {"consistency", NULL, "Consistency", TEXT},
    {"bind-propagation", "BindOptions", "Propagation", TEXT},
    {"bind-nonrecursive", "BindOptions", "NonRecursive", TRUTH},
    {"bind-recursive", "BindOptions", "Recursive", TEXT},
    {"bind-create-mountpoint", "BindOptions", "CreateMountpoint", TRUTH},
    {"volume-nocopy", "VolumeOptions", "NoCopy", TRUTH},
    {"volume-subpath", "VolumeOptions", "Subpath", TEXT},
    {"volume-label", "VolumeOptions", "Labels", PAIR},
    {"volume-driver", "VolumeOptions", "DriverConfig.Name", TEXT},
    {"volume-opt", "VolumeOptions", "DriverConfig.Options", PAIR},
    {"tmpfs-size", "TmpfsOptions", "SizeBytes", BYTES},
    {"tmpfs-mode", "TmpfsOptions", "Mode", OCTAL},
};

static const struct mount_key *find_key(const char *name)
{
    for (size_t i = 0; i < sizeof(mount_keys) / sizeof(*mount_keys); i++)
        if (strcasecmp(mount_keys[i].name, name) == 0)
            return &mount_keys[i];
    return NULL;
}

static bool read_octal(const char *s, int64_t *ret)
{
    char *end;
    unsigned long v = strtoul(s, &end, 8);
    *ret = (int64_t)v;
    return *s >= '0' && *s <= '7' && !*end && v <= 07777;
}

/* The value as JSON, or NULL. `in` is where PAIR adds to. */
static json_t *mount_value(const struct mount_key *k, const char *text, json_t *in, const char *key)
{
    bool yes = true;
    int64_t number;
    if (k->kind == TEXT)
        return text ? json_word(text) : NULL;
    if (k->kind == TRUTH)
        return !text || bool_parse(text, &yes) ? json_boolean(yes) : NULL;
    if (k->kind == BYTES)
        return text && size_parse(text, &number) ? json_integer(number) : NULL;
    if (k->kind == OCTAL)
        return text && read_octal(text, &number) ? json_integer(number) : NULL;
    if (!text || *text == '=')
        return NULL;
    autostrv pair = {0};
    strv_add(&pair, text);
    json_auto_t *one = json_pairs(&pair);
    json_object_update(json_object_at(in, key), one);
    return json_incref(json_object_at(in, key));
}

static int add_mount_option(const char *text, json_t *mount, struct err *e)
{
    const char *eq = strchr(text, '=');
    autofree char *name = mem_strndup(text, eq ? (size_t)(eq - text) : strlen(text));
    const struct mount_key *k = find_key(name);
    if (!k)
        return err_set(e, ERR_INVALID, "unknown key \"%s\" in --mount", name);
    json_t *in = k->object ? json_object_at(mount, k->object) : mount;
    const char *key = k->key, *dot = strchr(key, '.');
    if (dot) {
        in = json_object_at(in, "DriverConfig");
        key = dot + 1;
    }
    json_t *value = mount_value(k, eq ? eq + 1 : NULL, in, key);
    if (!value)
        return err_set(e, ERR_INVALID, "invalid value in --mount: \"%s\"", text);
    json_object_set_new(in, key, value);
    return 0;
}

/* What belongs to another type of mount is a mistake, not something to ignore. */
static int check_mount(const char *text, const json_t *mount, struct err *e)
{
    static const char *const owner[][2] = {
        {"BindOptions", "bind"}, {"VolumeOptions", "volume"}, {"TmpfsOptions", "tmpfs"}};
    const char *type = json_str(mount, "Type", "");
    for (size_t i = 0; i < sizeof(owner) / sizeof(*owner); i++)
        if (json_object_get(mount, owner[i][0]) && !str_eq(type, owner[i][1]))
            return err_set(e, ERR_INVALID, "--mount \"%s\": %s-… options do not fit type=%s", text, owner[i][1], type);
    if (!*json_str(mount, "Target", ""))
        return err_set(e, ERR_INVALID, "--mount \"%s\": target is missing", text);
    if (str_eq(type, "bind") && !*json_str(mount, "Source", ""))
        return err_set(e, ERR_INVALID, "--mount \"%s\": a bind mount needs a source", text);
    return 0;
}

/* bind-recursive says in one word what the API has three switches for. */
static int spell_recursion(const char *text, json_t *mount, struct err *e)
{
    static const char *const words[][2] = {{"enabled", NULL},
                                           {"disabled", "NonRecursive"},
                                           {"writable", "ReadOnlyNonRecursive"},
                                           {"readonly", "ReadOnlyForceRecursive"}};
    json_t *options = json_object_get(mount, "BindOptions");
    const char *word = json_str(options, "Recursive", NULL);
    for (size_t i = 0; word && i < 4; i++)
        if (str_eq(words[i][0], word)) {
            if (words[i][1])
                json_object_set_new(options, words[i][1], json_true());
            json_object_del(options, "Recursive");
            return 0;
        }
    return word ? err_set(e, ERR_INVALID, "--mount \"%s\": invalid bind-recursive", text) : 0;
}

static int add_mount(const char *text, json_t *list, struct err *e)
{
    json_auto_t *mount = json_pack("{s:s}", "Type", "volume");
    autostrv fields = {0};
    if (csv_split(text, &fields, e) < 0)
        return -1;
    for (size_t i = 0; i < fields.n; i++)
        if (add_mount_option(fields.v[i], mount, e) < 0)
            return -1;
    if (check_mount(text, mount, e) < 0)
        return -1;
    if (str_eq(json_str(mount, "Type", ""), "bind")) {
        if (spell_recursion(text, mount, e) < 0)
            return -1;
        autofree char *source = absolute(json_str(mount, "Source", ""), e);
        if (!source)
            return -1;
        json_object_set_new(mount, "Source", json_word(source));
    }
    json_array_append(list, mount);
    return 0;
}

int create_mounts(const struct create_options *o, json_t *config, json_t *host, struct err *e)
{
    json_auto_t *volumes = json_object(), *binds = json_array(), *mounts = json_array(), *tmpfs = json_object();
    for (size_t i = 0; i < o->volume.n; i++)
        if (add_volume(o->volume.v[i], volumes, binds, e) < 0)
            return -1;
    for (size_t i = 0; i < o->mount.n; i++)
        if (add_mount(o->mount.v[i], mounts, e) < 0)
            return -1;
    for (size_t i = 0; i < o->tmpfs.n; i++) {
        const char *colon = strchrnul(o->tmpfs.v[i], ':');
        json_put(tmpfs, o->tmpfs.v[i], (size_t)(colon - o->tmpfs.v[i]), json_word(*colon ? colon + 1 : ""));
    }
    if (json_object_size(volumes) > 0)
        json_object_set(config, "Volumes", volumes);
    if (json_array_size(binds) > 0)
        json_object_set(host, "Binds", binds);
    if (json_array_size(mounts) > 0)
        json_object_set(host, "Mounts", mounts);
    if (json_object_size(tmpfs) > 0)
        json_object_set(host, "Tmpfs", tmpfs);
    if (o->volumes_from.n > 0)
        json_object_set_new(host, "VolumesFrom", json_strings(&o->volumes_from));
    if (o->volume_driver)
        json_object_set_new(host, "VolumeDriver", json_word(o->volume_driver));
    return 0;
}
