/** @file
 * Control groups: where a container's processes are counted, limited, frozen and killed.
 *
 * There are two kernels in one here. Version 1 has a tree for each controller (memory, cpu, pids …), each mounted by
 * itself, and a process has a place in every tree. Version 2 has one tree. `struct cgroup` hides the difference: a list
 * of folders, of which version 2 has exactly one. On a hybrid machine (version 1 with an extra version 2 tree that has
 * no controllers) version 1 is used.
 *
 * Source: cgroups(7), the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
 */
#ifndef GORAE_RUNTIME_CGROUP_H
#define GORAE_RUNTIME_CGROUP_H

#include "base/err.h"
#include "runtime/runtime.h"
#include "runtime/scope.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#define CGROUP_ROOT        "/sys/fs/cgroup"
#define CGROUP_TREES_MAX   24
#define CGROUP_JOURNAL_MAX 128

struct cgroup_dir {
    char *controllers; /**< "memory", "cpu,cpuacct", "name=systemd"; "" on version 2 */
    char *mount;       /**< where the tree is mounted */
    char *path;        /**< the container's folder, absolute */
};

/** What limits were before they were changed, in order, so that a change that fails half-way can be taken back. */
struct cgroup_journal {
    size_t n;
    struct {
        char *path, *was;
    } entry[CGROUP_JOURNAL_MAX];
};

struct cgroup {
    int version;                    /**< 1 or 2; 0: not set */
    bool claimed;                   /**< they are ours: made by us, or found empty. Until then whoever is in there is
                                     * somebody else's, and is neither signalled nor removed */
    struct cgroup_journal *journal; /**< borrowed; NULL where nothing needs to be taken back */
    struct scope scope;             /**< systemd's, where it makes the groups; else empty */
    size_t n;
    struct cgroup_dir dir[CGROUP_TREES_MAX];
};

/** Decide on the folders for a container. Makes nothing. @param want "linux.cgroupsPath": absolute (below the trees'
 * roots) or relative (below our own groups), or SLICE:PREFIX:NAME for systemd; NULL means `id` */
int cgroup_find(struct cgroup *cg, const struct runtime *rt, const char *want, const char *id, struct err *e);
void cgroup_release(struct cgroup *cg);
/** For state.json. @return new reference */
json_t *cgroup_to_json(const struct cgroup *cg);
int cgroup_from_json(struct cgroup *cg, const json_t *j, struct err *e);

/** Make the folders, and claim them. One that exists and holds processes is ERR_CONFLICT, as is a scope that systemd
 * knows; what was made before that is removed again. @param resources "linux.resources", which systemd wants to know
 * before; cgroup_limit() applies them */
int cgroup_create(struct cgroup *cg, const json_t *resources, struct err *e);
/** Apply "linux.resources". A limit whose controller the machine lacks is an error that names it. */
int cgroup_limit(const struct cgroup *cg, const struct runtime *rt, const json_t *resources, struct err *e);
/** As cgroup_limit(), but all or nothing: where the kernel refuses one of the limits, those before it are put back.
 * Files with a line a device (blockIO.throttle…) are left out of that. */
int cgroup_relimit(struct cgroup *cg, const struct runtime *rt, const json_t *resources, struct err *e);
/** Version 2: the folder, to be born into with clone3(CLONE_INTO_CGROUP). Version 1: -1 without an error. */
int cgroup_birthplace(const struct cgroup *cg, struct err *e);
/** Version 1: the file through which a process with one thread enters the group of tree `i`. @return fd or -1 */
int cgroup_door(const struct cgroup *cg, size_t i, struct err *e);
/** Go through it: this process is in that group from then on. */
int cgroup_enter(int door, struct err *e);
/** Stop or continue all processes, and wait until the kernel says that it is so. */
int cgroup_freeze(const struct cgroup *cg, bool frozen, struct err *e);
bool cgroup_frozen(const struct cgroup *cg);
/** Send `sig` to every process in it and below. SIGKILL also thaws, and tries again until none is left. Groups that are
 * not claimed hold nobody of ours: nothing is done. */
int cgroup_signal(const struct cgroup *cg, int sig, struct err *e);
/** The pids in it and below, in our pid namespace. @return new array */
json_t *cgroup_pids(const struct cgroup *cg);
/** Remove the folders, those below first. The dead take a moment to leave: EBUSY is retried for a bounded time. Of
 * groups that are not claimed, only the empty folders that a killed create may have left. */
int cgroup_remove(const struct cgroup *cg, struct err *e);

/* Between the files of this part: */

/** The folder of `controller`, or NULL. Version 2: always the one. */
const char *cgroup_path(const struct cgroup *cg, const char *controller);
/** Write `value` to a file of a limit that was asked for. */
int cgroup_put(const struct cgroup *cg, const char *controller, const char *file, const char *value, struct err *e);
int cgroup_put_int(const struct cgroup *cg, const char *controller, const char *file, int64_t value, struct err *e);
/** What both versions call alike: "cpu.cpus" and "cpu.mems"; and "hugepageLimits" into hugetlb.SIZE.`file`. */
int cgroup_limit_cpuset(const struct cgroup *cg, const json_t *cpu, struct err *e);
int cgroup_limit_huge_pages(const struct cgroup *cg, const json_t *resources, const char *file, struct err *e);
bool cgroup_has_file(const struct cgroup *cg, const char *controller, const char *file);
int cgroup_limit_v1(const struct cgroup *cg, const struct runtime *rt, const json_t *resources, struct err *e);
int cgroup_limit_v2(const struct cgroup *cg, const struct runtime *rt, const json_t *resources, struct err *e);
/** The weight of version 2 for the shares of version 1: 2 … 262144 to 1 … 10000. */
int64_t cgroup_weight_of_shares(int64_t shares);
/** Have systemd make the scope, with a process in it that keeps it (cgroup_scope.c). */
int cgroup_scope_start(const struct cgroup *cg, const json_t *resources, struct err *e);
/** The container's process is in it: the keeper can go. */
void cgroup_scope_settled(void);
/** Tell systemd of other limits. */
int cgroup_scope_update(const struct cgroup *cg, const json_t *resources, struct err *e);
void cgroup_scope_stop(const struct cgroup *cg);
/** "blockIO.throttle…": a line "major:minor rate" each, into a file of version 1 or a key of io.max. */
int cgroup_limit_io(const struct cgroup *cg, const json_t *block, struct err *e);
/** Device rules (cgroup_dev.c): version 1 files, or a BPF program for version 2. */
int cgroup_limit_devices(const struct cgroup *cg, const json_t *rules, struct err *e);

#endif
