/* The extractor: one tar, entry by entry, becomes a folder.
 *
 * Entries of a tar that comes from outside may be in any order, repeat, contradict each other and lie. The rules here
 * make every such archive either a refused one or a harmless one:
 *
 *   1. A name is cleaned of "/" in front and "." within; ".." is refused (path.c).
 *   2. The folder that an entry goes into is resolved by merged.c and held open; the entry itself is then one name in
 *      it, never followed.
 *   3. What is not a folder replaces whatever is there. A folder merges with a folder.
 *   4. A hard link needs a target in this same layer, found by rule 2.
 *   5. Deletions (names with .wh. in front) become what overlayfs understands: a character device 0:0, or, for a
 *      whole folder, a mark that is listed in the result. A deletion of what is not there makes nothing.
 *   6. Everything that adds up has a limit: entries, bytes, depth, remembered paths.
 *
 * Whoever sets trusted.overlay.opaque needs CAP_SYS_ADMIN, which would open every wall around this process; so the
 * daemon sets it, on the folders that we list, below a descriptor of the finished layer.
 *
 * Failure leaves a half-filled folder. Callers unpack in a staging folder and throw it away. Next: load.c. */
#include "archive/worker.h"
#include "base/file.h"
#include "base/mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define WH        ".wh."
#define WH_AUFS   ".wh..wh."
#define WH_OPAQUE ".wh..wh..opq"

/* A folder's time is set at the end: making something in it would change it again. */
struct folder_time {
    char *path;
    struct timespec mtime;
};

/* The state of one unpacking. */
struct layer {
    int root;
    const struct layer_options *o;
    struct archive *a;
    struct merged m;
    int64_t budget;
    uint64_t entries;
    struct folder_time *time;
    size_t times;
    int64_t time_bytes;
    /* Neighbours in a tar share a folder: the last one resolved is kept, until a folder or a link is removed, which
     * may have been on the way to it. */
    char *last_text;
    struct place last;
    bool last_stale;
};

static void forget_last(struct layer *l)
{
    mem_freep(&l->last_text);
    l->last_text = NULL;
    l->last_stale = false;
    place_release(&l->last);
}

/* @param path the folder's own path; "" is the root */
static int remember_time(struct layer *l, const char *path, struct timespec mtime, struct err *e)
{
    l->time_bytes += (int64_t)strlen(path) + (int64_t)sizeof(*l->time);
    if (l->time_bytes > DIR_PATHS_MAX)
        return err_set(e, ERR_TOO_LARGE, "the layer has too many folders");
    if ((l->times & (l->times + 1)) == 0) /* grow at 0, 1, 3, 7 … */
        l->time = mem_resize(l->time, 2 * l->times + 2, sizeof(*l->time));
    l->time[l->times++] = (struct folder_time){mem_strdup(path), mtime};
    return 0;
}

/* merged.c copied a folder of a layer below; what is made in it would change the copied time. */
static int folder_implied(void *arg, const char *path, const struct stat *like, struct err *e)
{
    return remember_time(arg, path, like->st_mtim, e);
}

/* The place of `path`; borrowed from the layer, good until the next call. */
static int find_place(struct layer *l, const char *path, struct place *ret, struct err *e)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (l->last_stale || !l->last_text || strlen(l->last_text) != n || strncmp(l->last_text, path, n) != 0) {
        forget_last(l);
        if (merged_place(&l->m, path, true, &l->last, e) < 0)
            return -1;
        l->last_text = mem_strndup(path, n);
    }
    *ret = l->last;
    ret->name = slash ? slash + 1 : path;
    return 0;
}

static char *path_of(const struct place *p)
{
    return *p->path ? str_printf("%s/%s", p->path, p->name) : mem_strdup(p->name);
}

/* Do the layers below show a folder at this place? Only then is there something that a mark could hide. */
static bool folder_below(const struct layer *l, const struct place *p)
{
    struct stat st;
    return merged_below(&l->m, p->path, p->name, &st) && S_ISDIR(st.st_mode);
}

/* Remove what this layer has at the place. @return 1 if there was something */
static int clear(struct layer *l, const struct place *p, struct err *e)
{
    struct stat st;
    if (fstatat(p->parent, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "stat");
    if (tree_remove(p->parent, p->name, e) < 0)
        return -1;
    l->last_stale |= S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode);
    return 1;
}

/* As clear(), but a folder may stay. @return 0 nothing was there, 1 something was removed, 2 a folder is there */
static int clear_for_folder(struct layer *l, const struct place *p, struct err *e)
{
    struct stat st;
    if (fstatat(p->parent, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return 2;
    return clear(l, p, e);
}

static int apply_folder(struct layer *l, const struct place *p, struct archive_entry *entry,
                        const struct attributes *at, struct err *e)
{
    autofree char *path = path_of(p);
    int was = clear_for_folder(l, p, e);
    if (was < 0)
        return -1;
    if (was < 2 && mkdirat(p->parent, p->name, 0700) < 0)
        return err_sys(e, "make folder");
    /* Something of this layer was here and hid the folder below: it stays hidden. */
    if (was == 1 && folder_below(l, p) && merged_add_opaque(&l->m, path, e) < 0)
        return -1;
    if (place_folder_attributes(p->parent, p->name, entry, at, e) < 0)
        return -1;
    return remember_time(l, path, at->mtime, e);
}

/* "./": most tars begin with it. It sets what the container's "/" will be. */
static int apply_root(struct layer *l, struct archive_entry *entry, const struct attributes *at, struct err *e)
{
    if (archive_entry_filetype(entry) != AE_IFDIR || archive_entry_hardlink(entry))
        return err_set(e, ERR_INVALID, "the root can only be a folder");
    if (place_folder_attributes(l->root, ".", entry, at, e) < 0)
        return -1;
    return remember_time(l, "", at->mtime, e);
}

/* A name of the archive as a path from the root. @return clean, the caller's */
static char *below_prefix(const struct layer *l, const char *name, struct err *e)
{
    autofree char *path = path_clean(name, e);
    if (!path || str_empty(l->o->prefix) || !*path)
        return take_ptr(&path);
    autofree char *whole = str_printf("%s/%s", l->o->prefix, path);
    return path_clean(whole, e);
}

/* Docker's noOverwriteDirNonDir. */
static int check_kind(const struct layer *l, const struct place *p, bool folder, struct err *e)
{
    struct stat st;
    if (!l->o->strict || fstatat(p->parent, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode) == folder)
        return 0;
    char shown[PATH_SHOWN];
    return err_set(e, ERR_INVALID, "cannot overwrite %s \"%s\" with %s", folder ? "non-directory" : "directory",
                   path_show(p->name, shown), folder ? "directory" : "non-directory");
}

/* The target is looked for in this layer alone: a link into a layer below would have to copy the file up, and no
 * builder writes one, because overlayfs itself copies the file up when a container makes such a link. linkat(2) without
 * AT_SYMLINK_FOLLOW links a symbolic link itself, never what it names. */
static int apply_hardlink(struct layer *l, const struct place *p, const char *text, struct err *e)
{
    autofree char *target = below_prefix(l, text, e);
    if (!target)
        return -1;
    if (!*target)
        return err_set(e, ERR_INVALID, "it is a hard link to a folder");
    struct place t __attribute__((cleanup(place_release))) = {.parent = -1};
    if (merged_place(&l->m, target, false, &t, e) < 0)
        return err_wrap(e, "it is a hard link to something outside");
    struct stat st;
    if (fstatat(t.parent, t.name, &st, AT_SYMLINK_NOFOLLOW) < 0 || merged_is_whiteout(&st))
        return err_set(e, ERR_INVALID, "it is a hard link to something that this layer does not have");
    if (S_ISDIR(st.st_mode))
        return err_set(e, ERR_INVALID, "it is a hard link to a folder");
    if (str_eq(t.path, p->path) && str_eq(t.name, p->name))
        return err_set(e, ERR_INVALID, "it is a hard link to itself");
    if (clear(l, p, e) < 0)
        return -1;
    if (linkat(t.parent, t.name, p->parent, p->name, 0) < 0)
        return errno == ENOENT ? err_set(e, ERR_INVALID, "it is a hard link to what it replaces")
                               : err_sys(e, "create hard link");
    return 0;
}

/* An entry that is not a deletion. A hard link comes first: its type field says what its target is. */
static int apply_at(struct layer *l, const struct place *p, struct archive_entry *entry, struct err *e)
{
    struct attributes at;
    const char *hardlink = archive_entry_hardlink(entry);
    mode_t type = archive_entry_filetype(entry);
    if (check_kind(l, p, type == AE_IFDIR && !hardlink, e) < 0)
        return -1;
    if (hardlink)
        return apply_hardlink(l, p, hardlink, e);
    if (attributes_read(entry, &at, e) < 0)
        return -1;
    if (l->o->owner) {
        at.uid = l->o->owner[0];
        at.gid = l->o->owner[1];
    }
    if (type == AE_IFDIR)
        return apply_folder(l, p, entry, &at, e);
    if (type != AE_IFREG && type != AE_IFLNK && type != AE_IFCHR && type != AE_IFBLK && type != AE_IFIFO)
        return err_set(e, ERR_INVALID, "its type is unknown");
    if (clear(l, p, e) < 0)
        return -1;
    if (type == AE_IFREG)
        return place_file(p, l->a, entry, &at, &l->budget, e);
    if (type == AE_IFLNK)
        return place_symlink(p, archive_entry_symlink(entry), &at, e);
    return place_node(p, entry, &at, e);
}

/* ".wh.NAME" in the folder of `p`: NAME of the layers below is not to be seen. What this same layer has under that
 * name stays: a whiteout speaks of the layers below only (OCI image specification, layer.md). */
static int apply_whiteout(struct layer *l, const struct place *p, const char *name, struct err *e)
{
    struct place t = *p;
    struct stat st;
    t.name = name;
    if (!*name || str_eq(name, ".") || str_eq(name, ".."))
        return err_set(e, ERR_INVALID, "it deletes a name that no folder has");
    if (fstatat(t.parent, t.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!S_ISDIR(st.st_mode) || !folder_below(l, &t))
            return 0;
        autofree char *path = path_of(&t);
        return merged_add_opaque(&l->m, path, e);
    }
    if (!merged_below(&l->m, t.path, t.name, &st))
        return 0;
    return mknodat(t.parent, t.name, S_IFCHR, makedev(0, 0)) == 0 ? 0 : err_sys(e, "make whiteout");
}

/* ".wh..wh..opq" in the folder of `p`: nothing of that folder in the layers below is to be seen. */
static int apply_opaque(struct layer *l, const struct place *p, struct err *e)
{
    if (!*p->path)
        return err_set(e, ERR_INVALID, "the root folder cannot hide the layers below");
    const char *slash = strrchr(p->path, '/');
    autofree char *above = slash ? mem_strndup(p->path, (size_t)(slash - p->path)) : mem_strdup("");
    struct place folder = {.parent = -1, .path = above, .name = slash ? slash + 1 : p->path};
    return folder_below(l, &folder) ? merged_add_opaque(&l->m, p->path, e) : 0;
}

/* True where a folder on the way carries `mark` in front of its name. */
static bool folder_marked(const char *path, const char *mark)
{
    const char *slash;
    for (; (slash = strchr(path, '/')); path = slash + 1)
        if (str_starts(path, mark))
            return true;
    return false;
}

/* What kind of entry is it? Names decide before types: a whiteout is one whatever its type, as in Docker. */
static int apply_path(struct layer *l, const char *path, struct archive_entry *entry, struct err *e)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    struct place p;
    if (l->o->whiteouts) {
        /* Bookkeeping of aufs, the union file system before overlayfs; old images have it. */
        if (folder_marked(path, WH_AUFS) || (str_starts(name, WH_AUFS) && !str_eq(name, WH_OPAQUE)))
            return 0;
        if (folder_marked(path, WH))
            return err_set(e, ERR_INVALID, "it lies in a folder that is deleted");
    }
    if (find_place(l, path, &p, e) < 0)
        return -1;
    if (!l->o->whiteouts || !str_starts(name, WH))
        return apply_at(l, &p, entry, e);
    return str_eq(name, WH_OPAQUE) ? apply_opaque(l, &p, e) : apply_whiteout(l, &p, name + strlen(WH), e);
}

static int apply_entry(struct layer *l, struct archive_entry *entry, struct err *e)
{
    const char *name = archive_entry_pathname(entry);
    char shown[PATH_SHOWN];
    if (!name)
        return err_set(e, ERR_INVALID, "an entry has no name");
    if (++l->entries > l->o->entries_max)
        return err_set(e, ERR_TOO_LARGE, "entry %s: there are more than %llu entries", path_show(name, shown),
                       (unsigned long long)l->o->entries_max);
    autofree char *path = below_prefix(l, name, e);
    if (!path)
        return -1;
    if (!*path && l->o->prefix) /* "./" of an archive that goes into a folder which is there: left as it is */
        return 0;
    if (*path) {
        if (apply_path(l, path, entry, e) < 0)
            return err_wrap(e, "entry %s", path_show(name, shown));
        return 0;
    }
    struct attributes at;
    if (attributes_read(entry, &at, e) < 0 || apply_root(l, entry, &at, e) < 0)
        return err_wrap(e, "entry %s", path_show(name, shown));
    return 0;
}

/* Times of folders, in the order in which they were given, so that the last word counts. A folder that was replaced
 * since is skipped. */
static int finish_times(struct layer *l, struct err *e)
{
    for (size_t i = 0; i < l->times; i++) {
        const char *path = l->time[i].path;
        const struct timespec times[2] = {l->time[i].mtime, l->time[i].mtime};
        autoclose int fd = merged_open_dir(l->root, path);
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
            continue;
        if (fd < 0 || utimensat(fd, ".", times, 0) < 0)
            return err_sys(e, "set time of folder /%s", path);
    }
    return 0;
}

/* A folder that was marked and later replaced by a file needs no mark: the file hides what is below by itself. */
static void finish_opaque(struct layer *l, struct strv *ret)
{
    for (size_t i = 0; i < l->m.opaque.n; i++) {
        autoclose int fd = merged_open_dir(l->root, l->m.opaque.v[i]);
        if (fd >= 0)
            strv_add(ret, l->m.opaque.v[i]);
    }
}

static int apply_all(struct layer *l, struct err *e)
{
    struct archive_entry *entry;
    int r;
    while ((r = stream_next(l->a, &entry, e)) > 0) {
        if (apply_entry(l, entry, e) < 0 || stream_check_ratio(l->a, archive_filter_bytes(l->a, 0), e) < 0)
            return -1;
        if (l->o->progress && l->o->progress(l->o->arg, archive_filter_bytes(l->a, 0), e) < 0)
            return -1;
    }
    return r < 0 ? -1 : finish_times(l, e);
}

int layer_apply(int root, struct archive *a, const struct layer_options *o, struct layer_result *ret, struct err *e)
{
    struct layer l = {.root = root, .o = o, .a = a, .budget = o->bytes_max, .last = {.parent = -1}};
    l.m = (struct merged){.root = root, .lower = o->lower, .lowers = o->lowers, .made = folder_implied, .arg = &l};
    int r = apply_all(&l, e);
    if (r == 0) {
        *ret = (struct layer_result){.size = o->bytes_max - l.budget, .entries = l.entries};
        finish_opaque(&l, &ret->opaque);
    }
    forget_last(&l);
    for (size_t i = 0; i < l.times; i++)
        free(l.time[i].path);
    free(l.time);
    strv_release(&l.m.opaque);
    return r;
}
