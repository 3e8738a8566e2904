/* A tar into a folder of a container: layer.c with another root, and a few rules of Docker's.
 *
 * The folder must exist, and what it lies in must be writable. Docker compares the path with the container's list of
 * mounts to find that out; here the kernel is asked, of the very folder that was found (statvfs(3)). Where the folder
 * lies is then told without links, so that the extractor goes there again by the same way; should the container swap a
 * part of it meanwhile, it fools itself alone (view.c).
 *
 * Compressed archives are expanded by libarchive's own code, never by a program: the one in view would be the
 * container's (CVE-2026-41567). What has been unpacked before an error stays, as with tar(1). Next: diff.c. */
#include "archive/worker.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rootpath.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

static bool same_mount(int a, int b)
{
    struct statx x = {0}, y = {0};
    return statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) == 0 && statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &y) == 0 &&
           x.stx_mnt_id == y.stx_mnt_id;
}

static int check_folder(int root, const char *path, struct err *e)
{
    struct stat st;
    struct statvfs fs;
    char shown[PATH_SHOWN];
    autoclose int fd = rootpath_open(root, path, O_PATH, 0, e);
    if (fd < 0)
        return e->sys == ENOENT ? err_set(e, ERR_NOT_FOUND, "Could not find the file %s", path_show(path, shown)) : -1;
    if (fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0)
        return err_sys(e, "stat %s", path_show(path, shown));
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_INVALID, "extraction point is not a directory");
    if (fs.f_flag & ST_RDONLY)
        return err_set(e, ERR_FORBIDDEN, "%s is marked read-only",
                       same_mount(root, fd) ? "container rootfs" : "mounted volume");
    return 0;
}

/* The folder `path` without links. @return clean, the caller's, or NULL */
static char *without_links(int root, const char *path, struct err *e)
{
    struct merged m = {.root = root};
    struct place p __attribute__((cleanup(place_release))) = {.parent = -1};
    autofree char *inside = str_printf("%s/.", path); /* so that the last part is resolved, too */
    return merged_place(&m, inside + 1, false, &p, e) < 0 ? NULL : take_ptr(&p.path);
}

int unpack_run(const struct view *v, const json_t *request, struct err *e)
{
    const char *path = json_str(request, "path", "/");
    const json_t *owner = json_object_get(request, "owner");
    const uint32_t ids[2] = {(uint32_t)json_integer_value(json_array_get(owner, 0)),
                             (uint32_t)json_integer_value(json_array_get(owner, 1))};
    if (check_folder(v->root, path, e) < 0)
        return -1;
    struct span span = trace_begin(0, "unpack into the container");
    autofree char *prefix = without_links(v->root, path, e);
    autostream *a = prefix ? stream_open(STDIN_FILENO, STREAM_PACKED_TAR, e) : NULL;
    const struct layer_options o = {.bytes_max = LAYER_BYTES_MAX,
                                    .entries_max = LAYER_ENTRIES_MAX,
                                    .prefix = prefix,
                                    .strict = json_is(request, "strict"),
                                    .owner = owner ? ids : NULL};
    struct layer_result result = {0};
    if (!a || layer_apply(v->root, a, &o, &result, e) < 0)
        return -1;
    strv_release(&result.opaque);
    stream_drain(STDIN_FILENO);
    trace_end(&span, "%s: %llu entries, %lld bytes", path, (unsigned long long)result.entries, (long long)result.size);
    return message_send(json_pack("{s:s}", "ev", "done"), e);
}
