/* Published ports: see ports.h.
 *
 * Reading: both sides of -p may be ranges. Ranges of the same length are paired; a range on the host for one port of
 * the container means "any free one of these" and is handed to the daemon as a range. Everything else is refused here,
 * with the text as typed, before anything is created. Read next: create_net.c, which calls it; container_list.c, which
 * shows the result. */
#include "cli/ports.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* ---- showing ---- */

struct shown {
    const char *ip, *type;
    int64_t inside, outside; /* container, host; outside 0: not published */
};

static int by_port(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    if (x->inside != y->inside)
        return x->inside < y->inside ? -1 : 1;
    int c = strcmp(x->ip, y->ip);
    if (c != 0)
        return c;
    if (x->outside != y->outside)
        return x->outside < y->outside ? -1 : 1;
    return strcmp(x->type, y->type);
}

/* Whether b goes on where a ends: the next port, in the same place. */
static bool follows(const struct shown *a, const struct shown *b)
{
    return str_eq(a->ip, b->ip) && str_eq(a->type, b->type) && b->inside == a->inside + 1 &&
           (a->outside == 0 ? b->outside == 0 : a->outside == a->inside && b->outside == b->inside);
}

static void add_range(struct str *out, int64_t from, int64_t to)
{
    str_addf(out, "%lld", (long long)from);
    if (to > from)
        str_addf(out, "-%lld", (long long)to);
}

static void add_shown(struct str *out, const struct shown *p, int64_t last)
{
    bool v6 = strchr(p->ip, ':') != NULL;
    str_add(out, out->len ? ", " : "");
    if (p->outside) {
        str_addf(out, v6 ? "[%s]:" : "%s:", p->ip);
        add_range(out, p->outside, p->outside + (last - p->inside));
        str_add(out, "->");
    }
    add_range(out, p->inside, last);
    str_addf(out, "/%s", p->type);
}

char *ports_text(const json_t *ports)
{
    struct str out = STR_INIT;
    size_t n = json_array_size(ports), i;
    autofree struct shown *v = mem_alloc((n + 1) * sizeof(*v));
    autofree bool *done = mem_alloc(n + 1);
    json_each (p, ports)
        v[p_at] = (struct shown){json_str(p, "IP", ""), json_str(p, "Type", "tcp"), json_int(p, "PrivatePort", 0),
                                 json_int(p, "PublicPort", 0)};
    qsort(v, n, sizeof(*v), by_port);
    str_reset(&out);
    for (i = 0; i < n; i++) {
        if (done[i])
            continue;
        struct shown last = v[i];
        /* Ports of other addresses stand between the members of a run; step over them. */
        for (size_t k = i + 1; k < n; k++) {
            if (!done[k] && follows(&last, &v[k])) {
                last = v[k];
                done[k] = true;
            }
        }
        add_shown(&out, &v[i], last.inside);
    }
    return str_take(&out);
}

/* ---- reading ---- */

struct range {
    uint64_t from, to;
};

static bool read_port(const char *s, size_t n, uint64_t *ret)
{
    autofree char *text = mem_strndup(s, n);
    return str_to_u64(text, ret) && *ret <= 65535;
}

static bool read_range(const char *s, struct range *ret)
{
    const char *dash = strchr(s, '-');
    size_t n = dash ? (size_t)(dash - s) : strlen(s);
    if (!read_port(s, n, &ret->from))
        return false;
    ret->to = ret->from;
    return !dash || (read_port(dash + 1, strlen(dash + 1), &ret->to) && ret->to >= ret->from);
}

/* Cut "/udp" off; the text before it stays in `s`. */
static const char *cut_protocol(char *s)
{
    char *slash = strchr(s, '/');
    if (!slash)
        return "tcp";
    *slash = '\0';
    static const char *const known[] = {"tcp", "udp", "sctp"};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcasecmp(slash + 1, known[i]) == 0)
            return known[i];
    return NULL;
}

static bool is_address(const char *s)
{
    unsigned char raw[16];
    return inet_pton(AF_INET, s, raw) == 1 || inet_pton(AF_INET6, s, raw) == 1;
}

/* The parts of "ip:host:container", of which only the last must be there. `s` is cut up. */
static int cut_parts(char *s, const char *spec, const char **ip, char **host, char **inside, struct err *e)
{
    *ip = "";
    *host = s + strlen(s);
    *inside = s;
    if (*s == '[') {
        char *end = strstr(s, "]:");
        if (!end)
            return err_set(e, ERR_INVALID, "invalid publish \"%s\": the address in brackets must be followed by a port",
                           spec);
        *end = '\0';
        *ip = s + 1;
        *inside = end + 2;
    }
    char *last = strrchr(*inside, ':');
    if (last) {
        *last = '\0';
        *host = *inside;
        *inside = last + 1;
        char *first = **ip ? NULL : strrchr(*host, ':');
        if (first) {
            *first = '\0';
            *ip = *host;
            *host = first + 1;
        }
    } else if (**ip) {
        return err_set(e, ERR_INVALID, "invalid publish \"%s\": the container's port is missing", spec);
    }
    if (**ip && !is_address(*ip))
        return err_set(e, ERR_INVALID, "invalid publish \"%s\": \"%s\" is not an IP address", spec, *ip);
    return 0;
}

static void bind_port(json_t *bindings, const char *key, const char *ip, const char *port)
{
    json_t *list = json_object_get(bindings, key);
    if (!list) {
        list = json_array();
        json_object_set_new(bindings, key, list);
    }
    json_array_append_new(list, json_pack("{s:s, s:s}", "HostIp", ip, "HostPort", port));
}

int ports_publish(const char *spec, json_t *exposed, json_t *bindings, struct err *e)
{
    autofree char *s = mem_strdup(spec);
    const char *protocol = cut_protocol(s);
    const char *ip;
    char *host, *inside;
    struct range to, from = {0, 0};
    if (!protocol)
        return err_set(e, ERR_INVALID, "invalid publish \"%s\": the protocol must be tcp, udp or sctp", spec);
    if (cut_parts(s, spec, &ip, &host, &inside, e) < 0)
        return -1;
    if (!read_range(inside, &to) || to.from == 0)
        return err_set(e, ERR_INVALID, "invalid publish \"%s\": \"%s\" is not a port of the container", spec, inside);
    if (*host && !read_range(host, &from))
        return err_set(e, ERR_INVALID, "invalid publish \"%s\": \"%s\" is not a port of the host", spec, host);
    bool pool = to.from == to.to && from.to > from.from;
    if (*host && !pool && from.to - from.from != to.to - to.from)
        return err_set(e, ERR_INVALID, "invalid publish \"%s\": the two ranges differ in length", spec);
    for (uint64_t i = 0; i <= to.to - to.from; i++) {
        char key[24], port[24] = "";
        snprintf(key, sizeof(key), "%llu/%s", (unsigned long long)(to.from + i), protocol);
        if (pool)
            snprintf(port, sizeof(port), "%.11s", host);
        else if (*host)
            snprintf(port, sizeof(port), "%llu", (unsigned long long)(from.from + i));
        json_object_set_new(exposed, key, json_object());
        bind_port(bindings, key, ip, port);
    }
    return 0;
}

int ports_expose(const char *spec, json_t *exposed, struct err *e)
{
    autofree char *s = mem_strdup(spec);
    const char *protocol = cut_protocol(s);
    struct range r;
    if (!protocol || !read_range(s, &r))
        return err_set(e, ERR_INVALID, "invalid port \"%s\" for --expose: expected a port or a range, and perhaps /udp",
                       spec);
    for (uint64_t port = r.from; port <= r.to; port++) {
        char key[24];
        snprintf(key, sizeof(key), "%llu/%s", (unsigned long long)port, protocol);
        json_object_set_new(exposed, key, json_object());
    }
    return 0;
}
