/** @file
 * The child's side: from a process that has just been cloned into new namespaces to the container's own program.
 *
 * The child is a copy of the parent (not of its threads: there are none), so it finds all it needs in `struct child`,
 * in memory. What it needs from the host it got as descriptors, opened by the parent: it resolves no path of the host.
 * It works through a list of numbered steps (child.c), each a function below. The first failure is sent to the parent
 * and is the end.
 */
#ifndef GORAE_RUNTIME_CHILD_H
#define GORAE_RUNTIME_CHILD_H

#include "base/err.h"
#include "runtime/cgroup.h"
#include "runtime/plan.h"
#include "runtime/seccomp.h"

struct child {
    /* Given by the parent. */
    const char *id;
    const struct plan *plan; /**< NULL for `exec` */
    const struct plan_process *process;
    const struct filter *filter;
    const struct cgroup *cgroup;
    json_t *hooks;     /**< "hooks" of config.json, or NULL */
    json_t *state;     /**< what hooks read */
    int sync;          /**< to the parent */
    int barrier;       /**< listening socket where `start` will knock; -1 for `exec`, whose barrier is `sync` */
    int console;       /**< connected --console-socket, or -1 */
    int preserve;      /**< descriptors 3 … 2+preserve are the container's */
    int rootfs;        /**< detached copy of the root file system's mount */
    int null_tree;     /**< in a user namespace: the host's /dev/null, detached; else -1 */
    int nursery;       /**< the mount namespace to begin in, or -1: we were born in our own */
    int pidfd;         /**< exec: the container's first process */
    int ns_flags;      /**< exec: the namespaces to join */
    bool user_ns;      /**< a user namespace of its own */
    bool shows_groups; /**< version 1, no cgroup namespace: the parent sends the groups that are to be mounted */
    /* Found on the way. */
    bool placed;                /**< we are in our control groups */
    bool dev_bound;             /**< what lies on /dev is a bind: somebody else's folder, nothing is made in it */
    int tree[CGROUP_TREES_MAX]; /**< the groups' folders, detached mounts, as many as came */
    size_t ntrees;
    bool trees_attached; /**< a first mount of control groups shows them: a second one clones */
    int root;            /**< O_PATH of the container's root */
    int proc;            /**< a mount of procfs that we made ourselves */
    int pts;             /**< the container's devpts, or -1 */
    char *program;       /**< what will be executed */
    char *home;          /**< "HOME=…" where the environment lacks it, or NULL */
    bool chdir_later;    /**< the working folder opens to the user only, not to root */
};

#define CHILD_INIT                                                                                           \
    (struct child)                                                                                           \
    {                                                                                                        \
        .sync = -1, .barrier = -1, .console = -1, .rootfs = -1, .null_tree = -1, .nursery = -1, .pidfd = -1, \
        .root = -1, .proc = -1, .pts = -1                                                                    \
    }

/** A step. @return 0, or -1 with an error, which ends the child */
typedef int child_step(struct child *c, struct err *e);

/** The first process of a container. Never returns. */
void child_run_create(struct child *c) __attribute__((noreturn));
/** The go-between of `exec`. A process that is cloned in a container's pid namespace is seen there from its first
 * instant, with the folders and descriptors that it was born with, and CAP_SYS_PTRACE opens them to whoever has it,
 * dumpable or not (CVE-2016-9962). So somebody who is still outside lets go of everything, takes on the container's
 * root, and only then clones the further process.
 * @return its pid, here; or -1, and the parent was told */
pid_t child_go_between(struct child *c);

/** Wait, unless it is done, until the parent has mapped our ids and made our control groups, and enter them. */
child_step child_wait_placed;
/** Tell the parent something that is no failure. */
void child_warn(const struct child *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

child_step child_let_go;  /* child_go.c */
child_step child_network; /* child_net.c */
child_step child_rootfs;  /* child_root.c */
child_step child_proc;
child_step child_workdir;
child_step child_sysctls;
child_step child_hide;
child_step child_pivot;
child_step child_mounts;  /* child_mounts.c */
child_step child_devices; /* child_dev.c */
child_step child_console;
child_step child_stdio;
child_step child_home; /* child_creds.c */
child_step child_no_new_privs;
child_step child_bounding;
child_step child_chdir;
child_step child_limits;
child_step child_identity;
child_step child_capabilities;
child_step child_check_cwd;
child_step child_find_program; /* child_go.c */
child_step child_sweep;
child_step child_filter;
child_step child_capabilities_final; /* child_creds.c */
/** Wait for the word, then become the container's program. Returns only on failure. */
child_step child_go; /* child_go.c */

/** The path of a descriptor as seen from the process's root, from the private procfs. @return the caller's, or NULL */
char *child_path_of(const struct child *c, int fd, struct err *e);
/** Open what lies at `path` in the container, if it is a thing of this type, and, a character device, this one.
 * @return fd that does not block, or -1 */
int child_open_known(const struct child *c, const char *path, mode_t type, dev_t rdev, int flags);
/** Mount a control group file system as `m` asks (child_cgroup.c). */
int child_mount_cgroup(struct child *c, const struct plan_mount *m, int target, struct err *e);

#endif
