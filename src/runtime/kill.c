/* `kill`, `pause`, `resume`, `update`: verbs that change a running container and need nothing but its state. */
#include "runtime/args.h"
#include "runtime/state.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESOURCES_MAX (1 << 20)

/* "9", "KILL", "SIGKILL", "RTMIN+3", "RTMAX-1". @return the number, or -1 */
static int signal_number(const char *name)
{
    uint64_t n;
    if (str_to_u64(name, &n))
        return n <= (uint64_t)SIGRTMAX ? (int)n : -1;
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    bool from_min = strncasecmp(name, "RTMIN", 5) == 0;
    if (from_min || strncasecmp(name, "RTMAX", 5) == 0) {
        bool tail =
            name[5] == (from_min ? '+' : '-') && str_to_u64(name + 6, &n) && n <= (uint64_t)(SIGRTMAX - SIGRTMIN);
        if (name[5] && !tail)
            return -1;
        return from_min ? SIGRTMIN + (tail ? (int)n : 0) : SIGRTMAX - (tail ? (int)n : 0);
    }
    for (int i = 1; i < NSIG; i++) {
        const char *known = sigabbrev_np(i);
        if (known && strcasecmp(known, name) == 0)
            return i;
    }
    return -1;
}

/* KILL means the whole container. Where the first process leads no pid namespace, nothing but the group does that. */
static int kill_container(const struct state *s, int sig, bool all, struct err *e)
{
    if (all || (sig == SIGKILL && !s->leads))
        return cgroup_signal(&s->cgroup, sig, e);
    autoclose int fd = state_pidfd(s, NULL);
    if (fd < 0 || (syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) < 0 && errno == ESRCH))
        return err_set(e, ERR_NOT_FOUND, "container not running");
    return 0;
}

int verb_kill(struct runtime *rt, int argc, char **argv, struct err *e)
{
    bool all = false;
    const struct arg table[] = {{"all", 'a', ARG_FLAG, &all, NULL}, {0}};
    struct state s;
    int first = args_parse(table, argc, argv, 1, 2, e);
    if (first < 0)
        return -1;
    int sig = first + 1 < argc ? signal_number(argv[first + 1]) : SIGTERM;
    if (sig < 0)
        return err_set(e, ERR_INVALID, "unknown signal \"%s\"", argv[first + 1]);
    if (state_open(&s, rt, argv[first], false, e) < 0)
        return -1;
    int r = kill_container(&s, sig, all, e);
    state_release(&s);
    return r;
}

static int freeze(struct runtime *rt, int argc, char **argv, bool frozen, struct err *e)
{
    const struct arg table[] = {{0}};
    struct state s;
    int first = args_parse(table, argc, argv, 1, 1, e);
    if (first < 0 || state_open(&s, rt, argv[first], false, e) < 0)
        return -1;
    enum status st = state_status(&s);
    int r = -1;
    if (frozen ? st != STATUS_RUNNING && st != STATUS_CREATED : st != STATUS_PAUSED)
        err_set(e, ERR_CONFLICT, "container %s is %s, not %s", s.id, status_name(st), frozen ? "running" : "paused");
    else
        r = cgroup_freeze(&s.cgroup, frozen, e);
    state_release(&s);
    return r;
}

int verb_pause(struct runtime *rt, int argc, char **argv, struct err *e)
{
    return freeze(rt, argc, argv, true, e);
}

int verb_resume(struct runtime *rt, int argc, char **argv, struct err *e)
{
    return freeze(rt, argc, argv, false, e);
}

static json_t *read_resources(const char *path, struct err *e)
{
    size_t n;
    autofree char *text = str_eq(path, "-") ? fd_read_all(STDIN_FILENO, RESOURCES_MAX, &n, e)
                                            : file_read(AT_FDCWD, path, RESOURCES_MAX, &n, e);
    json_t *j = text ? json_parse(text, n, e) : NULL;
    if (!j)
        err_wrap(e, "--resources");
    return j;
}

int verb_update(struct runtime *rt, int argc, char **argv, struct err *e)
{
    const char *path = NULL;
    const struct arg table[] = {{"resources", 'r', ARG_STRING, &path, NULL}, {0}};
    struct state s;
    int first = args_parse(table, argc, argv, 1, 1, e);
    if (first < 0)
        return -1;
    if (!path)
        return err_set(e, ERR_INVALID, "update needs --resources FILE, or - for standard input");
    json_auto_t *j = read_resources(path, e);
    if (!j || state_open(&s, rt, argv[first], false, e) < 0)
        return -1;
    int r = -1;
    if (state_status(&s) == STATUS_STOPPED || !s.cgroup.claimed)
        err_set(e, ERR_CONFLICT, "container not running");
    else if (json_array_size(json_object_get(j, "devices")) > 0)
        err_set(e, ERR_NOT_IMPLEMENTED, "device rules cannot be updated");
    else
        r = cgroup_relimit(&s.cgroup, rt, j, e);
    state_release(&s);
    return r;
}
