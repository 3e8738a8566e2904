/* Calling the OCI runtime: create, start, exec, delete.
 *
 * The command line is the one that runc defined and that crun, youki and gorae-runtime share; nothing else is assumed
 * of the program, so any of them may stand here. A call runs as a child while the loop goes on, and ends in
 * runtime_done().
 *
 * Why it failed stands in runtime.log, as JSON lines because of --log-format json; the last one of level "error"
 * counts. Ours adds the whole error triple, others have only the text. That text is passed on as it is: docker's client
 * looks in it for "executable file not found", "no such file or directory" and "permission denied" to choose its exit
 * code 127 or 126.
 *
 * Read next: child.c, which decides what follows. */
#include "shim/shim.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RUNTIME_LOG "runtime.log"

static off_t log_size(void)
{
    struct stat st;
    return stat(RUNTIME_LOG, &st) == 0 ? st.st_size : 0;
}

/* A read-only mount of the program alone, in no namespace: what a container may learn of the program through /proc is
 * then a reference that cannot be written through. runtime/seal.c tells the attack; a runtime started by hand mounts
 * this for itself and executes itself a second time, which takes 0.3 ms longer. A script is started as it is: its
 * interpreter opens it by name when nothing holds the view any more, and is itself what a container could look back at.
 * @return -1 for a script, and where the kernel refuses: the runtime sees to it then */
static int read_only_view(const char *program)
{
    struct mount_attr a = {.attr_set = MOUNT_ATTR_RDONLY};
    char head[2] = "";
    autoclose int file = open(program, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0 || read(file, head, sizeof(head)) != sizeof(head) || memcmp(head, "#!", 2) == 0)
        return -1;
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, program, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd >= 0 && syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &a, sizeof(a)) == 0)
        return fd;
    fd_close(fd);
    return -1;
}

/* The child closes our descriptors before it executes, so the view is named through this process, which keeps it open
 * until posix_spawn(3) comes back: by then the program runs. */
static pid_t start_program(struct spawn sp, bool view, struct err *e)
{
    char through[64];
    autoclose int fd = view ? read_only_view(sp.path) : -1;
    if (fd >= 0) {
        snprintf(through, sizeof(through), "/proc/%d/fd/%d", (int)getpid(), fd);
        sp.path = through;
    }
    return spawn_start(&sp, e);
}

/* @param verb its name and options, before the id */
static int call(struct shim *s, const char *what, const struct strv *verb, const int stdio[3], struct err *e)
{
    autostrv argv = {0};
    size_t i;
    json_t *v;
    strv_add(&argv, s->task.runtime);
    json_array_foreach(s->task.runtime_args, i, v)
    {
        strv_add(&argv, json_string_value(v));
    }
    strv_add(&argv, "--root");
    strv_add(&argv, s->task.runtime_root);
    strv_add(&argv, "--log");
    strv_addf(&argv, "%s/" RUNTIME_LOG, s->task.dir);
    strv_add(&argv, "--log-format");
    strv_add(&argv, "json");
    for (i = 0; i < verb->n; i++)
        strv_add(&argv, verb->v[i]);
    strv_add(&argv, s->task.id);
    struct spawn sp = SPAWN_INIT;
    sp.path = s->task.runtime;
    sp.argv = argv.v;
    sp.in = stdio[0];
    sp.out = stdio[1];
    sp.error = stdio[2];
    s->call = (struct call){.what = what, .began = clock_mono(), .log_from = log_size()};
    /* These two start what the container could look back from. */
    bool view = str_eq(verb->v[0], "create") || str_eq(verb->v[0], "exec");
    pid_t pid = start_program(sp, view, e);
    if (pid < 0)
        return -1;
    s->call.pid = pid;
    return 0;
}

/* runc changes into the bundle before it connects, so the socket's path must be absolute; where DIR is too long for
 * one, our working folder as the kernel shows it is short. */
static void add_console(const struct shim *s, struct strv *verb)
{
    strv_add(verb, "--console-socket");
    if (strlen(s->task.dir) + sizeof("/console.sock") <= 108)
        strv_addf(verb, "%s/console.sock", s->task.dir);
    else
        strv_addf(verb, "/proc/%d/cwd/console.sock", (int)getpid());
}

int runtime_create(struct shim *s, struct err *e)
{
    autostrv verb = {0};
    unlink("init.pid");
    strv_add(&verb, s->task.process ? "exec" : "create");
    strv_add(&verb, s->task.process ? "--process" : "--bundle");
    strv_add(&verb, s->task.process ? s->task.process : s->task.bundle);
    if (s->task.process) /* the process becomes our child, and the call ends */
        strv_add(&verb, "--detach");
    strv_add(&verb, "--pid-file");
    strv_addf(&verb, "%s/init.pid", s->task.dir);
    if (s->task.tty)
        add_console(s, &verb);
    int r = call(s, s->task.process ? "runtime exec" : "runtime create", &verb, s->io.child, e);
    for (int i = 0; i < 3; i++) {
        fd_close(s->io.child[i]);
        s->io.child[i] = -1;
    }
    return r;
}

static const int nowhere[3] = {-1, -1, -1};

int runtime_start(struct shim *s, struct err *e)
{
    autostrv verb = {0};
    strv_add(&verb, "start");
    return call(s, "runtime start", &verb, nowhere, e);
}

int runtime_delete(struct shim *s, struct err *e)
{
    autostrv verb = {0};
    strv_add(&verb, "delete");
    strv_add(&verb, "--force");
    return call(s, "runtime delete", &verb, nowhere, e);
}

/* The code of a call that was killed is 128 and the signal's number, so it is a failure too. */
void runtime_done(struct shim *s, int code)
{
    char detail[64];
    snprintf(detail, sizeof(detail), "pid %d, exit status %d", (int)s->call.pid, code);
    trace_span(3, s->call.what, s->call.began, clock_mono(), detail);
    s->call.pid = 0;
    s->call.code = code;
}

/* ---- why did it fail? ---- */

/* The clients' phrases (see above) mean that the user's command was at fault, not the machine. */
static enum err_kind kind_of_text(const char *msg)
{
    static const char *const phrases[] = {"executable file not found", "no such file or directory", "permission denied",
                                          "is a directory"};
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
        if (strstr(msg, phrases[i]))
            return ERR_INVALID;
    return ERR_SYSTEM;
}

static bool error_in_line(const char *line, size_t n, struct err *e)
{
    struct err ignored;
    json_auto_t *j = json_parse(line, n, &ignored);
    const char *level = json_str(j, "level", ""), *msg = json_str(j, "msg", "");
    if (!str_eq(level, "error") && !str_eq(level, "fatal"))
        return false;
    if (json_is_object(json_at(j, "error")))
        err_from_json(e, json_at(j, "error"));
    else
        err_set(e, kind_of_text(msg), "%s", msg);
    return true;
}

/* The last error counts: helpers may log theirs first, and at its end a runtime sums up why it failed. Only what this
 * call wrote is looked at, because all calls share the file. */
static bool error_in_log(off_t from, struct err *e)
{
    autoclose int fd = open(RUNTIME_LOG, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return false;
    if (st.st_size - from > RUNTIME_LOG_MAX)
        from = st.st_size - RUNTIME_LOG_MAX;
    autofree char *text = mem_alloc(RUNTIME_LOG_MAX);
    ssize_t n = pread(fd, text, RUNTIME_LOG_MAX, from);
    bool found = false;
    for (const char *p = text, *end = text + (n > 0 ? n : 0); p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t k = newline ? (size_t)(newline - p) : (size_t)(end - p);
        if (error_in_line(p, k, e))
            found = true;
        p += k + 1;
    }
    return found;
}

void runtime_why(struct shim *s, struct err *e)
{
    char words[256];
    if (s->call.late) {
        err_set(e, ERR_TIMEOUT, "%s took longer than %d s and was killed", s->call.what,
                (int)(RUNTIME_TIMEOUT / NS_PER_S));
    } else if (!error_in_log(s->call.log_from, e)) {
        stdio_last_words(s, words, sizeof(words));
        err_set(e, ERR_SYSTEM, "%s ended with status %d%s%s", s->call.what, s->call.code,
                words[0] ? ": " : " and left no message", words);
    }
}
