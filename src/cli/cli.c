/* What the commands share: paths of the API, failures as text. See cli.h. */
#include "cli/cli.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/value.h"

#include <stdarg.h>
#include <stdio.h>

void cli_sentence(const struct cli *cli, const struct err *e, struct str *out)
{
    str_addf(out, "%s%s", cli->client.status ? "Error response from daemon: " : "", e->msg);
}

int cli_fail(const struct cli *cli, const struct err *e)
{
    autostr text = STR_INIT;
    fflush(stdout);
    cli_sentence(cli, e, &text);
    fprintf(stderr, "%s\n", text.s);
    return EXIT_FAILED;
}

int cli_fail_own(struct cli *cli, const struct err *e)
{
    cli->client.status = 0;
    return cli_fail(cli, e);
}

/* A name in a path. The slashes of an image's name stay as they are (the API's routes are matched from the right); the
 * one that `inspect` shows before a container's name does not belong to it. */
static void path_name(struct str *p, const char *name)
{
    while (*name == '/')
        name++;
    for (;;) {
        size_t n = strcspn(name, "/:");
        autofree char *part = mem_strndup(name, n);
        autofree char *encoded = http_encode(part);
        str_add(p, encoded);
        if (!name[n])
            return;
        str_addc(p, name[n]);
        name += n + 1;
    }
}

void path_start(struct str *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    str_reset(p);
    for (const char *s = fmt; *s; s++) {
        if (s[0] == '%' && s[1] == 's') {
            path_name(p, va_arg(ap, const char *));
            s++;
        } else {
            str_addc(p, *s);
        }
    }
    va_end(ap);
}

void path_query(struct str *p, const char *key, const char *value)
{
    if (!value)
        return;
    autofree char *encoded = http_encode(value);
    str_addf(p, "%c%s=%s", strchr(p->s, '?') ? '&' : '?', key, encoded);
}

void path_flag(struct str *p, const char *key, bool set)
{
    path_query(p, key, set ? "1" : NULL);
}

void path_filters(struct str *p, const struct strv *filters)
{
    json_auto_t *all = json_object();
    for (size_t i = 0; i < filters->n; i++) {
        const char *eq = strchr(filters->v[i], '=');
        autofree char *key = mem_strndup(filters->v[i], (size_t)(eq - filters->v[i]));
        json_object_set_new(json_object_at(all, key), eq + 1, json_true());
    }
    autofree char *text = json_dumps(all, JSON_COMPACT);
    path_query(p, "filters", json_object_size(all) ? text : NULL);
}

int path_time(struct str *path, const char *key, const char *text, struct err *e)
{
    int64_t t;
    if (!text)
        return 0;
    if (!clock_parse(text, clock_real(), &t))
        return err_set(e, ERR_INVALID, "invalid --%s \"%s\": expected 10m, 2026-11-23T20:00:00Z or unix seconds", key,
                       text);
    autofree char *seconds = str_printf("%lld.%09lld", (long long)(t / NS_PER_S), (long long)(t % NS_PER_S));
    path_query(path, key, seconds);
    return 0;
}

json_t *cli_ask(struct cli *cli, const char *method, const char *kind, const char *name, const char *rest,
                const json_t *body, struct err *e)
{
    autostr path = STR_INIT;
    path_start(&path, "/%s/%s", kind, name);
    str_add(&path, rest);
    return client_json(&cli->client, method, path.s, body, e);
}

int cli_each(struct cli *cli, const struct args *args, const char *method, const char *kind, const char *rest,
             bool echo)
{
    int result = EXIT_OK;
    for (size_t i = 0; i < args->n; i++) {
        struct err e;
        autostr path = STR_INIT;
        path_start(&path, "/%s/%s", kind, args->v[i]);
        str_add(&path, rest);
        if (client_call(&cli->client, method, path.s, NULL, &e) < 0)
            result = cli_fail(cli, &e);
        else if (echo)
            puts(args->v[i]);
        /* Without an answer there is no daemon; asking again for each argument would repeat one message. */
        if (result != EXIT_OK && cli->client.status == 0)
            break;
    }
    return result;
}

void image_split(const char *name, char **ret_repo, char **ret_tag)
{
    const char *slash = strrchr(name, '/');
    const char *mark = strchr(name, '@');
    if (!mark)
        mark = strrchr(slash ? slash : name, ':');
    *ret_repo = mark ? mem_strndup(name, (size_t)(mark - name)) : mem_strdup(name);
    *ret_tag = mark ? mem_strdup(mark + 1) : NULL;
}
