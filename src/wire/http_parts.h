/** @file
 * What the parts of the HTTP module share among themselves. Nobody else includes this.
 */
#ifndef GORAE_WIRE_HTTP_PARTS_H
#define GORAE_WIRE_HTTP_PARTS_H

#include "base/str.h"
#include "wire/http.h"

#include <sys/uio.h>

#define HTTP_BUF_START 4096          /**< a head of usual size and a small body fit */
#define HTTP_BUF_MAX   HTTP_HEAD_MAX /**< and this is what the longest head takes */

/** Wait for poll(2) `events` for at most `limit_ms` (0: for ever), and not beyond h->deadline. @return 1, 0 when time
 * is up, -1 with errno */
int http_wait(struct http *h, short events, int limit_ms);

/** Read once from the descriptor. @return bytes, 0 at end of file, -1 (ERR_TIMEOUT, ERR_SYSTEM) */
ssize_t http_receive(struct http *h, void *p, size_t n, struct err *e);

/** Read once, to the end of the buffer, which grows up to HTTP_BUF_MAX; it must not be full of unread bytes at that.
 * @return as http_receive() */
ssize_t http_fill(struct http *h, struct err *e);

/** Forget what was consumed; where nothing is left, free the buffer. */
void http_trim(struct http *h);

/** Set up the reading of the body that `head` announces. */
void http_begin_body(struct http *h, const struct http_head *head, bool server);

/** Write all of it, in as few segments as the kernel allows. `part` is used up. */
int http_send(struct http *h, struct iovec *part, size_t parts, struct err *e);

/* What both roles need: the server's is http_head.c and http_write.c, the client's is ask.c. */

/** Takes the first line of a head apart. */
typedef int http_start_line(struct http_head *r, char *line, struct err *e);
/** "HTTP/1.1" */
int http_parse_version(const char *s, int *ret_minor, struct err *e);
/** Wait for the first byte of a head. @return 1, 0 where the peer closed or was idle too long, -1 */
int http_await_head(struct http *h, struct err *e);
/** Read a whole head and parse it. @return 0, or -1 and nothing to release */
int http_read_head(struct http *h, http_start_line *start, struct http_head *ret, struct err *e);
/** Where a head failed, nobody knows where the next would begin. @return -1 with *mine in *e */
int http_fail(struct http *h, const struct err *mine, struct err *e);
/** Check header fields and write them down. */
int http_add_fields(struct str *out, const struct http_field *f, struct err *e);
/** Note what the head promises about the body. */
void http_begin_out(struct http *h, int64_t length, bool chunked, bool head_only);
/** A head and a body in one segment. */
int http_send_two(struct http *h, const struct str *head, const void *body, size_t n, struct err *e);
/** RFC 9110 section 5.6.2: a byte that may occur in a method or a header's name. */
bool http_is_token(unsigned char c);

#endif
