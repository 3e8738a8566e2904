/* What a container has become: export its files, diff them, commit them as an image.
 *
 * All the work is the daemon's. The names that `diff` prints were chosen by whoever lives in the container, so on a
 * terminal their control bytes are shown and not obeyed. Read next: copy.c. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/table.h"

#include <stdio.h>

struct export_options {
    char *output;
};

static int export(struct cli *cli, void *options, const struct args *args)
{
    const struct export_options *o = options;
    autostr path = STR_INIT;
    path_start(&path, "/containers/%s/export", args->v[0]);
    return cli_save(cli, path.s, o->output);
}

static int diff(struct cli *cli, void *options, const struct args *args)
{
    static const char letter[] = "CAD"; /* the API's kinds 0, 1, 2 */
    autostr out = STR_INIT;
    struct err e;
    (void)options;
    json_auto_t *list = cli_ask(cli, "GET", "containers", args->v[0], "/changes", NULL, &e);
    if (!list)
        return cli_fail(cli, &e);
    str_reset(&out);
    json_each (x, list) {
        json_int_t kind = json_int(x, "Kind", -1);
        str_addf(&out, "%c ", kind >= 0 && kind < 3 ? letter[kind] : '?');
        table_text(&out, json_str(x, "Path", ""), cli->out_tty);
        str_addc(&out, '\n');
    }
    fputs(out.s, stdout);
    return EXIT_OK;
}

struct commit_options {
    char *author, *message;
    struct strv change;
    bool pause;
};

static int commit(struct cli *cli, void *options, const struct args *args)
{
    const struct commit_options *o = options;
    autofree char *repo = NULL, *tag = NULL;
    autostr path = STR_INIT;
    struct err e;
    if (args->n > 1)
        image_split(args->v[1], &repo, &tag);
    path_start(&path, "/commit");
    path_query(&path, "author", o->author);
    for (size_t i = 0; i < o->change.n; i++)
        path_query(&path, "changes", o->change.v[i]);
    path_query(&path, "comment", o->message);
    path_query(&path, "container", args->v[0]);
    path_query(&path, "pause", o->pause ? NULL : "0");
    path_query(&path, "repo", repo);
    path_query(&path, "tag", tag);
    json_auto_t *made = client_json(&cli->client, "POST", path.s, NULL, &e);
    if (!made)
        return cli_fail(cli, &e);
    puts(json_str(made, "Id", ""));
    return EXIT_OK;
}

#define COMMIT(member) offsetof(struct commit_options, member)

static const struct flag export_flags[] = {
    {"output", 'o', FLAG_STRING, offsetof(struct export_options, output),
     "Write to this file instead of standard output", NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag commit_flags[] = {
    {"author", 'a', FLAG_STRING, COMMIT(author), "Who made it, e.g. 'Ada <ada@example.org>'", NULL, NULL},
    {"change", 'c', FLAG_LIST, COMMIT(change), "Apply a line of a Dockerfile, e.g. 'CMD [\"sh\"]'", NULL, NULL},
    {"message", 'm', FLAG_STRING, COMMIT(message), "Comment for the image's history", NULL, NULL},
    {"pause", 'p', FLAG_BOOL, COMMIT(pause), "Pause the container meanwhile", NULL, "true"},
    {.type = FLAG_END},
};

const struct command command_export = {
    .usage = "CONTAINER",
    .summary = "Write all files of a container into a tar archive",
    .flags = export_flags,
    .options = sizeof(struct export_options),
    .run = export,
};
const struct command command_diff = {
    .usage = "CONTAINER",
    .summary = "List the files that a container has added (A), changed (C) or deleted (D)",
    .run = diff,
};
const struct command command_commit = {
    .usage = "CONTAINER [REPOSITORY[:TAG]]",
    .summary = "Make an image of a container's changes",
    .flags = commit_flags,
    .options = sizeof(struct commit_options),
    .run = commit,
};
