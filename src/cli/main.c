/* gorae: the client.
 *
 * It is step 1 and the end of step 4 of the course's figure: what a person types becomes a request, and the answer
 * becomes text. Between them the client knows nothing: no container, no image, no rule about them; all that is in the
 * daemon. So this program runs without privileges, needs one socket, and works with any daemon that speaks the Engine
 * API.
 *
 *     gorae [global options] COMMAND [options] [arguments]
 *
 * Starting must be quick, since scripts start it thousands of times: nothing is read, dialled or allocated in bulk
 * before the command is known, and --help touches no socket at all.
 *
 * Read next: command.c (which command?), container_list.c (`ps`, the plainest of them), run.c (the richest). */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/endpoint.h"
#include "cli/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int wrong(const char *why)
{
    fprintf(stderr, "gorae: %s\n\nUsage:  gorae [OPTIONS] COMMAND [ARG...]\n\nSee 'gorae --help'.\n", why);
    return EXIT_USAGE;
}

static int run(const struct global_options *o, const struct args *args, int64_t started, int argc, char **argv)
{
    struct endpoint daemon = {0};
    struct cli cli = {.global = o, .daemon = &daemon, .out_tty = isatty(STDOUT_FILENO)};
    struct explain story = EXPLAIN_INIT;
    struct err e;
    int code = EXIT_USAGE;
    if (endpoint_check(o, &e) < 0) {
        wrong(e.msg);
    } else if (explain_begin(&story, &cli, o->explain, started, argc, argv, &e) < 0) {
        wrong(e.msg);
    } else {
        code = command_run(&cli, args);
        if (fflush(stdout) != 0 && code == EXIT_OK) {
            perror("gorae: cannot write to standard output");
            code = EXIT_FAILED;
        }
        explain_end(&story, &cli, code);
    }
    client_release(&cli.client);
    endpoint_release(&daemon);
    return code;
}

int main(int argc, char **argv)
{
    struct global_options o = {0};
    struct args args;
    struct err e;
    int64_t started = clock_mono();
    mem_setup();
    int r = flag_parse(global_flags, &o, argc - 1, argv + 1, false, &args, &e);
    bool debug = o.debug || str_eq(o.log_level, "debug");
    log_level(debug ? LOG_DEBUG : LOG_ERROR);
    int code;
    if (r < 0) {
        code = wrong(e.msg);
    } else if (o.version) {
        printf("gorae version %s, build %s\n", GORAE_VERSION, GORAE_COMMIT);
        code = EXIT_OK;
    } else if (r > 0 || args.n == 0) {
        code = command_help(&(struct args){NULL, 0});
    } else {
        code = run(&o, &args, started, argc, argv);
    }
    free(args.v);
    flag_release(global_flags, &o);
    return code;
}
