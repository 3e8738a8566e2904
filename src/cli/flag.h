/** @file
 * Flags: a table describes them, one function reads them.
 *
 * Every command declares a `struct` of options and a table of flags that says, for each, where in that struct its
 * value goes. The parser fills the struct, the help is drawn from the same table: there is no second place that
 * could disagree. The grammar is that of docker (and of GNU's getopt_long, with three differences):
 *
 *     --name value  --name=value     a value; a list flag may be given again
 *     --rm  --rm=false               a switch needs no value, and takes one only after "="
 *     -it  -n5  -n 5  -n=5           one-letter flags run together; the last may carry a value
 *     --                             the rest are arguments
 *
 * Flags and arguments may be mixed ("rm web1 -f"), except for commands that carry another program's command line
 * (run, create): there the first argument ends the flags, so that `run busybox ls -l` hands -l to ls.
 */
#ifndef GORAE_CLI_FLAG_H
#define GORAE_CLI_FLAG_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flag_type {
    FLAG_END = 0,  /**< ends a table */
    FLAG_BOOL,     /**< bool */
    FLAG_SWITCH,   /**< enum flag_switch: a bool that knows whether it was given */
    FLAG_STRING,   /**< char *, NULL where not given and without default */
    FLAG_OPTIONAL, /**< char *, and the value may be left out: `--explain`, `--explain=json` */
    FLAG_INT,      /**< int64_t */
    FLAG_UINT,     /**< int64_t, not negative */
    FLAG_SIZE,     /**< int64_t bytes: "512", "64m", "1.5GiB", all in steps of 1024; -1 passes */
    FLAG_DURATION, /**< int64_t ns: "1m30s" */
    FLAG_NANO,     /**< int64_t thousand-millionths: "1.5" is 1500000000 */
    FLAG_LIST,     /**< struct strv; each use adds one */
    FLAG_PAIRS,    /**< struct strv of "key=value"; a use without '=' is refused */
    FLAG_FILTER,   /**< as FLAG_PAIRS, key in lower case and blanks around both removed */
    FLAG_REFUSED,  /**< no value: a flag of docker's that is not ours; `word` says why. Always hidden */
};

enum flag_switch { SWITCH_UNSET = 0, SWITCH_ON, SWITCH_OFF };

/** The `initial` of a number that was not given where 0 and -1 mean something; help does not show it. */
#define FLAG_UNSET       "-9223372036854775807"
#define FLAG_UNSET_VALUE (-INT64_MAX)

struct flag {
    const char *name; /**< without the dashes */
    char letter;      /**< its one-letter form, or 0 */
    enum flag_type type;
    size_t at;        /**< offsetof() in the options struct */
    const char *help; /**< one line for --help; NULL hides the flag */
    const char *word; /**< what help calls the value; NULL for the type's own word */
    const char
        *initial; /**< the value where not given, as text; help shows it. For FLAG_OPTIONAL the value of a bare use */
};

/** What is left after the flags. All strings are borrowed from argv. */
struct args {
    char **v;
    size_t n;
};

/** Read argv[0..argc) (no program name among them) into `options`, a zeroed struct.
 * @param flags table ended by FLAG_END; NULL is an empty one
 * @param mixed flags may follow arguments; else the first argument ends them
 * @param ret_args v is new memory, the caller's, also on failure (then NULL)
 * @return 0; 1 where help was asked for (--help, or -h where no flag has that letter); -1 ERR_INVALID */
int flag_parse(const struct flag *flags, void *options, int argc, char **argv, bool mixed, struct args *ret_args,
               struct err *e);

/** Put the `initial` values of a table into a zeroed options struct. flag_parse() does it too. */
void flag_defaults(const struct flag *flags, void *options);

/** Free what the values own. */
void flag_release(const struct flag *flags, void *options);

/** What help calls the value of a flag, e.g. "string"; "" for switches. */
const char *flag_word(const struct flag *f);

/** Store `text` as the value of `f`. @return 0, or -1 with a sentence that does not name the flag */
int flag_set(const struct flag *f, void *options, const char *text, struct err *e);

/** Docker's sizes: a decimal number, an optional unit of k m g t p (with or without "b" or "ib"), steps of 1024.
 * @return false on anything else, on negative numbers and beyond int64_t */
bool size_parse(const char *s, int64_t *ret);

/** A decimal number with up to nine digits after the point, times 10^9. @return false on anything else */
bool nano_parse(const char *s, int64_t *ret);

/** Go's booleans: 1 t T true True TRUE, 0 f F false False FALSE. @return false on anything else */
bool bool_parse(const char *s, bool *ret);

#endif
