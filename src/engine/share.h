/** @file
 * Namespaces that a container shares with another one (share.c).
 */
#ifndef GORAE_ENGINE_SHARE_H
#define GORAE_ENGINE_SHARE_H

#include "engine/model.h"

/** Whose namespace HostConfig.`key` ("PidMode" …) asks for. @return borrowed, or NULL where nobody's */
const char *share_donor(const json_t *host, const char *key);
/** At creation: each donor by its full id, in `host`. ERR_NOT_FOUND where there is none. */
int share_resolve(struct engine *en, const json_t *config, json_t *host, struct err *e);
/** The host name of the one whose UTS namespace it joins. @return the caller's, or NULL where none */
char *share_hostname(struct engine *en, const json_t *host);
/** At start, before the bundle is written: the donors' pids into c->joined, and the memory this one may give away. */
int share_prepare(struct engine *en, struct container *c, struct err *e);
/** After `runtime create`: are the donors still those whose namespaces were joined? */
int share_verify(struct engine *en, struct container *c, struct err *e);
/** Add what share_prepare() found to "linux.namespaces". */
void share_add(const struct container *c, json_t *namespaces);
/** The host's folder behind /dev/shm where it is shared, else NULL. @return the caller's */
char *share_shm(struct engine *en, struct container *c);
/** At the end: take down what share_prepare() mounted. Safe to repeat. */
void share_release(struct engine *en, struct container *c);

#endif
