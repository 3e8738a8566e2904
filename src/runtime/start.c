/* `start`: give the word to a container that waits (child_go.c).
 *
 * end of file on the connection means that the exec happened. The socket's name is removed as soon as the word is
 * given: it is there exactly while the container is "created" (state.h). */
#include "runtime/create.h"
#include "runtime/args.h"
#include "runtime/hooks.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/str.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int check_created(const struct state *s, struct err *e)
{
    enum status st = state_status(s);
    if (st == STATUS_CREATED)
        return 0;
    if (st == STATUS_STOPPED)
        return err_set(e, ERR_CONFLICT, "cannot start a container that has stopped");
    if (st == STATUS_CREATING)
        return err_set(e, ERR_CONFLICT, "cannot start a container that is being created");
    return err_set(e, ERR_CONFLICT, "cannot start an already running container");
}

static int give_word(const struct runtime *rt, const struct state *s, struct err *e)
{
    autofree char *path = state_socket_path(s, STATE_BARRIER);
    autoclose int sock = sock_dial_unix(path, SOCK_SEQPACKET, e);
    if (sock < 0 && errno == ECONNREFUSED) /* an earlier `start` was killed after the word and before the unlink */
        err_set(e, ERR_CONFLICT, "cannot start an already running container");
    else if (sock < 0 || sync_send(sock, SYNC_GO, NULL, trace_fd(), e) < 0)
        return -1;
    if (unlinkat(s->dir, STATE_BARRIER, 0) < 0)
        return err_sys(e, "remove the start barrier");
    if (sock < 0)
        return -1;
    return launch_await(rt, sock, SYNC_END, e);
}

int container_start(const struct runtime *rt, struct state *s, struct err *e)
{
    struct err hook;
    if (check_created(s, e) < 0)
        return -1;
    struct span span = trace_begin(3, "let the container go");
    if (give_word(rt, s, e) < 0)
        return -1;
    trace_end(&span, "connect(%s), sendmsg, read until exec closes it", STATE_BARRIER);
    const json_t *hooks = json_object_get(s->doc, "hooks");
    if (hooks_any(hooks, "poststart")) {
        json_auto_t *oci = state_oci(s, STATUS_RUNNING);
        if (hooks_run(hooks, "poststart", oci, &hook) < 0)
            runtime_warn(rt, "%s", hook.msg);
    }
    return 0;
}

int verb_start(struct runtime *rt, int argc, char **argv, struct err *e)
{
    const struct arg table[] = {{0}};
    struct state s;
    int first = args_parse(table, argc, argv, 1, 1, e);
    if (first < 0 || state_open(&s, rt, argv[first], true, e) < 0)
        return -1;
    int r = container_start(rt, &s, e);
    state_release(&s);
    return r;
}
