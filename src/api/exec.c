/* Handlers of exec: a further process in a running container (spec 1.2, 3.3).
 *
 * start is the one that is not simple. It must answer with a status as long as something can be refused, and from then
 * on the connection is the process's standard streams. So the engine's part comes in two halves: the claim, whose
 * failure is an HTTP error, and the run, which writes the head of the answer itself. What goes wrong after that can
 * only be told as output; Docker's clients print it and take the exit code from inspect. */
#include "api/api.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "wire/frame.h"

#include <stdlib.h>

int exec_create(struct request *r, struct err *e)
{
    json_auto_t *body = input_json(r, true, e);
    return reply_json(r, 201, body ? engine_exec_create(r->engine, r->name, body, e) : NULL, e);
}

int exec_inspect(struct request *r, struct err *e)
{
    return reply_json(r, 200, engine_exec_inspect(r->engine, r->name, e), e);
}

int exec_resize(struct request *r, struct err *e)
{
    int h, w;
    if (input_size(r, &h, &w, e) < 0)
        return -1;
    return engine_exec_resize(r->engine, r->name, h, w, e) < 0 ? -1 : reply_empty(r, 200, e);
}

/* The last words to a client that has its head and whose connection nobody took. */
static void tell(struct attach_client *client, bool tty, const struct err *e)
{
    if (client->fd < 0)
        return;
    unsigned char head[FRAME_HEAD];
    autofree char *line = str_printf("%s\r\n", e->msg);
    frame_head(head, FRAME_STDOUT, (uint32_t)strlen(line));
    if (tty || fd_write_all(client->fd, (const char *)head, sizeof(head)) == 0)
        fd_write_all(client->fd, line, strlen(line));
    fd_close(client->fd);
    client->fd = -1;
}

/* The body is the options and then, chunk by chunk, the process's stdin (relay.c). */
static int run_within_http(struct request *r, struct exec *x, bool tty, const char *rest, size_t nrest, struct err *e)
{
    struct relay l;
    autofree char *head = reply_hijack(false, stream_type(r, tty), true);
    if (relay_open(&l, e) < 0) {
        engine_exec_abandon(r->engine, x);
        return -1;
    }
    struct attach_client client = {l.pair[1], head, rest, nrest};
    if (engine_exec_run(r->engine, x, &client, e) < 0)
        tell(&client, tty, e);
    return relay_run(&l, r, e); /* a failure, too, comes out of the pair */
}

static int run_attached(struct request *r, struct exec *x, bool tty, struct err *e)
{
    size_t nrest;
    autofree char *rest = NULL;
    autofree char *head = reply_hijack(r->head->upgrade, stream_type(r, tty), true);
    int fd = http_take(r->http, &rest, &nrest);
    struct attach_client client = {fd, head, rest, nrest};
    r->taken = true;
    int got = engine_exec_run(r->engine, x, &client, e);
    if (got < 0)
        tell(&client, tty, e);
    return got;
}

int exec_start(struct request *r, struct err *e)
{
    struct exec_terms terms;
    bool chunks = !r->head->upgrade && r->head->body == HTTP_BODY_CHUNKED;
    autofree char *rest = NULL;
    size_t nrest = 0;
    json_auto_t *body = chunks ? input_json_first(r, &rest, &nrest, e) : input_json(r, false, e);
    if (!body)
        return -1;
    struct exec *x = engine_exec_claim(r->engine, r->name, body, &terms, e);
    if (!x)
        return -1;
    if (terms.detach)
        return engine_exec_run(r->engine, x, NULL, e) < 0 ? -1 : reply_empty(r, 200, e);
    return chunks ? run_within_http(r, x, terms.tty, rest, nrest, e) : run_attached(r, x, terms.tty, e);
}
