/** @file
 * What parent and child of one invocation, and `start` and a waiting container, say to each other.
 *
 * A SOCK_SEQPACKET socket: one send is one receive. Both ends are this same program, started moments apart from the
 * same file, so a message is a plain struct.
 *
 *     placing, version 1 only, once for each tree:
 *              parent → GROUP     beside it the file through which the child enters a control group (cgroup.c)
 *              parent → TREE      where the container is to see it: beside it the group's folder, as a detached mount
 *     create:  parent → GO        ids are mapped, the groups are made and limited, and entered
 *              child → PREPARED   its mounts are made; the parent runs hooks
 *              parent → GO
 *              child → READY      everything is done but the exec; it now waits on the start barrier
 *     start:   start → GO         on a connection to the barrier, a trace descriptor beside it
 *              end of file        the exec happened: the descriptor is close-on-exec
 *     exec:    parent → GO        the groups are entered
 *              child → READY, parent → GO, then end of file
 *     any:     child → WARNING, child → ERROR (the last one)
 */
#ifndef GORAE_RUNTIME_SYNC_H
#define GORAE_RUNTIME_SYNC_H

#include "base/err.h"

enum sync_kind { SYNC_END, SYNC_GO, SYNC_GROUP, SYNC_TREE, SYNC_PREPARED, SYNC_READY, SYNC_WARNING, SYNC_ERROR };

/** Send a message. @param what the text of WARNING and ERROR, else NULL @param fd goes beside it, or -1 */
int sync_send(int sock, enum sync_kind kind, const struct err *what, int fd, struct err *e);
/** Receive one. SYNC_END: the other end is closed. SYNC_ERROR: *what is what the other end failed with.
 * @param ret_fd NULL: none is expected @return the kind, or -1 where the socket itself failed */
int sync_recv(int sock, struct err *what, int *ret_fd, struct err *e);

#endif
