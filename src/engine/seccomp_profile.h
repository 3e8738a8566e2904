/** @file
 * The default seccomp filter as an OCI "linux.seccomp" object. See seccomp_profile.c for what it allows and why.
 */
#ifndef GORAE_ENGINE_SECCOMP_PROFILE_H
#define GORAE_ENGINE_SECCOMP_PROFILE_H

#include <jansson.h>
#include <stddef.h>

/** The profile for a container with the capabilities `caps` ("CAP_CHOWN" …; the bounding set), for the machine's
 * architecture and its 32-bit siblings. @return a new reference, the caller's */
json_t *seccomp_profile_default(const char *const *caps, size_t ncaps);

#endif
