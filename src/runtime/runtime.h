/** @file
 * The OCI runtime: what one invocation knows about itself, and the verbs.
 *
 * `gorae-runtime VERB …` is a short-lived program: it makes one change to one container, reports, and ends. Between
 * two invocations a container consists of its processes, its control groups and its folder `<root>/<id>` (state.h).
 * Reading order: create.c (the parent's side of a new container), child.c (the child's, in numbered steps), start.c,
 * exec.c, delete.c.
 */
#ifndef GORAE_RUNTIME_RUNTIME_H
#define GORAE_RUNTIME_RUNTIME_H

#include "base/err.h"

#include <stdbool.h>

#define OCI_VERSION "1.1.0"

/** One invocation. All strings are borrowed from argv. */
struct runtime {
    const char *root;    /**< --root: one folder a container */
    const char *nursery; /**< --nursery: a mount namespace to begin in (nursery.h), or NULL */
    int log;             /**< fd of --log, or -1 */
    bool log_json;       /**< --log-format json */
    bool debug;
    bool systemd;      /**< --systemd-cgroup */
    char *const *argv; /**< as main() got it, to start again from a sealed file (seal.h) */
};

/** A warning to the log: something asked for could not be had, and the container runs without it. */
void runtime_warn(const struct runtime *rt, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** The invocation's failure, to the log and to stderr. JSON lines carry the error triple under "error". */
void runtime_error(const struct runtime *rt, const char *verb, const struct err *e);

/** A verb: argv[0] is its name. @return the exit code of the program, or -1 with an error */
typedef int runtime_verb(struct runtime *rt, int argc, char **argv, struct err *e);
runtime_verb verb_create, verb_start, verb_run, verb_exec, verb_kill, verb_delete, verb_state, verb_list, verb_pause,
    verb_resume, verb_update, verb_ps, verb_features, verb_spec, verb_nursery;

#endif
