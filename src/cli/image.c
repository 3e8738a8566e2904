/* The commands that read and name images: images, history, rmi, tag.
 *
 * An image is an id; names are tags on it. `images` therefore prints a row for each tag, and one with <none> for an
 * image that has lost its last; `rmi NAME` takes a tag away, and the image goes with the last one. The client does not
 * complete names (busybox is docker.io/library/busybox:latest): the daemon does, so all clients agree. Read next:
 * image_io.c (import, load, save), list.c. */
#include "cli/command.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/human.h"
#include "cli/list.h"
#include "cli/value.h"

#include <stdio.h>
#include <stdlib.h>

#define NONE             "<none>"
#define CREATED_BY_CHARS 45

/* ---- images ---- */

struct images_options {
    bool all, digests, no_trunc, quiet;
    char *format;
    struct strv filters;
};

static const char *const image_headings[][2] = {
    {"ID", "IMAGE ID"},
    {"Repository", "REPOSITORY"},
    {"Tag", "TAG"},
    {"Digest", "DIGEST"},
    {"CreatedSince", "CREATED"},
    {"CreatedAt", "CREATED AT"},
    {"Size", "SIZE"},
    {"Containers", "CONTAINERS"},
    {"SharedSize", "SHARED SIZE"},
    {"UniqueSize", "UNIQUE SIZE"},
    {"VirtualSize", "VIRTUAL SIZE"},
    {NULL, NULL},
};

static json_t *image_row(const json_t *image, bool whole, const char *repo, const char *tag, const char *digest)
{
    char ago[HUMAN_TEXT], at[HUMAN_TEXT], size[HUMAN_TEXT], virtual[HUMAN_TEXT];
    const char *id = json_str(image, "Id", "");
    int64_t created = json_int(image, "Created", 0), bytes = json_int(image, "Size", 0);
    json_t *r = json_object();
    json_object_set_new(r, "Containers", json_string("N/A"));
    json_object_set_new(r, "CreatedAt", json_string(human_time(created, at)));
    json_object_set_new(r, "CreatedSince", json_string(human_ago(created, ago)));
    json_object_set_new(r, "Digest", json_string(digest));
    json_object_set_new(r, "ID", json_take(whole ? mem_strdup(id) : human_id(id)));
    json_object_set_new(r, "Repository", json_string(repo));
    json_object_set_new(r, "SharedSize", json_string("N/A"));
    json_object_set_new(r, "Size", json_string(human_size((double)bytes, 3, size)));
    json_object_set_new(r, "Tag", json_string(tag));
    json_object_set_new(r, "UniqueSize", json_string("N/A"));
    json_object_set_new(r, "VirtualSize", json_string(human_size((double)bytes, 4, virtual)));
    return r;
}

/* The digest that the image had in the registry under this repository, or <none>. */
static const char *digest_in(const json_t *image, const char *repo)
{
    size_t n = strlen(repo);
    json_each (d, json_object_get(image, "RepoDigests")) {
        const char *s = json_string_value(d);
        if (s && strncmp(s, repo, n) == 0 && s[n] == '@')
            return s + n + 1;
    }
    return NONE;
}

static bool is_nameless(const char *name)
{
    return str_starts(name, NONE); /* what daemons before API 1.43 send instead of an empty list */
}

/* A row for each tag; without tags one for each repository that it was pulled from by digest; at least one. */
static void add_image_rows(json_t *rows, const json_t *image, bool whole)
{
    size_t i, before = json_array_size(rows);
    json_each (name, json_object_get(image, "RepoTags")) {
        autofree char *repo = NULL, *tag = NULL;
        image_split(json_string_value(name) ? json_string_value(name) : NONE, &repo, &tag);
        if (!is_nameless(repo))
            json_array_append_new(rows, image_row(image, whole, repo, tag ? tag : NONE, digest_in(image, repo)));
    }
    for (i = 0; json_array_size(rows) == before && i < json_array_size(json_object_get(image, "RepoDigests")); i++) {
        autofree char *repo = NULL, *digest = NULL;
        const char *s = json_string_value(json_array_get(json_object_get(image, "RepoDigests"), i));
        image_split(s ? s : NONE, &repo, &digest);
        if (!is_nameless(repo))
            json_array_append_new(rows, image_row(image, whole, repo, NONE, digest ? digest : NONE));
    }
    if (json_array_size(rows) == before)
        json_array_append_new(rows, image_row(image, whole, NONE, NONE, NONE));
}

static json_t *fetch_images(struct cli *cli, const struct images_options *o, const char *name, struct err *e)
{
    autostr path = STR_INIT;
    autostrv filters = {0};
    for (size_t i = 0; i < o->filters.n; i++)
        strv_add(&filters, o->filters.v[i]);
    if (name)
        strv_addf(&filters, "reference=%s", name);
    path_start(&path, "/images/json");
    path_flag(&path, "all", o->all);
    path_filters(&path, &filters);
    return client_json(&cli->client, "GET", path.s, NULL, e);
}

static int images(struct cli *cli, void *options, const struct args *args)
{
    const struct images_options *o = options;
    const struct list_kind kind = {
        o->digests ? "{{.Repository}}\\t{{.Tag}}\\t{{.Digest}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}"
                   : "{{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}",
        image_headings};
    const char *format = o->quiet && !o->format ? "{{.ID}}" : o->format;
    struct err e;
    json_auto_t *answer = fetch_images(cli, o, args->n ? args->v[0] : NULL, &e);
    if (!answer)
        return cli_fail(cli, &e);
    json_auto_t *rows = json_array();
    json_each (image, answer)
        add_image_rows(rows, image, o->no_trunc);
    return list_print(cli, &kind, format, rows, &e) < 0 ? cli_fail_own(cli, &e) : EXIT_OK;
}

/* ---- history ---- */

struct history_options {
    bool human, no_trunc, quiet;
    char *format, *platform;
};

static const char *const history_headings[][2] = {
    {"ID", "IMAGE"},
    {"CreatedSince", "CREATED"},
    {"CreatedAt", "CREATED AT"},
    {"CreatedBy", "CREATED BY"},
    {"Size", "SIZE"},
    {"Comment", "COMMENT"},
    {NULL, NULL},
};

static char *step_text(const char *created_by, bool whole)
{
    char *text = whole ? mem_strdup(created_by) : human_cut(created_by, CREATED_BY_CHARS);
    for (char *p = text; *p; p++)
        if (*p == '\t')
            *p = ' ';
    return text;
}

static json_t *history_row(const json_t *step, const struct history_options *o)
{
    char text[CLOCK_TEXT + HUMAN_TEXT], size[HUMAN_TEXT];
    const char *id = json_str(step, "Id", "<missing>");
    int64_t created = json_int(step, "Created", 0), bytes = json_int(step, "Size", 0);
    json_t *r = json_object();
    json_object_set_new(r, "Comment", json_string(json_str(step, "Comment", "")));
    clock_format(created > 0 && created < INT64_MAX / NS_PER_S ? created * NS_PER_S : 0, text);
    size_t n = strcspn(text, ".Z"); /* whole seconds */
    snprintf(text + n, sizeof(text) - n, "Z");
    json_object_set_new(r, "CreatedAt", json_string(text));
    json_object_set_new(r, "CreatedBy", json_take(step_text(json_str(step, "CreatedBy", ""), o->no_trunc)));
    json_object_set_new(r, "CreatedSince", json_string(human_ago(created, text)));
    json_object_set_new(r, "ID", *id == '<' ? json_string(id) : json_take(o->no_trunc ? mem_strdup(id) : human_id(id)));
    if (o->human)
        human_size((double)bytes, 3, size);
    else
        snprintf(size, sizeof(size), "%lld", (long long)bytes);
    json_object_set_new(r, "Size", json_string(size));
    return r;
}

static int history(struct cli *cli, void *options, const struct args *args)
{
    const struct history_options *o = options;
    const struct list_kind kind = {o->human ? "{{.ID}}\\t{{.CreatedSince}}\\t{{.CreatedBy}}\\t{{.Size}}\\t{{.Comment}}"
                                            : "{{.ID}}\\t{{.CreatedAt}}\\t{{.CreatedBy}}\\t{{.Size}}\\t{{.Comment}}",
                                   history_headings};
    struct err e;
    autostr path = STR_INIT;
    path_start(&path, "/images/%s/history", args->v[0]);
    path_query(&path, "platform", o->platform);
    json_auto_t *answer = client_json(&cli->client, "GET", path.s, NULL, &e);
    if (!answer)
        return cli_fail(cli, &e);
    json_auto_t *rows = json_array();
    json_each (step, answer)
        json_array_append_new(rows, history_row(step, o));
    const char *format = o->quiet && !o->format ? "{{.ID}}" : o->format;
    return list_print(cli, &kind, format, rows, &e) < 0 ? cli_fail_own(cli, &e) : EXIT_OK;
}

/* ---- rmi, tag ---- */

struct rmi_options {
    bool force, no_prune;
};

static void print_removed(const json_t *records)
{
    json_each (r, records) {
        if (json_object_get(r, "Untagged"))
            printf("Untagged: %s\n", json_str(r, "Untagged", ""));
        if (json_object_get(r, "Deleted"))
            printf("Deleted: %s\n", json_str(r, "Deleted", ""));
    }
}

static int rmi(struct cli *cli, void *options, const struct args *args)
{
    const struct rmi_options *o = options;
    int result = EXIT_OK;
    for (size_t i = 0; i < args->n; i++) {
        struct err e;
        autostr path = STR_INIT;
        path_start(&path, "/images/%s", args->v[i]);
        path_flag(&path, "force", o->force);
        path_flag(&path, "noprune", o->no_prune);
        json_auto_t *records = client_json(&cli->client, "DELETE", path.s, NULL, &e);
        int code = records ? EXIT_OK : cli_fail(cli, &e);
        if (records)
            print_removed(records);
        else if (!(o->force && cli->client.status == 404)) /* as rm -f: what is not there is as wished */
            result = code;
    }
    return result;
}

static int tag(struct cli *cli, void *options, const struct args *args)
{
    struct err e;
    autostr path = STR_INIT;
    autofree char *repo = NULL, *name = NULL;
    (void)options;
    image_split(args->v[1], &repo, &name);
    if (strchr(args->v[1], '@'))
        return cli_fail(
            cli, (err_set(&e, ERR_INVALID, "invalid target \"%s\": a digest cannot be given away", args->v[1]), &e));
    path_start(&path, "/images/%s/tag", args->v[0]);
    path_query(&path, "repo", repo);
    path_query(&path, "tag", name ? name : "latest");
    return client_call(&cli->client, "POST", path.s, NULL, &e) < 0 ? cli_fail(cli, &e) : EXIT_OK;
}

/* ---- who they are ---- */

#define IMAGES(member)  offsetof(struct images_options, member)
#define HISTORY(member) offsetof(struct history_options, member)
#define RMI(member)     offsetof(struct rmi_options, member)

static const struct flag images_flags[] = {
    {"all", 'a', FLAG_BOOL, IMAGES(all), "Also the unnamed ones that others are built on", NULL, NULL},
    {"digests", 0, FLAG_BOOL, IMAGES(digests), "Show the digests they have in registries", NULL, NULL},
    {"filter", 'f', FLAG_FILTER, IMAGES(filters), "Only those that match, e.g. dangling=true", NULL, NULL},
    {"format", 0, FLAG_STRING, IMAGES(format), LIST_FORMAT_HELP, NULL, NULL},
    {"no-trunc", 0, FLAG_BOOL, IMAGES(no_trunc), "Do not shorten ids", NULL, NULL},
    {"quiet", 'q', FLAG_BOOL, IMAGES(quiet), "Only ids", NULL, NULL},
    {"tree", 0, FLAG_REFUSED, 0, NULL, IMAGE_ONE_PLATFORM, NULL},
    {.type = FLAG_END},
};
static const struct flag history_flags[] = {
    {"format", 0, FLAG_STRING, HISTORY(format), LIST_FORMAT_HELP, NULL, NULL},
    {"human", 'H', FLAG_BOOL, HISTORY(human), "Sizes and times for people", NULL, "true"},
    {"no-trunc", 0, FLAG_BOOL, HISTORY(no_trunc), "Do not shorten", NULL, NULL},
    {"platform", 0, FLAG_STRING, HISTORY(platform), "Platform of the image (os[/arch[/variant]])", NULL, NULL},
    {"quiet", 'q', FLAG_BOOL, HISTORY(quiet), "Only ids", NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag rmi_flags[] = {
    {"force", 'f', FLAG_BOOL, RMI(force), "Also where a stopped container or several tags are in the way", NULL, NULL},
    {"no-prune", 0, FLAG_BOOL, RMI(no_prune), "Keep unnamed parents", NULL, NULL},
    {"platform", 0, FLAG_REFUSED, 0, NULL, IMAGE_ONE_PLATFORM, NULL},
    {.type = FLAG_END},
};

const struct command command_images = {
    .usage = "[REPOSITORY[:TAG]]",
    .summary = "List images",
    .flags = images_flags,
    .options = sizeof(struct images_options),
    .run = images,
};
const struct command command_history = {
    .usage = "IMAGE",
    .summary = "Show the steps that an image was made in",
    .flags = history_flags,
    .options = sizeof(struct history_options),
    .run = history,
};
const struct command command_rmi = {
    .usage = "IMAGE [IMAGE...]",
    .summary = "Take tags off images, and remove those without",
    .flags = rmi_flags,
    .options = sizeof(struct rmi_options),
    .run = rmi,
};
const struct command command_tag = {
    .usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    .summary = "Give an image another name",
    .run = tag,
};
