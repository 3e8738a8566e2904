/* The client's tar reader: tar_next() and tar_read().
 *
 * Properties:
 *   1. Split invariance: the same bytes in any pieces give the same entries, the same content, and the same verdict.
 *   2. Content is never more than the bytes that were fed; names stay below their limit. */
#include "fuzz.h"
#include "cli/tar.h"

#include <limits.h>
#include <string.h>

struct feed {
    struct cutter cut;
    const uint8_t *data;
    size_t size, at;
};

static ssize_t give(void *arg, void *p, size_t n, struct err *e)
{
    struct feed *f = arg;
    (void)e;
    size_t left = f->size - f->at, k = left > 0 ? cutter_next(&f->cut, left) : 0;
    k = k < n ? k : n;
    if (k == 0 && left > 0 && n > 0)
        k = 1;
    memcpy(p, f->data + f->at, k);
    f->at += k;
    return (ssize_t)k;
}

static void read_all(struct tar_reader *t, struct str *log)
{
    struct err e = {0};
    char part[64];
    ssize_t n = 0;
    int r;
    while ((r = tar_next(t, &e)) > 0) {
        const struct tar_entry *x = &t->entry;
        HOLDS(x->name.len < PATH_MAX && x->link.len < PATH_MAX && x->size >= 0 && t->left >= 0);
        str_addf(log, "%c %o %lld %lld %lld ", x->type, x->mode, (long long)x->uid, (long long)x->size,
                 (long long)x->mtime);
        str_addn(log, x->name.s, x->name.len);
        str_addn(log, x->link.s, x->link.len);
        while ((n = tar_read(t, part, sizeof(part), &e)) > 0)
            str_addn(log, part, (size_t)n);
        if (n < 0)
            break;
    }
    str_addf(log, "\n%d %d %s", r, n < 0, e.msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str log[CUTS] = {STR_INIT, STR_INIT, STR_INIT};
    for (int i = 0; i < CUTS; i++) {
        struct feed f = {cutter_new((enum cut)i, data, size), data, size, 0};
        struct tar_reader t = {.source = give, .arg = &f};
        str_reset(&log[i]);
        read_all(&t, &log[i]);
        tar_reader_release(&t);
        HOLDS(log[i].len == log[0].len && memcmp(log[i].s, log[0].s, log[0].len) == 0);
    }
    for (int i = 0; i < CUTS; i++)
        str_release(&log[i]);
    return 0;
}
