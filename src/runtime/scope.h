/** @file
 * systemd's name of a container's control group: a scope in a slice.
 *
 * Managers and OCI runtimes write such a place as "SLICE:PREFIX:NAME"; the unit is then PREFIX-NAME.scope. Source:
 * systemd.slice(5), systemd.scope(5); the convention is runc's (docs/systemd.md there).
 */
#ifndef GORAE_RUNTIME_SCOPE_H
#define GORAE_RUNTIME_SCOPE_H

#include "base/err.h"

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
