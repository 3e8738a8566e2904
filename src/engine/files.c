/* The three files that Docker puts into every container: /etc/hostname, /etc/hosts and /etc/resolv.conf.
 *
 * They lie in the container's folder and are bind-mounted over whatever the image has at those paths, so a container
 * may write them and the image's layers stay as they are. Made at creation; what a cut emptied, at the next start. */
#include "engine/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define RESOLV_MAX (64u << 10)

static int put(struct engine *en, struct container *c, const char *name, const char *text, struct err *e)
{
    struct stat st;
    autofree char *path = container_path(en, c, name);
    if (stat(path, &st) == 0 && st.st_size > 0)
        return 0;
    return file_replace_volatile(AT_FDCWD, path, text, strlen(text), 0644, e);
}

static void hosts_text(struct container *c, struct str *b)
{
    const char *host = json_str(c->config, "Hostname", ""), *domain = json_str(c->config, "Domainname", "");
    str_add(b, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
               "ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n");
    if (*host && *domain)
        str_addf(b, "127.0.1.1\t%s.%s %s\n", host, domain, host);
    else if (*host)
        str_addf(b, "127.0.1.1\t%s\n", host);
    json_each (v, json_object_get(c->host, "ExtraHosts")) {
        const char *s = json_string_value(v), *colon = strchr(s, ':');
        if (colon)
            str_addf(b, "%s\t%.*s\n", colon + 1, (int)(colon - s), s);
    }
}

/* The lines of the host's file that begin with `word`. */
static void add_lines(struct str *b, const char *text, const char *word)
{
    size_t k = strlen(word);
    for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
        const char *s = p + strspn(p, " \t");
        if (strncmp(s, word, k) == 0 && (s[k] == ' ' || s[k] == '\t'))
            str_addf(b, "%.*s\n", (int)strcspn(s, "\n"), s);
    }
}

static void add_list(struct str *b, const char *word, const json_t *list, bool one_line, const char *text)
{
    if (json_array_size(list) == 0) {
        add_lines(b, text, word);
        return;
    }
    if (json_array_size(list) == 1 && str_eq(json_string_value(json_array_get(list, 0)), "."))
        return; /* --dns-search . : none, not even the host's */
    json_each (v, list)
        str_addf(b, "%s %s%s", one_line && v_at > 0 ? "" : word, json_string_value(v), one_line ? "" : "\n");
    if (one_line)
        str_addc(b, '\n');
}

/* Each of the three kinds of line is the caller's where he gave any, else the host's as it is now. A host without the
 * file is a host without a resolver: the container's is empty too. */
static void resolv_text(struct container *c, struct str *b)
{
    struct err ignored;
    autofree char *text = file_read(AT_FDCWD, "/etc/resolv.conf", RESOLV_MAX, NULL, &ignored);
    add_list(b, "search", json_object_get(c->host, "DnsSearch"), true, text);
    add_list(b, "nameserver", json_object_get(c->host, "Dns"), false, text);
    add_list(b, "options", json_object_get(c->host, "DnsOptions"), true, text);
}

int files_make(struct engine *en, struct container *c, struct err *e)
{
    autostr hosts = STR_INIT, resolv = STR_INIT;
    autofree char *hostname = str_printf("%s\n", json_str(c->config, "Hostname", ""));
    hosts_text(c, &hosts);
    str_add(&resolv, "");
    resolv_text(c, &resolv);
    if (put(en, c, "hostname", hostname, e) < 0 || put(en, c, "hosts", hosts.s, e) < 0)
        return -1;
    return put(en, c, "resolv.conf", resolv.s, e);
}
