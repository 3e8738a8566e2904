/* The runtime's log: a file that the caller names with --log and reads when an invocation failed.
 *
 * Its JSON form is the one that container managers parse: a line an entry, with "level", "msg" and "time". Ours adds
 * "error", the triple of base/err.h, so that the shim need not guess an errno from English. Opened for appending: the
 * log of a container may be shared by all invocations for it. */
#include "runtime/runtime.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static void write_entry(const struct runtime *rt, const char *level, const char *msg, const struct err *e)
{
    char now[CLOCK_TEXT];
    autofree char *line = NULL;
    clock_format(clock_real(), now);
    json_auto_t *j =
        json_pack("{s:s, s:o, s:s}", "level", level, "msg", json_string_lossy(msg, strlen(msg)), "time", now);
    if (e)
        json_object_set_new(j, "error", err_to_json(e));
    if (rt->log_json) {
        line = json_text(j);
    } else {
        /* The text form quotes the message as a JSON string does, so that it stays one line. */
        autofree char *quoted = json_dumps(json_object_get(j, "msg"), JSON_ENCODE_ANY);
        line = str_printf("time=\"%s\" level=%s msg=%s\n", now, level, quoted);
    }
    (void)!write(rt->log, line, strlen(line));
}

void runtime_warn(const struct runtime *rt, const char *fmt, ...)
{
    if (rt->log < 0)
        return;
    va_list ap;
    char msg[1024];
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    write_entry(rt, "warning", msg, NULL);
}

void runtime_error(const struct runtime *rt, const char *verb, const struct err *e)
{
    autofree char *msg = str_printf("gorae-runtime %s failed: %s", verb, e->msg);
    if (rt->log >= 0)
        write_entry(rt, "error", msg, e);
    /* The stderr of these verbs is the container's own, in whose log the runtime's words have no place. */
    bool container_stderr = str_eq(verb, "create") || str_eq(verb, "run") || str_eq(verb, "exec");
    if (rt->log < 0 || !container_stderr)
        dprintf(STDERR_FILENO, "%s\n", msg);
}
