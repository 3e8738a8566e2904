/* `gorae ps`: GET /containers/json, made readable.
 *
 * The daemon sends facts (a unix time, 64 digits, a list of ports); everything that is a matter of taste happens here:
 * shortened ids, "3 hours ago", ports folded into ranges. Only STATUS is printed as it came, because "Up 5 minutes"
 * depends on the daemon's clock and state. One object of the answer becomes one row, whose fields are what --format may
 * name.
 * Read next: list.c; on the daemon's side api/ and engine/, where the same list is made. */
#include "cli/command.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/human.h"
#include "cli/list.h"
#include "cli/ports.h"
#include "cli/value.h"

#include <stdio.h>
#include <stdlib.h>

#define COMMAND_CHARS 20
#define MOUNT_CHARS   15

struct ps_options {
    bool all, latest, no_trunc, quiet, size;
    int64_t last;
    char *format;
    struct strv filters;
};

static const char *const headings[][2] = {
    {"ID", "CONTAINER ID"},
    {"Image", "IMAGE"},
    {"Command", "COMMAND"},
    {"CreatedAt", "CREATED AT"},
    {"RunningFor", "CREATED"},
    {"Ports", "PORTS"},
    {"State", "STATE"},
    {"Status", "STATUS"},
    {"Size", "SIZE"},
    {"Names", "NAMES"},
    {"Labels", "LABELS"},
    {"Mounts", "MOUNTS"},
    {"LocalVolumes", "LOCAL VOLUMES"},
    {"Networks", "NETWORKS"},
    {"Platform", "PLATFORM"},
    {NULL, NULL},
};

#define COLUMNS "{{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Ports}}\\t{{.Names}}"

/* "/web1" and, for links of other containers to this one, "/other/alias", which only --no-trunc shows. */
static json_t *names(const json_t *c, bool whole)
{
    struct str out = STR_INIT;
    str_reset(&out);
    json_each (name, json_object_get(c, "Names")) {
        const char *s = json_string_value(name);
        if (!s)
            continue;
        s += *s == '/';
        if (whole || !strchr(s, '/'))
            str_addf(&out, "%s%s", out.len ? "," : "", s);
    }
    return json_take(str_take(&out));
}

/* The image as the user named it; where that was an id, the short one. */
static json_t *image(const json_t *c, bool whole)
{
    const char *s = json_str(c, "Image", "");
    if (!*s)
        return json_string("<no image>");
    if (whole)
        return json_string(s);
    if (str_starts(s, "sha256:"))
        return json_take(human_id(s));
    return json_take(mem_strndup(s, strcspn(s, "@")));
}

static json_t *command(const json_t *c, bool whole)
{
    const char *s = json_str(c, "Command", "");
    autofree char *cut = whole ? mem_strdup(s) : human_cut(s, COMMAND_CHARS);
    json_auto_t *text = json_string(cut);
    return json_take(json_compact(text));
}

/* The strings in order, with commas. */
static json_t *joined(struct strv *v)
{
    struct str out = STR_INIT;
    str_reset(&out);
    if (v->n > 1)
        qsort(v->v, v->n, sizeof(*v->v), by_bytes);
    for (size_t i = 0; i < v->n; i++)
        str_addf(&out, "%s%s", i ? "," : "", v->v[i]);
    return json_take(str_take(&out));
}

static json_t *labels(const json_t *c)
{
    autostrv v = {0};
    json_each_pair (key, value, json_object_get(c, "Labels"))
        strv_addf(&v, "%s=%s", key, json_string_value(value) ? json_string_value(value) : "");
    return joined(&v);
}

static json_t *networks(const json_t *c)
{
    autostrv v = {0};
    json_each_pair (key, value, json_at(c, "NetworkSettings.Networks"))
        strv_add(&v, key);
    return joined(&v);
}

static json_t *mounts(const json_t *c, bool whole, int *ret_local)
{
    autostrv v = {0};
    *ret_local = 0;
    json_each (m, json_object_get(c, "Mounts")) {
        const char *name = json_str(m, "Name", "");
        name = *name ? name : json_str(m, "Source", "");
        autofree char *shown = whole ? mem_strdup(name) : human_cut(name, MOUNT_CHARS);
        strv_add(&v, shown);
        *ret_local += str_eq(json_str(m, "Driver", ""), "local");
    }
    return joined(&v);
}

/* What the container itself wrote, and with its image below. */
static json_t *size(const json_t *c)
{
    char own[HUMAN_TEXT], whole[HUMAN_TEXT];
    int64_t root = json_int(c, "SizeRootFs", 0);
    human_size((double)json_int(c, "SizeRw", 0), 3, own);
    if (root <= 0)
        return json_string(own);
    return json_take(str_printf("%s (virtual %s)", own, human_size((double)root, 3, whole)));
}

/* Fields in the order of the alphabet, in which docker prints {{json .}}. @param usual only those of the usual table */
static json_t *row(const json_t *c, bool whole, bool usual)
{
    char text[HUMAN_TEXT];
    int64_t created = json_int(c, "Created", 0);
    const char *id = json_str(c, "Id", "");
    int local = 0;
    json_t *r = json_object();
    json_object_set_new(r, "Command", command(c, whole));
    if (!usual)
        json_object_set_new(r, "CreatedAt", json_string(human_time(created, text)));
    json_object_set_new(r, "ID", json_take(whole ? mem_strdup(id) : human_id(id)));
    json_object_set_new(r, "Image", image(c, whole));
    if (!usual) {
        json_t *mounted = mounts(c, whole, &local);
        json_object_set_new(r, "Labels", labels(c));
        json_object_set_new(r, "LocalVolumes", json_take(str_printf("%d", local)));
        json_object_set_new(r, "Mounts", mounted);
    }
    json_object_set_new(r, "Names", names(c, whole));
    if (!usual)
        json_object_set_new(r, "Networks", networks(c));
    json_object_set_new(r, "Ports", json_take(ports_text(json_object_get(c, "Ports"))));
    json_object_set_new(r, "RunningFor", json_string(human_ago(created, text)));
    if (!usual) {
        json_object_set_new(r, "Platform", json_null());
        json_object_set_new(r, "Size", size(c));
        json_object_set_new(r, "State", json_string(json_str(c, "State", "")));
    }
    json_object_set_new(r, "Status", json_string(json_str(c, "Status", "")));
    return r;
}

/* Labels, networks and mounts are two thirds of the answer, and most of an id is half of the rest. The usual table
 * shows none of that: a goraed that reads the header leaves it out, which a thousand containers make worth it. Any
 * other daemon sends it all. */
static const struct http_field brief[] = {{"Gorae-Brief", "1"}, {NULL, NULL}};

static bool is_usual(const struct ps_options *o, const char *format)
{
    return !o->no_trunc && (o->quiet || (!format && !o->size));
}

/* {{json .}} has every field, the size too. (--format json has it as 0B, as docker's has.) */
static bool shows_all(const char *format)
{
    const char *at = format ? strstr(format, "json .") : NULL;
    return at && at[strlen("json .") + strspn(at + strlen("json ."), " ")] == '}';
}

static int ask(struct cli *cli, const struct ps_options *o, const char *format, struct reply *answer, struct err *e)
{
    autostr path = STR_INIT;
    char limit[24];
    int64_t last = o->latest && o->last <= 0 ? 1 : o->last;
    snprintf(limit, sizeof(limit), "%lld", (long long)last);
    path_start(&path, "/containers/json");
    path_flag(&path, "all", o->all);
    path_filters(&path, &o->filters);
    path_query(&path, "limit", last > 0 ? limit : NULL);
    path_flag(&path, "size", o->size || (!o->quiet && (list_mentions(format, "Size") || shows_all(format))));
    return client_request(&cli->client, "GET", path.s, is_usual(o, format) ? brief : NULL, NULL, answer, e);
}

/* Print the containers of an answer, each as soon as it is here. */
static int show(struct cli *cli, const struct ps_options *o, const char *format, struct reply *answer, struct err *e)
{
    const struct list_kind kind = {o->size ? COLUMNS "\\t{{.Size}}" : COLUMNS, headings};
    struct listing l;
    json_t *c = NULL;
    int more = 0, r = list_begin(&l, cli, &kind, format, e);
    if (r < 0)
        return cli_fail_own(cli, e);
    for (; r == 0 && (more = reply_element(answer, &c, e)) > 0; json_decref(c)) {
        json_auto_t *line = row(c, o->no_trunc, is_usual(o, format)), *methods = format ? json_object() : NULL;
        json_t *all = json_object_get(c, "Labels");
        json_object_set_new(methods, "Label", json_is_object(all) ? json_incref(all) : json_object());
        r = list_add(&l, line, methods, e);
    }
    if (list_end(&l, more < 0 ? -1 : r) == 0)
        return EXIT_OK;
    return more < 0 ? cli_fail(cli, e) : cli_fail_own(cli, e);
}

static int ps(struct cli *cli, void *options, const struct args *args)
{
    const struct ps_options *o = options;
    const char *format = o->quiet ? "{{.ID}}" : o->format;
    struct reply answer;
    struct err e;
    (void)args;
    if (o->quiet && o->format)
        fputs("WARNING: Ignoring custom format, because both --format and --quiet are set.\n", stderr);
    if (ask(cli, o, format, &answer, &e) < 0)
        return cli_fail(cli, &e);
    int code = show(cli, o, format, &answer, &e);
    reply_release(&answer);
    return code;
}

#define AT(member) offsetof(struct ps_options, member)
static const struct flag ps_flags[] = {
    {"all", 'a', FLAG_BOOL, AT(all), "Also containers that do not run", NULL, NULL},
    {"filter", 'f', FLAG_FILTER, AT(filters), "Only those that match, e.g. status=exited or name=web", NULL, NULL},
    {"format", 0, FLAG_STRING, AT(format), LIST_FORMAT_HELP, NULL, NULL},
    {"last", 'n', FLAG_INT, AT(last), "Only the last n created, in any state", NULL, NULL},
    {"latest", 'l', FLAG_BOOL, AT(latest), "Only the last created, in any state", NULL, NULL},
    {"no-trunc", 0, FLAG_BOOL, AT(no_trunc), "Do not shorten ids and commands", NULL, NULL},
    {"quiet", 'q', FLAG_BOOL, AT(quiet), "Only ids", NULL, NULL},
    {"size", 's', FLAG_BOOL, AT(size), "Also sizes, which takes the daemon a while", NULL, NULL},
    {.type = FLAG_END},
};

const struct command command_ps = {
    .summary = "List containers",
    .flags = ps_flags,
    .options = sizeof(struct ps_options),
    .run = ps,
};
