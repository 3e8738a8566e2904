/** @file
 * systemd's names for control groups: a slice's name says where its folder is, and a container is a scope in a slice.
 *
 * Managers and OCI runtimes write such a place as "SLICE:PREFIX:NAME"; the unit is then PREFIX-NAME.scope. Source:
 * systemd.slice(5), systemd.scope(5); the convention is runc's (docs/systemd.md there).
 */
#ifndef GORAE_BASE_SCOPE_H
#define GORAE_BASE_SCOPE_H

#include "base/err.h"

/** The folder of a slice, below the hierarchy: "a-b.slice" is "/a.slice/a-b.slice", and "-.slice" is "".
 * @return the caller's; NULL with ERR_INVALID where it is no slice's name */
char *slice_path(const char *slice, struct err *e);

/** One place, taken apart. Strings are the owner's: scope_release(). */
struct scope {
    char *slice; /**< "system.slice" */
    char *unit;  /**< "gorae-0123.scope" */
    char *path;  /**< "/system.slice/gorae-0123.scope" */
};
/** @param place "SLICE:PREFIX:NAME"; an empty slice is system.slice @return 0, or -1 ERR_INVALID */
int scope_parse(struct scope *s, const char *place, struct err *e);
void scope_release(struct scope *s);

#endif
