/** @file
 * What client.c and reply.c share. Nobody else includes this.
 */
#ifndef GORAE_WIRE_CLIENT_PARTS_H
#define GORAE_WIRE_CLIENT_PARTS_H

#include "base/trace.h"
#include "wire/client.h"

/** Close and free a connection. NULL is fine. */
void client_close(struct http *h);
/** Keep a connection for the next request, if it can carry one and none is kept yet; else close it. */
void client_keep(struct client *c, struct http *h);
/** A connection has failed: where that which carried it has ended and said why, `e` says so. */
void client_explain(const struct client *c, struct http *h, struct err *e);
/** Turn an answer of 400 and above into an error, by its status and {"message"}. Reads the body. */
void reply_fail(struct reply *r, struct err *e);
/** End a span with the bytes of `tap` as its detail, secrets left out. */
void client_trace_end(struct span *span, const struct http_tap *tap, const char *target);

#endif
