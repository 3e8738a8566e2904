/* Commands that look into a running container or tidy up after stopped ones: top and container prune.
 *
 * Read next: container_stats.c, which looks again and again. */
#include "cli/command.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/human.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- top ---- */

static void add_line(const struct cli *cli, struct str *out, const json_t *words)
{
    size_t i;
    json_t *w;
    json_array_foreach(words, i, w)
    {
        if (i)
            str_addc(out, '\t');
        table_text(out, json_string_value(w), cli->out_tty);
    }
    str_addc(out, '\n');
}

static int top(struct cli *cli, void *options, const struct args *args)
{
    struct err e;
    autostr path = STR_INIT, ps = STR_INIT, lines = STR_INIT, aligned = STR_INIT;
    (void)options;
    str_reset(&ps);
    for (size_t i = 1; i < args->n; i++)
        str_addf(&ps, "%s%s", i > 1 ? " " : "", args->v[i]);
    path_start(&path, "/containers/%s/top", args->v[0]);
    path_query(&path, "ps_args", ps.len ? ps.s : NULL);
    json_auto_t *answer = client_json(&cli->client, "GET", path.s, NULL, &e);
    if (!answer)
        return cli_fail(cli, &e);
    size_t i;
    json_t *row;
    add_line(cli, &lines, json_object_get(answer, "Titles"));
    json_array_foreach(json_object_get(answer, "Processes"), i, row) add_line(cli, &lines, row);
    table_align(lines.s, &aligned);
    fputs(aligned.s, stdout);
    return EXIT_OK;
}

const struct command command_top = {
    .usage = "CONTAINER [ps OPTIONS]",
    .summary = "Show the processes of a container",
    .least = 1,
    .most = ARGS_MANY,
    .carries_command = true,
    .run = top,
};

/* ---- container prune ---- */

struct prune_options {
    bool force;
    struct strv filters;
};

static bool confirmed(const char *warning)
{
    char line[16];
    printf("WARNING! %s\nAre you sure you want to continue? [y/N] ", warning);
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) && (str_eq(line, "y\n") || str_eq(line, "Y\n"));
}

static int prune(struct cli *cli, void *options, const struct args *args)
{
    const struct prune_options *o = options;
    struct err e;
    autostr path = STR_INIT;
    char size[HUMAN_TEXT];
    size_t i;
    json_t *id;
    (void)args;
    if (!o->force && !confirmed("This will remove all stopped containers."))
        return cli_fail_own(cli, (err_set(&e, ERR_INVALID, "container prune has been cancelled"), &e));
    path_start(&path, "/containers/prune");
    path_filters(&path, &o->filters);
    json_auto_t *answer = client_json(&cli->client, "POST", path.s, NULL, &e);
    if (!answer)
        return cli_fail(cli, &e);
    const json_t *deleted = json_object_get(answer, "ContainersDeleted");
    if (json_array_size(deleted) > 0)
        puts("Deleted Containers:");
    json_array_foreach(deleted, i, id) puts(json_string_value(id));
    if (json_array_size(deleted) > 0)
        puts("");
    printf("Total reclaimed space: %s\n", human_size((double)json_int(answer, "SpaceReclaimed", 0), 4, size));
    return EXIT_OK;
}

#define PRUNE(member) offsetof(struct prune_options, member)
static const struct flag prune_flags[] = {
    {"filter", 0, FLAG_FILTER, PRUNE(filters), "Only those that match: until=24h, label=key, label!=key=value", NULL,
     NULL},
    {"force", 'f', FLAG_BOOL, PRUNE(force), "Do not ask", NULL, NULL},
    {.type = FLAG_END},
};

const struct command command_container_prune = {
    .usage = "[OPTIONS]",
    .summary = "Remove all containers that do not run",
    .flags = prune_flags,
    .options = sizeof(struct prune_options),
    .run = prune,
};
