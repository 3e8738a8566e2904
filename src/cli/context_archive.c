/* `gorae context export` and `import`: a context in one file, to be carried to another machine.
 *
 * The archive is docker's, a tar of "meta.json" and "tls/ENDPOINT/FILE"; either client reads what the other wrote. It
 * holds the private key, so its file is for its owner alone. docker's own archive stops after the last byte of content,
 * without the filling and the end that tar asks for, hence tar_reader.open_end.
 *
 * What is imported comes from outside: size and number of files are limited, a name that is not of the two forms ends
 * the import, and nothing is written before all was read. Read next: tar_read.c, wire/context.c. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARCHIVE_MAX (10 << 20) /* docker's own limit */

/* ---- export ---- */

static void pack(const struct context *c, struct str *out)
{
    autofree char *meta = json_compact(c->meta);
    tar_add(out, "meta.json", S_IFREG | 0644, meta, strlen(meta));
    tar_add(out, "tls", S_IFDIR | 0700, NULL, 0);
    for (size_t i = 0; i < c->files; i++) {
        const char *name = c->file[i].name;
        size_t n = strcspn(name, "/") + 1;
        autofree char *folder = str_printf("tls/%.*s", (int)n - 1, name), *path = str_printf("tls/%s", name);
        bool told = false;
        for (size_t j = 0; j < i; j++)
            told = told || strncmp(c->file[j].name, name, n) == 0;
        if (!told)
            tar_add(out, folder, S_IFDIR | 0700, NULL, 0);
        tar_add(out, path, S_IFREG | 0600, c->file[i].bytes, c->file[i].n);
    }
    tar_end(out);
}

static int write_archive(const char *path, const struct str *archive, struct err *e)
{
    autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, "cannot create %s", path);
    if (fd_write_all(fd, archive->s, archive->len) == 0)
        return 0;
    err_sys(e, "cannot write %s", path);
    unlink(path);
    return -1;
}

static int export(struct cli *cli, void *options, const struct args *args)
{
    const char *name = args->v[0];
    autofree char *path = args->n > 1 ? mem_strdup(args->v[1]) : str_printf("%s.dockercontext", name);
    autocontext c = {0};
    autostr archive = STR_INIT;
    struct err e = {0};
    (void)options;
    if (str_eq(path, "-") && cli->out_tty) {
        err_set(&e, ERR_INVALID, "cowardly refusing to export to a terminal, specify a file path");
        return cli_fail(cli, &e);
    }
    if (context_take(cli, name, &c, &e) < 0)
        return cli_fail(cli, &e);
    pack(&c, &archive);
    if (str_eq(path, "-"))
        return fwrite(archive.s, 1, archive.len, stdout) == archive.len ? EXIT_OK : EXIT_FAILED;
    if (write_archive(path, &archive, &e) < 0)
        return cli_fail(cli, &e);
    fprintf(stderr, "Written file \"%s\"\n", path);
    return EXIT_OK;
}

/* ---- import ---- */

struct source {
    int fd;
    size_t taken;
};

static ssize_t next_bytes(void *arg, void *p, size_t n, struct err *e)
{
    struct source *s = arg;
    ssize_t k;
    do
        k = read(s->fd, p, n);
    while (k < 0 && errno == EINTR);
    if (k < 0)
        return err_sys(e, "read");
    if (s->taken == 0 && k > 1 && memcmp(p, "PK", 2) == 0)
        return err_set(e, ERR_UNSUPPORTED,
                       "it is a zip archive; gorae takes tar, which is what `context export` writes");
    s->taken += (size_t)k;
    return s->taken <= ARCHIVE_MAX ? k : err_set(e, ERR_TOO_LARGE, "it is larger than %d bytes", ARCHIVE_MAX);
}

/* "ENDPOINT/FILE", both plain names. */
static bool is_material(const char *s)
{
    size_t n = strcspn(s, "/");
    return n > 0 && s[n] && *s != '.' && s[n + 1] && s[n + 1] != '.' && !strchr(s + n + 1, '/');
}

static int take_entry(struct tar_reader *t, struct context *c, struct err *e)
{
    const char *name = t->entry.name.s;
    while (str_starts(name, "./"))
        name += 2;
    bool meta = str_eq(name, "meta.json");
    if (t->entry.type == '5')
        return 0;
    if (t->entry.type != '0' || (!meta && !(str_starts(name, "tls/") && is_material(name + 4))))
        return err_set(e, ERR_INVALID, "\"%s\" does not belong into the archive of a context", name);
    if (t->entry.size > CONTEXT_FILE_MAX)
        return err_set(e, ERR_TOO_LARGE, "%s is larger than %u bytes", name, CONTEXT_FILE_MAX);
    size_t n = (size_t)t->entry.size, got = 0;
    autofree char *bytes = mem_alloc(n + 1);
    while (got < n) {
        ssize_t k = tar_read(t, bytes + got, n - got, e);
        if (k < 0)
            return -1;
        got += (size_t)k;
    }
    if (!meta)
        return context_add_file(c, name + 4, take_ptr(&bytes), n, e);
    json_decref(c->meta);
    c->meta = json_parse(bytes, n, e);
    return c->meta ? 0 : err_wrap(e, "meta.json");
}

/* @param name what the context shall be called here */
static int unpack(int fd, const char *name, struct context *c, struct err *e)
{
    struct source s = {.fd = fd};
    struct tar_reader t = {.source = next_bytes, .arg = &s, .open_end = true};
    int more;
    while ((more = tar_next(&t, e)) > 0 && take_entry(&t, c, e) == 0)
        ;
    tar_reader_release(&t);
    if (more != 0)
        return -1;
    if (!c->meta)
        return err_set(e, ERR_INVALID, "there is no meta.json in it");
    if (json_is_object(c->meta))
        json_object_set_new(c->meta, "Name", json_string(name));
    return context_check_meta(c->meta, "meta.json", e);
}

static int import(struct cli *cli, void *options, const struct args *args)
{
    const char *name = args->v[0], *path = args->v[1];
    autocontext c = {0};
    struct err e = {0};
    (void)options;
    if (context_check_new(name, &e) < 0)
        return cli_fail(cli, &e);
    bool piped = str_eq(path, "-");
    autoclose int fd = piped ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        err_sys(&e, "cannot open %s", path);
        return cli_fail(cli, &e);
    }
    if (unpack(fd, name, &c, &e) < 0) {
        err_wrap(&e, "cannot import %s", piped ? "from standard input" : path);
        return cli_fail(cli, &e);
    }
    return context_finish(cli, &c, name, "imported");
}

const struct command command_context_export = {
    .usage = "CONTEXT [FILE|-]",
    .summary = "Write a context to a tar archive, keys and all",
    .local = true,
    .run = export,
};
const struct command command_context_import = {
    .usage = "CONTEXT FILE|-",
    .summary = "Make a context from such an archive",
    .local = true,
    .run = import,
};
