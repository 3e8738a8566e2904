/* `gorae attach`, and `gorae start` with -a or -i: joining a container that exists already.
 *
 * Both first ask what the container is (GET …/json), because only it knows whether it has a terminal: with one, the
 * stream is raw bytes, without, frames. Then the same steps as in run.c, except that `attach` finds it running: it may
 * end between our look and our attach, and an attach to an ended container waits for the next start. So attach looks
 * twice. Read next: session.c, run.c. */
#include "cli/command.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *look(struct cli *cli, const char *name, struct err *e)
{
    return cli_ask(cli, "GET", "containers", name, "/json", NULL, e);
}

struct join_options {
    bool attach, interactive, no_stdin, sig_proxy;
    char *detach_keys;
};

/* A stream for the container that `seen` describes. */
static int prepare(struct cli *cli, const json_t *seen, bool in, const char *detach_keys, struct session *s,
                   struct str *resize, struct err *e)
{
    *s = (struct session)SESSION_INIT;
    s->cli = cli;
    s->id = json_str(seen, "Id", "");
    s->tty = json_is(seen, "Config.Tty");
    path_start(resize, "/containers/%s/resize", s->id);
    s->resize = resize->s;
    if (s->tty && in && !isatty(STDIN_FILENO))
        return err_set(e, ERR_INVALID, "the input device is not a TTY");
    return s->tty && in ? keys_init(&s->keys, detach_keys, e) : 0;
}

/* @return exit code */
static int finish(struct session *s, int end, struct err *e)
{
    int code = EXIT_FAILED;
    term_restore(&s->term);
    if (end == SESSION_DETACHED)
        code = EXIT_OK;
    else if (end == SESSION_ENDED)
        code = session_exit_code(s, e);
    session_close(s);
    return end < 0 || code < 0 ? session_failed(s, e) : code;
}

/* ---- start ---- */

static int start_joined(struct cli *cli, const struct join_options *o, const char *name)
{
    struct session s;
    struct reply wait;
    struct err e;
    autostr resize = STR_INIT, path = STR_INIT;
    json_auto_t *seen = session_check(cli, &e) < 0 ? NULL : look(cli, name, &e);
    if (!seen)
        return cli_fail(cli, &e);
    bool in = o->interactive && json_is(seen, "Config.OpenStdin");
    if (prepare(cli, seen, in, o->detach_keys, &s, &resize, &e) < 0)
        return cli_fail_own(cli, &e);
    s.proxy = true;
    path_start(&path, "/containers/%s/start", s.id);
    bool removed = json_is(seen, "HostConfig.AutoRemove");
    bool started = session_attach(&s, in, true, true, false, o->detach_keys, &e) == 0 &&
                   session_wait(&s, removed ? "removed" : "next-exit", &wait, &e) == 0 && session_open(&s, &e) == 0 &&
                   client_call(&cli->client, "POST", path.s, NULL, &e) >= 0;
    if (!started) {
        session_close(&s);
        return cli_fail(cli, &e);
    }
    return finish(&s, session_copy(&s, &e), &e);
}

static int start(struct cli *cli, void *options, const struct args *args)
{
    const struct join_options *o = options;
    if (!o->attach && !o->interactive)
        return cli_each(cli, args, "POST", "containers", "/start", true);
    if (args->n > 1) {
        fprintf(stderr, "gorae: only one container at a time can be started and attached\n");
        return EXIT_FAILED;
    }
    return start_joined(cli, o, args->v[0]);
}

/* ---- attach ---- */

static int check_running(const json_t *seen, struct err *e)
{
    if (!json_is(seen, "State.Running"))
        return err_set(e, ERR_CONFLICT, "cannot attach to a stopped container: start it first");
    if (json_is(seen, "State.Paused"))
        return err_set(e, ERR_CONFLICT, "cannot attach to a paused container: unpause it first");
    if (json_is(seen, "State.Restarting"))
        return err_set(e, ERR_CONFLICT, "cannot attach to a restarting container: wait until it is running");
    return 0;
}

static int attach(struct cli *cli, void *options, const struct args *args)
{
    const struct join_options *o = options;
    struct session s;
    struct reply wait;
    struct err e;
    autostr resize = STR_INIT;
    json_auto_t *seen = look(cli, args->v[0], &e);
    if (!seen)
        return cli_fail(cli, &e);
    bool in = !o->no_stdin && json_is(seen, "Config.OpenStdin");
    if (check_running(seen, &e) < 0 || prepare(cli, seen, in, o->detach_keys, &s, &resize, &e) < 0)
        return cli_fail_own(cli, &e);
    s.proxy = o->sig_proxy;
    s.redraw = true;
    bool joined =
        session_wait(&s, NULL, &wait, &e) == 0 && session_attach(&s, in, true, true, false, o->detach_keys, &e) == 0;
    json_auto_t *again = joined ? look(cli, s.id, &e) : NULL;
    if (!again || session_open(&s, &e) < 0) {
        session_close(&s);
        return cli_fail(cli, &e);
    }
    if (!json_is(again, "State.Running"))
        return finish(&s, SESSION_ENDED, &e);
    return finish(&s, session_copy(&s, &e), &e);
}

#define AT(member) offsetof(struct join_options, member)
static const struct flag start_flags[] = {
    {"attach", 'a', FLAG_BOOL, AT(attach), "Show its output, hand signals on, exit with its code", NULL, NULL},
    {"checkpoint", 0, FLAG_REFUSED, 0, NULL, "checkpoints are not kept here", NULL},
    {"checkpoint-dir", 0, FLAG_REFUSED, 0, NULL, "checkpoints are not kept here", NULL},
    {"detach-keys", 0, FLAG_STRING, AT(detach_keys), "Keys that leave it running (default ctrl-p,ctrl-q)", NULL, NULL},
    {"interactive", 'i', FLAG_BOOL, AT(interactive), "Likewise, and connect standard input", NULL, NULL},
    {.type = FLAG_END},
};

static const struct flag attach_flags[] = {
    {"detach-keys", 0, FLAG_STRING, AT(detach_keys), "Keys that leave it running (default ctrl-p,ctrl-q)", NULL, NULL},
    {"no-stdin", 0, FLAG_BOOL, AT(no_stdin), "Only watch: do not connect standard input", NULL, NULL},
    {"sig-proxy", 0, FLAG_BOOL, AT(sig_proxy), "Hand signals on to its process", NULL, "true"},
    {.type = FLAG_END},
};

const struct command command_start = {
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Start stopped containers",
    .flags = start_flags,
    .options = sizeof(struct join_options),
    .run = start,
};

const struct command command_attach = {
    .usage = "CONTAINER",
    .summary = "Connect this terminal to a running container",
    .flags = attach_flags,
    .options = sizeof(struct join_options),
    .run = attach,
};
