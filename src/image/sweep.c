/* Removing what nothing needs any more.
 *
 * Marking is done by the tables: a layer whose count of images is zero, and a blob that is neither an image's
 * configuration nor a layer's tar, are garbage. Sweeping lists the folders and compares. So nothing depends on every
 * removal having worked: what a kill or an error left behind is found by the next sweep.
 *
 * A layer's folder is first renamed into staging, which takes it out of the store in one step, and then emptied there;
 * at no instant does layers/ hold half a layer. Next: store.c. */
#include "image/store.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static bool blob_used(const struct image_store *st, const char *hex)
{
    if (table_image(st, hex))
        return true;
    for (size_t i = 0; i < st->layers; i++)
        if (str_eq(st->layer[i]->diff, hex))
            return true;
    return false;
}

static int sweep_layers(struct image_store *st, struct err *e)
{
    autostrv names = {NULL, 0};
    int n = 0;
    if (dir_names(st->rootfd, "layers", &names, e) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        if (table_layer(st, names.v[i]))
            continue;
        char unique[17];
        str_random_hex(unique, 8);
        autofree char *from = str_printf("layers/%s", names.v[i]);
        autofree char *to = str_printf("staging/%s", unique);
        if (renameat(st->rootfd, from, st->rootfd, to) < 0)
            return err_sys(e, "remove %s", from);
        FAULT("image.sweep.layer-moved");
        if (tree_remove(st->rootfd, to, e) < 0)
            return -1;
        n++;
    }
    return n;
}

static int sweep_blobs(struct image_store *st, struct err *e)
{
    autostrv names = {NULL, 0};
    int n = 0;
    if (dir_names(st->rootfd, "blobs/sha256", &names, e) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        if (blob_used(st, names.v[i]))
            continue;
        autofree char *path = str_printf("blobs/sha256/%s", names.v[i]);
        if (tree_remove(st->rootfd, path, e) < 0)
            return -1;
        FAULT("image.sweep.blob-removed");
        n++;
    }
    return n;
}

/* Forget layers that no image has. Readers may hold no pointer to them: they copy under the lock. */
static void drop_unused_layers(struct image_store *st)
{
    pthread_mutex_lock(&st->lock);
    for (size_t i = st->layers; i > 0; i--)
        if (st->layer[i - 1]->images == 0)
            table_drop_layer(st, st->layer[i - 1]);
    pthread_mutex_unlock(&st->lock);
}

int sweep(struct image_store *st, struct err *e)
{
    drop_unused_layers(st);
    int layers = sweep_layers(st, e);
    int blobs = layers < 0 ? -1 : sweep_blobs(st, e);
    return blobs < 0 ? -1 : layers + blobs;
}

void store_busy(struct image_store *st)
{
    locked(&st->lock, st->busy++);
}

/* An upload that becomes busy after the decision counts only on layers that images have (staging_make()), and no image
 * can lose its last record meanwhile, because the sweep holds `writer`. */
void store_idle(struct image_store *st)
{
    struct err e;
    pthread_mutex_lock(&st->lock);
    st->busy--;
    bool due = st->busy == 0 && st->garbage && !st->keep_all;
    pthread_mutex_unlock(&st->lock);
    if (!due)
        return;
    pthread_mutex_lock(&st->writer);
    pthread_mutex_lock(&st->lock);
    due = st->busy == 0 && st->garbage;
    if (due)
        st->garbage = false;
    pthread_mutex_unlock(&st->lock);
    if (due && sweep(st, &e) < 0) /* the request that made the garbage has been answered */
        log_warn("images: what is unused could not be removed: %s", e.msg);
    pthread_mutex_unlock(&st->writer);
}
