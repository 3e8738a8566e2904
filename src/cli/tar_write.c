/* Writing a tar of local files, piece by piece as the connection takes it: see tar.h.
 *
 * The archive is never whole anywhere. Whoever sends asks for bytes; what is at hand is given: the rest of a header, of
 * a file, of the filling behind it; then the walk takes one step. It stands in a stack of open folders. A file that has
 * shrunk since its header was written is filled up with zeros, one that has grown is cut.
 *
 * Files with several names stay so (the first LINKED_MAX of them). Read next: copy.c. */
#include "cli/tar.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LINKED_MAX 1024

struct level {
    DIR *dir;
    char *name; /* of the folder, in the archive */
};

struct tar_writer {
    struct str head; /* to be sent: head.s[at..len) */
    size_t at;
    int file; /* whose content is being sent, or -1 */
    int64_t left, pad, bytes;
    struct level level[TAR_DEPTH_MAX];
    size_t depth;
    bool ended;
    struct linked {
        dev_t dev;
        ino_t ino;
        char *name;
    } linked[LINKED_MAX];
    size_t nlinked;
};

int64_t tar_writer_bytes(const struct tar_writer *w)
{
    return w->bytes;
}

void tar_writer_free(struct tar_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->depth; i++) {
        closedir(w->level[i].dir);
        free(w->level[i].name);
    }
    for (size_t i = 0; i < w->nlinked; i++)
        free(w->linked[i].name);
    fd_close(w->file);
    str_release(&w->head);
    free(w);
}

/* ---- headers ---- */

static void add_padding(struct str *s)
{
    static const char zeros[TAR_BLOCK];
    str_addn(s, zeros, -s->len & (TAR_BLOCK - 1));
}

static void octal(char *field, size_t n, int64_t v)
{
    snprintf(field, n, "%0*llo", (int)n - 1, (unsigned long long)v);
}

static void add_header(struct str *out, const char *name, char type, const struct stat *st, int64_t size,
                       const char *link)
{
    static const char magic[8] = {'u', 's', 't', 'a', 'r', '\0', '0', '0'}; /* and the version, "00" */
    char h[TAR_BLOCK] = "";
    unsigned sum = 0;
    memccpy(h, name, '\0', 100); /* a field that is full has no NUL at its end */
    octal(h + 100, 8, st->st_mode & 07777);
    octal(h + 108, 8, st->st_uid & 07777777);
    octal(h + 116, 8, st->st_gid & 07777777);
    octal(h + 124, 12, size & INT64_C(077777777777));
    octal(h + 136, 12, st->st_mtim.tv_sec > 0 ? st->st_mtim.tv_sec & INT64_C(077777777777) : 0);
    h[156] = type;
    memccpy(h + 157, link, '\0', 100);
    memcpy(h + 257, magic, sizeof(magic));
    octal(h + 329, 8, major(st->st_rdev) & 07777777);
    octal(h + 337, 8, minor(st->st_rdev) & 07777777);
    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    str_addn(out, h, TAR_BLOCK);
}

/* "LENGTH KEY=VALUE\n", where the length counts its own digits. */
static void add_record(struct str *out, const char *key, const char *value)
{
    size_t body = strlen(key) + strlen(value) + 3, n = body + 1;
    char digits[24];
    while (body + (size_t)snprintf(digits, sizeof(digits), "%zu", n) != n)
        n++;
    str_addf(out, "%zu %s=%s\n", n, key, value);
}

static void add_number(struct str *out, const char *key, int64_t v, int64_t max)
{
    autofree char *text = str_printf("%lld", (long long)v);
    if (v > max)
        add_record(out, key, text);
}

/* A plain header, and before it a pax one for what it has no room for. */
static void start_entry(struct tar_writer *w, const char *name, char type, const struct stat *st, int64_t size,
                        const char *link)
{
    autostr extra = STR_INIT;
    struct stat plain = {.st_mode = 0644};
    str_reset(&extra);
    str_reset(&w->head);
    w->at = 0;
    if (strlen(name) > 100)
        add_record(&extra, "path", name);
    if (strlen(link) > 100)
        add_record(&extra, "linkpath", link);
    add_number(&extra, "size", size, INT64_C(077777777777));
    add_number(&extra, "uid", st->st_uid, 07777777);
    add_number(&extra, "gid", st->st_gid, 07777777);
    if (extra.len > 0) {
        add_header(&w->head, "pax", 'x', &plain, (int64_t)extra.len, "");
        str_addn(&w->head, extra.s, extra.len);
        add_padding(&w->head);
    }
    add_header(&w->head, name, type, st, size, link);
}

void tar_add(struct str *out, const char *name, mode_t mode, const void *p, size_t n)
{
    const struct stat st = {.st_mode = mode};
    add_header(out, name, S_ISDIR(mode) ? '5' : '0', &st, (int64_t)n, "");
    str_addn(out, p ? p : "", n);
    add_padding(out);
}

void tar_end(struct str *out)
{
    static const char end[2 * TAR_BLOCK];
    str_addn(out, end, sizeof(end));
}

/* ---- the walk ---- */

static const char *known_as(struct tar_writer *w, const struct stat *st, const char *name)
{
    if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
        return NULL;
    for (size_t i = 0; i < w->nlinked; i++)
        if (w->linked[i].dev == st->st_dev && w->linked[i].ino == st->st_ino)
            return w->linked[i].name;
    if (w->nlinked < LINKED_MAX)
        w->linked[w->nlinked++] = (struct linked){st->st_dev, st->st_ino, mem_strdup(name)};
    return NULL;
}

static int enter(struct tar_writer *w, int at, const char *file, const char *name, struct err *e)
{
    int fd = openat(at, file, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 || w->depth == TAR_DEPTH_MAX ? NULL : fdopendir(fd);
    if (!dir) {
        fd_close(fd);
        return w->depth == TAR_DEPTH_MAX ? err_set(e, ERR_TOO_LARGE, "%s is too deep", name)
                                         : err_sys(e, "cannot open %s", name);
    }
    w->level[w->depth++] = (struct level){dir, mem_strdup(name)};
    return 0;
}

static int add_file(struct tar_writer *w, int at, const char *file, const char *name, struct err *e)
{
    struct stat st;
    w->file = openat(at, file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (w->file < 0 || fstat(w->file, &st) < 0)
        return err_sys(e, "cannot read %s", name);
    w->left = S_ISREG(st.st_mode) ? st.st_size : 0;
    w->pad = -w->left & (TAR_BLOCK - 1);
    start_entry(w, name, '0', &st, w->left, "");
    return 0;
}

/* Sockets are passed over: an archive has no word for them. @param follow for what the person named */
static int add_entry(struct tar_writer *w, int at, const char *file, const char *name, bool follow, struct err *e)
{
    struct stat st;
    char link[PATH_MAX];
    if (fstatat(at, file, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "lstat %s", file);
    if (S_ISSOCK(st.st_mode))
        return 0;
    const char *same = known_as(w, &st, name);
    if (same) {
        start_entry(w, name, '1', &st, 0, same);
        return 0;
    }
    if (S_ISREG(st.st_mode))
        return add_file(w, at, file, name, e);
    if (S_ISDIR(st.st_mode)) {
        autofree char *slash = str_printf("%s/", name);
        start_entry(w, slash, '5', &st, 0, "");
        return enter(w, at, file, name, e);
    }
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlinkat(at, file, link, sizeof(link) - 1);
        if (n < 0)
            return err_sys(e, "cannot read link %s", name);
        link[n] = '\0';
        start_entry(w, name, '2', &st, 0, link);
        return 0;
    }
    start_entry(w, name, S_ISFIFO(st.st_mode) ? '6' : S_ISCHR(st.st_mode) ? '3' : '4', &st, 0, "");
    return 0;
}

static int step(struct tar_writer *w, struct err *e)
{
    str_reset(&w->head);
    w->at = 0;
    if (w->depth == 0) {
        w->ended = true;
        tar_end(&w->head);
        return 0;
    }
    struct level *l = &w->level[w->depth - 1];
    errno = 0;
    struct dirent *x = readdir(l->dir);
    if (!x && errno)
        return err_sys(e, "cannot list %s", l->name);
    if (!x) {
        closedir(l->dir);
        free(l->name);
        w->depth--;
        return 0;
    }
    if (str_eq(x->d_name, ".") || str_eq(x->d_name, ".."))
        return 0;
    autofree char *name = str_printf("%s/%s", l->name, x->d_name);
    return add_entry(w, dirfd(l->dir), x->d_name, name, false, e);
}

struct tar_writer *tar_writer_new(const char *path, bool follow, const char *name, struct err *e)
{
    struct tar_writer *w = mem_alloc(sizeof(*w));
    w->file = -1;
    if (add_entry(w, AT_FDCWD, path, name, follow, e) == 0)
        return w;
    tar_writer_free(w);
    return NULL;
}

static ssize_t give(struct tar_writer *w, void *p, size_t n, struct err *e)
{
    if (w->at < w->head.len) {
        n = n < w->head.len - w->at ? n : w->head.len - w->at;
        memcpy(p, w->head.s + w->at, n);
        w->at += n;
        return (ssize_t)n;
    }
    int64_t *left = w->left > 0 ? &w->left : &w->pad;
    n = *left < (int64_t)n ? (size_t)*left : n;
    if (n == 0)
        return 0;
    ssize_t k = w->left > 0 ? read(w->file, p, n) : 0;
    if (k < 0)
        return errno == EINTR ? give(w, p, n, e) : err_sys(e, "cannot read a file");
    if (k == 0)
        memset(p, 0, (size_t)(k = (ssize_t)n));
    if (left == &w->left)
        w->bytes += k;
    *left -= k;
    return k;
}

ssize_t tar_write(void *writer, void *p, size_t n, struct err *e)
{
    struct tar_writer *w = writer;
    for (;;) {
        ssize_t k = give(w, p, n, e);
        if (k != 0)
            return k;
        if (w->file >= 0) {
            fd_close(w->file);
            w->file = -1;
        }
        if (w->ended)
            return 0;
        if (step(w, e) < 0)
            return -1;
    }
}
