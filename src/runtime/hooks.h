/** @file
 * Hooks: programs that the bundle wants run at six points of a container's life.
 */
#ifndef GORAE_RUNTIME_HOOKS_H
#define GORAE_RUNTIME_HOOKS_H

#include "base/err.h"

#include <jansson.h>

/** Run the hooks called `name` of "hooks" in order; each gets `state` on its standard input. The first that fails or
 * overruns its timeout ends the series. */
int hooks_run(const json_t *hooks, const char *name, const json_t *state, struct err *e);

/** True where there are any of that name. */
static inline bool hooks_any(const json_t *hooks, const char *name)
{
    return json_array_size(json_object_get(hooks, name)) > 0;
}

#endif
