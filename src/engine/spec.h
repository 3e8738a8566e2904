/** @file
 * Parts of the OCI specification that files of the engine build for one another.
 */
#ifndef GORAE_ENGINE_SPEC_H
#define GORAE_ENGINE_SPEC_H

#include "engine/model.h"

/** Where the small init of --init is found in a container. */
#define SPEC_INIT "/sbin/docker-init"
/** Does it get one? */
bool spec_has_init(const json_t *host);
/** "linux.rootfsPropagation": a mount that is to hear of the host's later mounts, or the host of its own, needs a root
 * that lets it. NULL with ERR_INVALID where the host's folder lies on a mount that does not share. (spec_mounts.c) */
const char *spec_propagation(const json_t *mounts, struct err *e);
/** "mounts" of the OCI config (spec_mounts.c). @return new array, or NULL */
json_t *spec_mounts(struct engine *en, struct container *c, struct err *e);
/** Are Devices and DeviceCgroupRules well formed? (devices.c) */
int devices_check(const json_t *host, struct err *e);
/** "linux.devices" and the rules of "linux.resources.devices", from the host's nodes as they are now (devices.c). */
int spec_devices(const json_t *host, json_t **ret_nodes, json_t **ret_rules, struct err *e);
/** The paths of /proc and /sys that are covered, and that are read-only, by these names: the container's own lists or
 * Docker's. None where it is privileged. */
void spec_hidden_paths(const json_t *host, json_t *into, const char *masked_key, const char *readonly_key);
/** "linux.resources", without the devices (spec_limits.c). */
json_t *spec_resources(const json_t *host);
/** RLIMIT_… by the API's name for it ("nofile"); -1 where there is none. */
int ulimit_resource(const char *name);
/** "process.rlimits" from HostConfig.Ulimits; NULL with an error. */
json_t *spec_rlimits(const json_t *host, struct err *e);
/** "linux.seccomp", or JSON null where unconfined (spec_security.c). */
json_t *spec_seccomp(const json_t *host, const json_t *caps, struct err *e);
/** A profile in Docker's format or the OCI's, as "linux.seccomp" for a container with `caps` (seccomp_file.c). @return
 * new, or NULL with ERR_INVALID */
json_t *seccomp_of_text(const char *text, const json_t *caps, struct err *e);
/** Sysctls, host names, and what goes into hosts and resolv.conf (texts.c). */
int texts_check(const json_t *config, const json_t *host, struct err *e);
/** The value of no-new-privileges among SecurityOpt; -1 with ERR_INVALID where an option is unknown. */
int spec_no_new_privileges(const json_t *host, struct err *e);
/** "process", from the image's files at `rootfd` where they are asked for. @return new object, or NULL */
json_t *spec_process(const json_t *config, const json_t *host, const json_t *args, int rootfd, struct err *e);
/** The process environment: Docker's defaults, then Config.Env. @return new array */
json_t *spec_env(const json_t *config, const char *home);

#endif
