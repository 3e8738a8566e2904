/* Reading a tar: see tar.h.
 *
 * Every number and length is checked before it is used, a header's sum first of all. An archive that ends in the middle
 * is an error: what broke must not look whole. Read next: tar_extract.c. */
#include "cli/tar.h"
#include "base/mem.h"

#include <limits.h>

/* The header's fields, by offset and length. */
enum {
    NAME = 0,
    MODE = 100,
    UID = 108,
    GID = 116,
    SIZE = 124,
    MTIME = 136,
    SUM = 148,
    TYPE = 156,
    LINK = 157,
    MAGIC = 257,
    PREFIX = 345
};

static int broken(struct err *e, const char *why)
{
    return err_set(e, ERR_INVALID, "the archive is not sound: %s", why);
}

/* @return 1; 0 where the archive ends before the first byte, and may; -1 */
static int read_unless_end(struct tar_reader *t, bool may_end, void *p, size_t n, struct err *e)
{
    for (size_t got = 0; got < n;) {
        ssize_t k = t->source(t->arg, (char *)p + got, n - got, e);
        if (k < 0)
            return -1;
        if (k == 0)
            return may_end && got == 0 ? 0 : broken(e, "it ends in the middle");
        got += (size_t)k;
    }
    return 1;
}

static int read_full(struct tar_reader *t, void *p, size_t n, struct err *e)
{
    return read_unless_end(t, false, p, n, e) < 0 ? -1 : 0;
}

static int skip(struct tar_reader *t, int64_t n, struct err *e)
{
    char drop[4096];
    for (; n > 0; n -= n < (int64_t)sizeof(drop) ? n : (int64_t)sizeof(drop))
        if (read_full(t, drop, n < (int64_t)sizeof(drop) ? (size_t)n : sizeof(drop), e) < 0)
            return -1;
    return 0;
}

/* Octal digits, or, where the first byte's top bit is set, a big-endian number in the rest. @return -1 where neither */
static int64_t number(const unsigned char *p, size_t n)
{
    int64_t v = 0;
    if (*p & 0x80) {
        if (*p & 0x40) /* negative: a time before 1970 */
            return 0;
        for (size_t i = 1; i < n; i++) {
            if (v > INT64_MAX >> 8)
                return -1;
            v = v << 8 | p[i];
        }
        return v;
    }
    size_t i = 0;
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        if (v > INT64_MAX >> 3)
            return -1;
        v = v << 3 | (p[i] - '0');
    }
    return i == n || p[i] == ' ' || p[i] == '\0' ? v : -1;
}

static bool sum_fits(const unsigned char *h)
{
    int64_t sum = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += i >= SUM && i < SUM + 8 ? ' ' : h[i];
    return number(h + SUM, 8) == sum;
}

static void set_text(struct str *s, const void *p, size_t max)
{
    str_reset(s);
    str_addn(s, p, strnlen(p, max));
}

/* One record of a pax header: "LENGTH KEY=VALUE\n", the length counting all of it. @return what is after it, or NULL */
static char *pax_record(struct tar_entry *x, char *p, char *end, unsigned *given)
{
    static const char *const keys[] = {"path", "linkpath", "size", "uid", "gid", "mtime"};
    char *rest = p;
    size_t n = 0;
    while (rest < end && *rest >= '0' && *rest <= '9' && n < TAR_EXTRA_MAX)
        n = n * 10 + (size_t)(*rest++ - '0');
    char *key = rest + 1, *eq = rest < end && *rest == ' ' ? memchr(key, '=', (size_t)(end - key)) : NULL;
    if (!eq || n > (size_t)(end - p) || p + n <= eq + 1 || p[n - 1] != '\n')
        return NULL;
    *eq = p[n - 1] = '\0';
    char *value = eq + 1;
    size_t dot = strcspn(value, ".");
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        int64_t v = 0;
        if (!str_eq(key, keys[i]))
            continue;
        if (i < 2) {
            set_text(i ? &x->link : &x->name, value, (size_t)(p + n - 1 - value));
        } else {
            value[dot] = '\0'; /* parts of a second are not kept */
            if (!str_to_i64(value, &v) || (v < 0 && i != 5))
                return NULL;
            *(i == 2 ? &x->size : i == 3 ? &x->uid : i == 4 ? &x->gid : &x->mtime) = v;
        }
        *given |= 1U << i;
    }
    return p + n;
}

/* An extension header's content. @param given gets a bit for each thing that it says of the next entry */
static int extension(struct tar_reader *t, char type, int64_t size, unsigned *given, struct err *e)
{
    if (size > TAR_EXTRA_MAX)
        return broken(e, "a header is too long");
    autofree char *text = mem_alloc((size_t)size + 1);
    if (read_full(t, text, (size_t)size, e) < 0 || skip(t, -size & (TAR_BLOCK - 1), e) < 0)
        return -1;
    if (type == 'L' || type == 'K') {
        set_text(type == 'L' ? &t->entry.name : &t->entry.link, text, (size_t)size);
        *given |= type == 'L' ? 1U : 2U;
    }
    for (char *p = text; type == 'x' && p < text + size;) {
        p = pax_record(&t->entry, p, text + size, given);
        if (!p)
            return broken(e, "a pax record is malformed");
    }
    return 0;
}

static int plain_header(struct tar_reader *t, const unsigned char *h, unsigned given, struct err *e)
{
    struct tar_entry *x = &t->entry;
    const int64_t mode = number(h + MODE, 8), mtime = number(h + MTIME, 12);
    x->type = h[TYPE] == '\0' || h[TYPE] == '7' ? '0' : (char)h[TYPE];
    if (!(given & 1)) {
        bool ustar = memcmp(h + MAGIC, "ustar\0", 6) == 0 && h[PREFIX];
        str_reset(&x->name);
        if (ustar) {
            str_addn(&x->name, h + PREFIX, strnlen((const char *)h + PREFIX, 155));
            str_addc(&x->name, '/');
        }
        str_addn(&x->name, h + NAME, strnlen((const char *)h + NAME, 100));
    }
    if (!(given & 2))
        set_text(&x->link, h + LINK, 100);
    x->size = given & 4 ? x->size : number(h + SIZE, 12);
    x->uid = given & 8 ? x->uid : number(h + UID, 8);
    x->gid = given & 16 ? x->gid : number(h + GID, 8);
    x->mtime = given & 32 ? x->mtime : mtime;
    x->mode = (mode_t)mode & 07777;
    if (mode < 0 || x->size < 0 || x->uid < 0 || x->gid < 0 || (x->mtime < 0 && !(given & 32)))
        return broken(e, "a header has a number that is none");
    if (x->name.len >= PATH_MAX || x->link.len >= PATH_MAX)
        return broken(e, "a name is too long");
    t->left = x->type == '0' ? x->size : 0;
    t->pad = -t->left & (TAR_BLOCK - 1);
    return 1;
}

int tar_next(struct tar_reader *t, struct err *e)
{
    unsigned char h[TAR_BLOCK];
    unsigned given = 0;
    if (skip(t, t->left, e) < 0)
        return -1;
    int more = read_unless_end(t, t->open_end, h, (size_t)t->pad, e);
    t->left = t->pad = 0;
    while (more > 0) {
        more = read_unless_end(t, t->open_end && given == 0, h, sizeof(h), e);
        if (more <= 0)
            break;
        if (h[0] == '\0' && number(h + SUM, 8) == 0) /* a block of zeros is the end */
            return 0;
        if (!sum_fits(h))
            return broken(e, "a header's sum is wrong");
        int64_t size = number(h + SIZE, 12);
        if (!strchr("xgLK", h[TYPE]) || h[TYPE] == '\0')
            return plain_header(t, h, given, e);
        if (size < 0)
            return broken(e, "a header has a number that is none");
        if (extension(t, (char)h[TYPE], size, &given, e) < 0)
            return -1;
    }
    return more;
}

ssize_t tar_read(struct tar_reader *t, void *p, size_t n, struct err *e)
{
    n = t->left < (int64_t)n ? (size_t)t->left : n;
    if (n == 0)
        return 0;
    ssize_t k = t->source(t->arg, p, n, e);
    if (k == 0)
        return broken(e, "it ends in the middle");
    t->left -= k > 0 ? k : 0;
    return k;
}

void tar_reader_release(struct tar_reader *t)
{
    str_release(&t->entry.name);
    str_release(&t->entry.link);
}
