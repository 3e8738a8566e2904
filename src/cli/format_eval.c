/* --format, second half: from tree and JSON to text.
 *
 * "dot" is the JSON value that {{.}} stands for at the moment: the whole object at first, one element inside a range.
 * A value that is not there is NULL here, apart from JSON null, and travels until somebody needs it: conditions take
 * it for false, the functions that may are listed in format_func.c, printing it is an error that names the key.
 *
 * All values are references of their own (jansson counts them), so a variable keeps its value when dot moves on.
 *
 * How it fails: bad fields, bad arguments, too many steps or too much output are ERR_INVALID with the position. What
 * was printed up to there stays in `out`. Read next: format_func.c. */
#include "cli/format_tree.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/value.h"

#include <stdlib.h>

#define VARIABLES_MAX 64
#define ARGUMENTS_MAX 32

struct variable {
    const char *name;
    json_t *value; /* owned; NULL: missing */
};

struct run {
    const struct format *f;
    const struct format_mode *mode;
    const json_t *root;
    struct variable variable[VARIABLES_MAX];
    size_t variables;
    const char *missing; /* the key that was not there, for the message */
    bool absent;         /* the last one was a key that people choose */
    long steps;
    enum { GO_ON, BREAK, CONTINUE } flow;
    struct str *out;
    size_t start; /* of our part of out */
    struct err *e;
};

static int eval_pipe(struct run *r, const struct node *pipe, json_t *dot, json_t **ret);
static int run_list(struct run *r, const struct node *n, json_t *dot);

static int step(struct run *r, const struct node *n)
{
    if (++r->steps > FORMAT_STEPS_MAX)
        return format_error(r->f, n->at, r->e, "more than %d steps", FORMAT_STEPS_MAX);
    if (r->out->len - r->start > FORMAT_OUTPUT_MAX)
        return format_error(r->f, n->at, r->e, "more than %u bytes of output", FORMAT_OUTPUT_MAX);
    return 0;
}

/* ---- values ---- */

static const char *type_word(const json_t *v)
{
    static const char *const word[] = {"a map",    "a list", "a string", "a number",
                                       "a number", "a bool", "a bool",   "null"};
    return word[json_typeof(v)];
}

/* The fields whose Go names differ from their JSON names: templates written for docker use the former. */
static const json_t *by_go_name(const json_t *object, const char *name)
{
    static const char *const alias[][2] = {
        {"ID", "Id"},
        {"ID", "id"},
        {"APIVersion", "ApiVersion"},
        {"CPUCfsPeriod", "CpuCfsPeriod"},
        {"CPUCfsQuota", "CpuCfsQuota"},
        {"CPUPeriod", "CpuPeriod"},
        {"CPUQuota", "CpuQuota"},
        {"CPUShares", "CpuShares"},
        {"DNS", "Dns"},
        {"DNSOptions", "DnsOptions"},
        {"DNSSearch", "DnsSearch"},
        {"HostIP", "HostIp"},
        {"NanoCPUs", "NanoCpus"},
        {"ParentID", "ParentId"},
        /* of events, where Docker's older names are in lower case */
        {"Status", "status"},
        {"From", "from"},
        {"Scope", "scope"},
        {"Time", "time"},
        {"TimeNano", "timeNano"},
    };
    for (size_t i = 0; i < sizeof(alias) / sizeof(*alias); i++)
        if (str_eq(name, alias[i][0]) && json_object_get(object, alias[i][1]))
            return json_object_get(object, alias[i][1]);
    return NULL;
}

static bool is_among(const char *const *names, const char *name)
{
    while (*names && !str_eq(*names, name))
        names++;
    return *names;
}

/* The API's fields that are maps, and not objects with fields of the API's own. */
static const char *const maps[] = {"Annotations", "Attributes", "DriverOpts",   "ExposedPorts", "Labels",  "Networks",
                                   "Options",     "Ports",      "PortBindings", "StorageOpt",   "Sysctls", "Tmpfs",
                                   "Volumes",     NULL};

/* Whether the `n` names lead to a map whose keys people choose. A key that it lacks is not a spelling mistake: it
 * prints as <no value>. Two are maps in one place only: an image's Config, for one, is an object. */
static bool is_open_map(char *const *path, size_t n)
{
    static const char *const placed[][2] = {{"LogConfig", "Config"}, {"GraphDriver", "Data"}};
    for (size_t i = 0; n > 1 && i < sizeof(placed) / sizeof(*placed); i++)
        if (str_eq(path[n - 2], placed[i][0]) && str_eq(path[n - 1], placed[i][1]))
            return true;
    return n > 0 && is_among(maps, path[n - 1]);
}

/* What a daemon leaves out where it is not set: that is no spelling mistake, and reads as Go's empty value.
 * @return a new reference, or NULL: it is one */
static json_t *left_out(const char *parent, const char *field)
{
    static const struct {
        const char *parent, *fields[8], *empty;
    } known[] = {
        {"", {"SizeRw", "SizeRootFs"}, "null"},
        {"State", {"Health"}, "null"},
        {"Config", {"ExposedPorts", "Volumes", "Healthcheck", "StopTimeout", "Shell", "OnBuild"}, "null"},
        {"Config", {"StopSignal", "MacAddress"}, "\"\""},
        {"Config", {"ArgsEscaped", "NetworkDisabled"}, "false"},
        {"HostConfig", {"Sysctls", "Tmpfs", "StorageOpt", "Mounts", "Annotations", "Init", "OomKillDisable"}, "null"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(known[i].parent, parent) && is_among(known[i].fields, field))
            return json_loads(known[i].empty, JSON_DECODE_ANY, NULL);
    return NULL;
}

/* null in JSON, as Go prints what stood there: a list, a map, or a pointer to nothing. */
static const char *null_text(const char *field)
{
    static const char *const lists[] = {"Binds",    "CapAdd",   "CapDrop",     "Cmd",         "DeviceCgroupRules",
                                        "Devices",  "Dns",      "DnsOptions",  "DnsSearch",   "DeviceRequests",
                                        "Env",      "ExecIDs",  "Entrypoint",  "ExtraHosts",  "GroupAdd",
                                        "Links",    "Args",     "SecurityOpt", "MaskedPaths", "ReadonlyPaths",
                                        "OnBuild",  "RepoTags", "RepoDigests", "Shell",       "Ulimits",
                                        "Warnings", "Aliases",  "VolumesFrom", "Mounts",      "SecondaryIPAddresses",
                                        "Log",      "DNSNames", NULL};
    return is_among(lists, field) ? "[]" : is_among(maps, field) ? "map[]" : "<nil>";
}

/* The step to the i-th name of a path. *v is replaced, its reference handed over. Below what a map of people's keys
 * does not hold there is nothing either. */
static int descend(struct run *r, const struct node *n, size_t i, json_t **v)
{
    json_t *object = *v;
    const char *name = n->path.v[i];
    if (!object)
        return 0;
    if (!json_is_object(object) && !json_is_null(object))
        return format_error(r->f, n->at, r->e, "%s has no field .%s", type_word(object), name);
    const json_t *next = json_object_get(object, name);
    if (!next)
        next = by_go_name(object, name);
    r->absent = !next && (r->absent || is_open_map(n->path.v, i));
    if (r->absent)
        *v = json_null();
    else
        *v = next ? json_incref((json_t *)next) : left_out(i ? n->path.v[i - 1] : "", name);
    if (!*v)
        r->missing = name;
    json_decref(object);
    return 0;
}

static int walk_path(struct run *r, const struct node *n, json_t *start, json_t **ret)
{
    json_t *v = json_incref(start);
    r->absent = false;
    for (size_t i = 0; i < n->path.n; i++) {
        if (descend(r, n, i, &v) < 0) {
            json_decref(v);
            return -1;
        }
    }
    *ret = v;
    return 0;
}

static struct variable *variable(struct run *r, const char *name)
{
    for (size_t i = r->variables; i-- > 0;)
        if (str_eq(r->variable[i].name, name))
            return &r->variable[i];
    return NULL;
}

static int declare(struct run *r, const struct node *pipe, const char *name, json_t *value)
{
    struct variable *v = pipe->assign ? variable(r, name) : NULL;
    if (pipe->assign && !v)
        return format_error(r->f, pipe->at, r->e, "variable $%s is not declared", name);
    if (!v && r->variables == VARIABLES_MAX)
        return format_error(r->f, pipe->at, r->e, "more than %d variables", VARIABLES_MAX);
    if (!v) {
        v = &r->variable[r->variables++];
        *v = (struct variable){name, NULL};
    }
    json_decref(v->value);
    v->value = json_incref(value);
    return 0;
}

static void forget(struct run *r, size_t down_to)
{
    while (r->variables > down_to)
        json_decref(r->variable[--r->variables].value);
}

static int eval_operand(struct run *r, const struct node *n, json_t *dot, json_t **ret)
{
    json_t *inner = NULL;
    struct variable *v;
    *ret = NULL;
    switch (n->type) {
    case NODE_VALUE: *ret = json_incref(n->value); return 0;
    case NODE_DOT:
        if (n->path.n == 1 && dot == r->root && json_object_get(r->mode->methods, n->path.v[0]))
            return format_error(r->f, n->at, r->e, ".%s needs a key, as in .%s \"key\"", n->path.v[0], n->path.v[0]);
        return walk_path(r, n, dot, ret);
    case NODE_VARIABLE:
        v = variable(r, n->text);
        if (!v)
            return format_error(r->f, n->at, r->e, "variable $%s is not declared", n->text);
        return walk_path(r, n, v->value, ret);
    case NODE_PAREN:
        if (eval_pipe(r, n->pipe, dot, &inner) < 0)
            return -1;
        int result = walk_path(r, n, inner, ret);
        json_decref(inner);
        return result;
    default:
        return format_error(r->f, n->at, r->e, "the function %s with its arguments must stand in parentheses here",
                            n->text);
    }
}

/* ---- calls and pipelines ---- */

/* and, or: the first argument that settles it is the value; what comes after is not evaluated. */
static int eval_logic(struct run *r, const struct node *word, json_t *dot, json_t *piped, bool is_piped, json_t **ret)
{
    bool until = str_eq(word->text, "or");
    json_t *v = NULL;
    if (!word->next && !is_piped)
        return format_error(r->f, word->at, r->e, "%s needs arguments", word->text);
    for (const struct node *a = word->next; a; a = a->next) {
        json_decref(v);
        if (eval_operand(r, a, dot, &v) < 0)
            return -1;
        if (format_truth(v) == until) {
            *ret = v;
            return 0;
        }
    }
    if (is_piped) {
        json_decref(v);
        v = json_incref(piped);
    }
    *ret = v;
    return 0;
}

static int eval_function(struct run *r, const struct node *word, json_t *const *v, size_t n, json_t **ret)
{
    if (r->mode->header) {
        *ret = n ? json_incref(v[0]) : json_string("");
        return 0;
    }
    struct err why;
    *ret = format_call(word->text, v, n, &why);
    if (*ret)
        return 0;
    if (why.kind == ERR_NOT_FOUND)
        return format_error(r->f, word->at, r->e, "there is no key \"%s\"", r->missing ? r->missing : "?");
    return format_error(r->f, word->at, r->e, "%s: %s", word->text, why.msg);
}

/* .Label "key": a field of the row that takes a key. */
static int eval_method(struct run *r, const struct node *n, const json_t *dot, json_t *const *v, size_t args,
                       json_t **ret)
{
    const json_t *map = n->path.n == 1 && dot == r->root ? json_object_get(r->mode->methods, n->path.v[0]) : NULL;
    if (!map)
        return format_error(r->f, n->at, r->e, "a field takes no arguments");
    const char *key = args == 1 ? json_string_value(v[0]) : NULL;
    if (!key)
        return format_error(r->f, n->at, r->e, ".%s takes one key", n->path.v[0]);
    if (r->mode->header)
        *ret = json_string(key);
    else
        *ret = json_string(json_str(json_object_get(map, key), "", ""));
    return 0;
}

static int eval_call(struct run *r, const struct node *c, json_t *dot, json_t *piped, bool is_piped, json_t **ret)
{
    const struct node *first = c->child;
    json_t *v[ARGUMENTS_MAX + 1];
    size_t n = 0;
    int result = 0;
    if (step(r, c) < 0)
        return -1;
    if (first->type == NODE_WORD && (str_eq(first->text, "and") || str_eq(first->text, "or")))
        return eval_logic(r, first, dot, piped, is_piped, ret);
    if (first->type != NODE_WORD && !first->next && !is_piped)
        return eval_operand(r, first, dot, ret);
    for (const struct node *a = first->next; a && result == 0; a = a->next) {
        if (n == ARGUMENTS_MAX)
            result = format_error(r->f, a->at, r->e, "more than %d arguments", ARGUMENTS_MAX);
        else
            result = eval_operand(r, a, dot, &v[n]);
        n += result == 0;
    }
    if (result == 0 && is_piped)
        v[n++] = json_incref(piped);
    if (result == 0 && first->type == NODE_WORD)
        result = eval_function(r, first, v, n, ret);
    else if (result == 0)
        result = eval_method(r, first, dot, v, n, ret);
    while (n > 0)
        json_decref(v[--n]);
    return result;
}

static int eval_pipe(struct run *r, const struct node *pipe, json_t *dot, json_t **ret)
{
    json_t *v = NULL;
    for (const struct node *c = pipe->child; c; c = c->next) {
        json_t *next = NULL;
        int result = eval_call(r, c, dot, v, c != pipe->child, &next);
        json_decref(v);
        if (result < 0)
            return -1;
        v = next;
    }
    *ret = v;
    return 0;
}

/* ---- blocks ---- */

/* .A.B alone: "B". @return NULL for anything else */
static const char *last_field(const struct node *pipe)
{
    const struct node *call = pipe->child, *word = call && !call->next ? call->child : NULL;
    bool path = word && !word->next && (word->type == NODE_DOT || word->type == NODE_VARIABLE) && word->path.n > 0;
    return path ? word->path.v[word->path.n - 1] : NULL;
}

static int run_print(struct run *r, const struct node *n, json_t *dot)
{
    json_t *v = NULL;
    int result = 0;
    if (eval_pipe(r, n->pipe, dot, &v) < 0)
        return -1;
    if (n->pipe->name[0])
        result = declare(r, n->pipe, n->pipe->name[0], v);
    else if (!v)
        result = format_error(r->f, n->at, r->e, "there is no key \"%s\"", r->missing ? r->missing : "?");
    else if (json_is_null(v) && !r->absent && last_field(n->pipe))
        str_add(r->out, null_text(last_field(n->pipe)));
    else
        format_print(r->out, v, r->mode->safe);
    json_decref(v);
    return result;
}

static int run_branch(struct run *r, const struct node *n, json_t *dot)
{
    json_t *v = NULL;
    size_t scope = r->variables;
    if (eval_pipe(r, n->pipe, dot, &v) < 0)
        return -1;
    int result = n->pipe->name[0] ? declare(r, n->pipe, n->pipe->name[0], v) : 0;
    if (result == 0 && format_truth(v))
        result = run_list(r, n->body, n->type == NODE_WITH ? v : dot);
    else if (result == 0)
        result = run_list(r, n->otherwise, dot);
    forget(r, scope);
    json_decref(v);
    return result;
}

static int run_once(struct run *r, const struct node *n, json_t *key, json_t *element)
{
    size_t scope = r->variables;
    const struct node *pipe = n->pipe;
    int result = step(r, n);
    if (result == 0 && pipe->name[1])
        result = declare(r, pipe, pipe->name[0], key);
    if (result == 0 && pipe->name[0])
        result = declare(r, pipe, pipe->name[1] ? pipe->name[1] : pipe->name[0], element);
    if (result == 0)
        result = run_list(r, n->body, element);
    forget(r, scope);
    bool leave = r->flow == BREAK;
    r->flow = GO_ON;
    return result < 0 ? -1 : leave;
}

static int range_map(struct run *r, const struct node *n, json_t *map)
{
    size_t count;
    autofree const char **key = json_sorted_keys(map, &count);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        json_t *name = json_string(key[i]);
        result = run_once(r, n, name, json_object_get(map, key[i]));
        json_decref(name);
    }
    return result;
}

static int run_range(struct run *r, const struct node *n, json_t *dot)
{
    json_auto_t *v = NULL;
    if (eval_pipe(r, n->pipe, dot, &v) < 0)
        return -1;
    if (!format_truth(v))
        return run_list(r, n->otherwise, dot);
    if (json_is_object(v))
        return range_map(r, n, v) < 0 ? -1 : 0;
    if (!json_is_array(v) && !json_is_integer(v))
        return format_error(r->f, n->at, r->e, "range cannot walk over %s", type_word(v));
    int64_t count = json_is_array(v) ? (int64_t)json_array_size(v) : json_integer_value(v);
    int result = 0;
    for (int64_t i = 0; i < count && result == 0; i++) {
        json_auto_t *key = json_integer(i);
        result = run_once(r, n, key, json_is_array(v) ? json_array_get(v, (size_t)i) : key);
    }
    return result < 0 ? -1 : 0;
}

static int run_list(struct run *r, const struct node *n, json_t *dot)
{
    size_t scope = r->variables;
    int result = 0;
    for (; n && result == 0 && r->flow == GO_ON; n = n->next) {
        result = step(r, n);
        if (result < 0)
            break;
        switch (n->type) {
        case NODE_TEXT: str_add(r->out, n->text ? n->text : ""); break;
        case NODE_PRINT: result = run_print(r, n, dot); break;
        case NODE_RANGE: result = run_range(r, n, dot); break;
        case NODE_BREAK: r->flow = BREAK; break;
        case NODE_CONTINUE: r->flow = CONTINUE; break;
        default: result = run_branch(r, n, dot); break;
        }
    }
    forget(r, scope);
    return result;
}

int format_run(const struct format *f, const json_t *dot, const struct format_mode *mode, struct str *out,
               struct err *e)
{
    str_addn(out, "", 0);
    struct run r = {.f = f, .mode = mode, .root = dot, .out = out, .start = out->len, .e = e};
    r.variable[0] = (struct variable){"", json_incref((json_t *)dot)};
    r.variables = 1;
    int result = run_list(&r, f->root, (json_t *)dot);
    forget(&r, 0);
    return result;
}
