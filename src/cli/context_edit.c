/* `gorae context create` and `update`: naming a daemon.
 *
 *     gorae context create lab7 --description "row 2" --docker host=ssh://root@lab7
 *     gorae context create lab8 --docker "host=tcp://lab8:2376,ca=ca.pem,cert=cert.pem,key=key.pem"
 *
 * Certificates are copied into the store, so a context goes on working when the files it was made from are gone.
 * Without
 * --docker a new context is a copy of the one in use.
 *
 * How it fails: a key of --docker that nobody knows, an address that no client could dial and a file that cannot be
 * read are refused before anything is written. Read next: wire/context.c, context_archive.c. */
#include "cli/command.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/context.h"
#include "cli/endpoint.h"
#include "cli/value.h"
#include "wire/ssh.h"

#include <fcntl.h>
#include <unistd.h>
#include <stdio.h>
#include <stdlib.h>

struct edit_options {
    char *description, *from;
    struct strv docker;
};

/* ---- whole contexts ---- */

static int add_pem(struct context *c, const char *name, const char *path, struct err *e)
{
    size_t n;
    if (str_empty(path))
        return 0;
    autofree char *bytes = file_read(AT_FDCWD, path, CONTEXT_FILE_MAX, &n, e);
    if (!bytes)
        return -1;
    if (!strstr(bytes, "-----BEGIN ")) /* the commonest mistake is DER, which ends in a riddle when it is used */
        return err_set(e, ERR_INVALID, "%s seems invalid: it holds nothing in PEM form (-----BEGIN …)", path);
    return context_add_file(c, name, take_ptr(&bytes), n, e);
}

static int add_tls(struct context *c, const char *ca, const char *cert, const char *key, struct err *e)
{
    if (str_empty(cert) != str_empty(key))
        return err_set(e, ERR_INVALID, "a certificate is of use only with its key: cert and key go together");
    return add_pem(c, "docker/ca.pem", ca, e) < 0 || add_pem(c, "docker/cert.pem", cert, e) < 0 ||
                   add_pem(c, "docker/key.pem", key, e) < 0
               ? -1
               : 0;
}

static json_t *endpoint_json(const char *host, bool skip_verify)
{
    json_t *docker = json_object();
    if (!str_empty(host))
        json_object_set_new(docker, "Host", json_word(host));
    json_object_set_new(docker, "SkipTLSVerify", json_boolean(skip_verify));
    return docker;
}

int context_take(const struct cli *cli, const char *name, struct context *ret, struct err *e)
{
    struct global_options o = *cli->global;
    struct endpoint p;
    if (!str_eq(name, CONTEXT_DEFAULT))
        return context_load(name, ret, e);
    o.context = (char[]){CONTEXT_DEFAULT};
    if (endpoint_find(&o, &p, e) < 0)
        return -1;
    const char *host = p.host ? p.host : DIAL_HOST_DEFAULT;
    *ret = (struct context){.meta = json_pack("{s:s, s:{}, s:{s:o}}", "Name", CONTEXT_DEFAULT, "Metadata", "Endpoints",
                                              "docker", endpoint_json(host, p.tls.on && !p.tls.verify))};
    int r = p.tls.on ? add_tls(ret, p.tls.ca, p.tls.cert, p.tls.key, e) : 0;
    endpoint_release(&p);
    if (r < 0)
        context_release(ret);
    return r;
}

int context_check_new(const char *name, struct err *e)
{
    autofree char *folder = context_folder("meta", name);
    if (context_check_name(name, e) < 0)
        return -1;
    if (folder && faccessat(AT_FDCWD, folder, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return err_set(e, ERR_CONFLICT, "context \"%s\" already exists", name);
    return 0;
}

int context_finish(struct cli *cli, struct context *c, const char *name, const char *done)
{
    struct err e;
    json_object_set_new(c->meta, "Name", json_string(name));
    if (context_save(c, &e) < 0)
        return cli_fail(cli, &e);
    puts(name);
    fflush(stdout);
    fprintf(stderr, "Successfully %s context \"%s\"\n", done, name);
    return EXIT_OK;
}

/* ---- --docker ---- */

static const char *const keys[] = {"host", "ca", "cert", "key", "skip-tls-verify", "from"};
enum { HOST, CA, CERT, KEY, SKIP, FROM, KEYS };

/* "host=…,ca=…": later words win. Values are new memory. */
static int read_words(const struct strv *words, char *value[KEYS], struct err *e)
{
    for (size_t i = 0; i < words->n; i++) {
        autofree char *copy = mem_strdup(words->v[i]);
        for (char *rest = copy, *word; (word = strsep(&rest, ","));) {
            char *eq = strchr(word, '=');
            if (!eq)
                return err_set(e, ERR_INVALID, "invalid argument \"%s\" for --docker: \"%s\" must be key=value",
                               words->v[i], word);
            *eq = '\0';
            int k = 0;
            while (k < KEYS && !str_eq(word, keys[k]))
                k++;
            if (k == KEYS)
                return err_set(
                    e, ERR_INVALID,
                    "unrecognized key \"%s\" in --docker: it knows host, ca, cert, key, skip-tls-verify, from", word);
            free(value[k]);
            value[k] = mem_strdup(eq + 1);
        }
    }
    return 0;
}

static int check_host(const char *host, struct err *e)
{
    if (str_starts(host, "ssh://"))
        return ssh_check(host, e);
    if (str_empty(host) || str_starts(host, "unix://") || str_starts(host, "tcp://"))
        return 0;
    return err_set(e, ERR_INVALID,
                   "unable to parse docker host \"%s\": expected unix:///path, tcp://host:port or ssh://user@host",
                   host);
}

/* Give `c` the endpoint that the words describe, instead of the one it has. */
static int set_endpoint(const struct cli *cli, struct context *c, char *const value[KEYS], struct err *e)
{
    autocontext from = {0};
    bool skip = false;
    if (check_host(value[HOST] ? value[HOST] : "", e) < 0)
        return -1;
    if (!str_empty(value[SKIP]) && !bool_parse(value[SKIP], &skip))
        return err_set(e, ERR_INVALID, "skip-tls-verify=%s in --docker: expected true or false", value[SKIP]);
    if (!str_empty(value[FROM]) && (value[HOST] || value[CA] || value[CERT] || value[KEY] || value[SKIP]))
        return err_set(e, ERR_INVALID, "from=%s in --docker copies an endpoint whole: no other key goes with it",
                       value[FROM]);
    json_t *all = json_object_at(c->meta, "Endpoints");
    context_drop_files(c);
    if (str_empty(value[FROM])) {
        json_object_set_new(all, "docker", endpoint_json(value[HOST], skip));
        return add_tls(c, value[CA], value[CERT], value[KEY], e);
    }
    if (context_take(cli, value[FROM], &from, e) < 0)
        return -1;
    json_object_set(all, "docker", json_at(from.meta, "Endpoints.docker"));
    for (size_t i = 0; i < from.files; i++)
        if (str_starts(from.file[i].name, "docker/") &&
            context_add_file(c, from.file[i].name, take_ptr(&from.file[i].bytes), from.file[i].n, e) < 0)
            return -1;
    return 0;
}

static int apply(const struct cli *cli, const struct edit_options *o, struct context *c, struct err *e)
{
    char *value[KEYS] = {0};
    int r = read_words(&o->docker, value, e);
    if (r == 0 && o->docker.n > 0)
        r = set_endpoint(cli, c, value, e);
    for (size_t i = 0; i < KEYS; i++)
        free(value[i]);
    if (o->description) {
        json_t *metadata = json_object_at(c->meta, "Metadata");
        json_object_del(metadata, "Description");
        if (*o->description)
            json_object_set_new(metadata, "Description", json_word(o->description));
    }
    return r;
}

/* ---- commands ---- */

/* What a new context begins as. */
static int begin(struct cli *cli, const struct edit_options *o, struct context *ret, struct err *e)
{
    if (o->from && o->docker.n > 0)
        return err_set(e, ERR_INVALID, "cannot use --docker flag when --from is set");
    *ret = (struct context){.meta = json_pack("{s:s, s:{}, s:{}}", "Name", "", "Metadata", "Endpoints")};
    if (o->docker.n > 0)
        return 0;
    context_release(ret);
    autofree char *name = o->from ? mem_strdup(o->from) : endpoint_context(cli->global, e);
    return name ? context_take(cli, name, ret, e) : -1;
}

static int create(struct cli *cli, void *options, const struct args *args)
{
    autocontext c = {0};
    struct err e = {0};
    if (context_check_new(args->v[0], &e) < 0 || begin(cli, options, &c, &e) < 0 || apply(cli, options, &c, &e) < 0)
        return cli_fail(cli, &e);
    return context_finish(cli, &c, args->v[0], "created");
}

static int update(struct cli *cli, void *options, const struct args *args)
{
    autocontext c = {0};
    struct err e = {0};
    if (context_check_name(args->v[0], &e) < 0 || context_load(args->v[0], &c, &e) < 0 ||
        apply(cli, options, &c, &e) < 0)
        return cli_fail(cli, &e);
    return context_finish(cli, &c, args->v[0], "updated");
}

#define EDIT(member) offsetof(struct edit_options, member)
#define DESCRIPTION                                                                                      \
    {                                                                                                    \
        "description", 0, FLAG_STRING, EDIT(description), "What people should know about it", NULL, NULL \
    }
#define DOCKER                                                                                                        \
    {                                                                                                                 \
        "docker", 0, FLAG_LIST, EDIT(docker),                                                                         \
            "Its daemon, as key=value,key=value: host (unix://, tcp:// or ssh://), ca, cert and key (files of TLS), " \
            "skip-tls-verify (true: the daemon's certificate is not checked), from (another context's daemon)",       \
            "map", NULL                                                                                               \
    }

static const struct flag create_flags[] = {
    DESCRIPTION,
    DOCKER,
    {"from", 0, FLAG_STRING, EDIT(from), "Begin as a copy of this context", NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag update_flags[] = {DESCRIPTION, DOCKER, {.type = FLAG_END}};

const struct command command_context_create = {
    .usage = "CONTEXT",
    .summary = "Give a daemon a name",
    .flags = create_flags,
    .options = sizeof(struct edit_options),
    .local = true,
    .run = create,
};
const struct command command_context_update = {
    .usage = "CONTEXT",
    .summary = "Change a context",
    .flags = update_flags,
    .options = sizeof(struct edit_options),
    .local = true,
    .run = update,
};
