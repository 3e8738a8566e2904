/** @file
 * Errors as values.
 *
 * An error is a `struct err` on the caller's stack, handed down as the last parameter and filled at the
 * call that failed, where errno is still true and the object's name is known. It is never allocated, so
 * reporting a failure cannot fail. Functions return 0 or -1, an fd or -1, a pointer or NULL; `struct err`
 * is written only on failure. Callers add context on the way up with err_wrap(). The triple
 * (kind, sys, msg) travels unchanged from the OCI runtime to the shim, the daemon and the client.
 *
 * Nothing here logs and nothing exits: what an error means is decided by the program's outermost layer.
 */
#ifndef GORAE_BASE_ERR_H
#define GORAE_BASE_ERR_H

#include <stdbool.h>
#include <jansson.h>

/** What sort of failure it was. The API's router alone turns a kind into an HTTP status. */
enum err_kind {
    ERR_NONE = 0,
    ERR_SYSTEM,          /**< a system call or an invariant failed (500) */
    ERR_INVALID,         /**< the request is malformed or breaks a rule (400) */
    ERR_UNAUTHORIZED,    /**< credentials missing or wrong (401) */
    ERR_FORBIDDEN,       /**< understood, and refused (403) */
    ERR_NOT_FOUND,       /**< the named object does not exist (404) */
    ERR_CONFLICT,        /**< the object's state or name is in the way (409) */
    ERR_UNMODIFIED,      /**< already in the wanted state (304) */
    ERR_TIMEOUT,         /**< the peer was too slow (408) */
    ERR_LENGTH_REQUIRED, /**< a body without a length (411) */
    ERR_TOO_LARGE,       /**< a body over its limit (413) */
    ERR_UNSUPPORTED,     /**< a media type we do not take (415) */
    ERR_HEAD_TOO_LARGE,  /**< a request head over its limit (431) */
    ERR_NOT_IMPLEMENTED, /**< a feature that a later step brings (501) */
    ERR_UNAVAILABLE,     /**< cannot be served now (503) */
    ERR_HTTP_VERSION,    /**< a protocol version we do not speak (505) */
};

/** One failure. `sys` is an errno value or 0; `msg` is a whole sentence without a final full stop. */
struct err {
    enum err_kind kind;
    int sys;
    char msg[1024];
};

/** Fill `e` with a kind and a formatted sentence. `e` may be NULL. @return always -1 */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** Fill `e` from errno: the sentence, then ": " and errno's text. Kind is ERR_SYSTEM. @return always -1 */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Put "context: " before the message that `e` already holds; kind and sys stay. @return always -1 */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** For who returns a pointer: return err_null(err_set(e, …)). @return NULL */
static inline void *err_null(int failed)
{
    (void)failed;
    return NULL;
}

/** The triple as a JSON object {"kind","sys","message"}. @return a new reference, the caller's */
json_t *err_to_json(const struct err *e);

/** Fill `e` from what err_to_json() made; anything malformed becomes ERR_SYSTEM with the text found. @return always -1
 */
int err_from_json(struct err *e, const json_t *j);

#endif
