/** @file
 * The image store: references, blobs by digest, unpacked layers, and what containers need of them.
 *
 * Below `<data-root>/images`:
 *
 *     blobs/sha256/<hex>        image configurations, byte for byte, and layer tars, as in an OCI layout
 *     layers/<chain id hex>/    diff/ is the unpacked layer, a lower folder for overlayfs; layer.json names its diff
 *                               id, blob, sizes in bytes and parent chain id
 *     records/<image id>.json   what the configuration does not say: layers by chain id, parent, when tagged
 *     refs.json                 canonical reference → image id
 *     staging/<random>/         where a worker unpacks; moved into place whole, removed at start
 *     empty/                    stands for the layers of an image that has none
 *
 * Untrusted archives are never opened by the daemon: the program gorae-archive does that, confined to a staging
 * folder, and hands back names and digests that are checked against their grammars here.
 *
 * All functions are safe to call from several threads. The hooks are called without the lock of the tables, `users`
 * with the lock that serialises changes; neither may call a function that changes the store. Names given by users are
 * references, image ids or unique id prefixes; a miss is ERR_NOT_FOUND "No such image: NAME:TAG".
 */
#ifndef GORAE_IMAGE_IMAGE_H
#define GORAE_IMAGE_IMAGE_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct image_store;

/** Which containers use an image: given to image_remove() by the engine. */
struct image_user {
    char *container; /**< id */
    char *image;     /**< "sha256:…" */
    bool running;
};

struct image_hooks {
    void *arg;
    /** An image event happened: action, image id or reference, name. May be NULL. */
    void (*event)(void *arg, const char *action, const char *id, const char *name);
    /** A prune has ended, and freed so many bytes. May be NULL */
    void (*pruned)(void *arg, int64_t bytes);
    /** The containers there are. @param ret_n how many @return array, the caller's with its strings. May be NULL */
    struct image_user *(*users)(void *arg, size_t *ret_n);
};

/** Open or create the store at `root` (absolute). Removes stale staging folders and temporaries; sets aside records
 * that cannot be read in `quarantine` (absolute folder) and logs their names. @return owned, or NULL */
struct image_store *image_store_open(const char *root, const char *quarantine, const struct image_hooks *hooks,
                                     struct err *e);
void image_store_close(struct image_store *st);

/** A parsed reference. `name` is canonical ("docker.io/library/busybox"); tag and digest may be NULL. */
struct image_ref {
    char *name;
    char *tag;
    char *digest;
};
/** The grammar of spec section 7.1. Where neither tag nor digest is given, tag becomes "latest". */
int image_ref_parse(const char *s, struct image_ref *ret, struct err *e);
void image_ref_release(struct image_ref *r);
/** "busybox:latest", as people write it. @return the caller's */
char *image_ref_familiar(const struct image_ref *r);
/** "docker.io/library/busybox:latest". @return the caller's */
char *image_ref_canonical(const struct image_ref *r);

/** The id ("sha256:<hex>", the caller's) that `name` means now, or NULL. */
char *image_resolve(struct image_store *st, const char *name, struct err *e);
/** True if `name` is a reference that currently resolves to `id`. */
bool image_names(struct image_store *st, const char *name, const char *id);
/** The image's configuration, parsed (the whole OCI config: "config", "rootfs", "history" …). @return new reference */
json_t *image_config(struct image_store *st, const char *id, struct err *e);
/** Whether an image is for `platform`, os[/arch[/variant]] or an architecture alone. @param reference for the sentence
 * @return 0; ERR_INVALID where `platform` is none; ERR_NOT_FOUND where the image is for another */
int image_is_for(const json_t *config, const char *reference, const char *platform, struct err *e);
/** The unpacked layers of `id`, topmost first, as absolute folders for overlayfs. */
int image_layers(struct image_store *st, const char *id, struct strv *ret_dirs, struct err *e);
/** Bytes of all layers of `id`. */
int64_t image_size(struct image_store *st, const char *id);
/** How many images there are. */
size_t image_count(struct image_store *st);

/** GET /images/json: an array in the API's shape. @param filters object of key → array of strings (already normalised),
 * or NULL; an unknown key is ERR_INVALID */
json_t *image_list(struct image_store *st, const json_t *filters, bool all, int api_minor, struct err *e);
/** GET /images/{name}/json. */
json_t *image_inspect(struct image_store *st, const char *name, struct err *e);
/** GET /images/{name}/history. */
json_t *image_history(struct image_store *st, const char *name, struct err *e);
/** POST /images/{name}/tag. */
int image_tag(struct image_store *st, const char *name, const char *repo, const char *tag, struct err *e);
/** DELETE /images/{name}. @return array of {"Untagged"} and {"Deleted"} */
json_t *image_remove(struct image_store *st, const char *name, bool force, bool noprune, struct err *e);
/** POST /images/prune: all untagged images without users, or (where filter "dangling" is false) all without users.
 * @return {"ImagesDeleted":[…]|null,"SpaceReclaimed":n} */
json_t *image_prune(struct image_store *st, const json_t *filters, struct err *e);

/** GET /system/df, the part about images. @return {"LayersSize":n,"Images":[…]} with SharedSize and Containers counted
 */
json_t *image_usage(struct image_store *st);
/** Forget images that were removed by force while a stopped container still needed their layers, and that no container
 * needs any more. Each image_remove() and image_prune() does it too; to have the space at once, call it after
 * containers were removed. Costs nothing where there are none. */
void image_collect(struct image_store *st);
/** Apply lines of a Dockerfile (those of image_import(); NULL for none) to the "config" object of an image
 * configuration. Variables are taken from its Env. */
int image_changes(json_t *config, const struct strv *lines, struct err *e);

/** Where the bytes of an upload come from: as read(2), 0 at the end, -1 with *e. */
typedef ssize_t image_source(void *arg, void *p, size_t n, struct err *e);
/** Where progress objects go; `msg` is borrowed. @return non-zero to give up (the client is gone) */
typedef int image_progress(void *arg, const json_t *msg);
/** Where the bytes of a download go. @return non-zero to give up */
typedef int image_sink(void *arg, const void *p, size_t n);

/** POST /images/load: a docker archive or OCI layout, perhaps compressed. All or nothing for each image in it. */
int image_load(struct image_store *st, image_source *src, void *src_arg, bool quiet, image_progress *progress,
               void *progress_arg, struct err *e);
/** What becomes of a tar of image_import(). All borrowed. */
struct image_import {
    const char *ref;            /**< NULL or empty: none */
    const char *message;        /**< or NULL */
    const char *platform;       /**< os/arch[/variant]; NULL or empty: this machine's */
    const struct strv *changes; /**< Dockerfile lines (CMD, ENV, ENTRYPOINT, EXPOSE, LABEL, USER, VOLUME, WORKDIR,
                                   STOPSIGNAL, ONBUILD, HEALTHCHECK), or NULL */
};
/** POST /images/create?fromSrc=-: a root file system as a tar. @return the image id, the caller's */
char *image_import(struct image_store *st, image_source *src, void *src_arg, const struct image_import *what,
                   image_progress *progress, void *progress_arg, struct err *e);
/** GET /images/get: an archive that is both docker's and an OCI layout. */
int image_save(struct image_store *st, const struct strv *names, image_sink *sink, void *arg, struct err *e);

/** What becomes an image by image_commit(). All borrowed. */
struct image_commit {
    const char *parent;             /**< id of the image below, "sha256:…" */
    const char *container;          /**< id of the container */
    const json_t *config;           /**< of the new image */
    const json_t *container_config; /**< of the container */
    const char *author, *comment, *created_by;
    const char *ref; /**< the name to give; empty for none */
    /** The changes, as the tar of a layer. @return 0 or -1 */
    int (*write)(void *arg, image_sink *sink, void *sink_arg, struct err *e);
    void *arg;
};
/** POST /commit: one layer more on top of an image. Where nothing changed there is none. @return the image id, the
 * caller's */
char *image_commit(struct image_store *st, const struct image_commit *c, struct err *e);

/** Run gorae-archive for the files of a container: see base/archiveproto.h for verbs and request. All but `verb` and
 * `request` may be NULL. @param stat gets the message of "pack" before the first byte @return its last message, a new
 * reference, or NULL */
struct tree_job {
    const char *verb;
    const json_t *request;
    image_source *src;
    void *src_arg;
    image_sink *sink;
    void *sink_arg;
    image_progress *stat;
    void *stat_arg;
};
json_t *tree_work(const struct tree_job *job, struct err *e);

/** Mount an overlay: `lower` topmost first. `upper` and `work` NULL make it read-only. @param ephemeral nobody will
 * mount this upper again: the kernel need not write it to disk (overlayfs "volatile", Linux 5.10) */
int overlay_mount(char *const *lower, size_t n, const char *upper, const char *work, const char *target, bool ephemeral,
                  struct err *e);
/** Unmount whatever is at `target`; nothing there is success. Never leaves a lazily detached mount without saying so.
 */
int overlay_unmount(const char *target, struct err *e);
/** True where `path` is a mount point. */
bool overlay_mounted(const char *path);
/** Try whether the file system of `dir` can hold writable layers. @return -1 with the kernel's reason */
int overlay_probe(const char *dir, struct err *e);

#endif
