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
};

/* The order of each table is the order of the help. */
static const struct place common[] = {
    {"run", &command_run_container}, {"exec", &command_exec}, {"ps", &command_ps}, {"images", &command_images},
    {"version", &command_version},   {"info", &command_info}, {NULL, NULL},
};

static const struct place others[] = {
    {"attach", &command_attach},
    {"commit", &command_commit},
    {"cp", &command_cp},
    {"create", &command_create},
    {"diff", &command_diff},
    {"events", &command_events},
    {"export", &command_export},
    {"history", &command_history},
    {"import", &command_import},
    {"inspect", &command_inspect},
    {"kill", &command_kill},
    {"load", &command_load},
    {"logs", &command_logs},
    {"pause", &command_pause},
    {"port", &command_port},
    {"rename", &command_rename},
    {"restart", &command_restart},
    {"rm", &command_rm},
    {"rmi", &command_rmi},
    {"save", &command_save},
    {"start", &command_start},
    {"stats", &command_stats},
    {"stop", &command_stop},
    {"tag", &command_tag},
    {"top", &command_top},
    {"unpause", &command_unpause},
    {"update", &command_update},
    {"wait", &command_wait},
    {NULL, NULL},
};

static const struct place container[] = {
    {"attach", &command_attach},   {"commit", &command_commit},
    {"cp", &command_cp},           {"create", &command_create},
    {"diff", &command_diff},       {"exec", &command_exec},
    {"export", &command_export},   {"inspect", &command_container_inspect},
    {"kill", &command_kill},       {"logs", &command_logs},
    {"ls list ps", &command_ps},   {"pause", &command_pause},
    {"port", &command_port},       {"prune", &command_container_prune},
    {"rename", &command_rename},   {"restart", &command_restart},
    {"rm remove", &command_rm},    {"run", &command_run_container},
    {"start", &command_start},     {"stats", &command_stats},
    {"stop", &command_stop},       {"top", &command_top},
    {"unpause", &command_unpause}, {"update", &command_update},
    {"wait", &command_wait},       {NULL, NULL},
};

static const struct place context[] = {
    {"create", &command_context_create}, {"export", &command_context_export},
    {"import", &command_context_import}, {"inspect", &command_context_inspect},
    {"ls list", &command_context_ls},    {"rm remove", &command_context_rm},
    {"show", &command_context_show},     {"update", &command_context_update},
    {"use", &command_context_use},       {NULL, NULL},
};

static const struct place image[] = {
    {"history", &command_history},
    {"import", &command_import},
    {"inspect", &command_image_inspect},
    {"load", &command_load},
    {"ls list", &command_images},
    {"prune", &command_image_prune},
    {"rm remove", &command_rmi},
    {"save", &command_save},
    {"tag", &command_tag},
    {NULL, NULL},
};

static const struct place system_[] = {
    {"df", &command_df},     {"dial-stdio", &command_dial_stdio}, {"events", &command_events},
    {"info", &command_info}, {"prune", &command_system_prune},    {NULL, NULL},
};

/* The first two are the commands that stand alone. */
static const struct group {
    const char *name, *summary;
    const struct place *places;
} groups[] = {
    {NULL, "Common Commands", common},
    {NULL, "Commands", others},
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

/* @param group NULL: of the words that may come first */
static const char *nearest(const struct group *group, const char *typed)
{
    const char *best = NULL;
    size_t least = 3;
    for (const struct group *g = groups; g < groups + GROUPS; g++)
        for (const struct place *p = g->places; p->names && g->name == (group ? group->name : NULL); p++)
            consider(p->names, typed, &best, &least);
    for (const struct group *g = groups; !group && g < groups + GROUPS; g++)
        if (g->name)
            consider(g->name, typed, &best, &least);
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
    const char *near = nearest(g, typed);
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
    for (size_t i = 0; i < GROUPS && !ret->place; i++)
        if (!groups[i].name)
            ret->place = find(groups[i].places, args->v[0]);
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

void command_names(const char *group, const char *typed, void (*each)(const char *name, const char *typed))
{
    for (const struct group *g = groups; g < groups + GROUPS; g++) {
        for (const struct place *p = g->places; p->names && (group ? str_eq(g->name, group) : !g->name); p++) {
            autofree char *name = mem_strndup(p->names, strcspn(p->names, " "));
            each(name, typed);
        }
        if (!group && g->name)
            each(g->name, typed);
    }
}

/* ---- help ---- */

static void list_places(struct str *out, const struct place *places)
{
    for (; places->names; places++)
        str_addf(out, "  %-11.*s %s\n", (int)strcspn(places->names, " "), places->names, places->command->summary);
}

static void help_program(struct str *out)
{
    str_add(out,
            "Usage:  gorae [OPTIONS] COMMAND\n\nA client for container daemons: goraed, or any that speaks the Docker "
            "Engine API\n\nCommon Commands:\n");
    list_places(out, common);
    str_add(out, "\nManagement Commands:\n");
    for (size_t i = 0; i < GROUPS; i++)
        if (groups[i].name)
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
        str_addf(out, "%sgorae %s%s%.*s", out->len ? ", " : "", group ? group : "", group ? " " : "", (int)n, p);
        p += n + (p[n] == ' ');
    }
}

/* Every path that leads to the command; nothing where there is but one. */
static void aliases(struct str *out, const struct command *c)
{
    autostr list = STR_INIT;
    for (size_t i = GROUPS; i-- > 0;) /* the path in a group goes first */
        for (const struct place *p = groups[i].places; p->names; p++)
            if (p->command == c)
                add_alias(&list, groups[i].name, p->names);
    if (list.s && strchr(list.s, ','))
        str_addf(out, "\nAliases:\n  %s\n", list.s);
}

static void add_usage(struct str *out, const char *path, const struct command *c)
{
    str_addf(out, "Usage:  gorae %s%s%s%s\n\n", path, c->flags ? " [OPTIONS]" : "", c->usage ? " " : "",
             c->usage ? c->usage : "");
}

static void help_command(struct str *out, const char *path, const struct command *c)
{
    add_usage(out, path, c);
    str_addf(out, "%s\n", c->summary);
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
    autostr usage = STR_INIT;
    add_usage(&usage, cli->path, c);
    fprintf(stderr, "gorae: %s\n\n%sSee 'gorae %s --help'.\n", why, usage.s, cli->path);
    return code;
}

/* How many arguments the usage line names. Brackets hold what may be left out; two blanks begin another form, which
 * takes as many. @return the most, SIZE_MAX where one may be repeated, "[ARG...]", or words are another program's */
static size_t count_words(const char *usage, size_t *ret_least)
{
    size_t least = 0, most = 0, depth = 0;
    bool many = false;
    for (const char *p = usage ? usage : ""; *p && !str_starts(p, "  "); p++) {
        bool begins = depth == 0 && *p != ' ' && (p == usage || p[-1] == ' ');
        most += begins;
        least += begins && *p != '[';
        depth += (*p == '[') - (*p == ']');
        many = many || (depth > 0 && (*p == ' ' || str_starts(p, "...")));
    }
    *ret_least = least;
    return many ? SIZE_MAX : most;
}

static int check_count(const struct cli *cli, const struct command *c, size_t n)
{
    char why[160];
    size_t least, most = count_words(c->usage, &least);
    if (n >= least && n <= most)
        return EXIT_OK;
    if (most == 0) {
        snprintf(why, sizeof(why), "'gorae %s' takes no arguments", cli->path);
    } else {
        const char *how = least == most ? "takes exactly" : n < least ? "needs at least" : "takes at most";
        size_t number = n < least ? least : most;
        snprintf(why, sizeof(why), "'gorae %s' %s %zu argument%s", cli->path, how, number, number == 1 ? "" : "s");
    }
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
