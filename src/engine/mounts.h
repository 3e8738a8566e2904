/** @file
 * What HostConfig asks to mount: Binds, Mounts and Tmpfs as one list.
 */
#ifndef GORAE_ENGINE_MOUNTS_H
#define GORAE_ENGINE_MOUNTS_H

#include "base/err.h"

#include <jansson.h>

/** The mount points of a HostConfig, in the order given. @return new array of
 * {"Type","Source","Destination","Mode","RW", "Propagation"}, or NULL with ERR_INVALID or ERR_NOT_IMPLEMENTED */
json_t *mounts_of(const json_t *host, struct err *e);

/** The same ones, outermost first, since a later one may lie in an earlier one. @param key of the path @return new */
json_t *mounts_sorted(const json_t *list, const char *key);

/** An absolute path without empty, "." and ".." parts, by text alone. @return the caller's */
char *path_clean(const char *path);

#endif
