/** @file
 * The files of one json-file log: PATH, which grows, and what rotation has set aside, PATH.1 the youngest, PATH.2 …
 *
 * The shim writes and rotates, the engine and the shim's replay read, possibly at the same moment. Two rules keep every
 * record readable exactly once:
 *  - Rotation renames files and never copies, so a reader that holds one open holds all of its records, whatever it is
 *    called by then; and the writer has gone over to the new file before it appends again, so a file that is PATH no
 *    longer will not grow.
 *  - Names change only under an exclusive flock(2) on the folder, and a reader opens all files under a shared one, so
 * what it has opened is a sequence without a gap. A writer that finds the folder locked does not wait: it rotates at a
 *    later write. Nobody who reads can hold up a container.
 * A reader that is slower than rotation loses what has been deleted meanwhile, as with Docker: that is what `max-file`
 * asks for.
 */
#ifndef GORAE_BASE_LOGSET_H
#define GORAE_BASE_LOGSET_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** The most files a log may have: each costs a reader a descriptor while it reads. */
#define LOGSET_MAX 100

/** The files that a reader has open, oldest first; it reads fd[0]. Zero-initialise, close once. */
struct logset {
    int fd[LOGSET_MAX];
    size_t n;
    bool leaving; /**< a younger one is there: fd[0] is read to its end once more, and left */
};

/** Open all files of the log for reading. A log that was never written has none. */
int logset_open(struct logset *s, const char *path, struct err *e);

/** Read on, through all files and those that rotation has begun since. @return bytes; 0: that is all for now; -1 */
ssize_t logset_read(struct logset *s, const char *path, void *out, size_t n, struct err *e);

/** Leave fd[0], read or not. */
void logset_next(struct logset *s);

void logset_close(struct logset *s);

/** The name of the k-th file: PATH itself is number 0. @return the caller's */
char *logset_name(const char *path, int k);

/** The folder, locked (flock(2)); closing the descriptor unlocks it. @return -1 with errno */
int logset_lock(const char *path, int how);

#endif
