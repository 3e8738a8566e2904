/* What comes in: bodies and query values, checked before anybody acts on them. */
#include "api/api.h"
#include "base/clock.h"
#include "base/filter.h"
#include "base/json.h"
#include "base/mem.h"

#include <strings.h>

#define FIRST_MAX (64 << 10)

/* Anything but JSON is refused, which also keeps a web page's form from driving the API (its type would be text/plain).
 */
static int check_type(const struct request *r, struct err *e)
{
    static const char json[] = "application/json";
    const char *type = http_header(r->head, "Content-Type");
    size_t n = sizeof(json) - 1;
    if (type && strncasecmp(type, json, n) == 0 && (type[n] == '\0' || type[n] == ';' || type[n] == ' '))
        return 0;
    return err_set(e, ERR_INVALID,
                   "malformed Content-Type header (%.64s): unsupported media type, application/json is expected",
                   type ? type : "none");
}

json_t *input_json(struct request *r, bool required, struct err *e)
{
    size_t n;
    autofree char *text = http_read_body_all(r->http, API_JSON_MAX, &n, e);
    if (!text)
        return NULL;
    if (!required && (n == 0 || str_eq(text, "null"))) /* older Go clients post a missing pointer as null */
        return json_object();
    if (n == 0)
        return err_null(err_set(e, ERR_INVALID, "invalid JSON: the request has no body"));
    if (check_type(r, e) < 0)
        return NULL;
    json_t *j = json_parse(text, n, e);
    if (j && !json_is_object(j)) {
        json_decref(j);
        return err_null(err_set(e, ERR_INVALID, "invalid JSON: the body must be an object"));
    }
    return j;
}

json_t *input_json_first(struct request *r, char **ret_rest, size_t *ret_n, struct err *e)
{
    autostr text = STR_INIT;
    autofree char *part = mem_alloc(FIRST_MAX);
    json_error_t where;
    str_add(&text, "");
    if (check_type(r, e) < 0)
        return NULL;
    while (text.len < FIRST_MAX) {
        ssize_t n = http_read_body(r->http, part, FIRST_MAX - text.len, e);
        if (n < 0)
            return NULL;
        str_addn(&text, part, (size_t)n);
        json_auto_t *whole = json_loadb(text.s, text.len, JSON_DISABLE_EOF_CHECK, &where);
        if (!whole && n > 0)
            continue; /* not all of it yet, or nothing that ever will be */
        size_t used = whole ? (size_t)where.position : text.len;
        *ret_n = text.len - used;
        *ret_rest = *ret_n ? mem_strndup(text.s + used, *ret_n) : NULL;
        json_t *j = json_parse(text.s, used, e); /* once more, by our own rules */
        if (!j)
            mem_freep(ret_rest);
        return j;
    }
    return err_null(err_set(e, ERR_INVALID,
                            "invalid JSON: the request's body does not begin with an object of at most %d bytes",
                            FIRST_MAX));
}

int input_upload(struct request *r, struct err *e)
{
    if (r->head->body != HTTP_BODY_NONE)
        return 0;
    return err_set(e, ERR_LENGTH_REQUIRED, "an archive is expected: the request has neither Content-Length nor chunks");
}

int input_size(struct request *r, int *ret_rows, int *ret_columns, struct err *e)
{
    uint64_t h, w;
    if (!str_to_u64(http_query(&r->target, "h", ""), &h) || !str_to_u64(http_query(&r->target, "w", ""), &w) ||
        h > 65535 || w > 65535)
        return err_set(e, ERR_INVALID, "resize needs h (rows) and w (columns), each from 0 to 65535");
    *ret_rows = (int)h;
    *ret_columns = (int)w;
    return 0;
}

int input_int(struct request *r, const char *key, int64_t absent, int64_t *ret, struct err *e)
{
    const char *text = http_query(&r->target, key, NULL);
    *ret = absent;
    if (text && *text && !str_to_i64(text, ret))
        return err_set(e, ERR_INVALID, "%s=%.32s is not a whole number", key, text);
    return 0;
}

int input_time(struct request *r, const char *key, int64_t *ret, struct err *e)
{
    const char *text = http_query(&r->target, key, NULL);
    *ret = 0;
    if (!text || !*text || strcmp(text, "0") == 0)
        return 0;
    if (!clock_parse(text, clock_real(), ret))
        return err_set(e, ERR_INVALID, "%s=%.64s is neither a time nor a duration", key, text);
    return 0;
}

ssize_t input_body(void *arg, void *p, size_t n, struct err *e)
{
    struct request *r = arg;
    return http_read_body(r->http, p, n, e);
}

void input_list(struct request *r, const char *key, struct strv *ret)
{
    for (size_t i = 0; i < r->target.n; i++)
        if (str_eq(r->target.key[i], key))
            strv_add(ret, r->target.value[i]);
}

json_t *input_filters(struct request *r, struct err *e)
{
    return filters_parse(http_query(&r->target, "filters", NULL), e);
}
