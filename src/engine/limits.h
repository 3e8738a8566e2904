/** @file
 * Limits of a container before they become files of the kernel: is a value possible at all, is it possible here?
 */
#ifndef GORAE_ENGINE_LIMITS_H
#define GORAE_ENGINE_LIMITS_H

#include "base/err.h"

#include <jansson.h>

/** Rules about the numbers of a HostConfig, alone and joined. @return 0, or -1 ERR_INVALID with Docker's sentence */
int limits_check(const json_t *host, struct err *e);

/** Set to "unlimited" what this machine's kernel has no control group file for, and say so: a container with one limit
 * fewer is what Docker's users expect here, but not in silence. @param host changed in place @param warnings gets a
 * sentence each */
void limits_discard(json_t *host, json_t *warnings);

/** Warn of what only a more powerful daemon could do: raise a hard ulimit above its own, lower the OOM score below its
 * own (capabilities(7), CAP_SYS_RESOURCE). The runtime then goes as far as it can. */
void limits_foretell(const json_t *host, json_t *warnings);

/** RestartPolicy: its name, its count, and that it does not contradict --rm. @return 0, or -1 */
int restart_policy_check(const json_t *host, struct err *e);

/** A set of CPUs or memory nodes, "0-3,7", every number below `LIMITS_SET_MAX`. @param set one byte a number; may be
 * NULL @return 0, or -1 where the text is not one */
#define LIMITS_SET_MAX 8192
int limits_parse_set(const char *text, unsigned char *set);

#endif
