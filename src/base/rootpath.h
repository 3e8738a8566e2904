/** @file
 * Paths inside a tree that somebody hostile may be changing while we look.
 *
 * A container's root, an image's layer and an unpacked archive are written by people we do not trust. A path in
 * them is never joined to a host path and never checked first and used later: the kernel resolves it, once,
 * below a folder that we hold open, with openat2(2) and RESOLVE_IN_ROOT: ".." at the top stays at the top, an
 * absolute symbolic link starts at the root of the tree, magic links of /proc are refused. The result is a
 * descriptor, and everything after that works on the descriptor.
 *
 * This module is the only place that may do so; tests/lint forbids openat2, and open, mkdir and mknod on a path
 * below a root, elsewhere.
 */
#ifndef GORAE_BASE_ROOTPATH_H
#define GORAE_BASE_ROOTPATH_H

#include "base/err.h"

#include <sys/types.h>

/** Open `path` inside the tree at `rootfd`. @param flags open(2) flags; O_CLOEXEC is added; with O_CREAT, `mode` counts
 * @return fd, or -1 with errno kept */
int rootpath_open(int rootfd, const char *path, int flags, mode_t mode, struct err *e);

/** An O_PATH descriptor of the folder `path`, making it and missing parents (mode `mode`, owner root) step by step,
 * each below the one before, through links, also where what they name is still to be made. @return fd or -1 */
int rootpath_make_dirs(int rootfd, const char *path, mode_t mode, struct err *e);

/** The folder that holds the last component of `path`, made if missing, and that component's name in `ret_name` (to be
 * freed). The last component itself is not resolved: use it with AT_SYMLINK_NOFOLLOW. @return O_PATH fd or -1 */
int rootpath_parent(int rootfd, const char *path, bool make, char **ret_name, struct err *e);

/** An O_PATH descriptor of an existing folder or file to mount onto at `path`, made if missing: a folder where
 * `want_dir`, else an empty regular file. @return fd or -1 */
int rootpath_mount_target(int rootfd, const char *path, bool want_dir, struct err *e);

/** Open a regular file for reading, never anything else (ERR_INVALID): opening a device or a FIFO does something
 * already. Needs the host's /proc. @return fd or -1 */
int rootpath_open_file(int rootfd, const char *path, struct err *e);

#endif
