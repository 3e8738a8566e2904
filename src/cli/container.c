/* The commands that act on containers by one call each: stop, restart, kill, pause, wait, rename, rm; and port and
 * logs, which read.
 *
 * They are as thin as they look: the client turns words into a request and the answer into words, all knowledge of what
 * stopping means is the daemon's. Commands that take several containers ask for one after the other, report each, and
 * fail at the end if any failed.
 * Read next: attach.c (start, attach), run.c, container_list.c (ps). */
#include "cli/command.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/create.h"
#include "cli/session.h"
#include "cli/value.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- stop, kill, wait, rename, rm ---- */

struct stop_options {
    char *signal;
    int64_t timeout;
};

/* stop and restart: the API calls them as we do. */
static int stop(struct cli *cli, void *options, const struct args *args)
{
    const struct stop_options *o = options;
    autostr rest = STR_INIT;
    char seconds[24];
    snprintf(seconds, sizeof(seconds), "%lld", (long long)o->timeout);
    path_start(&rest, strstr(cli->path, "restart") ? "/restart" : "/stop");
    path_query(&rest, "signal", o->signal);
    path_query(&rest, "t", o->timeout == FLAG_UNSET_VALUE ? NULL : seconds);
    return cli_each(cli, args, "POST", "containers", rest.s, true);
}

static int kill_(struct cli *cli, void *options, const struct args *args)
{
    const struct stop_options *o = options;
    autostr rest = STR_INIT;
    path_start(&rest, "/kill");
    path_query(&rest, "signal", o->signal);
    return cli_each(cli, args, "POST", "containers", rest.s, true);
}

/* pause and unpause: likewise. */
static int freeze(struct cli *cli, void *options, const struct args *args)
{
    (void)options;
    return cli_each(cli, args, "POST", "containers", strstr(cli->path, "unpause") ? "/unpause" : "/pause", true);
}

static int wait_(struct cli *cli, void *options, const struct args *args)
{
    int result = EXIT_OK;
    (void)options;
    for (size_t i = 0; i < args->n; i++) {
        struct err e;
        json_auto_t *j = cli_ask(cli, "POST", "containers", args->v[i], "/wait", NULL, &e);
        if (j)
            printf("%lld\n", (long long)json_int(j, "StatusCode", 0));
        else
            result = cli_fail(cli, &e);
        fflush(stdout);
    }
    return result;
}

static int rename_(struct cli *cli, void *options, const struct args *args)
{
    struct err e;
    autostr path = STR_INIT;
    (void)options;
    path_start(&path, "/containers/%s/rename", args->v[0]);
    path_query(&path, "name", args->v[1]);
    return client_call(&cli->client, "POST", path.s, NULL, &e) < 0 ? cli_fail(cli, &e) : EXIT_OK;
}

struct rm_options {
    bool force, link, volumes;
};

static int rm(struct cli *cli, void *options, const struct args *args)
{
    const struct rm_options *o = options;
    autostr rest = STR_INIT;
    str_reset(&rest);
    path_flag(&rest, "force", o->force);
    path_flag(&rest, "link", o->link);
    path_flag(&rest, "v", o->volumes);
    int result = EXIT_OK;
    for (size_t i = 0; i < args->n; i++) {
        int one = cli_each(cli, &(struct args){args->v + i, 1}, "DELETE", "containers", rest.s, true);
        /* To force means that it be gone. What is not there is told of, and that is no failure. */
        if (one != EXIT_OK && !(o->force && cli->client.status == 404))
            result = one;
        if (one != EXIT_OK && cli->client.status == 0)
            break; /* no daemon: one message is enough */
    }
    return result;
}

/* ---- port ---- */

static int by_key(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    long p = strtol(x, NULL, 10), q = strtol(y, NULL, 10);
    return p != q ? (p < q ? -1 : 1) : strcmp(x, y);
}

static void print_bindings(const char *prefix, const json_t *bindings)
{
    json_each (b, bindings) {
        const char *ip = json_str(b, "HostIp", "");
        printf(strchr(ip, ':') ? "%s[%s]:%s\n" : "%s%s:%s\n", prefix, ip, json_str(b, "HostPort", ""));
    }
}

static void print_all_ports(json_t *ports)
{
    size_t n;
    autofree const char **key = json_sorted_keys(ports, &n);
    qsort(key, n, sizeof(*key), by_key);
    for (size_t i = 0; i < n; i++) {
        autofree char *prefix = str_printf("%s -> ", key[i]);
        print_bindings(prefix, json_object_get(ports, key[i]));
    }
}

static int port(struct cli *cli, void *options, const struct args *args)
{
    struct err e;
    (void)options;
    json_auto_t *c = cli_ask(cli, "GET", "containers", args->v[0], "/json", NULL, &e);
    if (!c)
        return cli_fail(cli, &e);
    json_t *ports = json_at(c, "NetworkSettings.Ports");
    if (args->n == 1) {
        print_all_ports(ports);
        return EXIT_OK;
    }
    autofree char *key = str_printf("%s%s", args->v[1], strchr(args->v[1], '/') ? "" : "/tcp");
    const json_t *bindings = json_object_get(ports, key);
    if (json_array_size(bindings) == 0) {
        fprintf(stderr, "Error: no public port '%s' is published for %s\n", key, args->v[0]);
        return EXIT_FAILED;
    }
    print_bindings("", bindings);
    return EXIT_OK;
}

/* ---- logs ---- */

struct logs_options {
    bool details, follow, timestamps;
    char *since, *until, *tail;
};

static int logs_path(struct str *path, const struct logs_options *o, const char *id, struct err *e)
{
    path_start(path, "/containers/%s/logs", id);
    path_flag(path, "details", o->details);
    path_flag(path, "follow", o->follow);
    path_flag(path, "stderr", true);
    path_flag(path, "stdout", true);
    path_query(path, "tail", str_eq(o->tail, "all") ? NULL : o->tail);
    path_flag(path, "timestamps", o->timestamps);
    return path_time(path, "since", o->since, e) < 0 ? -1 : path_time(path, "until", o->until, e);
}

static int copy_logs(struct cli *cli, const char *path, bool tty, struct err *e)
{
    struct session s = SESSION_INIT;
    struct reply r;
    char part[16384];
    ssize_t n;
    s.cli = cli;
    s.tty = tty;
    if (client_request(&cli->client, "GET", path, NULL, NULL, &r, e) < 0)
        return cli_fail(cli, e);
    while ((n = reply_read(&r, part, sizeof(part), e)) > 0) {
        if (session_print(&s, part, (size_t)n, e) < 0) {
            n = -1;
            break;
        }
    }
    reply_release(&r);
    session_close(&s);
    return n < 0 ? cli_fail_own(cli, e) : EXIT_OK;
}

static int logs(struct cli *cli, void *options, const struct args *args)
{
    struct err e;
    autostr path = STR_INIT;
    json_auto_t *c = cli_ask(cli, "GET", "containers", args->v[0], "/json", NULL, &e);
    if (!c)
        return cli_fail(cli, &e);
    if (logs_path(&path, options, json_str(c, "Id", ""), &e) < 0)
        return cli_fail_own(cli, &e);
    return copy_logs(cli, path.s, json_is(c, "Config.Tty"), &e);
}

/* ---- who they are ---- */

#define STOP(member) offsetof(struct stop_options, member)
#define RM(member)   offsetof(struct rm_options, member)
#define LOGS(member) offsetof(struct logs_options, member)

static const struct flag stop_flags[] = {
    {"signal", 's', FLAG_STRING, STOP(signal), "Signal to send first, instead of the container's own", NULL, NULL},
    {"time", 0, FLAG_INT, STOP(timeout), NULL, NULL, FLAG_UNSET},
    {"timeout", 't', FLAG_INT, STOP(timeout), "Seconds to wait before it is killed; -1 for ever", NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag kill_flags[] = {
    {"signal", 's', FLAG_STRING, STOP(signal), "Signal to send (default KILL)", NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag rm_flags[] = {
    {"force", 'f', FLAG_BOOL, RM(force), "Kill it first if it runs", NULL, NULL},
    {"link", 'l', FLAG_BOOL, RM(link), "Remove a link, not the container", NULL, NULL},
    {"volumes", 'v', FLAG_BOOL, RM(volumes), "Remove its anonymous volumes too", NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag logs_flags[] = {
    {"details", 0, FLAG_BOOL, LOGS(details), "Show the attributes that the log driver keeps", NULL, NULL},
    {"follow", 'f', FLAG_BOOL, LOGS(follow), "Go on until it ends", NULL, NULL},
    {"since", 0, FLAG_STRING, LOGS(since), "Only lines since then: a date, or 10m for ten minutes ago", NULL, NULL},
    {"tail", 'n', FLAG_STRING, LOGS(tail), "Only the last n lines", NULL, "all"},
    {"timestamps", 't', FLAG_BOOL, LOGS(timestamps), "Begin each line with its time", NULL, NULL},
    {"until", 0, FLAG_STRING, LOGS(until), "Only lines before then", NULL, NULL},
    {.type = FLAG_END},
};

const struct command command_stop = {
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Ask running containers to end, and kill those that do not",
    .flags = stop_flags,
    .options = sizeof(struct stop_options),
    .run = stop,
};
const struct command command_restart = {
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Stop containers and start them again",
    .flags = stop_flags,
    .options = sizeof(struct stop_options),
    .run = stop,
};
const struct command command_kill = {
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Send a signal to running containers",
    .flags = kill_flags,
    .options = sizeof(struct stop_options),
    .run = kill_,
};
const struct command command_pause = {
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Freeze all processes of containers",
    .run = freeze,
};
const struct command command_unpause = {
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Let the processes of paused containers go on",
    .run = freeze,
};
const struct command command_wait = {
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Wait until containers end, then print their exit codes",
    .run = wait_,
};
const struct command command_rename = {
    .usage = "CONTAINER NEW_NAME",
    .summary = "Rename a container",
    .run = rename_,
};
const struct command command_rm = {
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Remove containers",
    .flags = rm_flags,
    .options = sizeof(struct rm_options),
    .run = rm,
};
const struct command command_port = {
    .usage = "CONTAINER [PORT[/PROTOCOL]]",
    .summary = "Show where the ports of a container are published",
    .run = port,
};
const struct command command_logs = {
    .usage = "CONTAINER",
    .summary = "Show what a container has printed",
    .flags = logs_flags,
    .options = sizeof(struct logs_options),
    .run = logs,
};
