/** @file
 * From the name of a daemon to a connected descriptor (the client's half; the daemon listens in api/).
 *
 * The names are those of DOCKER_HOST and -H: `unix:///path` and `tcp://host:port`; ssh:// is a program's work and has a
 * file of its own, ssh.h. A bare path is not a name, as in Docker. TLS belongs to a later step and is refused as such,
 * never quietly replaced by plain text.
 */
#ifndef GORAE_WIRE_DIAL_H
#define GORAE_WIRE_DIAL_H

#include "base/err.h"

#include <stdbool.h>

#define DIAL_HOST_DEFAULT "unix:///run/gorae.sock"
#define DIAL_PORT_DEFAULT "2375" /**< IANA: docker, the REST API in plain text */
#define DIAL_TIMEOUT_MS   10000  /**< for each address that a name resolves to */

/** TLS towards a daemon at tcp://. Paths of PEM files; NULL where there is none. */
struct dial_tls {
    bool on;
    bool verify; /**< the daemon's certificate is checked against `ca` and its name; else anybody may answer */
    char *ca, *cert, *key;
};

/** Connect to the daemon that `host` names; NULL and "" mean DIAL_HOST_DEFAULT. @param tls NULL: plain text
 * @return fd, close-on-exec; or -1: ERR_INVALID (not a daemon's name), ERR_NOT_IMPLEMENTED (tcp:// with TLS),
 * ERR_SYSTEM (nobody there, or no permission; e->sys says which) */
int dial(const char *host, const struct dial_tls *tls, struct err *e);

/** The value of the Host header for requests to `host`: "localhost" for a unix socket, else host:port as given.
 * @return the caller's */
char *dial_authority(const char *host);

#endif
