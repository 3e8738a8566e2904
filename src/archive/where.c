/* One path of a container: what it names, and what is told of it.
 *
 * Docker's rule: the last part of a path is not followed ("cp C:/link" copies the link), unless the path ends in "/" or
 * "/."; then it must name a folder. The parts before are resolved by the kernel below the container's root. What was
 * found is held by a descriptor of its folder and a name in it. Next: pack.c. */
#include "archive/worker.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rootpath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

void where_release(struct where *w)
{
    fd_close(w->parent);
    mem_freep(&w->name);
    *w = (struct where){.parent = -1};
}

static int missing(const json_t *request, struct err *e)
{
    char shown[PATH_SHOWN];
    const char *path = path_show(json_str(request, "path", ""), shown);
    if (e->sys == ENOENT || (e->sys == ENOTDIR && !json_is(request, "folder")))
        return err_set(e, ERR_NOT_FOUND, "Could not find the file %s", path);
    if (e->sys == ENOTDIR)
        return err_set(e, ERR_INVALID, "%s: not a directory", path);
    return -1;
}

int where_find(int root, const json_t *request, struct where *ret, struct err *e)
{
    const char *path = json_str(request, "path", "/");
    *ret = (struct where){.parent = -1};
    e->sys = 0;
    if (json_is(request, "folder") || str_eq(path, "/")) {
        ret->name = mem_strdup(".");
        ret->parent = rootpath_open(root, path, O_PATH | O_DIRECTORY, 0, e);
    } else {
        ret->parent = rootpath_parent(root, path, false, &ret->name, e);
    }
    if (ret->parent >= 0 && fstatat(ret->parent, ret->name, &ret->st, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (ret->parent >= 0)
        err_sys(e, "stat %s", path);
    where_release(ret);
    return missing(request, e);
}

/* Go's os.FileMode, which is not st_mode. */
static json_int_t go_mode(mode_t m)
{
    uint32_t out = m & 0777;
    out |= m & S_ISUID ? UINT32_C(1) << 23 : 0;
    out |= m & S_ISGID ? UINT32_C(1) << 22 : 0;
    out |= m & S_ISVTX ? UINT32_C(1) << 20 : 0;
    switch (m & S_IFMT) {
    case S_IFDIR: return out | UINT32_C(1) << 31;
    case S_IFLNK: return out | UINT32_C(1) << 27;
    case S_IFBLK: return out | UINT32_C(1) << 26;
    case S_IFCHR: return out | UINT32_C(1) << 26 | UINT32_C(1) << 21;
    case S_IFIFO: return out | UINT32_C(1) << 25;
    case S_IFSOCK: return out | UINT32_C(1) << 24;
    default: return out;
    }
}

/* Where a chain of links ends, as a path from the container's root. One that leads nowhere is told by its text. */
static char *final_target(int root, const char *path)
{
    struct merged m = {.root = root};
    struct err ignored;
    autofree char *at = path_clean(path, &ignored);
    for (int i = 0; at && *at && i < LINKS_MAX; i++) {
        struct place p __attribute__((cleanup(place_release))) = {.parent = -1};
        char text[PATH_MAX];
        if (merged_place(&m, at, false, &p, &ignored) < 0)
            break;
        autofree char *whole = *p.path ? str_printf("%s/%s", p.path, p.name) : mem_strdup(p.name);
        ssize_t n = readlinkat(p.parent, p.name, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = '\0';
        char *next = n > 0 ? path_follow_inside(whole, text) : NULL;
        free(at);
        at = next ? next : take_ptr(&whole);
        if (!next)
            break;
    }
    return str_printf("/%s", at ? at : "");
}

json_t *where_stat(int root, const json_t *request, const struct where *w)
{
    char time[CLOCK_TEXT];
    int64_t mtime = (int64_t)w->st.st_mtim.tv_sec * NS_PER_S + w->st.st_mtim.tv_nsec;
    const char *name = json_str(request, "name", "");
    autofree char *target =
        S_ISLNK(w->st.st_mode) ? final_target(root, json_str(request, "path", "/")) : mem_strdup("");
    return json_pack("{s:o, s:I, s:I, s:s, s:o}", "name", json_string_lossy(name, strlen(name)), "size",
                     (json_int_t)w->st.st_size, "mode", go_mode(w->st.st_mode), "mtime", clock_format(mtime, time),
                     "linkTarget", json_string_lossy(target, strlen(target)));
}
