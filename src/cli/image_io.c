/* Archives in and out: import, load, save.
 *
 * `save` and `load` carry whole images (layers, configuration, names); `import` makes an image of one layer from the
 * tar of a root file system. Bytes pass through in pieces of a few kilobytes, so an image may be larger than memory.
 *
 * How it fails: `save -o FILE` writes beside FILE and renames at the end, so that a broken connection leaves no half
 * archive under a name that looks whole. A terminal is refused as the other end of an archive.
 * Read next: progress.c, wire/client.h (client_upload). */
#include "cli/command.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* client_source: the bytes of a descriptor. */
static ssize_t from_fd(void *arg, void *p, size_t n, struct err *e)
{
    const int *fd = arg;
    ssize_t k;
    do
        k = read(*fd, p, n);
    while (k < 0 && errno == EINTR);
    return k < 0 ? err_sys(e, "cannot read the archive") : k;
}

/* The archive to send: a file, or standard input for NULL and "-". *ret_owned is to be closed. */
static int open_input(const char *path, int *ret_owned, struct err *e)
{
    *ret_owned = -1;
    if (!path || str_eq(path, "-")) {
        if (isatty(STDIN_FILENO))
            return err_set(e, ERR_INVALID, "standard input is a terminal; redirect an archive into it, or name a file");
        return STDIN_FILENO;
    }
    *ret_owned = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return *ret_owned < 0 ? err_sys(e, "cannot open %s", path) : *ret_owned;
}

/* ---- load ---- */

struct load_options {
    bool quiet;
    char *input, *platform;
};

static int load(struct cli *cli, void *options, const struct args *args)
{
    const struct load_options *o = options;
    autoclose int owned = -1;
    autostr path = STR_INIT;
    struct reply r;
    struct err e;
    (void)args;
    int fd = open_input(o->input, &owned, &e);
    if (fd < 0)
        return cli_fail(cli, &e);
    path_start(&path, "/images/load");
    path_query(&path, "platform", o->platform);
    path_flag(&path, "quiet", o->quiet || !isatty(STDOUT_FILENO));
    if (client_upload(&cli->client, "POST", path.s, NULL, "application/x-tar", from_fd, &fd, &r, &e) < 0)
        return cli_fail(cli, &e);
    int result = progress_show(&r, stdout, &e);
    reply_release(&r);
    return result < 0 ? cli_fail_own(cli, &e) : EXIT_OK;
}

/* ---- import ---- */

struct import_options {
    struct strv change;
    char *message, *platform;
};

static void import_path(struct str *path, const struct import_options *o, const char *source, const char *name)
{
    bool url = str_starts(source, "http://") || str_starts(source, "https://");
    autofree char *repo = NULL, *tag = NULL;
    if (name)
        image_split(name, &repo, &tag);
    path_start(path, "/images/create");
    for (size_t i = 0; i < o->change.n; i++)
        path_query(path, "changes", o->change.v[i]);
    path_query(path, "fromSrc", url ? source : "-");
    path_query(path, "message", o->message);
    path_query(path, "platform", o->platform);
    path_query(path, "repo", repo);
    path_query(path, "tag", tag);
}

static int import(struct cli *cli, void *options, const struct args *args)
{
    const char *source = args->v[0];
    autoclose int owned = -1;
    autostr path = STR_INIT;
    struct reply r;
    struct err e;
    import_path(&path, options, source, args->n > 1 ? args->v[1] : NULL);
    if (strstr(path.s, "fromSrc=-")) {
        int fd = open_input(source, &owned, &e);
        if (fd < 0)
            return cli_fail(cli, &e);
        if (client_upload(&cli->client, "POST", path.s, NULL, "application/x-tar", from_fd, &fd, &r, &e) < 0)
            return cli_fail(cli, &e);
    } else if (client_request(&cli->client, "POST", path.s, NULL, NULL, &r, &e) < 0) {
        return cli_fail(cli, &e);
    }
    int result = progress_show(&r, stdout, &e);
    reply_release(&r);
    return result < 0 ? cli_fail_own(cli, &e) : EXIT_OK;
}

/* ---- save ---- */

struct save_options {
    char *output, *platform;
};

int cli_copy_reply(struct reply *r, int fd, struct err *e)
{
    autofree char *part = mem_alloc(65536);
    ssize_t n;
    while ((n = reply_read(r, part, 65536, e)) > 0)
        if (fd_write_all(fd, part, (size_t)n) < 0)
            return err_sys(e, "cannot write the archive");
    return n < 0 ? -1 : 0;
}

/* Only a plain file can be replaced at the end; /dev/null, pipes and links are written to as they are. A new file is
 * its maker's alone; one that was there keeps whose it is, and then who may read it. */
static int copy_to_file(struct reply *r, const char *path, struct err *e)
{
    struct stat before;
    bool there = lstat(path, &before) == 0, plain = !there || S_ISREG(before.st_mode);
    autofree char *name = plain ? str_printf("%s.part-%d", path, (int)getpid()) : mem_strdup(path);
    autoclose int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | (plain ? O_EXCL : O_TRUNC), 0600);
    if (fd < 0)
        return err_sys(e, "cannot write %s", name);
    int result = cli_copy_reply(r, fd, e);
    if (plain && there && fchown(fd, before.st_uid, before.st_gid) == 0)
        fchmod(fd, before.st_mode & 0777);
    if (plain && result == 0 && rename(name, path) < 0)
        result = err_sys(e, "cannot rename %s to %s", name, path);
    if (plain && result < 0)
        unlink(name);
    return result;
}

int cli_save(struct cli *cli, const char *path, const char *file)
{
    struct reply r;
    struct err e;
    if (!file && isatty(STDOUT_FILENO)) {
        err_set(&e, ERR_INVALID, "standard output is a terminal; redirect it, or name a file with -o");
        return cli_fail(cli, &e);
    }
    if (client_request(&cli->client, "GET", path, NULL, NULL, &r, &e) < 0)
        return cli_fail(cli, &e);
    int result = file ? copy_to_file(&r, file, &e) : cli_copy_reply(&r, STDOUT_FILENO, &e);
    reply_release(&r);
    return result < 0 ? cli_fail_own(cli, &e) : EXIT_OK;
}

static int save(struct cli *cli, void *options, const struct args *args)
{
    const struct save_options *o = options;
    autostr path = STR_INIT;
    path_start(&path, "/images/get");
    for (size_t i = 0; i < args->n; i++)
        path_query(&path, "names", args->v[i]);
    path_query(&path, "platform", o->platform);
    return cli_save(cli, path.s, o->output);
}

/* ---- who they are ---- */

#define LOAD(member)   offsetof(struct load_options, member)
#define IMPORT(member) offsetof(struct import_options, member)
#define SAVE(member)   offsetof(struct save_options, member)

static const struct flag load_flags[] = {
    {"input", 'i', FLAG_STRING, LOAD(input), "Read this file instead of standard input", NULL, NULL},
    {"platform", 0, FLAG_STRING, LOAD(platform), "Only this platform (os[/arch[/variant]])", NULL, NULL},
    {"quiet", 'q', FLAG_BOOL, LOAD(quiet), "Only the names that were loaded", NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag import_flags[] = {
    {"change", 'c', FLAG_LIST, IMPORT(change), "Apply a line of a Dockerfile, e.g. 'CMD [\"sh\"]'", NULL, NULL},
    {"message", 'm', FLAG_STRING, IMPORT(message), "Comment for the image's history", NULL, NULL},
    {"platform", 0, FLAG_STRING, IMPORT(platform), "Platform of the image (os[/arch[/variant]])", NULL, NULL},
    {.type = FLAG_END},
};
static const struct flag save_flags[] = {
    {"output", 'o', FLAG_STRING, SAVE(output), "Write to this file instead of standard output", NULL, NULL},
    {"platform", 0, FLAG_STRING, SAVE(platform), "Only this platform (os[/arch[/variant]])", NULL, NULL},
    {.type = FLAG_END},
};

const struct command command_load = {
    .summary = "Load images from an archive that save made",
    .flags = load_flags,
    .options = sizeof(struct load_options),
    .run = load,
};
const struct command command_import = {
    .usage = "FILE|URL|- [REPOSITORY[:TAG]]",
    .summary = "Make an image from the tar of a root file system",
    .flags = import_flags,
    .options = sizeof(struct import_options),
    .run = import,
};
const struct command command_save = {
    .usage = "IMAGE [IMAGE...]",
    .summary = "Write images, with their layers and names, into an archive",
    .flags = save_flags,
    .options = sizeof(struct save_options),
    .run = save,
};
