/** @file
 * Tar archives on the client's side (`cp`, and the small ones of `context`): read as they arrive, written as they are
 * sent.
 *
 * The client links no archive library (a millisecond to start is worth more), and needs little: ustar headers, and the
 * extensions that say what ustar cannot (pax records, GNU long names, base-256 numbers). POSIX.1-2017, pax, "ustar
 * Interchange Format"; the GNU ones as tar(5) describes them.
 *
 * What arrives was named by a container, so it is hostile: tar_extract() goes below its folder by descriptors and
 * through no link at all, makes no device and no setuid file, and replaces nothing but what is not a folder.
 */
#ifndef GORAE_CLI_TAR_H
#define GORAE_CLI_TAR_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TAR_BLOCK     512
#define TAR_EXTRA_MAX (1 << 20)  /**< bytes of one extension header */
#define TAR_DEPTH_MAX 256        /**< folders in one another */
#define TAR_DIRS_MAX  (32 << 20) /**< bytes of folders' names kept to set their modes at the end */

/** Where bytes come from: as read(2), 0 at the end, -1 with *e. */
typedef ssize_t tar_source(void *arg, void *p, size_t n, struct err *e);

struct tar_entry {
    struct str name, link; /**< as written */
    char type;             /**< '0' file, '1' hard link, '2' symbolic link, '3' '4' devices, '5' folder, '6' FIFO */
    mode_t mode;           /**< permission bits */
    int64_t uid, gid, size, mtime;
};

/** A reader. `entry` is the present one; its memory is used again for the next. */
struct tar_reader {
    tar_source *source;
    void *arg;
    struct tar_entry entry;
    int64_t left;  /**< bytes of the entry's content not yet read, */
    int64_t pad;   /**< and of the filling after it */
    bool open_end; /**< it may end after any content: docker's `context export` writes neither filling nor end there */
};
/** The next entry. @return 1, 0 at the end, -1 */
int tar_next(struct tar_reader *t, struct err *e);
/** Some of its content. @return bytes, 0 at its end, -1 */
ssize_t tar_read(struct tar_reader *t, void *p, size_t n, struct err *e);
void tar_reader_release(struct tar_reader *t);

struct tar_extract {
    int dir;          /**< the folder to unpack into */
    const char *was;  /**< what the archive calls the thing that was copied: its first entry */
    const char *name; /**< what it is called here; "" means the folder itself, which is left as it is */
    bool owners;      /**< give files to the archive's numbers */
    int64_t bytes;    /**< of content, counted */
    uint64_t skipped; /**< devices */
    uint64_t plain;   /**< files and folders that would have been setuid or setgid */
};
/** Unpack all that `t` brings. */
int tar_extract(struct tar_reader *t, struct tar_extract *x, struct err *e);

/** A writer that is asked for bytes: tar_write() is a client_source. */
struct tar_writer;
/** @param path what to send @param follow where it is a link: what it leads to @param name what the archive calls it */
struct tar_writer *tar_writer_new(const char *path, bool follow, const char *name, struct err *e);
ssize_t tar_write(void *writer, void *p, size_t n, struct err *e);
/** Bytes of content so far. */
int64_t tar_writer_bytes(const struct tar_writer *w);
void tar_writer_free(struct tar_writer *w);

/** Append to an archive that is made in memory: a file, or (by `mode`) a folder; owned by root, of 1970. Names of up to
 * 100 bytes. */
void tar_add(struct str *out, const char *name, mode_t mode, const void *p, size_t n);
/** Append the end. */
void tar_end(struct str *out);

#endif
