/** @file
 * HTTP/1.1 for both roles, over any stream descriptor (RFC 9110, RFC 9112).
 *
 * One `struct http` stands for one connection. It reads heads strictly and in bounded memory, frames bodies in
 * both directions, and knows at every moment which bytes it has read too many: after a head that switches
 * protocols those belong to whoever takes the connection over (http_take_rest()).
 *
 * Strict means: CRLF line ends only, no obs-fold, no blank before a colon, no NUL or other control byte, at most
 * one Host and (in an HTTP/1.1 request) exactly one, never both Content-Length and Transfer-Encoding, one
 * Content-Length only, chunked as the only transfer coding. What is refused has an err_kind that the router maps
 * to 400, 408, 411, 413, 431, 501 or 505, and the connection is closed afterwards, because its framing is lost.
 */
#ifndef GORAE_WIRE_HTTP_H
#define GORAE_WIRE_HTTP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HTTP_HEAD_MAX    32768 /**< bytes of a head, start line and all */
#define HTTP_HEADERS_MAX 100
#define HTTP_LINE_MAX    8192 /**< bytes of a chunk-size or trailer line */

enum http_body {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH, /**< Content-Length: head.length bytes */
    HTTP_BODY_CHUNKED,
    HTTP_BODY_CLOSE, /**< responses only: up to end of file */
};

struct http_header {
    const char *name;  /**< as sent */
    const char *value; /**< without surrounding blanks */
};

/** A parsed head. All strings point into memory owned by the head; http_head_release() frees it. */
struct http_head {
    const char *method; /**< requests */
    const char *target; /**< requests: as sent, e.g. "/v1.44/containers/json?all=1" */
    int status;         /**< responses */
    const char *reason; /**< responses */
    int minor;          /**< the 1 of HTTP/1.1 */
    struct http_header header[HTTP_HEADERS_MAX];
    size_t headers;
    enum http_body body;
    uint64_t length;      /**< of HTTP_BODY_LENGTH */
    bool keep_alive;      /**< the peer will accept another request on this connection */
    bool expect_continue; /**< send 100 before reading the body (done by http_read_body) */
    bool upgrade;         /**< Connection: Upgrade was given */
    size_t size;          /**< bytes the head took on the wire */
    char *storage;        /**< what the strings point into */
};

/** The value of the first header called `name` (case-insensitive). @return borrowed, or NULL */
const char *http_header(const struct http_head *h, const char *name);
void http_head_release(struct http_head *h);

/** One connection. Zero is not a valid state: use http_init(). */
struct http {
    int fd;    /**< owned; -1 once taken */
    char *buf; /**< read and not yet consumed: buf[pos..len) */
    size_t pos, len, cap;
    int head_timeout_ms;  /**< for a whole head, from its first byte; 0 means wait for ever */
    int idle_timeout_ms;  /**< between requests, and for each read of a body; 0 means wait for ever */
    int64_t head_started; /**< CLOCK_MONOTONIC ns of a head's first byte */
    enum http_body body;  /**< framing of the body being read */
    uint64_t left;        /**< bytes left of it (of the chunk, where chunked) */
    int chunk_state;      /**< where in the chunk grammar the reader is */
    uint64_t chunks;      /**< chunks so far, limited against floods of tiny ones */
    uint64_t body_bytes;
    bool want_continue; /**< a 100 Continue is owed before the first body byte is read */
    bool body_done;
    bool chunked_out;             /**< the body being written is chunked */
    bool head_only;               /**< the answer is to a HEAD, or 204/304: no body bytes are written */
    bool broken;                  /**< framing is lost or writing failed: close, do not reuse */
    uint64_t bytes_in, bytes_out; /**< on the wire, for the trace */
};

/** Take ownership of `fd`. */
void http_init(struct http *h, int fd);
/** Close and free. */
void http_release(struct http *h);

/** Read a request head. @return 1, 0 if the peer closed before the first byte (or was idle too long), -1 on error:
 * ERR_INVALID, ERR_HEAD_TOO_LARGE, ERR_TIMEOUT, ERR_HTTP_VERSION, ERR_NOT_IMPLEMENTED (an unknown transfer coding),
 * ERR_SYSTEM. *ret_head must be released on 1 only. */
int http_read_request(struct http *h, struct http_head *ret_head, struct err *e);
/** Read a response head; 1xx heads other than 101 are skipped. @param method of the request it answers (a HEAD has no
 * body) @return 0 or -1 */
int http_read_response(struct http *h, const char *method, struct http_head *ret_head, struct err *e);
/** Read up to `n` body bytes. @return bytes, 0 at the end of the body (after its last chunk and trailers), -1 on error
 * (a body cut short is ERR_INVALID) */
ssize_t http_read_body(struct http *h, void *p, size_t n, struct err *e);
/** Read the whole body of at most `limit` bytes, else ERR_TOO_LARGE. @return NUL-terminated, the caller's */
char *http_read_body_all(struct http *h, size_t limit, size_t *ret_len, struct err *e);
/** Read and drop what is left of the body, up to `limit` bytes. @return 0, or -1 when more is left or reading failed */
int http_drain_body(struct http *h, size_t limit, struct err *e);
/** True where a byte, or end of file, could be read now: for noticing that a peer went away. @return -1 on a full
 * hang-up or reset, 0 nothing, 1 something */
int http_peek_peer(struct http *h);

/** The bytes already read past the current head and body; they are the caller's now, and so is the descriptor, which
 * is returned. `h` is empty afterwards. @param ret_rest new memory, the caller's; NULL where *ret_len is 0 */
int http_take(struct http *h, char **ret_rest, size_t *ret_len);

/** A header list for writing; a NULL name ends it. */
struct http_field {
    const char *name;
    const char *value;
};

/** Write a request head. @param length of the body that follows; -1 means chunked, 0 no body (and then no length header
 * unless the method is POST or PUT) */
int http_write_request(struct http *h, const char *method, const char *target, const struct http_field *fields,
                       int64_t length, struct err *e);
/** Write a response head. @param length of the body; -1 chunked, -2 neither (body until close) @param req the request
 * it answers: HEAD and HTTP/1.0 change framing; Connection: close is added where the connection will not be kept */
int http_write_response(struct http *h, const struct http_head *req, int status, const struct http_field *fields,
                        int64_t length, struct err *e);
/** Body bytes: a chunk of their own where chunked. n = 0 writes nothing. */
int http_write_body(struct http *h, const void *p, size_t n, struct err *e);
/** The end of a body: the last chunk where chunked. */
int http_write_end(struct http *h, struct err *e);
/** A whole small response in one segment. */
int http_write_whole(struct http *h, const struct http_head *req, int status, const struct http_field *fields,
                     const void *body, size_t n, struct err *e);
/** The standard phrase of a status, e.g. "Not Found". */
const char *http_reason(int status);

/** A parsed target: path and query, percent-decoded; '+' is a blank in the query only. */
struct http_target {
    char *path; /**< decoded; encoded '/' in a segment cannot be told from a real one, so %2F stays as it was sent */
    char **key; /**< decoded query keys, in order */
    char **value;
    size_t n;
};
/** Parse origin-form or absolute-form. NUL (%00), control bytes, bad escapes, "." and ".." segments are ERR_INVALID. */
int http_target_parse(const char *target, struct http_target *ret, struct err *e);
void http_target_release(struct http_target *t);
/** First value of a query key, or `def`. */
const char *http_query(const struct http_target *t, const char *key, const char *def);
/** Docker's boolean: absent, "", 0, no, false, none (any case) are false, everything else is true. */
bool http_query_bool(const struct http_target *t, const char *key, bool absent);
/** Percent-encode a query value or a path segment. @return the caller's */
char *http_encode(const char *s);

#endif
