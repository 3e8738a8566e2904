/** @file
 * `create` and `start` as functions, for the verb `run`.
 */
#ifndef GORAE_RUNTIME_CREATE_H
#define GORAE_RUNTIME_CREATE_H

#include "runtime/launch.h"
#include "runtime/state.h"

/** Make a container and leave it waiting to be started. @param s filled, to be released by the caller */
int container_create(const struct runtime *rt, const char *id, const char *bundle, const struct launch_options *o,
                     struct state *s, struct err *e);
/** Let it go. */
int container_start(const struct runtime *rt, struct state *s, struct err *e);
/** Remove all that is left of a stopped container, and run its poststop hooks. */
int container_remove(const struct runtime *rt, struct state *s, struct err *e);
/** Kill it, if it lives, and wait until it is dead. */
int container_kill(struct state *s, struct err *e);

#endif
