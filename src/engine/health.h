/** @file
 * Health checks (API: Config.Healthcheck, State.Health). */
#ifndef GORAE_ENGINE_HEALTH_H
#define GORAE_ENGINE_HEALTH_H

#include "engine/model.h"

/** Does this Config ask for checks? */
bool health_wanted(const json_t *config);
/** Its rules. @return -1 ERR_INVALID naming the field */
int health_check_config(const json_t *config, struct err *e);
/** "none", "starting", "healthy", "unhealthy" */
const char *health_name(enum health h);
/** The container runs: from now on it is checked, where it asks for it. */
void health_begin(struct engine *en, struct container *c);
/** Its run is over. Call with the lock held. */
void health_end(struct engine *en, struct container *c);

#endif
