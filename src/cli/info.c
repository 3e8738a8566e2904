/* `gorae info`: the daemon and its machine on one page.
 *
 * GET /info is one large object. The page is a table of lines: what to call a value, where it is, how to print it; a
 * line whose value the daemon did not send is left out, since daemons differ in age. The daemon's warnings go to
 * standard error, where a script that reads the page does not find them. Read next: system.c. */
#include "cli/command.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/human.h"
#include "cli/list.h"
#include "cli/value.h"

#include <stdio.h>
#include <stdlib.h>

struct info_options {
    char *format;
};

enum how { PLAIN, MEMORY, LIST, KEYS, PAIRS, IDS };

static const struct entry {
    int indent;
    const char *name, *path;
    enum how how;
} entries[] = {
    {1, "Containers", "Containers", PLAIN},
    {2, "Running", "ContainersRunning", PLAIN},
    {2, "Paused", "ContainersPaused", PLAIN},
    {2, "Stopped", "ContainersStopped", PLAIN},
    {1, "Images", "Images", PLAIN},
    {1, "Server Version", "ServerVersion", PLAIN},
    {1, "Storage Driver", "Driver", PLAIN},
    {2, NULL, "DriverStatus", PAIRS},
    {1, "Logging Driver", "LoggingDriver", PLAIN},
    {1, "Cgroup Driver", "CgroupDriver", PLAIN},
    {1, "Cgroup Version", "CgroupVersion", PLAIN},
    {1, "Volume Plugins", "Plugins.Volume", LIST},
    {1, "Network Plugins", "Plugins.Network", LIST},
    {1, "Log Plugins", "Plugins.Log", LIST},
    {1, "Swarm", "Swarm.LocalNodeState", PLAIN},
    {1, "Runtimes", "Runtimes", KEYS},
    {1, "Default Runtime", "DefaultRuntime", PLAIN},
    {1, "Init Binary", "InitBinary", PLAIN},
    {1, "containerd version", "ContainerdCommit.ID", PLAIN},
    {1, "runc version", "RuncCommit.ID", PLAIN},
    {1, "Security Options", "SecurityOptions", IDS},
    {1, "Kernel Version", "KernelVersion", PLAIN},
    {1, "Operating System", "OperatingSystem", PLAIN},
    {1, "OSType", "OSType", PLAIN},
    {1, "Architecture", "Architecture", PLAIN},
    {1, "CPUs", "NCPU", PLAIN},
    {1, "Total Memory", "MemTotal", MEMORY},
    {1, "Name", "Name", PLAIN},
    {1, "ID", "ID", PLAIN},
    {1, "Root Dir", "DockerRootDir", PLAIN},
    {1, "Debug Mode", "Debug", PLAIN},
    {1, "HTTP Proxy", "HttpProxy", PLAIN},
    {1, "HTTPS Proxy", "HttpsProxy", PLAIN},
    {1, "No Proxy", "NoProxy", PLAIN},
    {1, "Labels", "Labels", IDS},
    {1, "Experimental", "ExperimentalBuild", PLAIN},
    {1, "Insecure Registries", "RegistryConfig.InsecureRegistryCIDRs", IDS},
    {1, "Registry Mirrors", "RegistryConfig.Mirrors", IDS},
    {1, "Live Restore Enabled", "LiveRestoreEnabled", PLAIN},
};

static void print_words(const struct entry *x, const json_t *list)
{
    printf("%*s%s:", x->indent, "", x->name);
    json_each (v, list)
        printf(" %s", json_string_value(v) ? json_string_value(v) : "");
    printf("\n");
}

static void print_keys(const struct entry *x, json_t *map)
{
    size_t n;
    autofree const char **key = json_sorted_keys(map, &n);
    printf("%*s%s:", x->indent, "", x->name);
    for (size_t i = 0; i < n; i++)
        printf(" %s", key[i]);
    printf("\n");
}

static void print_lines(const struct entry *x, const json_t *list)
{
    if (json_array_size(list) > 0)
        printf("%*s%s:\n", x->indent, "", x->name);
    json_each (v, list) {
        /* "name=seccomp,profile=builtin" */
        const char *s = json_string_value(v) ? json_string_value(v) : "";
        printf("%*s%s\n", x->indent + 1, "", str_starts(s, "name=") ? s + 5 : s);
    }
}

static void print_pairs(const struct entry *x, const json_t *list)
{
    json_each (v, list) {
        const char *key = json_string_value(json_array_get(v, 0)), *value = json_string_value(json_array_get(v, 1));
        printf("%*s%s: %s\n", x->indent, "", key ? key : "", value ? value : "");
    }
}

static void print_plain(const struct entry *x, const json_t *v)
{
    autostr text = STR_INIT;
    char memory[HUMAN_TEXT];
    if (json_is_string(v))
        str_add(&text, json_string_value(v));
    else if (json_is_integer(v) && x->how == MEMORY)
        str_add(&text, human_memory((double)json_integer_value(v), memory));
    else if (json_is_integer(v))
        str_addf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else
        str_add(&text, json_is_true(v) ? "true" : "false");
    if (text.len > 0)
        printf("%*s%s: %s\n", x->indent, "", x->name, text.s);
}

static void print_entry(const struct entry *x, const json_t *info)
{
    json_t *v = json_at(info, x->path);
    if (!v || json_is_null(v))
        return;
    switch (x->how) {
    case LIST: print_words(x, v); break;
    case KEYS: print_keys(x, v); break;
    case PAIRS: print_pairs(x, v); break;
    case IDS: print_lines(x, v); break;
    default: print_plain(x, v); break;
    }
}

static void print_page(const json_t *info)
{
    size_t i;
    for (i = 0; i < sizeof(entries) / sizeof(*entries); i++)
        print_entry(&entries[i], info);
    printf("\n");
    fflush(stdout);
    json_each (w, json_object_get(info, "Warnings"))
        fprintf(stderr, "%s\n", json_string_value(w) ? json_string_value(w) : "");
}

static int info(struct cli *cli, void *options, const struct args *args)
{
    const struct info_options *o = options;
    struct err e;
    (void)args;
    json_auto_t *j = client_json(&cli->client, "GET", "/info", NULL, &e);
    bool page = str_empty(o->format);
    if (page)
        printf("Client: gorae\n Version: %s\n\nServer:\n", GORAE_VERSION);
    if (!j)
        return cli_fail(cli, &e);
    json_object_set_new(j, "ClientInfo", json_pack("{s:s}", "Version", GORAE_VERSION));
    if (page)
        print_page(j);
    else if (object_print(cli, o->format, j, &e) < 0)
        return cli_fail_own(cli, &e);
    return EXIT_OK;
}

static const struct flag info_flags[] = {
    {"format", 'f', FLAG_STRING, offsetof(struct info_options, format), OBJECT_FORMAT_HELP, NULL, NULL},
    {.type = FLAG_END},
};

const struct command command_info = {
    .summary = "Show the daemon's state and its machine",
    .flags = info_flags,
    .options = sizeof(struct info_options),
    .run = info,
};
