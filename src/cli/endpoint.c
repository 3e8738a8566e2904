/* Which daemon? See endpoint.h.
 *
 * The order is a promise: what is said for one command (-H) is stronger than what is said for a shell (a variable), and
 * that is stronger than the default. An empty value says nothing.
 *
 * Read next: wire/dial.c. */
#include "cli/endpoint.h"
#include "base/mem.h"

#include <stdlib.h>

static const char *named_host(const struct global_options *o)
{
    const char *const from[] = {o->host, getenv("GORAE_HOST"), getenv("DOCKER_HOST")};
    for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++)
        if (!str_empty(from[i]))
            return from[i];
    return NULL;
}

/* As docker has it: an empty DOCKER_TLS_VERIFY or DOCKER_TLS is one that is not set. */
static void find_tls(const struct global_options *o, struct dial_tls *ret)
{
    ret->verify = o->tlsverify || !str_empty(getenv("DOCKER_TLS_VERIFY"));
    ret->on = o->tls || ret->verify || !str_empty(getenv("DOCKER_TLS"));
    ret->ca = o->tlscacert ? mem_strdup(o->tlscacert) : NULL;
    ret->cert = o->tlscert ? mem_strdup(o->tlscert) : NULL;
    ret->key = o->tlskey ? mem_strdup(o->tlskey) : NULL;
}

int endpoint_find(const struct global_options *o, struct endpoint *ret, struct err *e)
{
    const char *host = named_host(o);
    *ret = (struct endpoint){.host = host ? mem_strdup(host) : NULL};
    find_tls(o, &ret->tls);
    (void)e;
    return 0;
}

void endpoint_release(struct endpoint *p)
{
    free(p->host);
    free(p->tls.ca);
    free(p->tls.cert);
    free(p->tls.key);
    *p = (struct endpoint){0};
}

void endpoint_client(const struct endpoint *p, struct client *ret)
{
    client_init(ret, p->host, getenv("DOCKER_API_VERSION"));
    ret->tls = &p->tls;
}
