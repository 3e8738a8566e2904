/** @file
 * The capability set that a HostConfig asks for.
 */
#ifndef GORAE_ENGINE_CAPABILITY_H
#define GORAE_ENGINE_CAPABILITY_H

#include "base/err.h"

#include <jansson.h>

/** Names ("CAP_CHOWN" …) in the kernel's order. @return new array, or NULL with ERR_INVALID naming the unknown one */
json_t *capabilities_of(const json_t *host, struct err *e);

/** Warn of those among CapAdd that the daemon does not have, and so cannot give. */
void capabilities_foretell(const json_t *host, json_t *warnings);

#endif
