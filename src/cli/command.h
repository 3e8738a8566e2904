/** @file
 * The commands: who they are, how they are found, what --help says about them.
 *
 * A command is one constant: its usage line, its flags, how many arguments it takes, and a function. It may be reached
 * by several paths (`ps`, `container ls`); the help derives its aliases from the tables in command.c.
 */
#ifndef GORAE_CLI_COMMAND_H
#define GORAE_CLI_COMMAND_H

#include "cli/cli.h"

struct command {
    const char *usage;        /**< its arguments, "CONTAINER [CONTAINER...]"; how many it takes is read from this */
    const char *summary;      /**< one line */
    const struct flag *flags; /**< NULL for none */
    size_t options;           /**< size of its options struct */
    bool local;               /**< it needs no daemon */
    bool carries_command;     /**< its first argument ends the flags: what follows belongs to another program */
    int (*run)(struct cli *cli, void *options, const struct args *args);
};

/** Options that stand before the command. */
struct global_options {
    bool debug, version;
    enum flag_switch tls, tlsverify; /**< unset, they are what the environment says */
    char *context, *host, *log_level, *explain, *tlscacert, *tlscert, *tlskey;
};
extern const struct flag global_flags[];

/** Find and run the command that args->v[0..] names. @return exit code */
int command_run(struct cli *cli, const struct args *args);
/** Print the help of the program, a group or a command (`args` empty, 1 or 2 words). @return exit code */
int command_help(const struct args *args);

/** The command that the words name, and in how many of them. @return NULL where they name none */
const struct command *command_find(const struct args *args, size_t *ret_words);
/** Call `each` with the names of commands and groups, or (`group` not NULL) of the group's commands. */
void command_names(const char *group, const char *typed, void (*each)(const char *name, const char *typed));

/** Become the program args->v[2] with the arguments from v[3] on, tied to the life of our parent, whose pid v[1] is:
 * for wire/ssh.c. (dial_stdio.c) */
int tie(const struct args *args);

/** `flags` as the help's block of options, `width` columns wide. (usage.c) */
void usage_flags(struct str *out, const struct flag *flags, size_t width);
/** The columns that help may fill: the terminal's, 80 elsewhere. */
size_t usage_width(void);

extern const struct command command_attach, command_container_inspect, command_create, command_exec, command_kill,
    command_logs, command_pause, command_port, command_ps, command_rename, command_restart, command_rm,
    command_run_container, command_container_prune, command_image_prune, command_system_prune, command_start,
    command_stop, command_top, command_unpause, command_wait;
extern const struct command command_stats, command_update;
extern const struct command command_history, command_image_inspect, command_images, command_import, command_load,
    command_rmi, command_save, command_tag;
extern const struct command command_commit, command_cp, command_df, command_diff, command_export;
extern const struct command command_context_create, command_context_export, command_context_import,
    command_context_inspect, command_context_ls, command_context_rm, command_context_show, command_context_update,
    command_context_use, command_dial_stdio;
extern const struct command command_events, command_info, command_inspect, command_version;

#endif
