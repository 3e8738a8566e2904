/* gorae __complete WORD... : what the last word may become, one proposal a line.
 *
 * The shell's part (gorae.bash) only passes the words on. What there is to propose follows from the tables that the
 * commands themselves are run from: names of commands and flags from command.c, and for arguments the word in the usage
 * line. Where that says CONTAINER or IMAGE the daemon is asked for names; a daemon that does not answer proposes
 * nothing, because nobody wants an error in the middle of typing.
 *
 * Read next: gorae.bash. */
#include "cli/complete.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "wire/context.h"
#include "cli/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void propose(const char *word, const char *typed)
{
    if (str_starts(word, typed))
        puts(word);
}

static void propose_flags(const struct flag *flags, const char *typed)
{
    for (const struct flag *f = flags; f && f->type != FLAG_END; f++) {
        autofree char *word = str_printf("--%s", f->name);
        if (f->help)
            propose(word, typed);
    }
    propose("--help", typed);
}

/* ---- names that the daemon knows ---- */

enum { ANY_STATE = 0, RUNNING, STOPPED };

static void propose_containers(struct cli *cli, int state, const char *typed)
{
    struct err e;
    json_auto_t *all = client_json(&cli->client, "GET", "/containers/json?all=1", NULL, &e);
    json_each (c, all) {
        const char *name = json_string_value(json_array_get(json_object_get(c, "Names"), 0));
        bool runs = str_eq(json_str(c, "State", ""), "running") || str_eq(json_str(c, "State", ""), "paused");
        if (name && (state == ANY_STATE || (state == RUNNING) == runs))
            propose(name + (*name == '/'), typed);
    }
}

static void propose_images(struct cli *cli, const char *typed)
{
    struct err e;
    json_auto_t *all = client_json(&cli->client, "GET", "/images/json", NULL, &e);
    json_each (image, all)
        json_each (tag, json_object_get(image, "RepoTags")) {
            const char *name = json_string_value(tag), *colon = name ? strrchr(name, ':') : NULL;
            if (!colon)
                continue;
            autofree char *repo = mem_strndup(name, (size_t)(colon - name));
            propose(name, typed);
            if (str_eq(colon, ":latest"))
                propose(repo, typed);
        }
}

static void propose_contexts(const char *typed)
{
    struct err e;
    autostr bad = STR_INIT;
    json_auto_t *all = context_list(&bad, &e);
    propose(CONTEXT_DEFAULT, typed);
    json_each (meta, all)
        propose(json_str(meta, "Name", ""), typed);
}

/* Commands that make no sense but in one state. */
static int wanted_state(const char *name)
{
    static const char *const running[] = {"stop", "kill", "exec", "attach", "top", "pause", "unpause", "port", "stats"};
    for (size_t i = 0; i < sizeof(running) / sizeof(*running); i++)
        if (str_eq(running[i], name))
            return RUNNING;
    return str_eq(name, "start") ? STOPPED : ANY_STATE;
}

/* The word of a usage line at place `n`: "CONTAINER [COMMAND] [ARG...]" has COMMAND at place 1. The last one repeats.
 */
static const char *usage_word(const char *usage, size_t n, size_t *ret_len)
{
    const char *word = "";
    *ret_len = 0;
    for (size_t i = 0; i <= n; i++) {
        usage += strspn(usage, " ");
        size_t k = strcspn(usage, " ");
        if (k == 0)
            break;
        word = usage;
        *ret_len = k;
        usage += k;
    }
    return word;
}

static void propose_argument(struct cli *cli, const struct command *c, const char *name, size_t place,
                             const char *typed)
{
    size_t n;
    const char *at = usage_word(c->usage ? c->usage : "", place, &n);
    autofree char *word = mem_strndup(at, n);
    bool any = strstr(word, "NAME|ID") != NULL;
    if (any || strstr(word, "CONTAINER"))
        propose_containers(cli, wanted_state(name), typed);
    if (any || strstr(word, "IMAGE"))
        propose_images(cli, typed);
    if (strstr(word, "CONTEXT") && !str_eq(name, "create") && !str_eq(name, "import")) /* these want a new name */
        propose_contexts(typed);
}

/* ---- where in the line are we? ---- */

/* Does this word want the next one as its value? */
static bool wants_value(const struct flag *flags, const char *word)
{
    const char *last = word + strlen(word) - 1;
    bool is_long = str_starts(word, "--");
    if (word[0] != '-' || !word[1] || strchr(word, '='))
        return false;
    for (const struct flag *f = flags; f && f->type != FLAG_END; f++)
        if (is_long ? str_eq(f->name, word + 2) : f->letter == *last)
            return f->type != FLAG_BOOL && f->type != FLAG_SWITCH && f->type != FLAG_OPTIONAL;
    return false;
}

/* Pass over flags and their values. @return the place of the next argument before `end`, or `end` */
static size_t next_argument(const struct flag *flags, const struct args *a, size_t i, size_t end)
{
    for (; i < end && a->v[i][0] == '-' && a->v[i][1]; i++)
        if (wants_value(flags, a->v[i]))
            i++;
    return i < end ? i : end;
}

static void complete_command(struct cli *cli, const struct command *c, const char *name, const struct args *a,
                             size_t from)
{
    size_t last = a->n - 1, count = 0;
    const char *typed = a->v[last];
    for (size_t i = from; (i = next_argument(c->flags, a, i, last)) < last; i++)
        count++;
    bool ended = c->carries_command && count > 0; /* what follows belongs to another program */
    if (last > from && !ended && wants_value(c->flags, a->v[last - 1]))
        return; /* the shell proposes files */
    if (typed[0] == '-' && !ended)
        propose_flags(c->flags, typed);
    else
        propose_argument(cli, c, name, count, typed);
}

/* The line may name a daemon of its own. One that cannot be found proposes nothing. */
static bool use_daemon(struct cli *cli, const struct args *a, size_t n)
{
    struct err e;
    struct args rest;
    struct global_options o = {0};
    const struct global_options *own = cli->global;
    bool found = flag_parse(global_flags, &o, (int)n, a->v, false, &rest, &e) == 0;
    if (found && (o.host || o.context))
        cli->global = &o;
    found = found && endpoint_connect(cli, &e) == 0;
    cli->global = own;
    free(rest.v);
    flag_release(global_flags, &o);
    return found;
}

int complete(struct cli *cli, const struct args *a)
{
    if (a->n == 0)
        return EXIT_OK;
    size_t last = a->n - 1, at = next_argument(global_flags, a, 0, last);
    const char *typed = a->v[last];
    if (at == last) {
        if (last > 0 && wants_value(global_flags, a->v[last - 1])) {
            if (str_eq(a->v[last - 1], "--context") || str_eq(a->v[last - 1], "-c"))
                propose_contexts(typed);
            return EXIT_OK;
        }
        if (typed[0] == '-')
            propose_flags(global_flags, typed);
        else
            command_names(NULL, typed, propose);
        return EXIT_OK;
    }
    size_t words;
    const char *name = a->v[at];
    const struct command *c = command_find(&(struct args){a->v + at, last - at}, &words);
    if (c && !c->local && !use_daemon(cli, a, at))
        return EXIT_OK;
    if (c)
        complete_command(cli, c, a->v[at + words - 1], a, at + words);
    else if (at + 1 == last)
        command_names(name, typed, propose);
    return EXIT_OK;
}
