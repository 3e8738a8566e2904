/* What a container has changed: its writable layer, read beside the image's layers.
 *
 * overlayfs keeps every change in the upper folder: a new or changed file whole, a deleted name as a character device
 * 0:0. One thing it keeps in an attribute that we may not read (trusted.overlay.opaque, which takes CAP_SYS_ADMIN):
 * that a folder was deleted and made again, and hides what the image had in it. So the kernel is asked by the way of
 * its answer: a name that the layers below have, that the upper folder lacks, and that is not to be seen in the
 * container's root, is deleted.
 *
 * Three folders are walked side by side, by descriptor: upper, the image's layers as one (lower), and the root. Names
 * come sorted. A folder that is in both and differs in nothing is no change by itself; what is in it may be.
 *
 * The same walk gives two answers: the list of `diff`, and the tar of a layer for `commit`, where a deletion is an
 * empty file ".wh.NAME" (OCI image specification, layer.md). Next: commit.c. */
#include "archive/worker.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum kind { MODIFIED = 0, ADDED = 1, DELETED = 2 }; /* the API's numbers */

#define FLUSH_BYTES (64 << 10)

struct changes {
    struct pack *pack; /* NULL: list them */
    struct str text;   /* of the list, not yet written */
    uint64_t n;
};

/* The three folders at one place; lower is -1 where the image has none there. */
struct level {
    int upper, lower, root;
    const char *path; /* "" at the top */
    int depth;
};

static int flush(struct changes *c, struct err *e)
{
    if (fd_write_all(STDOUT_FILENO, c->text.s, c->text.len) < 0)
        return err_sys(e, "write the list of changes");
    str_reset(&c->text);
    return 0;
}

static int list_one(struct changes *c, const char *path, enum kind kind, struct err *e)
{
    json_auto_t *j = json_pack("{s:o, s:i}", "Path", json_string_lossy(path, strlen(path)), "Kind", (int)kind);
    autofree char *text = json_compact(j);
    str_addf(&c->text, "%c%s", c->n == 1 ? '[' : ',', text);
    return c->text.len > FLUSH_BYTES ? flush(c, e) : 0;
}

static int tell(struct changes *c, const struct level *at, const char *name, enum kind kind, struct err *e)
{
    struct stat st;
    autofree char *path = str_printf("%s/%s", at->path, name);
    c->n++;
    if (!c->pack)
        return list_one(c, path, kind, e);
    if (kind == DELETED)
        return pack_whiteout(c->pack, at->path + (*at->path == '/'), name, e);
    return pack_add(c->pack, at->upper, name, path + 1, &st, e);
}

static bool same_folder(const struct stat *a, const struct stat *b)
{
    return S_ISDIR(a->st_mode) && S_ISDIR(b->st_mode) && a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
           a->st_gid == b->st_gid && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int open_folder(int at, const char *name)
{
    return at < 0 ? -1 : openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int compare_folder(struct changes *c, const struct level *at, struct err *e);

static int descend(struct changes *c, const struct level *at, const char *name, struct err *e)
{
    autofree char *path = str_printf("%s/%s", at->path, name);
    autoclose int upper = open_folder(at->upper, name), lower = open_folder(at->lower, name),
                  root = open_folder(at->root, name);
    const struct level below = {upper, lower, root, path, at->depth + 1};
    char shown[PATH_SHOWN];
    if (upper < 0) /* the container has removed it since */
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : err_sys(e, "open folder");
    if (below.depth > DEPTH_MAX)
        return err_set(e, ERR_TOO_LARGE, "%s lies deeper than %d folders", path_show(path, shown), DEPTH_MAX);
    return compare_folder(c, &below, e);
}

/* What a start puts into a root as places to mount something on, where the image lacks them. Docker keeps them in a
 * layer of their own; here they lie with the container's changes, and are none. */
static bool is_placeholder(const char *path, const struct stat *st)
{
    static const char *const made[] = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev",  "/dev/console",
                                       "/dev/pts",   "/dev/shm",      "/dev/mqueue",      "/proc", "/sys"};
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        if (str_eq(path, made[i]))
            return S_ISDIR(st->st_mode) || (S_ISREG(st->st_mode) && st->st_size == 0);
    return false;
}

/* Is there nothing in this folder but placeholders? Then only they have changed its time. */
static bool only_placeholders(const struct level *at, const char *name)
{
    struct err ignored;
    struct stat st;
    autostrv names = {NULL, 0};
    autoclose int fd = open_folder(at->upper, name);
    if (fd < 0 || pack_names(fd, &names, &ignored) < 0)
        return false;
    for (size_t i = 0; i < names.n; i++) {
        autofree char *path = str_printf("%s/%s/%s", at->path, name, names.v[i]);
        if (fstatat(fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0 || !is_placeholder(path, &st))
            return false;
    }
    return names.n > 0;
}

static bool is_ours(const struct level *at, const char *name, const struct stat *up, const struct stat *low)
{
    autofree char *path = str_printf("%s/%s", at->path, name);
    if (!low)
        return is_placeholder(path, up) && (!S_ISDIR(up->st_mode) || only_placeholders(at, name) || up->st_nlink == 2);
    struct stat aged = *up;
    aged.st_mtim = low->st_mtim;
    return S_ISDIR(up->st_mode) && same_folder(&aged, low) && only_placeholders(at, name);
}

/* A name of the upper folder. */
static int compare_upper(struct changes *c, const struct level *at, const char *name, struct err *e)
{
    struct stat up, low;
    if (fstatat(at->upper, name, &up, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "stat");
    bool had = at->lower >= 0 && fstatat(at->lower, name, &low, AT_SYMLINK_NOFOLLOW) == 0;
    if (merged_is_whiteout(&up))
        return had ? tell(c, at, name, DELETED, e) : 0;
    if (is_ours(at, name, &up, had ? &low : NULL))
        return 0;
    if (!(had && same_folder(&up, &low)) && tell(c, at, name, had ? MODIFIED : ADDED, e) < 0)
        return -1;
    return S_ISDIR(up.st_mode) ? descend(c, at, name, e) : 0;
}

/* A name that only the layers below have. */
static int compare_lower(struct changes *c, const struct level *at, const char *name, struct err *e)
{
    struct stat st;
    if (at->root >= 0 && (fstatat(at->root, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT))
        return 0;
    return tell(c, at, name, DELETED, e);
}

static int compare_folder(struct changes *c, const struct level *at, struct err *e)
{
    autostrv up = {NULL, 0}, low = {NULL, 0};
    if (pack_names(at->upper, &up, e) < 0 || (at->lower >= 0 && pack_names(at->lower, &low, e) < 0))
        return -1;
    for (size_t i = 0, k = 0; i < up.n || k < low.n;) {
        int order = i == up.n ? 1 : k == low.n ? -1 : strcmp(up.v[i], low.v[k]);
        int r = order <= 0 ? compare_upper(c, at, up.v[i], e) : compare_lower(c, at, low.v[k], e);
        if (r < 0)
            return -1;
        i += order <= 0;
        k += order >= 0;
    }
    return 0;
}

int changes_run(const struct view *v, bool as_layer, struct err *e)
{
    struct span span = trace_begin(0, "compare with the image");
    struct changes c = {.pack = as_layer ? pack_open(e) : NULL};
    const struct level top = {v->upper, v->lower, v->root, "", 1};
    if (as_layer && !c.pack)
        return -1;
    str_reset(&c.text);
    int r = compare_folder(&c, &top, e);
    if (r == 0 && !as_layer) {
        str_add(&c.text, c.n ? "]\n" : "null\n");
        r = flush(&c, e);
    }
    str_release(&c.text);
    if (r == 0 && as_layer)
        r = pack_close(take_ptr(&c.pack), e);
    pack_drop(&c.pack);
    trace_end(&span, "%llu changes", (unsigned long long)c.n);
    return r < 0 ? -1 : message_send(json_pack("{s:s, s:I}", "ev", "done", "changes", (json_int_t)c.n), e);
}
