/** @file
 * What the daemon and the program gorae-archive say to each other.
 *
 * The daemon never opens an archive that came from outside. It starts `gorae-archive VERB` with these descriptors:
 *
 *     0  the archive's bytes (load, import), or the request (save)
 *     1  the archive that is made (save)
 *     2  the daemon's standard error
 *     3  messages to the daemon, one JSON object a line
 *     4  load, import, commit: the staging folder, where everything is written; save: blobs/sha256 of the store, only
 *        read; the verbs about a container's files: a memfd with their request
 *     5  load, commit: layers/ of the store, only read
 *
 * The worker shuts itself in (archive/confine.c) with 4 as its root folder before it reads the first byte. In a
 * staging folder:
 *
 *     known                  load: chain ids that the store has, one a line; written by the daemon
 *     below                  commit: chain ids of the layers below the new one, lowest first, one a line
 *     spool/<n>              the archive's files in the order they came; nobody else looks at them
 *     blobs/<hex>            configurations and plain layer tars whose digest was computed from these very bytes
 *     layers/<chain>/diff/   unpacked layers
 *
 * Messages: {"ev":"progress","id":"<12 hex>","current":bytes,"total":bytes}, and as the last one either
 * {"ev":"error","error":{kind,sys,message}} or {"ev":"done"} with, for load,
 *
 *     "images":[{"config":hex,"tags":["docker.io/library/busybox:latest",…],"layers":[LAYER,…]},…]
 *
 * and for import and commit "layer":LAYER. LAYER is {"diff":hex,"chain":hex} and, unless the store knew the chain
 * already, "size": bytes of its regular files, "tar": bytes of its tar, "opaque": folders that hide what lies below
 * them, as archiveproto_escape() writes them.
 *
 * The request of save: {"images":[{"config":hex,"tags":[canonical references],"layers":[hex,…]},…]}, where layers are
 * diff ids, lowest first. A worker that ends without a last message died; its exit status says how.
 *
 * Verbs about the files of a container take one request, and shut themselves in with those files in view
 * (archive/view.c). Its paths of the host come from the daemon, never from the container:
 *
 *     {"root": the mounted root, "scratch": any folder to hide under a mount in the worker's own namespace,
 *      "mounts":[{"source","target","ro":bool and perhaps "dev","ino"},…], outermost first, "readonly": the root is,
 *      "path": absolute, by text free of "." and "..", "folder": it must be one, and links to it are followed,
 *      "name": what its first entry is called, "strict": a folder and what is none do not replace each other,
 *      "owner":[uid,gid] for everything, "upper": the writable layer, "lower":[folders, topmost first]}
 *
 *     stat      "done" has "stat": the object of X-Docker-Container-Path-Stat
 *     pack      first {"ev":"progress","stat":…}, then the tar of `path` on 1
 *     unpack    the tar on 0, perhaps compressed, into the folder `path`
 *     export    the tar of the whole root on 1
 *     changes   the answer of GET /containers/ID/changes on 1
 *     layer     the changes as the tar of a layer on 1
 */
#ifndef GORAE_BASE_ARCHIVEPROTO_H
#define GORAE_BASE_ARCHIVEPROTO_H

#include <jansson.h>
#include <stdint.h>

#define ARCHIVE_PROGRAM     "gorae-archive"
#define ARCHIVE_MESSAGES_FD 3
#define ARCHIVE_WORK_FD     4
#define ARCHIVE_LAYERS_FD   5

/** Bytes of an image configuration. Real ones stay below 100 KiB; parsing takes some twenty times its size. */
#define IMAGE_CONFIG_MAX    (INT64_C(1) << 20)
/** Layers of one image: as many as stock Docker allows, and few enough for every overlayfs. */
#define IMAGE_LAYERS_MAX    127
/** Images in one archive, and tags of one image there. */
#define ARCHIVE_IMAGES_MAX  256
#define ARCHIVE_TAGS_MAX    256
/** Bytes of one message. */
#define ARCHIVE_MESSAGE_MAX (8u << 20)
/** Bytes of a request about a container's files. */
#define ARCHIVE_REQUEST_MAX (INT64_C(4) << 20)

/** A path as a JSON string: file names are bytes and JSON is UTF-8, so '%' and what is not ASCII become %xx.
 * @return a new reference */
json_t *archiveproto_escape(const char *path);
/** The path again. @return the caller's, or NULL where `j` is not such a string */
char *archiveproto_unescape(const json_t *j);

#endif
