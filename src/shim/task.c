/* The shim's task: DIR/shim.json, checked. The daemon wrote it, so a mistake in it is a mistake of ours, perhaps of
 * another version; it is told whole and at once rather than found later in a running container. The members are listed
 * in base/shimproto.h. Read next: main.c. */
#include "shim/shim.h"
#include "base/logset.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdlib.h>

/* @param needed it must be there; @param path it must be absolute, since the shim and the runtime change folder */
static int text(const struct task *t, const char *key, bool needed, bool path, const char **ret, struct err *e)
{
    const json_t *v = json_object_get(t->json, key);
    *ret = json_string_value(v);
    if (!v && !needed)
        return 0;
    if (str_empty(*ret))
        return err_set(e, ERR_INVALID, "shim.json: \"%s\" must be a string that is not empty", key);
    if (path && **ret != '/')
        return err_set(e, ERR_INVALID, "shim.json: \"%s\" must be an absolute path: %s", key, *ret);
    return 0;
}

static int truth(const struct task *t, const char *key, bool *ret, struct err *e)
{
    const json_t *v = json_object_get(t->json, key);
    if (v && !json_is_boolean(v))
        return err_set(e, ERR_INVALID, "shim.json: \"%s\" must be true or false", key);
    *ret = json_is_true(v);
    return 0;
}

static int arguments(struct task *t, struct err *e)
{
    size_t i;
    json_t *v;
    t->runtime_args = json_object_get(t->json, "runtime_args");
    if (!t->runtime_args)
        return 0;
    if (!json_is_array(t->runtime_args))
        return err_set(e, ERR_INVALID, "shim.json: \"runtime_args\" must be a list");
    json_array_foreach(t->runtime_args, i, v)
    {
        if (!json_is_string(v))
            return err_set(e, ERR_INVALID, "shim.json: \"runtime_args\" must hold strings");
    }
    return 0;
}

static int console_size(struct task *t, struct err *e)
{
    const json_t *v = json_object_get(t->json, "console_size");
    if (!v)
        return 0;
    json_int_t rows = json_integer_value(json_array_get(v, 0)), columns = json_integer_value(json_array_get(v, 1));
    if (json_array_size(v) != 2 || rows < 0 || rows > 65535 || columns < 0 || columns > 65535)
        return err_set(e, ERR_INVALID, "shim.json: \"console_size\" must be [rows, columns]");
    t->rows = (int)rows;
    t->columns = (int)columns;
    return 0;
}

/* How the log is kept: sizes, what each record carries, or the journal instead of files. */
static int logging(struct task *t, struct err *e)
{
    t->log_size = json_int(t->json, "log_size", 0);
    t->log_files = (int)json_int(t->json, "log_files", 1);
    t->journal = json_object_get(t->json, "journal");
    if (text(t, "log", false, true, &t->log, e) < 0 || text(t, "log_attrs", false, false, &t->log_attrs, e) < 0)
        return -1;
    if (t->log_size < 0 || t->log_files < 1 || t->log_files > LOGSET_MAX)
        return err_set(e, ERR_INVALID, "shim.json: \"log_size\" and \"log_files\" are out of range");
    return 0;
}

/* Members that this version does not know are passed over, so that a newer daemon may start an older shim. */
int task_load(struct task *t, const char *dir, struct err *e)
{
    t->dir = realpath(dir, NULL);
    if (!t->dir)
        return err_sys(e, "folder %s", dir);
    autofree char *path = str_printf("%s/shim.json", t->dir);
    t->json = json_read_file(AT_FDCWD, path, TASK_FILE_MAX, e);
    if (!t->json)
        return -1;
    if (text(t, "id", true, false, &t->id, e) < 0 || text(t, "process", false, true, &t->process, e) < 0 ||
        text(t, "bundle", !t->process, true, &t->bundle, e) < 0 || text(t, "runtime", true, true, &t->runtime, e) < 0 ||
        text(t, "runtime_root", true, true, &t->runtime_root, e) < 0 || logging(t, e) < 0 ||
        text(t, "exit", true, true, &t->exit, e) < 0 ||
        text(t, "cgroup_memory_events", false, true, &t->memory_events, e) < 0)
        return -1;
    if (truth(t, "tty", &t->tty, e) < 0 || truth(t, "stdin", &t->keep_stdin, e) < 0 ||
        truth(t, "stdin_once", &t->stdin_once, e) < 0 || truth(t, "ephemeral", &t->ephemeral, e) < 0 ||
        arguments(t, e) < 0 || console_size(t, e) < 0)
        return -1;
    /* The id becomes an argument of the runtime and must not read as an option or as a path. */
    if (!str_is_hex(t->id, 64))
        return err_set(e, ERR_INVALID, "shim.json: \"id\" must be 64 hex digits");
    return 0;
}

void task_release(struct task *t)
{
    json_decref(t->json);
    free(t->dir);
    *t = (struct task){0};
}
