/** @file
 * The inside of the image store.
 *
 * Two locks, taken in this order. `writer` is held by whoever changes the store, for the whole change, disk included;
 * so there is one change at a time. `lock` guards the tables in memory and is held for moments, without I/O; readers
 * take only it. Tables are changed after the disk has been.
 *
 * What keeps a layer alive is a record that names it. Files that no record names are garbage, removed by sweep.c: at
 * start, and after images were removed, as soon as no upload or download is under way.
 */
#ifndef GORAE_IMAGE_STORE_H
#define GORAE_IMAGE_STORE_H

#include "base/archiveproto.h"
#include "base/digest.h"
#include "image/image.h"

#include <pthread.h>

#define RECORD_MAX (1 << 20)  /**< bytes of a record or a layer.json */
#define REFS_MAX   (16 << 20) /**< bytes of refs.json */

/** A layer in the store. */
struct layer {
    char chain[DIGEST_SIZE];
    char diff[DIGEST_SIZE];
    int64_t size;    /**< bytes of its regular files */
    int64_t tar;     /**< bytes of its tar */
    unsigned images; /**< records that name it */
};

struct image {
    char id[DIGEST_SIZE];
    char parent[DIGEST_SIZE]; /**< the image it was built on, or "" */
    struct layer **layer;     /**< lowest first; each belongs to the store */
    size_t layers;
    int64_t created, tagged; /**< real-time ns; 0 unknown */
    json_t *labels;          /**< object, or NULL */
    bool detached;           /**< removed by force, and kept unseen because a container lives on its layers */
};

struct image_store {
    char *root;
    char *quarantine;
    int rootfd;
    struct image_hooks hooks;
    pthread_mutex_t writer;
    pthread_mutex_t lock; /* guards everything below */
    struct image **image; /* sorted by id */
    size_t images;
    struct layer **layer; /* sorted by chain */
    size_t layers;
    json_t *refs; /* key (see reference_key) → id hex; never changed, only replaced */
    unsigned busy;
    bool garbage;  /* there is something to sweep */
    bool keep_all; /* a record was set aside at start: what it named must not be swept before someone has looked */
    bool pruning;
};

/* --- reference.c -------------------------------------------------------------------------------------------- */

#define SHOW_MAX 200
/** `s` for an error message: printable ASCII, cut. @return out */
const char *store_show(const char *s, char out[SHOW_MAX]);
/** The key of refs.json: `name@digest` where there is a digest, else name:tag. @return the caller's */
char *reference_key(const struct image_ref *r);
/** A canonical reference as people write it. @return borrowed from `canonical` */
const char *reference_familiar(const char *canonical);
bool reference_is_digest(const char *key);
/** Length of the name in a key. */
size_t reference_name_length(const char *key);

/* --- table.c: the tables in memory, and their files ------------------------------------------------------------ */

/** The image with this id, or NULL. Detached ones too. `lock` or `writer` held. */
struct image *table_image(const struct image_store *st, const char *id);
struct layer *table_layer(const struct image_store *st, const char *chain);
/** Put in; the table owns it then. `lock` and `writer` held. */
void table_add_image(struct image_store *st, struct image *im);
void table_add_layer(struct image_store *st, struct layer *l);
/** Take out and free; its layers lose a user. `lock` and `writer` held. */
void table_drop_image(struct image_store *st, struct image *im);
void table_drop_layer(struct image_store *st, struct layer *l);
void image_free(struct image *im);
/** All references of image `id`, sorted. `lock` or `writer` held. @param ret gets their keys */
void table_refs_of(const struct image_store *st, const char *id, struct strv *ret);
/** True if another image was built on this one. `lock` or `writer` held. */
bool table_has_children(const struct image_store *st, const char *id);

/** How a name was understood. */
struct found {
    char id[DIGEST_SIZE];
    char *key; /**< the reference it was, or NULL where it was an id or a prefix of one */
};
/** Find what `name` means. Takes `lock`. */
int table_find(struct image_store *st, const char *name, struct found *ret, struct err *e);

/** Write refs.json and make it the table. `writer` held. @param refs its reference is taken */
int table_replace_refs(struct image_store *st, json_t *refs, struct err *e);
/** Write the record of `im`. `writer` held. */
int table_write_record(struct image_store *st, const struct image *im, struct err *e);
/** Remove the record of `id`, durably. `writer` held. */
int table_remove_record(struct image_store *st, const char *id, struct err *e);

/** Everything known about one image, copied out of the tables. */
struct image_facts {
    char id[DIGEST_SIZE], parent[DIGEST_SIZE];
    int64_t size, created, tagged;
    struct strv tags, digests; /**< familiar */
    struct strv diffs, chains; /**< lowest first */
    int64_t *sizes;            /**< of each layer */
};
/** @return false where there is none. Takes `lock`. */
bool table_facts(struct image_store *st, const char *id, struct image_facts *ret);
void image_facts_release(struct image_facts *f);

/** Report an event; no lock held. @param id hex @param name NULL means the id */
void store_event(struct image_store *st, const char *action, const char *id, const char *name);
/** "sha256:" and `hex`. @return the caller's */
char *store_id(const char *hex);

/* --- store.c ---------------------------------------------------------------------------------------------------- */

/** Open a folder of the store. @return fd, the caller's, or -1 */
int store_open_folder(struct image_store *st, const char *path, struct err *e);

/* --- record.c: reading the store at start ---------------------------------------------------------------------- */

/** Fill the tables from disk, setting aside what cannot be read. @param ret_aside how many files were */
int record_load_all(struct image_store *st, size_t *ret_aside, struct err *e);
/** Parse the configuration of `id` after checking its digest. @return new reference */
json_t *record_config(const struct image_store *st, const char *id, struct err *e);
/** What the tables keep of a configuration: creation time and labels. */
void record_digest_config(struct image *im, const json_t *config);

/* --- sweep.c ---------------------------------------------------------------------------------------------------- */

/** While busy, nothing is swept: an upload counts on layers that it found. */
void store_busy(struct image_store *st);
/** Ends that, and sweeps if there is something to. No lock held. */
void store_idle(struct image_store *st);
/** Remove layers and blobs that no record names. `writer` held. @return how many, or -1 */
int sweep(struct image_store *st, struct err *e);

/* --- worker.c: gorae-archive -------------------------------------------------------------------------------------- */

struct staging {
    char *path; /**< below the store */
    int fd;
};
#define STAGING_INIT \
    {                \
        NULL, -1     \
    }
/** A new staging folder with the list of known chains in it. */
int staging_make(struct image_store *st, struct staging *ret, struct err *e);
/** The bytes of an image's configuration become a blob in it. @param id takes DIGEST_SIZE bytes: their digest */
int staging_put_config(const struct staging *s, const char *config, char *id, struct err *e);
/** Remove it and what is in it. */
void staging_remove(struct image_store *st, struct staging *s);

struct worker_job {
    const char *verb;
    int work, layers;  /**< borrowed; layers may be -1 */
    image_source *src; /**< or NULL: nothing goes in */
    void *src_arg;
    image_sink *sink; /**< or NULL */
    void *sink_arg;
    /** Called for each progress message; may be NULL. @return non-zero to give up */
    int (*progress)(void *arg, const json_t *msg);
    void *progress_arg;
};
/** Run gorae-archive to its end. @return its "done" message, a new reference; or NULL */
json_t *worker_run(const struct worker_job *job, struct err *e);

/* --- commit.c: from staging into the store ------------------------------------------------------------------------ */

/** Move images that a worker left in staging into the store, all of them or none.
 * @param images array of {"config","tags","layers"} as in base/archiveproto.h, and perhaps "parent": the id below
 * @param ret_moved array of {"tag": familiar, "was": hex}: tags that named another image before; may be NULL */
int commit_images(struct image_store *st, int staging, const json_t *images, json_t **ret_moved, struct err *e);

/** Put what `platform` says (NULL, empty: nothing) into an image configuration; ERR_INVALID for one that is none. */
int platform_set(json_t *config, const char *platform, struct err *e);
/** The name to give to a new image as a key of refs.json, or NULL where none is asked for. (import.c) */
int reference_of_new(const char *ref, char **ret_key, struct err *e);
/** The machine's name as images know it (Go's GOARCH). */
const char *image_architecture(void);

/* --- remove.c ----------------------------------------------------------------------------------------------------- */

/** The containers there are, as the engine says. No `lock` held. @return the caller's, or NULL */
struct image_user *store_users(struct image_store *st, size_t *ret_n);
void store_users_free(struct image_user *u, size_t n);

#endif
