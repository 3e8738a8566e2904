/* What a path of a layer means, when other layers lie below.
 *
 * A layer's tar says "lib/libm.so". If the layer itself has no "lib", a layer below may: as a folder, whose owner and
 * mode must then be repeated here, or as a link to "usr/lib", and then the file belongs into usr/lib; made as a plain
 * folder, "lib" would bury the link and break every program of the image. So a path is resolved as the kernel's
 * overlayfs will resolve it later: the layer being made first, then those below from the top down, where a whiteout, a
 * file or an opaque folder ends the search (the kernel's ovl_lookup(), fs/overlayfs/namei.c).
 *
 * Safety does not rest on this search. It only yields names; each step is one openat(2) or mkdirat(2) with a single
 * name below a descriptor that is held, and no link is ever followed by the kernel: links are read and put in front of
 * the rest of the path, ".." stops at the root, an absolute link starts there. The path without links that comes out
 * is also the measure of depth, which links could otherwise add up without end. Next: layer.c. */
#include "archive/worker.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The folder `name` of a folder that is held; never through a link. */
static int hold_folder(int at, const char *name)
{
    return openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A walk in progress: `at` is where it stands, `todo` what is still to go. */
struct walk {
    struct merged *m;
    struct str at;
    int fd; /* `at` in the layer being made */
    struct str todo;
    int links;
    bool make;
};

bool merged_is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

void place_release(struct place *p)
{
    fd_close(p->parent);
    mem_freep(&p->path);
    *p = (struct place){.parent = -1};
}

/* Take the next part off `text`. @return its length; 0 at the end */
static size_t next_part(const char **text)
{
    *text += strspn(*text, "/");
    return strcspn(*text, "/");
}

/* Go down `path` from `root` by real folders only. @return fd; -1 with ENOENT where a part is missing, with ENOTDIR
 * where one is something else */
int merged_open_dir(int root, const char *path)
{
    int fd = hold_folder(root, ".");
    for (size_t n; fd >= 0 && (n = next_part(&path)) > 0; path += n) {
        autofree char *part = mem_strndup(path, n);
        int next = hold_folder(fd, part);
        fd_close(fd);
        fd = next;
    }
    return fd;
}

/* True where `path` is one of these folders or lies in one. */
static bool within(const struct strv *folders, const char *path)
{
    for (size_t i = 0; i < folders->n; i++) {
        size_t n = strlen(folders->v[i]);
        if (strncmp(path, folders->v[i], n) == 0 && (path[n] == '\0' || path[n] == '/'))
            return true;
    }
    return false;
}

/* What the layers below show at folder/name. @return O_PATH fd, or -1 */
static int find_below(const struct merged *m, const char *folder, const char *name)
{
    if (within(&m->opaque, folder))
        return -1;
    for (size_t i = 0; i < m->lowers; i++) {
        autoclose int dir = merged_open_dir(m->lower[i].fd, folder);
        if (dir < 0 && errno != ENOENT)
            return -1;
        autoclose int fd = dir < 0 ? -1 : openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) {
            struct stat st;
            return fstat(fd, &st) == 0 && !merged_is_whiteout(&st) ? take_fd(&fd) : -1;
        }
        if (within(&m->lower[i].opaque, folder))
            return -1;
    }
    return -1;
}

bool merged_below(const struct merged *m, const char *folder, const char *name, struct stat *st)
{
    autoclose int fd = find_below(m, folder, name);
    return fd >= 0 && fstat(fd, st) == 0;
}

int merged_add_opaque(struct merged *m, const char *path, struct err *e)
{
    for (size_t i = 0; i < m->opaque.n; i++)
        if (str_eq(m->opaque.v[i], path))
            return 0;
    m->opaque_bytes += strlen(path) + 1;
    if (strlen(path) >= PATH_MAX || m->opaque_bytes > OPAQUE_PATHS_MAX)
        return err_set(e, ERR_TOO_LARGE, "the layer hides too many folders of the layers below");
    strv_add(&m->opaque, path);
    return 0;
}

/* Step into `part`, which is a folder of this layer. Depth is counted on the path without links: a path of few parts
 * can lead through links into a tree of any depth, and who removes the tree needs a descriptor for each level. */
static int enter(struct walk *w, const char *part, struct err *e)
{
    if (path_depth(w->at.s) >= DEPTH_MAX)
        return err_set(e, ERR_INVALID, "it lies deeper than %d folders", DEPTH_MAX);
    int fd = hold_folder(w->fd, part);
    if (fd < 0)
        return err_sys(e, "open folder %s", part);
    fd_close(w->fd);
    w->fd = fd;
    if (w->at.len > 0)
        str_addc(&w->at, '/');
    str_add(&w->at, part);
    return 0;
}

/* Take hold of `at` again, from the root. */
static int go_to_at(struct walk *w, struct err *e)
{
    fd_close(w->fd);
    w->fd = merged_open_dir(w->m->root, w->at.s);
    return w->fd >= 0 ? 0 : err_sys(e, "open folder /%s", w->at.s);
}

/* ".." in the text of a link. The folder above is found by its path, never by opening "..": between the two somebody
 * could have moved the folder elsewhere, and its parent with it. At the root it stays, as in a chroot. */
static int go_up(struct walk *w, struct err *e)
{
    char *slash = w->at.len ? memrchr(w->at.s, '/', w->at.len) : NULL;
    w->at.len = slash ? (size_t)(slash - w->at.s) : 0;
    w->at.s[w->at.len] = '\0';
    return go_to_at(w, e);
}

/* Put the text of the link `part` (in folder `dir`; part "" reads the descriptor itself) before what is to go. */
static int follow(struct walk *w, int dir, const char *part, struct err *e)
{
    char text[PATH_MAX];
    ssize_t n = readlinkat(dir, part, text, sizeof(text));
    if (n < 0)
        return err_sys(e, "read symbolic link %s", part);
    if (++w->links > LINKS_MAX || (size_t)n + w->todo.len + 2 > 2 * PATH_MAX)
        return err_set(e, ERR_INVALID, "too many symbolic links on the way");
    autostr rest = STR_INIT;
    str_addn(&rest, text, (size_t)n);
    str_addc(&rest, '/');
    str_add(&rest, w->todo.s);
    str_reset(&w->todo);
    str_addn(&w->todo, rest.s, rest.len);
    if (n == 0 || text[0] != '/')
        return 0;
    str_reset(&w->at);
    return go_to_at(w, e);
}

/* Make folder `part`; where the layers below show one, as its copy. `hidden`: theirs was deleted by this layer. */
static int make_folder(struct walk *w, const char *part, const struct stat *below, bool hidden, struct err *e)
{
    const struct stat *like = below && !hidden ? below : NULL;
    if (mkdirat(w->fd, part, 0755) < 0)
        return err_sys(e, "make folder %s", part);
    if (like) {
        autoclose int fd = openat(w->fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fchown(fd, like->st_uid, like->st_gid) < 0 || fchmod(fd, like->st_mode & 07777) < 0)
            return err_sys(e, "set owner and mode of folder %s", part);
    }
    if (enter(w, part, e) < 0)
        return -1;
    if (below && hidden && merged_add_opaque(w->m, w->at.s, e) < 0)
        return -1;
    return like && w->m->made ? w->m->made(w->m->arg, w->at.s, like, e) : 0;
}

static int absent(const char *part, struct err *e)
{
    char shown[PATH_SHOWN];
    return err_set(e, ERR_INVALID, "%s does not exist in this layer", path_show(part, shown));
}

static int no_folder(const char *part, struct err *e)
{
    char shown[PATH_SHOWN];
    return err_set(e, ERR_INVALID, "%s is not a folder", path_show(part, shown));
}

/* `part` is not in this layer, or is deleted by it (`hidden`). */
static int step_below(struct walk *w, const char *part, bool hidden, struct err *e)
{
    autoclose int fd = find_below(w->m, w->at.s, part);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) < 0)
        return err_sys(e, "stat %s", part);
    if (fd >= 0 && !hidden && S_ISLNK(st.st_mode))
        return follow(w, fd, "", e);
    if (!w->make)
        return absent(part, e);
    if (hidden && unlinkat(w->fd, part, 0) < 0)
        return err_sys(e, "remove %s", part);
    /* A file of a layer below is simply covered by the folder. */
    return make_folder(w, part, fd >= 0 && S_ISDIR(st.st_mode) ? &st : NULL, hidden, e);
}

/* One part of the path: what this layer has under the name decides, and only where it has nothing, those below. */
static int step(struct walk *w, const char *part, struct err *e)
{
    struct stat st;
    if (str_eq(part, "."))
        return 0;
    if (str_eq(part, ".."))
        return go_up(w, e);
    if (fstatat(w->fd, part, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? step_below(w, part, false, e) : err_sys(e, "stat %s", part);
    if (S_ISDIR(st.st_mode))
        return enter(w, part, e);
    if (S_ISLNK(st.st_mode))
        return follow(w, w->fd, part, e);
    return merged_is_whiteout(&st) ? step_below(w, part, true, e) : no_folder(part, e);
}

static int walk_all(struct walk *w, struct err *e)
{
    for (;;) {
        const char *p = w->todo.s;
        size_t n = next_part(&p);
        if (n == 0)
            return 0;
        if (n > NAME_MAX)
            return err_set(e, ERR_INVALID, "a part of its path is longer than %d bytes", NAME_MAX);
        autofree char *part = mem_strndup(p, n);
        size_t gone = (size_t)(p - w->todo.s) + n;
        memmove(w->todo.s, w->todo.s + gone, w->todo.len - gone + 1);
        w->todo.len -= gone;
        if (step(w, part, e) < 0)
            return -1;
    }
}

int merged_place(struct merged *m, const char *path, bool make, struct place *ret, struct err *e)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (strlen(name) > NAME_MAX)
        return err_set(e, ERR_INVALID, "its name is longer than %d bytes", NAME_MAX);
    struct walk w = {.m = m, .make = make};
    str_reset(&w.at);
    str_reset(&w.todo);
    str_addn(&w.todo, path, (size_t)(name - path));
    w.fd = hold_folder(m->root, ".");
    int r = w.fd < 0 ? err_sys(e, "open the layer's root folder") : walk_all(&w, e);
    if (r == 0 && path_depth(w.at.s) >= DEPTH_MAX)
        r = err_set(e, ERR_INVALID, "it lies deeper than %d folders", DEPTH_MAX);
    if (r == 0)
        *ret = (struct place){.parent = take_fd(&w.fd), .path = str_take(&w.at), .name = name};
    fd_close(w.fd);
    str_release(&w.at);
    str_release(&w.todo);
    return r;
}
