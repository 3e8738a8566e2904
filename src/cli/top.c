/* top: one look at the processes of a container.
 *
 * Read next: container_stats.c, which looks again and again. */
#include "cli/command.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>

static void add_line(const struct cli *cli, struct str *out, const json_t *words)
{
    json_each (w, words) {
        if (w_at)
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
    add_line(cli, &lines, json_object_get(answer, "Titles"));
    json_each (row, json_object_get(answer, "Processes"))
        add_line(cli, &lines, row);
    table_align(lines.s, &aligned);
    fputs(aligned.s, stdout);
    return EXIT_OK;
}

const struct command command_top = {
    .usage = "CONTAINER [ps OPTIONS]",
    .summary = "Show the processes of a container",
    .carries_command = true,
    .run = top,
};
