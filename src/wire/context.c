/* Contexts on disk: see context.h for the files.
 *
 * The store belongs to two clients, of which ours is the guest. So nothing is read that is not checked, and nothing is
 * rewritten that was not understood: a config.json with a missing brace is an error that names the place, never a fresh
 * file without the passwords that the old one held. Every file appears by rename(2), TLS material before the meta.json
 * that makes it count.
 *
 * How it fails: with the path and the reason. A broken context hides no other: context_list() names it and goes on.
 * Read next: cli/endpoint.c (how a context becomes an address), cli/context.c (the commands). */
#include "wire/context.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "wire/order.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- in memory ---- */

void context_release(struct context *c)
{
    json_decref(c->meta);
    for (size_t i = 0; i < c->files; i++) {
        free(c->file[i].name);
        free(c->file[i].bytes);
    }
    *c = (struct context){0};
}

static void drop_file(struct context *c, size_t i)
{
    free(c->file[i].name);
    free(c->file[i].bytes);
    c->file[i] = c->file[--c->files];
}

void context_drop_files(struct context *c)
{
    for (size_t i = c->files; i-- > 0;)
        if (str_starts(c->file[i].name, "docker/"))
            drop_file(c, i);
}

int context_add_file(struct context *c, const char *name, char *bytes, size_t n, struct err *e)
{
    for (size_t i = c->files; i-- > 0;)
        if (str_eq(c->file[i].name, name))
            drop_file(c, i);
    if (c->files == CONTEXT_FILES_MAX || strlen(name) > CONTEXT_PATH_MAX) {
        free(bytes);
        return err_set(e, ERR_TOO_LARGE, "a context has at most %d files of TLS material, with names of up to %d bytes",
                       CONTEXT_FILES_MAX, CONTEXT_PATH_MAX);
    }
    c->file[c->files++] = (struct context_file){mem_strdup(name), bytes, n};
    return 0;
}

/* ---- rules ---- */

/* docker's: [a-zA-Z0-9][a-zA-Z0-9_.+-]+ */
int context_check_name(const char *name, struct err *e)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";
    if (str_eq(name, CONTEXT_DEFAULT))
        return err_set(e, ERR_INVALID, "\"" CONTEXT_DEFAULT "\" is a reserved context name");
    if (strlen(name) < 2 || strchr("_.+-", *name) || name[strspn(name, letters)])
        return err_set(
            e, ERR_INVALID,
            "context name \"%s\" is invalid: it takes at least two of the characters a-z A-Z 0-9 _ . + -, of "
            "which the first is a letter or a digit",
            name);
    return 0;
}

int context_check_meta(const json_t *meta, const char *where, struct err *e)
{
    const json_t *all = json_object_get(meta, "Endpoints"), *docker = json_object_get(all, "docker");
    const json_t *host = json_object_get(docker, "Host"), *skip = json_object_get(docker, "SkipTLSVerify");
    const char *why = NULL;
    struct err rule = {0};
    if (!json_is_object(meta))
        why = "it is no JSON object";
    else if (!json_is_string(json_object_get(meta, "Name")))
        why = "it has no \"Name\"";
    else if (context_check_name(json_str(meta, "Name", ""), &rule) < 0)
        why = rule.msg;
    else if (!json_is_object(docker))
        why = "it has no endpoint \"docker\" (Endpoints.docker)";
    else if ((host && !json_is_string(host)) || (skip && !json_is_boolean(skip)))
        why = "Endpoints.docker.Host must be a string, and SkipTLSVerify true or false";
    return why ? err_set(e, ERR_INVALID, "%s: %s", where, why) : 0;
}

/* ---- places ---- */

char *context_config(const char *name)
{
    const char *config = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    if (!str_empty(config))
        return str_printf("%s/%s", config, name);
    return str_empty(home) ? NULL : str_printf("%s/.docker/%s", home, name);
}

char *context_folder(const char *kind, const char *name)
{
    char id[DIGEST_SIZE];
    digest_of(name, strlen(name), id);
    autofree char *below = str_printf("contexts/%s/%s", kind, id);
    return context_config(below);
}

char *context_tls_path(const char *name, const char *file)
{
    autofree char *folder = context_folder("tls", name);
    autofree char *path = folder ? str_printf("%s/docker/%s", folder, file) : NULL;
    return path && access(path, F_OK) == 0 ? take_ptr(&path) : NULL;
}

/* ---- reading ---- */

static json_t *read_json(const char *path, size_t limit, struct err *e)
{
    size_t n;
    autofree char *text = file_read(AT_FDCWD, path, limit, &n, e);
    json_t *j = text ? json_parse(text, n, e) : NULL;
    if (text && !j)
        err_wrap(e, "%s", path);
    return j;
}

/* @param id the folder's name, which must follow from the name inside */
static json_t *read_meta(const char *folder, const char *id, struct err *e)
{
    char own[DIGEST_SIZE];
    autofree char *path = str_printf("%s/meta.json", folder);
    json_auto_t *meta = read_json(path, CONTEXT_FILE_MAX, e);
    if (!meta || context_check_meta(meta, path, e) < 0)
        return NULL;
    const char *name = json_str(meta, "Name", "");
    if (!str_eq(digest_of(name, strlen(name), own), id))
        return err_null(err_set(e, ERR_INVALID, "%s: it is named \"%s\", whose folder is another one", path, name));
    return json_incref(meta);
}

json_t *context_meta(const char *name, struct err *e)
{
    autofree char *folder = context_folder("meta", name);
    if (!folder)
        return err_null(
            err_set(e, ERR_NOT_FOUND, "context \"%s\" not found: neither DOCKER_CONFIG nor HOME is set", name));
    json_t *meta = read_meta(folder, strrchr(folder, '/') + 1, e);
    if (!meta && e->sys == ENOENT)
        err_set(e, ERR_NOT_FOUND, "context \"%s\" not found: there is no %s/meta.json", name, folder);
    else if (!meta)
        err_wrap(e, "context \"%s\"", name);
    return meta;
}

static bool is_dot(const char *name)
{
    return str_eq(name, ".") || str_eq(name, "..");
}

/* The files in tls/ID/ENDPOINT. */
static int load_endpoint(const char *folder, const char *endpoint, struct context *ret, struct err *e)
{
    autofree char *path = str_printf("%s/%s", folder, endpoint);
    autoclosedir DIR *d = opendir(path);
    if (!d)
        return err_sys(e, "open folder %s", path);
    for (struct dirent *x; (x = readdir(d));) {
        size_t n;
        if (is_dot(x->d_name))
            continue;
        autofree char *name = str_printf("%s/%s", endpoint, x->d_name);
        autofree char *file = str_printf("%s/%s", folder, name);
        char *bytes = file_read(AT_FDCWD, file, CONTEXT_FILE_MAX, &n, e);
        if (!bytes || context_add_file(ret, name, bytes, n, e) < 0)
            return -1;
    }
    return 0;
}

int context_load(const char *name, struct context *ret, struct err *e)
{
    *ret = (struct context){.meta = context_meta(name, e)};
    if (!ret->meta)
        return -1;
    autofree char *folder = context_folder("tls", name);
    autoclosedir DIR *d = folder ? opendir(folder) : NULL;
    int r = d || errno == ENOENT ? 0 : err_sys(e, "open folder %s", folder);
    for (struct dirent *x; r == 0 && d && (x = readdir(d));)
        if (!is_dot(x->d_name))
            r = load_endpoint(folder, x->d_name, ret, e);
    if (r < 0)
        context_release(ret);
    return r;
}

/* By name, numbers in it by value: web2 is before web10. */
static int by_name(const void *a, const void *b)
{
    const char *x = json_str(*(json_t *const *)a, "Name", ""), *y = json_str(*(json_t *const *)b, "Name", "");
    for (; *x && *y; x++, y++) {
        size_t n = strspn(x, "0123456789"), m = strspn(y, "0123456789");
        if (n > 0 && m > 0 && n != m)
            return n < m ? -1 : 1;
        if (*x != *y)
            break;
    }
    return (unsigned char)*x - (unsigned char)*y;
}

json_t *context_list(struct str *ret_bad, struct err *e)
{
    autofree char *folder = context_config("contexts/meta");
    autoclosedir DIR *d = folder ? opendir(folder) : NULL;
    if (folder && !d && errno != ENOENT)
        return err_null(err_sys(e, "open folder %s", folder));
    json_auto_t *list = json_array();
    for (struct dirent *x; d && (x = readdir(d));) {
        struct err why = {0};
        if (!str_is_hex(x->d_name, DIGEST_HEX)) /* not a context: whatever it is, it is somebody else's */
            continue;
        autofree char *path = str_printf("%s/%s", folder, x->d_name);
        json_t *meta = read_meta(path, x->d_name, &why);
        if (meta)
            json_array_append_new(list, meta);
        else
            str_addf(ret_bad, "%s\n", why.msg);
    }
    return json_sorted(list, by_name);
}

/* ---- writing ---- */

static int put_file(const char *folder, const char *name, const void *p, size_t n, mode_t mode, mode_t folder_mode,
                    struct err *e)
{
    autofree char *path = str_printf("%s/%s", folder, name);
    *strrchr(path, '/') = '\0';
    if (dir_make_all(path, folder_mode, e) < 0)
        return -1;
    path[strlen(path)] = '/';
    return file_replace(AT_FDCWD, path, p, n, mode, e);
}

/* The new TLS material takes the place of the old as a whole folder. */
static int save_tls(const char *folder, const struct context *c, struct err *e)
{
    autofree char *fresh = str_printf("%s.new", folder), *old = str_printf("%s.old", folder);
    if (tree_remove(AT_FDCWD, fresh, e) < 0 || tree_remove(AT_FDCWD, old, e) < 0)
        return -1;
    for (size_t i = 0; i < c->files; i++)
        if (put_file(fresh, c->file[i].name, c->file[i].bytes, c->file[i].n, 0600, 0700, e) < 0) {
            tree_remove(AT_FDCWD, fresh, NULL);
            return -1;
        }
    if (rename(folder, old) < 0 && errno != ENOENT)
        return err_sys(e, "rename %s to %s", folder, old);
    if (c->files > 0 && rename(fresh, folder) < 0)
        return err_sys(e, "rename %s to %s", fresh, folder);
    return tree_remove(AT_FDCWD, old, e);
}

int context_save(const struct context *c, struct err *e)
{
    const char *name = json_str(c->meta, "Name", "");
    autofree char *meta = context_folder("meta", name), *tls = context_folder("tls", name);
    if (!meta)
        return err_set(e, ERR_SYSTEM, "no place for contexts: neither DOCKER_CONFIG nor HOME is set");
    autofree char *all = context_config("contexts/meta"); /* whose folder, unlike that of keys, everybody may list */
    if (dir_make_all(all, 0755, e) < 0 || save_tls(tls, c, e) < 0)
        return -1;
    autofree char *text = json_compact(c->meta);
    return put_file(meta, "meta.json", text, strlen(text), 0644, 0755, e);
}

int context_remove(const char *name, struct err *e)
{
    autofree char *meta = context_folder("meta", name), *tls = context_folder("tls", name);
    if (!meta || access(meta, F_OK) < 0)
        return err_set(e, ERR_NOT_FOUND, "context \"%s\" does not exist", name);
    return tree_remove(AT_FDCWD, meta, e) < 0 || tree_remove(AT_FDCWD, tls, e) < 0 ? -1 : 0;
}

/* ---- config.json ---- */

/* @return new: an empty object where there is no file; NULL where there is one that cannot be understood */
static json_t *read_config(const char *path, struct err *e)
{
    json_auto_t *config = read_json(path, CONTEXT_CONFIG, e);
    if (!config)
        return e->sys == ENOENT ? json_object() : NULL;
    const json_t *name = json_object_get(config, "currentContext");
    if (json_is_object(config) && (!name || json_is_string(name)))
        return json_incref(config);
    return err_null(err_set(e, ERR_INVALID, "%s: it must be a JSON object, and its currentContext a string", path));
}

int context_current(char **ret, struct err *e)
{
    struct err why = {0};
    autofree char *path = context_config("config.json");
    json_auto_t *config = path ? read_config(path, &why) : json_object();
    *ret = NULL;
    if (!config) {
        if (e)
            *e = why;
        return -1;
    }
    const char *name = json_str(config, "currentContext", "");
    *ret = *name ? mem_strdup(name) : NULL;
    return 0;
}

/* A config.json that is a link (to where somebody keeps all their dotfiles) is written where the link leads. */
static int write_config(const char *path, const json_t *config, struct err *e)
{
    struct stat st = {.st_mode = 0600, .st_uid = geteuid(), .st_gid = getegid()};
    autofree char *real = realpath(path, NULL);
    autofree char *text = json_dumps(config, JSON_INDENT(4) | JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY);
    if (real && stat(real, &st) < 0)
        return err_sys(e, "stat %s", real);
    if (file_replace(AT_FDCWD, real ? real : path, text, strlen(text), st.st_mode & 07777, e) < 0)
        return -1;
    /* root, at work in another's home, must not become the owner of their passwords */
    if ((st.st_uid != geteuid() || st.st_gid != getegid()) && chown(real ? real : path, st.st_uid, st.st_gid) < 0)
        return err_sys(e, "give %s back to its owner", real);
    return 0;
}

int context_use(const char *name, struct err *e)
{
    autofree char *path = context_config("config.json");
    if (!path)
        return err_set(e, ERR_SYSTEM, "no place for config.json: neither DOCKER_CONFIG nor HOME is set");
    struct err why = {0};
    json_auto_t *config = read_config(path, &why);
    if (!config) {
        *e = why;
        return -1;
    }
    bool none = !name || str_eq(name, CONTEXT_DEFAULT);
    if (none && !json_object_get(config, "currentContext"))
        return 0;
    if (none)
        json_object_del(config, "currentContext");
    else
        json_object_set_new(config, "currentContext", json_string(name));
    autofree char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    return dir_make_all(folder, 0700, e) < 0 ? -1 : write_config(path, config, e);
}
