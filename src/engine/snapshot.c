/* Facts of a container, copied under the lock and read without it: see snapshot.h. */
#include "engine/snapshot.h"
#include "engine/health.h"
#include "engine/mounts.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

void snapshot_take(struct engine *en, struct container *c, struct snapshot *ret)
{
    pthread_mutex_lock(&en->lock);
    *ret = (struct snapshot){
        .name = mem_strdup(c->name),
        .config = json_incref(c->config),
        .host = json_incref(c->host),
        .state = c->state,
        .in_table = c->in_table,
        .pid = c->pid,
        .exit_code = c->exit_code,
        .restart_count = c->restart_count,
        .oom_killed = c->oom_killed,
        .error = mem_strdup(c->error),
        .health = c->health,
        .health_streak = c->health_streak,
        .health_log = json_incref(c->health_log),
        .started = c->started,
        .finished = c->finished,
        .execs = execs_ids(en, c),
    };
    pthread_mutex_unlock(&en->lock);
}

void snapshot_release(struct snapshot *s)
{
    free(s->name);
    free(s->error);
    json_decref(s->config);
    json_decref(s->host);
    json_decref(s->execs);
    json_decref(s->health_log);
    *s = (struct snapshot){0};
}

char *snapshot_status(const struct snapshot *s, int64_t now)
{
    char span[64];
    switch (s->state) {
    case STATE_RUNNING:
    case STATE_PAUSED:
        clock_human(now - s->started, span, sizeof(span));
        if (s->state == STATE_PAUSED)
            return str_printf("Up %s (Paused)", span);
        if (s->health == HEALTH_NONE)
            return str_printf("Up %s", span);
        return str_printf("Up %s (%s%s)", span, s->health == HEALTH_STARTING ? "health: " : "", health_name(s->health));
    case STATE_RESTARTING:
        return str_printf("Restarting (%d) %s ago", s->exit_code, clock_human(now - s->finished, span, sizeof(span)));
    case STATE_EXITED:
        return str_printf("Exited (%d) %s ago", s->exit_code, clock_human(now - s->finished, span, sizeof(span)));
    case STATE_REMOVING: return mem_strdup("Removal In Progress");
    case STATE_DEAD: return mem_strdup("Dead");
    default: return mem_strdup("Created");
    }
}

const char *snapshot_network(const struct snapshot *s)
{
    const char *mode = json_str(s->host, "NetworkMode", "");
    return str_eq(mode, "default") ? "bridge" : mode;
}

json_t *snapshot_networks(const struct snapshot *s)
{
    return json_pack("{s:{s:n, s:n, s:n, s:s, s:n, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:n, s:i}}",
                     snapshot_network(s), "IPAMConfig", "Links", "Aliases", "MacAddress", "", "DriverOpts", "NetworkID",
                     "", "EndpointID", "", "Gateway", "", "IPAddress", "", "IPPrefixLen", 0, "IPv6Gateway", "",
                     "GlobalIPv6Address", "", "GlobalIPv6PrefixLen", 0, "DNSNames", "GwPriority", 0);
}

json_t *snapshot_mounts(const struct snapshot *s)
{
    json_auto_t *all = mounts_of(s->host, NULL); /* creation has checked the same input */
    json_t *out = json_array();
    json_each (m, all) {
        json_object_del(m, "MustExist");
        json_object_del(m, "NonRecursive");
        json_object_del(m, "ReadOnlyTopOnly");
        json_object_del(m, "Options");
        /* --tmpfs is not among Docker's Mounts, a --mount of type tmpfs is */
        if (!json_object_get(json_object_get(s->host, "Tmpfs"), json_str(m, "Destination", "")))
            json_array_append(out, m);
    }
    return out;
}

#define DEPTH_MAX \
    128 /* folders that a container nests deeper are not counted: each level holds a descriptor and stack */

static int64_t size_below(int parent, const char *name, int depth)
{
    int64_t sum = 0;
    struct stat st;
    autoclose int fd = depth > DEPTH_MAX ? -1 : openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autoclosedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return 0;
    take_fd(&fd);
    for (struct dirent *x; (x = readdir(d));) {
        bool self = str_eq(x->d_name, ".") || str_eq(x->d_name, "..");
        if (self || fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        sum += S_ISDIR(st.st_mode) ? size_below(dirfd(d), x->d_name, depth + 1) : S_ISREG(st.st_mode) ? st.st_size : 0;
    }
    return sum;
}

int64_t snapshot_size_rw(struct engine *en, struct container *c)
{
    autofree char *upper = container_path(en, c, "upper");
    return size_below(AT_FDCWD, upper, 0);
}
