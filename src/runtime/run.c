/* `run`: create, start, wait and delete in one, for people who try a bundle by hand. With --detach it ends after the
 * start, and the container is deleted by `delete`. */
#include "runtime/create.h"
#include "runtime/args.h"
#include "runtime/seal.h"
#include "base/mem.h"
#include "base/str.h"

static int run(const struct runtime *rt, struct state *s, bool detach, struct err *e)
{
    int r = container_start(rt, s, e);
    if (r == 0 && detach)
        return 0;
    int code = r == 0 ? launch_foreground(s->pid, e) : -1;
    struct err why;
    if (container_kill(s, &why) < 0 || container_remove(rt, s, &why) < 0)
        runtime_warn(rt, "%s", why.msg);
    return code;
}

int verb_run(struct runtime *rt, int argc, char **argv, struct err *e)
{
    struct launch_options o = {0};
    const char *bundle = ".";
    bool detach = false;
    const struct arg table[] = {{"bundle", 'b', ARG_STRING, &bundle, NULL},
                                {"pid-file", 0, ARG_STRING, &o.pid_file, NULL},
                                {"console-socket", 0, ARG_STRING, &o.console_socket, NULL},
                                {"preserve-fds", 0, ARG_STRING, &o.preserve_fds, NULL},
                                {"detach", 'd', ARG_FLAG, &detach, NULL},
                                {0}};
    struct state s;
    int first = args_parse(table, argc, argv, 1, 1, e);
    if (first < 0 || seal_self(rt, e) < 0 || container_create(rt, argv[first], bundle, &o, &s, e) < 0)
        return -1;
    int r = run(rt, &s, detach, e);
    state_release(&s);
    return r;
}
