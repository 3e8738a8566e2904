/* The commands: the tables, the search in them, --help, and running one.
 *
 * Adding a command takes three steps: a `const struct command` beside its function, its name in command.h, and its
 * place in one or two of the tables below. Nothing is registered at run time, so `gorae --help` costs no more than
 * printing.
 *
 * How it fails: an unknown command exits 1, after a proposal where a known one is at most two typing errors away; wrong
 * flags exit 125, a wrong number of arguments 1: all three as docker does.
 * Read next: any command's file, for instance container.c. */
#include "cli/command.h"
#include "cli/complete.h"
#include "cli/endpoint.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

struct place {
    const char *names; /* the first is shown, the others are accepted too */
    const struct command *command;
    const char *summary; /* where it differs from the command's own */
};

/* The order of each table is the order of the help. */
static const struct place common[] = {
    {"run", &command_run_container, NULL},
    {"exec", &command_exec, NULL},
    {"ps", &command_ps, NULL},
    {"images", &command_images, NULL},
    {"version", &command_version, NULL},
    {"info", &command_info, NULL},
    {NULL, NULL, NULL},
};

static const struct place others[] = {
    {"attach", &command_attach, NULL},
    {"commit", &command_commit, NULL},
    {"cp", &command_cp, NULL},
    {"create", &command_create, NULL},
    {"diff", &command_diff, NULL},
    {"events", &command_events, NULL},
    {"export", &command_export, NULL},
    {"history", &command_history, NULL},
    {"import", &command_import, NULL},
    {"inspect", &command_inspect, NULL},
    {"kill", &command_kill, NULL},
    {"load", &command_load, NULL},
    {"logs", &command_logs, NULL},
    {"pause", &command_pause, NULL},
    {"port", &command_port, NULL},
    {"rename", &command_rename, NULL},
    {"restart", &command_restart, NULL},
    {"rm", &command_rm, NULL},
    {"rmi", &command_rmi, NULL},
    {"save", &command_save, NULL},
    {"start", &command_start, NULL},
    {"stats", &command_stats, NULL},
    {"stop", &command_stop, NULL},
    {"tag", &command_tag, NULL},
    {"top", &command_top, NULL},
    {"unpause", &command_unpause, NULL},
    {"update", &command_update, NULL},
    {"wait", &command_wait, NULL},
    {NULL, NULL, NULL},
};

static const struct place container[] = {
    {"attach", &command_attach, NULL},   {"commit", &command_commit, NULL},
    {"cp", &command_cp, NULL},           {"create", &command_create, NULL},
    {"diff", &command_diff, NULL},       {"exec", &command_exec, NULL},
    {"export", &command_export, NULL},   {"inspect", &command_container_inspect, NULL},
    {"kill", &command_kill, NULL},       {"logs", &command_logs, NULL},
    {"ls list ps", &command_ps, NULL},   {"pause", &command_pause, NULL},
    {"port", &command_port, NULL},       {"prune", &command_container_prune, NULL},
    {"rename", &command_rename, NULL},   {"restart", &command_restart, NULL},
    {"rm remove", &command_rm, NULL},    {"run", &command_run_container, NULL},
    {"start", &command_start, NULL},     {"stats", &command_stats, NULL},
    {"stop", &command_stop, NULL},       {"top", &command_top, NULL},
    {"unpause", &command_unpause, NULL}, {"update", &command_update, NULL},
    {"wait", &command_wait, NULL},       {NULL, NULL, NULL},
};

static const struct place context[] = {
    {"create", &command_context_create, NULL}, {"export", &command_context_export, NULL},
    {"import", &command_context_import, NULL}, {"inspect", &command_context_inspect, NULL},
    {"ls list", &command_context_ls, NULL},    {"rm remove", &command_context_rm, NULL},
    {"show", &command_context_show, NULL},     {"update", &command_context_update, NULL},
    {"use", &command_context_use, NULL},       {NULL, NULL, NULL},
};

static const struct place image[] = {
    {"history", &command_history, NULL},
    {"import", &command_import, NULL},
    {"inspect", &command_image_inspect, NULL},
    {"load", &command_load, NULL},
    {"ls list", &command_images, NULL},
    {"prune", &command_image_prune, NULL},
    {"rm remove", &command_rmi, NULL},
    {"save", &command_save, NULL},
    {"tag", &command_tag, NULL},
    {NULL, NULL, NULL},
};

static const struct place system_[] = {
    {"df", &command_df, NULL},     {"dial-stdio", &command_dial_stdio, NULL}, {"events", &command_events, NULL},
    {"info", &command_info, NULL}, {"prune", &command_system_prune, NULL},    {NULL, NULL, NULL},
};

static const struct group {
    const char *name, *summary;
    const struct place *places;
} groups[] = {
    {"container", "Commands that work on containers", container},
    {"context", "Daemons by name: where they are and how they are reached", context},
    {"image", "Commands that work on images", image},
    {"system", "Commands that work on the daemon", system_},
};
#define GROUPS (sizeof(groups) / sizeof(*groups))

/* ---- options before the command ---- */

#define GLOBAL(member) offsetof(struct global_options, member)
const struct flag global_flags[] = {
    {"context", 'c', FLAG_STRING, GLOBAL(context),
     "Name of the context whose daemon to talk to, instead of a variable's or the one in use", NULL, NULL},
    {"debug", 'D', FLAG_BOOL, GLOBAL(debug), "Tell about failures that are otherwise passed over", NULL, NULL},
    {"explain", 0, FLAG_OPTIONAL, GLOBAL(explain),
     "Tell the story of this command after its output. =json prints it for programs, =dot as a figure for graphviz, "
     "=dot-shape likewise without times and pids; these three print nothing else on standard output",
     "how", "text"},
    {"host", 'H', FLAG_STRING, GLOBAL(host), "Daemon to talk to: unix:///path, tcp://host:port or ssh://user@host",
     NULL, NULL},
    {"log-level", 'l', FLAG_STRING, GLOBAL(log_level), "As --debug where it is debug", NULL, NULL},
    {"tls", 0, FLAG_SWITCH, GLOBAL(tls), "Use TLS with a tcp:// daemon; implied by --tlsverify", NULL, NULL},
    {"tlscacert", 0, FLAG_STRING, GLOBAL(tlscacert),
     "Trust daemons whose certificate this authority signed (default ~/.docker/ca.pem)", NULL, NULL},
    {"tlscert", 0, FLAG_STRING, GLOBAL(tlscert), "Our own certificate (default ~/.docker/cert.pem)", NULL, NULL},
    {"tlskey", 0, FLAG_STRING, GLOBAL(tlskey), "The key of our certificate (default ~/.docker/key.pem)", NULL, NULL},
    {"tlsverify", 0, FLAG_SWITCH, GLOBAL(tlsverify), "Use TLS, and check the daemon's certificate", NULL, NULL},
    {"version", 'v', FLAG_BOOL, GLOBAL(version), "Print the version and quit", NULL, NULL},
    {.type = FLAG_END},
};

/* ---- finding ---- */

/* Whether `name` is one of the blank-separated `names`. */
static bool is_named(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = names; n > 0 && *p;) {
        size_t k = strcspn(p, " ");
        if (k == n && memcmp(p, name, n) == 0)
            return true;
        p += k + (p[k] == ' ');
    }
    return false;
}

static const struct place *find(const struct place *places, const char *name)
{
    for (; places->names; places++)
        if (is_named(places->names, name))
            return places;
    return NULL;
}

static const struct group *find_group(const char *name)
{
    for (size_t i = 0; i < GROUPS; i++)
        if (str_eq(groups[i].name, name))
            return &groups[i];
    return NULL;
}

/* The number of single-letter changes from `a` to `b` (Levenshtein), at most `limit` + 1. */
static size_t distance(const char *a, const char *b, size_t limit)
{
    size_t row[32], n = strlen(b);
    if (n + 1 > sizeof(row) / sizeof(*row))
        return limit + 1;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

static void consider(const char *names, const char *typed, const char **best, size_t *least)
{
    char name[32];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(names, " "), names);
    size_t d = distance(typed, name, *least);
    if (strlen(typed) > 1 && str_starts(name, typed))
        d = 1;
    /* Two errors in a word of three letters would make any word any other. */
    if (d < *least && d < strlen(name)) {
        *least = d;
        *best = names;
    }
}

static const char *nearest(const struct place *places, const char *typed)
{
    const char *best = NULL;
    size_t least = 3;
    if (places) {
        for (; places->names; places++)
            consider(places->names, typed, &best, &least);
        return best;
    }
    for (const struct place *p = common; p->names; p++)
        consider(p->names, typed, &best, &least);
    for (const struct place *p = others; p->names; p++)
        consider(p->names, typed, &best, &least);
    for (size_t i = 0; i < GROUPS; i++)
        consider(groups[i].name, typed, &best, &least);
    return best;
}

/* Commands of docker's that somebody may try here; those that have come stand in the tables, which are asked first. */
static const char theirs[] =
    "build builder buildx checkpoint compose config context login logout manifest network node "
    "plugin pull push search secret service stack swarm trust volume";

static int unknown(const struct group *g, const char *typed)
{
    const char *prefix = g ? g->name : "", *blank = g ? " " : "";
    if (is_named(theirs, typed)) {
        fprintf(stderr,
                "gorae: '%s%s%s' is a command of docker's that gorae does not have.\n\nSee 'gorae %s%s--help'.\n",
                prefix, blank, typed, prefix, blank);
        return EXIT_FAILED;
    }
    const char *near = nearest(g ? g->places : NULL, typed);
    fprintf(stderr, "gorae: '%s%s%s' is not a gorae command.\n", prefix, blank, typed);
    if (near)
        fprintf(stderr, "Did you mean '%s%s%.*s'?\n", prefix, blank, (int)strcspn(near, " "), near);
    fprintf(stderr, "\nSee 'gorae %s%s--help'.\n", prefix, blank);
    return EXIT_FAILED;
}

/* What the words name: a group, or a command and in how many words. */
struct found {
    const struct group *group;
    const struct place *place;
    size_t words;
};

/* @return false where the words name nothing; then `group` tells in which table it was looked for */
static bool locate(const struct args *args, struct found *ret)
{
    *ret = (struct found){NULL, NULL, 1};
    ret->place = find(common, args->v[0]);
    if (!ret->place)
        ret->place = find(others, args->v[0]);
    if (ret->place)
        return true;
    ret->group = find_group(args->v[0]);
    if (!ret->group || args->n < 2 || args->v[1][0] == '-')
        return ret->group != NULL;
    ret->words = 2;
    ret->place = find(ret->group->places, args->v[1]);
    return ret->place != NULL;
}

const struct command *command_find(const struct args *args, size_t *ret_words)
{
    struct found f;
    bool known = locate(args, &f);
    *ret_words = f.words;
    return known && f.place ? f.place->command : NULL;
}

static void each_name(const struct place *places, const char *typed, void (*each)(const char *name, const char *typed))
{
    for (; places->names; places++) {
        autofree char *name = mem_strndup(places->names, strcspn(places->names, " "));
        each(name, typed);
    }
}

void command_names(const char *group, const char *typed, void (*each)(const char *name, const char *typed))
{
    const struct group *g = group ? find_group(group) : NULL;
    if (g)
        each_name(g->places, typed, each);
    if (group)
        return;
    each_name(common, typed, each);
    each_name(others, typed, each);
    for (size_t i = 0; i < GROUPS; i++)
        each(groups[i].name, typed);
}

/* ---- help ---- */

static void list_places(struct str *out, const struct place *places)
{
    for (; places->names; places++)
        str_addf(out, "  %-11.*s %s\n", (int)strcspn(places->names, " "), places->names,
                 places->summary ? places->summary : places->command->summary);
}

static void help_program(struct str *out)
{
    str_add(out,
            "Usage:  gorae [OPTIONS] COMMAND\n\nA client for container daemons: goraed, or any that speaks the Docker "
            "Engine API\n\nCommon Commands:\n");
    list_places(out, common);
    str_add(out, "\nManagement Commands:\n");
    for (size_t i = 0; i < GROUPS; i++)
        str_addf(out, "  %-11s %s\n", groups[i].name, groups[i].summary);
    str_add(out, "\nCommands:\n");
    list_places(out, others);
    str_add(out, "\nGlobal Options:\n");
    usage_flags(out, global_flags, usage_width());
    str_add(out, "\nThe daemon is the one that -H or -c names, else $GORAE_HOST, else $DOCKER_HOST, else\n"
                 "the context that $DOCKER_CONTEXT or `context use` names, else unix:///run/gorae.sock.\n"
                 "\nRun 'gorae COMMAND --help' for more on a command.\n");
}

static void add_alias(struct str *out, const char *group, const char *names)
{
    for (const char *p = names; *p;) {
        size_t n = strcspn(p, " ");
        str_addf(out, "%sgorae %s%s%.*s", out->len ? ", " : "", group, *group ? " " : "", (int)n, p);
        p += n + (p[n] == ' ');
    }
}

/* Every path that leads to the command; nothing where there is but one. */
static void aliases(struct str *out, const struct command *c)
{
    autostr list = STR_INIT;
    for (size_t i = 0; i < GROUPS; i++)
        for (const struct place *p = groups[i].places; p->names; p++)
            if (p->command == c)
                add_alias(&list, groups[i].name, p->names);
    for (const struct place *p = common; p->names; p++)
        if (p->command == c)
            add_alias(&list, "", p->names);
    for (const struct place *p = others; p->names; p++)
        if (p->command == c)
            add_alias(&list, "", p->names);
    if (list.s && strchr(list.s, ','))
        str_addf(out, "\nAliases:\n  %s\n", list.s);
}

static void help_command(struct str *out, const char *path, const struct command *c)
{
    str_addf(out, "Usage:  gorae %s%s%s\n\n%s\n", path, *c->usage ? " " : "", c->usage, c->summary);
    aliases(out, c);
    if (c->flags) {
        str_add(out, "\nOptions:\n");
        usage_flags(out, c->flags, usage_width());
    }
}

static void help_group(struct str *out, const struct group *g)
{
    str_addf(out, "Usage:  gorae %s COMMAND\n\n%s\n\nCommands:\n", g->name, g->summary);
    list_places(out, g->places);
    str_addf(out, "\nRun 'gorae %s COMMAND --help' for more on a command.\n", g->name);
}

int command_help(const struct args *args)
{
    struct found f = {NULL, NULL, 0};
    autostr out = STR_INIT;
    if (args->n == 0) {
        help_program(&out);
    } else if (!locate(args, &f)) {
        return unknown(f.group, args->v[f.words - 1]);
    } else if (!f.place) {
        help_group(&out, f.group);
    } else {
        autofree char *path = str_printf("%s%s%s", args->v[0], f.words > 1 ? " " : "", f.words > 1 ? args->v[1] : "");
        help_command(&out, path, f.place->command);
    }
    fputs(out.s, stdout);
    return EXIT_OK;
}

/* ---- running ---- */

static int wrong_usage(const struct cli *cli, const struct command *c, const char *why, int code)
{
    fprintf(stderr, "gorae: %s\n\nUsage:  gorae %s%s%s\n\nSee 'gorae %s --help'.\n", why, cli->path,
            *c->usage ? " " : "", c->usage, cli->path);
    return code;
}

static int check_count(const struct cli *cli, const struct command *c, size_t n)
{
    char why[160];
    const char *plural = c->least == 1 ? "" : "s";
    if (n >= c->least && n <= c->most)
        return EXIT_OK;
    if (c->most == 0)
        snprintf(why, sizeof(why), "'gorae %s' takes no arguments", cli->path);
    else if (c->least == c->most)
        snprintf(why, sizeof(why), "'gorae %s' takes exactly %zu argument%s", cli->path, c->least, plural);
    else if (n < c->least)
        snprintf(why, sizeof(why), "'gorae %s' needs at least %zu argument%s", cli->path, c->least, plural);
    else
        snprintf(why, sizeof(why), "'gorae %s' takes at most %zu argument%s", cli->path, c->most,
                 c->most == 1 ? "" : "s");
    return wrong_usage(cli, c, why, EXIT_FAILED);
}

static int run(struct cli *cli, const struct command *c, int argc, char **argv)
{
    struct err e;
    struct args args;
    autofree void *options = mem_alloc(c->options ? c->options : 1);
    int r = flag_parse(c->flags, options, argc, argv, !c->carries_command, &args, &e);
    int code;
    if (r < 0) {
        code = wrong_usage(cli, c, e.msg, EXIT_USAGE);
    } else if (r > 0) {
        autostr out = STR_INIT;
        help_command(&out, cli->path, c);
        fputs(out.s, stdout);
        code = EXIT_OK;
    } else {
        code = check_count(cli, c, args.n);
        if (code == EXIT_OK && !c->local && endpoint_connect(cli, &e) < 0)
            code = cli_fail(cli, &e);
        if (code == EXIT_OK)
            code = c->run(cli, options, &args);
    }
    free(args.v);
    flag_release(c->flags, options);
    return code;
}

int command_run(struct cli *cli, const struct args *args)
{
    struct found f;
    if (str_eq(args->v[0], "help"))
        return command_help(&(struct args){args->v + 1, args->n - 1});
    if (str_eq(args->v[0], "__complete")) /* for the shell, in no help */
        return complete(cli, &(struct args){args->v + 1, args->n - 1});
    if (str_eq(args->v[0], "__tie")) /* for ourselves */
        return tie(args);
    if (!locate(args, &f))
        return unknown(f.group, args->v[f.words - 1]);
    if (!f.place) /* a group alone, or with --help */
        return command_help(&(struct args){args->v, 1});
    snprintf(cli->path, sizeof(cli->path), "%s%s%s", args->v[0], f.words > 1 ? " " : "", f.words > 1 ? args->v[1] : "");
    return run(cli, f.place->command, (int)(args->n - f.words), args->v + f.words);
}
