/* Which daemon? See endpoint.h.
 *
 * The order is a promise: what is said for one command (-H, -c) is stronger than what is said for a shell (a variable),
 * that is stronger than what is said for all shells (`context use`), and that is stronger than the default. As in
 * docker, a variable that names a host is stronger than one that names a context. An empty value says nothing.
 *
 * A config.json that cannot be read is an error here, where docker warns and takes the default: somebody who has chosen
 * a machine with `context use` would find their next `rm -f` on another one. Read next: wire/context.c, wire/dial.c.
 */
#include "cli/endpoint.h"
#include "base/json.h"
#include "base/mem.h"
#include "wire/context.h"

#include <stdlib.h>
#include <unistd.h>

const char *endpoint_variable(const struct global_options *o)
{
    static const char *const name[] = {"GORAE_HOST", "DOCKER_HOST"};
    if (!str_empty(o->host) || !str_empty(o->context))
        return NULL;
    for (size_t i = 0; i < sizeof(name) / sizeof(*name); i++)
        if (!str_empty(getenv(name[i])))
            return name[i];
    return NULL;
}

static const char *named_host(const struct global_options *o)
{
    const char *variable = endpoint_variable(&(struct global_options){0});
    if (!str_empty(o->host))
        return o->host;
    return variable ? getenv(variable) : NULL;
}

char *endpoint_context(const struct global_options *o, struct err *e)
{
    const char *named = getenv("DOCKER_CONTEXT");
    char *name;
    if (!str_empty(o->context))
        return mem_strdup(o->context);
    if (named_host(o))
        return mem_strdup(CONTEXT_DEFAULT);
    if (!str_empty(named))
        return mem_strdup(named);
    if (context_current(&name, e) == 0)
        return name ? name : mem_strdup(CONTEXT_DEFAULT);
    return err_null(err_wrap(e, "cannot tell which context is in use (-H HOST or -c default would not ask)"));
}

int endpoint_check(const struct global_options *o, struct err *e)
{
    if (str_empty(o->host) || str_empty(o->context))
        return 0;
    return err_set(e, ERR_INVALID, "conflicting options: --host (-H) %s and --context (-c) %s both name a daemon",
                   o->host, o->context);
}

/* ---- TLS ---- */

static bool is_set(const char *variable)
{
    return !str_empty(getenv(variable));
}

/* Where docker's users keep ca.pem, cert.pem and key.pem: DOCKER_CERT_PATH, else the folder of config.json. */
static char *cert_file(const char *name)
{
    const char *certs = getenv("DOCKER_CERT_PATH");
    return str_empty(certs) ? context_config(name) : str_printf("%s/%s", certs, name);
}

/* A file that a flag names must be there, and is missed by whoever reads it; one in the usual place may be missing. */
static char *cert_or_none(const char *given, const char *name)
{
    autofree char *usual = given ? NULL : cert_file(name);
    if (given)
        return *given ? mem_strdup(given) : NULL;
    return usual && access(usual, F_OK) == 0 ? take_ptr(&usual) : NULL;
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

static int read_context(const char *name, struct endpoint *ret, struct err *e)
{
    json_auto_t *meta = context_meta(name, e);
    if (!meta)
        return -1;
    const json_t *docker = json_at(meta, "Endpoints.docker");
    const char *host = json_str(docker, "Host", "");
    ret->host = *host ? mem_strdup(host) : NULL;
    ret->tls.ca = context_tls_path(name, "ca.pem");
    ret->tls.cert = context_tls_path(name, "cert.pem");
    ret->tls.key = context_tls_path(name, "key.pem");
    ret->tls.verify = !json_is(docker, "SkipTLSVerify");
    /* as docker: a context without TLS material speaks plain text, unless it says that it checks nobody */
    ret->tls.on = ret->tls.ca || ret->tls.cert || ret->tls.key || !ret->tls.verify;
    ret->tls.verify = ret->tls.verify && ret->tls.on;
    return 0;
}

int endpoint_find(const struct global_options *o, struct endpoint *ret, struct err *e)
{
    *ret = (struct endpoint){.context = endpoint_context(o, e)};
    if (!ret->context)
        return -1;
    if (!str_eq(ret->context, CONTEXT_DEFAULT)) {
        if (read_context(ret->context, ret, e) == 0)
            return 0;
        endpoint_release(ret);
        return -1;
    }
    const char *host = named_host(o);
    ret->host = host ? mem_strdup(host) : NULL;
    find_tls(o, &ret->tls);
    if (!ret->host && ret->tls.on) /* a unix socket has no TLS, so the default is another one, as docker's is */
        ret->host = mem_strdup(DIAL_HOST_TLS);
    return 0;
}

void endpoint_release(struct endpoint *p)
{
    free(p->context);
    free(p->host);
    free(p->tls.ca);
    free(p->tls.cert);
    free(p->tls.key);
    *p = (struct endpoint){0};
}

void endpoint_client(const struct endpoint *p, struct client *ret)
{
    const char *trace_id = ret->trace_id;
    client_init(ret, p->host, getenv("DOCKER_API_VERSION"));
    ret->tls = &p->tls;
    ret->trace_id = trace_id;
}

int endpoint_connect(struct cli *cli, struct err *e)
{
    if (cli->client.host)
        return 0;
    if (endpoint_find(cli->global, cli->daemon, e) < 0)
        return -1;
    endpoint_client(cli->daemon, &cli->client);
    return 0;
}
