// cgroup.c - two limits for a job, in whichever of the two versions of control groups the machine has.
#include "job.h"
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define TOP "/sys/fs/cgroup"

// region where
// Version 1 has a tree for each resource, version 2 one for all. Our groups lie below a folder calf.
static const struct tree {
    const char *dir, *limit;
} v1[] = {{TOP "/pids/calf", "pids.max"}, {TOP "/memory/calf", "memory.limit_in_bytes"}},
  v2[] = {{TOP "/calf", "pids.max"}, {TOP "/calf", "memory.max"}};

static const struct tree *trees(void)
{
    return access(TOP "/cgroup.controllers", F_OK) == 0 ? v2 : v1;
}

// Opens a file of a group and writes text into it. Returns the descriptor, or -1.
static int put(const char *dir, const char *file, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || (*text && write(fd, text, strlen(text)) < 0))
        return warn("%s", path), -1;
    return fd;
}
// endregion
// region make
int cgroup_make(const struct job *job, int procs[2])
{
    const struct tree *t = trees();
    for (int i = 0; i < 2; i++) {
        char dir[128], number[24];
        mkdir(t[i].dir, 0755); // it may be there already
        if (t == v2)           // a group of version 2 hands on what it is told to
            close(put(TOP, "cgroup.subtree_control", "+pids +memory")),
                close(put(t->dir, "cgroup.subtree_control", "+pids +memory"));
        snprintf(dir, sizeof dir, "%s/%.12s", t[i].dir, job->id);
        mkdir(dir, 0755);
        snprintf(number, sizeof number, "%lld", (long long)job->limits[i]);
        int limit = put(dir, t[i].limit, number);
        procs[i] = put(dir, "cgroup.procs", "");
        if (limit < 0 || procs[i] < 0)
            return -1;
        close(limit);
    }
    return 0;
}

void cgroup_remove(const struct job *job)
{
    for (int i = 0; i < 2; i++) {
        char dir[128];
        snprintf(dir, sizeof dir, "%s/%.12s", trees()[i].dir, job->id);
        rmdir(dir);
        rmdir(trees()[i].dir); // fails while another job has a group in it
    }
}
// endregion
