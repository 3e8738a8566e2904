/* The commands about the daemon itself: version and events. (info has its own file.)
 *
 * `version` shows both halves of the conversation and the API version they agreed on: the first thing to look at when a
 * client and a daemon of different age do not understand each other. It prints the client's half even where no daemon
 * answers. `events` follows a stream that never ends by itself.
 * Read next: info.c. */
#include "cli/command.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/endpoint.h"
#include "cli/list.h"
#include "cli/table.h"
#include "cli/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>

/* ---- version ---- */

struct version_options {
    char *format;
};

/* The machine's name as the API spells it. */
static const char *architecture(const char *machine)
{
    static const char *const known[][2] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (str_eq(machine, known[i][0]))
            return known[i][1];
    return machine;
}

static json_t *client_version(const struct cli *cli)
{
    struct utsname u;
    const char *machine = uname(&u) == 0 ? u.machine : "unknown";
    const char *spoken = *cli->client.version ? cli->client.version : CLIENT_API_MAX;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Version", GORAE_VERSION, "ApiVersion", spoken,
                     "DefaultAPIVersion", CLIENT_API_MAX, "GitCommit", GORAE_COMMIT, "Os", "linux", "Arch",
                     architecture(machine), "Context", cli->daemon->context);
}

static void line(const char *indent, const char *name, const char *value)
{
    if (!str_empty(value))
        printf("%s%-*s %s\n", indent, 19 - (int)strlen(indent), name, value);
}

static void print_client(const json_t *c)
{
    const char *spoken = json_str(c, "ApiVersion", ""), *own = json_str(c, "DefaultAPIVersion", "");
    autofree char *api = str_printf(str_eq(spoken, own) ? "%s" : "%s (downgraded from %s)", spoken, own);
    autofree char *arch = str_printf("%s/%s", json_str(c, "Os", ""), json_str(c, "Arch", ""));
    printf("Client: gorae\n");
    line(" ", "Version:", json_str(c, "Version", ""));
    line(" ", "API version:", api);
    line(" ", "Git commit:", json_str(c, "GitCommit", ""));
    line(" ", "OS/Arch:", arch);
    line(" ", "Context:", json_str(c, "Context", ""));
}

static void print_component(const json_t *c)
{
    static const char *const engine[][2] = {{"Go version:", "GoVersion"},
                                            {"Git commit:", "GitCommit"},
                                            {"Built:", "BuildTime"},
                                            {"Kernel:", "KernelVersion"}};
    const json_t *d = json_object_get(c, "Details");
    const char *api = json_str(d, "ApiVersion", NULL);
    printf(" %s:\n", json_str(c, "Name", "?"));
    line("  ", "Version:", json_str(c, "Version", ""));
    if (api) {
        autofree char *versions = str_printf("%s (minimum version %s)", api, json_str(d, "MinAPIVersion", "?"));
        line("  ", "API version:", versions);
    }
    for (size_t i = 0; i < sizeof(engine) / sizeof(*engine); i++)
        line("  ", engine[i][0], json_str(d, engine[i][1], ""));
    if (json_str(d, "Os", NULL)) {
        autofree char *arch = str_printf("%s/%s", json_str(d, "Os", ""), json_str(d, "Arch", ""));
        line("  ", "OS/Arch:", arch);
    }
}

static void print_server(const json_t *s)
{
    const char *platform = json_str(s, "Platform.Name", "");
    printf("\nServer:%s%s\n", *platform ? " " : "", platform);
    json_each (c, json_object_get(s, "Components"))
        print_component(c);
    if (json_array_size(json_object_get(s, "Components")) > 0)
        return;
    /* Daemons before API 1.35 list no components: make one of what they say. */
    json_auto_t *engine =
        json_pack("{s:s, s:s, s:O}", "Name", "Engine", "Version", json_str(s, "Version", ""), "Details", (json_t *)s);
    print_component(engine);
}

static int version(struct cli *cli, void *options, const struct args *args)
{
    const struct version_options *o = options;
    struct err e, bad;
    (void)args;
    json_auto_t *server = client_json(&cli->client, "GET", "/version", NULL, &e);
    json_auto_t *client = client_version(cli);
    if (!str_empty(o->format)) {
        json_auto_t *both = json_pack("{s:O, s:O*}", "Client", client, "Server", server);
        if (object_print(cli, o->format, both, &bad) < 0)
            return cli_fail_own(cli, &bad);
    } else {
        print_client(client);
        if (server)
            print_server(server);
    }
    return server ? EXIT_OK : cli_fail(cli, &e);
}

/* ---- events ---- */

struct events_options {
    struct strv filters;
    char *format, *since, *until;
};

/* "2026-11-23T20:25:35.240539131+01:00": local time, so that it compares with the clock on the wall. */
static void add_local_time(struct str *out, int64_t ns)
{
    time_t seconds = (time_t)(ns / NS_PER_S);
    struct tm tm;
    char text[40], zone[8];
    if (!localtime_r(&seconds, &tm))
        return;
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(zone, sizeof(zone), "%z", &tm);
    str_addf(out, "%s.%09lld", text, (long long)(ns % NS_PER_S));
    if (tm.tm_gmtoff == 0)
        str_addc(out, 'Z');
    else
        str_addf(out, "%.3s:%s", zone, zone + 3);
}

static void add_attributes(struct str *out, const json_t *attributes)
{
    size_t n;
    autofree const char **key = json_sorted_keys(attributes, &n);
    for (size_t i = 0; i < n; i++)
        str_addf(out, "%s%s=%s", i ? ", " : " (", key[i], json_str(json_object_get(attributes, key[i]), "", ""));
    str_add(out, n ? ")" : "");
}

static void print_event(const struct cli *cli, const json_t *event)
{
    autostr text = STR_INIT, safe = STR_INIT;
    int64_t ns = json_int(event, "timeNano", 0);
    add_local_time(&text, ns ? ns : json_int(event, "time", 0) % (INT64_MAX / NS_PER_S) * NS_PER_S);
    str_addf(&text, " %s %s %s", json_str(event, "Type", ""), json_str(event, "Action", ""),
             json_str(event, "Actor.ID", ""));
    add_attributes(&text, json_at(event, "Actor.Attributes"));
    table_text(&safe, text.s, cli->out_tty);
    printf("%s\n", safe.s);
}

static int follow(struct cli *cli, struct reply *r, const char *format, struct err *e)
{
    json_t *event;
    int more;
    while ((more = reply_next(r, &event, e)) > 0) {
        int bad = 0;
        if (str_empty(format))
            print_event(cli, event);
        else
            bad = object_print(cli, format, event, e);
        json_decref(event);
        fflush(stdout);
        if (bad < 0)
            return -1;
    }
    return more;
}

static int events(struct cli *cli, void *options, const struct args *args)
{
    const struct events_options *o = options;
    autostr path = STR_INIT;
    struct reply r;
    struct err e;
    (void)args;
    path_start(&path, "/events");
    path_filters(&path, &o->filters);
    if (path_time(&path, "since", o->since, &e) < 0 || path_time(&path, "until", o->until, &e) < 0)
        return cli_fail_own(cli, &e);
    if (client_request(&cli->client, "GET", path.s, NULL, NULL, &r, &e) < 0)
        return cli_fail(cli, &e);
    int result = follow(cli, &r, o->format, &e);
    reply_release(&r);
    return result < 0 ? cli_fail_own(cli, &e) : EXIT_OK;
}

/* ---- who they are ---- */

#define EVENTS(member) offsetof(struct events_options, member)

static const struct flag version_flags[] = {
    {"format", 'f', FLAG_STRING, offsetof(struct version_options, format), OBJECT_FORMAT_HELP, NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag events_flags[] = {
    {"filter", 'f', FLAG_FILTER, EVENTS(filters), "Only those that match, e.g. event=die or container=web", NULL, NULL},
    {"format", 0, FLAG_STRING, EVENTS(format), OBJECT_FORMAT_HELP, NULL, NULL},
    {"since", 0, FLAG_STRING, EVENTS(since), "Begin with those since then: a date, or 10m for ten minutes ago", NULL,
     NULL},
    {"until", 0, FLAG_STRING, EVENTS(until), "End then, instead of never", NULL, NULL},
    {.type = FLAG_END},
};

const struct command command_version = {
    .summary = "Show the versions of client and daemon",
    .flags = version_flags,
    .options = sizeof(struct version_options),
    .run = version,
};
const struct command command_events = {
    .summary = "Watch what happens in the daemon",
    .flags = events_flags,
    .options = sizeof(struct events_options),
    .run = events,
};
