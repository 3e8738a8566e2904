/* The daemon's command line: words to settings. The table is in settings.c, getopt_long(3) does the reading.
 *
 * Read next: apply.c. */
#include "api/options.h"
#include "api/settings.h"
#include "base/json.h"
#include "base/mem.h"

#include <getopt.h>
#include <stdlib.h>

enum { OPT_FIRST = 256, OPT_STATE_MACHINE = 1000, OPT_HELP, OPT_VALIDATE, OPT_SETTINGS, OPT_CHECK };

/* Switches take a value only after "=", as with docker. */
static bool takes_none(const struct setting *s)
{
    return s->kind == SETTING_BOOL ||
           (s->kind == SETTING_FIXED && str_eq(s->word, "false") && !str_eq(s->flag, "feature"));
}

static struct option *long_options(void)
{
    static const struct option more[] = {{"check", no_argument, NULL, OPT_CHECK},
                                         {"settings", no_argument, NULL, OPT_SETTINGS},
                                         {"state-machine", no_argument, NULL, OPT_STATE_MACHINE},
                                         {"validate", no_argument, NULL, OPT_VALIDATE},
                                         {"version", no_argument, NULL, 'v'},
                                         {"help", no_argument, NULL, OPT_HELP},
                                         {NULL, 0, NULL, 0}};
    struct option *all = mem_alloc(nsettings * sizeof(*all) + sizeof(more));
    for (size_t i = 0; i < nsettings; i++)
        all[i] = (struct option){settings[i].flag, takes_none(&settings[i]) ? optional_argument : required_argument,
                                 NULL, OPT_FIRST + (int)i};
    memcpy(all + nsettings, more, sizeof(more));
    return all;
}

static char *letters(void)
{
    autostr out = STR_INIT;
    str_add(&out, ":v");
    for (size_t i = 0; i < nsettings; i++)
        if (settings[i].letter)
            str_addf(&out, "%c%s", settings[i].letter, takes_none(&settings[i]) ? "" : ":");
    return str_take(&out);
}

static const struct setting *setting_of_option(int c)
{
    for (size_t i = 0; i < nsettings; i++)
        if (c == OPT_FIRST + (int)i || (settings[i].letter && c == settings[i].letter))
            return &settings[i];
    return NULL;
}

static int one(struct command_line *l, int c, struct err *e)
{
    switch (c) {
    case 'v': l->action = ACTION_VERSION; return 0;
    case OPT_HELP: l->action = ACTION_HELP; return 0;
    case OPT_STATE_MACHINE: l->action = ACTION_STATE_MACHINE; return 0;
    case OPT_VALIDATE: l->action = ACTION_VALIDATE; return 0;
    case OPT_SETTINGS: l->action = ACTION_SETTINGS; return 0;
    case OPT_CHECK: l->action = ACTION_CHECK; return 0;
    default: return setting_add(l->flags, setting_of_option(c), optarg, e);
    }
}

int command_line_parse(struct command_line *l, int argc, char **argv, struct err *e)
{
    autofree struct option *longs = long_options();
    autofree char *shorts = letters();
    *l = (struct command_line){.flags = json_object()};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        const char *word = argv[optind - 1];
        if (c == ':')
            return err_set(e, ERR_INVALID, "option %s needs a value", word);
        if (c == '?')
            return err_set(e, ERR_INVALID, "unknown option: %s", word);
        if (one(l, c, e) < 0)
            return -1;
    }
    if (optind < argc)
        return err_set(e, ERR_INVALID, "unexpected argument: %s", argv[optind]);
    l->config = json_str(l->flags, "config-file", NULL);
    l->config_given = l->config != NULL;
    if (!l->config)
        l->config = DEFAULT_CONFIG;
    return 0;
}

void command_line_release(struct command_line *l)
{
    json_decref(l->flags);
    l->flags = NULL;
}

/* ---- help ---- */

#define LEFT  34
#define RIGHT 100

static void add_option(struct str *out, char letter, const char *flag, const char *word, const char *help)
{
    autofree char *name = str_printf("--%s%s%s", flag, word ? " " : "", word ? word : "");
    str_addf(out, letter ? "  -%c, " : "      ", letter);
    if (strlen(name) > LEFT - 8)
        str_addf(out, "%s\n%*s", name, LEFT, "");
    else
        str_addf(out, "%-*s", LEFT - 6, name);
    str_fold(out, help, LEFT, RIGHT);
}

char *options_help(void)
{
    autostr out = STR_INIT;
    str_add(&out, "Usage:  goraed [OPTIONS]\n\n"
                  "The container daemon: it owns the containers and images, and answers the Docker Engine API.\n\n"
                  "Options:\n");
    for (size_t i = 0; i < nsettings; i++) {
        if (settings[i].kind == SETTING_FIXED && settings[i - 1].kind != SETTING_FIXED)
            str_add(&out, "\nFixed Docker Options:\n");
        add_option(&out, settings[i].letter, settings[i].flag, settings[i].word, settings[i].help);
    }
    str_add(&out, "\nOther Options:\n");
    add_option(&out, 0, "check", NULL, "Tell what this machine lacks for the daemon with these options, and exit");
    add_option(&out, 0, "settings", NULL, "Print the keys of the configuration file as a table, and exit");
    add_option(&out, 0, "state-machine", NULL, "Print the states of a container as a graphviz digraph and exit");
    add_option(&out, 0, "validate", NULL, "Check options and configuration file, and exit");
    add_option(&out, 'v', "version", NULL, "Print the version and exit");
    add_option(&out, 0, "help", NULL, "Print this and exit");
    str_add(&out, "\nThe same settings may stand in the configuration file, by dockerd's names for them; goraed reads "
                  "it again on SIGHUP.\n");
    return str_take(&out);
}

/* What the manual is made from: src/man/settings.awk. */
char *options_table(void)
{
    static const char *const kinds[] = {
        [SETTING_BOOL] = "boolean",    [SETTING_TEXT] = "string", [SETTING_NUMBER] = "number",
        [SETTING_LIST] = "strings",    [SETTING_MAP] = "map",     [SETTING_RUNTIMES] = "runtimes",
        [SETTING_ULIMITS] = "ulimits", [SETTING_FIXED] = "fixed"};
    autostr out = STR_INIT;
    for (const struct setting *s = settings; s < settings + nsettings; s++) {
        bool fixed = s->kind == SETTING_FIXED && s->word;
        if (s->key)
            str_addf(&out, "%s\t%s\t%s\t%s\t%s%s%s%s\n", s->key, s->flag, kinds[s->kind], s->live ? "live" : "start",
                     fixed ? "Only " : "",
                     !fixed     ? ""
                     : *s->word ? s->word
                                : "empty",
                     fixed ? ": " : "", s->help);
    }
    return str_take(&out);
}
