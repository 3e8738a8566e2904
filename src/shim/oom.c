/* Out of memory: the kernel kills a process of the container, and somebody should hear of it.
 *
 * The dead process need not be init: a worker goes, the container lives on, and only the kernel's count in the control
 * group tells (the line "oom_kill N" of memory.events on version 2, of memory.oom_control on version 1). So the count
 * is watched while the container runs. Version 2 tells through inotify(7) on the file itself; version 1 has an
 * interface of its own, an eventfd registered through cgroup.event_control, which fires when the shortage begins, some
 * time before anybody has been killed, and once more when the group is removed. Either way what fires only means: look.
 *
 * Without the memory controller there is nothing to watch, and a watch that cannot be set up leaves the look at the
 * end, which child.c takes in any case: so a failure here is no failure of the container.
 *
 * Source: the kernel's Documentation/admin-guide/cgroup-v1/memory.rst section 10, cgroup-v2.rst "memory.events". */
#include "shim/shim.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS_FILE_MAX 65536
#define LOOK_AGAIN      (20 * NS_PER_MS) /* from the shortage to the kill */
#define LOOKS           25

void oom_look(struct shim *s)
{
    struct err ignored; /* the group is gone, and its last count has been taken */
    uint64_t now = 0;
    autofree char *text =
        s->task.memory_events ? file_read(AT_FDCWD, s->task.memory_events, EVENTS_FILE_MAX, NULL, &ignored) : NULL;
    for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
        if (str_starts(p, "oom_kill "))
            now = strtoull(p + strlen("oom_kill "), NULL, 10);
    if (now <= s->kills.count)
        return;
    s->kills.count = now;
    s->kills.looks = 0;
    s->oom = true;
    control_event(s, json_pack("{s:s}", "ev", "oom"));
}

static void fired(struct shim *s, void *arg, short revents)
{
    char drop[4096]; /* at least one event of inotify, or the counter of an eventfd */
    (void)arg;
    (void)revents;
    while (read(s->kills.fd, drop, sizeof(drop)) > 0)
        ;
    s->kills.looks = LOOKS;
    s->kills.again = clock_mono();
}

static int register_v1(struct shim *s)
{
    struct err ignored;
    autofree char *dir =
        mem_strndup(s->task.memory_events, (size_t)(strrchr(s->task.memory_events, '/') - s->task.memory_events));
    autofree char *control = str_printf("%s/cgroup.event_control", dir);
    autoclose int file = open(s->task.memory_events, O_RDONLY | O_CLOEXEC);
    autoclose int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    autofree char *line = str_printf("%d %d", event, file);
    if (file < 0 || event < 0 || file_put(AT_FDCWD, control, line, &ignored) < 0)
        return -1;
    return take_fd(&event);
}

static int register_v2(struct shim *s)
{
    autoclose int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0 || inotify_add_watch(fd, s->task.memory_events, IN_MODIFY) < 0)
        return -1;
    return take_fd(&fd);
}

void oom_begin(struct shim *s)
{
    if (s->task.memory_events)
        s->kills.fd = str_ends(s->task.memory_events, "/memory.events") ? register_v2(s) : register_v1(s);
}

void oom_watch(struct shim *s, struct watch *w)
{
    if (s->kills.fd < 0 || s->init_ended || s->phase < PHASE_RUNNING) /* the daemon is due another message first */
        return;
    if (s->kills.looks > 0 && clock_mono() >= s->kills.again) {
        s->kills.looks--;
        s->kills.again = clock_mono() + LOOK_AGAIN;
        oom_look(s);
    }
    if (s->kills.looks > 0)
        watch_until(w, s->kills.again);
    watch_fd(w, s->kills.fd, POLLIN, fired, NULL);
}
