/** @file
 * Which daemon a command talks to, and how it is reached.
 *
 * The word is Docker's: a context holds an endpoint. Whatever names the daemon (a flag, a variable of the environment,
 * a context) ends as one struct endpoint, so that the rest of the client has one question less.
 */
#ifndef GORAE_CLI_ENDPOINT_H
#define GORAE_CLI_ENDPOINT_H

#include "cli/command.h"
#include "wire/dial.h"

struct endpoint {
    char *host;          /**< as dial() takes it; NULL: the default */
    struct dial_tls tls; /**< its strings are the endpoint's */
};

/** Find the daemon: -H, else GORAE_HOST, else DOCKER_HOST, else the default (DESIGN.md, "Programs and places").
 * @return 0, or -1 with a sentence that names the flag or variable; `ret` is then empty */
int endpoint_find(const struct global_options *o, struct endpoint *ret, struct err *e);
void endpoint_release(struct endpoint *p);

/** Have a client talk to it. The endpoint must outlive the client. */
void endpoint_client(const struct endpoint *p, struct client *ret);

#endif
