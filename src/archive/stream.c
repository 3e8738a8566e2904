/* libarchive, tamed.
 *
 * Three of its habits need care.
 *
 *  - Compression. A filter that libarchive was built without is replaced by an external program of that name, found
 *    in PATH. A program from inside a hostile root has twice run as root in Docker that way (CVE-2014-9357,
 *    CVE-2026-41567). So the filters are named one by one, and one that answers anything but ARCHIVE_OK ("I would have
 *    to run a program") is an error. Filters also nest; a gzip in a gzip in a gzip only serves to hide a bomb.
 *  - Names. With a UTF-8 locale libarchive composes accents (NFC), so that a file would get another name than its tar
 *    says. In the "C" locale it cannot convert, warns, and hands over the very bytes: that is why this program never
 *    calls setlocale(), and why ARCHIVE_WARN is not an error here.
 *  - Sizes. Headers for long names and attributes are refused above 1 MiB by libarchive itself; what a compressed
 *    stream may expand to is not limited, so stream_check_ratio() is asked while bytes come.
 *
 * Next: layer.c, which turns entries into files. */
#include "archive/worker.h"
#include "base/file.h"
#include "base/mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK     (64 << 10)
#define COPIES    (256 << 10)
#define DRAIN_MAX (1 << 20)

int stream_error(struct archive *a, struct err *e)
{
    const char *text = archive_error_string(a);
    int sys = archive_errno(a);
    if (sys == ENOMEM)
        return err_set(e, ERR_TOO_LARGE, "the archive needs more memory than the limit to unpack");
    if (sys == EIO || sys == ECONNRESET)
        return err_set(e, ERR_SYSTEM, "read the archive: %s", text ? text : "unknown error");
    return err_set(e, ERR_INVALID, "not a sound archive: %s", text ? text : "unknown error");
}

static int allow_filters(struct archive *a, struct err *e)
{
    if (archive_read_support_filter_gzip(a) != ARCHIVE_OK || archive_read_support_filter_bzip2(a) != ARCHIVE_OK ||
        archive_read_support_filter_xz(a) != ARCHIVE_OK || archive_read_support_filter_zstd(a) != ARCHIVE_OK)
        return err_set(e, ERR_SYSTEM,
                       "this libarchive lacks gzip, bzip2, xz or zstd; no program is run in their place");
    return 0;
}

static int open_checked(struct archive *a, int fd, enum stream_form form, struct err *e)
{
    if (form != STREAM_TAR && allow_filters(a, e) < 0)
        return -1;
    int r = form == STREAM_PACKED ? archive_read_support_format_raw(a) : archive_read_support_format_tar(a);
    if (r != ARCHIVE_OK)
        return stream_error(a, e);
    (void)lseek(fd, 0, SEEK_SET); /* fails on a pipe or socket, which is at its start anyway */
    if (archive_read_open_fd(a, fd, BLOCK) != ARCHIVE_OK)
        return stream_error(a, e);
    if (archive_filter_count(a) > 2) /* one, and the source itself */
        return err_set(e, ERR_INVALID, "the archive is compressed more than once");
    return 0;
}

struct archive *stream_open(int fd, enum stream_form form, struct err *e)
{
    autostream *a = archive_read_new();
    if (!a || open_checked(a, fd, form, e) < 0)
        return NULL;
    return take_ptr(&a);
}

void stream_close(struct archive **a)
{
    if (*a)
        archive_read_free(*a);
}

int stream_next(struct archive *a, struct archive_entry **entry, struct err *e)
{
    int r;
    do
        r = archive_read_next_header(a, entry);
    while (r == ARCHIVE_RETRY);
    if (r == ARCHIVE_EOF)
        return 0;
    return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 1 : stream_error(a, e);
}

ssize_t stream_read(struct archive *a, void *p, size_t n, struct err *e)
{
    la_ssize_t k;
    do
        k = archive_read_data(a, p, n);
    while (k == ARCHIVE_RETRY);
    return k >= 0 ? (ssize_t)k : stream_error(a, e);
}

bool stream_plain(struct archive *a)
{
    return archive_filter_code(a, 0) == ARCHIVE_FILTER_NONE;
}

int stream_check_ratio(struct archive *a, int64_t expanded, struct err *e)
{
    int64_t in = archive_filter_bytes(a, -1);
    if (expanded > RATIO_FREE && (expanded - RATIO_FREE) / RATIO_MAX > in)
        return err_set(e, ERR_TOO_LARGE, "the archive expands to more than %d times its size", RATIO_MAX);
    return 0;
}

int stream_copy(struct archive *a, int out, char *hex, int64_t *ret_size, struct err *e)
{
    struct archive_entry *entry;
    int r = stream_next(a, &entry, e);
    if (r <= 0)
        return r < 0 ? -1 : err_set(e, ERR_INVALID, "the archive is empty");
    struct digest d;
    digest_init(&d);
    autofree char *buf = mem_alloc(COPIES);
    int64_t size = 0;
    ssize_t k;
    while ((k = stream_read(a, buf, COPIES, e)) > 0) {
        size += k;
        if (size > LAYER_BYTES_MAX)
            return err_set(e, ERR_TOO_LARGE, "a layer is larger than %lld bytes", (long long)LAYER_BYTES_MAX);
        if (stream_check_ratio(a, size, e) < 0)
            return -1;
        if (fd_write_all(out, buf, (size_t)k) < 0)
            return err_sys(e, "write a layer");
        digest_add(&d, buf, (size_t)k);
    }
    if (k < 0)
        return -1;
    digest_hex(&d, hex);
    *ret_size = size;
    return 0;
}

void stream_drain(int fd)
{
    char buf[8192];
    for (int64_t left = DRAIN_MAX; left > 0;) {
        ssize_t k = read(fd, buf, sizeof(buf));
        if (k == 0 || (k < 0 && errno != EINTR))
            break;
        left -= k > 0 ? k : 0;
    }
}
