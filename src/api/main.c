/* goraed: from the command line to the accept loop, and out again.
 *
 *   1. read the options and daemon.json
 *   2. write the pid file              (flock: a second daemon with the same file is told who has it)
 *   3. open the sockets                (clients may connect from here on, and wait)
 *   4. open the engine                 (lock the data root, recover what an earlier daemon left)
 *   5. tell the service manager, and serve until SIGTERM or SIGINT
 *   6. stop the containers, unless they are to be left running
 *   7. remove sockets and pid file
 *
 * SIGHUP in step 5 reads daemon.json again: where it is right, what can be changed is changed, and where not, nothing
 * is. SIGUSR1 has the threads and the locks that they hold listed in the log. SIGUSR2 ends the daemon as if with
 * --live-restore, so that a new one takes the containers over: an upgrade. A failure in steps 1 to 4 is one line on
 * stderr and exit code 1, with nothing changed. A SIGTERM before step 5 is kept until then. A second one during step 6
 * kills what the daemon waits for; a third ends the daemon at once, and the next one recovers.
 *
 * Read next: settings.c, hosts.c, listen.c, router.c, then engine/engine.c. */
#include "api/api.h"
#include "api/hosts.h"
#include "api/notify.h"
#include "api/options.h"
#include "api/settings.h"
#include "api/tls.h"
#include "base/clock.h"
#include "base/doing.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/trace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct daemon {
    struct command_line line;
    struct options opt;
    struct hosts hosts;
    struct engine *engine;
    struct server server; /* here and not in serve(): connections outlast it */
    int pid_fd, signals, metrics;
};

/* ---- the pid file ---- */

static int take_pidfile(struct daemon *d, struct err *e)
{
    const char *path = d->opt.pidfile;
    autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_sys(e, "open pid file %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        char holder[32] = "(unknown)";
        (void)!read(fd, holder, sizeof(holder) - 1);
        holder[strcspn(holder, "\n")] = '\0';
        return err_set(e, ERR_CONFLICT, "pid file %s belongs to the running daemon with pid %s", path, holder);
    }
    autofree char *text = str_printf("%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text))
        return err_sys(e, "write pid file %s", path), unlink(path), -1;
    d->pid_fd = take_fd(&fd);
    return 0;
}

/* ---- signals ---- */

/* Before the first change to the machine: whoever is told to end while it starts still cleans up. */
static int signals_open(struct err *e)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t set;
    signal(SIGCHLD, SIG_DFL); /* who started us may not have cared for his children; we wait for ours */
    signal(SIGPIPE, SIG_IGN); /* a client that hangs up is an EPIPE, not the daemon's end */
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaddset(&set, signals[i]);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return err_sys(e, "block signals");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : err_sys(e, "signalfd");
}

/* ---- while it runs ---- */

static struct engine_options engine_options_of(const struct options *o)
{
    return (struct engine_options){.data_root = o->data_root,
                                   .exec_root = o->exec_root,
                                   .runtimes = o->runtimes,
                                   .labels = o->labels,
                                   .host_defaults = o->host_defaults,
                                   .registries = o->registries,
                                   .settings = o->settings,
                                   .cgroup_parent = o->cgroup_parent,
                                   .systemd_cgroup = o->systemd_cgroup,
                                   .live_restore = o->live_restore,
                                   .debug = o->debug};
}

/* Which keys differ: those that are changed, and those that need a new daemon. */
static void tell_changes(const json_t *was, const json_t *now)
{
    autostr live = STR_INIT, later = STR_INIT;
    json_auto_t *keys = json_copy((json_t *)was);
    json_object_update(keys, (json_t *)now);
    json_each_pair (key, v, keys) {
        const struct setting *s = setting_of_key(key);
        json_t *a = json_object_get(was, key), *b = json_object_get(now, key);
        struct str *to = s && s->live ? &live : &later;
        if (!(a && b && json_equal(a, b)) && (a || b))
            str_addf(to, "%s%s", to->len ? ", " : "", key);
    }
    log_info("reloaded; changed: %s; changed at the next start only: %s", live.len ? live.s : "nothing",
             later.len ? later.s : "nothing");
}

/* The files are read again even where their names are the old ones: certificates are renewed in place. */
static void renew_certificates(struct daemon *d, struct options *fresh)
{
    char **const was[] = {&d->opt.tls.ca, &d->opt.tls.cert, &d->opt.tls.key};
    char **const now[] = {&fresh->tls.ca, &fresh->tls.cert, &fresh->tls.key};
    for (size_t i = 0; i < sizeof(was) / sizeof(was[0]); i++) {
        free(*was[i]);
        *was[i] = take_ptr(now[i]);
    }
    tls_renew(&d->hosts, &d->opt);
}

/* What could not start is told by --validate and at a reload, with nothing opened. */
static int load(struct options *o, const struct daemon *d, struct err *e)
{
    if (options_load(o, &d->line, e) < 0 || hosts_open(NULL, o, e) < 0)
        return -1;
    return *o->metrics ? metrics_open(o, true, e) : 0;
}

static void reload(struct daemon *d)
{
    struct err e;
    struct options fresh;
    if (load(&fresh, d, &e) < 0) {
        log_error("reload: %s; the old settings stay", e.msg);
        options_release(&fresh);
        return;
    }
    tell_changes(d->opt.settings, fresh.settings);
    struct engine_options eo = engine_options_of(&fresh);
    engine_reload(d->engine, &eo);
    log_level(fresh.log_level);
    d->opt.live_restore = fresh.live_restore;
    d->opt.shutdown_timeout = fresh.shutdown_timeout;
    renew_certificates(d, &fresh);
    /* What the start went by stays as it was told then, so that the next reload names it again. */
    json_each_pair (key, v, fresh.settings) {
        const struct setting *s = setting_of_key(key);
        if (s && s->live)
            json_object_set(d->opt.settings, key, v);
    }
    for (size_t i = 0; i < nsettings; i++)
        if (settings[i].live && !json_object_get(fresh.settings, settings[i].key))
            json_object_del(d->opt.settings, settings[i].key);
    options_release(&fresh);
}

/* What each thread is about, by its own words, and what it waits for, as the kernel sees it; and who holds a lock.
 * Enough to tell a daemon that works from one that hangs. */
static void dump(struct engine *en)
{
    autoclosedir DIR *dir = opendir("/proc/self/task");
    for (struct dirent *x; dir && (x = readdir(dir));) {
        struct err ignored;
        autofree char *call_path = str_printf("/proc/self/task/%s/syscall", x->d_name),
                      *where_path = str_printf("/proc/self/task/%s/wchan", x->d_name);
        if (x->d_name[0] == '.')
            continue;
        autofree char *call = file_read(AT_FDCWD, call_path, 512, NULL, &ignored),
                      *where = file_read(AT_FDCWD, where_path, 512, NULL, &ignored);
        struct doing d = {.text = "nothing that it told of", .since = clock_mono()};
        doing_of((pid_t)strtol(x->d_name, NULL, 10), &d);
        log_info("thread %s: %s, for %.1f s; system call %.*s, waits in %s", x->d_name, d.text,
                 (double)(clock_mono() - d.since) / (double)NS_PER_S, call ? (int)strcspn(call, " \n") : 1,
                 call ? call : "?", where && *where && !str_eq(where, "0") ? where : "?");
    }
    engine_dump_locks(en);
}

/* @return false where the daemon is to end */
static bool on_event(void *arg)
{
    struct daemon *d = arg;
    struct signalfd_siginfo info;
    if (read(d->signals, &info, sizeof(info)) != sizeof(info)) {
        notify("WATCHDOG=1"); /* nothing came: it is time to say that we are well */
        return true;
    }
    if (info.ssi_signo == SIGHUP)
        reload(d);
    else if (info.ssi_signo == SIGUSR1)
        dump(d->engine);
    else if (info.ssi_signo == SIGUSR2)
        d->opt.live_restore = true;
    return info.ssi_signo == SIGHUP || info.ssi_signo == SIGUSR1;
}

/* The signals while the containers are stopped, which may take as long as the most patient of them. */
static void *impatience(void *arg)
{
    struct daemon *d = arg;
    struct pollfd p = {.fd = d->signals, .events = POLLIN};
    struct signalfd_siginfo info;
    for (int ends = 1;;) {
        if (poll(&p, 1, -1) < 0 || read(d->signals, &info, sizeof(info)) != sizeof(info))
            continue;
        if (info.ssi_signo == SIGUSR1)
            dump(d->engine);
        if (info.ssi_signo != SIGTERM && info.ssi_signo != SIGINT)
            continue;
        if (++ends > 2) {
            log_warn("told to end a third time: what still runs is left to the next daemon");
            _exit(128 + (int)info.ssi_signo);
        }
        log_warn("told to end once more: the containers are killed");
        engine_hurry(d->engine);
    }
    return NULL;
}

static void stop_containers(struct daemon *d)
{
    pthread_t thread;
    log_info(d->opt.live_restore ? "stopping; containers are left running" : "stopping the containers");
    if (d->opt.live_restore)
        return;
    if (pthread_create(&thread, NULL, impatience, d) == 0)
        pthread_detach(thread);
    else
        log_warn("no thread could be started: a second SIGTERM will not hurry");
    engine_stop_all(d->engine, d->opt.shutdown_timeout);
}

/* ---- one daemon's life ---- */

static int serve(struct daemon *d, struct err *e)
{
    struct engine_options eo = engine_options_of(&d->opt);
    eo.warnings = d->hosts.warnings;
    autodoing what = {0};
    doing_begin(&what, "the daemon's own: start, accept, stop");
    struct engine *en = d->engine = engine_open(&eo, e);
    if (!en)
        return -1;
    d->server = (struct server){.engine = en, .opt = &d->opt, .hosts = &d->hosts, .metrics = d->metrics};
    for (size_t i = 0; i < d->hosts.n; i++)
        log_info("goraed " GORAE_VERSION " listens on %s", d->hosts.v[i].name);
    engine_autostart(en);
    if (metrics_serve(&d->server, e) < 0)
        log_error("%s", e->msg);
    notify("READY=1");
    int r = listen_serve(&d->server, d->signals, notify_watchdog_ms(), on_event, d, e);
    notify("STOPPING=1");
    stop_containers(d);
    engine_tidy_cgroups(en);
    return r;
}

static int run(struct daemon *d, struct err *e)
{
    int r = -1;
    d->pid_fd = d->metrics = -1;
    if (geteuid() != 0)
        return err_set(e, ERR_FORBIDDEN, "goraed needs root: it makes namespaces, mounts and cgroups");
    umask(022);
    engine_raise_files();
    d->signals = signals_open(e);
    if (d->signals < 0 || take_pidfile(d, e) < 0)
        return -1;
    if (hosts_open(&d->hosts, &d->opt, e) == 0 &&
        (!*d->opt.metrics || (d->metrics = metrics_open(&d->opt, false, e)) >= 0))
        r = serve(d, e);
    hosts_close(&d->hosts, d->opt.live_restore);
    unlink(d->opt.pidfile);
    fd_close(d->pid_fd);
    return r;
}

/* What the machine lacks is told by a program of its own (src/doctor), so that the daemon need not carry it. */
static int check(const struct daemon *d, struct err *e)
{
    autofree char *program = spawn_sibling("gorae-doctor", e);
    if (!program)
        return -1;
    const char *words[10] = {program,          "--data-root", d->opt.data_root, "--exec-root",
                             d->opt.exec_root, "--group",     d->opt.group};
    for (size_t i = 0; i < d->opt.hosts.n; i++)
        if (str_starts(d->opt.hosts.v[i], "unix://")) {
            words[7] = "--socket";
            words[8] = d->opt.hosts.v[i] + strlen("unix://");
            break;
        }
    execv(program, (char *const *)words);
    return err_sys(e, "run %s", program);
}

static int start(struct daemon *d, struct err *e)
{
    bool validate = d->line.action == ACTION_VALIDATE;
    if ((validate ? load(&d->opt, d, e) : options_load(&d->opt, &d->line, e)) < 0)
        return -1;
    if (validate) {
        fputs("configuration OK\n", stderr);
        return 0;
    }
    if (d->line.action == ACTION_CHECK)
        return check(d, e);
    log_level(d->opt.log_level);
    log_as_json(d->opt.log_json);
    if (json_object_get(d->opt.settings, "containerd"))
        log_warn("--containerd is without effect: there is no containerd here");
    return run(d, e);
}

/* What is only printed. @return the caller's, or NULL: there is something to do */
static char *asked_text(enum options_action action)
{
    switch (action) {
    case ACTION_HELP: return options_help();
    case ACTION_VERSION: return str_printf("gorae daemon version %s, build %s\n", GORAE_VERSION, GORAE_COMMIT);
    case ACTION_STATE_MACHINE: return engine_machine_dot();
    case ACTION_SETTINGS: return options_table();
    default: return NULL;
    }
}

int main(int argc, char **argv)
{
    struct daemon d = {.hosts.warnings = json_array()};
    struct err e = {0};
    mem_setup();
    trace_program("goraed");
    /* glibc would give each of a few threads an arena of its own, of which most stays unused. */
    mallopt(M_ARENA_MAX, 2);
    bool clear = command_line_parse(&d.line, argc, argv, &e) == 0;
    autofree char *text = clear ? asked_text(d.line.action) : NULL;
    bool fine = text || (clear && start(&d, &e) == 0);
    if (text)
        fputs(text, stdout);
    if (!fine)
        fprintf(stderr, "goraed: %s\n%s", e.msg, clear ? "" : "See 'goraed --help'.\n");
    /* Threads that answer long requests may still run: end without tearing down what they use. */
    fflush(stdout);
    _exit(!fine);
}
