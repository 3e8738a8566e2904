/* Which daemon? See endpoint.h.
 *
 * The order is a promise: what is said for one command (-H) is stronger than what is said for a shell (a variable), and
 * that is stronger than the default. An empty value says nothing.
 *
 * Read next: wire/dial.c. */
#include "cli/endpoint.h"
#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

static const char *named_host(const struct global_options *o)
{
    const char *const from[] = {o->host, getenv("GORAE_HOST"), getenv("DOCKER_HOST")};
    for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++)
        if (!str_empty(from[i]))
            return from[i];
    return NULL;
}

/* ---- TLS ---- */

static bool is_set(const char *variable)
{
    return !str_empty(getenv(variable));
}

/* Where docker's users keep ca.pem, cert.pem and key.pem: DOCKER_CERT_PATH, else the folder of config.json. */
static char *cert_file(const char *name)
{
    const char *certs = getenv("DOCKER_CERT_PATH"), *config = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    if (!str_empty(certs) || !str_empty(config))
        return str_printf("%s/%s", str_empty(certs) ? config : certs, name);
    return str_printf("%s/.docker/%s", home ? home : "", name);
}

/* A file that a flag names must be there, and is missed by whoever reads it; one in the usual place may be missing. */
static char *cert_or_none(const char *given, const char *name)
{
    autofree char *usual = given ? NULL : cert_file(name);
    if (given)
        return *given ? mem_strdup(given) : NULL;
    return access(usual, F_OK) == 0 ? take_ptr(&usual) : NULL;
}

/* As docker has it: a flag beats its variable, and an empty variable is one that is not set. To speak of --tlsverify at
 * all is to want TLS: --tlsverify=false means that the daemon's certificate may be anybody's. */
static void find_tls(const struct global_options *o, struct dial_tls *ret)
{
    bool verify = o->tlsverify ? o->tlsverify == SWITCH_ON : is_set("DOCKER_TLS_VERIFY");
    bool on = o->tls ? o->tls == SWITCH_ON : is_set("DOCKER_TLS");
    if (!on && !verify && !o->tlsverify)
        return;
    *ret = (struct dial_tls){.on = true, .verify = verify};
    if (verify)
        ret->ca = o->tlscacert ? mem_strdup(o->tlscacert) : cert_file("ca.pem");
    ret->cert = cert_or_none(o->tlscert, "cert.pem");
    ret->key = cert_or_none(o->tlskey, "key.pem");
}

int endpoint_find(const struct global_options *o, struct endpoint *ret, struct err *e)
{
    const char *host = named_host(o);
    *ret = (struct endpoint){.host = host ? mem_strdup(host) : NULL};
    find_tls(o, &ret->tls);
    if (!ret->host && ret->tls.on) /* a unix socket has no TLS, so the default is another one, as docker's is */
        ret->host = mem_strdup(DIAL_HOST_TLS);
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
