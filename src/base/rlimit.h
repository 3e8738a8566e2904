/** @file
 * Limits that a process sets itself before it reads what strangers send (setrlimit(2)).
 */
#ifndef GORAE_BASE_RLIMIT_H
#define GORAE_BASE_RLIMIT_H

#include "base/err.h"

#include <sys/resource.h>

/** Defined where this is a sanitizer's build: its shadow memory is terabytes of address space, and it calls what it
 * pleases, so neither RLIMIT_AS nor a seccomp filter can hold. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/** Lower the limit, the soft and the hard one, to `value`; one that is lower already stays. For good. @return 0 or -1
 */
int rlimit_lower(__rlimit_resource_t what, rlim_t value, struct err *e);

#endif
