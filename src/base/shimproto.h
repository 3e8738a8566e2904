/** @file
 * What the daemon and a container's shim say to each other.
 *
 * Over a SOCK_SEQPACKET unix socket, one JSON object a packet, a descriptor beside it where noted. The first
 * connection is a socket pair: the shim finds its end on fd 3. The shim also listens on DIR/shim.sock (mode 0600,
 * in a 0700 folder), where a daemon that was started later connects; the newest connection is the one that
 * gets events. DIR is `<exec-root>/containers/<id>`; DIR/shim.json tells the shim its task:
 *
 *     id            64 hex digits
 *     bundle        folder with the OCI config.json
 *     runtime       absolute path of the OCI runtime;  runtime_args  more arguments before the verb
 *     runtime_root  its --root
 *     log           absolute path of the json-file log, or absent for the driver "none"
 *     exit          absolute path of the exit record
 *     ephemeral     boolean: the record need not outlive a power cut, because the container will not (--rm)
 *     tty, stdin, stdin_once   booleans: a pseudoterminal; stdin is kept open; EOF after the first attachment
 *     console_size  [rows, columns] or absent
 *     cgroup_memory_events   absolute path of the cgroup's memory.events (v2) or memory.oom_control (v1), or absent:
 *                   "oom" tells whether its line "oom_kill N" has N > 0
 *     process       absolute path of an OCI process object: the task is an exec, see below. There is no bundle then
 *
 * Daemon to shim:
 *
 *     {"op":"attach","stdin":b,"stdout":b,"stderr":b,"logs":b,"detach_keys":"ctrl-p,ctrl-q","rest":N}   + the client's
 *         connection; where N > 0 the next packet is N raw bytes (≤ 65,536) that the client sent already. No reply.
 *         Allowed from the first moment on; once the container has ended the connection is just closed.
 *     {"op":"start"}                        runs `runtime start`; reply: started or failed
 *     {"op":"resize","h":rows,"w":columns}  reply: {"ev":"resized"} or {"ev":"resized","error":{…}}
 *     {"op":"hello"}                        reply: hello
 *
 * Shim to daemon:
 *
 *     {"ev":"created","pid":N,"starttime":T}    `runtime create` is done; T is field 22 of /proc/N/stat
 *     {"ev":"started","at":ns}                  real-time ns since 1970
 *     {"ev":"failed","error":{kind,sys,message}}  create or start failed; all is undone, and the shim ends
 *     {"ev":"exit","code":N,"at":ns,"oom":b}    the exit record is on disk and shim.sock is gone; the shim ends
 *         when its clients have all output. Where "error" stands beside these, the record could not be written:
 *         the disk is full
 *     {"ev":"oom"}                              a process of the running container was killed for want of memory
 *     {"ev":"detach","keys":b}                  an attachment ended while the container runs on
 *     {"ev":"hello","version":1,"phase":"creating"|"created"|"running"|"exited"|"failed","pid":N,"starttime":T,
 *         "started":ns,"at":ns,"code":N,"oom":b}   "at" is when it exited, before that when it started; 0: not yet
 *     {"ev":"error","op":…,"error":{…}}         a request that makes no sense now; nothing has changed
 *
 * A shim whose container is only created, and whose daemon goes away, undoes the container and ends. Once started, a
 * container does not depend on the daemon. The exit record is {"code":N,"at":ns,"oom":b,"started":ns}; "started" is for
 * a daemon that died before it heard of the start. Deleting the ended container from the runtime (`runtime delete`) is
 * the daemon's, after the exit event or the record.
 *
 * An exec, a further process in the running container `id`, has a shim of its own in
 * `<exec-root>/containers/<id>/exec/<exec id>`. It calls `runtime exec` at once; there is no "start". Its first event
 * is
 * {"ev":"started","at":ns,"pid":N,"starttime":T}, or failed, and then its clients have been told why as well: they are
 * all there is to tell where nobody waits for the answer. It touches no process but its own, deletes nothing, and from
 * the first moment on does not depend on the daemon. Its record is best effort: the container's end removes the folder.
 */
#ifndef GORAE_BASE_SHIMPROTO_H
#define GORAE_BASE_SHIMPROTO_H

#include "base/err.h"

#include <jansson.h>

#define SHIM_PROTOCOL   1
#define SHIM_CONTROL_FD 3

/** Send one object. @param fd goes beside it, or -1 */
int shimproto_send(int sock, const json_t *msg, int fd, struct err *e);
/** Receive one object. @param ret_fd may be NULL where none is expected @return new reference; NULL with e->kind
 * ERR_NONE at end of file, or with an error */
json_t *shimproto_recv(int sock, int *ret_fd, struct err *e);

#endif
