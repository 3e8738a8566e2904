/** @file
 * Files: whole reads and writes, durable replacement, trees.
 *
 * file_replace() is the only writer of state in the project. It keeps one promise: at every instant, even
 * across a power cut, the name holds the old bytes or the new bytes, whole; and when it returns 0 the new
 * ones are on the disk. Its five steps are in file.c.
 */
#ifndef GORAE_BASE_FILE_H
#define GORAE_BASE_FILE_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Write all `n` bytes, restarting after EINTR and short writes. @return 0, or -1 with errno */
int fd_write_all(int fd, const void *p, size_t n);

/** Read until `n` bytes or end of file. @return bytes read, or -1 with errno */
ssize_t fd_read_full(int fd, void *p, size_t n);

/** Read all of `fd` up to `limit` bytes; more is ERR_TOO_LARGE. @return new NUL-terminated memory, the caller's */
char *fd_read_all(int fd, size_t limit, size_t *ret_len, struct err *e);

/** Read a regular file below `dirfd` (AT_FDCWD for the working folder). Refuses what is not a regular file, so a
 * FIFO in its place cannot block. @return new NUL-terminated memory, or NULL */
char *file_read(int dirfd, const char *path, size_t limit, size_t *ret_len, struct err *e);

/** Replace `path` below `dirfd` by these bytes, atomically and durably (temporary, fsync, rename, fsync of the
 * folder). @param mode permission bits of the new file */
int file_replace(int dirfd, const char *path, const void *p, size_t n, mode_t mode, struct err *e);

/** As file_replace(), but not durable: for running state on tmpfs. */
int file_replace_volatile(int dirfd, const char *path, const void *p, size_t n, mode_t mode, struct err *e);

/** Write `text` to an existing file such as those of /proc and cgroupfs, in one write(2). */
int file_put(int dirfd, const char *path, const char *text, struct err *e);

/** fsync a folder given by path, so that names created or removed in it are on disk. */
int dir_sync(int dirfd, const char *path, struct err *e);

/** Make `path` and its missing parents with `mode`. An existing folder is fine. */
int dir_make_all(const char *path, mode_t mode, struct err *e);

/** Add the names in folder `path` below `dirfd` to `ret`, in no order; "." and ".." are left out. */
int dir_names(int dirfd, const char *path, struct strv *ret, struct err *e);

/** Remove `name` below `dirfd` and all in it, however deep, never following a symbolic link and never crossing into
 * another mount. A missing name is success. */
int tree_remove(int dirfd, const char *name, struct err *e);

#endif
