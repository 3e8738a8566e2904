/* The tables of the store and their files.
 *
 * Images and layers stand in arrays sorted by digest, found by bisection: a hundred images cost some 40 KiB. The
 * references are one JSON object, the very content of refs.json. It is never changed in place: a change copies it,
 * writes the copy to disk, and then swaps the pointer, so memory never says what the disk does not. Next: record.c. */
#include "image/store.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* --- images and layers -------------------------------------------------------------------------------------- */

/* Where `key` is or would stand in a sorted array of pointers to structs that begin with their key. */
static size_t position(void *const *array, size_t n, const char *key)
{
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (strcmp(array[middle], key) < 0)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

static void *find(void *const *array, size_t n, const char *key)
{
    size_t i = position(array, n, key);
    return i < n && str_eq(array[i], key) ? array[i] : NULL;
}

static void *insert(void *array, size_t *n, void *item)
{
    void **a = mem_resize(array, *n + 1, sizeof(*a));
    size_t i = position(a, *n, item);
    memmove(a + i + 1, a + i, (*n - i) * sizeof(*a));
    a[i] = item;
    (*n)++;
    return a;
}

static void take_out(void *array, size_t *n, const char *key)
{
    void **a = array;
    size_t i = position(a, *n, key);
    (*n)--;
    memmove(a + i, a + i + 1, (*n - i) * sizeof(*a));
}

/* position() compares the start of each struct as a string. */
_Static_assert(offsetof(struct image, id) == 0 && offsetof(struct layer, chain) == 0, "the key comes first");

struct image *table_image(const struct image_store *st, const char *id)
{
    return find((void *const *)st->image, st->images, id);
}

struct layer *table_layer(const struct image_store *st, const char *chain)
{
    return find((void *const *)st->layer, st->layers, chain);
}

void table_add_image(struct image_store *st, struct image *im)
{
    st->image = insert(st->image, &st->images, im);
    for (size_t i = 0; i < im->layers; i++)
        im->layer[i]->images++;
}

void table_add_layer(struct image_store *st, struct layer *l)
{
    st->layer = insert(st->layer, &st->layers, l);
}

void image_free(struct image *im)
{
    if (!im)
        return;
    free(im->layer);
    json_decref(im->labels);
    free(im);
}

void table_drop_image(struct image_store *st, struct image *im)
{
    for (size_t i = 0; i < im->layers; i++)
        im->layer[i]->images--;
    take_out(st->image, &st->images, im->id);
    image_free(im);
}

void table_drop_layer(struct image_store *st, struct layer *l)
{
    take_out(st->layer, &st->layers, l->chain);
    free(l);
}

bool table_has_children(const struct image_store *st, const char *id)
{
    for (size_t i = 0; i < st->images; i++)
        if (!st->image[i]->detached && str_eq(st->image[i]->parent, id))
            return true;
    return false;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void table_refs_of(const struct image_store *st, const char *id, struct strv *ret)
{
    json_each_pair (key, v, st->refs)
        if (str_eq(json_string_value(v), id))
            strv_add(ret, key);
    if (ret->n > 1)
        qsort(ret->v, ret->n, sizeof(*ret->v), by_text);
}

/* --- facts -------------------------------------------------------------------------------------------------- */

/* Copy, so that the caller may go on without the lock while the image is removed. */
static void fill_facts(const struct image_store *st, const struct image *im, struct image_facts *f)
{
    memcpy(f->id, im->id, DIGEST_SIZE);
    memcpy(f->parent, im->parent, DIGEST_SIZE);
    f->created = im->created;
    f->tagged = im->tagged;
    f->sizes = mem_alloc((im->layers + 1) * sizeof(*f->sizes));
    for (size_t i = 0; i < im->layers; i++) {
        f->sizes[i] = im->layer[i]->size;
        f->size += im->layer[i]->size;
        strv_add(&f->diffs, im->layer[i]->diff);
        strv_add(&f->chains, im->layer[i]->chain);
    }
    autostrv keys = {NULL, 0};
    table_refs_of(st, im->id, &keys);
    for (size_t i = 0; i < keys.n; i++)
        strv_add(reference_is_digest(keys.v[i]) ? &f->digests : &f->tags, reference_familiar(keys.v[i]));
}

bool table_facts(struct image_store *st, const char *id, struct image_facts *ret)
{
    *ret = (struct image_facts){0};
    pthread_mutex_lock(&st->lock);
    const struct image *im = table_image(st, id);
    if (im)
        fill_facts(st, im, ret);
    pthread_mutex_unlock(&st->lock);
    return im != NULL;
}

void image_facts_release(struct image_facts *f)
{
    strv_release(&f->tags);
    strv_release(&f->digests);
    strv_release(&f->diffs);
    strv_release(&f->chains);
    free(f->sizes);
    f->sizes = NULL;
}

/* --- names -------------------------------------------------------------------------------------------------- */

/* The one image whose id begins with `prefix`. Ids are sorted: the next one tells whether there are more. */
static const struct image *find_prefix(const struct image_store *st, const char *prefix)
{
    size_t n = strlen(prefix);
    const struct image *only = NULL;
    if (n == 0 || n > DIGEST_HEX || !str_is_hex(prefix, n))
        return NULL;
    for (size_t i = position((void *const *)st->image, st->images, prefix); i < st->images; i++) {
        const struct image *im = st->image[i];
        if (strncmp(im->id, prefix, n) != 0)
            break;
        if (im->detached)
            continue;
        if (only)
            return NULL;
        only = im;
    }
    return only;
}

/* @param key the reference that `name` is, or NULL @return true if found */
static bool find_locked(const struct image_store *st, const char *name, char *key, struct found *ret)
{
    const char *id = key ? json_string_value(json_object_get(st->refs, key)) : NULL;
    if (!id) {
        const struct image *im = find_prefix(st, str_starts(name, DIGEST_PREFIX) ? name + strlen(DIGEST_PREFIX) : name);
        id = im ? im->id : NULL;
        key = NULL;
    }
    if (!id)
        return false;
    memcpy(ret->id, id, DIGEST_SIZE);
    ret->key = mem_strdup(key);
    return true;
}

/* The order of Docker: a reference that exists wins over an id that begins alike, so nobody can hide an image by a tag,
 * except one that is 64 hex digits, which the grammar of references excludes. */
int table_find(struct image_store *st, const char *name, struct found *ret, struct err *e)
{
    struct err why;
    struct image_ref ref = {NULL, NULL, NULL};
    char shown[SHOW_MAX];
    bool is_ref = image_ref_parse(name, &ref, &why) == 0;
    autofree char *key = is_ref ? reference_key(&ref) : NULL;
    autofree char *familiar = is_ref ? image_ref_familiar(&ref) : NULL;
    image_ref_release(&ref);
    bool found = locked(&st->lock, find_locked(st, name, key, ret));
    if (found)
        return 0;
    if (!is_ref && !str_is_hex(name, DIGEST_HEX) && !digest_parse(name)) {
        if (e)
            *e = why;
        return -1;
    }
    return err_set(e, ERR_NOT_FOUND, "No such image: %s", store_show(familiar ? familiar : name, shown));
}

/* --- files -------------------------------------------------------------------------------------------------- */

int table_replace_refs(struct image_store *st, json_t *refs, struct err *e)
{
    autofree char *text = json_text(refs);
    if ((strlen(text) > REFS_MAX ? err_set(e, ERR_TOO_LARGE, "there are too many names of images for one more")
                                 : file_replace(st->rootfd, "refs.json", text, strlen(text), 0600, e)) < 0) {
        json_decref(refs);
        return -1;
    }
    pthread_mutex_lock(&st->lock);
    json_t *old = st->refs;
    st->refs = refs;
    pthread_mutex_unlock(&st->lock);
    json_decref(old);
    return 0;
}

int table_write_record(struct image_store *st, const struct image *im, struct err *e)
{
    autofree char *path = str_printf("records/%s.json", im->id);
    json_auto_t *j = json_pack("{s:s, s:I, s:b, s:[]}", "parent", im->parent, "tagged", (json_int_t)im->tagged,
                               "detached", (int)im->detached, "layers");
    for (size_t i = 0; i < im->layers; i++)
        json_array_append_new(json_object_get(j, "layers"), json_string(im->layer[i]->chain));
    autofree char *text = json_text(j);
    return file_replace(st->rootfd, path, text, strlen(text), 0600, e);
}

int table_remove_record(struct image_store *st, const char *id, struct err *e)
{
    autofree char *path = str_printf("records/%s.json", id);
    if (unlinkat(st->rootfd, path, 0) < 0 && errno != ENOENT)
        return err_sys(e, "remove %s", path);
    return dir_sync(st->rootfd, "records", e);
}

char *store_id(const char *hex)
{
    return str_printf(DIGEST_PREFIX "%s", hex);
}

void store_event(struct image_store *st, const char *action, const char *id, const char *name)
{
    autofree char *whole = store_id(id);
    if (st->hooks.event)
        st->hooks.event(st->hooks.arg, action, whole, name ? name : whole);
}
