/** @file
 * The parent's side of a child: what `create` and `exec` share.
 */
#ifndef GORAE_RUNTIME_LAUNCH_H
#define GORAE_RUNTIME_LAUNCH_H

#include "base/err.h"
#include "runtime/child.h"
#include "runtime/runtime.h"
#include "runtime/sync.h"

#include <sys/types.h>

/** The options that both verbs have. */
struct launch_options {
    const char *pid_file, *console_socket; /**< or NULL */
    const char *preserve_fds;              /**< a number as text, or NULL */
};

/** Check the options against the process and fill c->preserve and c->console. */
int launch_prepare(struct child *c, const struct launch_options *o, struct err *e);

/** A child that runs `body(c)`. @param flags CLONE_NEW… @param cgroup version 2: born in this group; or -1
 * @param ret_sock our end of the sync socket @param ret_pidfd its pidfd @return its pid, or -1 */
pid_t launch_clone(struct child *c, int flags, int cgroup, void (*body)(struct child *), int *ret_sock, int *ret_pidfd,
                   struct err *e);

/** Let a child into its control groups, which are there, give it those that it is to show, and say GO. */
int launch_place(const struct child *c, int sock, struct err *e);
/** A further process in the container whose first process is c->pidfd, through a go-between (child.h).
 * Parameters and result as launch_clone(). */
pid_t launch_inside(struct child *c, int cgroup, int *ret_sock, int *ret_pidfd, struct err *e);

/** Receive until `kind` comes; warnings go to the log, anything else is an error. */
int launch_await(const struct runtime *rt, int sock, enum sync_kind kind, struct err *e);

/** Our half failed, and *e says how. If the child had failed before, that was the cause: put its error into *e. */
void launch_blame(int sock, struct err *e);

/** Set what needs the host's rights, on a child that is ready: the OOM score, and in a user namespace resource limits.
 * What cannot be raised is a warning. */
void launch_limits(const struct runtime *rt, pid_t pid, const struct child *c);

/** Kill and reap it. */
void launch_abort(pid_t pid, int pidfd);

int launch_write_pid(const struct launch_options *o, pid_t pid, struct err *e);

/** Wait for a child in the foreground, passing on signals that we get. @return its exit code, or 128 + a signal */
int launch_foreground(pid_t pid, struct err *e);

#endif
