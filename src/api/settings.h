/** @file
 * The daemon's settings: one table for the command line and for daemon.json.
 *
 * Wherever a setting is given, it becomes a value in one JSON object under its key, so that everything behind (checks,
 * defaults, reload) sees one form. Names and keys are dockerd's where it has them (spec 8.1).
 */
#ifndef GORAE_API_SETTINGS_H
#define GORAE_API_SETTINGS_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

enum setting_kind {
    SETTING_BOOL,
    SETTING_TEXT,
    SETTING_NUMBER,
    SETTING_LIST,     /**< may be given again: ["…"] */
    SETTING_MAP,      /**< KEY=VALUE, may be given again: {"KEY":"VALUE"} */
    SETTING_RUNTIMES, /**< NAME=PATH: {"NAME":{"path":"PATH"}} */
    SETTING_ULIMITS,  /**< NAME=SOFT[:HARD]: {"NAME":{"Name","Soft","Hard"}} */
    SETTING_FIXED, /**< dockerd's, and can only have the value in `word`, which is so anyway; NULL: any, for nothing */
    FIXED_TEXT,    /**< such a one, by what it is in the file; those before are booleans */
    FIXED_LIST,
    FIXED_PAIRS,
};

struct setting {
    const char *flag; /**< without the dashes */
    char letter;      /**< or 0 */
    const char *key;  /**< in daemon.json; NULL: on the command line only */
    enum setting_kind kind;
    bool live;        /**< a reload changes it; the others need a new daemon */
    const char *word; /**< what help calls the value; NULL for SETTING_BOOL */
    const char *help;
};

extern const struct setting settings[];
extern const size_t nsettings;

/** The setting of that key, or NULL. */
const struct setting *setting_of_key(const char *key);

/** Why dockerd's option of that name, whose length is n, is none here; NULL: it is not known to be dockerd's. */
const char *setting_refused(const char *name, size_t n);

/** Add what a flag says. @param text NULL for a switch without value */
int setting_add(json_t *to, const struct setting *s, const char *text, struct err *e);

/** Read a file of settings. @param must false: a file that is not there is an empty one @return new object, or NULL
 * with a sentence that has the position or the key */
json_t *settings_read(const char *path, bool must, struct err *e);

/** Does this hold the one value that the setting can have? */
bool setting_is_fixed(const struct setting *s, const json_t *v);

/** Flags and file as one. @return new object, or NULL: ERR_INVALID naming each setting that both give, and both values
 */
json_t *settings_join(const json_t *flags, const json_t *file, struct err *e);

#endif
