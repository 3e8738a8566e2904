/* References: the names that people give images, read as the OCI distribution and Docker read them.
 *
 *     [domain/]path[:tag][@digest]
 *
 * The first part counts as a domain only where it looks like a host: with a dot, a colon or an upper-case letter, or
 * "localhost". Everything without one lives on docker.io, and there a single word lives in library/. That makes the
 * canonical form, which keys the store; the familiar form is what people see again.
 *
 * A reference becomes part of file names nowhere, and of URLs only after this grammar. Next: table.c. */
#include "image/store.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>

#define NAME_MAX_LENGTH 255
#define TAG_MAX_LENGTH  128
#define REFERENCE_MAX   1024
#define HUB             "docker.io"
#define HUB_LIBRARY     "library/"

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

/* Letters and digits in runs, joined by one of ".", "_", "__" or any run of "-". @return its length; 0 where malformed
 */
static size_t path_component(const char *s)
{
    size_t i = 0;
    for (;;) {
        size_t run = i;
        while (is_lower_or_digit(s[i]))
            i++;
        if (i == run)
            return 0;
        if (s[i] == '.')
            i++;
        else if (s[i] == '_')
            i += s[i + 1] == '_' ? 2 : 1;
        else if (s[i] == '-')
            i += strspn(s + i, "-");
        else
            return i;
    }
}

static bool is_path(const char *s)
{
    for (;;) {
        size_t n = path_component(s);
        if (n == 0)
            return false;
        s += n;
        if (*s == '\0')
            return true;
        if (*s++ != '/')
            return false;
    }
}

/* A label of a host name: letters, digits, and "-" within. */
static size_t domain_label(const char *s)
{
    size_t i = 0;
    while (is_alnum(s[i]) || s[i] == '-')
        i++;
    return i > 0 && s[0] != '-' && s[i - 1] != '-' ? i : 0;
}

static bool is_domain(const char *s)
{
    if (*s == '[') {
        size_t n = strspn(s + 1, "0123456789abcdefABCDEF:");
        if (n == 0 || s[n + 1] != ']')
            return false;
        s += n + 2;
    } else {
        for (;;) {
            size_t n = domain_label(s);
            if (n == 0)
                return false;
            s += n;
            if (*s != '.')
                break;
            s++;
        }
    }
    if (*s == '\0')
        return true;
    size_t digits = strspn(s + 1, "0123456789");
    return *s == ':' && digits > 0 && s[1 + digits] == '\0';
}

static bool is_tag(const char *s)
{
    size_t n = strlen(s);
    if (n == 0 || n > TAG_MAX_LENGTH || !(is_alnum(*s) || *s == '_'))
        return false;
    for (; *s; s++)
        if (!is_alnum(*s) && !strchr("_.-", *s))
            return false;
    return true;
}

static bool is_digest(const char *s)
{
    size_t algo = 0;
    if (str_starts(s, DIGEST_PREFIX))
        return digest_parse(s) != NULL;
    for (;;) {
        if (!isalpha((unsigned char)s[algo]))
            return false;
        while (is_alnum(s[algo]))
            algo++;
        if (s[algo] == ':')
            break;
        if (!s[algo] || !strchr("-_+.", s[algo]))
            return false;
        algo++;
    }
    size_t hex = strspn(s + algo + 1, "0123456789abcdef");
    return hex >= 32 && s[algo + 1 + hex] == '\0';
}

static bool has_upper(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] >= 'A' && s[i] <= 'Z')
            return true;
    return false;
}

/* Where the domain of `s` ends, or 0 where there is none. */
static size_t domain_length(const char *s)
{
    const char *slash = strchr(s, '/');
    size_t n = slash ? (size_t)(slash - s) : 0;
    bool host = n > 0 && (memchr(s, '.', n) || memchr(s, ':', n) || has_upper(s, n) ||
                          (n == strlen("localhost") && strncmp(s, "localhost", n) == 0));
    return host ? n : 0;
}

static int bad_format(const char *s, struct err *e)
{
    char shown[SHOW_MAX];
    return err_set(e, ERR_INVALID, "invalid reference format: %s", store_show(s, shown));
}

/* The name, as canonical as it gets, from a domain (or "") and a path. */
static char *canonical_name(const char *domain, const char *path)
{
    if (str_eq(domain, "index." HUB))
        domain = HUB;
    bool hub = !*domain || str_eq(domain, HUB);
    return str_printf("%s/%s%s", hub ? HUB : domain, hub && !strchr(path, '/') ? HUB_LIBRARY : "", path);
}

static int parse_name(const char *whole, const char *name, char **ret, struct err *e)
{
    char shown[SHOW_MAX];
    size_t n = domain_length(name);
    autofree char *domain = mem_strndup(name, n);
    const char *path = n ? name + n + 1 : name;
    if (has_upper(path, strlen(path)))
        return err_set(e, ERR_INVALID, "invalid reference format: repository name (%s) must be lowercase",
                       store_show(path, shown));
    if ((n && !is_domain(domain)) || !is_path(path))
        return bad_format(whole, e);
    char *full = canonical_name(domain, path);
    if (strlen(full) > NAME_MAX_LENGTH) {
        free(full);
        return err_set(e, ERR_INVALID, "invalid reference format: repository name must not be more than %d characters",
                       NAME_MAX_LENGTH);
    }
    *ret = full;
    return 0;
}

int image_ref_parse(const char *s, struct image_ref *ret, struct err *e)
{
    size_t len = strlen(s);
    if (len == 0 || len > REFERENCE_MAX)
        return bad_format(s, e);
    if (str_is_hex(s, DIGEST_HEX))
        return err_set(e, ERR_INVALID, "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", s);
    const char *at = strchr(s, '@');
    size_t n = at ? (size_t)(at - s) : len;
    autofree char *name = mem_strndup(s, n);
    /* A colon after the last slash begins a tag; before it, a port. */
    char *slash = strrchr(name, '/');
    char *colon = strchr(slash ? slash : name, ':');
    const char *tag = NULL;
    if (colon) {
        *colon = '\0';
        tag = colon + 1;
    }
    if ((tag && !is_tag(tag)) || (at && !is_digest(at + 1)))
        return bad_format(s, e);
    char *full = NULL;
    if (parse_name(s, name, &full, e) < 0)
        return -1;
    ret->name = full;
    ret->tag = mem_strdup(!tag && !at ? "latest" : tag);
    ret->digest = at ? mem_strdup(at + 1) : NULL;
    return 0;
}

void image_ref_release(struct image_ref *r)
{
    free(r->name);
    free(r->tag);
    free(r->digest);
    *r = (struct image_ref){NULL, NULL, NULL};
}

static char *put_together(const char *name, const struct image_ref *r)
{
    return str_printf("%s%s%s%s%s", name, r->tag ? ":" : "", r->tag ? r->tag : "", r->digest ? "@" : "",
                      r->digest ? r->digest : "");
}

const char *reference_familiar(const char *canonical)
{
    if (str_starts(canonical, HUB "/" HUB_LIBRARY) && !strchr(canonical + strlen(HUB "/" HUB_LIBRARY), '/'))
        return canonical + strlen(HUB "/" HUB_LIBRARY);
    return str_starts(canonical, HUB "/") ? canonical + strlen(HUB "/") : canonical;
}

char *image_ref_familiar(const struct image_ref *r)
{
    return put_together(reference_familiar(r->name), r);
}

char *image_ref_canonical(const struct image_ref *r)
{
    return put_together(r->name, r);
}

char *reference_key(const struct image_ref *r)
{
    return r->digest ? str_printf("%s@%s", r->name, r->digest) : str_printf("%s:%s", r->name, r->tag);
}

bool reference_is_digest(const char *key)
{
    return strchr(key, '@') != NULL;
}

size_t reference_name_length(const char *key)
{
    const char *at = strchr(key, '@');
    return (size_t)((at ? at : strrchr(key, ':')) - key);
}

const char *store_show(const char *s, char out[SHOW_MAX])
{
    size_t i = 0;
    for (; i < SHOW_MAX - 4 && s[i]; i++)
        out[i] = s[i] >= ' ' && s[i] <= '~' ? s[i] : '?';
    memcpy(out + i, s[i] ? "..." : "", s[i] ? 4 : 1);
    return out;
}
