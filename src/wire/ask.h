/** @file
 * HTTP/1.1, the client's half: requests out, answers in. The connection and bodies are wire/http.h's.
 */
#ifndef GORAE_WIRE_ASK_H
#define GORAE_WIRE_ASK_H

#include "wire/http.h"

/** Write a request head. @param length of the body that follows; -1 means chunked, 0 no body (and then no length header
 * unless the method is POST or PUT) */
int http_write_request(struct http *h, const char *method, const char *target, const struct http_field *fields,
                       int64_t length, struct err *e);
/** A whole request with a small body, in one segment; n = 0: no body. */
int http_write_request_whole(struct http *h, const char *method, const char *target, const struct http_field *fields,
                             const void *body, size_t n, struct err *e);
/** Read a response head; 1xx heads other than 101 are skipped. @param method of the request it answers (a HEAD has no
 * body) @return 0 or -1; where h->bytes_in did not grow, the peer closed without a word */
int http_read_response(struct http *h, const char *method, struct http_head *ret_head, struct err *e);
/** Percent-encode a query value or a path segment. @return the caller's */
char *http_encode(const char *s);

#endif
