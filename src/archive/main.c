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

static int run(const char *verb, struct err *e)
{
    int work = ARCHIVE_WORK_FD, layers = ARCHIVE_LAYERS_FD;
    bool load = str_eq(verb, "load"), import = str_eq(verb, "import");
    if (confine_enter(&work, load ? &layers : NULL, !load && !import, e) < 0)
        return err_wrap(e, "confine " ARCHIVE_PROGRAM);
    if (load)
        return load_run(work, layers, e);
    return import ? import_run(work, e) : save_run(work, e);
}

int main(int argc, char **argv)
{
    struct err e;
    mem_setup();
    if (argc != 2 || (!str_eq(argv[1], "load") && !str_eq(argv[1], "import") && !str_eq(argv[1], "save")) ||
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
