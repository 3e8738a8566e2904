/* cp: files between a container and here.
 *
 * The daemon knows nothing of copying: it gives one path as a tar (GET archive) and unpacks a tar into a folder (PUT
 * archive). What `cp` means, which is what `cp -r` means, is decided here, for both directions by one function: where
 * does the thing go, and what is it called there?
 *
 *     the destination is a folder       into it, under its own name; a source that ends in "/." brings its
 *                                       contents only
 *     it is something else              it is replaced; by a folder never
 *     it is not there                   the thing gets its name; its folder must be there
 *
 * How it fails: what was unpacked before an error stays, as with cp. Read next: tar_extract.c for what a hostile
 * archive may do here, tar_write.c for the other way. */
#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"
#include "cli/command.h"
#include "cli/human.h"
#include "cli/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAT_HEADER "X-Docker-Container-Path-Stat"
#define GO_DIR      (INT64_C(1) << 31) /* Go's os.FileMode */
#define GO_LINK     (INT64_C(1) << 27)

struct cp_options {
    bool archive, follow, quiet;
};

/* One end of the copy. */
struct end {
    const char *container; /* NULL: here */
    char *path;
    bool exists, folder;
};

static void end_release(struct end *x)
{
    free((char *)x->container);
    free(x->path);
}

/* ---- paths as text ---- */

static bool wants_folder(const char *path)
{
    return str_ends(path, "/") || str_ends(path, "/.") || str_eq(path, ".");
}

/* The last part as the archive calls it: "." where only the contents are meant. @return the caller's */
static char *base_of(const char *path)
{
    size_t n = strlen(path), start;
    if (str_eq(path, ".") || str_ends(path, "/."))
        return mem_strdup(".");
    while (n > 1 && path[n - 1] == '/')
        n--;
    for (start = n; start > 0 && path[start - 1] != '/';)
        start--;
    return n == 1 && *path == '/' ? mem_strdup("/") : mem_strndup(path + start, n - start);
}

/* What is before it; "" where there is nothing. @return the caller's */
static char *folder_of(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && (path[n - 1] == '/' || (path[n - 1] == '.' && path[n - 2] == '/')))
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    return mem_strndup(path, n);
}

/* "CONTAINER:PATH"; a path here begins with "/" or ".", or has no colon. */
static void read_end(const char *text, struct end *ret)
{
    const char *colon = strchr(text, ':');
    *ret = (struct end){0};
    if (colon && *text != '/' && *text != '.') {
        ret->container = mem_strndup(text, (size_t)(colon - text));
        text = colon + 1;
    }
    ret->path = mem_strdup(text);
}

/* Nothing after the colon is no path: docker refuses it too, and where the variable of a script was empty, "/" is not
 * what was meant. */
static int want_path(const struct end *x, struct err *e)
{
    if (!x->container || *x->path)
        return 0;
    return err_set(e, ERR_INVALID, "no such directory: the path in container %s is empty (%s:/ is its root)",
                   x->container, x->container);
}

/* The rule above. @param was the source's own name @param ret_folder, ret_name the caller's */
static int place(const struct end *src, const struct end *dst, const char *was, char **ret_folder, char **ret_name,
                 struct err *e)
{
    if (dst->exists && dst->folder) {
        *ret_folder = mem_strdup(dst->path);
        *ret_name = mem_strdup(str_eq(was, ".") || str_eq(was, "/") ? "" : was);
        return 0;
    }
    if (dst->exists && src->folder)
        return err_set(e, ERR_INVALID, "cannot copy directory");
    if (!dst->exists && !src->folder && wants_folder(dst->path))
        return err_set(e, ERR_INVALID, "no such directory");
    *ret_folder = folder_of(dst->path);
    *ret_name = base_of(dst->path);
    return 0;
}

/* ---- the container's side ---- */

/* What the daemon says of a path. @return a new reference, or NULL */
static json_t *read_stat(const struct reply *r, struct err *e)
{
    size_t n;
    const char *value = http_header(&r->head, STAT_HEADER);
    autofree char *text = value ? base64_decode(value, &n) : NULL;
    if (text)
        return json_parse(text, n, e);
    return err_null(err_set(e, ERR_SYSTEM, "the daemon's answer says nothing of the path"));
}

static json_t *ask_stat(struct cli *cli, const struct end *x, const char *at, struct err *e)
{
    autostr path = STR_INIT;
    struct reply r;
    path_start(&path, "/containers/%s/archive", x->container);
    path_query(&path, "path", at);
    if (client_request(&cli->client, "HEAD", path.s, NULL, NULL, &r, e) < 0)
        return NULL;
    json_t *stat = read_stat(&r, e);
    reply_release(&r);
    return stat;
}

/* Follow the link that `x` may be. A miss is no error: the daemon will say so where it matters. */
static void resolve(struct cli *cli, struct end *x)
{
    struct err ignored;
    json_auto_t *stat = ask_stat(cli, x, x->path, &ignored);
    const char *target = json_str(stat, "linkTarget", "");
    if (json_int(stat, "mode", 0) & GO_LINK && *target) {
        free(x->path);
        x->path = mem_strdup(target);
        json_decref(stat);
        stat = ask_stat(cli, x, x->path, &ignored);
    }
    x->exists = stat != NULL;
    x->folder = (json_int(stat, "mode", 0) & GO_DIR) != 0;
}

static void report(const struct cp_options *o, int64_t bytes, const char *to)
{
    char size[HUMAN_TEXT];
    if (!o->quiet && isatty(STDERR_FILENO))
        fprintf(stderr, "Successfully copied %s to %s\n", human_size((double)bytes, 4, size), to);
}

/* ---- from a container ---- */

/* It comes from the daemon (the path's stat, or where its link leads to) and becomes a path here: "../.ssh" would be
 * outside the destination. */
static int check_name(const char *name, struct err *e)
{
    if (str_eq(name, "/") || (!strchr(name, '/') && !str_eq(name, "..")))
        return 0;
    return err_set(e, ERR_INVALID, "what is to be copied is called \"%.200s\", and that leads elsewhere", name);
}

static ssize_t from_reply(void *arg, void *p, size_t n, struct err *e)
{
    return reply_read(arg, p, n, e);
}

/* A destination that is a link is what the link leads to. */
static void look_here(struct end *x)
{
    struct stat st;
    autofree char *real = realpath(x->path, NULL);
    x->exists = stat(x->path, &st) == 0;
    x->folder = x->exists && S_ISDIR(st.st_mode);
    if (real && x->exists && !x->folder) {
        free(x->path);
        x->path = take_ptr(&real);
    }
}

static int unpack(struct reply *r, const struct cp_options *o, const char *was, const char *folder, const char *name,
                  int64_t *ret_bytes, struct err *e)
{
    struct span span = trace_begin(4, "unpack the archive here");
    struct tar_reader t = {.source = from_reply, .arg = r};
    autoclose int dir = open(str_empty(folder) ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_set(e, ERR_INVALID, "invalid output path: directory \"%s\" does not exist", folder);
    struct tar_extract x = {.dir = dir, .was = was, .name = name, .owners = o->archive};
    int got = tar_extract(&t, &x, e);
    tar_reader_release(&t);
    if (x.skipped > 0)
        fprintf(stderr, "gorae: %llu devices were not copied\n", (unsigned long long)x.skipped);
    if (x.plain > 0)
        fprintf(stderr, "gorae cp: the setuid and setgid bits of %llu files were left out\n",
                (unsigned long long)x.plain);
    trace_end(&span, "%lld bytes into %s", (long long)x.bytes, folder);
    *ret_bytes = x.bytes;
    return got;
}

static int copy_from(struct cli *cli, const struct cp_options *o, struct end *src, struct end *dst, struct err *e)
{
    autostr path = STR_INIT;
    autofree char *was = NULL, *called = base_of(src->path), *folder = NULL, *name = NULL;
    struct reply r;
    int64_t bytes = 0;
    if (str_eq(dst->path, "-") && isatty(STDOUT_FILENO))
        return err_set(e, ERR_INVALID, "standard output is a terminal; redirect it");
    if (o->follow)
        resolve(cli, src);
    path_start(&path, "/containers/%s/archive", src->container);
    path_query(&path, "path", src->path);
    if (client_request(&cli->client, "GET", path.s, NULL, NULL, &r, e) < 0)
        return -1;
    json_auto_t *stat = read_stat(&r, e);
    src->folder = (json_int(stat, "mode", 0) & GO_DIR) != 0;
    was = mem_strdup(json_str(stat, "name", "."));
    const char *own = o->follow ? called : was;
    look_here(dst);
    int got = stat ? 0 : -1;
    if (got == 0 && str_eq(dst->path, "-"))
        got = cli_copy_reply(&r, STDOUT_FILENO, e);
    else if (got == 0 && (got = check_name(own, e)) == 0 && (got = place(src, dst, own, &folder, &name, e)) == 0 &&
             (got = unpack(&r, o, was, folder, name, &bytes, e)) == 0)
        report(o, bytes, dst->path);
    cli->client.status = got < 0 ? 0 : cli->client.status; /* what failed was here */
    reply_release(&r);
    return got;
}

/* ---- to a container ---- */

static ssize_t from_stdin(void *arg, void *p, size_t n, struct err *e)
{
    ssize_t k;
    (void)arg;
    do
        k = read(STDIN_FILENO, p, n);
    while (k < 0 && errno == EINTR);
    return k < 0 ? err_sys(e, "cannot read the archive") : k;
}

static int upload(struct cli *cli, const struct cp_options *o, const struct end *dst, const char *folder,
                  client_source *source, void *arg, struct err *e)
{
    autostr path = STR_INIT;
    struct reply r;
    path_start(&path, "/containers/%s/archive", dst->container);
    path_flag(&path, "copyUIDGID", o->archive);
    path_query(&path, "noOverwriteDirNonDir", "true");
    path_query(&path, "path", str_empty(folder) ? "/" : folder);
    if (client_upload(&cli->client, "PUT", path.s, NULL, "application/x-tar", source, arg, &r, e) < 0)
        return -1;
    reply_release(&r);
    return 0;
}

static int send_stdin(struct cli *cli, const struct cp_options *o, const struct end *dst, const char *given,
                      struct err *e)
{
    if (!dst->folder) {
        cli->client.status = 0;
        return err_set(e, ERR_INVALID, "destination \"%s:%s\" must be a directory", dst->container, given);
    }
    return upload(cli, o, dst, dst->path, from_stdin, NULL, e);
}

static int look_at_source(struct end *src, bool follow, struct err *e)
{
    struct stat st;
    follow = follow || wants_folder(src->path);
    if (fstatat(AT_FDCWD, src->path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOTDIR ? err_set(e, ERR_INVALID, "not a directory") : err_sys(e, "lstat %s", src->path);
    src->folder = S_ISDIR(st.st_mode);
    return wants_folder(src->path) && !src->folder ? err_set(e, ERR_INVALID, "not a directory") : 0;
}

static int copy_to(struct cli *cli, const struct cp_options *o, struct end *src, struct end *dst, struct err *e)
{
    autofree char *given = mem_strdup(dst->path), *was = base_of(src->path), *folder = NULL, *name = NULL;
    bool standard = str_eq(src->path, "-"), follow = o->follow || wants_folder(src->path);
    if (!standard && look_at_source(src, follow, e) < 0)
        return -1;
    resolve(cli, dst);
    if (standard)
        return send_stdin(cli, o, dst, given, e);
    cli->client.status = 0; /* what fails up to the upload fails here */
    if (place(src, dst, was, &folder, &name, e) < 0)
        return -1;
    struct tar_writer *w = tar_writer_new(src->path, follow, str_empty(name) ? "." : name, e);
    if (!w)
        return -1;
    autofree char *to = str_printf("%s:%s", dst->container, given);
    int got = upload(cli, o, dst, folder, tar_write, w, e);
    if (got == 0)
        report(o, tar_writer_bytes(w), to);
    tar_writer_free(w);
    return got;
}

static int cp(struct cli *cli, void *options, const struct args *args)
{
    __attribute__((cleanup(end_release))) struct end src = {0};
    __attribute__((cleanup(end_release))) struct end dst = {0};
    struct err e;
    int got;
    read_end(args->v[0], &src);
    read_end(args->v[1], &dst);
    if (!*args->v[0] || !*args->v[1])
        got = err_set(&e, ERR_INVALID, "%s can not be empty", *args->v[0] ? "destination" : "source");
    else if (src.container && dst.container)
        got = err_set(&e, ERR_INVALID, "copying between containers is not supported");
    else if (!src.container && !dst.container)
        got = err_set(&e, ERR_INVALID, "must specify at least one container source");
    else if (want_path(&src, &e) < 0 || want_path(&dst, &e) < 0)
        got = -1;
    else
        got = src.container ? copy_from(cli, options, &src, &dst, &e) : copy_to(cli, options, &src, &dst, &e);
    return got < 0 ? cli_fail(cli, &e) : EXIT_OK;
}

#define CP(member) offsetof(struct cp_options, member)
static const struct flag cp_flags[] = {
    {"archive", 'a', FLAG_BOOL, CP(archive), "Into a container: give everything to its user; out of it: keep owners",
     NULL, NULL},
    {"follow-link", 'L', FLAG_BOOL, CP(follow), "Copy what a link in SRC_PATH leads to", NULL, NULL},
    {"quiet", 'q', FLAG_BOOL, CP(quiet), "Do not say at the end how much was copied", NULL, NULL},
    {.type = FLAG_END},
};
const struct command command_cp = {
    .usage = "CONTAINER:SRC_PATH DEST_PATH|-  or  [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    .summary = "Copy files and folders between a container and here ('-' is a tar archive)",
    .flags = cp_flags,
    .options = sizeof(struct cp_options),
    .run = cp,
};
