/** @file
 * A mount namespace that holds nothing, for containers to be born in.
 */
#ifndef GORAE_RUNTIME_NURSERY_H
#define GORAE_RUNTIME_NURSERY_H

#include "base/err.h"
#include "runtime/plan.h"
#include "runtime/runtime.h"

/** Open what --nursery names, where it is there and this bundle can begin in it. @param ret_fd the namespace, or -1:
 * begin in a copy of ours @return 0; or -1, where it is no mount namespace, or a stranger's */
int nursery_open(const struct runtime *rt, const struct plan *p, int *ret_fd, struct err *e);
/** Leave this process's mounts for a new namespace, a copy of `nursery`: an empty root with an empty /dev. */
int nursery_enter(int nursery, struct err *e);

#endif
