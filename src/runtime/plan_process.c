/* The plan, "process": who the process is, what it runs, what it may do. Used for a container's first process and for
 * those that `exec` adds.
 *
 * Users are numbers here. Names were looked up by the daemon, in the image's own files; a runtime that looked them up
 * again could come to another answer. */
#include "runtime/plan.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/capability.h>

static int read_id(const json_t *user, const char *key, uint32_t *ret, struct err *e)
{
    const json_t *v = json_object_get(user, key);
    json_int_t n = v ? json_integer_value(v) : 0;
    /* 4294967295 is (uid_t)-1, which setuid(2) and chown(2) take for "leave as it is". */
    if ((v && !json_is_integer(v)) || n < 0 || n >= UINT32_MAX)
        return err_set(e, ERR_INVALID, "process.user.%s is not a number from 0 to 4294967294", key);
    *ret = (uint32_t)n;
    return 0;
}

static int read_user(struct plan_process *p, const json_t *user, struct err *e)
{
    const json_t *groups = json_object_get(user, "additionalGids");
    int64_t mask = json_int(user, "umask", -1);
    if (read_id(user, "uid", &p->uid, e) < 0 || read_id(user, "gid", &p->gid, e) < 0)
        return -1;
    if (mask < -1 || mask > 0777)
        return err_set(e, ERR_INVALID, "process.user.umask is out of range");
    p->umask = (int)mask;
    p->ngroups = json_array_size(groups);
    if (p->ngroups > PLAN_GROUPS_MAX)
        return err_set(e, ERR_INVALID, "process.user.additionalGids has more than %d entries", PLAN_GROUPS_MAX);
    p->groups = mem_alloc((p->ngroups + 1) * sizeof(*p->groups));
    for (size_t i = 0; i < p->ngroups; i++) {
        const json_t *v = json_array_get(groups, i);
        json_int_t n = json_integer_value(v);
        if (!json_is_integer(v) || n < 0 || n >= UINT32_MAX)
            return err_set(e, ERR_INVALID, "entry %zu of process.user.additionalGids is not a group number", i);
        p->groups[i] = (gid_t)n;
    }
    return 0;
}

static int read_limit(struct plan_rlimit *l, const json_t *j, struct err *e)
{
    static const struct {
        const char *name;
        int resource;
    } known[] = {{"RLIMIT_AS", RLIMIT_AS},
                 {"RLIMIT_CORE", RLIMIT_CORE},
                 {"RLIMIT_CPU", RLIMIT_CPU},
                 {"RLIMIT_DATA", RLIMIT_DATA},
                 {"RLIMIT_FSIZE", RLIMIT_FSIZE},
                 {"RLIMIT_LOCKS", RLIMIT_LOCKS},
                 {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
                 {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
                 {"RLIMIT_NICE", RLIMIT_NICE},
                 {"RLIMIT_NOFILE", RLIMIT_NOFILE},
                 {"RLIMIT_NPROC", RLIMIT_NPROC},
                 {"RLIMIT_RSS", RLIMIT_RSS},
                 {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
                 {"RLIMIT_RTTIME", RLIMIT_RTTIME},
                 {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
                 {"RLIMIT_STACK", RLIMIT_STACK}};
    const char *type = json_str(j, "type", "");
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!str_eq(known[i].name, type))
            continue;
        /* -1 is how a JSON integer of 64 bits spells RLIM_INFINITY. */
        l->name = known[i].name;
        l->resource = known[i].resource;
        l->limit.rlim_cur = (rlim_t)json_int(j, "soft", 0);
        l->limit.rlim_max = (rlim_t)json_int(j, "hard", 0);
        if (l->limit.rlim_cur > l->limit.rlim_max)
            return err_set(e, ERR_INVALID, "process.rlimits: soft %s is above its hard limit", type);
        return 0;
    }
    return err_set(e, ERR_INVALID, "process.rlimits: unknown limit \"%s\"", type);
}

static int read_limits(struct plan_process *p, const json_t *list, struct err *e)
{
    size_t n = json_array_size(list);
    if (n > RLIM_NLIMITS)
        return err_set(e, ERR_INVALID, "process.rlimits has more than %d entries", RLIM_NLIMITS);
    for (size_t i = 0; i < n; i++) {
        if (read_limit(&p->limits[i], json_array_get(list, i), e) < 0)
            return -1;
        for (size_t k = 0; k < i; k++)
            if (p->limits[k].resource == p->limits[i].resource)
                return err_set(e, ERR_INVALID, "process.rlimits: %s is listed twice", p->limits[i].name);
    }
    p->nlimits = n;
    return 0;
}

/* The sets that this very process may hand on: what its own bounding set lacks, no child of it can get. */
static bool can_give(cap_value_t cap)
{
    return cap_get_bound(cap) == 1;
}

static int read_capset(uint64_t *ret, const json_t *list, const char *name, const struct runtime *rt, struct err *e)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        char low[64] = "";
        const char *s = json_string_value(v);
        if (!s || strlen(s) >= sizeof(low))
            return err_set(e, ERR_INVALID, "process.capabilities.%s: entry %zu is not a capability", name, i);
        for (size_t k = 0; s[k]; k++)
            low[k] = (char)tolower((unsigned char)s[k]);
        cap_value_t cap;
        if (cap_from_name(low, &cap) < 0 || cap >= 64)
            runtime_warn(rt, "capability %s is unknown and left out", s);
        else if (!can_give(cap))
            runtime_warn(rt, "capability %s is not available here and left out", s);
        else
            *ret |= UINT64_C(1) << cap;
    }
    return 0;
}

static int read_capabilities(struct plan_process *p, const json_t *j, const struct runtime *rt, struct err *e)
{
    static const char *const names[CAPS_COUNT] = {"bounding", "effective", "permitted", "inheritable", "ambient"};
    p->has_caps = json_is_object(j);
    for (int i = 0; i < CAPS_COUNT; i++)
        if (read_capset(&p->caps[i], json_object_get(j, names[i]), names[i], rt, e) < 0)
            return -1;
    return 0;
}

static int read_console(struct plan_process *p, const json_t *j, struct err *e)
{
    int64_t rows = json_int(j, "consoleSize.height", 0), cols = json_int(j, "consoleSize.width", 0);
    p->terminal = json_is(j, "terminal");
    if (rows < 0 || rows > USHRT_MAX || cols < 0 || cols > USHRT_MAX)
        return err_set(e, ERR_INVALID, "process.consoleSize is out of range");
    p->rows = (unsigned short)rows;
    p->cols = (unsigned short)cols;
    return 0;
}

int plan_process(struct plan_process *p, const json_t *j, const struct runtime *rt, struct err *e)
{
    int64_t oom = json_int(j, "oomScoreAdj", 0);
    if (!json_is_object(j))
        return err_set(e, ERR_INVALID, "config.json: process is missing");
    p->cwd = json_str(j, "cwd", "");
    if (*p->cwd != '/')
        return err_set(e, ERR_INVALID, "process.cwd \"%s\" is not an absolute path", p->cwd);
    p->args = plan_strings(json_object_get(j, "args"), "process.args", e);
    p->env = p->args ? plan_strings(json_object_get(j, "env"), "process.env", e) : NULL;
    if (!p->env)
        return -1;
    if (!p->args[0])
        return err_set(e, ERR_INVALID, "process.args is empty");
    if (oom < -1000 || oom > 1000)
        return err_set(e, ERR_INVALID, "process.oomScoreAdj is not between -1000 and 1000");
    p->has_oom = json_is_integer(json_object_get(j, "oomScoreAdj"));
    p->oom_score_adj = (int)oom;
    p->no_new_privs = json_is(j, "noNewPrivileges");
    if (read_console(p, j, e) < 0 || read_user(p, json_object_get(j, "user"), e) < 0 ||
        read_limits(p, json_object_get(j, "rlimits"), e) < 0)
        return -1;
    return read_capabilities(p, json_object_get(j, "capabilities"), rt, e);
}

void plan_process_release(struct plan_process *p)
{
    free(p->args);
    free(p->env);
    free(p->groups);
    *p = (struct plan_process){0};
}
