/* Flags: which words of the command line are flags, and which value belongs to which.
 *
 * One pass from left to right. A word that begins with "--" is a long flag, one that begins with "-" a row of letters,
 * "-" alone is an argument (it stands for standard input), and "--" ends the flags. A flag that needs a value and has
 * no "=" takes the next word, whatever it looks like: `-e --foo` sets a variable to "--foo", as with getopt(3).
 *
 * How it fails: with ERR_INVALID and a sentence that quotes the word as typed. The caller (command.c) adds the usage
 * line and exits with 125, docker's code for "docker itself failed".
 * Read next: flag_value.c for the texts, command.c for who calls. */
#include "cli/flag.h"
#include "base/mem.h"

#include <stdlib.h>

/* The pass over the words: where we are, and what is left. */
struct walk {
    const struct flag *flags;
    void *options;
    char **next, **end;
    bool help;
};

static const struct flag *find(const struct flag *flags, const char *name, size_t n, char letter)
{
    for (const struct flag *f = flags; f && f->type != FLAG_END; f++) {
        if (letter ? f->letter == letter : (strlen(f->name) == n && memcmp(f->name, name, n) == 0))
            return f;
    }
    return NULL;
}

static bool bare_allowed(const struct flag *f)
{
    return f->type == FLAG_BOOL || f->type == FLAG_SWITCH || f->type == FLAG_OPTIONAL;
}

static int store(struct walk *w, const struct flag *f, const char *text, struct err *e)
{
    struct err why;
    if (flag_set(f, w->options, text, &why) == 0)
        return 0;
    if (f->letter)
        return err_set(e, ERR_INVALID, "invalid argument \"%s\" for \"-%c, --%s\" flag: %s", text, f->letter, f->name,
                       why.msg);
    return err_set(e, ERR_INVALID, "invalid argument \"%s\" for \"--%s\" flag: %s", text, f->name, why.msg);
}

static int long_flag(struct walk *w, const char *word, struct err *e)
{
    const char *eq = strchrnul(word, '=');
    const struct flag *f = find(w->flags, word, (size_t)(eq - word), 0);
    if (!f && str_eq(word, "help")) {
        w->help = true;
        return 0;
    }
    if (!f || eq == word)
        return err_set(e, ERR_INVALID, "unknown flag: --%.*s", (int)(eq - word), word);
    if (f->type == FLAG_REFUSED)
        return err_set(e, ERR_INVALID, "--%s: %s", f->name, f->word);
    if (*eq)
        return store(w, f, eq + 1, e);
    if (bare_allowed(f))
        return store(w, f, f->type == FLAG_OPTIONAL ? f->initial : "true", e);
    if (w->next == w->end)
        return err_set(e, ERR_INVALID, "flag needs an argument: --%s", f->name);
    return store(w, f, *w->next++, e);
}

static int letters(struct walk *w, const char *word, struct err *e)
{
    for (const char *p = word; *p; p++) {
        const struct flag *f = find(w->flags, NULL, 0, *p);
        if (!f && *p == 'h') {
            w->help = true;
            return 0;
        }
        if (!f)
            return err_set(e, ERR_INVALID, "unknown shorthand flag: '%c' in -%s", *p, word);
        if (p[1] == '=')
            return store(w, f, p + 2, e);
        if (!bare_allowed(f) && p[1])
            return store(w, f, p + 1, e);
        if (!bare_allowed(f) && w->next == w->end)
            return err_set(e, ERR_INVALID, "flag needs an argument: '%c' in -%s", *p, word);
        if (!bare_allowed(f))
            return store(w, f, *w->next++, e);
        if (store(w, f, f->type == FLAG_OPTIONAL ? f->initial : "true", e) < 0)
            return -1;
    }
    return 0;
}

void flag_defaults(const struct flag *flags, void *options)
{
    for (const struct flag *f = flags; f && f->type != FLAG_END; f++)
        if (f->initial && f->type != FLAG_OPTIONAL)
            flag_set(f, options, f->initial, NULL);
}

int flag_parse(const struct flag *flags, void *options, int argc, char **argv, bool mixed, struct args *ret_args,
               struct err *e)
{
    struct walk w = {flags, options, argv, argv + argc, false};
    autofree char **rest = mem_alloc(((size_t)argc + 1) * sizeof(*rest));
    size_t n = 0;
    *ret_args = (struct args){NULL, 0};
    flag_defaults(flags, options);
    while (w.next < w.end && !w.help) {
        char *word = *w.next++;
        int r = 0;
        if (str_eq(word, "--"))
            break;
        if (word[0] != '-' || !word[1]) {
            rest[n++] = word;
            if (!mixed)
                break;
        } else {
            r = word[1] == '-' ? long_flag(&w, word + 2, e) : letters(&w, word + 1, e);
        }
        if (r < 0)
            return -1;
    }
    while (w.next < w.end)
        rest[n++] = *w.next++;
    *ret_args = (struct args){take_ptr(&rest), n};
    return w.help ? 1 : 0;
}
