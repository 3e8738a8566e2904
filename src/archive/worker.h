/** @file
 * The inside of gorae-archive, the program that opens what we do not trust.
 *
 * main.c reads the verb; confine.c shuts the process in; then
 *
 *     load     spool.c writes the archive's files to the staging folder, manifest.c finds out which images they are,
 *              load.c checks every digest and has layer.c unpack what is new
 *     import   the whole archive is one layer
 *     save     save.c writes an archive from blobs
 *     commit   commit.c: the tar of a container's changes is one layer more
 *     stat pack unpack export changes layer
 *              tree.c, about the files of a container: view.c shuts in, where.c finds, pack.c writes a tar, unpack.c
 *              reads one, diff.c compares
 *
 * layer.c with merged.c and place.c is the one extractor of the project: every tar that becomes files passes there.
 * The messages to the daemon are described in base/archiveproto.h. All limits stand in this file.
 */
#ifndef GORAE_ARCHIVE_WORKER_H
#define GORAE_ARCHIVE_WORKER_H

#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct archive;
struct archive_entry;

/** Bytes that one layer may hold, counted as its files' lengths (holes in them too) and as its tar. */
#define LAYER_BYTES_MAX   (INT64_C(32) << 30)
/** Bytes of all files of an archive that is loaded. */
#define LOAD_BYTES_MAX    (INT64_C(64) << 30)
/** Decompression: this much is free, and beyond it no more than RATIO_MAX bytes out for a byte in. Real layers stay
 * below 20; a gibibyte of zeros, which people do ship, is let through by RATIO_FREE. */
#define RATIO_FREE        (INT64_C(1) << 30)
#define RATIO_MAX         200
/** Entries of a layer; files of an archive. A large real image has some 200,000 entries in all. */
#define LAYER_ENTRIES_MAX 2000000
#define LOAD_FILES_MAX    20000
/** Folders above one another, links resolved. Removing a tree holds a descriptor for each. */
#define DEPTH_MAX         256
/** Symbolic links followed for one path: as the kernel's MAXSYMLINKS. */
#define LINKS_MAX         40
/** Bytes of paths remembered to set folders' times at the end, and to list folders that hide what is below. */
#define DIR_PATHS_MAX     (INT64_C(64) << 20)
#define OPAQUE_PATHS_MAX  (256 << 10)
/** Bytes of the names in one folder: they are sorted, so they are all there at once. */
#define NAMES_BYTES_MAX   (INT64_C(128) << 20)
/** Files with several names that one tar remembers; what comes after is written as files of their own. */
#define LINKED_FILES_MAX  (1 << 20)
/** One extended attribute: the kernel's own XATTR_SIZE_MAX. Attributes of one entry. */
#define XATTR_BYTES_MAX   65536
#define XATTRS_MAX        64
/** Bytes of manifest.json, index.json and the like; nesting of indexes. */
#define DOCUMENT_MAX      (INT64_C(4) << 20)
#define INDEX_DEPTH       3
/** JSON values in the configuration of an image: labels, variables, history. */
#define CONFIG_VALUES_MAX 16384
/** The process: address space (xz -9 wants 65 MiB, zstd --long 128 MiB), processor seconds, descriptors. */
#define WORKER_MEMORY_MAX (UINT64_C(1) << 30)
#define WORKER_CPU_MAX    3600
#define WORKER_FILES_MAX  1024

/* --- main.c's services to the verbs ------------------------------------------------------------------------- */

/** Send one message. @param msg its reference is taken @return 0, or -1 where the daemon is gone */
int message_send(json_t *msg, struct err *e);
/** Send progress about the layer `diff`, at most some ten times a second and at the end. */
int message_progress(const char *diff, int64_t current, int64_t total, struct err *e);

/* --- confine.c ---------------------------------------------------------------------------------------------- */

/** Shut this process in for good. *work becomes the root folder; both descriptors are replaced by ones that cannot
 * lead out. @param layers may be NULL @param read_only nothing may be written in *work either */
int confine_enter(int *work, int *layers, bool read_only, struct err *e);
/** The parts of it, for view.c: limits first, */
int confine_limits(struct err *e);
/** then a clone of what is at `path` that hangs nowhere, without setuid, devices and programs. @param whole with the
 * mounts below it @return fd */
int confine_clone(int at, const char *path, bool whole, bool read_only, struct err *e);
enum confine_grade {
    CONFINE_NOTHING, /**< no capability at all */
    CONFINE_READ,    /**< read everybody's files */
    CONFINE_WRITE,   /**< and make them, for anybody */
};
/** and last, for good: groups, privileges, capabilities, to end with the daemon, and confine_calls(). */
int confine_seal(enum confine_grade grade, struct err *e);
/** Refuse the system calls by which root, without any capability, reaches other processes (seccomp(2)); EPERM from then
 * on. Needs no_new_privs. */
int confine_calls(struct err *e);

/* --- view.c: the files of a container ------------------------------------------------------------------------- */

struct view {
    int root;  /**< the container's root, with its mounts */
    int upper; /**< its writable layer, or -1 */
    int lower; /**< the image's layers as one, or -1 */
};
enum view_kind {
    VIEW_PATHS,   /**< the root and the mounts, only read */
    VIEW_WRITE,   /**< likewise, to write in where they are not read-only */
    VIEW_ROOT,    /**< the root without mounts, only read */
    VIEW_CHANGES, /**< root, upper and lower, only read */
};
/** Take the files that `request` names into view, and shut this process in with them for good. */
int view_enter(const json_t *request, enum view_kind kind, struct view *ret, struct err *e);

/* --- where.c: one path of a container -------------------------------------------------------------------------- */

/** A thing in the container's root: `name` in the folder `parent`, not followed; "." is the folder itself. */
struct where {
    int parent;
    char *name;
    struct stat st;
};
/** Find "path" of a request. A miss is ERR_NOT_FOUND. */
int where_find(int root, const json_t *request, struct where *ret, struct err *e);
void where_release(struct where *w);
/** The object of X-Docker-Container-Path-Stat. @return a new reference */
json_t *where_stat(int root, const json_t *request, const struct where *w);

/* --- pack.c: files into a tar ---------------------------------------------------------------------------------- */

struct pack;
struct pack *pack_open(struct err *e);
/** One entry: `name` in folder `dir`, called `path`. Sockets are passed over. @param ret what was found */
int pack_add(struct pack *p, int dir, const char *name, const char *path, struct stat *ret, struct err *e);
/** That entry and all below it. @param path its name in the tar; NULL: only what is below */
int pack_tree(struct pack *p, int dir, const char *name, const char *path, struct err *e);
/** An empty file, to say that a name of the layers below is deleted. */
int pack_whiteout(struct pack *p, const char *folder, const char *name, struct err *e);
/** End the tar. @return 0 or -1; frees in every case */
int pack_close(struct pack *p, struct err *e);
void pack_drop(struct pack **p);
/** The names in the folder `fd` (borrowed), sorted. Too many are ERR_TOO_LARGE. */
int pack_names(int fd, struct strv *ret, struct err *e);

/* --- stream.c: libarchive, tamed ---------------------------------------------------------------------------- */

enum stream_form {
    STREAM_TAR,        /**< a tar as it is */
    STREAM_PACKED_TAR, /**< a tar, perhaps compressed */
    STREAM_PACKED,     /**< any bytes, perhaps compressed */
};

/** Start reading `fd` (borrowed; a regular file from its start). @return to be freed with stream_close(), or NULL */
struct archive *stream_open(int fd, enum stream_form form, struct err *e);
void stream_close(struct archive **a);
#define autostream __attribute__((cleanup(stream_close))) struct archive
/** The next entry. @return 1, 0 at the end, -1 */
int stream_next(struct archive *a, struct archive_entry **entry, struct err *e);
/** Some bytes of the current entry, holes filled with zeros. @return bytes, 0 at the end, -1 */
ssize_t stream_read(struct archive *a, void *p, size_t n, struct err *e);
/** True where the bytes are not compressed at all. */
bool stream_plain(struct archive *a);
/** Refuse a stream that has given `expanded` bytes for too few. */
int stream_check_ratio(struct archive *a, int64_t expanded, struct err *e);
/** libarchive's complaint as an error. @return -1 */
int stream_error(struct archive *a, struct err *e);
/** Copy a whole stream of form STREAM_PACKED to `out`, hashing. @param hex takes DIGEST_SIZE bytes */
int stream_copy(struct archive *a, int out, char *hex, int64_t *ret_size, struct err *e);
/** Read and drop what follows the end of a tar (padding to a tape's record), so that who sends meets no closed door. */
void stream_drain(int fd);

/* --- path.c ------------------------------------------------------------------------------------------------- */

/** A name of an archive as a relative path without "." and empty parts; "" is the root. ".." is ERR_INVALID, as is
 * what is too long or too deep. @return the caller's, or NULL */
char *path_clean(const char *name, struct err *e);
/** How many parts a clean path has. */
size_t path_depth(const char *path);
/** Where a symbolic link at `from` (clean) with this text leads, by the text alone. @return clean, the caller's; NULL
 * where it leads out */
char *path_follow(const char *from, const char *text);
/** The same as the kernel does it in a root: ".." at the top stays there. */
char *path_follow_inside(const char *from, const char *text);
#define PATH_SHOWN 200
/** `name` for an error message: only printable ASCII, cut to PATH_SHOWN. @return out */
char *path_show(const char *name, char out[PATH_SHOWN]);

/* --- merged.c: one layer above others ----------------------------------------------------------------------- */

/** An unpacked layer that lies below. */
struct lower {
    int fd;             /**< its root folder */
    struct strv opaque; /**< its folders that hide what is below them */
};

/** The layer being made, and what its paths mean above the others. */
struct merged {
    int root;                  /**< root folder of the layer being made */
    const struct lower *lower; /**< topmost first */
    size_t lowers;
    struct strv opaque; /**< folders of this layer that hide what is below; owned */
    size_t opaque_bytes;
    /** Told of each folder that a path implied and that was made. */
    int (*made)(void *arg, const char *path, const struct stat *like, struct err *e);
    void *arg;
};

/** A resolved place: a folder held open, and a name in it. */
struct place {
    int parent;       /**< O_PATH folder in the layer being made */
    char *path;       /**< the parent's own path, without links; "" is the root */
    const char *name; /**< last part, borrowed from the path that was resolved */
};
void place_release(struct place *p);

/** Resolve `path` (clean, not "") up to its last part: links are followed inside the tree, through lower layers too.
 * @param make missing folders are made, as copies of those below where there are any; else they are ERR_INVALID */
int merged_place(struct merged *m, const char *path, bool make, struct place *ret, struct err *e);
/** What the layers below have at a place, as lstat(2). @return true if something visible is there */
bool merged_below(const struct merged *m, const char *folder, const char *name, struct stat *st);
/** Remember that folder `path` of this layer hides what is below it. */
int merged_add_opaque(struct merged *m, const char *path, struct err *e);
/** Open the folder `path` below `root`, following no link at all. @return fd, or -1 with errno */
int merged_open_dir(int root, const char *path);
/** overlayfs's mark for a name that is deleted: a character device 0:0. */
bool merged_is_whiteout(const struct stat *st);

/* --- place.c: making one thing ------------------------------------------------------------------------------ */

/** What an archive says about an entry, checked. */
struct attributes {
    mode_t mode; /**< permission bits, setuid and the like included */
    uid_t uid;
    gid_t gid;
    struct timespec mtime;
};
int attributes_read(struct archive_entry *entry, struct attributes *ret, struct err *e);
/** A regular file with its content. @param budget bytes that the layer may still take, lowered */
int place_file(const struct place *p, struct archive *a, struct archive_entry *entry, const struct attributes *at,
               int64_t *budget, struct err *e);
/** Owner, mode and extended attributes of an existing folder; its time is the caller's to set, later. */
int place_folder_attributes(int parent, const char *name, struct archive_entry *entry, const struct attributes *at,
                            struct err *e);
int place_symlink(const struct place *p, const char *target, const struct attributes *at, struct err *e);
/** A device or FIFO. */
int place_node(const struct place *p, struct archive_entry *entry, const struct attributes *at, struct err *e);

/* --- layer.c: the extractor --------------------------------------------------------------------------------- */

struct layer_options {
    bool whiteouts;            /**< names that begin with .wh. are deletions (layers); else ordinary names */
    const struct lower *lower; /**< layers below, topmost first */
    size_t lowers;
    int64_t bytes_max; /**< of all files' lengths */
    uint64_t entries_max;
    const char *prefix;    /**< folder that all names are below, clean; NULL for the root. It is left as it is */
    bool strict;           /**< a folder and what is none do not replace each other */
    const uint32_t *owner; /**< uid and gid for everything, or NULL */
    /** Called now and then with the bytes of tar read so far; may be NULL. */
    int (*progress)(void *arg, int64_t bytes, struct err *e);
    void *arg;
};

struct layer_result {
    int64_t size; /**< bytes of all regular files */
    uint64_t entries;
    struct strv opaque; /**< folders to be marked trusted.overlay.opaque=y; the caller's */
};

/** Unpack all entries of `a` into the folder `root`. What is refused is ERR_INVALID or ERR_TOO_LARGE and names the
 * entry; the folder is then half full and to be thrown away. */
int layer_apply(int root, struct archive *a, const struct layer_options *o, struct layer_result *ret, struct err *e);

/* --- spool.c: the files of an archive ----------------------------------------------------------------------- */

struct spool_file {
    char *name; /**< clean */
    char *link; /**< where a link leads (clean), else NULL */
    unsigned number;
    int64_t size;
    char hex[DIGEST_SIZE];
};

struct spool {
    int root; /**< the staging folder, borrowed */
    struct spool_file *file;
    size_t n;
    size_t cap;
};

/** Write the files of the archive on `fd` to spool/ and hash them. Files in blobs/sha256 must have their digest. */
int spool_read(struct spool *s, int fd, struct err *e);
void spool_release(struct spool *s);
/** The regular file that `name` means, links followed. @return borrowed, or NULL where there is none */
const struct spool_file *spool_find(const struct spool *s, const char *name);
/** The file's bytes as text. @return new NUL-terminated memory, the caller's */
char *spool_text(const struct spool *s, const struct spool_file *f, int64_t limit, size_t *ret_len, struct err *e);
int spool_open(const struct spool *s, const struct spool_file *f, struct err *e);
/** Give the file the name `blobs/<hex>`. */
int spool_keep(const struct spool *s, const struct spool_file *f, const char *hex, struct err *e);

/* --- manifest.c: which images an archive holds ---------------------------------------------------------------- */

struct manifest_image {
    const struct spool_file *config;
    struct strv tags;   /**< as written */
    struct strv layers; /**< names of files in the archive, lowest first */
};

struct manifest {
    struct manifest_image *image;
    size_t n;
};

/** Read manifest.json, or index.json of an OCI layout. */
int manifest_read(const struct spool *s, struct manifest *ret, struct err *e);
void manifest_release(struct manifest *m);

/* --- the verbs ---------------------------------------------------------------------------------------------- */

int load_run(int root, int layers, struct err *e);
int import_run(int root, struct err *e);
int save_run(int blobs, struct err *e);
int commit_run(int root, int layers, struct err *e);
int tree_run(const char *verb, struct err *e);
int unpack_run(const struct view *v, const json_t *request, struct err *e);
int changes_run(const struct view *v, bool as_layer, struct err *e);

/** An unpacked layer of the store, with its list of folders that hide. @param ret released by load_close_lowers() */
int load_open_known(int layers, const char *chain, struct lower *ret, struct err *e);
void load_close_lowers(struct lower *lower, size_t n);

/** Unpack the tar `fd` to `layers/<chain>/diff` of `root`, with progress about `diff`. */
int load_unpack(int root, int fd, const char *diff, const char *chain, const struct lower *lower, size_t lowers,
                struct layer_result *ret, struct err *e);
/** Turn the bytes of `fd` into a plain tar `blobs/<hex>` of `root`. @param hex takes DIGEST_SIZE bytes */
int load_tar(int root, int fd, char *hex, int64_t *ret_size, struct err *e);
/** LAYER of base/archiveproto.h. @return a new reference */
json_t *load_layer_json(const char *diff, const char *chain, int64_t tar, const struct layer_result *r);

#endif
