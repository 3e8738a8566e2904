/** @file
 * What the files of `gorae context` share.
 */
#ifndef GORAE_CLI_CONTEXT_H
#define GORAE_CLI_CONTEXT_H

#include "cli/cli.h"
#include "wire/context.h"

/** Any context whole: a stored one, or "default", made from the flags and variables of this command. */
int context_take(const struct cli *cli, const char *name, struct context *ret, struct err *e);

/** ERR_CONFLICT where a context of that name is there, ERR_INVALID where the name breaks the rule. */
int context_check_new(const char *name, struct err *e);

/** Save under a name, and tell: the name on standard output, "Successfully DONE context …" beside it. @return exit code
 */
int context_finish(struct cli *cli, struct context *c, const char *name, const char *done);

#endif
