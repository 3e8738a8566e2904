/** @file
 * gorae-tlspipe: TLS on one side, plain bytes on the other (base/tlsproto.h says how it is started and what it says).
 *
 *     main.c ── context.c   files to an SSL_CTX, before anything is given up
 *            ── confine.c   the privileges that go
 *            ── client.c    one connection ─┐
 *            ── server.c    many            ┴─ pipe.c   bytes both ways
 *                              why.c   what OpenSSL means, in words
 *
 * One thread, nothing blocks but poll(2).
 */
#ifndef GORAE_TLSPIPE_TLSPIPE_H
#define GORAE_TLSPIPE_TLSPIPE_H

#include "base/err.h"
#include "base/tlsproto.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_options {
    bool verify;                 /**< the other side must show a certificate of `ca` */
    const char *ca, *cert, *key; /**< PEM files, or NULL */
    const char *name;            /**< client: what the daemon's certificate must be made out to */
};

/* ---- context.c ---- */

/** Read the files and settle the rules: TLS 1.2 or 1.3, no renegotiation, no compression, no tickets.
 * @return the caller's, or NULL with a sentence that names the file */
SSL_CTX *context_new(const struct tls_options *o, bool server, struct err *e);
/** Say where our own certificate is not valid today. @return whether there was something to say */
bool context_note(SSL_CTX *ctx, const struct tls_options *o, char *out, size_t size);

/* ---- why.c ---- */

/** Why a connection was not made, or ended: filled where the reason is known, read where it is told. */
struct why {
    const struct tls_options *o;
    bool server;
    bool asked; /**< client: the daemon asked for a certificate */
    char text[sizeof(((struct tls_message *)0)->text)];
};

/** Have `ssl` report to `w`, which must outlive it. */
void why_attach(struct why *w, SSL *ssl);
/** For SSL_CTX_set_verify(): the place where it is known what is wrong with which certificate. */
int why_verify(int ok, X509_STORE_CTX *store);
/** For SSL_CTX_set_client_cert_cb(): the daemon asks, and there is none to show. */
int why_asked(SSL *ssl, X509 **cert, EVP_PKEY **key);
/** Make a sentence of the failure that SSL_get_error() calls `error`. Nothing is said (text is "") where the other side
 * merely went away before it had said anything. */
void why_failed(struct why *w, int error);
/** The certificate's subject, printable: its common name, or all of it. */
void why_name(const X509 *cert, char *out, size_t size);
/** "TLSv1.3, TLS_AES_256_GCM_SHA384". */
void why_session(SSL *ssl, char *out, size_t size);

/* ---- confine.c ---- */

/** Give up what is not needed any more. @param connections that will be open at a time */
int confine(size_t connections, struct err *e);

/* ---- pipe.c ---- */

#define FLOW_SIZE 16384 /**< the plain bytes of a TLS record, at most (RFC 8446, section 5.1) */

/** One direction. */
struct flow {
    bool ended; /**< its source has said that no more comes */
    bool shut;  /**< and its target has been told, or is gone */
    size_t at, n;
    unsigned char bytes[FLOW_SIZE];
};

struct pipe {
    SSL *ssl;                     /**< owned */
    int tcp, plain;               /**< owned */
    struct flow in, out;          /**< from TLS to plain; from plain to TLS */
    short wants_tcp, wants_plain; /**< poll(2) events to wait for; set by pipe_run() */
    bool again;                   /**< there is more to do at once: poll with no wait */
    bool stop;                    /**< end when the plain side has nothing more to read */
    bool broken;                  /**< the TLS side failed; why says how */
    struct why why;
};

/** Move bytes until nothing moves, or for a fair while. @param tcp, plain what poll(2) returned for them */
void pipe_run(struct pipe *p, short tcp, short plain);
/** Nothing more will ever move. */
bool pipe_done(const struct pipe *p);
/** The descriptors to poll(2); -1 where there is nothing to wait for, since a hang-up would be reported for ever. */
int pipe_poll_tcp(const struct pipe *p);
int pipe_poll_plain(const struct pipe *p);
void pipe_release(struct pipe *p);
/** One step of a handshake. @param events set to what to wait for @return 1 done, 0 wait, -1 failed: p->why */
int pipe_handshake(struct pipe *p, short *events);

/* ---- the two roles ---- */

/** Record what is done, where the client is traced. */
void client_trace(void);
int client_main(SSL_CTX *ctx, const struct tls_options *o);
int server_main(SSL_CTX *ctx, const struct tls_options *o);
/** Send the daemon a message without a descriptor; quietly does nothing where the daemon does not read. */
void server_say(enum tls_kind kind, const char *text);

#endif
