/* Progress: see progress.h.
 *
 * A line that is already above the cursor is reached with the terminal's own commands: up n lines, clear, write, down
 * again. Ids are kept in the order of their appearance, so each one's distance from the bottom is known. The texts come
 * from the daemon and, through it, from a registry: their control bytes are shown, not obeyed.
 *
 * How it fails: an error object in the stream ends it. The answer's status was 200 long before, so only this object
 * tells. Read next: wire/client.h, reply_next(). */
#include "cli/progress.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/human.h"
#include "cli/table.h"

#include <stdlib.h>
#include <unistd.h>

#define LINES_MAX 1000 /* ids that keep a line */
#define BAR_WIDTH 30

struct screen {
    FILE *out;
    bool tty;
    struct strv ids;
};

static void add_bar(struct str *line, const json_t *detail)
{
    char now[HUMAN_TEXT], all[HUMAN_TEXT];
    int64_t current = json_int(detail, "current", 0), total = json_int(detail, "total", 0);
    if (current <= 0)
        return;
    human_size((double)current, 4, now);
    if (total <= 0 || current > total) {
        str_addf(line, "  %s", now);
        return;
    }
    int full = (int)((double)current / (double)total * BAR_WIDTH);
    str_add(line, "  [");
    for (int i = 0; i < BAR_WIDTH; i++)
        str_addc(line, i < full ? '=' : i == full ? '>' : ' ');
    str_addf(line, "]  %s/%s", now, human_size((double)total, 4, all));
}

/* How many lines above the bottom the id's line is; a new id gets the bottom line. */
static size_t line_of(struct screen *s, const char *id)
{
    for (size_t i = 0; i < s->ids.n; i++)
        if (str_eq(s->ids.v[i], id))
            return s->ids.n - i;
    if (s->ids.n == LINES_MAX)
        return 0;
    strv_add(&s->ids, id);
    fputc('\n', s->out);
    return 1;
}

static void show_status(struct screen *s, const json_t *j)
{
    const char *id = json_str(j, "id", ""), *status = json_str(j, "status", "");
    const json_t *detail = json_object_get(j, "progressDetail");
    autostr line = STR_INIT;
    str_reset(&line);
    if (!s->tty && json_int(detail, "current", 0) > 0)
        return;
    table_text(&line, id, s->tty);
    str_add(&line, *id ? ": " : "");
    table_text(&line, status, s->tty);
    if (!s->tty || !*id) {
        fprintf(s->out, "%s\n", line.s);
        strv_release(&s->ids); /* lines above this one cannot be reached by counting any more */
        return;
    }
    add_bar(&line, detail);
    size_t up = line_of(s, id);
    if (up > 0)
        fprintf(s->out, "\x1b[%zuA\r\x1b[2K%s\x1b[%zuB\r", up, line.s, up);
}

int progress_show(struct reply *r, FILE *out, struct err *e)
{
    struct screen s = {.out = out, .tty = out && isatty(fileno(out))};
    json_t *j;
    int more;
    while ((more = reply_next(r, &j, e)) > 0) {
        const char *failure = json_str(j, "errorDetail.message", json_str(j, "error", NULL));
        const char *text = json_str(j, "stream", NULL);
        if (failure)
            more = err_set(e, ERR_SYSTEM, "%s", failure);
        else if (out && text)
            fputs(text, out);
        else if (out && json_object_get(j, "status"))
            show_status(&s, j);
        json_decref(j);
        if (out)
            fflush(out);
        if (more < 0)
            break;
    }
    strv_release(&s.ids);
    return more < 0 ? -1 : 0;
}

int image_pull(struct cli *cli, const char *name, const char *platform, FILE *out, struct err *e)
{
    autofree char *repo = NULL, *tag = NULL;
    autostr path = STR_INIT;
    struct reply r;
    image_split(name, &repo, &tag);
    path_start(&path, "/images/create");
    path_query(&path, "fromImage", repo);
    path_query(&path, "tag", tag ? tag : "latest");
    path_query(&path, "platform", platform);
    if (client_request(&cli->client, "POST", path.s, NULL, NULL, &r, e) < 0)
        return -1;
    int result = progress_show(&r, out, e);
    reply_release(&r);
    return result;
}
