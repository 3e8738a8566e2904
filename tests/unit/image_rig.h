/* An image store in a box: a folder, its events and containers in the test's hands, and bytes to feed it. */
#ifndef GORAE_TESTS_IMAGE_RIG_H
#define GORAE_TESTS_IMAGE_RIG_H

#include "base/json.h"
#include "image/store.h"
#include "tar_rig.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define WORKER_NAME "gorae-archive"
#define VIA(id)     (digest_parse(id))

static char folder[] = "/tmp/test-image-XXXXXX";
static struct image_store *st;
static struct strv events; /* "action id name" each, digests cut to 12 digits */
static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;
static struct image_user users[4]; /* what the engine would say */
static size_t nusers;

static void on_event(void *arg, const char *action, const char *id, const char *name)
{
    ck_assert_ptr_eq(arg, &events);
    ck_assert_ptr_nonnull(digest_parse(id));
    pthread_mutex_lock(&events_lock);
    strv_addf(&events, "%s %.12s %.19s", action, digest_parse(id), name);
    pthread_mutex_unlock(&events_lock);
}

static struct image_user *on_users(void *arg, size_t *ret_n)
{
    ck_assert_ptr_eq(arg, &events);
    struct image_user *u = mem_alloc((nusers + 1) * sizeof(*u));
    for (size_t i = 0; i < nusers; i++)
        u[i] = (struct image_user){mem_strdup(users[i].container), mem_strdup(users[i].image), users[i].running};
    *ret_n = nusers;
    return u;
}

static struct image_store *store_at(const char *name)
{
    struct err e;
    const struct image_hooks hooks = {.arg = &events, .event = on_event, .users = on_users};
    autofree char *path = str_printf("%s/%s", folder, name), *quarantine = str_printf("%s/quarantine", folder);
    struct image_store *s = image_store_open(path, quarantine, &hooks, &e);
    ck_assert_msg(s != NULL, "%s", e.msg);
    return s;
}

static inline void reopen(void)
{
    image_store_close(st);
    st = store_at("store");
}

static inline void setup(void)
{
    umask(0); /* a daemon's modes must not lean on it */
    json_object_seed(0);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    st = store_at("store");
}

/* How many names a folder of the store holds. */
static inline size_t count_in(const char *path)
{
    size_t n = 0;
    autoclosedir DIR *d = opendir(path);
    ck_assert_msg(d != NULL, "%s", path);
    for (struct dirent *x; (x = readdir(d));)
        n += x->d_name[0] != '.';
    return n;
}

/* How many blobs, layers and records the store has. */
static inline size_t count_all(void)
{
    return count_in("store/blobs/sha256") + count_in("store/layers") + count_in("store/records");
}

static inline void teardown(void)
{
    ck_assert_uint_eq(count_in("store/staging"), 0);
    image_store_close(st);
    ck_assert_int_eq(tree_remove(AT_FDCWD, folder, NULL), 0);
    strv_release(&events);
}

static inline void expect_events(const char *const *want, size_t n)
{
    ck_assert_uint_eq(events.n, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_str_eq(events.v[i], want[i]);
}

static inline bool found(const char *name)
{
    struct err e;
    autofree char *id = image_resolve(st, name, &e);
    return id != NULL;
}

/* ---- bytes in and out ---- */

struct feed {
    const char *p;
    size_t left, step; /* at most `step` bytes a time */
    bool broken;       /* at the end an error instead of an end */
    void (*peek)(void);
};

static inline ssize_t feed_read(void *arg, void *p, size_t n, struct err *e)
{
    struct feed *f = arg;
    if (f->left == 0 && f->broken)
        return err_set(e, ERR_INVALID, "the body ended early");
    if (f->peek)
        f->peek();
    n = n < f->left ? n : f->left;
    n = f->step && f->step < n ? f->step : n;
    memcpy(p, f->p, n);
    f->p += n;
    f->left -= n;
    return (ssize_t)n;
}

static inline int keep_message(void *arg, const json_t *msg)
{
    json_array_append((json_t *)arg, (json_t *)msg);
    return 0;
}

static inline int keep_bytes(void *arg, const void *p, size_t n)
{
    str_addn(arg, p, n);
    return 0;
}

/* Load; what was said is added to `said`, which may be NULL. */
static inline int load_into(struct image_store *s, const struct str *t, json_t *said, struct err *e)
{
    struct feed f = {.p = t->s, .left = t->len};
    return image_load(s, feed_read, &f, false, said ? keep_message : NULL, said, e);
}

/* Import a tar, and fail the test if that fails. @return the id */
static inline char *import_named(const struct str *t, const char *ref)
{
    struct err e;
    struct feed f = {.p = t->s, .left = t->len};
    char *id = image_import(st, feed_read, &f, &(struct image_import){.ref = ref}, NULL, NULL, &e);
    ck_assert_msg(id != NULL, "%s", e.msg);
    return id;
}

/* A tar with one file. */
static inline void small_tar(struct str *t, const char *name, const char *data)
{
    tar_file(t, name, data, strlen(data));
    tar_end(t);
}

/* An image that differs from all others by `text`. */
static inline char *import_text(const char *text, const char *ref)
{
    autostr t = STR_INIT;
    small_tar(&t, "text", text);
    return import_named(&t, ref);
}

static inline void save_from(struct image_store *s, const char *name, struct str *out)
{
    struct err e;
    autostrv names = {NULL, 0};
    strv_add(&names, name);
    ck_assert_msg(image_save(s, &names, keep_bytes, out, &e) == 0, "%s", e.msg);
}

/* The archive worker is found beside the program that starts it; tests stand one folder further. */
static inline void link_worker(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash)
        return;
    autofree char *to = str_printf("%.*s/" WORKER_NAME, (int)(slash - self), self);
    if (symlink("../bin/" WORKER_NAME, to) < 0 && errno != EEXIST)
        perror(to);
}

/* A case of tests that have a store. */
static inline TCase *store_case(Suite *s, const char *name)
{
    TCase *t = unit_root_case(s, name, "unpack layers and to mount");
    tcase_add_checked_fixture(t, setup, teardown);
    link_worker();
    return t;
}

#endif
