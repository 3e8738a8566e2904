/* `gorae context`: ls, inspect, show, use, rm.
 *
 * A context is a daemon with a name. These commands read and write files (wire/context.c) and talk to no daemon, so
 * they work where none answers: above all to get away from a context whose machine is gone.
 *
 * How it fails: a broken context is named on standard error with its file and its fault, the others are shown all the
 * same, and the exit code is 1. Read next: context_edit.c (create, update), endpoint.c (which one is used when). */
#include "cli/context.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/endpoint.h"
#include "cli/human.h"
#include "cli/list.h"
#include "cli/value.h"

#include <stdio.h>
#include <stdlib.h>

struct context_options {
    bool quiet, force;
    char *format;
};

#define ERROR_SHOWN 45 /* characters of an error in the table */

/* A variable with a host in it makes every choice of a context void: say so, or people wonder. */
static void warn_of_variable(const struct cli *cli, const char *name)
{
    const char *variable = endpoint_variable(cli->global);
    fflush(stdout);
    if (variable)
        fprintf(stderr,
                "Warning: %s environment variable overrides the active context. To use %s, either set the global "
                "--context flag, or unset %s environment variable.\n",
                variable, name, variable);
}

/* ---- ls ---- */

static json_t *row(const json_t *meta, const char *current, const char *error)
{
    const char *name = json_str(meta, "Name", "");
    autofree char *shown = human_cut(error, ERROR_SHOWN);
    return json_pack("{s:b, s:s, s:s, s:s, s:s}", "Current", str_eq(name, current), "Description",
                     json_str(meta, "Metadata.Description", ""), "DockerEndpoint",
                     json_str(meta, "Endpoints.docker.Host", ""), "Error", shown, "Name", name);
}

/* "default" stands where its name puts it; a current context that is not there has a row with its error. */
static json_t *rows_of(const struct cli *cli, const json_t *metas, const char *current, struct err *e)
{
    autocontext own = {0};
    struct err why = {0};
    size_t at = 0;
    json_t *rows = json_array();
    if (context_take(cli, CONTEXT_DEFAULT, &own, &why) < 0)
        own.meta = json_pack("{s:s}", "Name", CONTEXT_DEFAULT);
    json_object_set_new(json_object_at(own.meta, "Metadata"), "Description",
                        json_string("Current DOCKER_HOST based configuration"));
    bool known = str_eq(current, CONTEXT_DEFAULT);
    json_each (meta, metas) {
        const char *name = json_str(meta, "Name", "");
        known = known || str_eq(name, current);
        at += strcmp(name, CONTEXT_DEFAULT) < 0;
        json_array_append_new(rows, row(meta, current, ""));
    }
    json_array_insert_new(rows, at, row(own.meta, current, why.msg));
    json_auto_t *lost = known ? NULL : context_meta(current, e); /* for the reason */
    if (!known && !lost) {
        json_auto_t *nameless = json_pack("{s:s}", "Name", current);
        json_array_append_new(rows, row(nameless, current, e->msg));
    }
    return rows;
}

/* The heading of Current is empty, which makes {{if .Current}} false in the line of headings. */
static const char *const heading[][2] = {{"Name", "NAME"},
                                         {"Description", "DESCRIPTION"},
                                         {"DockerEndpoint", "DOCKER ENDPOINT"},
                                         {"Error", "ERROR"},
                                         {"Current", ""},
                                         {NULL, NULL}};
static const struct list_kind contexts = {
    "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}", heading};

static int ls(struct cli *cli, void *options, const struct args *args)
{
    const struct context_options *o = options;
    struct err e = {0};
    autostr bad = STR_INIT;
    (void)args;
    str_reset(&bad);
    autofree char *current = endpoint_context(cli->global, &e);
    if (!current) /* the list is what one needs to mend it */
        str_addf(&bad, "%s\n", e.msg);
    json_auto_t *metas = context_list(&bad, &e);
    if (!metas)
        return cli_fail(cli, &e);
    json_auto_t *rows = rows_of(cli, metas, current ? current : "default", &e);
    if (list_print(cli, &contexts, o->quiet ? "{{.Name}}" : o->format, rows, &e) < 0)
        return cli_fail(cli, &e);
    if (!o->quiet)
        warn_of_variable(cli, "a context");
    fprintf(stderr, "%s", bad.s);
    return bad.len ? EXIT_FAILED : EXIT_OK;
}

/* ---- inspect ---- */

static int by_file(const void *a, const void *b)
{
    return strcmp(((const struct context_file *)a)->name, ((const struct context_file *)b)->name);
}

/* Which files there are, not what is in them: a key is not shown. */
static json_t *material(struct context *c)
{
    json_t *all = json_object();
    qsort(c->file, c->files, sizeof(*c->file), by_file);
    for (size_t i = 0; i < c->files; i++) {
        const char *slash = strchr(c->file[i].name, '/');
        autofree char *endpoint = mem_strndup(c->file[i].name, (size_t)(slash - c->file[i].name));
        if (!json_object_get(all, endpoint))
            json_object_set_new(all, endpoint, json_array());
        json_array_append_new(json_object_get(all, endpoint), json_word(slash + 1));
    }
    return all;
}

static json_t *describe(const struct cli *cli, const char *name, struct err *e)
{
    autocontext c = {0};
    if (context_take(cli, name, &c, e) < 0)
        return NULL;
    bool stored = !str_eq(name, CONTEXT_DEFAULT);
    autofree char *meta = stored ? context_folder("meta", name) : mem_strdup("<IN MEMORY>");
    autofree char *tls = stored ? context_folder("tls", name) : mem_strdup("<IN MEMORY>");
    json_object_set_new(c.meta, "TLSMaterial", material(&c));
    json_object_set_new(c.meta, "Storage",
                        json_pack("{s:o, s:o}", "MetadataPath", json_word(meta), "TLSPath", json_word(tls)));
    return json_incref(c.meta);
}

static int inspect(struct cli *cli, void *options, const struct args *args)
{
    const struct context_options *o = options;
    struct err e = {0};
    int result = EXIT_OK;
    json_auto_t *found = json_array();
    autofree char *current = args->n == 0 ? endpoint_context(cli->global, &e) : NULL;
    if (args->n == 0 && !current)
        return cli_fail(cli, &e);
    for (size_t i = 0; i < args->n || (i == 0 && current); i++) {
        json_auto_t *j = describe(cli, current ? current : args->v[i], &e);
        if (!j || (!str_empty(o->format) && object_print(cli, o->format, j, &e) < 0))
            result = cli_fail(cli, &e);
        else
            json_array_append(found, j);
    }
    autofree char *text = str_empty(o->format) ? json_dumps(found, JSON_INDENT(4)) : NULL;
    if (text)
        puts(text);
    return result;
}

/* ---- show, use, rm ---- */

static int show(struct cli *cli, void *options, const struct args *args)
{
    struct err e = {0};
    (void)options, (void)args;
    autofree char *current = endpoint_context(cli->global, &e);
    if (!current)
        return cli_fail(cli, &e);
    puts(current);
    return EXIT_OK;
}

static int use(struct cli *cli, void *options, const struct args *args)
{
    const char *name = args->v[0];
    struct err e = {0};
    (void)options;
    bool stored = !str_eq(name, CONTEXT_DEFAULT);
    json_auto_t *meta = stored && context_check_name(name, &e) == 0 ? context_meta(name, &e) : NULL;
    if ((stored && !meta) || context_use(name, &e) < 0)
        return cli_fail(cli, &e);
    puts(name);
    fflush(stdout);
    fprintf(stderr, "Current context is now \"%s\"\n", name);
    if (stored) {
        autofree char *quoted = str_printf("\"%s\"", name);
        warn_of_variable(cli, quoted);
    }
    return EXIT_OK;
}

static int remove_one(const struct cli *cli, const char *name, bool force, struct err *e)
{
    struct err unknown;
    autofree char *stored = NULL, *current = endpoint_context(cli->global, &unknown);
    if (str_eq(name, CONTEXT_DEFAULT))
        return err_set(e, ERR_INVALID, "context \"" CONTEXT_DEFAULT "\" cannot be removed");
    if (!force && str_eq(name, current))
        return err_set(e, ERR_CONFLICT, "context \"%s\" is in use, set -f flag to force remove", name);
    if (context_remove(name, e) < 0 && (!force || e->kind != ERR_NOT_FOUND))
        return -1;
    /* config.json must not name what is not there, whatever a variable says at the moment */
    return context_current(&stored, &unknown) == 0 && str_eq(stored, name) ? context_use(NULL, e) : 0;
}

static int rm(struct cli *cli, void *options, const struct args *args)
{
    const struct context_options *o = options;
    int result = EXIT_OK;
    for (size_t i = 0; i < args->n; i++) {
        struct err e = {0};
        if (remove_one(cli, args->v[i], o->force, &e) < 0)
            result = cli_fail(cli, &e);
        else
            puts(args->v[i]);
    }
    return result;
}

/* ---- who they are ---- */

#define AT(member) offsetof(struct context_options, member)
static const struct flag ls_flags[] = {
    {"format", 0, FLAG_STRING, AT(format), LIST_FORMAT_HELP, NULL, NULL},
    {"quiet", 'q', FLAG_BOOL, AT(quiet), "Only the names", NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag inspect_flags[] = {
    {"format", 'f', FLAG_STRING, AT(format), OBJECT_FORMAT_HELP, NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag rm_flags[] = {
    {"force", 'f', FLAG_BOOL, AT(force), "Also the one in use, and no error for one that is not there", NULL, NULL},
    {.type = FLAG_END},
};

const struct command command_context_ls = {
    .summary = "List contexts",
    .flags = ls_flags,
    .options = sizeof(struct context_options),
    .local = true,
    .run = ls,
};
const struct command command_context_inspect = {
    .usage = "[CONTEXT...]",
    .summary = "Show all about contexts: the one in use, or those that are named",
    .flags = inspect_flags,
    .options = sizeof(struct context_options),
    .local = true,
    .run = inspect,
};
const struct command command_context_show = {
    .summary = "Print the name of the context in use",
    .local = true,
    .run = show,
};
const struct command command_context_use = {
    .usage = "CONTEXT",
    .summary = "Choose the context for all commands from now on",
    .local = true,
    .run = use,
};
const struct command command_context_rm = {
    .usage = "CONTEXT [CONTEXT...]",
    .summary = "Remove contexts; their daemons are not touched",
    .flags = rm_flags,
    .options = sizeof(struct context_options),
    .local = true,
    .run = rm,
};
