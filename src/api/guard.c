/* Requests over TCP: no browser's errand.
 *
 * Any page that a browser shows can have it send requests to 127.0.0.1, and by a name whose address changes (DNS
 * rebinding) even read the answers. The unix socket has permissions; a port has none. So of what comes over TCP two
 * things are asked: that it has no Origin, which browsers add where a page asks, and that its Host is one that only
 * somebody who means this machine would write: an address in numbers, localhost, or this machine's own name. No answer
 * ever carries a CORS header.
 *
 * With TLS and a client's certificate the Host no longer matters: the trick needs a browser that has such a certificate
 * and shows it to an address that answers with ours, for a name that ours does not carry. An Origin is refused still.
 *
 * Programs are not hindered: the stock client sends the address that it was given. Read next: router.c. */
#include "api/api.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tlsproto.h"

#include <arpa/inet.h>
#include <strings.h>
#include <unistd.h>

/* "name", "name:port", "[v6]:port" → the name. */
static char *name_of(const char *host)
{
    if (*host == '[')
        return mem_strndup(host + 1, strcspn(host + 1, "]"));
    const char *colon = strrchr(host, ':');
    return mem_strndup(host, colon ? (size_t)(colon - host) : strlen(host));
}

static bool means_us(const char *host)
{
    char own[256] = "", address[sizeof(struct in6_addr)];
    autofree char *name = name_of(host);
    gethostname(own, sizeof(own) - 1);
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1 ||
           strcasecmp(name, "localhost") == 0 || (*own && strcasecmp(name, own) == 0);
}

int guard_check(const struct request *r, struct err *e)
{
    const char *host = http_header(r->head, "Host"), *origin = http_header(r->head, "Origin");
    if (!r->tcp)
        return 0;
    if (origin)
        return err_set(e, ERR_FORBIDDEN, "a request with an Origin (%.100s) is a web page's: not over TCP", origin);
    if (host && !(r->tls && r->tls->verified) && !means_us(host))
        return err_set(
            e, ERR_FORBIDDEN,
            "Host %.100s is not this machine: over TCP it must be an address, localhost, or the machine's name", host);
    return 0;
}
