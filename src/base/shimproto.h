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
 *     tty, stdin, stdin_once   booleans: a pseudoterminal; stdin is kept open; EOF after the first attachment
 *     console_size  [rows, columns] or absent
 *
 * Daemon to shim:
 *
 *     {"op":"attach","stdin":b,"stdout":b,"stderr":b,"logs":b,"detach_keys":"ctrl-p,ctrl-q","rest":N}   + the client's
 *         connection; where N > 0 the next packet is N raw bytes that the client sent already. No reply.
 *     {"op":"start"}                        runs `runtime start`; reply: started or failed
 *     {"op":"resize","h":rows,"w":columns}  reply: {"ev":"resized"} or {"ev":"resized","error":{…}}
 *     {"op":"hello"}                        reply: hello
 *
 * Shim to daemon:
 *
 *     {"ev":"created","pid":N,"starttime":T}    `runtime create` is done; T is field 22 of /proc/N/stat
 *     {"ev":"started","at":ns}                  real-time ns since 1970
 *     {"ev":"failed","error":{kind,sys,message}}  create or start failed; all is undone, and the shim ends
 *     {"ev":"exit","code":N,"at":ns,"oom":b}    the exit record is on disk; the shim ends when its clients have all
 * output
 *     {"ev":"detach","keys":b}                  an attachment ended while the container runs on
 *     {"ev":"hello","version":1,"phase":"created"|"running"|"exited","pid":N,"starttime":T,"at":ns,"code":N}
 *
 * A shim whose container is only created, and whose daemon goes away, undoes the container and ends. Once started, a
 * container does not depend on the daemon. The exit record is {"code":N,"at":ns,"oom":b}.
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
