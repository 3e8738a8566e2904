/** @file
 * What every command has in hand: the daemon it talks to, and how it reports.
 *
 *     main.c ── command.c ── container.c, image.c, run.c … ── wire/client ──▶ daemon
 *                                    └── list.c, format.c, table.c ──▶ standard output
 *
 * Exit codes are docker's: 0; 1 the command failed; 125 the command line is wrong, or `run` itself failed; 126 and 127
 * the container's program cannot be run or found; otherwise that of the container's process, 128 + n for signal n.
 */
#ifndef GORAE_CLI_CLI_H
#define GORAE_CLI_CLI_H

#include "base/err.h"
#include "base/str.h"
#include "cli/flag.h"
#include "wire/client.h"

#include <stdbool.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

struct global_options; /* cli/command.h */
struct endpoint;       /* cli/endpoint.h */

struct cli {
    const struct global_options *global;
    struct endpoint *daemon; /**< where the client's daemon is; filled, as the client is, by endpoint_connect() */
    struct client client;
    char path[64]; /**< the command as typed, "container ls", for messages */
    bool out_tty;  /**< standard output is a terminal: foreign control bytes are escaped */
};

/** Print a failure on standard error: "Error response from daemon: …" where the daemon answered, our own sentence where
 * no answer came. @return EXIT_FAILED */
int cli_fail(const struct cli *cli, const struct err *e);

/** Likewise for a failure on our side after the daemon had answered: no prefix. @return EXIT_FAILED */
int cli_fail_own(struct cli *cli, const struct err *e);

/** The sentence that cli_fail() prints, without a newline. */
void cli_sentence(const struct cli *cli, const struct err *e, struct str *out);

/** Begin a path: path_start(&p, "/containers/%s/json", name). Each %s is encoded, but for its slashes and colons; other
 * conversions are not known. */
void path_start(struct str *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Add "?key=value" or "&key=value"; a NULL value adds nothing. */
void path_query(struct str *p, const char *key, const char *value);
/** Add "key=1" where it is set. */
void path_flag(struct str *p, const char *key, bool set);
/** Add filters={"name":{"value":true}} made of "name=value" strings; none adds nothing. */
void path_filters(struct str *p, const struct strv *filters);

/** Add a time that people write as "10m" (ago), a date, or unix seconds, as the last, which the API takes. NULL adds
 * nothing. */
int path_time(struct str *p, const char *key, const char *text, struct err *e);

/** Ask once: METHOD on "/KIND/NAME" + `rest`. @return the answer, a new reference; NULL on failure */
json_t *cli_ask(struct cli *cli, const char *method, const char *kind, const char *name, const char *rest,
                const json_t *body, struct err *e);

/** Call once for each argument: METHOD on "/KIND/ARGUMENT" + `rest`, printing the argument (where `echo`) after each
 * success, an error after each failure; a failure does not keep the others from their turn.
 * @return EXIT_OK or EXIT_FAILED */
int cli_each(struct cli *cli, const struct args *args, const char *method, const char *kind, const char *rest,
             bool echo);

/** GET an archive at `path` and write it to a file, which appears under its name when it is whole; NULL is standard
 * output, which must not be a terminal. @return exit code */
int cli_save(struct cli *cli, const char *path, const char *file);
/** The rest of an answer's body to a descriptor. @return 0 or -1 */
int cli_copy_reply(struct reply *r, int fd, struct err *e);

/** Split an image's name: "host:5000/a/b:tag" and "a@sha256:…". The tag is the digest where there is one. Names are
 * made whole (docker.io/library/…) by the daemon, not here. @param ret_tag NULL where the name has none; both the
 * caller's */
void image_split(const char *name, char **ret_repo, char **ret_tag);

#endif
