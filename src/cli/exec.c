/* `gorae exec`: a further process in a running container.
 *
 *     1. POST /containers/NAME/exec          what is to run; the answer is the exec's id
 *     2. POST /exec/ID/start          101    our connection is its standard streams, and it runs
 *     3. POST /exec/ID/resize                with -t: the size of our window
 *     4. bytes both ways, until the daemon ends the connection
 *     5. GET /exec/ID/json                   its exit code
 *
 * There is no `wait` for an exec, hence the question at the end; the daemon has the answer before it ends the stream.
 * With -d only 1 and 2 are left. The detach keys are sent along in 1 and looked for by the daemon, so that it knows of
 * it. Signals are not handed on: Ctrl-C ends this client, and with -t it is a byte like any other.
 *
 * How it fails: what the daemon refuses is exit code 1; a program that cannot be run is told of in the stream, and its
 * code, 126 or 127, comes with 5. Read next: session.c for step 4. */
#include "cli/command.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/create.h"
#include "cli/session.h"
#include "cli/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct exec_options {
    bool detach, interactive, privileged, tty;
    char *detach_keys, *user, *workdir;
    struct strv env, env_file;
};

static void put_text(json_t *to, const char *key, const char *text)
{
    if (!str_empty(text))
        json_object_set_new(to, key, json_word(text));
}

static void put_size(const struct exec_options *o, json_t *to)
{
    int rows, columns;
    if (o->tty && term_size(STDOUT_FILENO, &rows, &columns))
        json_object_set_new(to, "ConsoleSize", json_pack("[i, i]", rows, columns));
}

static json_t *create_request(const struct exec_options *o, const struct args *args, struct err *e)
{
    autostrv env = {0};
    if (env_collect(&o->env, &o->env_file, &env, e) < 0)
        return NULL;
    bool in = o->interactive && !o->detach;
    json_t *body =
        json_pack("{s:b, s:b, s:b, s:b, s:b, s:b, s:o, s:o}", "AttachStdin", in, "AttachStdout", !o->detach,
                  "AttachStderr", !o->detach, "Detach", o->detach, "Tty", o->tty, "Privileged", o->privileged, "Cmd",
                  json_strings(&(struct strv){args->v + 1, args->n - 1}), "Env", json_strings(&env));
    put_text(body, "User", o->user);
    put_text(body, "WorkingDir", o->workdir);
    put_text(body, "DetachKeys", o->detach_keys);
    put_size(o, body);
    return body;
}

/* @return the exec's id, the caller's, or NULL */
static char *create_exec(struct cli *cli, const struct exec_options *o, const struct args *args, struct err *e)
{
    json_auto_t *body = create_request(o, args, e);
    if (!body)
        return NULL;
    json_auto_t *answer = cli_ask(cli, "POST", "containers", args->v[0], "/exec", body, e);
    if (!answer)
        return NULL;
    const char *id = json_str(answer, "Id", "");
    if (!*id) {
        cli->client.status = 0;
        return err_null(err_set(e, ERR_SYSTEM, "the daemon's answer names no exec"));
    }
    return mem_strdup(id);
}

/* Step 5. One that we detached from runs on and has no code: that is no failure. */
static int ask_code(struct cli *cli, const char *id, struct err *e)
{
    json_auto_t *seen = cli_ask(cli, "GET", "exec", id, "/json", NULL, e);
    return seen ? (int)(json_int(seen, "ExitCode", 0) & 0xff) : -1;
}

static int exec_attached(struct cli *cli, const struct exec_options *o, const char *id, const char *start_path,
                         const json_t *body)
{
    struct session s = SESSION_INIT;
    struct err e;
    autostr resize = STR_INIT;
    path_start(&resize, "/exec/%s/resize", id);
    s.cli = cli;
    s.id = id;
    s.tty = o->tty;
    s.resize = resize.s;
    if (client_hijack(&cli->client, start_path, body, &s.hijack, &e) < 0)
        return cli_fail(cli, &e);
    session_input(&s, o->interactive);
    if (session_open(&s, &e) < 0) {
        session_close(&s);
        return cli_fail_own(cli, &e);
    }
    int end = session_copy(&s, &e);
    session_close(&s);
    if (end < 0)
        return session_failed(&s, &e);
    int code = ask_code(cli, id, &e);
    return code < 0 ? cli_fail(cli, &e) : code;
}

static int exec_(struct cli *cli, void *options, const struct args *args)
{
    const struct exec_options *o = options;
    struct keys keys;
    struct err e;
    autostr path = STR_INIT;
    if (o->detach_keys && keys_init(&keys, o->detach_keys, &e) < 0)
        return cli_fail_own(cli, &e);
    if (o->tty && o->interactive && !o->detach && !isatty(STDIN_FILENO)) {
        fprintf(stderr, "the input device is not a TTY\n");
        return EXIT_FAILED;
    }
    autofree char *id = create_exec(cli, o, args, &e);
    if (!id)
        return cli_fail(cli, &e);
    json_auto_t *body = json_pack("{s:b, s:b}", "Detach", o->detach, "Tty", o->tty);
    put_size(o, body);
    path_start(&path, "/exec/%s/start", id);
    if (!o->detach)
        return exec_attached(cli, o, id, path.s, body);
    return client_call(&cli->client, "POST", path.s, body, &e) < 0 ? cli_fail(cli, &e) : EXIT_OK;
}

#define AT(member) offsetof(struct exec_options, member)
/* clang-format off */
static const struct flag exec_flags[] = {
    {"detach", 'd', FLAG_BOOL, AT(detach), "Start it and leave it in the background", NULL, NULL},
    {"detach-keys", 0, FLAG_STRING, AT(detach_keys), "Keys that leave it running (default ctrl-p,ctrl-q)", NULL, NULL},
    {"env", 'e', FLAG_LIST, AT(env), "Set a variable (NAME=value); NAME alone takes the value from here", NULL, NULL},
    {"env-file", 0, FLAG_LIST, AT(env_file), "Set the variables that a file lists", NULL, NULL},
    {"interactive", 'i', FLAG_BOOL, AT(interactive), "Connect standard input", NULL, NULL},
    {"privileged", 0, FLAG_BOOL, AT(privileged), "Give the process every capability", NULL, NULL},
    {"tty", 't', FLAG_BOOL, AT(tty), "Give it a terminal", NULL, NULL},
    {"user", 'u', FLAG_STRING, AT(user), "User to run as (name|uid[:group|gid])", NULL, NULL},
    {"workdir", 'w', FLAG_STRING, AT(workdir), "Working directory inside", NULL, NULL},
    {.type = FLAG_END},
};
/* clang-format on */

const struct command command_exec = {
    .usage = "CONTAINER COMMAND [ARG...]",
    .summary = "Run a command in a running container",
    .flags = exec_flags,
    .options = sizeof(struct exec_options),
    .carries_command = true,
    .run = exec_,
};
