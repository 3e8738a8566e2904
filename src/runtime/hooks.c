/* Hooks: see hooks.h. When they run, and where (OCI runtime-spec config.md, "POSIX-platform Hooks"):
 *
 *     prestart, createRuntime   create, in the runtime's namespaces, mounts made, before pivot_root
 *     createContainer           create, in the container's namespaces, before pivot_root
 *     startContainer            start, inside the container, before its program
 *     poststart                 start, in the runtime's namespaces, after its program began; failure is a warning
 *     poststop                  delete, in the runtime's namespaces; failure is a warning
 *
 * A hook reads the container's state as JSON from its standard input. A state longer than a pipe holds cannot block us:
 * the pipe is made large enough first. */
#include "runtime/hooks.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOOK_WORDS_MAX 1024
#define HOOK_TIME_MAX  3600 /* seconds */

static int words_of(const json_t *list, struct strv *out, struct err *e)
{
    size_t i;
    json_t *v;
    if (json_array_size(list) > HOOK_WORDS_MAX)
        return err_set(e, ERR_INVALID, "more than %d words", HOOK_WORDS_MAX);
    json_array_foreach(list, i, v)
    {
        if (!json_is_string(v))
            return err_set(e, ERR_INVALID, "a word is not a string");
        strv_add(out, json_string_value(v));
    }
    return 0;
}

/* Wait for the hook, at most `seconds` (0: without end); overrunning it is killed. @return its code or -1 */
static int wait_for(pid_t pid, int64_t seconds, struct err *e)
{
    if (seconds > 0) {
        autoclose int fd = (int)syscall(SYS_pidfd_open, pid, 0);
        struct pollfd p = {fd, POLLIN, 0};
        if (fd >= 0 && poll(&p, 1, (int)(seconds * 1000)) == 0) {
            kill(pid, SIGKILL);
            spawn_wait(pid, NULL);
            return err_set(e, ERR_TIMEOUT, "ran longer than its timeout of %lld s", (long long)seconds);
        }
    }
    return spawn_wait(pid, e);
}

static int feed(int *ret_reader, const char *text, struct err *e)
{
    int ends[2];
    size_t n = strlen(text);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(e, "pipe");
    autoclose int writer = ends[1];
    *ret_reader = ends[0];
    fcntl(writer, F_SETPIPE_SZ, (int)n + 4096);
    ssize_t k = write(writer, text, n);
    if (k >= 0 && (size_t)k != n)
        return err_set(e, ERR_TOO_LARGE, "the state of %zu bytes does not fit into a pipe", n);
    /* The hook gets an ordinary, blocking pipe. */
    return k < 0 || fcntl(*ret_reader, F_SETFL, 0) < 0 ? err_sys(e, "write the state into a pipe") : 0;
}

static int run_one(const json_t *hook, const char *text, struct err *e)
{
    const char *path = json_str(hook, "path", "");
    int64_t timeout = json_int(hook, "timeout", 0);
    autostrv argv = {0};
    autostrv env = {0};
    autoclose int reader = -1;
    if (*path != '/')
        return err_set(e, ERR_INVALID, "path \"%s\" is not absolute", path);
    if (timeout < 0 || timeout > HOOK_TIME_MAX)
        return err_set(e, ERR_INVALID, "timeout is not between 0 and %d s", HOOK_TIME_MAX);
    if (words_of(json_object_get(hook, "args"), &argv, e) < 0 || words_of(json_object_get(hook, "env"), &env, e) < 0 ||
        feed(&reader, text, e) < 0)
        return -1;
    if (argv.n == 0)
        strv_add(&argv, path);
    static char *const none[] = {NULL};
    struct spawn s = SPAWN_INIT;
    s.path = path;
    s.argv = argv.v;
    s.env = env.n ? env.v : none;
    s.in = reader;
    s.out = STDOUT_FILENO;
    s.error = STDERR_FILENO;
    pid_t pid = spawn_start(&s, e);
    int code = pid > 0 ? wait_for(pid, timeout, e) : -1;
    return code > 0 ? err_set(e, ERR_SYSTEM, "ended with code %d", code) : code;
}

int hooks_run(const json_t *hooks, const char *name, const json_t *state, struct err *e)
{
    size_t i;
    json_t *hook;
    autofree char *text = NULL;
    json_array_foreach(json_object_get(hooks, name), i, hook)
    {
        if (!text)
            text = json_text(state);
        if (run_one(hook, text, e) < 0)
            return err_wrap(e, "%s hook #%zu %s", name, i, json_str(hook, "path", ""));
    }
    return 0;
}
