/* stats: a table of what containers use, renewed about every second.
 *
 * Every round asks the daemon for one reading of each container, at once (one-shot=1), and compares it with the reading
 * of the round before: so one connection and no thread suffice, however many there are. Without arguments each round
 * also asks which containers run, so that new ones appear and ended ones go.
 *
 * CPU % is the container's share of one CPU, so two busy CPUs are 200 %. Memory is without the file cache that the
 * kernel would give back at once. Read next: engine/stats.c, where the numbers come from. */
#include "cli/command.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/human.h"
#include "cli/list.h"
#include "cli/value.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

struct stats_options {
    bool all, no_stream, no_trunc;
    char *format;
};

/* Docker's arithmetic: own time over the machine's, in CPUs. 0 without two readings. */
static double cpu_percent(const json_t *now, const json_t *before)
{
    double own = (double)(json_int(now, "cpu_usage.total_usage", 0) - json_int(before, "cpu_usage.total_usage", 0));
    double all = (double)(json_int(now, "system_cpu_usage", 0) - json_int(before, "system_cpu_usage", 0));
    int64_t cpus = json_int(now, "online_cpus", 0);
    if (cpus == 0)
        cpus = (int64_t)json_array_size(json_at(now, "cpu_usage.percpu_usage"));
    return json_int(before, "system_cpu_usage", 0) > 0 && own > 0 && all > 0 ? own / all * (double)cpus * 100 : 0;
}

static int64_t memory_used(const json_t *m)
{
    int64_t usage = json_int(m, "usage", 0);
    int64_t cache = json_int(m, "stats.total_inactive_file", json_int(m, "stats.inactive_file", 0));
    return cache < usage ? usage - cache : usage;
}

static json_t *traffic(const json_t *networks, const json_t *io)
{
    double rx = 0, tx = 0, rd = 0, wr = 0;
    char a[HUMAN_TEXT], b[HUMAN_TEXT], c[HUMAN_TEXT], d[HUMAN_TEXT];
    json_each_pair (name, v, networks) {
        rx += (double)json_int(v, "rx_bytes", 0);
        tx += (double)json_int(v, "tx_bytes", 0);
    }
    json_each (v, io) {
        int op = tolower((unsigned char)*json_str(v, "op", ""));
        rd += op == 'r' ? (double)json_int(v, "value", 0) : 0;
        wr += op == 'w' ? (double)json_int(v, "value", 0) : 0;
    }
    return json_pack("{s:o, s:o}", "NetIO",
                     json_take(str_printf("%s / %s", human_size(rx, 3, a), human_size(tx, 3, b))), "BlockIO",
                     json_take(str_printf("%s / %s", human_size(rd, 3, c), human_size(wr, 3, d))));
}

static json_t *make_row(const char *typed, const json_t *s, const json_t *before, bool whole)
{
    char used[HUMAN_TEXT], limit[HUMAN_TEXT];
    const json_t *m = json_object_get(s, "memory_stats");
    double most = (double)json_int(m, "limit", 0), use = (double)memory_used(m);
    const char *name = json_str(s, "name", "");
    json_t *row = traffic(json_object_get(s, "networks"), json_at(s, "blkio_stats.io_service_bytes_recursive"));
    json_object_set_new(row, "Container", json_word(typed));
    json_object_set_new(row, "Name", json_word(name + (*name == '/')));
    json_object_set_new(row, "ID",
                        whole ? json_word(json_str(s, "id", "")) : json_take(human_id(json_str(s, "id", ""))));
    json_object_set_new(row, "CPUPerc",
                        json_take(str_printf("%.2f%%", cpu_percent(json_object_get(s, "cpu_stats"), before))));
    json_object_set_new(row, "MemUsage",
                        json_take(str_printf("%s / %s", human_memory(use, used), human_memory(most, limit))));
    json_object_set_new(row, "MemPerc", json_take(str_printf("%.2f%%", most > 0 ? use / most * 100 : 0)));
    json_object_set_new(row, "PIDs", json_take(str_printf("%lld", (long long)json_int(s, "pids_stats.current", 0))));
    return row;
}

/* Whom to ask: those that were named, or all that run. */
static int choose(struct cli *cli, const struct stats_options *o, const struct args *args, struct strv *names,
                  struct err *e)
{
    size_t i;
    for (i = 0; i < args->n; i++)
        strv_add(names, args->v[i]);
    if (args->n > 0)
        return 0;
    json_auto_t *list =
        client_json(&cli->client, "GET", o->all ? "/containers/json?all=1" : "/containers/json", NULL, e);
    json_each (c, list)
        strv_add(names, json_str(c, "Id", ""));
    return list ? 0 : -1;
}

/* One round: a row for each. `past` is the last reading of each, by id. A container may go between being listed and
 * being asked for; only a name that somebody typed is missed, and only the first time. */
static int gather(struct cli *cli, const struct stats_options *o, const struct args *args, json_t *past, bool first,
                  json_t *rows, struct err *e)
{
    autostrv names = {0};
    if (choose(cli, o, args, &names, e) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        json_auto_t *s = cli_ask(cli, "GET", "containers", names.v[i], "/stats?stream=0&one-shot=1", NULL, e);
        if (!s && e->kind == ERR_NOT_FOUND && !(first && args->n > 0))
            continue;
        if (!s)
            return -1;
        const char *id = json_str(s, "id", "");
        const json_t *before = json_object_get(past, id);
        if (!before)
            before = json_object_get(s, "precpu_stats"); /* of a daemon that does not know one-shot */
        const char *name = json_str(s, "name", ""), *typed = args->n > 0 ? names.v[i] : name + (*name == '/');
        json_array_append_new(rows, make_row(typed, s, before, o->no_trunc));
        json_object_set(past, id, json_object_get(s, "cpu_stats"));
    }
    return 0;
}

static const struct list_kind kind = {
    .columns =
        "{{.ID}}\\t{{.Name}}\\t{{.CPUPerc}}\\t{{.MemUsage}}\\t{{.MemPerc}}\\t{{.NetIO}}\\t{{.BlockIO}}\\t{{.PIDs}}",
    .heading = (const char *const[][2]){{"ID", "CONTAINER ID"},
                                        {"Name", "NAME"},
                                        {"Container", "CONTAINER"},
                                        {"CPUPerc", "CPU %"},
                                        {"MemUsage", "MEM USAGE / LIMIT"},
                                        {"MemPerc", "MEM %"},
                                        {"NetIO", "NET I/O"},
                                        {"BlockIO", "BLOCK I/O"},
                                        {"PIDs", "PIDS"},
                                        {NULL, NULL}},
};

static int stats(struct cli *cli, void *options, const struct args *args)
{
    const struct stats_options *o = options;
    struct err e;
    json_auto_t *past = json_object();
    for (unsigned round = 0;; round++) {
        json_auto_t *rows = json_array();
        if (gather(cli, o, args, past, round == 0, rows, &e) < 0)
            return cli_fail(cli, &e);
        bool over = args->n > 0 && json_array_size(rows) == 0;
        /* The first reading has no percentages yet: --no-stream waits for the second, a screen shows it meanwhile. */
        if (!over && !(o->no_stream && round == 0)) {
            if (cli->out_tty && !o->no_stream)
                fputs("\033[H\033[J", stdout); /* ECMA-48: to the upper left, erase what is below */
            if (list_print(cli, &kind, o->format, rows, &e) < 0)
                return cli_fail_own(cli, &e);
            fflush(stdout);
        }
        if (over || (o->no_stream && round == 1) || ferror(stdout))
            return EXIT_OK;
        sleep(1);
    }
}

#define STATS(member) offsetof(struct stats_options, member)
static const struct flag stats_flags[] = {
    {"all", 'a', FLAG_BOOL, STATS(all), "Those that do not run, too", NULL, NULL},
    {"format", 0, FLAG_STRING, STATS(format), LIST_FORMAT_HELP, NULL, NULL},
    {"no-stream", 0, FLAG_BOOL, STATS(no_stream), "Print one table, with the percentages of a second, and end", NULL,
     NULL},
    {"no-trunc", 0, FLAG_BOOL, STATS(no_trunc), "Do not shorten ids", NULL, NULL},
    {.type = FLAG_END},
};

const struct command command_stats = {
    .usage = "[CONTAINER...]",
    .summary = "Show what containers use: CPU, memory, network, block I/O, processes",
    .flags = stats_flags,
    .options = sizeof(struct stats_options),
    .run = stats,
};
