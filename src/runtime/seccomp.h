/** @file
 * System call filters: from "linux.seccomp" to a program of the kernel's BPF machine.
 *
 * Source: seccomp(2), libseccomp's seccomp_rule_add(3); OCI runtime-spec config-linux.md "Seccomp".
 */
#ifndef GORAE_RUNTIME_SECCOMP_H
#define GORAE_RUNTIME_SECCOMP_H

#include "base/err.h"
#include "runtime/runtime.h"

#include <jansson.h>
#include <linux/filter.h>
#include <stddef.h>

struct filter {
    struct sock_filter *code; /**< owned; NULL: no filter */
    unsigned short n;
    unsigned flags; /**< SECCOMP_FILTER_FLAG_… */
};

/** Compile a profile (seccomp.c). Takes some ten milliseconds. */
int filter_compile(struct filter *f, const json_t *profile, struct err *e);
/** As filter_compile(), but from the cache if these very bytes were compiled before; and leave a link to the result in
 * the container's folder. A NULL or empty profile gives an empty filter. (seccomp_cache.c) */
int filter_get(struct filter *f, const struct runtime *rt, const json_t *profile, int state_dir, struct err *e);
/** The filter of a container made earlier, from its folder; without one, an empty filter. */
int filter_load(struct filter *f, int state_dir, struct err *e);
/** Put it on this process, for ever. Needs no_new_privs or CAP_SYS_ADMIN. An empty filter is nothing. */
int filter_install(const struct filter *f, struct err *e);
void filter_release(struct filter *f);

/** Names of what can be written in a profile, for `features`: "actions", "operators", "archs". @return new array */
json_t *filter_words(const char *kind);

#endif
