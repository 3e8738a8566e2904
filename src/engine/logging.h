/** @file
 * Where a container's output is kept: log drivers and their options (API: HostConfig.LogConfig). */
#ifndef GORAE_ENGINE_LOGGING_H
#define GORAE_ENGINE_LOGGING_H

#include "engine/model.h"

/** Names of the drivers, for `info`. @return new reference */
json_t *logging_drivers(void);
/** Check LogConfig. @return -1 ERR_INVALID naming the option and its rule */
int logging_check(const json_t *host, struct err *e);
/** Can `logs` read what this driver keeps? */
bool logging_readable(const json_t *host);
/** The log's file; older ones have a number behind. @return the caller's */
char *logging_path(struct engine *en, const struct container *c);
/** Add to the shim's task what it must know of the log. Call with `op` held: the name goes into the tag. */
void logging_task(struct engine *en, struct container *c, json_t *task);

#endif
