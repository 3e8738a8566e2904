/* Files to an SSL_CTX: certificates, keys, and the rules of the conversation.
 *
 * The files are read here and nowhere else, before the process gives up the right to open any (confine.c), and through
 * base/file.h, so that what is missing, too large or not a file is said as everywhere in gorae. What OpenSSL then makes
 * of them is told with the file's name; its own words ("ASN1 lib: nested asn1 error") help nobody.
 *
 * Only the authority that was given counts. OpenSSL would know the system's too, if asked; then anybody who can buy a
 * certificate for a web site could be root on this machine (CVE-2018-12608 was that). A client that was given none, by
 * a context that has a key but no ca.pem, does ask the system's who its daemon is, as docker does.
 *
 * Not used, each for a reason: renegotiation (a client could have the server do the costly half of a handshake over and
 * over), compression (CRIME), tickets and resumption (a connection lives long, so there is nothing to win, and a stolen
 * ticket key opens old recordings). The system's openssl.cnf is not read: what is safe is settled here.
 *
 * Read next: why.c. */
#include "base/file.h"
#include "base/mem.h"
#include "tlspipe/tlspipe.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define FILE_MAX   (1u << 20)
/* Of TLS 1.2 only what 1.3 would also take: keys that are forgotten, ciphers that authenticate. */
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

static BIO *open_file(const char *path, char **text, size_t *n, struct err *e)
{
    *text = file_read(AT_FDCWD, path, FILE_MAX, n, e);
    return *text ? BIO_new_mem_buf(*text, (int)*n) : NULL;
}

/* A key that is locked with a passphrase has nobody here who could type it. */
static int no_passphrase(char *buf, int size, int writing, void *locked)
{
    (void)writing;
    if (size > 0)
        buf[0] = '\0';
    *(bool *)locked = true;
    return -1;
}

static int take_key(SSL_CTX *ctx, const struct tls_options *o, struct err *e)
{
    bool locked = false;
    size_t n = 0;
    autofree char *text = NULL;
    BIO *in = open_file(o->key, &text, &n, e);
    if (!in)
        return err_wrap(e, "key %s", o->key);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, &locked);
    BIO_free(in);
    OPENSSL_cleanse(text, n);
    int r = 0;
    if (locked)
        r = err_set(e, ERR_INVALID, "key %s is locked with a passphrase, which nobody could type here", o->key);
    else if (!key)
        r = err_set(e, ERR_INVALID, "key %s is not a private key in PEM form", o->key);
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        r = err_set(e, ERR_INVALID, "key %s does not fit certificate %s", o->key, o->cert);
    EVP_PKEY_free(key);
    return r;
}

/* The certificate, and after it in the same file those that lead to the authority. */
static int take_chain(SSL_CTX *ctx, const char *path, struct err *e)
{
    size_t n;
    autofree char *text = NULL;
    BIO *in = open_file(path, &text, &n, e);
    if (!in)
        return err_wrap(e, "certificate %s", path);
    X509 *x = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL);
    int r = 0;
    if (!x)
        r = err_set(e, ERR_INVALID, "certificate %s is not a certificate in PEM form", path);
    else if (SSL_CTX_use_certificate(ctx, x) != 1)
        r = err_set(e, ERR_INVALID, "certificate %s: %s", path, ERR_reason_error_string(ERR_peek_last_error()));
    X509_free(x);
    while (r == 0 && (x = PEM_read_bio_X509(in, NULL, NULL, NULL)))
        if (SSL_CTX_add0_chain_cert(ctx, x) != 1)
            X509_free(x);
    BIO_free(in);
    return r;
}

static int take_authority(SSL_CTX *ctx, const char *path, struct err *e)
{
    size_t n, count = 0;
    autofree char *text = NULL;
    BIO *in = open_file(path, &text, &n, e);
    if (!in)
        return err_wrap(e, "certificate authority %s", path);
    for (X509 *x; (x = PEM_read_bio_X509(in, NULL, NULL, NULL)); count++) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x);
        X509_free(x);
    }
    BIO_free(in);
    return count > 0 ? 0 : err_set(e, ERR_INVALID, "certificate authority %s holds no certificate in PEM form", path);
}

static int take_files(SSL_CTX *ctx, const struct tls_options *o, bool server, struct err *e)
{
    if (o->verify && take_authority(ctx, o->ca, e) < 0)
        return -1;
    if (!o->cert && !o->key && !server)
        return 0;
    if (!o->cert || !o->key)
        return err_set(e, ERR_INVALID,
                       o->cert ? "certificate %s is given without its key"
                               : "key %s is given without "
                                 "its certificate",
                       o->cert  ? o->cert
                       : o->key ? o->key
                                : "");
    return take_chain(ctx, o->cert, e) < 0 ? -1 : take_key(ctx, o, e);
}

static void set_rules(SSL_CTX *ctx, const struct tls_options *o, bool server)
{
    static const unsigned char id[] = "gorae";
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, CIPHERS_12);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    int who = SSL_VERIFY_PEER | (server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_verify(ctx, o->verify ? who : SSL_VERIFY_NONE, o->verify ? why_verify : NULL);
    if (!server && !o->cert)
        SSL_CTX_set_client_cert_cb(ctx, why_asked);
}

SSL_CTX *context_new(const struct tls_options *o, bool server, struct err *e)
{
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!ctx) {
        err_set(e, ERR_SYSTEM, "OpenSSL does not start: %s", ERR_reason_error_string(ERR_peek_last_error()));
        return NULL;
    }
    set_rules(ctx, o, server);
    if (take_files(ctx, o, server, e) == 0)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

bool context_note(SSL_CTX *ctx, const struct tls_options *o, char *out, size_t size)
{
    const X509 *own = SSL_CTX_get0_certificate(ctx);
    if (!own)
        return false;
    bool late = X509_cmp_current_time(X509_get0_notAfter(own)) < 0;
    bool early = X509_cmp_current_time(X509_get0_notBefore(own)) > 0;
    if (late || early)
        snprintf(out, size, "certificate %s %s: no client will accept it", o->cert,
                 late ? "has expired" : "is not valid yet");
    return late || early;
}
