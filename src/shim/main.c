/* gorae-shim DIR: the monitor of one container.
 *
 * Somebody must stay with a container: read its output, collect its exit status, keep its input open. Were that the
 * daemon, every container would stall when the daemon is upgraded and would lose its exit status when it crashes. So
 * each container has this small program of its own, which outlives the daemon: one thread, one poll(2), no library
 * beyond libc and jansson, both linked in, a few hundred kilobytes of memory.
 *
 * It fails before the container exists by saying so on the control socket and exiting with 1. After that it does not
 * fail: what goes wrong (a full disk, a client that hangs) is dealt with where it happens and the container goes on. It
 * ends after the container has ended and everybody attached has got the last of the output. Killed with SIGKILL it
 * takes the container's output with it; the daemon then ends the container.
 *
 * Read next: shim.h for the phases, child.c for how they follow each other; or what `runtime create` does inside the
 * new namespaces, runtime/child.c. */
#include "shim/shim.h"
#include "base/mem.h"
#include "base/shimproto.h"
#include "base/sock.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void watch_fd(struct watch *w, int fd, short events, ready_fn *ready, void *arg)
{
    w->fd[w->n] = (struct pollfd){.fd = fd, .events = events};
    w->who[w->n].ready = ready;
    w->who[w->n].arg = arg;
    w->n++;
}

void watch_until(struct watch *w, int64_t when)
{
    if (when < w->wake)
        w->wake = when;
}

/* Whole milliseconds, rounded up: a timeout rounded down would turn the loop in vain until the time has come. */
static int timeout_ms(const struct watch *w)
{
    if (w->wake == INT64_MAX)
        return -1;
    int64_t left = (w->wake - clock_mono() + NS_PER_MS - 1) / NS_PER_MS;
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* Code that has run stays mapped, most of it for starting and ending a container. Once things are quiet the pages are
 * let go: those of the program's file are clean, and the kernel maps again the few that are needed. Segments with data
 * are left alone: the loader has changed them. It takes a shim from 1 MiB to a quarter of it (dl_iterate_phdr(3),
 * madvise(2)). */
static int let_go(struct dl_phdr_info *info, size_t size, void *page_size)
{
    uintptr_t mask = ~(*(const uintptr_t *)page_size - 1);
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t from = (info->dlpi_addr + p->p_vaddr) & mask, to = info->dlpi_addr + p->p_vaddr + p->p_memsz;
        if (p->p_type == PT_LOAD && !(p->p_flags & PF_W))
            madvise((void *)from, to - from, MADV_DONTNEED); /* to spare memory is only a wish */
    }
    return 1; /* the first object is the program itself: enough */
}

static void settle(struct shim *s)
{
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    s->settled = true;
    malloc_trim(0);
    dl_iterate_phdr(let_go, &page_size);
}

static void loop(struct shim *s)
{
    while (s->phase != PHASE_ENDING || s->clients) {
        struct watch w;
        w.n = 0;
        w.wake = INT64_MAX;
        child_watch(s, &w);
        oom_watch(s, &w);
        control_watch(s, &w);
        stdio_watch(s, &w);
        attach_watch(s, &w);
        bool settling = s->phase == PHASE_RUNNING && !s->settled;
        if (settling)
            watch_until(&w, clock_mono() + SETTLE_TIME);
        int n = poll(w.fd, w.n, timeout_ms(&w));
        if (settling && n == 0)
            settle(s);
        for (size_t i = 0; n > 0 && i < w.n; i++)
            if (w.fd[i].revents)
                w.who[i].ready(s, w.who[i].arg, w.fd[i].revents);
        child_advance(s);
        attach_sweep(s);
        control_sweep(s);
    }
}

/* SIGTERM and the like are for the container, and the daemon sends them there. A shim that obeyed them (at shutdown, or
 * from a hand on a keyboard) would only lose output. */
static int setup_signals(struct shim *s, struct err *e)
{
    static const int ignored[] = {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGXFSZ};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_sys(e, "block SIGCHLD");
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? err_sys(e, "signalfd") : 0;
}

/* The runtime starts init and exits. Init then becomes the child of the nearest living subreaper (prctl(2)), which is
 * to be this process: only a parent learns an exit status. */
static int setup_process(struct err *e)
{
    setsid(); /* fails where the daemon did it already */
    umask(022);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_sys(e, "become subreaper");
    /* Big buffers are short-lived here: give them back to the kernel instead of keeping them for the next. */
    mallopt(M_MMAP_THRESHOLD, 65536);
    mallopt(M_TRIM_THRESHOLD, 65536);
    return 0;
}

static int setup(struct shim *s, const char *dir, struct err *e)
{
    if (setup_process(e) < 0 || setup_signals(s, e) < 0 || control_add(s, SHIM_CONTROL_FD, e) < 0 ||
        task_load(&s->task, dir, e) < 0)
        return -1;
    /* Relative names from here on: a socket's path may have 107 bytes (unix(7)), and DIR alone can be as long. */
    if (chdir(s->task.dir) < 0)
        return err_sys(e, "enter %s", s->task.dir);
    if (logger_open(&s->log, &s->task, e) < 0)
        return -1;
    s->listener = sock_listen_unix("shim.sock", SOCK_SEQPACKET, 0600, e);
    if (s->listener < 0 || fcntl(s->listener, F_SETFL, O_NONBLOCK) < 0)
        return s->listener < 0 ? -1 : err_sys(e, "prepare shim.sock");
    if (stdio_open(s, e) < 0 || runtime_create(s, e) < 0)
        return -1;
    return 0;
}

int main(int argc, char **argv)
{
    struct err e;
    struct shim s = {.signals = -1, .listener = -1, .log = {.fd = -1, .journal.sock = -1}, .kills.fd = -1};
    s.io = (struct stdio){.in = -1, .console = -1, .out = {{.fd = -1}, {.fd = -1}}, .child = {-1, -1, -1}};
    mem_setup();
    trace_program("shim");
    trace_from_env();
    if (argc != 2) {
        fprintf(stderr, "usage: gorae-shim DIR\n");
        return 2;
    }
    bool ready = setup(&s, argv[1], &e) == 0;
    if (ready) {
        loop(&s);
    } else {
        fprintf(stderr, "gorae-shim: %s\n", e.msg);
        control_unlisten(&s);
        control_event(&s, json_pack("{s:s, s:o}", "ev", "failed", "error", err_to_json(&e)));
    }
    stdio_close(&s);
    logger_close(&s.log);
    control_close(&s);
    fd_close(s.signals);
    fd_close(s.kills.fd);
    task_release(&s.task);
    return ready ? 0 : 1;
}
