/** @file
 * Mounts by file descriptor: the mount API of Linux 5.2 and later.
 *
 * The old mount(2) takes two path strings and resolves them once more, at a moment of its own; whoever can swap a
 * component for a symbolic link in between chooses what is mounted where. Here a mount is made detached (it is in no
 * tree yet), configured while nobody can see it, and then moved onto a folder that is held open. Nothing is resolved
 * twice.
 *
 *     mnt_make()      fsopen(2), fsconfig(2), fsmount(2)     a new file system instance, detached
 *     mnt_clone()     open_tree(2) with OPEN_TREE_CLONE      what mount --bind does, detached
 *     mnt_change()    mount_setattr(2), Linux 5.12           flags and propagation, also of a whole tree
 *     mnt_attach()    move_mount(2)                          into place, onto a descriptor
 *
 * The calls go through syscall(2): Debian 12's C library has wrappers, Ubuntu 22.04's has not. Their headers
 * <sys/mount.h> and <linux/mount.h> cannot be included together, so whoever includes this file must not want the
 * former.
 */
#ifndef GORAE_RUNTIME_MNT_H
#define GORAE_RUNTIME_MNT_H

#include "base/err.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

/** A new instance of the file system `type`, mounted nowhere. @param options NULL-terminated "key" or "key=value"
 * @param attr MOUNT_ATTR_… of the mount; with MOUNT_ATTR_RDONLY the instance is made read-only too, as mount(2) does
 * @return its descriptor, close-on-exec, or -1 */
int mnt_make(const char *type, const char *source, const char *const *options, uint64_t attr, struct err *e);

/** A detached copy of the mount at `path` below `dirfd` (NULL: of `dirfd` itself), with the mounts below it where
 * `recursive`. @return descriptor, or -1 with errno */
int mnt_clone(int dirfd, const char *path, bool recursive);

/** Put the detached mount `tree` onto `target`, an O_PATH descriptor. @return 0, or -1 with errno */
int mnt_attach(int tree, int target);

/** Set and clear MOUNT_ATTR_… flags, and set the propagation (MS_PRIVATE …, or 0 to keep it). @return 0, or -1 with
 * errno */
int mnt_change(int fd, uint64_t set, uint64_t clear, uint64_t propagation, bool recursive);

/** Make the process's root the mount at `newroot`, and let go of everything else. */
int mnt_pivot(int newroot, struct err *e);

#endif
