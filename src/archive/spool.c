/* The files of an archive, written down in the order they come.
 *
 * An archive made by docker save may name its table of contents (manifest.json) last, and it comes through a pipe.
 * So everything is first written to spool/0, spool/1, … (numbers of ours, never names of theirs), hashed on the way,
 * and looked up by name in a table afterwards. Links between entries, which old archives use for layers that several
 * images share, are followed in that table, never on the disk. Two entries of one name are refused: whoever checks one
 * and unpacks the other has been fooled. Next: manifest.c. */
#include "archive/worker.h"
#include "base/file.h"
#include "base/mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SPOOL_COPY (256 << 10)
#define SPOOL_PATH 32
#define BLOBS      "blobs/sha256/"

static struct spool_file *add(struct spool *s, char *name)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->file = mem_resize(s->file, s->cap, sizeof(*s->file));
    }
    struct spool_file *f = &s->file[s->n++];
    *f = (struct spool_file){.name = name, .number = (unsigned)s->n - 1};
    return f;
}

static void spool_path(const struct spool_file *f, char out[SPOOL_PATH])
{
    snprintf(out, SPOOL_PATH, "spool/%u", f->number);
}

static int write_bytes(struct spool_file *f, struct archive *a, int out, int64_t *total, struct err *e)
{
    autofree char *buf = mem_alloc(SPOOL_COPY);
    struct digest d;
    ssize_t k;
    digest_init(&d);
    while ((k = stream_read(a, buf, SPOOL_COPY, e)) > 0) {
        f->size += k;
        *total += k;
        if (*total > LOAD_BYTES_MAX)
            return err_set(e, ERR_TOO_LARGE, "the archive holds more than %lld bytes", (long long)LOAD_BYTES_MAX);
        if (stream_check_ratio(a, *total, e) < 0)
            return -1;
        if (fd_write_all(out, buf, (size_t)k) < 0)
            return err_sys(e, "write");
        digest_add(&d, buf, (size_t)k);
    }
    digest_hex(&d, f->hex);
    return k < 0 ? -1 : 0;
}

static int add_regular(struct spool *s, char *name, struct archive *a, int64_t *total, struct err *e)
{
    char path[SPOOL_PATH];
    struct spool_file *f = add(s, name);
    spool_path(f, path);
    autoclose int out = openat(s->root, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return err_sys(e, "create %s", path);
    if (write_bytes(f, a, out, total, e) < 0)
        return -1;
    const char *claimed = str_starts(name, BLOBS) ? name + strlen(BLOBS) : NULL;
    if (claimed && !str_eq(claimed, f->hex))
        return err_set(e, ERR_INVALID, "its digest is %s", f->hex);
    return 0;
}

/* Folders are skipped: names alone count here. Devices and FIFOs have no place in an archive of images. */
static int add_entry(struct spool *s, struct archive *a, struct archive_entry *entry, int64_t *total, struct err *e)
{
    mode_t type = archive_entry_filetype(entry);
    const char *hardlink = archive_entry_hardlink(entry), *symlink = archive_entry_symlink(entry);
    if (type == AE_IFDIR && !hardlink)
        return 0;
    autofree char *name = path_clean(archive_entry_pathname(entry), e);
    if (!name)
        return -1;
    if (!*name)
        return err_set(e, ERR_INVALID, "it has no name");
    if (s->n >= LOAD_FILES_MAX)
        return err_set(e, ERR_TOO_LARGE, "the archive holds more than %d files", LOAD_FILES_MAX);
    if (hardlink || type == AE_IFLNK) {
        char *link = hardlink ? path_clean(hardlink, e) : path_follow(name, symlink ? symlink : "");
        if (!link)
            return err_set(e, ERR_INVALID, "it is a link that leads out of the archive");
        add(s, take_ptr(&name))->link = link;
        return 0;
    }
    if (type != AE_IFREG)
        return err_set(e, ERR_INVALID, "it is neither a file nor a folder nor a link");
    return add_regular(s, take_ptr(&name), a, total, e);
}

static int by_name(const void *a, const void *b)
{
    const struct spool_file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int read_all(struct spool *s, struct archive *a, struct err *e)
{
    struct archive_entry *entry;
    int64_t total = 0;
    int r;
    while ((r = stream_next(a, &entry, e)) > 0) {
        char shown[PATH_SHOWN];
        const char *name = archive_entry_pathname(entry);
        if (!name)
            return err_set(e, ERR_INVALID, "an entry of the archive has no name");
        path_show(name, shown);
        if (add_entry(s, a, entry, &total, e) < 0)
            return err_wrap(e, "file %s of the archive", shown);
    }
    return r;
}

int spool_read(struct spool *s, int fd, struct err *e)
{
    if (mkdirat(s->root, "spool", 0700) < 0)
        return err_sys(e, "make folder spool");
    autostream *a = stream_open(fd, STREAM_PACKED_TAR, e);
    if (!a || read_all(s, a, e) < 0)
        return -1;
    stream_drain(fd);
    if (s->n > 0)
        qsort(s->file, s->n, sizeof(*s->file), by_name);
    for (size_t i = 1; i < s->n; i++) {
        char shown[PATH_SHOWN];
        if (str_eq(s->file[i - 1].name, s->file[i].name))
            return err_set(e, ERR_INVALID, "the archive holds %s twice", path_show(s->file[i].name, shown));
    }
    return 0;
}

void spool_release(struct spool *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->file[i].name);
        free(s->file[i].link);
    }
    free(s->file);
    s->file = NULL;
    s->n = s->cap = 0;
}

/* Old archives name a shared layer by a link to another image's copy; chains of links end after LINKS_MAX. */
const struct spool_file *spool_find(const struct spool *s, const char *name)
{
    for (int i = 0; i <= LINKS_MAX && s->n > 0; i++) {
        struct spool_file key = {.name = (char *)name};
        const struct spool_file *f = bsearch(&key, s->file, s->n, sizeof(*s->file), by_name);
        if (!f || !f->link)
            return f;
        name = f->link;
    }
    return NULL;
}

int spool_open(const struct spool *s, const struct spool_file *f, struct err *e)
{
    char path[SPOOL_PATH];
    spool_path(f, path);
    int fd = openat(s->root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : err_sys(e, "open %s", path);
}

char *spool_text(const struct spool *s, const struct spool_file *f, int64_t limit, size_t *ret_len, struct err *e)
{
    char shown[PATH_SHOWN];
    autoclose int fd = spool_open(s, f, e);
    char *text = fd < 0 ? NULL : fd_read_all(fd, (size_t)limit, ret_len, e);
    if (!text)
        err_wrap(e, "file %s of the archive", path_show(f->name, shown));
    return text;
}

int spool_keep(const struct spool *s, const struct spool_file *f, const char *hex, struct err *e)
{
    char path[SPOOL_PATH];
    spool_path(f, path);
    autofree char *blob = str_printf("blobs/%s", hex);
    if (linkat(s->root, path, s->root, blob, 0) < 0 && errno != EEXIST)
        return err_sys(e, "keep %s as %s", path, blob);
    return 0;
}
