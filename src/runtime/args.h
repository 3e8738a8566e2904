/** @file
 * Command lines: GNU-style options before the first operand, as runc takes them.
 */
#ifndef GORAE_RUNTIME_ARGS_H
#define GORAE_RUNTIME_ARGS_H

#include "base/err.h"
#include "base/str.h"

/** What an option's value becomes. */
enum arg_kind {
    ARG_FLAG,    /**< bool *: --name, --name=true, --name=false */
    ARG_STRING,  /**< const char **: --name VALUE, --name=VALUE; the last one counts */
    ARG_LIST,    /**< struct strv *: may be given again and again */
    ARG_REFUSED, /**< known, and not supported: `why` says why */
};

struct arg {
    const char *name; /**< without dashes; NULL ends the table */
    char letter;      /**< its short form, or 0 */
    enum arg_kind kind;
    void *to; /**< where the value goes; see enum arg_kind */
    const char *why;
};

/** Read the options after argv[0]; they end at the first operand or after "--". An unknown option, a missing value and
 * too few or too many operands (beyond `max`, where that is not negative) are ERR_INVALID.
 * @return the index of the first operand, or -1 */
int args_parse(const struct arg *table, int argc, char **argv, int min, int max, struct err *e);

#endif
