/* `gorae inspect`: what the daemon knows about a thing, as JSON or through a template.
 *
 * A name may belong to a container, an image, a network or a volume. Asked without --type, the kinds are tried in that
 * order, as docker does, and the first that knows the name wins. The answer is printed as it came, indented: this
 * command is the window onto the API, so nothing is renamed or left out.
 *
 * How it fails: a name that nobody knows is reported, the others are printed all the same, and the exit code is 1.
 * Read next: format_eval.c. */
#include "cli/command.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"
#include "cli/format.h"
#include "cli/list.h"

#include <stdio.h>
#include <stdlib.h>

#define EXIT_TEMPLATE 64 /* docker's code for a template that cannot be parsed */

struct inspect_options {
    bool size;
    char *format, *type;
    const char *only; /* the kind that --type names, or the command itself; NULL: any */
};

static const struct kind {
    const char *name, *path, *rest, *rest_size; /* "/PATH/NAME" and the rest, with --size another one */
} kinds[] = {
    {"container", "containers", "/json", "/json?size=1"},
    {"image", "images", "/json", "/json"},
    {"network", "networks", "", ""},
    {"volume", "volumes", "", ""},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static json_t *find(struct cli *cli, const struct inspect_options *o, const char *name, struct err *e)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (o->only && !str_eq(o->only, kinds[i].name))
            continue;
        json_t *j = cli_ask(cli, "GET", kinds[i].path, name, o->size ? kinds[i].rest_size : kinds[i].rest, NULL, e);
        /* A daemon that lacks a kind answers 404 or 501 for all of it. */
        if (j && o->size && str_eq(kinds[i].rest, kinds[i].rest_size))
            fprintf(stderr, "WARNING: --size ignored for %s\n", kinds[i].name);
        if (j || (cli->client.status != 404 && cli->client.status != 501) || o->only)
            return j;
    }
    cli->client.status = 0;
    return err_null(err_set(e, ERR_NOT_FOUND, "Error: No such object: %s", name));
}

static int print_one(const struct cli *cli, const struct format *f, const json_t *j, struct err *e)
{
    autostr out = STR_INIT;
    struct format_mode mode = {.safe = cli->out_tty};
    if (format_run(f, j, &mode, &out, e) < 0)
        return -1;
    printf("%s\n", out.s);
    return 0;
}

static void print_all(const json_t *found)
{
    struct span span = trace_begin(4, "indent the answer and print it");
    autofree char *text = json_dumps(found, JSON_INDENT(4));
    printf("%s\n", text);
    trace_end(&span, "%s", text);
}

static int inspect_all(struct cli *cli, const struct inspect_options *o, const struct format *f,
                       const struct args *args)
{
    int result = EXIT_OK;
    json_auto_t *found = json_array();
    struct err e;
    for (size_t i = 0; i < args->n; i++) {
        json_auto_t *j = find(cli, o, args->v[i], &e);
        if (!j)
            result = cli_fail(cli, &e);
        else if (!f)
            json_array_append(found, j);
        else if (print_one(cli, f, j, &e) < 0)
            result = cli_fail_own(cli, &e);
    }
    if (!f)
        print_all(found);
    return result;
}

/* `container inspect` and `image inspect` look for one kind, and have no flag that says so. */
static int inspect(struct cli *cli, void *options, const struct args *args)
{
    struct inspect_options *o = options;
    struct err e;
    for (size_t i = 0; i < KINDS; i++)
        if (str_starts(cli->path, kinds[i].name) || str_eq(o->type, kinds[i].name))
            o->only = kinds[i].name;
    if (!o->only && o->type) {
        if (*o->type)
            err_set(&e, ERR_INVALID, "unknown type \"%s\": expected container, image, network or volume", o->type);
        else
            err_set(&e, ERR_INVALID, "type is empty: must be one of \"container\", \"image\", \"network\", \"volume\"");
        return cli_fail(cli, &e);
    }
    if (str_empty(o->format))
        return inspect_all(cli, o, NULL, args);
    struct format *f = format_parse(str_eq(o->format, "json") ? "{{json .}}" : o->format, &e);
    if (!f) {
        cli_fail(cli, &e);
        return EXIT_TEMPLATE;
    }
    int result = inspect_all(cli, o, f, args);
    format_free(f);
    return result;
}

#define AT(member) offsetof(struct inspect_options, member)
static const struct flag inspect_flags[] = {
    {"format", 'f', FLAG_STRING, AT(format), OBJECT_FORMAT_HELP, NULL, NULL},
    {"size", 's', FLAG_BOOL, AT(size), "Also how much a container has written", NULL, NULL},
    {"type", 0, FLAG_STRING, AT(type), "Only this kind: container, image, network or volume", NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag container_inspect_flags[] = {
    {"format", 'f', FLAG_STRING, AT(format), OBJECT_FORMAT_HELP, NULL, NULL},
    {"size", 's', FLAG_BOOL, AT(size), "Also how much it has written", NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag image_inspect_flags[] = {
    {"format", 'f', FLAG_STRING, AT(format), OBJECT_FORMAT_HELP, NULL, NULL},
    {"platform", 0, FLAG_REFUSED, 0, NULL, IMAGE_ONE_PLATFORM, NULL},
    {.type = FLAG_END},
};

const struct command command_inspect = {
    .usage = "NAME|ID [NAME|ID...]",
    .summary = "Show all that the daemon knows about something",
    .flags = inspect_flags,
    .options = sizeof(struct inspect_options),
    .run = inspect,
};
const struct command command_container_inspect = {
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Show all that the daemon knows about containers",
    .flags = container_inspect_flags,
    .options = sizeof(struct inspect_options),
    .run = inspect,
};
const struct command command_image_inspect = {
    .usage = "IMAGE [IMAGE...]",
    .summary = "Show all that the daemon knows about images",
    .flags = image_inspect_flags,
    .options = sizeof(struct inspect_options),
    .run = inspect,
};
