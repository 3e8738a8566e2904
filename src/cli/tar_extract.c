/* Unpacking what a container has sent, in a folder of the person who asked: see tar.h.
 *
 * The archive's names and links are the container's to choose, and the person may be root. So:
 *
 *   1. ".." in a name is refused, a "/" in front means nothing.
 *   2. The way down is gone by single names below a descriptor, O_NOFOLLOW: a link, whoever made it, ends it. The usual
 *      trick, a link "a" to /etc and then a file "a/passwd", is an error.
 *   3. A file is made anew (O_EXCL) after what is there is unlinked: nothing is written through a link or into a file
 *      that has another name elsewhere. A folder and what is none do not replace each other.
 *   4. setuid and setgid bits are dropped, devices passed over, both counted. A FIFO is made, never opened.
 *   5. A symbolic link that climbs out of the destination by its text is refused, as docker does: somebody would follow
 *      it later. One that begins at the top names a place of the container's, and everybody can see that; it is made.
 *   6. Names of folders are kept to set their modes at the end, up to a limit.
 *
 * Read next: tar_write.c. */
#include "cli/tar.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536

/* Folders, and what they are to be at the end: each "mode mtime path". */
struct later {
    struct strv dirs;
    size_t bytes;
};

static int bad_name(const char *name, struct err *e)
{
    return err_set(e, ERR_INVALID, "the archive has an entry that would be outside: %.200s", name);
}

/* The archive's name as a path below the folder: its first part is what was copied. @return the caller's, or NULL */
static char *local_path(const struct tar_extract *x, const char *name, struct err *e)
{
    autostr out = STR_INIT;
    bool drop = !str_eq(x->was, ".") && !str_eq(x->was, "/");
    size_t depth = 0;
    str_reset(&out);
    str_add(&out, x->name);
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            bad_name(name, e);
            return NULL;
        }
        if (n > 0 && !(n == 1 && *p == '.')) {
            if (!drop && out.len > 0)
                str_addc(&out, '/');
            if (!drop)
                str_addn(&out, p, n);
            drop = false;
            depth++;
        }
        p += n + (p[n] == '/');
    }
    if (depth <= TAR_DEPTH_MAX)
        return str_take(&out);
    return err_null(err_set(e, ERR_TOO_LARGE, "the archive is deeper than %d folders", TAR_DEPTH_MAX));
}

/* The folder that `path` is in. @param ret_name its last part, borrowed @return fd or -1 */
static int open_parent(int dir, const char *path, const char **ret_name, struct err *e)
{
    autoclose int at = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (const char *slash; at >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        autofree char *part = mem_strndup(path, (size_t)(slash - path));
        if (mkdirat(at, part, 0755) < 0 && errno != EEXIST)
            return err_sys(e, "cannot make folder %s", part);
        int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return err_sys(e, "cannot go through %s", part);
        fd_close(at);
        at = next;
    }
    *ret_name = path;
    return at >= 0 ? take_fd(&at) : err_sys(e, "cannot open the folder");
}

/* Make room for something that is no folder, or for a folder. @return 1 where a folder is there already */
static int make_room(int at, const char *name, bool folder, struct err *e)
{
    struct stat st;
    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(e, "cannot look at %s", name);
    if (S_ISDIR(st.st_mode) != folder)
        return err_set(e, ERR_INVALID, "cannot overwrite %s %s with %s", folder ? "non-directory" : "directory", name,
                       folder ? "a directory" : "a non-directory");
    if (folder)
        return 1;
    return unlinkat(at, name, 0) == 0 ? 0 : err_sys(e, "cannot replace %s", name);
}

static int set_owner(int at, const char *name, const struct tar_extract *x, const struct tar_entry *entry,
                     struct err *e)
{
    if (!x->owners || fchownat(at, name, (uid_t)entry->uid, (gid_t)entry->gid, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    return err_sys(e, "cannot give %s to %lld:%lld", name, (long long)entry->uid, (long long)entry->gid);
}

static int make_file(struct tar_reader *t, int at, const char *name, struct tar_extract *x, struct err *e)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = t->entry.mtime}};
    autofree char *part = mem_alloc(PIECE);
    ssize_t n;
    autoclose int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, "cannot make %s", name);
    while ((n = tar_read(t, part, PIECE, e)) > 0) {
        if (fd_write_all(fd, part, (size_t)n) < 0)
            return err_sys(e, "cannot write %s", name);
        x->bytes += n;
    }
    if (n < 0 || set_owner(at, name, x, &t->entry, e) < 0)
        return -1;
    x->plain += (t->entry.mode & (S_ISUID | S_ISGID)) != 0;
    if (fchmod(fd, t->entry.mode & 0777) < 0 || futimens(fd, times) < 0)
        return err_sys(e, "cannot set mode and time of %s", name);
    return 0;
}

static int make_folder(struct tar_reader *t, int at, const char *name, const char *path, struct later *later,
                       struct tar_extract *x, struct err *e)
{
    int there = make_room(at, name, true, e);
    if (there < 0 || (!there && mkdirat(at, name, 0700) < 0))
        return there < 0 ? -1 : err_sys(e, "cannot make folder %s", name);
    later->bytes += strlen(path) + 64;
    if (later->bytes > TAR_DIRS_MAX)
        return err_set(e, ERR_TOO_LARGE, "the archive has too many folders");
    x->plain += (t->entry.mode & (S_ISUID | S_ISGID)) != 0;
    strv_addf(&later->dirs, "%o %lld %s", (unsigned)(t->entry.mode & 01777), (long long)t->entry.mtime, path);
    return set_owner(at, name, x, &t->entry, e);
}

static int make_hardlink(struct tar_reader *t, int at, const char *name, const struct tar_extract *x, struct err *e)
{
    const char *last;
    autofree char *target = local_path(x, t->entry.link.s, e);
    autoclose int from = target ? open_parent(x->dir, target, &last, e) : -1;
    if (from < 0)
        return -1;
    return linkat(from, last, at, name, 0) == 0 ? 0 : err_sys(e, "cannot link %s to %s", name, target);
}

/* The path of the link goes down from the destination, its target up and down from the link's folder. */
static bool leads_out(const char *path, const char *target)
{
    int depth = 0;
    for (const char *p = path; *p; p++)
        depth += *p == '/';
    for (const char *p = *target == '/' ? "" : target; *p && depth >= 0;) {
        size_t n = strcspn(p, "/");
        bool up = n == 2 && p[0] == '.' && p[1] == '.', stay = n == 0 || (n == 1 && *p == '.');
        depth += up ? -1 : stay ? 0 : 1;
        p += n + (p[n] == '/');
    }
    return depth < 0;
}

static int make_link(struct tar_reader *t, int at, const char *name, const char *path, struct err *e)
{
    const char *target = t->entry.link.s;
    if (leads_out(path, target))
        return err_set(e, ERR_INVALID, "invalid symlink \"%.200s\" -> \"%.200s\": it leads out of the destination",
                       path, target);
    if (make_room(at, name, false, e) < 0)
        return -1;
    return symlinkat(target, at, name) == 0 ? 0 : err_sys(e, "cannot make link %s", name);
}

static int make_other(struct tar_reader *t, int at, const char *name, const char *path, struct tar_extract *x,
                      struct err *e)
{
    if (t->entry.type == '3' || t->entry.type == '4') {
        x->skipped++;
        return 0;
    }
    if (t->entry.type == '2')
        return make_link(t, at, name, path, e) < 0 ? -1 : set_owner(at, name, x, &t->entry, e);
    if (make_room(at, name, false, e) < 0)
        return -1;
    if (t->entry.type == '0')
        return make_file(t, at, name, x, e);
    if (t->entry.type == '1')
        return make_hardlink(t, at, name, x, e);
    if (t->entry.type == '6' && mkfifoat(at, name, t->entry.mode & 0777) < 0)
        return err_sys(e, "cannot make FIFO %s", name);
    if (t->entry.type != '6')
        return err_set(e, ERR_INVALID, "the archive has an entry of unknown type '%c': %s", t->entry.type, name);
    return set_owner(at, name, x, &t->entry, e);
}

static int make(struct tar_reader *t, struct tar_extract *x, struct later *later, struct err *e)
{
    const char *name;
    autofree char *path = local_path(x, t->entry.name.s, e);
    if (!path)
        return -1;
    if (!*path) /* the folder itself */
        return t->entry.type == '5' ? 0 : bad_name(t->entry.name.s, e);
    autoclose int at = open_parent(x->dir, path, &name, e);
    if (at < 0)
        return -1;
    return t->entry.type == '5' ? make_folder(t, at, name, path, later, x, e) : make_other(t, at, name, path, x, e);
}

/* Innermost first: a folder that is closed at once could not be entered any more. */
static int finish(const struct tar_extract *x, const struct later *later, struct err *e)
{
    for (size_t i = later->dirs.n; i > 0; i--) {
        unsigned mode;
        long long mtime;
        int at;
        const char *name;
        /* no blank before %n: it would pass over those that the path begins with */
        if (sscanf(later->dirs.v[i - 1], "%o %lld%n", &mode, &mtime, &at) < 2)
            continue;
        autoclose int parent = open_parent(x->dir, later->dirs.v[i - 1] + at + 1, &name, e);
        autoclose int fd = parent < 0 ? -1 : openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = (time_t)mtime}};
        if (fd < 0 || fchmod(fd, mode) < 0 || futimens(fd, times) < 0)
            return parent < 0 ? -1 : err_sys(e, "cannot set mode and time of %s", name);
    }
    return 0;
}

int tar_extract(struct tar_reader *t, struct tar_extract *x, struct err *e)
{
    struct later later = {{NULL, 0}, 0};
    int r;
    while ((r = tar_next(t, e)) > 0)
        if (make(t, x, &later, e) < 0)
            break;
    r = r == 0 ? finish(x, &later, e) : -1;
    strv_release(&later.dirs);
    return r;
}
