/* Tables: elastic tabstops, see table.h.
 *
 * The text is cut into cells once. Then the lines are walked with the widths found so far: where a line has a
 * tab-ended cell in the next column, the whole run of lines that share that column is measured, and the walk goes on
 * inside that run one column further right. So a column's width is known before any of its lines is written, and two
 * tables separated by a line without tabs do not widen each other.
 *
 * Depth of the recursion is the number of columns; COLUMNS_MAX bounds it, further tabs are plain blanks.
 * Read next: list.c, which makes the lines. */
#include "cli/table.h"
#include "base/mem.h"

#include <stdlib.h>

#define COLUMNS_MAX 64

struct cell {
    const char *s;
    size_t n;
    size_t width; /* as drawn */
};

struct line {
    struct cell *cell;
    size_t cells;
};

struct sheet {
    struct line *line;
    size_t lines;
    struct str *out;
    size_t width[COLUMNS_MAX]; /* of the columns left of the current one */
};

/* The characters that terminals draw two columns wide; the large blocks are enough for names and labels. */
static bool is_wide(uint32_t c)
{
    return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
           (c >= 0x1f300 && c <= 0x1faff);
}

size_t table_width(const char *s, size_t n)
{
    size_t width = 0;
    for (size_t i = 0; i < n;) {
        unsigned char lead = (unsigned char)s[i++];
        if (lead < 0x80) {
            width++;
            continue;
        }
        uint32_t c = lead;
        if (lead >= 0xc0)
            c = lead & (lead >= 0xf0 ? 0x07u : lead >= 0xe0 ? 0x0fu : 0x1fu);
        while (i < n && ((unsigned char)s[i] & 0xc0) == 0x80)
            c = (c << 6) | ((unsigned char)s[i++] & 0x3f);
        width += is_wide(c) ? 2 : 1;
    }
    return width;
}

void table_text(struct str *out, const char *s, bool safe)
{
    static const char digit[] = "0123456789abcdef";
    for (;; s++) {
        size_t plain = 0; /* most text is */
        while ((unsigned char)s[plain] >= 0x20 && (unsigned char)s[plain] < 0x7f)
            plain++;
        str_addn(out, s, plain);
        s += plain;
        if (!*s)
            return;
        unsigned char c = (unsigned char)*s;
        /* U+0080 to U+009F are control characters too; in UTF-8 they begin with the byte c2. */
        bool c1 = c == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] <= 0x9f;
        if (safe && (c < 0x20 || c == 0x7f || c1)) {
            if (c1)
                c = (unsigned char)*++s;
            char hex[] = {'\\', 'x', digit[c >> 4], digit[c & 15], '\0'};
            str_add(out, hex);
        } else {
            str_addc(out, *s);
        }
    }
}

static void cut_line(struct line *l, const char *s, size_t n)
{
    for (const char *end = s + n;;) {
        const char *tab = l->cells + 1 < COLUMNS_MAX ? memchr(s, '\t', (size_t)(end - s)) : NULL;
        size_t len = (size_t)((tab ? tab : end) - s);
        l->cell = mem_resize(l->cell, l->cells + 1, sizeof(*l->cell));
        l->cell[l->cells++] = (struct cell){s, len, table_width(s, len)};
        if (!tab)
            return;
        s = tab + 1;
    }
}

static void write_line(struct sheet *t, const struct line *l, size_t columns)
{
    for (size_t c = 0; c < l->cells; c++) {
        str_addn(t->out, l->cell[c].s, l->cell[c].n);
        if (c + 1 == l->cells || c >= columns)
            break;
        str_pad(t->out, ' ', t->width[c] - l->cell[c].width);
    }
    str_addc(t->out, '\n');
}

/* Write the lines [from, to), whose columns left of `column` have known widths. */
static void write_lines(struct sheet *t, size_t from, size_t to, size_t column)
{
    for (size_t i = from; i < to;) {
        if (t->line[i].cells <= column + 1) {
            write_line(t, &t->line[i++], column);
            continue;
        }
        size_t width = TABLE_WIDTH_MIN, end = i;
        for (; end < to && t->line[end].cells > column + 1; end++) {
            size_t w = t->line[end].cell[column].width + TABLE_PADDING;
            if (w > width)
                width = w;
        }
        t->width[column] = width;
        write_lines(t, i, end, column + 1);
        i = end;
    }
}

void table_align(const char *text, struct str *out)
{
    struct sheet t = {.out = out};
    while (*text) {
        const char *end = strchrnul(text, '\n');
        t.line = mem_resize(t.line, t.lines + 1, sizeof(*t.line));
        t.line[t.lines] = (struct line){NULL, 0};
        cut_line(&t.line[t.lines++], text, (size_t)(end - text));
        text = *end ? end + 1 : end;
    }
    write_lines(&t, 0, t.lines, 0);
    for (size_t i = 0; i < t.lines; i++)
        free(t.line[i].cell);
    free(t.line);
}
