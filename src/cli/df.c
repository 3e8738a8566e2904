/* system df: what takes room on the daemon's disk, and how much of it could be had back.
 *
 * The daemon gives the facts of each object; the sums are made here, as docker's client makes them: what no container
 * uses is reclaimable, of images the layers that only they have. Read next: container_list.c. */
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/human.h"
#include "cli/list.h"

#include <stdio.h>

struct df_options {
    bool verbose;
    char *format;
};

static const char *const headings[][2] = {{"Type", "TYPE"}, {"TotalCount", "TOTAL"},        {"Active", "ACTIVE"},
                                          {"Size", "SIZE"}, {"Reclaimable", "RECLAIMABLE"}, {NULL, NULL}};
static const struct list_kind sums = {"{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}", headings};

struct sum {
    size_t total, active;
    int64_t size, used; /* used: what cannot be had back */
};

static void add_sum(json_t *rows, const char *type, const struct sum *s)
{
    char size[HUMAN_TEXT], free_[HUMAN_TEXT];
    int64_t back = s->size - s->used;
    autofree char *total = str_printf("%zu", s->total), *active = str_printf("%zu", s->active);
    human_size((double)back, 4, free_);
    autofree char *reclaim =
        s->size > 0 ? str_printf("%s (%lld%%)", free_, (long long)(back * 100 / s->size)) : mem_strdup(free_);
    json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:s}", "Active", active, "Reclaimable", reclaim, "Size",
                                          human_size((double)s->size, 4, size), "TotalCount", total, "Type", type));
}

/* Layers that an active image needs stay, whoever else has them. */
static struct sum sum_images(const json_t *df)
{
    struct sum s = {.size = json_int(df, "LayersSize", 0)};
    s.total = json_array_size(json_object_get(df, "Images"));
    json_each (x, json_object_get(df, "Images")) {
        if (json_int(x, "Containers", 0) <= 0)
            continue;
        s.active++;
        s.used += json_int(x, "Size", 0) - json_int(x, "SharedSize", 0);
    }
    return s;
}

static struct sum sum_containers(const json_t *df)
{
    struct sum s = {0};
    json_each (x, json_object_get(df, "Containers")) {
        const char *state = json_str(x, "State", "");
        bool active = str_eq(state, "running") || str_eq(state, "paused") || str_eq(state, "restarting");
        s.total++;
        s.active += active;
        s.size += json_int(x, "SizeRw", 0);
        s.used += active ? json_int(x, "SizeRw", 0) : 0;
    }
    return s;
}

static struct sum sum_volumes(const json_t *df)
{
    struct sum s = {0};
    json_each (x, json_object_get(df, "Volumes")) {
        bool active = json_int(x, "UsageData.RefCount", 0) > 0;
        int64_t size = json_int(x, "UsageData.Size", 0);
        s.total++;
        s.active += active;
        s.size += size > 0 ? size : 0;
        s.used += active && size > 0 ? size : 0;
    }
    return s;
}

static struct sum sum_cache(const json_t *df)
{
    struct sum s = {0};
    json_each (x, json_object_get(df, "BuildCache")) {
        s.total++;
        s.active += json_is(x, "InUse");
        s.size += json_int(x, "Size", 0);
        s.used += json_is(x, "InUse") ? json_int(x, "Size", 0) : 0;
    }
    return s;
}

/* ---- -v: object by object ---- */

static const char *const detail_headings[][2] = {{"Repository", "REPOSITORY"},
                                                 {"Tag", "TAG"},
                                                 {"ID", "IMAGE ID"},
                                                 {"CreatedSince", "CREATED"},
                                                 {"Size", "SIZE"},
                                                 {"SharedSize", "SHARED SIZE"},
                                                 {"UniqueSize", "UNIQUE SIZE"},
                                                 {"Containers", "CONTAINERS"},
                                                 {"CID", "CONTAINER ID"},
                                                 {"Image", "IMAGE"},
                                                 {"Command", "COMMAND"},
                                                 {"LocalVolumes", "LOCAL VOLUMES"},
                                                 {"Status", "STATUS"},
                                                 {"Names", "NAMES"},
                                                 {"Name", "VOLUME NAME"},
                                                 {"Links", "LINKS"},
                                                 {NULL, NULL}};

static json_t *size_text(double bytes, int digits)
{
    char text[HUMAN_TEXT];
    return json_string(human_size(bytes, digits, text));
}

static json_t *id_text(const json_t *x)
{
    autofree char *id = human_id(json_str(x, "Id", ""));
    return json_string(id);
}

static json_t *image_row(const json_t *x)
{
    char ago[HUMAN_TEXT];
    autofree char *repo = NULL, *tag = NULL;
    const char *name = json_string_value(json_array_get(json_object_get(x, "RepoTags"), 0));
    image_split(name ? name : "<none>", &repo, &tag);
    int64_t size = json_int(x, "Size", 0), shared = json_int(x, "SharedSize", 0);
    return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "Repository", repo, "Tag", tag ? tag : "<none>", "ID",
                     id_text(x), "CreatedSince", human_ago(json_int(x, "Created", 0), ago), "Size",
                     size_text((double)size, 3), "SharedSize", size_text((double)shared, 4), "UniqueSize",
                     size_text((double)(size - shared), 4), "Containers", json_integer(json_int(x, "Containers", 0)));
}

static json_t *container_row(const json_t *x)
{
    char ago[HUMAN_TEXT];
    const char *name = json_string_value(json_array_get(json_object_get(x, "Names"), 0));
    autofree char *command = human_cut(json_str(x, "Command", ""), 20), *quoted = str_printf("\"%s\"", command);
    return json_pack("{s:o, s:s, s:s, s:i, s:o, s:s, s:s, s:s}", "CID", id_text(x), "Image", json_str(x, "Image", ""),
                     "Command", quoted, "LocalVolumes", 0, "Size", size_text((double)json_int(x, "SizeRw", 0), 3),
                     "CreatedSince", human_ago(json_int(x, "Created", 0), ago), "Status", json_str(x, "Status", ""),
                     "Names", name ? name + (*name == '/') : "");
}

static json_t *volume_row(const json_t *x)
{
    return json_pack("{s:s, s:I, s:o}", "Name", json_str(x, "Name", ""), "Links",
                     (json_int_t)json_int(x, "UsageData.RefCount", 0), "Size",
                     size_text((double)json_int(x, "UsageData.Size", 0), 3));
}

static json_t *rows_of(const json_t *list, json_t *row(const json_t *))
{
    json_t *rows = json_array();
    json_each (x, list) {
        json_array_append_new(rows, row(x));
    }
    return rows;
}

static int print_part(const struct cli *cli, const json_t *list, const char *title, const char *columns,
                      json_t *row(const json_t *), struct err *e)
{
    const struct list_kind kind = {columns, detail_headings};
    json_auto_t *rows = rows_of(list, row);
    printf("%s space usage:\n\n", title);
    int r = list_print(cli, &kind, NULL, rows, e);
    printf("\n");
    return r;
}

static int print_details(const struct cli *cli, const json_t *df, struct err *e)
{
    char size[HUMAN_TEXT];
    const struct sum cache = sum_cache(df);
    if (print_part(cli, json_object_get(df, "Images"), "Images",
                   "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}"
                   "\t{{.Containers}}",
                   image_row, e) < 0 ||
        print_part(cli, json_object_get(df, "Containers"), "Containers",
                   "{{.CID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.CreatedSince}}\t{{.Status}}"
                   "\t{{.Names}}",
                   container_row, e) < 0 ||
        print_part(cli, json_object_get(df, "Volumes"), "Local Volumes", "{{.Name}}\t{{.Links}}\t{{.Size}}", volume_row,
                   e) < 0)
        return -1;
    printf("Build cache usage: %s\n\n", human_size((double)cache.size, 4, size));
    printf("CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n");
    return 0;
}

/* -v with --format: one object of the rows that the tables would show, and not what the API calls them. */
static json_t *details(const json_t *df)
{
    json_t *containers = rows_of(json_object_get(df, "Containers"), container_row);
    json_each (row, containers) { /* among containers alone there is but one kind of id */
        json_object_set(row, "ID", json_object_get(row, "CID"));
        json_object_del(row, "CID");
    }
    return json_pack("{s:o, s:o, s:o, s:[]}", "Images", rows_of(json_object_get(df, "Images"), image_row), "Containers",
                     containers, "Volumes", rows_of(json_object_get(df, "Volumes"), volume_row), "BuildCache");
}

static int df(struct cli *cli, void *options, const struct args *args)
{
    const struct df_options *o = options;
    struct err e;
    (void)args;
    json_auto_t *j = client_json(&cli->client, "GET", "/system/df", NULL, &e), *rows = json_array();
    if (!j)
        return cli_fail(cli, &e);
    if (o->verbose && str_empty(o->format))
        return print_details(cli, j, &e) < 0 ? cli_fail_own(cli, &e) : EXIT_OK;
    if (o->verbose) {
        json_auto_t *all = details(j);
        return object_print(cli, o->format, all, &e) < 0 ? cli_fail_own(cli, &e) : EXIT_OK;
    }
    const struct sum part[] = {sum_images(j), sum_containers(j), sum_volumes(j), sum_cache(j)};
    static const char *const names[] = {"Images", "Containers", "Local Volumes", "Build Cache"};
    for (size_t i = 0; i < 4; i++)
        add_sum(rows, names[i], &part[i]);
    return list_print(cli, &sums, o->format, rows, &e) < 0 ? cli_fail_own(cli, &e) : EXIT_OK;
}

static const struct flag df_flags[] = {
    {"format", 0, FLAG_STRING, offsetof(struct df_options, format), LIST_FORMAT_HELP, NULL, NULL},
    {"verbose", 'v', FLAG_BOOL, offsetof(struct df_options, verbose), "Object by object", NULL, NULL},
    {.type = FLAG_END},
};
const struct command command_df = {
    .summary = "Show what takes room on the daemon's disk",
    .flags = df_flags,
    .options = sizeof(struct df_options),
    .run = df,
};
