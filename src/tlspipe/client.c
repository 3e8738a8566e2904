/* The client's end: one connection, made already, and the daemon's name to check it by.
 *
 * Everything that is said goes to the pipe at descriptor 2 (base/tlsproto.h): "ok" after the handshake, before it or
 * after it a sentence. The second place is needed because of TLS 1.3: there the daemon decides about our certificate
 * when our half of the handshake is over, and "ok" has been said.
 *
 * With the plain side closed both ways nobody is left who could read an answer: what was written is still delivered,
 * the farewell said, and that is all. */
#include "base/clock.h"
#include "base/file.h"
#include "base/trace.h"
#include "tlspipe/tlspipe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define HANDSHAKE_MS 10000

static int say(const char *text)
{
    (void)!write(TLS_FD_STATUS, text, strlen(text));
    return 1;
}

/* SNI is for names only (RFC 6066, section 3); an address is compared with the certificate's addresses. */
static int expect(SSL *ssl, const struct tls_options *o)
{
    struct in6_addr address;
    bool numeric = inet_pton(AF_INET, o->name, &address) == 1 || inet_pton(AF_INET6, o->name, &address) == 1;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (!numeric && SSL_set_tlsext_host_name(ssl, o->name) != 1)
        return -1;
    if (!o->verify)
        return 0;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int r = numeric ? X509_VERIFY_PARAM_set1_ip_asc(param, o->name) : X509_VERIFY_PARAM_set1_host(param, o->name, 0);
    return r == 1 ? 0 : -1;
}

static int shake_hands(struct pipe *p)
{
    int64_t until = clock_mono() + HANDSHAKE_MS * NS_PER_MS;
    struct pollfd fd = {.fd = p->tcp};
    for (int r; (r = pipe_handshake(p, &fd.events)) != 1;) {
        int64_t left = (until - clock_mono()) / NS_PER_MS;
        if (r < 0)
            return -1;
        r = left > 0 ? poll(&fd, 1, (int)left) : 0;
        if (r == 0) {
            snprintf(p->why.text, sizeof(p->why.text), "no TLS handshake within %d seconds", HANDSHAKE_MS / 1000);
            return -1;
        }
    }
    return 0;
}

static void tell_trace(struct pipe *p, struct span *span)
{
    char session[128], theirs[128], ours[128];
    if (!trace_on())
        return;
    why_session(p->ssl, session, sizeof(session));
    why_name(SSL_get0_peer_certificate(p->ssl), theirs, sizeof(theirs));
    why_name(SSL_get_certificate(p->ssl), ours, sizeof(ours));
    trace_end(span, "%s\nthe daemon's certificate: %s, %s\nthe client's certificate: %s", session, theirs,
              p->why.o->verify ? "checked" : "not checked", *ours ? ours : "none");
}

static int carry(struct pipe *p)
{
    short tcp = 0, plain = 0;
    for (;;) {
        pipe_run(p, tcp, plain);
        if (pipe_done(p))
            break;
        struct pollfd fds[2] = {{.fd = pipe_poll_tcp(p), .events = p->wants_tcp},
                                {.fd = pipe_poll_plain(p), .events = p->wants_plain}};
        if (poll(fds, 2, p->again ? 0 : -1) < 0 && errno != EINTR)
            return say(strerror(errno));
        tcp = fds[0].revents;
        plain = fds[1].revents;
    }
    return p->broken ? say(p->why.text) : 0;
}

void client_trace(void)
{
    trace_program("tlspipe");
    if (fcntl(TLS_FD_TRACE, F_GETFD) >= 0)
        trace_to(TLS_FD_TRACE);
}

int client_main(SSL_CTX *ctx, const struct tls_options *o)
{
    static struct pipe p = {.tcp = TLS_FD_TCP, .plain = TLS_FD_PEER};
    struct err e;
    int flags = fcntl(p.tcp, F_GETFL);
    p.ssl = SSL_new(ctx);
    p.why = (struct why){.o = o};
    if (!p.ssl || flags < 0 || fcntl(p.tcp, F_SETFL, flags | O_NONBLOCK) < 0 || SSL_set_fd(p.ssl, p.tcp) != 1 ||
        expect(p.ssl, o) < 0)
        return say("cannot prepare a TLS session");
    struct span confined = trace_begin(2, "give up privileges");
    if (confine(1, &e) < 0)
        return say(e.msg);
    trace_end(&confined, "no files, no programs, no other user's memory (seccomp)");
    why_attach(&p.why, p.ssl);
    SSL_set_connect_state(p.ssl);
    struct span span = trace_begin(2, "shake hands (TLS)");
    if (shake_hands(&p) < 0)
        return say(p.why.text);
    tell_trace(&p, &span);
    say(TLS_OK);
    return carry(&p);
}
