/* gorae-archive: opens archives for the daemon, shut in. See worker.h for the map and base/archiveproto.h for the
 * descriptors and messages.
 *
 * Exit status: 0 done; 1 failed, and a message said why; 2 not started by the daemon; 111 out of memory. */
#include "archive/worker.h"
#include "base/archiveproto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PROGRESS_EVERY (100 * NS_PER_MS)

int message_send(json_t *msg, struct err *e)
{
    autofree char *line = json_text(msg);
    json_decref(msg);
    return fd_write_all(ARCHIVE_MESSAGES_FD, line, strlen(line)) == 0 ? 0 : err_sys(e, "send a message to the daemon");
}

int message_progress(const char *diff, int64_t current, int64_t total, struct err *e)
{
    static int64_t last;
    int64_t now = clock_mono();
    if (current < total && now - last < PROGRESS_EVERY)
        return 0;
    last = now;
    char id[13];
    snprintf(id, sizeof(id), "%.12s", diff);
    return message_send(json_pack("{s:s, s:s, s:I, s:I}", "ev", "progress", "id", id, "current", (json_int_t)current,
                                  "total", (json_int_t)total),
                        e);
}

static const char *const verbs[] = {"load", "import", "save",   "commit",  "stat",
                                    "pack", "unpack", "export", "changes", "layer"};
#define STORE_VERBS 4 /* those before have to do with the store, the rest with a container */

static size_t find_verb(const char *verb)
{
    size_t i = 0;
    while (i < sizeof(verbs) / sizeof(verbs[0]) && !str_eq(verb, verbs[i]))
        i++;
    return i;
}

static int run(const char *verb, struct err *e)
{
    int work = ARCHIVE_WORK_FD, layers = ARCHIVE_LAYERS_FD;
    bool load = str_eq(verb, "load"), import = str_eq(verb, "import"), commit = str_eq(verb, "commit");
    if (find_verb(verb) >= STORE_VERBS)
        return tree_run(verb, e);
    if (confine_enter(&work, load || commit ? &layers : NULL, str_eq(verb, "save"), e) < 0)
        return err_wrap(e, "confine " ARCHIVE_PROGRAM);
    if (load)
        return load_run(work, layers, e);
    if (commit)
        return commit_run(work, layers, e);
    return import ? import_run(work, e) : save_run(work, e);
}

int main(int argc, char **argv)
{
    struct err e;
    mem_setup();
    if (argc != 2 || find_verb(argv[1]) == sizeof(verbs) / sizeof(verbs[0]) ||
        fcntl(ARCHIVE_MESSAGES_FD, F_GETFD) < 0 || fcntl(ARCHIVE_WORK_FD, F_GETFD) < 0) {
        static const char text[] = ARCHIVE_PROGRAM " is started by goraed; use `gorae load`, `import` and `save`.\n";
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        return 2;
    }
    trace_program(ARCHIVE_PROGRAM);
    trace_from_env();
    if (run(argv[1], &e) == 0)
        return 0;
    struct err ignored; /* a daemon that is gone needs no explanation */
    message_send(json_pack("{s:s, s:o}", "ev", "error", "error", err_to_json(&e)), &ignored);
    return 1;
}
