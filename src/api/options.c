/* The daemon's command line: words to settings. The table is in settings.c, getopt_long(3) does the reading.
 *
 * Read next: apply.c. */
#include "api/options.h"
#include "api/settings.h"
#include "base/json.h"
#include "base/mem.h"

#include <getopt.h>
#include <stdlib.h>

enum { OPT_FIRST = 256, OPT_ACTION = 1000 };

static const struct {
    const char *name;
    enum options_action action;
    char letter;
    const char *help;
} actions[] = {
    {"check", ACTION_CHECK, 0, "Tell what this machine lacks for the daemon with these options, and exit"},
    {"settings", ACTION_SETTINGS, 0, "Print the keys of the configuration file as a table, and exit"},
    {"state-machine", ACTION_STATE_MACHINE, 0, "Print the states of a container as a graphviz digraph and exit"},
    {"validate", ACTION_VALIDATE, 0, "Check options and configuration file, and exit"},
    {"version", ACTION_VERSION, 'v', "Print the version and exit"},
    {"help", ACTION_HELP, 0, "Print this and exit"},
};
#define NACTIONS (sizeof(actions) / sizeof(actions[0]))

/* Switches take a value only after "=", as with docker. */
static bool takes_none(const struct setting *s)
{
    return s->kind == SETTING_BOOL || s->kind == SETTING_FIXED;
}

static struct option *long_options(void)
{
    struct option *all = mem_alloc((nsettings + NACTIONS + 1) * sizeof(*all)), *x = all;
    for (size_t i = 0; i < nsettings; i++)
        *x++ = (struct option){settings[i].flag, takes_none(&settings[i]) ? optional_argument : required_argument, NULL,
                               OPT_FIRST + (int)i};
    for (size_t i = 0; i < NACTIONS; i++)
        *x++ = (struct option){actions[i].name, no_argument, NULL,
                               actions[i].letter ? actions[i].letter : OPT_ACTION + (int)actions[i].action};
    *x = (struct option){0};
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

/* What getopt does not know: a letter among several, or a word, which may be one of dockerd's. */
static int unknown(const char *word, struct err *e)
{
    const char *name = word + strspn(word, "-");
    size_t n = strcspn(name, "=");
    const char *why = setting_refused(name, n);
    if (optopt && optopt < OPT_FIRST && optopt != 'v') /* --version=x is a word */
        return err_set(e, ERR_INVALID, "unknown option: -%c", optopt);
    if (!why)
        return err_set(e, ERR_INVALID, "unknown option: %s", word);
    if (str_eq(name + n, "=false") || str_eq(name + n, "="))
        return 0; /* it asks for nothing */
    return err_set(e, ERR_INVALID, "--%.*s cannot be set: %s", (int)n, name, why);
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
        if (c == 'v' || c >= OPT_ACTION)
            l->action = c == 'v' ? ACTION_VERSION : (enum options_action)(c - OPT_ACTION);
        else if ((c == '?' ? unknown(word, e) : setting_add(l->flags, setting_of_option(c), optarg, e)) < 0)
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
        if (settings[i].kind >= SETTING_FIXED && settings[i - 1].kind < SETTING_FIXED)
            str_add(&out, "\nFixed Docker Options:\n");
        add_option(&out, settings[i].letter, settings[i].flag, settings[i].word, settings[i].help);
    }
    str_add(&out, "\nOther Options:\n");
    for (size_t i = 0; i < NACTIONS; i++)
        add_option(&out, actions[i].letter, actions[i].name, NULL, actions[i].help);
    str_add(&out, "\nThe same settings may stand in the configuration file, by dockerd's names for them; goraed reads "
                  "it again on SIGHUP.\n");
    return str_take(&out);
}

/* What the manual is made from: src/man/settings.awk. */
char *options_table(void)
{
    static const char *const kinds[] = {
        [SETTING_BOOL] = "boolean",   [SETTING_TEXT] = "string", [SETTING_NUMBER] = "number",
        [SETTING_LIST] = "strings",   [SETTING_MAP] = "map",     [SETTING_RUNTIMES] = "runtimes",
        [SETTING_ULIMITS] = "ulimits"};
    autostr out = STR_INIT;
    for (const struct setting *s = settings; s < settings + nsettings; s++) {
        bool fixed = s->kind >= SETTING_FIXED && s->word;
        autofree char *only = fixed ? str_printf("Only %s: ", *s->word ? s->word : "empty") : mem_strdup("");
        if (s->key)
            str_addf(&out, "%s\t%s\t%s\t%s\t%s%s\n", s->key, s->flag,
                     s->kind >= SETTING_FIXED ? "fixed" : kinds[s->kind], s->live ? "live" : "start", only, s->help);
    }
    return str_take(&out);
}
