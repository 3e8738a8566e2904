/* The image store: opening it, and the short questions that the engine asks.
 *
 * A reading order: store.h (the two locks, what keeps a layer alive), record.c (what is on disk), table.c (the same in
 * memory), worker.c and commit.c (how something new comes in), remove.c and sweep.c (how it goes), and the endpoints
 * in list.c, inspect.c, load.c, import.c and save.c. overlay.c is used by the engine alone.
 *
 * Everything below the store's folder is root's and closed to others (0700): image files carry other people's setuid
 * bits, which must be unreachable from the host (CVE-2021-41091). */
#include "image/store.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_folders(struct image_store *st, struct err *e)
{
    static const char *const below[] = {"blobs", "blobs/sha256", "layers", "records", "staging", "empty"};
    if (dir_make_all(st->root, 0700, e) < 0)
        return -1;
    st->rootfd = open(st->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (st->rootfd < 0 || fchmod(st->rootfd, 0700) < 0)
        return err_sys(e, "open folder %s", st->root);
    for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++)
        if (mkdirat(st->rootfd, below[i], 0700) < 0 && errno != EEXIST)
            return err_sys(e, "make folder %s/%s", st->root, below[i]);
    return 0;
}

/* A worker dies with the daemon that started it, but perhaps a moment later than the next daemon comes here. What it
 * still writes would then be in the way for once; the next start removes it. */
static int clean_up(struct image_store *st, struct err *e)
{
    struct err why;
    if (tree_remove(st->rootfd, "staging", &why) < 0)
        log_warn("images: the staging folder could not be emptied: %s", why.msg);
    if (mkdirat(st->rootfd, "staging", 0700) < 0 && errno != EEXIST)
        return err_sys(e, "make folder %s/staging", st->root);
    autostrv names = {NULL, 0};
    if (dir_names(st->rootfd, ".", &names, e) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        if (str_starts(names.v[i], "refs.json.tmp-"))
            unlinkat(st->rootfd, names.v[i], 0);
    return 0;
}

/* What a record named that was set aside, now or at an earlier start, stays until somebody has taken that away. */
static bool anything_aside(const struct image_store *st)
{
    autostrv names = {NULL, 0};
    dir_names(AT_FDCWD, st->quarantine, &names, NULL); /* there may be none */
    for (size_t i = 0; i < names.n; i++) {
        autofree char *id = str_starts(names.v[i], "image-") ? mem_strndup(names.v[i] + 6, DIGEST_HEX) : NULL;
        if (str_is_hex(id, DIGEST_HEX) && !table_image(st, id))
            return true;
    }
    return false;
}

static int open_in(struct image_store *st, struct err *e)
{
    size_t aside;
    if (make_folders(st, e) < 0 || clean_up(st, e) < 0 || record_load_all(st, &aside, e) < 0)
        return -1;
    st->keep_all = aside > 0 || anything_aside(st);
    if (st->keep_all)
        return 0;
    struct err why;
    int swept = sweep(st, &why);
    if (swept < 0)
        log_warn("images: what is unused could not be removed: %s", why.msg);
    else if (swept > 0)
        log_info("images: removed %d layers and blobs that no image uses", swept);
    return 0;
}

struct image_store *image_store_open(const char *root, const char *quarantine, const struct image_hooks *hooks,
                                     struct err *e)
{
    struct image_store *st = mem_alloc(sizeof(*st));
    st->root = mem_strdup(root);
    st->quarantine = mem_strdup(quarantine);
    st->rootfd = -1;
    if (hooks)
        st->hooks = *hooks;
    pthread_mutex_init(&st->writer, NULL);
    pthread_mutex_init(&st->lock, NULL);
    if (open_in(st, e) < 0) {
        err_wrap(e, "open the image store");
        image_store_close(st);
        return NULL;
    }
    return st;
}

void image_store_close(struct image_store *st)
{
    if (!st)
        return;
    while (st->images > 0)
        table_drop_image(st, st->image[st->images - 1]);
    while (st->layers > 0)
        table_drop_layer(st, st->layer[st->layers - 1]);
    free(st->image);
    free(st->layer);
    json_decref(st->refs);
    fd_close(st->rootfd);
    free(st->root);
    free(st->quarantine);
    pthread_mutex_destroy(&st->lock);
    pthread_mutex_destroy(&st->writer);
    free(st);
}

int store_open_folder(struct image_store *st, const char *path, struct err *e)
{
    int fd = openat(st->rootfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : err_sys(e, "open folder %s/%s", st->root, path);
}

char *image_resolve(struct image_store *st, const char *name, struct err *e)
{
    struct found f;
    if (table_find(st, name, &f, e) < 0)
        return NULL;
    free(f.key);
    return store_id(f.id);
}

bool image_names(struct image_store *st, const char *name, const char *id)
{
    struct err ignored;
    struct image_ref r = {NULL, NULL, NULL};
    const char *hex = digest_parse(id);
    if (!hex || image_ref_parse(name, &r, &ignored) < 0)
        return false;
    autofree char *key = reference_key(&r);
    image_ref_release(&r);
    return locked(&st->lock, str_eq(json_string_value(json_object_get(st->refs, key)), hex));
}

static int no_such(const char *id, struct err *e)
{
    char shown[SHOW_MAX];
    return err_set(e, ERR_NOT_FOUND, "No such image: %s", store_show(id, shown));
}

json_t *image_config(struct image_store *st, const char *id, struct err *e)
{
    const char *hex = digest_parse(id);
    bool there = locked(&st->lock, hex && table_image(st, hex));
    if (!there) {
        no_such(id, e);
        return NULL;
    }
    return record_config(st, hex, e);
}

int image_layers(struct image_store *st, const char *id, struct strv *ret_dirs, struct err *e)
{
    struct image_facts f;
    const char *hex = digest_parse(id);
    if (!hex || !table_facts(st, hex, &f))
        return no_such(id, e);
    for (size_t i = f.chains.n; i > 0; i--)
        strv_addf(ret_dirs, "%s/layers/%s/diff", st->root, f.chains.v[i - 1]);
    if (f.chains.n == 0) /* an image without layers is legal; overlayfs wants one */
        strv_addf(ret_dirs, "%s/empty", st->root);
    image_facts_release(&f);
    return 0;
}

int64_t image_size(struct image_store *st, const char *id)
{
    const char *hex = digest_parse(id);
    int64_t size = 0;
    pthread_mutex_lock(&st->lock);
    const struct image *im = hex ? table_image(st, hex) : NULL;
    for (size_t i = 0; im && i < im->layers; i++)
        size += im->layer[i]->size;
    pthread_mutex_unlock(&st->lock);
    return size;
}

size_t image_count(struct image_store *st)
{
    size_t n = 0;
    pthread_mutex_lock(&st->lock);
    for (size_t i = 0; i < st->images; i++)
        n += !st->image[i]->detached;
    pthread_mutex_unlock(&st->lock);
    return n;
}
