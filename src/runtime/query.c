/* `state`, `list`, `ps`: verbs that only look. */
#include "runtime/args.h"
#include "runtime/state.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

static void print_json(const json_t *j)
{
    autofree char *text = json_dumps(j, JSON_INDENT(2) | JSON_ENCODE_ANY);
    printf("%s\n", text);
}

int verb_state(struct runtime *rt, int argc, char **argv, struct err *e)
{
    const struct arg table[] = {{0}};
    struct state s;
    int first = args_parse(table, argc, argv, 1, 1, e);
    if (first < 0 || state_open(&s, rt, argv[first], false, e) < 0)
        return -1;
    json_auto_t *j = state_oci(&s, state_status(&s));
    print_json(j);
    state_release(&s);
    return 0;
}

static json_t *all_states(const struct runtime *rt, struct err *e)
{
    json_auto_t *list = json_array();
    autoclosedir DIR *d = opendir(rt->root);
    if (!d && errno != ENOENT) {
        err_sys(e, "open %s", rt->root);
        return NULL;
    }
    for (struct dirent *x; d && (x = readdir(d));) {
        struct state s;
        if (x->d_name[0] == '.' || str_eq(x->d_name, STATE_CACHE) || state_open(&s, rt, x->d_name, false, NULL) < 0)
            continue;
        json_array_append_new(list, state_oci(&s, state_status(&s)));
        state_release(&s);
    }
    return json_incref(list);
}

int verb_list(struct runtime *rt, int argc, char **argv, struct err *e)
{
    const char *format = "table";
    bool quiet = false;
    const struct arg table[] = {
        {"format", 'f', ARG_STRING, &format, NULL}, {"quiet", 'q', ARG_FLAG, &quiet, NULL}, {0}};
    size_t i;
    json_t *v;
    if (args_parse(table, argc, argv, 0, 0, e) < 0)
        return -1;
    json_auto_t *list = all_states(rt, e);
    if (!list)
        return -1;
    if (!quiet && str_eq(format, "json")) {
        print_json(list);
        return 0;
    }
    if (!quiet)
        printf("%-24s %-8s %-8s %-36s %s\n", "ID", "PID", "STATUS", "CREATED", "BUNDLE");
    json_array_foreach(list, i, v)
    {
        const char *id = json_str(v, "id", "");
        if (quiet)
            printf("%s\n", id);
        else
            printf("%-24s %-8lld %-8s %-36s %s\n", id, (long long)json_int(v, "pid", 0), json_str(v, "status", ""),
                   json_str(v, "created", ""), json_str(v, "bundle", ""));
    }
    return 0;
}

int verb_ps(struct runtime *rt, int argc, char **argv, struct err *e)
{
    const char *format = "table";
    const struct arg table[] = {{"format", 'f', ARG_STRING, &format, NULL}, {0}};
    struct state s;
    size_t i;
    json_t *v;
    int first = args_parse(table, argc, argv, 1, 1, e);
    if (first < 0 || state_open(&s, rt, argv[first], false, e) < 0)
        return -1;
    json_auto_t *pids = cgroup_pids(&s.cgroup);
    if (str_eq(format, "json")) {
        print_json(pids);
    } else {
        printf("PID\n");
        json_array_foreach(pids, i, v)
        {
            printf("%lld\n", (long long)json_integer_value(v));
        }
    }
    state_release(&s);
    return 0;
}
