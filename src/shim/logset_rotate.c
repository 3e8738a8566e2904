/* Rotated logs, the writing half: see base/logset.h for the two rules.
 *
 * A rotation is a row of renames, from the oldest to the youngest, and ends with the new, empty file taking the name. A
 * writer that is killed in the middle leaves a hole in the numbers or no file of the plain name; the next start of the
 * container makes the file anew. No record is lost in any case, because nothing but the oldest file is ever deleted.
 *
 * Read next: shim/log.c decides when. */
#include "shim/logset_rotate.h"
#include "base/fault.h"
#include "base/logset.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

int logset_rotate(const char *path, int keep, int *ret_fd, struct err *e)
{
    autofree char *fresh = str_printf("%s.new", path);
    autoclose int lock = logset_lock(path, LOCK_EX | LOCK_NB);
    if (lock < 0)
        return errno == EWOULDBLOCK ? 0 : err_sys(e, "lock the folder of %s", path);
    autoclose int fd = open(fresh, O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (fd < 0)
        return err_sys(e, "open %s", fresh);
    for (int k = keep - 1; k > 0; k--) {
        autofree char *from = logset_name(path, k - 1), *to = logset_name(path, k);
        if (rename(from, to) < 0 && errno != ENOENT)
            return err_sys(e, "rename %s", from);
        FAULT("log.renamed");
    }
    if (rename(fresh, path) < 0)
        return err_sys(e, "rename %s", fresh);
    *ret_fd = take_fd(&fd);
    return 1;
}
