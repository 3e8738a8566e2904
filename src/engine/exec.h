/** @file
 * Execs: further processes in running containers.
 */
#ifndef GORAE_ENGINE_EXEC_H
#define GORAE_ENGINE_EXEC_H

#include "engine/model.h"

/** One way only, but for a claim that is given up: STARTING → CREATED. */
enum exec_state {
    EXEC_CREATED,
    EXEC_STARTING, /**< claimed by the one who starts it */
    EXEC_RUNNING,
    EXEC_ENDED, /**< or could not be started */
};

struct exec {
    struct exec *next; /**< [lock] newest first */
    unsigned refs;     /**< [lock] the table's included */
    char id[ID_LENGTH + 1];
    struct container *c; /**< a reference */
    json_t *config;      /**< API ExecConfig, complete; never changes */
    json_t *size;        /**< [rows, columns] or null: set by whoever claims it */

    enum exec_state state; /**< [lock] */
    bool in_table;         /**< [lock] */
    int pid;               /**< [lock] 0 unless it runs */
    uint64_t starttime;    /**< [lock] of that process */
    int code;              /**< [lock] once it has ended */
    int64_t finished;      /**< [lock] CLOCK_MONOTONIC ns */

    struct shim_link link;
    pthread_mutex_t news; /**< whoever reads what the shim says; taken before the engine's lock */
    char *trace;          /**< trace file of the request that started it, or NULL */
};

/** A new one in the table. @return a reference */
struct exec *exec_insert(struct engine *en, struct container *c, const char *id, json_t *config, enum exec_state state);
void exec_put(struct engine *en, struct exec *x);
/** `<exec-root>/containers/<id>/exec/<exec id>`. @return the caller's */
char *exec_dir(struct engine *en, const struct exec *x);
/** The OCI process of an exec. @param size [rows, columns] or null @return new object, or NULL */
json_t *exec_process(struct engine *en, struct container *c, const json_t *config, const json_t *size, struct err *e);
/** Publish "ACTION: COMMAND", or the bare action. `extra` (may be NULL) is consumed. */
void exec_event(struct engine *en, struct exec *x, const char *action, bool command, json_t *extra);
/** Kill its process, if it runs. */
void exec_kill(struct engine *en, struct container *c, const char *id);
/** It is over: its folder goes, whoever asks is told `code`. Call with `news` held. @param ran false where it could not
 * be started: then there is no exec_die */
void exec_over(struct engine *en, struct exec *x, int code, bool ran);
/** Take in what its shim has said so far. @return false once it is over */
bool exec_news(struct engine *en, struct exec *x);
/** A thread that follows its shim to the end. Takes a reference of its own. */
int exec_follow(struct engine *en, struct exec *x, struct err *e);

#endif
