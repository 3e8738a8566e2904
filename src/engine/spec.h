/** @file
 * Parts of the OCI specification that files of the engine build for one another.
 */
#ifndef GORAE_ENGINE_SPEC_H
#define GORAE_ENGINE_SPEC_H

#include "engine/model.h"

/** "mounts" of the OCI config (spec_mounts.c). @return new array, or NULL */
json_t *spec_mounts(struct engine *en, struct container *c, struct err *e);
/** "linux.resources" (spec_limits.c). */
json_t *spec_resources(const json_t *host);
/** "process.rlimits" from HostConfig.Ulimits; NULL with an error. */
json_t *spec_rlimits(const json_t *host, struct err *e);
/** "linux.seccomp", or JSON null where unconfined (spec_security.c). */
json_t *spec_seccomp(const json_t *host, const json_t *caps, struct err *e);
/** The value of no-new-privileges among SecurityOpt; -1 with ERR_INVALID where an option is unknown. */
int spec_no_new_privileges(const json_t *host, struct err *e);
/** "process", from the image's files at `rootfd` where they are asked for. @return new object, or NULL */
json_t *spec_process(const json_t *config, const json_t *host, const json_t *args, int rootfd, struct err *e);
/** The process environment: Docker's defaults, then Config.Env. @return new array */
json_t *spec_env(const json_t *config, const char *home);

#endif
