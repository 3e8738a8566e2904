/** @file
 * The plan: a bundle's config.json, checked and translated into what the kernel takes.
 *
 * All reading of configuration happens here, in the parent, before anything is changed: names become numbers, options
 * become flags, every list has a limit, and what this runtime cannot do is refused by name. The steps that follow
 * cannot fail for a reason that a reader of config.json could have seen.
 *
 * Strings are borrowed from the JSON tree, which the plan owns. Source: OCI runtime-spec 1.1, config.md,
 * config-linux.md.
 */
#ifndef GORAE_RUNTIME_PLAN_H
#define GORAE_RUNTIME_PLAN_H

#include "base/err.h"
#include "base/str.h"
#include "runtime/runtime.h"

#include <jansson.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define PLAN_CONFIG_MAX  (16 << 20) /**< bytes of config.json */
#define PLAN_STRINGS_MAX 65536      /**< entries of args, env, a list of paths */
#define PLAN_MOUNTS_MAX  512        /**< each holds a descriptor until it is in place */
#define PLAN_OPTIONS_MAX 64         /**< options of one mount */
#define PLAN_DEVICES_MAX 1024
#define PLAN_GROUPS_MAX  65536 /**< NGROUPS_MAX of the kernel */
#define PLAN_IDMAPS_MAX  340   /**< lines of a uid_map, user_namespaces(7) */
#define PLAN_PATH_MAX    4095

enum plan_ns { NS_MOUNT, NS_PID, NS_NETWORK, NS_IPC, NS_UTS, NS_USER, NS_CGROUP, NS_TIME, NS_COUNT };

/** The CLONE_NEW… flag of each enum plan_ns, and its name in config.json. */
extern const int plan_ns_flag[NS_COUNT];
extern const char *const plan_ns_name[NS_COUNT];

struct plan_namespace {
    bool own;         /**< not the runtime's: a new one, or the one at `path` */
    const char *path; /**< join this, or NULL to make a new one */
};

struct plan_mount {
    const char *dest, *type, *source;
    bool bind, recursive;
    uint64_t set, clear;           /**< MOUNT_ATTR_… of the mount */
    uint64_t tree_set, tree_clear; /**< the same for all mounts below: options "rro", "rnosuid" … */
    uint64_t propagation;          /**< MS_PRIVATE … or 0 */
    bool propagate_tree;
    const char *options[PLAN_OPTIONS_MAX + 1]; /**< the file system's own, NULL-terminated */
    int tree;                                  /**< a bind's source, cloned and detached by the parent; or -1 */
};

struct plan_device {
    const char *path;
    mode_t mode; /**< type and permission bits */
    dev_t rdev;
    uid_t uid;
    gid_t gid;
    int tree; /**< in a user namespace: the host's node, cloned by the parent; or -1 */
};

enum plan_capset { CAPS_BOUNDING, CAPS_EFFECTIVE, CAPS_PERMITTED, CAPS_INHERITABLE, CAPS_AMBIENT, CAPS_COUNT };

struct plan_rlimit {
    int resource;
    const char *name;
    struct rlimit limit;
};

/** "process" of config.json, or the file given to `exec --process`. */
struct plan_process {
    bool terminal;
    unsigned short rows, cols; /**< 0: unknown */
    uid_t uid;
    gid_t gid;
    int umask; /**< -1: 022 */
    gid_t *groups;
    size_t ngroups;
    const char **args, **env; /**< NULL-terminated */
    const char *cwd;
    bool has_caps; /**< without "capabilities" in the file, none are kept */
    uint64_t caps[CAPS_COUNT];
    struct plan_rlimit limits[RLIM_NLIMITS];
    size_t nlimits;
    bool no_new_privs;
    bool has_oom;
    int oom_score_adj;
};

struct plan {
    json_t *config; /**< owned */
    struct plan_process process;
    char *rootfs; /**< absolute; owned */
    char *bundle; /**< absolute; owned */
    bool root_readonly;
    uint64_t root_propagation; /**< MS_… */
    bool root_propagate_tree;
    const char *hostname, *domainname; /**< or NULL */
    struct plan_namespace ns[NS_COUNT];
    struct plan_mount *mounts;
    size_t nmounts;
    struct plan_device *devices;
    size_t ndevices;
    const char **masked, **readonly; /**< NULL-terminated */
    const char *cgroups_path;        /**< or NULL */
    bool has_personality;
    unsigned long personality;
};

/** Read a JSON file in which numbers may be of 64 bits without a sign (plan_read.c): those of 2^63 and above become
 * negative, and are themselves again once cast to uint64_t. @return new reference, or NULL */
json_t *plan_read(const char *path, size_t limit, struct err *e);
/** Load and check `<bundle>/config.json`. @return 0, or -1: *p needs no plan_release() then */
int plan_load(struct plan *p, const struct runtime *rt, const char *bundle, struct err *e);
void plan_release(struct plan *p);

/** Translate a process object (plan_process.c). Strings are borrowed from `j`. */
int plan_process(struct plan_process *p, const json_t *j, const struct runtime *rt, struct err *e);
void plan_process_release(struct plan_process *p);
/** Translate "mounts" (plan_mounts.c) into p->mounts. */
int plan_mounts(struct plan *p, const json_t *list, struct err *e);
/** Propagation by name ("rprivate" …). @return MS_…, or 0 for another word */
uint64_t plan_propagation(const char *word, bool *ret_tree);
/** The names of all mount options that are flags, for `features`. @return new array */
json_t *plan_mount_options(void);

/** A list of strings as a NULL-terminated vector; a missing list is empty. @return the caller's to free, or NULL */
const char **plan_strings(const json_t *list, const char *name, struct err *e);
/** True for the mount that shows control groups, whatever version the bundle thinks of: the machine decides. */
static inline bool plan_is_cgroup(const struct plan_mount *m)
{
    return !m->bind && (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"));
}
/** True where `p` makes a new namespace of this kind. */
static inline bool plan_new(const struct plan *p, enum plan_ns kind)
{
    return p->ns[kind].own && !p->ns[kind].path;
}

#endif
