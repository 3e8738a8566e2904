/* Commands that tidy up: container prune, image prune, and system prune, which asks for each kind in turn.
 *
 * One row of `kinds` is one request (Docker Engine API: POST /containers/prune and so on); a command is a choice of
 * rows. The order is that of need: a container holds on to networks, volumes and its image, so it goes first.
 *
 * Read next: df.c, which tells what there is to reclaim. */
#include "cli/command.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/human.h"

#include <stdio.h>
#include <stdlib.h>

enum kind { CONTAINERS = 1, NETWORKS = 2, VOLUMES = 4, IMAGES = 8, BUILD_CACHE = 16 };

struct prune_options {
    bool all, force, volumes;
    struct strv filters;
};

static const struct {
    enum kind kind;
    const char *path, *member; /* "/PATH/prune"; the member of the answer that lists what was removed */
    const char *heading;
    const char *promise, *promise_all; /* "This will remove …"; with --all */
} kinds[] = {
    {CONTAINERS, "containers", "ContainersDeleted", "Deleted Containers:", "all stopped containers",
     "all stopped containers"},
    {NETWORKS, "networks", "NetworksDeleted", "Deleted Networks:", "all networks that no container uses",
     "all networks that no container uses"},
    {VOLUMES, "volumes", "VolumesDeleted", "Deleted Volumes:", "all anonymous volumes that no container uses",
     "all anonymous volumes that no container uses"},
    {IMAGES, "images", "ImagesDeleted", "Deleted Images:", "all dangling images",
     "all images without a container that uses them"},
    {BUILD_CACHE, "build", "CachesDeleted", "Deleted build cache objects:", "the dangling build cache",
     "the whole build cache"},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

/* One thing is named in a sentence, several as a list. */
static void warn(unsigned which, const struct prune_options *o)
{
    bool several = (which & (which - 1)) != 0;
    printf("WARNING! This will remove%s", several ? ":\n" : " ");
    for (size_t i = 0; i < KINDS; i++)
        if (which & kinds[i].kind)
            printf("%s%s%s", several ? "  - " : "", o->all ? kinds[i].promise_all : kinds[i].promise,
                   several ? "\n" : ".\n");
    if (o->filters.n > 0)
        puts("Only what these filters let through:");
    for (size_t i = 0; i < o->filters.n; i++)
        printf("  - %s\n", o->filters.v[i]);
}

static bool confirmed(void)
{
    char line[16];
    printf("Are you sure you want to continue? [y/N] ");
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) && (str_eq(line, "y\n") || str_eq(line, "Y\n"));
}

/* An id, a name, or (of an image) what was done with it. */
static void print_removed(const char *heading, const json_t *removed)
{
    if (json_array_size(removed) == 0)
        return;
    puts(heading);
    json_each (v, removed) {
        const char *untagged = json_str(v, "Untagged", NULL), *deleted = json_str(v, "Deleted", NULL);
        if (untagged)
            printf("untagged: %s\n", untagged);
        if (deleted)
            printf("deleted: %s\n", deleted);
        if (json_is_string(v))
            puts(json_string_value(v));
    }
    puts("");
}

/* One request. @return the bytes that became free, or -1 */
static int64_t prune_kind(struct cli *cli, size_t k, const struct prune_options *o, struct err *e)
{
    autostr path = STR_INIT;
    autostrv filters = {0};
    for (size_t i = 0; i < o->filters.n; i++)
        strv_add(&filters, o->filters.v[i]);
    if (kinds[k].kind == IMAGES)
        strv_addf(&filters, "dangling=%s", o->all ? "false" : "true");
    path_start(&path, "/%s/prune", kinds[k].path);
    path_flag(&path, "all", kinds[k].kind == BUILD_CACHE && o->all);
    path_filters(&path, &filters);
    json_auto_t *answer = client_json(&cli->client, "POST", path.s, NULL, e);
    if (!answer)
        return -1;
    print_removed(kinds[k].heading, json_object_get(answer, kinds[k].member));
    return json_int(answer, "SpaceReclaimed", 0); /* networks take no space: there it is absent */
}

static unsigned kinds_of(const struct cli *cli, const struct prune_options *o)
{
    if (str_starts(cli->path, "container"))
        return CONTAINERS;
    if (str_starts(cli->path, "image"))
        return IMAGES;
    return CONTAINERS | NETWORKS | (o->volumes ? VOLUMES : 0) | IMAGES | BUILD_CACHE;
}

static int prune(struct cli *cli, void *options, const struct args *args)
{
    const struct prune_options *o = options;
    struct err e;
    char size[HUMAN_TEXT];
    int64_t freed = 0;
    unsigned which = kinds_of(cli, o);
    (void)args;
    for (size_t i = 0; o->volumes && i < o->filters.n; i++)
        if (str_starts(o->filters.v[i], "until="))
            return cli_fail_own(
                cli, (err_set(&e, ERR_INVALID, "--volumes and --filter until: a volume has no such moment"), &e));
    if (!o->force) {
        warn(which, o);
        if (!confirmed())
            return cli_fail_own(cli, (err_set(&e, ERR_INVALID, "%s has been cancelled", cli->path), &e));
    }
    for (size_t k = 0; k < KINDS; k++) {
        if (!(which & kinds[k].kind))
            continue;
        int64_t n = prune_kind(cli, k, o, &e);
        if (n < 0)
            return cli_fail(cli, &e);
        freed += n;
    }
    printf("Total reclaimed space: %s\n", human_size((double)freed, 4, size));
    return EXIT_OK;
}

#define PRUNE(member) offsetof(struct prune_options, member)
#define FILTER_AND_FORCE                                                                                          \
    {"filter", 0,   FLAG_FILTER, PRUNE(filters), "Only those that match: until=24h, label=key, label!=key=value", \
     NULL,     NULL},                                                                                             \
    {                                                                                                             \
        "force", 'f', FLAG_BOOL, PRUNE(force), "Do not ask", NULL, NULL                                           \
    }

static const struct flag container_flags[] = {
    FILTER_AND_FORCE,
    {.type = FLAG_END},
};
static const struct flag image_flags[] = {
    {"all", 'a', FLAG_BOOL, PRUNE(all), "All that no container uses, not only those without a name", NULL, NULL},
    FILTER_AND_FORCE,
    {.type = FLAG_END},
};
static const struct flag system_flags[] = {
    {"all", 'a', FLAG_BOOL, PRUNE(all), "All images that no container uses, not only those without a name", NULL, NULL},
    FILTER_AND_FORCE,
    {"volumes", 0, FLAG_BOOL, PRUNE(volumes), "Anonymous volumes too", NULL, NULL},
    {.type = FLAG_END},
};

const struct command command_container_prune = {
    .summary = "Remove all containers that do not run",
    .flags = container_flags,
    .options = sizeof(struct prune_options),
    .run = prune,
};

const struct command command_image_prune = {
    .summary = "Remove images that nothing uses",
    .flags = image_flags,
    .options = sizeof(struct prune_options),
    .run = prune,
};

const struct command command_system_prune = {
    .summary = "Remove whatever nothing uses",
    .flags = system_flags,
    .options = sizeof(struct prune_options),
    .run = prune,
};
