/* Help: flags as aligned text.
 *
 * The layout is that of every docker-like program: the letter, the name, what the value is called, then the sentence,
 * folded beside the others when the terminal is too narrow. Read next: command.c, which puts the rest around it. */
#include "cli/command.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_DEFAULT 80
#define WIDTH_MIN     60
#define WIDTH_MAX     120
#define TEXT_MIN      24 /* columns left for the sentence, whatever the flags' names take */

size_t usage_width(void)
{
    struct winsize w;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
        return WIDTH_DEFAULT;
    return w.ws_col < WIDTH_MIN ? WIDTH_MIN : w.ws_col > WIDTH_MAX ? WIDTH_MAX : w.ws_col;
}

static void left_side(struct str *out, const struct flag *f)
{
    const char *word = flag_word(f);
    str_addf(out, f->letter ? "  -%c, " : "      ", f->letter);
    str_addf(out, "--%s", f->name);
    if (f->type == FLAG_OPTIONAL)
        str_addf(out, "[=%s]", word);
    else if (*word)
        str_addf(out, " %s", word);
}

static void right_side(struct str *out, const struct flag *f, size_t indent, size_t width)
{
    autostr text = STR_INIT;
    str_add(&text, f->help);
    bool quoted = f->type == FLAG_STRING;
    if (!str_empty(f->initial) && f->type != FLAG_OPTIONAL && !str_eq(f->initial, FLAG_UNSET))
        str_addf(&text, quoted ? " (default \"%s\")" : " (default %s)", f->initial);
    if (width < indent + TEXT_MIN)
        width = indent + TEXT_MIN;
    str_fold(out, text.s, indent, width);
}

/* The shown flag whose name comes next after `previous`, in alphabetical order; the tables follow the API's instead. */
static const struct flag *next_shown(const struct flag *flags, const struct flag *previous)
{
    const struct flag *best = NULL;
    for (const struct flag *f = flags; f && f->type != FLAG_END; f++)
        if (f->help && (!previous || strcmp(f->name, previous->name) > 0) && (!best || strcmp(f->name, best->name) < 0))
            best = f;
    return best;
}

void usage_flags(struct str *out, const struct flag *flags, size_t width)
{
    size_t widest = 0;
    for (const struct flag *f = NULL; (f = next_shown(flags, f));) {
        autostr left = STR_INIT;
        left_side(&left, f);
        if (left.len > widest)
            widest = left.len;
    }
    for (const struct flag *f = NULL; (f = next_shown(flags, f));) {
        size_t start = out->len;
        left_side(out, f);
        str_addf(out, "%*s", (int)(widest + 3 - (out->len - start)), "");
        right_side(out, f, widest + 3, width);
    }
}
