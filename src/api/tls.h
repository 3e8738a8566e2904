/** @file
 * The daemon's side of TLS: a gorae-tlspipe before each TCP socket (base/tlsproto.h).
 *
 * All but tls_check() are called by the thread that accepts.
 */
#ifndef GORAE_API_TLS_H
#define GORAE_API_TLS_H

#include "api/hosts.h"
#include "base/tlsproto.h"

/** Are the files there, and do they fit each other? @return 0, or -1 with a sentence that names the file */
int tls_check(const struct options *o, struct err *e);

/** Start a gorae-tlspipe for a host whose socket listens, and wait until it says that it is ready. */
int tls_start(struct host *h, const struct options *o, struct err *e);

/** Read what it says; it is there to be read. Notes go to the log; one that has died is started again by tls_tend().
 * @return the plain end of a client's connection, the caller's, and *ret tells about it; or -1 */
int tls_take(struct host *h, struct tls_message *ret);

/** Start again those that died, no more often than once a second each, and forget the retired that have ended.
 * @return milliseconds until it wants to be called again, or -1 */
int tls_tend(struct hosts *hosts, const struct options *o);

/** New files: start new ones, and retire the old, which take no more connections; what they carry goes on. */
void tls_renew(struct hosts *hosts, const struct options *o);

/** The daemon's end. @param leave what it carries goes on until it ends by itself; else it is ended now */
void tls_stop(struct host *h, bool leave);

#endif
