/** @file
 * What gorae-tlspipe is given, and what it says to whoever started it.
 *
 * TLS is spoken by a process of its own, so that the client stays small, the daemon's memory never holds the key, and
 * every other line of gorae works on plain descriptors. It is started with
 *
 *     client   2  a pipe, on which it says "ok" and a line feed when the daemon is who it should be; everything else
 *                 that comes there is a sentence that tells why there is no connection, or why it ended
 *              3  the connected TCP socket
 *              4  its end of the plain stream
 *              5  the sink of the trace, where there is one
 *
 *     server   2  the daemon's standard error
 *              3  the TCP socket that listens
 *              4  its end of a SOCK_SEQPACKET pair, for messages: one struct tls_message each, and beside one of kind
 *                 TLS_CONNECTION the plain end of that connection's stream
 *
 *     check    2  a sentence, where a file is wrong; the exit code is 0 or 1
 *
 * The daemon says two things only. TLS_STOP: end all, politely and at once. The end of file: take no new connections,
 * and leave when the last one has ended; so it is when the daemon dies, and when a tlspipe with newer certificates has
 * been started in this one's place.
 *
 * Options, for all three: --verify, --ca FILE, --cert FILE, --key FILE; for the client also --name, what the daemon's
 * certificate must be made out to.
 */
#ifndef GORAE_BASE_TLSPROTO_H
#define GORAE_BASE_TLSPROTO_H

#include <stdint.h>

#define TLS_PROGRAM "gorae-tlspipe"
#define TLS_OK      "ok\n"
#define TLS_STOP    "stop"

enum tls_fd { TLS_FD_STATUS = 2, TLS_FD_TCP = 3, TLS_FD_PEER = 4, TLS_FD_TRACE = 5 };

enum tls_kind {
    TLS_READY = 1,  /**< confined, and about to accept */
    TLS_FAILED,     /**< it cannot start: text says why */
    TLS_CONNECTION, /**< a client is in; the plain end of its stream comes beside this message */
    TLS_NOTE,       /**< something for the log: who was turned away, and why */
};

/** One message, always whole. The strings end in NUL within their arrays; whoever receives it makes sure. */
struct tls_message {
    uint32_t kind;
    uint32_t verified;  /**< the client showed a certificate of the right authority */
    int32_t pid;        /**< of the tlspipe, for the trace */
    int64_t start, end; /**< CLOCK_MONOTONIC ns: of the handshake */
    char peer[64];      /**< "192.0.2.7:40122", "[2001:db8::7]:40122" */
    char name[128];     /**< the subject's common name in the client's certificate; "" without one */
    char session[128];  /**< "TLSv1.3, TLS_AES_256_GCM_SHA384" */
    char text[1024];
};

#endif
