/** @file
 * The daemon's command line.
 */
#ifndef GORAE_API_OPTIONS_H
#define GORAE_API_OPTIONS_H

#include "base/err.h"
#include "base/str.h"
#include "engine/engine.h"

#include <stdbool.h>

#define DEFAULT_HOST      "unix:///run/gorae.sock"
#define DEFAULT_DATA_ROOT "/var/lib/gorae"
#define DEFAULT_EXEC_ROOT "/run/gorae"
#define DEFAULT_PIDFILE   "/run/gorae.pid"
#define DEFAULT_GROUP     "gorae"

enum options_action { ACTION_RUN, ACTION_HELP, ACTION_VERSION, ACTION_STATE_MACHINE };

struct options {
    enum options_action action;
    struct strv hosts; /**< unix://PATH */
    char *data_root, *exec_root, *pidfile, *group, *default_runtime, *cgroup_parent;
    bool debug, live_restore;
    int shutdown_timeout; /**< seconds; -1 for no limit */
    struct engine_runtime *runtimes;
    size_t nruntimes;
    json_t *labels;
};

/** Read the command line. @return 0, or -1 with a sentence that names the option */
int options_parse(struct options *o, int argc, char **argv, struct err *e);
void options_release(struct options *o);
/** The text of --help. */
const char *options_help(void);

#endif
