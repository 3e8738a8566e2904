/* What OpenSSL means, in words that name the certificate and the remedy.
 *
 * "certificate verify failed" is the library's last word on six different mistakes, and "bad certificate" the
 * protocol's. The difference is known at one moment only, in the verify callback, where the certificate and the rule it
 * broke are both at hand; so the sentence is made there and kept in the connection's struct why.
 *
 * There are two speakers. Our own verdict about the other side's certificate is certain. What the other side says about
 * ours comes as an alert, a number (RFC 8446, section 6.2), and other programs choose their numbers as they like: those
 * sentences say no more than the number does.
 *
 * In TLS 1.3 the client has finished its handshake before the server has looked at the client's certificate. The
 * refusal then arrives as an alert in the middle of the stream, where pipe.c meets it and asks here. */
#include "base/str.h"
#include "tlspipe/tlspipe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define ALERT_OFFSET 1000 /* SSL_AD_REASON_OFFSET: reasons from here on are alerts that came in */
#define NAME_SIZE    256

/* Whatever a stranger's certificate holds ends in a log and on a terminal. */
static void make_printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f || *s == '"')
            *s = '?';
}

void why_name(const X509 *cert, char *out, size_t size)
{
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;
    int at = subject ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
    unsigned char *text = NULL;
    const ASN1_STRING *cn = at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)) : NULL;
    *out = '\0';
    if (cn && ASN1_STRING_to_UTF8(&text, cn) >= 0)
        snprintf(out, size, "%s", (char *)text);
    else if (subject)
        X509_NAME_oneline(subject, out, (int)size);
    OPENSSL_free(text);
    make_printable(out);
}

void why_session(SSL *ssl, char *out, size_t size)
{
    snprintf(out, size, "%s, %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
}

void why_attach(struct why *w, SSL *ssl)
{
    SSL_set_app_data(ssl, w);
}

int why_asked(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    struct why *w = SSL_get_app_data(ssl);
    (void)cert, (void)key;
    w->asked = true;
    return 0;
}

/* ---- our verdict about the other side ---- */

/* What a certificate is made out to: its alternative names. The common name has not counted since RFC 6125. */
static void list_names(X509 *cert, struct str *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    str_reset(out);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        char text[NAME_SIZE] = "";
        if (g->type == GEN_DNS) {
            snprintf(text, sizeof(text), "%.*s", ASN1_STRING_length(g->d.dNSName),
                     (const char *)ASN1_STRING_get0_data(g->d.dNSName));
        } else if (g->type == GEN_IPADD) {
            int n = ASN1_STRING_length(g->d.iPAddress);
            if (n == 4 || n == 16)
                inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(g->d.iPAddress), text, sizeof(text));
        }
        if (*text)
            str_addf(out, "%s%s", out->len ? ", " : "", text);
    }
    GENERAL_NAMES_free(names);
    make_printable(out->s);
}

static void time_text(const ASN1_TIME *t, char *out, size_t size)
{
    struct tm tm;
    *out = '\0';
    if (ASN1_TIME_to_tm(t, &tm) == 1)
        strftime(out, size, "%Y-%m-%d %H:%M UTC", &tm);
}

static void tell_wrong_host(struct why *w, X509 *cert)
{
    autostr names = STR_INIT;
    list_names(cert, &names);
    snprintf(w->text, sizeof(w->text), "the daemon's certificate is for %.500s, not for \"%.200s\"",
             names.len ? names.s : "no name at all (subjectAltName is missing)", w->o->name);
}

static void tell_authority(struct why *w, const char *whose, const X509 *leaf)
{
    char name[NAME_SIZE], issuer[NAME_SIZE];
    why_name(leaf, name, sizeof(name));
    X509_NAME_oneline(X509_get_issuer_name(leaf), issuer, sizeof(issuer));
    make_printable(issuer);
    snprintf(w->text, sizeof(w->text),
             "%s certificate (%s) is signed by an unknown authority (%s): it is not the one in %s", whose, name, issuer,
             w->o->ca);
}

/* @param whose "the daemon's" or "its" @param cert the one that broke a rule, of the chain that begins with `leaf` */
static void tell_verdict(struct why *w, const char *whose, int error, X509 *cert, X509 *leaf)
{
    char name[NAME_SIZE], when[64] = "";
    why_name(cert, name, sizeof(name));
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        time_text(X509_get0_notAfter(cert), when, sizeof(when));
        snprintf(w->text, sizeof(w->text), "%s certificate (%s) expired on %s", whose, name, when);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        time_text(X509_get0_notBefore(cert), when, sizeof(when));
        snprintf(w->text, sizeof(w->text), "%s certificate (%s) is not valid before %s: are the clocks right?", whose,
                 name, when);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: tell_wrong_host(w, cert); break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: tell_authority(w, whose, leaf); break;
    case X509_V_ERR_INVALID_PURPOSE:
        snprintf(w->text, sizeof(w->text), "%s certificate (%s) is not for %s: its extended key usage lacks %s", whose,
                 name, w->server ? "clients" : "servers", w->server ? "clientAuth" : "serverAuth");
        break;
    default:
        snprintf(w->text, sizeof(w->text), "%s certificate (%s): %s", whose, name,
                 X509_verify_cert_error_string(error));
    }
}

/* A certificate without any extended key usage passes with OpenSSL for everything. For who may be root here that is too
 * little: such a certificate may have been made for anything (spec: security, row 76). */
static bool is_for_clients(X509 *cert)
{
    return (X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) && (X509_get_extended_key_usage(cert) & XKU_SSL_CLIENT);
}

int why_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct why *w = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    if (ok && w->server && X509_STORE_CTX_get_error_depth(store) == 0 && !is_for_clients(cert)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_PURPOSE);
        ok = 0;
    }
    if (!ok)
        tell_verdict(w, w->server ? "its" : "the daemon's", X509_STORE_CTX_get_error(store), cert,
                     X509_STORE_CTX_get0_cert(store));
    return ok;
}

/* ---- the other side's verdict about us ---- */

static const char *alert_text(int alert)
{
    switch (alert) {
    case SSL_AD_BAD_CERTIFICATE: return "it is bad there (made out to another name?)";
    case SSL_AD_UNSUPPORTED_CERTIFICATE: return "it is of a kind that is not taken there";
    case SSL_AD_CERTIFICATE_REVOKED: return "it is revoked";
    case SSL_AD_CERTIFICATE_EXPIRED: return "it has expired, or is not valid yet";
    case SSL_AD_CERTIFICATE_UNKNOWN: return "it is not accepted there";
    case SSL_AD_UNKNOWN_CA: return "it is signed by an authority that is unknown there";
    case SSL_AD_ACCESS_DENIED: return "it is valid, but may not come in";
    case SSL_AD_DECRYPT_ERROR: return "its signature is wrong";
    default: return NULL;
    }
}

static void tell_alert(struct why *w, int alert)
{
    const char *text = alert_text(alert), *who = w->server ? "it" : "the daemon";
    bool wants = alert == SSL_AD_CERTIFICATE_REQUIRED || alert == SSL_AD_HANDSHAKE_FAILURE || text;
    if (!w->server && !w->o->cert && w->asked && wants)
        snprintf(w->text, sizeof(w->text),
                 "the daemon demands a client certificate, and there is none to show (--tlscert and --tlskey)");
    else if (text)
        snprintf(w->text, sizeof(w->text), "%s refused our certificate (%s): %s", who, w->o->cert ? w->o->cert : "none",
                 text);
    else if (alert == SSL_AD_PROTOCOL_VERSION)
        snprintf(w->text, sizeof(w->text), "%s speaks no TLS version that we do (1.2 and 1.3)", who);
    else
        snprintf(w->text, sizeof(w->text), "%s ended the TLS session: %s", who, SSL_alert_desc_string_long(alert));
}

/* ---- everything else ---- */

static void tell_local(struct why *w, unsigned long code)
{
    const char *who = w->server ? "it" : "the daemon", *text = NULL;
    switch (ERR_GET_REASON(code)) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: text = "showed no certificate"; break;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW: text = "speaks no TLS newer than 1.1, and 1.2 is the least"; break;
    case SSL_R_NO_SHARED_CIPHER: text = "knows no cipher that we do"; break;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING: text = "hung up in the middle of the TLS session"; break;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        text = w->server ? "does not speak TLS"
                         : "does not speak TLS there: try it without --tls, --tlsverify, DOCKER_TLS and "
                           "DOCKER_TLS_VERIFY, or at another port";
        break;
    default: text = NULL;
    }
    const char *reason = ERR_reason_error_string(code);
    if (text)
        snprintf(w->text, sizeof(w->text), "%s %s", who, text);
    else
        snprintf(w->text, sizeof(w->text), "TLS failed: %s", reason ? reason : "no reason is known");
}

void why_failed(struct why *w, int error)
{
    int sys = errno;
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    if (*w->text) /* the verify callback knew better */
        return;
    if (error == SSL_ERROR_SSL && reason > ALERT_OFFSET)
        tell_alert(w, reason - ALERT_OFFSET);
    else if (error == SSL_ERROR_SSL)
        tell_local(w, code);
    else if (error == SSL_ERROR_SYSCALL && sys != 0)
        snprintf(w->text, sizeof(w->text), "the connection broke: %s", strerror(sys));
    else
        snprintf(w->text, sizeof(w->text), "the connection broke");
}
