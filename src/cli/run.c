/* `gorae run` and `gorae create`.
 *
 * There is no "run" in the API. It is a small program of calls, and their order is the point:
 *
 *     1. POST /containers/create             the container exists, nothing runs
 *     2. POST /containers/ID/attach   101    our connection is its standard streams
 *     3. POST /containers/ID/wait     200    head only: from now on the daemon will tell how it ended
 *     4. POST /containers/ID/start    204    it runs; every byte it writes from its first instruction on reaches us
 *     5. POST /containers/ID/resize          with -t: the size of our window
 *     6. bytes both ways, then the body of 3.
 *
 * 2 before 4, or the first output is lost; 3 before 4, or a container that ends within a millisecond under --rm is gone
 * before we ask. With -d only 1 and 4 are left. (Docker's client sends 3 there too, and throws the answer away.)
 *
 * How it fails: what docker itself could not do is exit code 125; 126 and 127 are read out of the daemon's sentence,
 * where the runtime's "permission denied" and "executable file not found" end up, because the API has no field for
 * them. Read next: session.c for step 6, create_body.c for step 1; or, with the bytes through
 * the socket to the daemon, wire/http_head.c. */
#include "cli/command.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/create.h"
#include "cli/progress.h"
#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REMOVAL_MS 10000 /* for the daemon to remove a --rm container that did not start */

static int fail(const struct cli *cli, const struct err *e, int code)
{
    autostr text = STR_INIT;
    cli_sentence(cli, e, &text);
    fprintf(stderr, "gorae: %s\n\nSee 'gorae %s --help'.\n", text.s, cli->path);
    return code;
}

/* ---- create ---- */

/* The file must be new: a script that finds an old id in it would work on the wrong container. */
static int open_cidfile(const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST)
        return err_set(e, ERR_CONFLICT, "the id file %s exists already; remove it, or name another", path);
    return fd < 0 ? err_sys(e, "cannot make the id file %s", path) : fd;
}

static json_t *post_create(struct cli *cli, const struct create_options *o, const json_t *body, struct err *e)
{
    autostr path = STR_INIT;
    path_start(&path, "/containers/create");
    path_query(&path, "name", o->name);
    path_query(&path, "platform", o->platform);
    return client_json(&cli->client, "POST", path.s, body, e);
}

/* Only a name can be pulled; what is an id already would have been found. */
static bool is_id(const char *image)
{
    return str_starts(image, "sha256:") || str_is_hex(image, 64);
}

static json_t *create_or_pull(struct cli *cli, const struct create_options *o, const char *image, const json_t *body,
                              struct err *e)
{
    FILE *out = o->quiet ? NULL : stderr;
    if (str_eq(o->pull, "always") && image_pull(cli, image, o->platform, out, e) < 0)
        return NULL;
    json_t *answer = post_create(cli, o, body, e);
    if (answer || cli->client.status != 404 || !str_eq(o->pull, "missing") || is_id(image))
        return answer;
    autofree char *repo = NULL, *tag = NULL;
    image_split(image, &repo, &tag);
    if (!o->quiet)
        fprintf(stderr, "Unable to find image '%s%s' locally\n", image, tag ? "" : ":latest");
    if (image_pull(cli, image, o->platform, out, e) < 0)
        return NULL;
    return post_create(cli, o, body, e);
}

void print_warnings(const json_t *answer)
{
    json_each (w, json_object_get(answer, "Warnings"))
        fprintf(stderr, "WARNING: %s\n", json_string_value(w));
}

char *create_container(struct cli *cli, const struct create_options *o, const struct args *args, struct err *e)
{
    if (!str_eq(o->pull, "always") && !str_eq(o->pull, "missing") && !str_eq(o->pull, "never"))
        return err_null(err_set(e, ERR_INVALID, "invalid --pull \"%s\": expected always, missing or never", o->pull));
    json_auto_t *body = create_body(o, args, e);
    if (!body)
        return NULL;
    autoclose int file = o->cidfile ? open_cidfile(o->cidfile, e) : -1;
    if (o->cidfile && file < 0)
        return NULL;
    json_auto_t *answer = create_or_pull(cli, o, args->v[0], body, e);
    if (!answer) {
        if (o->cidfile)
            unlink(o->cidfile);
        return NULL;
    }
    print_warnings(answer);
    const char *id = json_str(answer, "Id", "");
    if (file >= 0 && fd_write_all(file, id, strlen(id)) < 0) {
        err_sys(e, "the container %.12s was created, but its id cannot be written to %s", id, o->cidfile);
        cli->client.status = 0;
        return NULL;
    }
    return mem_strdup(id);
}

static int create(struct cli *cli, void *options, const struct args *args)
{
    struct err e;
    autofree char *id = create_container(cli, options, args, &e);
    if (!id)
        return fail(cli, &e, cli->client.status ? EXIT_FAILED : EXIT_USAGE);
    puts(id);
    return EXIT_OK;
}

/* ---- run ---- */

/* 125, 126 or 127: what the daemon's sentence says about the container's program. */
static int start_failure(const char *message)
{
    static const struct {
        const char *words;
        int code;
    } table[] = {
        {"executable file not found", EXIT_NOT_FOUND},
        {"no such file or directory", EXIT_NOT_FOUND},
        {"permission denied", EXIT_CANNOT_RUN},
        {"is a directory", EXIT_CANNOT_RUN},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strstr(message, table[i].words))
            return table[i].code;
    return EXIT_USAGE;
}

static int start(struct cli *cli, const char *id, struct err *e)
{
    autostr path = STR_INIT;
    path_start(&path, "/containers/%s/start", id);
    return client_call(&cli->client, "POST", path.s, NULL, e);
}

static int run_detached(struct cli *cli, const char *id)
{
    struct err e;
    if (start(cli, id, &e) < 0)
        return fail(cli, &e, start_failure(e.msg));
    puts(id);
    return EXIT_OK;
}

/* A --rm container that failed to start is being removed. Until it is, its name is taken, and a second attempt would
 * fail for the wrong reason. */
static void await_removal(const struct session *s)
{
    struct pollfd f = {.fd = reply_fd(s->wait), .events = POLLIN};
    if (!reply_pending(s->wait))
        poll(&f, 1, REMOVAL_MS);
}

/* Steps 2 to 6. @return exit code */
static int run_attached(struct cli *cli, const struct create_options *o, const struct attach_choice *a, const char *id)
{
    struct session s = SESSION_INIT;
    struct reply wait;
    struct err e;
    autostr resize = STR_INIT;
    path_start(&resize, "/containers/%s/resize", id);
    s.cli = cli;
    s.id = id;
    s.tty = o->tty;
    s.resize = resize.s;
    s.proxy = o->sig_proxy;
    int code = EXIT_USAGE, end = -1;
    if (o->tty && a->in && keys_init(&s.keys, o->detach_keys, &e) < 0)
        return fail(cli, &e, EXIT_USAGE);
    bool ready = session_attach(&s, a->in, a->out, a->error, false, o->detach_keys, &e) == 0 &&
                 session_wait(&s, o->rm ? "removed" : "next-exit", &wait, &e) == 0 && session_open(&s, &e) == 0;
    bool started = ready && start(cli, id, &e) >= 0;
    if (started) {
        end = session_copy(&s, &e);
        cli->client.status = 0;
        code = EXIT_FAILED;
    } else if (ready) {
        code = start_failure(e.msg);
        if (o->rm)
            await_removal(&s);
    }
    term_restore(&s.term);
    if (end == SESSION_DETACHED)
        code = EXIT_OK;
    else if (end == SESSION_ENDED)
        code = session_exit_code(&s, &e);
    session_close(&s);
    if (!started)
        return fail(cli, &e, code);
    if (end < 0)
        return session_failed(&s, &e);
    if (code < 0)
        cli_fail(cli, &e);
    return code < 0 ? EXIT_USAGE : code;
}

static int run(struct cli *cli, void *options, const struct args *args)
{
    const struct create_options *o = options;
    struct attach_choice a;
    struct err e;
    if (create_attach_choice(o, &a, &e) < 0)
        return fail(cli, &e, EXIT_USAGE);
    if (o->detach && o->attach.n > 0) {
        err_set(&e, ERR_INVALID, "--attach and --detach exclude each other");
        return fail(cli, &e, EXIT_FAILED);
    }
    if (o->tty && a.in && !isatty(STDIN_FILENO)) {
        fprintf(stderr, "the input device is not a TTY\n");
        return EXIT_FAILED;
    }
    if (!o->detach && session_check(cli, &e) < 0)
        return fail(cli, &e, EXIT_USAGE);
    autofree char *id = create_container(cli, o, args, &e);
    if (!id)
        return fail(cli, &e, EXIT_USAGE);
    return o->detach ? run_detached(cli, id) : run_attached(cli, o, &a, id);
}

const struct command command_create = {
    .usage = "IMAGE [COMMAND] [ARG...]",
    .summary = "Create a container and do not start it",
    .flags = create_flags,
    .options = sizeof(struct create_options),
    .carries_command = true,
    .run = create,
};

const struct command command_run_container = {
    .usage = "IMAGE [COMMAND] [ARG...]",
    .summary = "Create a container from an image and run it",
    .flags = run_flags,
    .options = sizeof(struct create_options),
    .carries_command = true,
    .run = run,
};
