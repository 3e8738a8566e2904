/* gorae-tlspipe: the one program that speaks TLS, so that all others need not.
 *
 * It is started by the client for a connection to a daemon, and by the daemon for each socket that listens; nobody
 * types its name. What it gets and says is in base/tlsproto.h, its parts in tlspipe.h.
 *
 *   1. read key and certificates: the last files that are opened
 *   2. give up privileges             (confine.c)
 *   3. shake hands, then carry bytes  (client.c, server.c)
 *
 * Read next: pipe.c. */
#include "base/mem.h"
#include "base/trace.h"
#include "tlspipe/tlspipe.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"

static int read_options(struct tls_options *o, int argc, char **argv)
{
    static const struct option longs[] = {{"verify", no_argument, NULL, 'v'},     {"ca", required_argument, NULL, 'a'},
                                          {"cert", required_argument, NULL, 'c'}, {"key", required_argument, NULL, 'k'},
                                          {"name", required_argument, NULL, 'n'}, {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'v': o->verify = true; break;
        case 'a': o->ca = optarg; break;
        case 'c': o->cert = optarg; break;
        case 'k': o->key = optarg; break;
        case 'n': o->name = optarg; break;
        default: return -1;
        }
    }
    return optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct tls_options o = {0};
    struct err e = {0};
    const char *role = argc > 1 ? argv[1] : "";
    bool client = strcmp(role, "client") == 0, server = strcmp(role, "server") == 0, check = strcmp(role, "check") == 0;
    mem_setup();
    signal(SIGPIPE, SIG_IGN); /* whoever hangs up is an EPIPE, not our end */
    if ((!client && !server && !check) || read_options(&o, argc - 1, argv + 1) < 0 || (client && !o.name) ||
        (!client && o.verify && !o.ca)) {
        fputs("gorae-tlspipe is started by gorae and goraed, not by hand\n", stderr);
        return 125;
    }
    if (!o.ca)
        o.ca = SYSTEM_AUTHORITIES;
    if (client)
        client_trace();
    struct span span = trace_begin(2, "read the certificates");
    SSL_CTX *ctx = context_new(&o, !client, &e);
    trace_end(&span, "%s", o.cert ? o.cert : "none of our own");
    if (!ctx && server)
        server_say(TLS_FAILED, e.msg);
    else if (!ctx)
        (void)!write(TLS_FD_STATUS, e.msg, strlen(e.msg));
    if (!ctx)
        return 1;
    return client ? client_main(ctx, &o) : server ? server_main(ctx, &o) : 0;
}
