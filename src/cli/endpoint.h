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
    char *context;       /**< its name: "default" where no context was chosen */
    char *host;          /**< as dial() takes it; NULL: the default */
    struct dial_tls tls; /**< its strings are the endpoint's */
};

/** Find the daemon: -H or -c, else GORAE_HOST, else DOCKER_HOST, else the context that DOCKER_CONTEXT or config.json
 * names, else the default (DESIGN.md, "Programs and places"). Reads config.json where none of the first four is given,
 * and a context's meta.json where one is chosen; nothing else.
 * @return 0, or -1 with a sentence that names the flag, the variable or the file; `ret` is then empty */
int endpoint_find(const struct global_options *o, struct endpoint *ret, struct err *e);
void endpoint_release(struct endpoint *p);

/** The name of the context in use. @return the caller's, or NULL where config.json cannot be understood */
char *endpoint_context(const struct global_options *o, struct err *e);
/** The variable whose host is used instead of a context (GORAE_HOST, DOCKER_HOST), or NULL. */
const char *endpoint_variable(const struct global_options *o);
/** -H and -c in one command line contradict each other. @return 0 or -1 */
int endpoint_check(const struct global_options *o, struct err *e);

/** Find the daemon, and have the command's client talk to it, unless that was done before. Commands that need a daemon
 * are run after this; main() releases what it found. @return 0 or -1 */
int endpoint_connect(struct cli *cli, struct err *e);
/** Have a client talk to it. The endpoint must outlive the client. */
void endpoint_client(const struct endpoint *p, struct client *ret);

#endif
