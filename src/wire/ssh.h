/** @file
 * A daemon behind an ssh login: ssh://[user@]host[:port][/path/of/socket].
 *
 * As docker does it: the ssh program logs in and runs `gorae system dial-stdio` there, which copies between its
 * standard streams and the daemon's socket. So nothing listens on that machine but sshd, and who may use the daemon is
 * decided there, by keys and groups. Every connection is an ssh process of its own; all of them end with their client.
 */
#ifndef GORAE_WIRE_SSH_H
#define GORAE_WIRE_SSH_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

/** A running ssh: a list, newest first. NULL is the empty one. */
struct ssh_link;

/** Is this an ssh:// address that can be dialled? Nothing of it can become an option of ssh, or a word for the shell at
 * the other end. @return 0, or -1 ERR_INVALID with the rule */
int ssh_check(const char *host, struct err *e);

/** The command line that ssh_dial() runs, from "ssh" on. */
int ssh_command(const char *host, struct strv *ret, struct err *e);

/** Start ssh towards `host`. That it got in only shows when the daemon answers. @return a connected socket, the
 * caller's
 */
int ssh_dial(struct ssh_link **links, const char *host, struct err *e);

/** The connection `fd` has ended before it should: where its ssh has ended, say what that said, instead of what `e`
 * says.
 * @param answered the daemon had been heard before, so the login is not what failed */
void ssh_explain(struct ssh_link *links, int fd, const char *host, bool answered, struct err *e);

/** End every ssh of the list, and wait until it has. */
void ssh_end(struct ssh_link **links);

#endif
