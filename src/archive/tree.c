/* The verbs about the files of a container: read the request, take the files into view, answer.
 *
 * Once view_enter() has returned nothing of the host is left, and only then is the first name looked at that the
 * container has chosen. Next: view.c. */
#include "archive/worker.h"
#include "base/archiveproto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <unistd.h>

static int stat_run(const struct view *v, const json_t *request, struct err *e)
{
    struct where w;
    if (where_find(v->root, request, &w, e) < 0)
        return -1;
    json_t *stat = where_stat(v->root, request, &w);
    where_release(&w);
    return message_send(json_pack("{s:s, s:o}", "ev", "done", "stat", stat), e);
}

/* The daemon needs the answer's header before its body. */
static int pack_run(const struct view *v, const json_t *request, struct err *e)
{
    struct where w;
    if (where_find(v->root, request, &w, e) < 0)
        return -1;
    struct span span = trace_begin(0, "write the archive");
    int r = message_send(json_pack("{s:s, s:o}", "ev", "progress", "stat", where_stat(v->root, request, &w)), e);
    struct pack *p = r < 0 ? NULL : pack_open(e);
    r = p ? pack_tree(p, w.parent, w.name, json_str(request, "name", "."), e) : -1;
    if (r == 0)
        r = pack_close(take_ptr(&p), e);
    pack_drop(&p);
    where_release(&w);
    trace_end(&span, "%s", json_str(request, "path", ""));
    return r < 0 ? -1 : message_send(json_pack("{s:s}", "ev", "done"), e);
}

static int export_run(const struct view *v, struct err *e)
{
    struct span span = trace_begin(0, "write the archive");
    struct pack *p = pack_open(e);
    int r = p ? pack_tree(p, v->root, ".", NULL, e) : -1;
    if (r == 0)
        r = pack_close(take_ptr(&p), e);
    pack_drop(&p);
    trace_end(&span, "the whole root");
    return r < 0 ? -1 : message_send(json_pack("{s:s}", "ev", "done"), e);
}

static enum view_kind kind_of(const char *verb)
{
    if (str_eq(verb, "unpack"))
        return VIEW_WRITE;
    if (str_eq(verb, "export"))
        return VIEW_ROOT;
    return str_eq(verb, "changes") || str_eq(verb, "layer") ? VIEW_CHANGES : VIEW_PATHS;
}

int tree_run(const char *verb, struct err *e)
{
    size_t len;
    struct view v;
    if (lseek(ARCHIVE_WORK_FD, 0, SEEK_SET) < 0)
        return err_sys(e, "read the request");
    autofree char *text = fd_read_all(ARCHIVE_WORK_FD, ARCHIVE_REQUEST_MAX, &len, e);
    json_auto_t *request = text ? json_parse(text, len, e) : NULL;
    if (!request || view_enter(request, kind_of(verb), &v, e) < 0)
        return -1;
    if (str_eq(verb, "stat"))
        return stat_run(&v, request, e);
    if (str_eq(verb, "pack"))
        return pack_run(&v, request, e);
    if (str_eq(verb, "unpack"))
        return unpack_run(&v, request, e);
    if (str_eq(verb, "export"))
        return export_run(&v, e);
    return changes_run(&v, str_eq(verb, "layer"), e);
}
