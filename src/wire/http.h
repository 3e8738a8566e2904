/** @file
 * HTTP/1.1 for both roles, over any stream descriptor (RFC 9110, RFC 9112).
 *
 * One `struct http` stands for one connection. It reads heads strictly and in bounded memory, frames bodies in
 * both directions, and knows at every moment which bytes it has read too many: after a head that switches
 * protocols those belong to whoever takes the connection over (http_take()).
 *
 * Strict means: CRLF line ends only, no obs-fold, no blank before a colon, no NUL or other control byte, at most
 * one Host and (in an HTTP/1.1 request) exactly one, never both Content-Length and Transfer-Encoding, one
 * Content-Length only, chunked as the only transfer coding. What is refused has an err_kind that the router maps
 * to 400, 408, 411, 413, 431, 501 or 505, and the connection is closed afterwards, because its framing is lost.
 *
 * Parsing is a function of the bytes alone: however they were cut into pieces on the way, the same heads, bodies and
 * errors come out (tests/fuzz/fuzz_http.c holds it to that). The parts, in reading order: http_conn.c (bytes in),
 * http_head.c (heads), http_body.c (bodies), http_write.c (bytes out), http_target.c (paths and queries).
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
/** A request's body may come in this many chunks of any size; beyond them, each needs HTTP_CHUNK_MEAN bytes of body on
 * average. Answers are not limited so: a log of short lines is one chunk a line, for good reason. */
#define HTTP_CHUNKS_FREE 65536
#define HTTP_CHUNK_MEAN  16
#define HTTP_EXTRAS_MAX  65536        /**< bytes of chunk extensions and trailers of one body; all are ignored */
#define HTTP_DRAIN_MAX   (256u << 10) /**< bytes of an unread request body dropped to reach the next request */
#define HTTP_INTERIM_MAX 16           /**< 1xx heads skipped before an answer */
#define HTTP_QUERY_MAX   256          /**< key=value pairs of a query */
#define HTTP_TAP_MAX     1500         /**< bytes kept by a tap */

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

/** The first bytes that crossed a connection in one direction, as they were: for the trace. Set n = 0 to begin anew. */
struct http_tap {
    char bytes[HTTP_TAP_MAX];
    size_t n;
};

/** One connection. Zero is not a valid state: use http_init(). */
struct http {
    int fd;    /**< owned; -1 once taken */
    int why;   /**< owned; where dial_why() asks; -1 for none */
    char *buf; /**< read and not yet consumed: buf[pos..len); freed while the connection is idle */
    size_t pos, len, cap;
    int head_timeout_ms;  /**< for a whole head, from its first byte; 0 means wait for ever */
    int idle_timeout_ms;  /**< between requests, and for each read of a body; 0 means wait for ever */
    int whole_timeout_ms; /**< for all of http_read_body_all(), so that a trickle cannot hold it; 0: for ever */
    int write_timeout_ms; /**< for each write that the peer does not take; 0 means wait for ever */
    int64_t deadline;     /**< CLOCK_MONOTONIC ns that the current wait must not pass; 0: none */
    int64_t head_started; /**< CLOCK_MONOTONIC ns of a head's first byte */
    enum http_body body;  /**< framing of the body being read */
    uint64_t left;        /**< bytes left of it (of the chunk, where chunked) */
    int chunk_state;      /**< where in the chunk grammar the reader is */
    uint64_t chunks;      /**< chunks so far, limited against floods of tiny ones */
    uint64_t body_bytes;
    uint64_t extras;    /**< bytes of chunk extensions and trailers so far */
    bool server;        /**< the body being read is a request's */
    bool want_continue; /**< a 100 Continue is owed before the first body byte is read */
    bool body_done;
    bool chunked_out; /**< the body being written is chunked */
    bool counted_out; /**< it has a Content-Length, of which left_out bytes are still to be written */
    uint64_t left_out;
    bool head_only;                    /**< the answer is to a HEAD, or 204/304: no body bytes are written */
    bool last;                         /**< either side said that no request follows on this connection */
    bool broken;                       /**< framing is lost, or reading or writing failed: close, do not reuse */
    uint64_t bytes_in, bytes_out;      /**< on the wire, for the trace */
    struct http_tap *tap_in, *tap_out; /**< borrowed; NULL for none */
};

/** Take ownership of `fd`. */
void http_init(struct http *h, int fd);
/** Close and free. */
void http_release(struct http *h);
/** Say that no more is coming, and drop what the peer still sends, for at most `ms`: closing with unread bytes resets
 * the connection, and a peer that is still sending would lose an answer that it has not read yet (RFC 9112
 * section 9.6).
 */
void http_linger(struct http *h, int ms);

/** Read a request head. What is left of the request body before it is dropped, up to HTTP_DRAIN_MAX bytes.
 * @return 1; 0 where no request will come (the peer closed before a first byte, was idle too long, or this connection
 * is last or broken); -1 on error: ERR_INVALID, ERR_HEAD_TOO_LARGE, ERR_TIMEOUT, ERR_HTTP_VERSION, ERR_NOT_IMPLEMENTED
 * (an unknown transfer coding), ERR_SYSTEM. *ret_head must be released on 1 only. */
int http_read_request(struct http *h, struct http_head *ret_head, struct err *e);
/** Read up to `n` body bytes. @return bytes, 0 at the end of the body (after its last chunk and trailers), -1 on error
 * (a body cut short is ERR_INVALID, a peer silent for idle_timeout_ms is ERR_TIMEOUT) */
ssize_t http_read_body(struct http *h, void *p, size_t n, struct err *e);
/** Read the whole body of at most `limit` bytes, else ERR_TOO_LARGE; within whole_timeout_ms, else ERR_TIMEOUT.
 * @return NUL-terminated, the caller's */
char *http_read_body_all(struct http *h, size_t limit, size_t *ret_len, struct err *e);
/** Read and drop what is left of the body, up to `limit` bytes. A client that still waits for 100 Continue is not
 * given it. @return 0, or -1 when more is left or reading failed */
int http_drain_body(struct http *h, size_t limit, struct err *e);
/** Could something be read now? For noticing that a peer went away. @return -1 on a full hang-up or reset, 0 nothing,
 * 1 a byte or end of file. Over TCP a full close looks like a half-close (1) until something is written to it. */
int http_peek_peer(struct http *h);

/** The bytes already read past the current head and body; they are the caller's now, and so is the descriptor, which
 * is returned. `h` is empty afterwards. @param ret_rest new memory, the caller's; NULL where *ret_len is 0 */
int http_take(struct http *h, char **ret_rest, size_t *ret_len);

/** A header list for writing; a NULL name ends it. Names and values are checked: a control byte in one (a CR LF would
 * begin a header of somebody else's making) is ERR_INVALID, and nothing is written. */
struct http_field {
    const char *name;
    const char *value;
};

/** Write a response head, as a segment of its own. Fields come first and in their order, then the framing headers.
 * @param length of the body; -1 chunked, -2 neither (body until close)
 * @param req the request it answers: HEAD and HTTP/1.0 change framing; NULL where it could not be parsed, which ends
 * the connection. Connection: close is added where the connection will not be kept, unless the status is 101 or the
 * fields hold a Connection of their own */
int http_write_response(struct http *h, const struct http_head *req, int status, const struct http_field *fields,
                        int64_t length, struct err *e);
/** Body bytes: a chunk of their own where chunked. n = 0 writes nothing. More than Content-Length said is an error. */
int http_write_body(struct http *h, const void *p, size_t n, struct err *e);
/** The end of a body: the last chunk where chunked. Less than Content-Length said is an error. */
int http_write_end(struct http *h, struct err *e);
/** A whole small response in one segment. */
int http_write_whole(struct http *h, const struct http_head *req, int status, const struct http_field *fields,
                     const void *body, size_t n, struct err *e);
/** The standard phrase of a status, e.g. "Not Found"; Docker's own "UPGRADED" for 101. */
const char *http_reason(int status);

/** A parsed target: path and query, percent-decoded; '+' is a blank in the query only. */
struct http_target {
    char *path; /**< decoded; encoded '/' in a segment cannot be told from a real one, so %2F stays as it was sent */
    char **key; /**< decoded query keys, in order */
    char **value;
    size_t n;
};
/** Parse origin-form or absolute-form. ERR_INVALID: NUL (%00), bad escapes, bytes that are not UTF-8, a fragment; in
 * the path also control bytes and the segments "." and ".."; over HTTP_QUERY_MAX pairs. Nothing to release on -1. */
int http_target_parse(const char *target, struct http_target *ret, struct err *e);
void http_target_release(struct http_target *t);
/** First value of a query key, or `def`. */
const char *http_query(const struct http_target *t, const char *key, const char *def);
/** Docker's boolean: absent, "", 0, no, false, none (any case) are false, everything else is true. */
bool http_query_bool(const struct http_target *t, const char *key, bool absent);

#endif
