/** @file
 * TLS for a connection that dial.c has made. Nobody else includes this.
 */
#ifndef GORAE_WIRE_DIAL_TLS_H
#define GORAE_WIRE_DIAL_TLS_H

#include "wire/dial.h"

/** Start gorae-tlspipe on a connected TCP socket and wait until it has shaken hands. @param tcp taken, always
 * @param host for messages @param name what the daemon's certificate must be made out to
 * @return the plain end, close-on-exec, and *ret_why (dial_with_why()); or -1 with a sentence that says what is wrong
 * with whose certificate */
int dial_tls(int tcp, const char *host, const char *name, const struct dial_tls *tls, int *ret_why, struct err *e);

#endif
