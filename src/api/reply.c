/* Answers: the one place where a status line is written.
 *
 * Every answer of a route carries Api-Version, Ostype, Docker-Experimental and Server, which clients use to choose how
 * to go on; a JSON error must have exactly the type application/json, or the stock client prints it raw
 * (spec 2.1, 2.5). */
#include "api/api.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <errno.h>
#include <sys/socket.h>

#define FIELDS_MAX 8

static const struct http_field common[] = {
    {"Api-Version", "1.44"}, {"Docker-Experimental", "false"}, {"Ostype", "linux"}, {"Server", API_SERVER}};
_Static_assert(ENGINE_API_MINOR == 44, "Api-Version above says 1.44");

int reply_status(enum err_kind kind)
{
    switch (kind) {
    case ERR_INVALID: return 400;
    case ERR_UNAUTHORIZED: return 401;
    case ERR_FORBIDDEN: return 403;
    case ERR_NOT_FOUND: return 404;
    case ERR_TIMEOUT: return 408;
    case ERR_CONFLICT: return 409;
    case ERR_LENGTH_REQUIRED: return 411;
    case ERR_TOO_LARGE: return 413;
    case ERR_UNSUPPORTED: return 415;
    case ERR_HEAD_TOO_LARGE: return 431;
    case ERR_NOT_IMPLEMENTED: return 501;
    case ERR_UNAVAILABLE: return 503;
    case ERR_HTTP_VERSION: return 505;
    case ERR_UNMODIFIED: return 304;
    default: return 500;
    }
}

static const struct http_field *fields_with(const struct request *r, struct http_field out[FIELDS_MAX],
                                            const char *type)
{
    size_t n = 0;
    for (; n < sizeof(common) / sizeof(common[0]); n++)
        out[n] = common[n];
    if (type)
        out[n++] = (struct http_field){"Content-Type", type};
    if (r->extra.name)
        out[n++] = r->extra;
    out[n] = (struct http_field){NULL, NULL};
    return out;
}

static int whole(struct request *r, int status, const char *type, const char *text, size_t n, struct err *e)
{
    struct http_field f[FIELDS_MAX];
    struct span s = trace_begin(4, "answer");
    r->begun = true;
    int got = http_write_whole(r->http, r->head, status, fields_with(r, f, type), text, n, e);
    trace_end(&s, "%d %s, %zu bytes of body", status, http_reason(status), n);
    return got;
}

int reply_json(struct request *r, int status, json_t *j, struct err *e)
{
    if (!j)
        return -1;
    autofree char *text = json_text(j);
    json_decref(j);
    return whole(r, status, "application/json", text, strlen(text), e);
}

int reply_text(struct request *r, int status, const char *type, const char *text, struct err *e)
{
    return whole(r, status, type, text, strlen(text), e);
}

int reply_empty(struct request *r, int status, struct err *e)
{
    return whole(r, status, NULL, NULL, 0, e);
}

void reply_error(struct request *r, const struct err *e)
{
    struct err ignored; /* the connection is lost then, and the connection's loop notices by itself */
    if (r->begun || r->taken)
        return;
    if (e->kind == ERR_UNMODIFIED) {
        reply_empty(r, 304, &ignored);
        return;
    }
    json_t *text = json_string_lossy(e->msg, strlen(e->msg));
    reply_json(r, reply_status(e->kind), json_pack("{s:o}", "message", text), &ignored);
}

int reply_begin(struct request *r, const char *type, struct err *e)
{
    struct http_field f[FIELDS_MAX];
    r->begun = true;
    return http_write_response(r->http, r->head, 200, fields_with(r, f, type), -1, e);
}

int reply_chunk(struct request *r, const void *p, size_t n, struct err *e)
{
    return http_write_body(r->http, p, n, e);
}

int reply_end(struct request *r, struct err *e)
{
    return http_write_end(r->http, e);
}

int reply_object(struct request *r, const json_t *j, const char *eol, struct err *e)
{
    autofree char *text = json_compact(j), *line = str_printf("%s%s", text, eol);
    if (!r->begun && reply_begin(r, "application/json", e) < 0)
        return -1;
    return reply_chunk(r, line, strlen(line), e);
}

char *reply_hijack(bool upgrade, const char *type, bool named)
{
    autostr head = STR_INIT;
    str_addf(&head, "HTTP/1.1 %s\r\nContent-Type: %s\r\n", upgrade ? "101 UPGRADED" : "200 OK", type);
    str_add(&head, upgrade ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : "Connection: close\r\n");
    for (size_t i = 0; named && i < sizeof(common) / sizeof(common[0]); i++)
        str_addf(&head, "%s: %s\r\n", common[i].name, common[i].value);
    str_add(&head, "\r\n");
    return mem_strdup(head.s);
}
