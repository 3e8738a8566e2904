/** @file
 * Contexts on disk: named daemons, in docker's own format and place, so that both clients share them.
 *
 *     CONFIG/config.json                          "currentContext": the one in use
 *     CONFIG/contexts/meta/ID/meta.json           {"Name", "Metadata": {"Description"},
 *                                                  "Endpoints": {"docker": {"Host", "SkipTLSVerify"}}}
 *     CONFIG/contexts/tls/ID/docker/ca.pem        and cert.pem, key.pem
 *
 * CONFIG is $DOCKER_CONFIG, else ~/.docker. ID is the SHA-256 of the name: a name may hold characters, and a length,
 * that a file's name may not. What was found by looking at what the stock client 28.2.2 writes. Keys that we do not
 * know are kept wherever a file is written again.
 */
#ifndef GORAE_WIRE_CONTEXT_H
#define GORAE_WIRE_CONTEXT_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>

#define CONTEXT_DEFAULT   "default" /**< is in no file: the daemon of -H, a variable, or the usual socket */
#define CONTEXT_FILES_MAX 64        /**< of TLS material */
#define CONTEXT_PATH_MAX  90        /**< bytes of a name of these */
#define CONTEXT_FILE_MAX  (1u << 20)
#define CONTEXT_CONFIG    (8u << 20) /**< bytes of config.json */

/** TLS material: `name` is "docker/ca.pem", the first part being the endpoint that it belongs to. */
struct context_file {
    char *name, *bytes;
    size_t n;
};

/** A whole context in memory. Zero is an empty one. */
struct context {
    json_t *meta;
    struct context_file file[CONTEXT_FILES_MAX];
    size_t files;
};
#define autocontext __attribute__((cleanup(context_release))) struct context
void context_release(struct context *c);
/** Add a file; takes `bytes`. One of that name is replaced. @return 0, or -1 where there are too many */
int context_add_file(struct context *c, const char *name, char *bytes, size_t n, struct err *e);
/** Remove all files of the endpoint "docker". */
void context_drop_files(struct context *c);

/** Is this a name that a stored context may have? "default" may not. */
int context_check_name(const char *name, struct err *e);
/** Is this what a meta.json may hold? @param where names it in the sentence */
int context_check_meta(const json_t *meta, const char *where, struct err *e);

/** A file of CONFIG. @return the caller's path; NULL where there is no home */
char *context_config(const char *name);
/** Where the files of a context are: `kind` is "meta" or "tls". @return the caller's; NULL where there is no home */
char *context_folder(const char *kind, const char *name);
/** One file of its TLS material. @return the caller's path, NULL where there is no such file */
char *context_tls_path(const char *name, const char *file);

/** The meta.json of a context. @return new, or NULL with ERR_NOT_FOUND where there is none of that name */
json_t *context_meta(const char *name, struct err *e);
/** All of it. On failure `ret` is empty. */
int context_load(const char *name, struct context *ret, struct err *e);
/** Write it, under the name that its meta.json says, instead of what is there. The context appears, or changes, in one
 * step: the last. */
int context_save(const struct context *c, struct err *e);
/** Remove it. ERR_NOT_FOUND where there is none. */
int context_remove(const char *name, struct err *e);

/** The meta.json of every context, by name (web2 before web10). What cannot be read is left out and named in `ret_bad`,
 * a line each. @return a new array, or NULL where the folder itself cannot be read */
json_t *context_list(struct str *ret_bad, struct err *e);

/** The name in config.json. @param ret the caller's; NULL where it names none @return 0, or -1 where the file is there
 * and cannot be understood */
int context_current(char **ret, struct err *e);
/** Write a name into config.json; NULL or "default" takes it out. All else in the file stays, and so does its mode. */
int context_use(const char *name, struct err *e);

#endif
