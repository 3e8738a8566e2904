/** @file
 * What the daemon has been told: the command line and daemon.json, checked.
 */
#ifndef GORAE_API_OPTIONS_H
#define GORAE_API_OPTIONS_H

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/engine.h"

#include <stdbool.h>

#define DEFAULT_CONFIG    "/etc/gorae/daemon.json"
#define DEFAULT_HOST      "unix:///run/gorae.sock"
#define DEFAULT_DATA_ROOT "/var/lib/gorae"
#define DEFAULT_EXEC_ROOT "/run/gorae"
#define DEFAULT_PIDFILE   "/run/gorae.pid"
#define DEFAULT_CERTS     "/etc/gorae"
#define DEFAULT_GROUP     "gorae"

enum options_action {
    ACTION_RUN,
    ACTION_HELP,
    ACTION_VERSION,
    ACTION_STATE_MACHINE,
    ACTION_VALIDATE,
    ACTION_SETTINGS,
    ACTION_CHECK
};

/** All values are ready to use: paths absolute, defaults filled in. */
struct options {
    json_t *settings;  /**< what was given, joined (settings.h) */
    struct strv hosts; /**< unix://PATH, tcp://ADDRESS:PORT, fd://[N] */
    char *data_root, *exec_root, *pidfile, *group, *cgroup_parent, *metrics;
    enum log_level log_level;
    bool log_json, debug, live_restore, insecure_tcp;
    struct {
        bool on, verify;       /**< verify: clients must show a certificate of `ca` */
        char *ca, *cert, *key; /**< PEM files */
    } tls;
    int shutdown_timeout; /**< seconds; -1 for no limit */
    bool systemd_cgroup;
    json_t *runtimes; /**< for engine_options */
    json_t *labels;
    json_t *host_defaults; /**< for engine_options */
    json_t *registries;    /**< for engine_options */
};

/** The command line alone. */
struct command_line {
    enum options_action action;
    json_t *flags;      /**< settings (settings.h) */
    const char *config; /**< the file, borrowed from `flags` or a constant */
    bool config_given;  /**< then it must be there */
};

/** Read the command line. @return 0, or -1 with a sentence that names the option */
int command_line_parse(struct command_line *c, int argc, char **argv, struct err *e);

/** Read the file, join it with the flags, check everything (apply.c). Changes nothing on the machine.
 * @return 0, or -1 with a sentence that names the setting; `o` is then empty */
int options_load(struct options *o, const struct command_line *c, struct err *e);
void options_release(struct options *o);
/** The text of --help, the caller's. */
char *options_help(void);
/** The keys of daemon.json, one a line: key, flag, kind, "live" or "start", sentence, divided by tabs. The caller's. */
char *options_table(void);

#endif
