/* gorae-runtime: the OCI runtime. Read runtime.h first.
 *
 * The command line is runc's, because that is what a container manager speaks: global options, a verb, its options, an
 * id. Exit codes: 0, or 1 with a sentence on stderr and in the log; `run` and `exec` without --detach end with the code
 * of the process. */
#include "runtime/args.h"
#include "runtime/runtime.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define DEFAULT_ROOT "/run/gorae/runtime"

static const struct {
    const char *name;
    runtime_verb *run;
    const char *about;
} verbs[] = {
    {"create", verb_create, "make a container from a bundle, and leave it waiting"},
    {"start", verb_start, "let a created container run its program"},
    {"run", verb_run, "create, start, wait and delete"},
    {"exec", verb_exec, "run a further process in a container"},
    {"state", verb_state, "print a container's state"},
    {"kill", verb_kill, "send a signal (default SIGTERM) to a container"},
    {"delete", verb_delete, "remove what is left of a container"},
    {"list", verb_list, "list the containers below --root"},
    {"ps", verb_ps, "list the processes of a container"},
    {"pause", verb_pause, "freeze a container's processes"},
    {"resume", verb_resume, "thaw them"},
    {"update", verb_update, "change a container's limits"},
    {"features", verb_features, "print what this runtime supports"},
    {"spec", verb_spec, "write an example config.json"},
    {"nursery", verb_nursery, "make an empty mount namespace, and send it to standard output"},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int help(void)
{
    printf(
        "gorae-runtime: an OCI runtime\n\n"
        "usage: gorae-runtime [--root DIR] [--log FILE] [--log-format text|json] [--systemd-cgroup] [--nursery FILE] "
        "VERB [options] [ID …]\n\n");
    for (size_t i = 0; i < VERBS; i++)
        printf("  %-10s%s\n", verbs[i].name, verbs[i].about);
    printf("\ndefault --root: " DEFAULT_ROOT "\n");
    return 0;
}

static int version(void)
{
    printf("gorae-runtime version %s\ncommit: %s\nspec: %s\n", GORAE_VERSION, GORAE_COMMIT, OCI_VERSION);
    return 0;
}

/* A program started with one of its first three descriptors closed would open something else there, and hand it to the
 * container as its standard output. */
static int fill_stdio(struct err *e)
{
    autoclose int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO) {
        fcntl(take_fd(&fd), F_SETFD, 0); /* it stays, for children too */
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    return fd < 0 ? err_sys(e, "open /dev/null") : 0;
}

static int open_log(struct runtime *rt, const char *path, const char *format, struct err *e)
{
    if (!str_eq(format, "text") && !str_eq(format, "json"))
        return err_set(e, ERR_INVALID, "--log-format is text or json, not %s", format);
    rt->log_json = str_eq(format, "json");
    if (!path)
        return 0;
    rt->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    return rt->log < 0 ? err_sys(e, "open log %s", path) : 0;
}

static int run_verb(struct runtime *rt, int argc, char **argv, struct err *e)
{
    for (size_t i = 0; i < VERBS; i++)
        if (str_eq(argv[0], verbs[i].name))
            return verbs[i].run(rt, argc, argv, e);
    return err_set(e, ERR_INVALID, "unknown verb \"%s\"; see --help", argv[0]);
}

static int dispatch(struct runtime *rt, int argc, char **argv, const char **ret_verb, struct err *e)
{
    const char *log = NULL, *format = "text", *rootless = NULL;
    bool want_help = false, want_version = false;
    const struct arg table[] = {{"root", 0, ARG_STRING, &rt->root, NULL},
                                {"nursery", 0, ARG_STRING, &rt->nursery, NULL},
                                {"log", 0, ARG_STRING, &log, NULL},
                                {"log-format", 0, ARG_STRING, &format, NULL},
                                {"debug", 0, ARG_FLAG, &rt->debug, NULL},
                                {"rootless", 0, ARG_STRING, &rootless, NULL},
                                {"systemd-cgroup", 0, ARG_FLAG, &rt->systemd, NULL},
                                {"help", 'h', ARG_FLAG, &want_help, NULL},
                                {"version", 'v', ARG_FLAG, &want_version, NULL},
                                {0}};
    int first = args_parse(table, argc, argv, 0, -1, e);
    if (first < 0)
        return -1;
    if (want_version)
        return version();
    if (want_help || first == argc)
        return help();
    *ret_verb = argv[first];
    if (open_log(rt, log, format, e) < 0)
        return -1;
    return run_verb(rt, argc - first, argv + first, e);
}

int main(int argc, char **argv)
{
    struct runtime rt = {.root = DEFAULT_ROOT, .log = -1, .argv = argv};
    struct err e = {0};
    const char *verb = "";
    mem_setup();
    signal(SIGCHLD, SIG_DFL); /* ignored by our caller, it would keep us from waiting for our children */
    trace_program("runtime");
    trace_from_env();
    int code = fill_stdio(&e) < 0 ? -1 : dispatch(&rt, argc, argv, &verb, &e);
    if (code < 0)
        runtime_error(&rt, verb, &e);
    return code < 0 ? 1 : code;
}
