/* gorae-tlspipe's bytes: two pipes, a client's and a daemon's, with a socketpair for a network.
 *
 *     plain[0] ── near ══ net ══ far ── plain[1]
 *
 * What people rely on is a property of the pair: whatever is written at one end is read at the other, in order, and
 * each end of file arrives by itself, behind the bytes before it. */
#include "base/mem.h"
#include "tlspipe/tlspipe.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char folder[] = "/tmp/gorae-tlspipe.XXXXXX";
static char cert_path[64], key_path[64];
static SSL_CTX *server_ctx, *client_ctx;
static struct tls_options options; /* no certificate is asked for: those rules have their tests in e2e/tls.bats */

static void make_files(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", folder);
    snprintf(key_path, sizeof(key_path), "%s/key.pem", folder);
    FILE *c = fopen(cert_path, "w"), *k = fopen(key_path, "w");
    ck_assert_int_eq(PEM_write_X509(c, x), 1);
    ck_assert_int_eq(PEM_write_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(c);
    fclose(k);
    X509_free(x);
    EVP_PKEY_free(key);
}

static void set_up(void)
{
    struct err e = {0};
    const struct tls_options files = {.cert = cert_path, .key = key_path};
    signal(SIGPIPE, SIG_IGN);
    make_files();
    server_ctx = context_new(&files, true, &e);
    ck_assert_msg(server_ctx != NULL, "%s", e.msg);
    client_ctx = context_new(&options, false, &e);
    ck_assert_msg(client_ctx != NULL, "%s", e.msg);
}

static void tear_down(void)
{
    SSL_CTX_free(server_ctx);
    SSL_CTX_free(client_ctx);
    unlink(cert_path);
    unlink(key_path);
    rmdir(folder);
}

struct rig {
    struct pipe near, far;
    int plain[2]; /* the ends that a client and a daemon would hold */
};

static void open_pipe(struct pipe *p, SSL_CTX *ctx, int net, int plain, bool server)
{
    memset(p, 0, sizeof(*p));
    p->tcp = net;
    p->plain = plain;
    p->why.o = &options;
    p->why.server = server;
    p->ssl = SSL_new(ctx);
    ck_assert_int_eq(fcntl(net, F_SETFL, O_NONBLOCK), 0);
    SSL_set_fd(p->ssl, net);
    why_attach(&p->why, p->ssl);
    if (server)
        SSL_set_accept_state(p->ssl);
    else
        SSL_set_connect_state(p->ssl);
}

static struct rig *rig_new(void)
{
    struct rig *r = mem_alloc(sizeof(*r));
    int net[2], near[2], far[2];
    short events;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, net), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, near), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, far), 0);
    open_pipe(&r->near, client_ctx, net[0], near[1], false);
    open_pipe(&r->far, server_ctx, net[1], far[1], true);
    r->plain[0] = near[0];
    r->plain[1] = far[0];
    fcntl(near[0], F_SETFL, O_NONBLOCK);
    fcntl(far[0], F_SETFL, O_NONBLOCK);
    for (int a = 0, b = 0, i = 0; (a != 1 || b != 1) && i < 20; i++) {
        a = a == 1 ? 1 : pipe_handshake(&r->near, &events);
        b = b == 1 ? 1 : pipe_handshake(&r->far, &events);
        ck_assert_int_ne(a, -1);
        ck_assert_int_ne(b, -1);
    }
    ck_assert_str_eq(SSL_get_version(r->near.ssl), "TLSv1.3");
    return r;
}

static short ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    poll(&p, 1, 0);
    return p.revents;
}

/* Let both run until they are at rest. */
static void run(struct rig *r)
{
    for (int i = 0; i < 50; i++) {
        if (r->near.ssl && !pipe_done(&r->near))
            pipe_run(&r->near, ready(r->near.tcp), ready(r->near.plain));
        if (r->far.ssl && !pipe_done(&r->far))
            pipe_run(&r->far, ready(r->far.tcp), ready(r->far.plain));
    }
}

static void rig_free(struct rig *r)
{
    pipe_release(&r->near);
    pipe_release(&r->far);
    fd_close(r->plain[0]);
    fd_close(r->plain[1]);
    free(r);
}

/* -1: nothing there; 0: the end */
static ssize_t take(int fd, void *p, size_t n)
{
    ssize_t k = read(fd, p, n);
    ck_assert(k >= 0 || errno == EAGAIN);
    return k;
}

static void expect(int fd, const char *text)
{
    char got[64] = "";
    ck_assert_int_eq(take(fd, got, sizeof(got) - 1), (ssize_t)strlen(text));
    ck_assert_str_eq(got, text);
}

static void expect_end(int fd)
{
    char c;
    ck_assert_int_eq(take(fd, &c, 1), 0);
}

static void expect_nothing(int fd)
{
    char c;
    ck_assert_int_eq(take(fd, &c, 1), -1);
}

/* Each direction ends by itself, whichever goes first, and the other goes on. */
START_TEST(each_half_closes_by_itself)
{
    for (int first = 0; first < 2; first++) {
        struct rig *r = rig_new();
        int a = r->plain[first], b = r->plain[!first];
        ck_assert_int_eq(write(a, "last words", 10), 10);
        shutdown(a, SHUT_WR);
        run(r);
        expect(b, "last words");
        expect_end(b);
        expect_nothing(a);
        ck_assert_int_eq(write(b, "an answer", 9), 9);
        run(r);
        expect(a, "an answer");
        expect_nothing(a);
        ck_assert(!pipe_done(&r->near) && !pipe_done(&r->far));
        shutdown(b, SHUT_WR);
        run(r);
        expect_end(a);
        ck_assert(pipe_done(&r->near) && pipe_done(&r->far));
        ck_assert(!r->near.broken && !r->far.broken);
        rig_free(r);
    }
}
END_TEST

/* A stream of many records, written and read in odd pieces in both directions at once, arrives as it was. */
START_TEST(bytes_arrive_in_order)
{
    enum { TOTAL = 1 << 20 };
    struct rig *r = rig_new();
    size_t sent[2] = {0, 0}, got[2] = {0, 0}, wrong = 0;
    unsigned char part[40000];
    unsigned seed = (unsigned)_i + 1;
    while (got[0] < TOTAL || got[1] < TOTAL) {
        for (int d = 0; d < 2; d++) {
            size_t n = 1 + (unsigned)rand_r(&seed) % sizeof(part);
            n = n < TOTAL - sent[d] ? n : TOTAL - sent[d];
            for (size_t i = 0; i < n; i++)
                part[i] = (unsigned char)((sent[d] + i) * 31 + (sent[d] + i) / 251 + (size_t)d);
            ssize_t k = n ? write(r->plain[d], part, n) : 0;
            sent[d] += k > 0 ? (size_t)k : 0;
            if (sent[d] == TOTAL)
                shutdown(r->plain[d], SHUT_WR);
            run(r);
            ssize_t m = take(r->plain[!d], part, 1 + (unsigned)rand_r(&seed) % sizeof(part));
            for (ssize_t i = 0; i < m; i++, got[d]++)
                wrong += part[i] != (unsigned char)(got[d] * 31 + got[d] / 251 + (size_t)d);
            ck_assert_uint_eq(wrong, 0);
        }
    }
    run(r);
    expect_end(r->plain[0]);
    expect_end(r->plain[1]);
    ck_assert(pipe_done(&r->near) && pipe_done(&r->far));
    rig_free(r);
}
END_TEST

/* A reader that does not read stops the writer: nothing piles up in between, and nothing is lost when it reads on. */
START_TEST(a_slow_reader_stops_the_writer)
{
    struct rig *r = rig_new();
    char block[16384] = "";
    size_t in = 0, out = 0;
    for (int idle = 0; idle < 5;) {
        ssize_t k = write(r->plain[0], block, sizeof(block));
        in += k > 0 ? (size_t)k : 0;
        idle = k > 0 ? 0 : idle + 1;
        run(r);
        ck_assert_uint_lt(in, 8u << 20);
    }
    ck_assert(!r->near.again && !r->far.again); /* at rest, not spinning */
    ck_assert_int_eq(write(r->plain[1], "meanwhile", 9), 9);
    run(r);
    expect(r->plain[0], "meanwhile"); /* the other direction is free */
    shutdown(r->plain[0], SHUT_WR);
    for (ssize_t k; (k = take(r->plain[1], block, sizeof(block))) != 0; run(r))
        out += k > 0 ? (size_t)k : 0;
    ck_assert_uint_eq(in, out);
    rig_free(r);
}
END_TEST

/* TLS that ends without its farewell was cut: both directions end, and it is said. */
START_TEST(a_cut_is_not_an_end)
{
    struct rig *r = rig_new();
    ck_assert_int_eq(write(r->plain[1], "half a sen", 10), 10);
    run(r);
    fd_close(r->far.tcp);
    r->far.tcp = -1;
    run(r);
    expect(r->plain[0], "half a sen");
    ck_assert(r->near.broken);
    ck_assert_str_eq(r->near.why.text, "the daemon hung up in the middle of the TLS session");
    rig_free(r);
}
END_TEST

/* A plain side that has closed both ways can be told nothing: what it said is delivered, and that is all. */
START_TEST(a_plain_side_that_is_gone)
{
    struct rig *r = rig_new();
    ck_assert_int_eq(write(r->plain[1], "goodbye", 7), 7);
    fd_close(r->plain[1]);
    r->plain[1] = -1;
    run(r);
    expect(r->plain[0], "goodbye");
    expect_end(r->plain[0]);
    ck_assert(pipe_done(&r->far));
    ck_assert(!r->far.broken);
    ck_assert_int_eq(write(r->plain[0], "too late", 8), 8);
    run(r);
    ck_assert(!r->near.broken);
    rig_free(r);
}
END_TEST

/* Told to stop, it delivers what the plain side has written, and no more. */
START_TEST(stopping_delivers_what_is_there)
{
    struct rig *r = rig_new();
    ck_assert_int_eq(write(r->plain[1], "the rest", 8), 8);
    r->far.stop = r->far.in.ended = r->far.in.shut = true;
    run(r);
    ck_assert(pipe_done(&r->far));
    expect(r->plain[0], "the rest");
    expect_end(r->plain[0]);
    rig_free(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tlspipe");
    TCase *t = unit_case(s, "pipe");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, set_up, tear_down);
    tcase_add_test(t, each_half_closes_by_itself);
    tcase_add_loop_test(t, bytes_arrive_in_order, 0, 4);
    tcase_add_test(t, a_slow_reader_stops_the_writer);
    tcase_add_test(t, a_cut_is_not_an_end);
    tcase_add_test(t, a_plain_side_that_is_gone);
    tcase_add_test(t, stopping_delivers_what_is_there);
    return unit_run(s);
}
