/* --network and what belongs to it: addresses, names, ports.
 *
 * The first --network is the container's NetworkMode. Details of the connection (an address, another name) are an
 * "endpoint", and endpoints are listed by network in NetworkingConfig, a third object beside Config and HostConfig. A
 * network may carry its details itself, in the long form:
 *
 *     --network name=lab,alias=db,ip=10.1.2.3
 *
 * while --ip, --network-alias and their like belong to the first network. More than one network needs API 1.44.
 * Read next: create_body.c, ports.c. */
#include "cli/create.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/ports.h"
#include "cli/value.h"

#include <ctype.h>
#include <stdlib.h>

static void add_to_list(json_t *object, const char *key, const char *value)
{
    json_t *list = json_object_get(object, key);
    if (!list) {
        list = json_array();
        json_object_set_new(object, key, list);
    }
    json_array_append_new(list, json_word(value));
}

/* One key=value of the long form, into the endpoint. */
static int add_option(const char *text, char **name, json_t *endpoint, struct err *e)
{
    const char *eq = strchr(text, '=');
    if (!eq)
        return err_set(e, ERR_INVALID, "invalid --network option \"%s\": expected key=value", text);
    autofree char *key = mem_strndup(text, (size_t)(eq - text));
    const char *value = eq + 1;
    if (str_eq(key, "name")) {
        free(*name);
        *name = mem_strdup(value);
    } else if (str_eq(key, "alias")) {
        add_to_list(endpoint, "Aliases", value);
    } else if (str_eq(key, "ip")) {
        json_object_set_new(json_object_at(endpoint, "IPAMConfig"), "IPv4Address", json_word(value));
    } else if (str_eq(key, "ip6")) {
        json_object_set_new(json_object_at(endpoint, "IPAMConfig"), "IPv6Address", json_word(value));
    } else if (str_eq(key, "mac-address")) {
        json_object_set_new(endpoint, "MacAddress", json_word(value));
    } else if (str_eq(key, "link-local-ip")) {
        add_to_list(json_object_at(endpoint, "IPAMConfig"), "LinkLocalIPs", value);
    } else if (str_eq(key, "driver-opt") && strchr(value, '=')) {
        const char *split = strchr(value, '=');
        json_put(json_object_at(endpoint, "DriverOpts"), value, (size_t)(split - value), json_word(split + 1));
    } else {
        return err_set(e, ERR_INVALID, "invalid --network option \"%s\"", text);
    }
    return 0;
}

/* One --network: its name, the caller's, and what it says about the endpoint. */
static char *read_network(const char *text, json_t *endpoint, struct err *e)
{
    if (!strchr(text, '='))
        return mem_strdup(text);
    autofree char *name = NULL;
    autostrv fields = {0};
    if (csv_split(text, &fields, e) < 0)
        return NULL;
    for (size_t i = 0; i < fields.n; i++)
        if (add_option(fields.v[i], &name, endpoint, e) < 0)
            return NULL;
    if (!name)
        err_set(e, ERR_INVALID, "--network \"%s\": name is missing", text);
    return take_ptr(&name);
}

static void add_first_details(const struct create_options *o, json_t *endpoint)
{
    for (size_t i = 0; i < o->network_alias.n; i++)
        add_to_list(endpoint, "Aliases", o->network_alias.v[i]);
    for (size_t i = 0; i < o->link_local_ip.n; i++)
        add_to_list(json_object_at(endpoint, "IPAMConfig"), "LinkLocalIPs", o->link_local_ip.v[i]);
    for (size_t i = 0; i < o->link.n && o->network.n > 0; i++)
        add_to_list(endpoint, "Links", o->link.v[i]);
    if (o->ip)
        json_object_set_new(json_object_at(endpoint, "IPAMConfig"), "IPv4Address", json_word(o->ip));
    if (o->ip6)
        json_object_set_new(json_object_at(endpoint, "IPAMConfig"), "IPv6Address", json_word(o->ip6));
    if (o->mac_address)
        json_object_set_new(endpoint, "MacAddress", json_word(o->mac_address));
}

/* Six pairs of hexadecimal digits, with colons or dashes between them. */
static bool is_hardware_address(const char *s)
{
    for (int i = 0; i < 6; i++, s += 3)
        if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]) ||
            (i < 5 ? s[2] != ':' && s[2] != '-' : s[2]))
            return false;
    return true;
}

static int add_networks(const struct create_options *o, json_t *host, json_t *networking, struct err *e)
{
    json_auto_t *endpoints = json_object();
    size_t n = o->network.n ? o->network.n : 1;
    for (size_t i = 0; i < n; i++) {
        json_auto_t *endpoint = json_object();
        autofree char *name = read_network(o->network.n ? o->network.v[i] : "default", endpoint, e);
        if (!name)
            return -1;
        if (json_object_get(endpoints, name))
            return err_set(e, ERR_INVALID, "--network \"%s\" is given twice", name);
        if (i == 0) {
            json_object_set_new(host, "NetworkMode", json_word(name));
            add_first_details(o, endpoint);
        }
        if (n > 1 || json_object_size(endpoint) > 0)
            json_object_set(endpoints, name, endpoint);
    }
    if (json_object_size(endpoints) > 0)
        json_object_set(networking, "EndpointsConfig", endpoints);
    return 0;
}

/* "name:address" and the newer "name=address" are one; the API knows the colon. */
static json_t *extra_hosts(const struct strv *v, struct err *e)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n; i++) {
        size_t n = strcspn(v->v[i], ":=");
        if (n == 0 || !v->v[i][n] || !v->v[i][n + 1]) {
            err_set(e, ERR_INVALID, "invalid --add-host \"%s\": expected name:address", v->v[i]);
            json_decref(list);
            return NULL;
        }
        const char *address = v->v[i] + n + 1;
        size_t m = strlen(address);
        bool brackets = *address == '[' && address[m - 1] == ']';
        autofree char *line = str_printf("%.*s:%.*s", (int)n, v->v[i], (int)(brackets ? m - 2 : m), address + brackets);
        json_array_append_new(list, json_word(line));
    }
    return list;
}

static int add_names(const struct create_options *o, json_t *host, struct err *e)
{
    const struct {
        const char *key;
        const struct strv *v;
    } lists[] = {{"Dns", &o->dns}, {"DnsOptions", &o->dns_option}, {"DnsSearch", &o->dns_search}, {"Links", &o->link}};
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        if (lists[i].v->n > 0)
            json_object_set_new(host, lists[i].key, json_strings(lists[i].v));
    if (o->add_host.n == 0)
        return 0;
    json_t *hosts = extra_hosts(&o->add_host, e);
    if (!hosts)
        return -1;
    json_object_set_new(host, "ExtraHosts", hosts);
    return 0;
}

int create_network(const struct create_options *o, json_t *config, json_t *host, json_t *networking, struct err *e)
{
    json_auto_t *exposed = json_object(), *bindings = json_object();
    for (size_t i = 0; i < o->publish.n; i++)
        if (ports_publish(o->publish.v[i], exposed, bindings, e) < 0)
            return -1;
    for (size_t i = 0; i < o->expose.n; i++)
        if (ports_expose(o->expose.v[i], exposed, e) < 0)
            return -1;
    if (json_object_size(exposed) > 0)
        json_object_set(config, "ExposedPorts", exposed);
    if (json_object_size(bindings) > 0)
        json_object_set(host, "PortBindings", bindings);
    if (o->publish_all)
        json_object_set_new(host, "PublishAllPorts", json_true());
    if (o->mac_address && !is_hardware_address(o->mac_address))
        return err_set(e, ERR_INVALID, "invalid --mac-address: \"%s\" is not a hardware address", o->mac_address);
    if (o->mac_address) /* where daemons before API 1.44 look for it */
        json_object_set_new(config, "MacAddress", json_word(o->mac_address));
    return add_names(o, host, e) < 0 ? -1 : add_networks(o, host, networking, e);
}
