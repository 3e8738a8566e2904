/** @file
 * Running from a file that nobody can write through.
 */
#ifndef GORAE_RUNTIME_SEAL_H
#define GORAE_RUNTIME_SEAL_H

#include "base/err.h"
#include "runtime/runtime.h"

/** Unless this process already runs from a sealed file, start it anew from one, with the same arguments. To be called
 * before anything else by verbs whose child enters a container. @return 0 when sealed; -1 with an error */
int seal_self(const struct runtime *rt, struct err *e);

#endif
