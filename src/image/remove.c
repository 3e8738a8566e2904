/* Tagging, removing, pruning: everything that changes which names mean which images.
 *
 * Removing follows Docker, rule by rule, because scripts lean on every one of them:
 *
 *   - by name: the name goes. If it was the only one, the image goes too; without force not while a container uses it.
 *   - by id: with names in several repositories not without force.
 *   - an image on which others were built, and one that a running container uses, never goes. (By name and with force
 *     the name of the latter goes, and the image stays without one.)
 *   - with it go, unless noprune, the images it was built on that nobody names or uses.
 *
 * On disk: refs.json first, then the record; then the image is gone, and sweep.c collects what it leaves. A container
 * that was only stopped needs its layers to start again, though its image was removed by force: the record then stays,
 * marked "detached" and seen by nobody, until no container is left; each removal and prune looks for such (collect()).
 * Next: sweep.c. */
#include "image/store.h"
#include "base/clock.h"
#include "base/filter.h"
#include "base/fault.h"
#include "base/mem.h"

#include <stdlib.h>

/* --- containers ------------------------------------------------------------------------------------------------ */

struct image_user *store_users(struct image_store *st, size_t *ret_n)
{
    *ret_n = 0;
    return st->hooks.users ? st->hooks.users(st->hooks.arg, ret_n) : NULL;
}

void store_users_free(struct image_user *u, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(u[i].container);
        free(u[i].image);
    }
    free(u);
}

/* One removal, or the removals of one prune. `writer` is held. */
struct removal {
    struct image_store *st;
    bool force, prune_parents;
    struct image_user *user;
    size_t users;
    json_t *records;    /* what is answered */
    struct strv events; /* action, id, action, id … sent when the lock is gone */
    int64_t freed;
};

static const struct image_user *find_user(const struct removal *r, const char *id, bool running)
{
    for (size_t i = 0; i < r->users; i++) {
        const char *hex = digest_parse(r->user[i].image);
        if (str_eq(hex, id) && r->user[i].running == running)
            return &r->user[i];
    }
    return NULL;
}

/* --- conflicts ------------------------------------------------------------------------------------------------- */

enum conflict {
    CONFLICT_CHILD = 1,
    CONFLICT_RUNNING = 2,
    CONFLICT_NAMES = 4,
    CONFLICT_STOPPED = 8,
    CONFLICT_HARD = CONFLICT_CHILD | CONFLICT_RUNNING,
    CONFLICT_SOFT = CONFLICT_NAMES | CONFLICT_STOPPED,
};

/* What of `mask` is in the way of removing image `id`? @return 0, or the conflict with its text in *e */
static enum conflict find_conflict(const struct removal *r, const char *id, unsigned mask, struct err *e)
{
    autostrv refs = {NULL, 0};
    table_refs_of(r->st, id, &refs);
    const struct image_user *running = find_user(r, id, true), *stopped = find_user(r, id, false);
    if (mask & CONFLICT_CHILD && table_has_children(r->st, id)) {
        err_set(e, ERR_CONFLICT,
                "conflict: unable to delete %.12s (cannot be forced) - image has dependent child images", id);
        return CONFLICT_CHILD;
    }
    if (mask & CONFLICT_RUNNING && running) {
        err_set(e, ERR_CONFLICT,
                "conflict: unable to delete %.12s (cannot be forced) - image is being used by running container %.12s",
                id, running->container);
        return CONFLICT_RUNNING;
    }
    if (mask & CONFLICT_NAMES && refs.n > 0) {
        err_set(e, ERR_CONFLICT,
                "conflict: unable to delete %.12s (must be forced) - image is referenced in multiple repositories", id);
        return CONFLICT_NAMES;
    }
    if (mask & CONFLICT_STOPPED && stopped) {
        err_set(e, ERR_CONFLICT,
                "conflict: unable to delete %.12s (must be forced) - image is being used by stopped container %.12s",
                id, stopped->container);
        return CONFLICT_STOPPED;
    }
    return 0;
}

/* --- names ----------------------------------------------------------------------------------------------------- */

static size_t count_tags(const struct strv *keys)
{
    size_t n = 0;
    for (size_t i = 0; i < keys->n; i++)
        n += !reference_is_digest(keys->v[i]);
    return n;
}

static bool same_repository(const char *a, const char *b)
{
    size_t n = reference_name_length(a);
    return n == reference_name_length(b) && strncmp(a, b, n) == 0;
}

/* At most one tag, and digests of that same repository only: then removing the image by id says nothing ambiguous. */
static bool single_reference(const struct strv *keys)
{
    if (count_tags(keys) > 1)
        return false;
    for (size_t i = 1; i < keys->n; i++)
        if (!same_repository(keys->v[0], keys->v[i]))
            return false;
    return true;
}

static void note(struct removal *r, const char *what, const char *text)
{
    json_array_append_new(r->records, json_pack("{s:s}", what, text));
}

static void note_event(struct removal *r, const char *action, const char *id)
{
    strv_add(&r->events, action);
    strv_add(&r->events, id);
}

/* Take these references away, in one write. */
static int untag(struct removal *r, const char *id, const struct strv *keys, struct err *e)
{
    if (keys->n == 0)
        return 0;
    json_t *refs = json_copy(r->st->refs);
    for (size_t i = 0; i < keys->n; i++)
        json_object_del(refs, keys->v[i]);
    if (table_replace_refs(r->st, refs, e) < 0)
        return -1;
    FAULT("image.remove.untagged");
    for (size_t i = 0; i < keys->n; i++) {
        note(r, "Untagged", reference_familiar(keys->v[i]));
        note_event(r, "untag", id);
    }
    return 0;
}

/* --- images ---------------------------------------------------------------------------------------------------- */

static void note_unused_layers(struct removal *r, const struct image *im)
{
    for (size_t i = im->layers; i > 0; i--) {
        const struct layer *l = im->layer[i - 1];
        if (l->images > 1)
            continue;
        autofree char *chain = store_id(l->chain);
        note(r, "Deleted", chain);
        r->freed += l->size;
    }
}

static void set_detached(struct image_store *st, struct image *im, bool on)
{
    locked(&st->lock, im->detached = on);
}

/* Take the image out of sight, unless one of `mask` is in the way. Who removes asks twice, and so does engine_create():
 * a container that was made meanwhile is seen here, or finds its image gone there (or both, and both give up).
 * @return 0, or the conflict with its text in *e */
static enum conflict hide(struct removal *r, struct image *im, unsigned mask, struct err *e)
{
    enum conflict c = find_conflict(r, im->id, mask, e);
    if (c)
        return c;
    set_detached(r->st, im, true);
    FAULT("image.remove.hidden");
    store_users_free(r->user, r->users);
    r->user = store_users(r->st, &r->users);
    c = find_conflict(r, im->id, mask, e);
    if (c)
        set_detached(r->st, im, false);
    return c;
}

/* @param told whether the layers that go with it belong into the answer */
static int delete_record(struct removal *r, struct image *im, bool told, struct err *e)
{
    if (table_remove_record(r->st, im->id, e) < 0)
        return -1;
    FAULT("image.remove.record-removed");
    if (told)
        note_unused_layers(r, im);
    pthread_mutex_lock(&r->st->lock);
    table_drop_image(r->st, im);
    r->st->garbage = true;
    pthread_mutex_unlock(&r->st->lock);
    return 0;
}

/* Remove one image, hidden by now, with all its names. Its record stays where a stopped container needs the layers. */
static int delete_one(struct removal *r, struct image *im, struct err *e)
{
    autostrv keys = {NULL, 0};
    autofree char *whole = store_id(im->id);
    table_refs_of(r->st, im->id, &keys);
    if (untag(r, im->id, &keys, e) < 0)
        return -1;
    note_event(r, "delete", im->id);
    note(r, "Deleted", whole);
    return find_user(r, im->id, false) ? table_write_record(r->st, im, e) : delete_record(r, im, true, e);
}

/* What protects an image, unless force is used, beside what always does. */
static unsigned by_force(const struct removal *r, unsigned otherwise)
{
    return CONFLICT_HARD | (r->force ? 0 : otherwise);
}

/* Remove image `start` and, where asked, the nameless images it was built on.
 * @param mask what protects the first of them: the others, anything
 * @param quiet a conflict is no error: the name went, which was the wish */
static int delete_image(struct removal *r, const char *start, unsigned mask, bool quiet, struct err *e)
{
    char id[DIGEST_SIZE], parent[DIGEST_SIZE];
    struct image *im;
    memcpy(id, start, DIGEST_SIZE);
    for (; (im = table_image(r->st, id)) && !im->detached; mask = CONFLICT_HARD | CONFLICT_SOFT, quiet = true) {
        struct err why;
        if (hide(r, im, mask, &why)) {
            if (!quiet)
                *e = why;
            return quiet ? 0 : -1;
        }
        memcpy(parent, im->parent, DIGEST_SIZE);
        if (delete_one(r, im, e) < 0) {
            set_detached(r->st, im, false);
            return -1;
        }
        if (!r->prune_parents)
            break;
        memcpy(id, parent, DIGEST_SIZE);
    }
    return 0;
}

/* --- the two ways of naming -------------------------------------------------------------------------------------- */

/* A container that uses the image is in the way only if this is the last name: with another one left, nothing but a
 * name goes. */
static int remove_by_reference(struct removal *r, const char *id, const char *key, struct err *e)
{
    autostrv keys = {NULL, 0}, going = {NULL, 0};
    table_refs_of(r->st, id, &keys);
    if (!r->force && single_reference(&keys)) {
        const struct image_user *u = find_user(r, id, true);
        u = u ? u : find_user(r, id, false);
        if (u)
            return err_set(e, ERR_CONFLICT,
                           "conflict: unable to remove repository reference \"%s\" (must force) - container %.12s is "
                           "using its referenced image %.12s",
                           reference_familiar(key), u->container, id);
    }
    strv_add(&going, key);
    bool tag_left = false;
    for (size_t i = 0; i < keys.n; i++)
        tag_left |= !str_eq(keys.v[i], key) && !reference_is_digest(keys.v[i]) && same_repository(keys.v[i], key);
    /* The digests under which a repository gave the image mean nothing without a tag of it. */
    for (size_t i = 0; i < keys.n && !tag_left && !reference_is_digest(key); i++)
        if (reference_is_digest(keys.v[i]) && same_repository(keys.v[i], key))
            strv_add(&going, keys.v[i]);
    if (untag(r, id, &going, e) < 0)
        return -1;
    return keys.n > going.n ? 0 : delete_image(r, id, by_force(r, CONFLICT_SOFT), true, e);
}

/* An id takes all names with it, where there is no doubt which image is meant by them (or with force). */
static int remove_by_id(struct removal *r, const char *id, struct err *e)
{
    autostrv keys = {NULL, 0};
    table_refs_of(r->st, id, &keys);
    return delete_image(r, id, by_force(r, single_reference(&keys) ? CONFLICT_STOPPED : CONFLICT_SOFT), false, e);
}

static void begin(struct removal *r, struct image_store *st)
{
    r->st = st;
    r->records = json_array();
    store_busy(st);
    pthread_mutex_lock(&st->writer);
    r->user = store_users(st, &r->users);
}

/* Forget images that were only kept for containers which are gone by now. */
static void collect(struct removal *r)
{
    for (size_t i = r->st->images; i > 0; i--) {
        struct err later; /* it stays, and is tried again */
        struct image *im = r->st->image[i - 1];
        if (im->detached && !find_user(r, im->id, true) && !find_user(r, im->id, false))
            delete_record(r, im, false, &later);
    }
}

static void end(struct removal *r)
{
    collect(r);
    pthread_mutex_unlock(&r->st->writer);
    for (size_t i = 0; i + 1 < r->events.n; i += 2)
        store_event(r->st, r->events.v[i], r->events.v[i + 1], NULL);
    strv_release(&r->events);
    store_users_free(r->user, r->users);
    store_idle(r->st);
}

json_t *image_remove(struct image_store *st, const char *name, bool force, bool noprune, struct err *e)
{
    struct removal r = {.force = force, .prune_parents = !noprune};
    struct found f = {.key = NULL};
    begin(&r, st);
    int k = table_find(st, name, &f, e);
    if (k == 0)
        k = f.key ? remove_by_reference(&r, f.id, f.key, e) : remove_by_id(&r, f.id, e);
    free(f.key);
    end(&r);
    if (k < 0)
        json_decref(r.records);
    return k < 0 ? NULL : r.records;
}

/* --- tag --------------------------------------------------------------------------------------------------------- */

/* @param ret_key of the reference that repo and tag make */
static int target_key(const char *repo, const char *tag, char **ret_key, struct err *e)
{
    struct image_ref r = {NULL, NULL, NULL};
    autofree char *text = str_empty(tag) ? mem_strdup(repo) : str_printf("%s:%s", repo, tag);
    if (image_ref_parse(text, &r, e) < 0)
        return -1;
    int k = 0;
    if (r.digest)
        k = err_set(e, ERR_INVALID, "refusing to create a tag with a digest reference");
    else if (str_eq(reference_familiar(r.name), "sha256"))
        k = err_set(e, ERR_INVALID, "refusing to create an ambiguous tag using digest algorithm as name");
    else if (str_eq(reference_familiar(r.name), "scratch"))
        k = err_set(e, ERR_INVALID, "'scratch' is a reserved name");
    else
        *ret_key = reference_key(&r);
    image_ref_release(&r);
    return k;
}

/* `writer` is held. */
static int tag_locked(struct image_store *st, const char *id, const char *key, struct err *e)
{
    struct image *im = table_image(st, id);
    if (!im || im->detached)
        return err_set(e, ERR_NOT_FOUND, "No such image: %.12s", id);
    locked(&st->lock, im->tagged = clock_real());
    if (table_write_record(st, im, e) < 0)
        return -1;
    FAULT("image.tag.recorded");
    json_t *refs = json_copy(st->refs);
    json_object_set_new(refs, key, json_string(id));
    return table_replace_refs(st, refs, e);
}

int image_tag(struct image_store *st, const char *name, const char *repo, const char *tag, struct err *e)
{
    struct found f;
    autofree char *key = NULL;
    if (target_key(repo, tag, &key, e) < 0 || table_find(st, name, &f, e) < 0)
        return -1;
    free(f.key);
    int r = locked(&st->writer, tag_locked(st, f.id, key, e));
    if (r == 0)
        store_event(st, "tag", f.id, reference_familiar(key));
    return r;
}

/* --- prune ------------------------------------------------------------------------------------------------------- */

struct prune_query {
    bool dangling_only;
    int64_t until;
    const json_t *filters;
};

/* May this image go? Children first: see prune_all(). */
static bool wants(const struct prune_query *q, const struct removal *r, const struct image *im)
{
    autostrv keys = {NULL, 0};
    table_refs_of(r->st, im->id, &keys);
    if (im->detached || im->created > q->until || !filter_labels(q->filters, im->labels))
        return false;
    if (table_has_children(r->st, im->id) || find_user(r, im->id, true) || find_user(r, im->id, false))
        return false;
    return q->dangling_only ? count_tags(&keys) == 0 : true;
}

/* One round. An image that cannot go stays; the others do not depend on it. */
static void prune_round(struct removal *r, const struct prune_query *q)
{
    autostrv ids = {NULL, 0};
    for (size_t i = 0; i < r->st->images; i++)
        if (wants(q, r, r->st->image[i]))
            strv_add(&ids, r->st->image[i]->id);
    for (size_t i = 0; i < ids.n; i++) {
        struct err skipped;
        delete_image(r, ids.v[i], CONFLICT_HARD | CONFLICT_STOPPED, true, &skipped);
    }
}

/* An image that others were built on can go once those have gone: again, until nothing more goes. */
static void prune_all(struct removal *r, const struct prune_query *q)
{
    size_t before;
    do {
        before = json_array_size(r->records);
        prune_round(r, q);
    } while (json_array_size(r->records) > before);
}

/* @return true where that changed something */
static bool set_pruning(struct image_store *st, bool on)
{
    pthread_mutex_lock(&st->lock);
    bool was = st->pruning;
    st->pruning = on;
    pthread_mutex_unlock(&st->lock);
    return was != on;
}

json_t *image_prune(struct image_store *st, const json_t *filters, struct err *e)
{
    static const char *const keys[] = {"dangling", "until", "label", "label!", NULL};
    struct prune_query q = {.filters = filters};
    struct removal r = {.prune_parents = true};
    if (filters_check(filters, keys, e) < 0 || filter_bool(filters, "dangling", true, &q.dangling_only, e) < 0 ||
        filter_until(filters, &q.until, e) < 0)
        return NULL;
    if (!set_pruning(st, true))
        return err_null(err_set(e, ERR_CONFLICT, "a prune operation is already running"));
    begin(&r, st);
    prune_all(&r, &q);
    end(&r);
    set_pruning(st, false);
    json_t *deleted = json_array_size(r.records) > 0 ? json_incref(r.records) : json_null();
    json_decref(r.records);
    if (st->hooks.pruned)
        st->hooks.pruned(st->hooks.arg, r.freed);
    return json_pack("{s:o, s:I}", "ImagesDeleted", deleted, "SpaceReclaimed", (json_int_t)r.freed);
}

void image_collect(struct image_store *st)
{
    struct removal r = {.prune_parents = false};
    pthread_mutex_lock(&st->lock);
    bool any = false;
    for (size_t i = 0; i < st->images; i++)
        any |= st->image[i]->detached;
    pthread_mutex_unlock(&st->lock);
    if (!any)
        return;
    begin(&r, st);
    end(&r);
    json_decref(r.records);
}
