/* The daemon's command line: see options.h. Names and defaults are dockerd's where it has them (spec 8.1).
 *
 * getopt_long(3) does the reading. Every path is made absolute here, because a daemon's working folder means nothing to
 * the shims and runtimes that it starts. */
#include "api/options.h"
#include "base/mem.h"
#include "base/spawn.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    OPT_DATA_ROOT = 256,
    OPT_EXEC_ROOT,
    OPT_ADD_RUNTIME,
    OPT_DEFAULT_RUNTIME,
    OPT_LABEL,
    OPT_LIVE_RESTORE,
    OPT_SHUTDOWN_TIMEOUT,
    OPT_CGROUP_PARENT,
    OPT_HELP,
    OPT_STATE_MACHINE
};

static const struct option longs[] = {
    {"host", required_argument, NULL, 'H'},
    {"cgroup-parent", required_argument, NULL, OPT_CGROUP_PARENT},
    {"data-root", required_argument, NULL, OPT_DATA_ROOT},
    {"exec-root", required_argument, NULL, OPT_EXEC_ROOT},
    {"pidfile", required_argument, NULL, 'p'},
    {"group", required_argument, NULL, 'G'},
    {"debug", no_argument, NULL, 'D'},
    {"add-runtime", required_argument, NULL, OPT_ADD_RUNTIME},
    {"default-runtime", required_argument, NULL, OPT_DEFAULT_RUNTIME},
    {"label", required_argument, NULL, OPT_LABEL},
    {"live-restore", no_argument, NULL, OPT_LIVE_RESTORE},
    {"shutdown-timeout", required_argument, NULL, OPT_SHUTDOWN_TIMEOUT},
    {"state-machine", no_argument, NULL, OPT_STATE_MACHINE},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

const char *options_help(void)
{
    return "Usage:  goraed [OPTIONS]\n\n"
           "The container daemon: it owns the containers and images, and answers the Docker Engine API.\n\n"
           "Options:\n"
           "      --add-runtime NAME=PATH   Register another OCI runtime\n"
           "      --cgroup-parent PATH      Cgroup that holds the containers' (default \"/gorae\")\n"
           "      --data-root PATH          Root of what must last (default \"" DEFAULT_DATA_ROOT "\")\n"
           "  -D, --debug                   Log more\n"
           "      --default-runtime NAME    Runtime of containers that name none (default \"gorae\")\n"
           "      --exec-root PATH          Root of running state (default \"" DEFAULT_EXEC_ROOT "\")\n"
           "  -G, --group NAME              Group that may use the unix socket (default \"" DEFAULT_GROUP "\")\n"
           "  -H, --host ADDRESS            Socket to listen on, may be given several times\n"
           "                                (default \"" DEFAULT_HOST "\")\n"
           "      --label KEY=VALUE         Label of this daemon, shown by info\n"
           "      --live-restore            Leave containers running when the daemon stops\n"
           "  -p, --pidfile PATH            File that holds the daemon's pid (default \"" DEFAULT_PIDFILE "\")\n"
           "      --shutdown-timeout SECS   Time that containers have to stop with the daemon (default 15, -1 for "
           "ever)\n"
           "      --state-machine           Print the states of a container as a graphviz digraph and exit\n"
           "  -v, --version                 Print the version and exit\n"
           "      --help                    Print this and exit\n";
}

static char *absolute(const char *path)
{
    autofree char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    return here ? str_printf("%s/%s", here, path) : mem_strdup(path);
}

static void set(char **slot, char *value)
{
    free(*slot);
    *slot = value;
}

static int add_runtime(struct options *o, const char *name, const char *path, struct err *e)
{
    for (size_t i = 0; i < o->nruntimes; i++)
        if (str_eq(o->runtimes[i].name, name))
            return err_set(e, ERR_INVALID, "--add-runtime: the runtime %s is there already", name);
    o->runtimes = mem_resize(o->runtimes, o->nruntimes + 1, sizeof(*o->runtimes));
    o->runtimes[o->nruntimes++] = (struct engine_runtime){mem_strdup(name), mem_strdup(path)};
    return 0;
}

static int parse_runtime(struct options *o, const char *text, struct err *e)
{
    const char *eq = strchr(text, '=');
    if (!eq || eq == text || eq[1] != '/')
        return err_set(e, ERR_INVALID, "--add-runtime %s: NAME=/absolute/path is expected", text);
    if (access(eq + 1, X_OK) < 0)
        return err_sys(e, "--add-runtime %s: %s", text, eq + 1);
    autofree char *name = mem_strndup(text, (size_t)(eq - text));
    return add_runtime(o, name, eq + 1, e);
}

static int parse_host(struct options *o, const char *text, struct err *e)
{
    if (str_starts(text, "unix://") && text[7] != '\0') {
        autofree char *path = absolute(text + 7);
        strv_addf(&o->hosts, "unix://%s", path);
        return 0;
    }
    if (str_starts(text, "tcp://") || str_starts(text, "fd://"))
        return err_set(e, ERR_NOT_IMPLEMENTED,
                       "-H %s: only unix:// is supported yet; tcp:// and fd:// come with the step on the "
                       "daemon's options",
                       text);
    return err_set(e, ERR_INVALID, "-H %s: unix:///path is expected", text);
}

static int parse_label(struct options *o, const char *text, struct err *e)
{
    const char *eq = strchr(text, '=');
    if (!eq || eq == text)
        return err_set(e, ERR_INVALID, "--label %s: KEY=VALUE is expected", text);
    json_array_append_new(o->labels, json_string(text));
    return 0;
}

static int parse_cgroup(struct options *o, const char *text, struct err *e)
{
    if (*text != '/' || text[1] == '\0' || strstr(text, "..") || str_ends(text, "/"))
        return err_set(e, ERR_INVALID,
                       "--cgroup-parent %s: an absolute path below the root of the hierarchy is expected", text);
    set(&o->cgroup_parent, mem_strdup(text));
    return 0;
}

static int parse_timeout(struct options *o, const char *text, struct err *e)
{
    int64_t v;
    if (!str_to_i64(text, &v) || v < -1 || v > 86400)
        return err_set(e, ERR_INVALID, "--shutdown-timeout %s: a number of seconds from -1 to 86400 is expected", text);
    o->shutdown_timeout = (int)v;
    return 0;
}

static int one(struct options *o, int c, struct err *e)
{
    switch (c) {
    case 'H': return parse_host(o, optarg, e);
    case OPT_DATA_ROOT: set(&o->data_root, absolute(optarg)); return 0;
    case OPT_EXEC_ROOT: set(&o->exec_root, absolute(optarg)); return 0;
    case 'p': set(&o->pidfile, absolute(optarg)); return 0;
    case 'G': set(&o->group, mem_strdup(optarg)); return 0;
    case 'D': o->debug = true; return 0;
    case OPT_ADD_RUNTIME: return parse_runtime(o, optarg, e);
    case OPT_DEFAULT_RUNTIME: set(&o->default_runtime, mem_strdup(optarg)); return 0;
    case OPT_CGROUP_PARENT: return parse_cgroup(o, optarg, e);
    case OPT_LABEL: return parse_label(o, optarg, e);
    case OPT_LIVE_RESTORE: o->live_restore = true; return 0;
    case OPT_SHUTDOWN_TIMEOUT: return parse_timeout(o, optarg, e);
    case 'v': o->action = ACTION_VERSION; return 0;
    case OPT_HELP: o->action = ACTION_HELP; return 0;
    case OPT_STATE_MACHINE: o->action = ACTION_STATE_MACHINE; return 0;
    default: return -1;
    }
}

static int check(struct options *o, struct err *e)
{
    bool known = false;
    if (o->action != ACTION_RUN)
        return 0;
    autofree char *own = spawn_sibling("gorae-runtime", e);
    if (!own || add_runtime(o, "gorae", own, e) < 0)
        return -1;
    for (size_t i = 0; i < o->nruntimes; i++)
        known = known || str_eq(o->runtimes[i].name, o->default_runtime);
    if (!known)
        return err_set(e, ERR_INVALID, "--default-runtime %s: no such runtime was added", o->default_runtime);
    if (o->hosts.n == 0)
        strv_add(&o->hosts, DEFAULT_HOST);
    return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct err *e)
{
    *o = (struct options){
        .data_root = mem_strdup(DEFAULT_DATA_ROOT),
        .exec_root = mem_strdup(DEFAULT_EXEC_ROOT),
        .pidfile = mem_strdup(DEFAULT_PIDFILE),
        .group = mem_strdup(DEFAULT_GROUP),
        .default_runtime = mem_strdup("gorae"),
        .cgroup_parent = mem_strdup("/gorae"),
        .labels = json_array(),
        .shutdown_timeout = 15,
    };
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":H:p:G:Dv", longs, NULL)) != -1;) {
        const char *word = argv[optind - 1];
        if (c == ':')
            return err_set(e, ERR_INVALID, "option %s needs a value", word);
        if (c == '?')
            return err_set(e, ERR_INVALID, "unknown option: %s", word);
        if (one(o, c, e) < 0)
            return -1;
    }
    if (optind < argc)
        return err_set(e, ERR_INVALID, "unexpected argument: %s", argv[optind]);
    return check(o, e);
}

void options_release(struct options *o)
{
    strv_release(&o->hosts);
    free(o->data_root);
    free(o->exec_root);
    free(o->pidfile);
    free(o->group);
    free(o->default_runtime);
    free(o->cgroup_parent);
    json_decref(o->labels);
    for (size_t i = 0; i < o->nruntimes; i++) {
        free(o->runtimes[i].name);
        free(o->runtimes[i].path);
    }
    free(o->runtimes);
}
