/** @file
 * What list and inspect have in common: a container's facts, copied under the lock.
 */
#ifndef GORAE_ENGINE_SNAPSHOT_H
#define GORAE_ENGINE_SNAPSHOT_H

#include "engine/model.h"

/** The changing facts of a container at one instant. */
struct snapshot {
    char *name;
    json_t *config, *host; /**< references */
    enum state state;
    bool in_table; /**< false: it was removed since it was found */
    int pid, exit_code, restart_count;
    bool oom_killed;
    char *error;
    int64_t started, finished;
    enum health health;
    int64_t health_streak;
    json_t *health_log; /**< reference */
    json_t *execs;      /**< ids, or null */
};

void snapshot_take(struct engine *en, struct container *c, struct snapshot *ret);
void snapshot_release(struct snapshot *s);
#define autosnapshot __attribute__((cleanup(snapshot_release))) struct snapshot

/** "Up 3 minutes", "Exited (0) 2 days ago" … @return the caller's */
char *snapshot_status(const struct snapshot *s, int64_t now);
/** The name of the one network it is on, as NetworkSettings.Networks has it. */
const char *snapshot_network(const struct snapshot *s);
/** NetworkSettings.Networks. @return new reference */
json_t *snapshot_networks(const struct snapshot *s);
/** Mounts in the API's shape. @return new reference */
json_t *snapshot_mounts(const struct snapshot *s);
/** Bytes in the container's own layer, and with the image's. */
int64_t snapshot_size_rw(struct engine *en, struct container *c);

#endif
