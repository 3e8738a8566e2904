/** @file
 * From the name of a daemon to a connected descriptor (the client's half; the daemon listens in api/).
 *
 * The names are those of DOCKER_HOST and -H: `unix:///path` and `tcp://host:port`; ssh:// is a program's work and has a
 * file of its own, ssh.h. A bare path is not a name, as in Docker. With TLS, what comes back is still a descriptor for
 * plain bytes: a process of ours, gorae-tlspipe, stands between it and the network. Nothing that was meant to be
 * encrypted is ever quietly replaced by plain text.
 */
#ifndef GORAE_WIRE_DIAL_H
#define GORAE_WIRE_DIAL_H

#include "base/err.h"

#include <stdbool.h>

#define DIAL_HOST_DEFAULT "unix:///run/gorae.sock"
#define DIAL_HOST_TLS     "tcp://localhost:2376"
#define DIAL_PORT_DEFAULT "2375" /**< IANA: docker, the REST API in plain text */
#define DIAL_PORT_TLS     "2376" /**< IANA: docker-s */
#define DIAL_TIMEOUT_MS   10000  /**< for each address that a name resolves to */

/** TLS towards a daemon at tcp://. Paths of PEM files; NULL where there is none. */
struct dial_tls {
    bool on;
    bool verify; /**< the daemon's certificate is checked against `ca` and its name; else anybody may answer */
    char *ca, *cert, *key;
};

/** Connect to the daemon that `host` names; NULL and "" mean DIAL_HOST_DEFAULT. @param tls NULL: plain text
 * @return fd, close-on-exec; or -1: ERR_INVALID (not a daemon's name), ERR_SYSTEM (nobody there, or no permission;
 * e->sys says which) */
int dial(const char *host, const struct dial_tls *tls, struct err *e);

/** As dial(), and with TLS more: *ret_why is a descriptor from which dial_why() can tell, once the connection has
 * ended, why it did; the caller's to close. -1 without TLS. */
int dial_with_why(const char *host, const struct dial_tls *tls, int *ret_why, struct err *e);

/** Put what gorae-tlspipe said last, if it said anything, in the place of the sentence in `e`. The server's half of the
 * handshake may end after ours: in TLS 1.3 a client is told that its certificate was refused when it already talks.
 * @param why as from dial_with_why(); -1 does nothing @return whether it had something to say */
bool dial_why(int why, struct err *e);

/** The value of the Host header for requests to `host`: "localhost" for a unix socket, else host:port as given.
 * @return the caller's */
char *dial_authority(const char *host, const struct dial_tls *tls);

#endif
