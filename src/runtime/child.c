/* The child, its order of work. Every step stands where it does for a reason; most pairs cannot be swapped:
 *
 *   let go       before anybody else could look at what we hold
 *   session      before any program: no terminal of the caller's is ours, and no keyring either
 *   nursery      an empty mount namespace in place of a copy of the host's, before anything is mounted (nursery.c)
 *   network      while we still have all capabilities
 *   rootfs       attaches the root; everything later resolves paths below this descriptor
 *   proc         a procfs that nobody else made, to ask the kernel about ourselves
 *   mounts       in the order of the file: a later one may lie inside an earlier one
 *   devices      after mounts, because /dev usually is one of them
 *   console      after mounts: the terminal lives in the container's own devpts
 *   stdio        after devices: /dev/null inside replaces the host's
 *   the parent   now runs hooks that must see the finished mounts. It makes our control groups while we mount; we enter
 *                them where it first matters, at the latest here
 *   work folder  before the root becomes read-only
 *   sysctls      before /proc/sys is covered by a read-only mount
 *   hide         masks last among the mounts, so that none can be mounted over
 *   hooks        createContainer, which still see the host's tree
 *   pivot        from here on no path leads to the host
 *   names, home  need the container's namespaces and files
 *   privileges   are given up from the least to the most needed: what a step needs must not be gone before it.
 *                no_new_privs, then the bounding set (needs CAP_SETPCAP), the work folder as root, resource limits
 *                (raising needs CAP_SYS_RESOURCE), groups and ids (need CAP_SETGID, CAP_SETUID), then capabilities
 *                but CAP_SYS_ADMIN, which the filter needs
 *   program      is looked for with the user's rights, as execve(2) will
 *   sweep        closes every descriptor of the host that is left
 *   filter       as late as can be: whatever runs after it must be allowed by it
 *   last caps    CAP_SYS_ADMIN goes
 *   barrier      then wait to be started, and exec (child_go.c)
 *
 * Until exec the process is not dumpable (prctl(2), PR_SET_DUMPABLE), so no one in the container can look into it or
 * trace it. Changing ids resets that flag; it is put back after each change.
 *
 * Read next: the steps, child_root.c first; or what a daemon makes of all this when it finds it running,
 * engine/recover.c. */
#include "runtime/child.h"
#include "runtime/hooks.h"
#include "runtime/nursery.h"
#include "runtime/sync.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Key permissions, keyctl_setperm(3): all for who possesses it; view, read, search and link for its user, so that
 * `exec` finds the keyring by its name. */
#define KEYRING_PERMISSIONS 0x3f1b0000
#define KERNEL_SIGNALS      64 /* signal(7), on every machine that is supported */

struct step {
    const char *what; /* for the trace: a verb and its object */
    child_step *run;
    const char *calls; /* the system calls that it is about */
};

void child_warn(const struct child *c, const char *fmt, ...)
{
    struct err w = {.kind = ERR_SYSTEM};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(w.msg, sizeof(w.msg), fmt, ap);
    va_end(ap);
    sync_send(c->sync, SYNC_WARNING, &w, -1, NULL);
}

static int join_keyring(const char *id, struct err *e)
{
    autofree char *name = str_printf("_ses.%s", id);
    long key = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
    /* ENOSYS: a kernel without keyrings. EDQUOT: this user has too many; sharing the caller's would leak its keys. */
    if (key < 0 && errno != ENOSYS)
        return err_sys(e, "make a session keyring");
    if (key >= 0 && syscall(SYS_keyctl, KEYCTL_SETPERM, key, KEYRING_PERMISSIONS) < 0 && errno != EACCES)
        return err_sys(e, "set the permissions of the session keyring");
    return 0;
}

static int step_session(struct child *c, struct err *e)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* An ignored signal stays ignored across exec, and a program expects them all to work. By the system call: the C
     * library keeps two for itself, will not change them, and leaves them ignored where it has started us. */
    static const unsigned long by_default[4] = {0}; /* struct kernel_sigaction, with SIG_DFL */
    for (int sig = 1; sig <= KERNEL_SIGNALS; sig++)
        syscall(SYS_rt_sigaction, sig, by_default, NULL, KERNEL_SIGNALS / 8);
    umask(0); /* modes of nodes and folders below are exact; the program's own mask is set later */
    if (setsid() < 0)
        return err_sys(e, "start a session");
    return join_keyring(c->id, e);
}

/* In a new user namespace we are nobody until the parent has written the maps; then we may call ourselves root. */
static int step_become_root(struct child *c, struct err *e)
{
    if (!c->user_ns)
        return 0;
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 || setgroups(0, NULL) < 0)
        return err_sys(e, "become root of the user namespace");
    return prctl(PR_SET_DUMPABLE, 0) < 0 ? err_sys(e, "stay undumpable") : 0;
}

/* @return the parent's word, GO, GROUP or TREE, or -1 */
static int hear(struct child *c, int *ret_fd, struct err *e)
{
    int kind = sync_recv(c->sync, NULL, ret_fd, e);
    if (kind == SYNC_END)
        _exit(EXIT_EXHAUSTED); /* the parent was killed: nobody wants this container */
    if (kind < 0 || kind == SYNC_GO || ((kind == SYNC_GROUP || kind == SYNC_TREE) && ret_fd && *ret_fd >= 0))
        return kind;
    return err_set(e, ERR_SYSTEM, "expected GO from the parent");
}

int child_wait_placed(struct child *c, struct err *e)
{
    struct span s = {0};
    size_t entered = 0;
    for (bool first = true; !c->placed; first = false) {
        autoclose int fd = -1;
        int kind = hear(c, &fd, e);
        if (first)
            s = trace_begin(3, "enter the control groups");
        if (kind < 0 || (kind == SYNC_GROUP && cgroup_enter(fd, e) < 0))
            return -1;
        entered += kind == SYNC_GROUP;
        if (kind == SYNC_TREE && c->ntrees < CGROUP_TREES_MAX)
            c->tree[c->ntrees++] = take_fd(&fd);
        c->placed = kind == SYNC_GO;
        if (c->placed && entered > 0) /* on version 2 it was born in its group */
            trace_end(&s, "write(\"0\") x %zu", entered);
    }
    return 0;
}

static int step_wait_for_maps(struct child *c, struct err *e)
{
    return c->user_ns ? child_wait_placed(c, e) : 0;
}

/* The root of a cgroup namespace is the group that its maker is in at that moment, hence not by clone3(2), which would
 * make it the parent's; and on version 1 not before we have entered ours. */
static int step_cgroup_namespace(struct child *c, struct err *e)
{
    if (!plan_new(c->plan, NS_CGROUP))
        return 0;
    if (c->cgroup->version == 1 && child_wait_placed(c, e) < 0)
        return -1;
    return unshare(CLONE_NEWCGROUP) < 0 ? err_sys(e, "make a cgroup namespace") : 0;
}

static int step_mount_namespace(struct child *c, struct err *e)
{
    return c->nursery >= 0 ? nursery_enter(c->nursery, e) : 0;
}

static int step_meet_parent(struct child *c, struct err *e)
{
    if (child_wait_placed(c, e) < 0 || sync_send(c->sync, SYNC_PREPARED, NULL, -1, e) < 0)
        return -1;
    return hear(c, NULL, e);
}

static int step_hooks(struct child *c, struct err *e)
{
    json_object_set_new(c->state, "pid", json_integer(getpid()));
    return hooks_run(c->hooks, "createContainer", c->state, e);
}

static int step_names(struct child *c, struct err *e)
{
    const char *host = c->plan->hostname, *domain = c->plan->domainname;
    if (host && sethostname(host, strlen(host)) < 0)
        return err_sys(e, "set host name %s", host);
    if (domain && setdomainname(domain, strlen(domain)) < 0)
        return err_sys(e, "set domain name %s", domain);
    return 0;
}

static int step_ready(struct child *c, struct err *e)
{
    return sync_send(c->sync, SYNC_READY, NULL, -1, e);
}

/* `exec`: what the go-between left to us, by the same pidfd, so that all are those of one process. */
static int step_join(struct child *c, struct err *e)
{
    if (c->ns_flags && setns(c->pidfd, c->ns_flags) < 0)
        return err_sys(e, "join the container's namespaces");
    fd_close(c->pidfd);
    c->pidfd = -1;
    c->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return c->root >= 0 ? 0 : err_sys(e, "open the container's root");
}

static const struct step create_steps[] = {
    {"let go of the parent's descriptors", child_let_go, "close_range"},
    {"wait for the id maps", step_wait_for_maps, "recvmsg"},
    {"start a session", step_session, "setsid, keyctl(JOIN_SESSION_KEYRING)"},
    {"become root of the user namespace", step_become_root, "setresgid, setresuid"},
    {"leave the host's mounts", step_mount_namespace, "setns, unshare(CLONE_NEWNS)"},
    {"make the cgroup namespace", step_cgroup_namespace, "unshare(CLONE_NEWCGROUP)"},
    {"bring up the loopback interface", child_network, "ioctl(SIOCSIFFLAGS)"},
    {"attach the container's root", child_rootfs, "mount_setattr(MS_PRIVATE), move_mount"},
    {"make a private procfs", child_proc, "fsopen, fsconfig, fsmount"},
    {"mount the container's file systems", child_mounts, "openat2 with RESOLVE_IN_ROOT, fsopen, fsmount, move_mount"},
    {"make the devices", child_devices, "mknodat, symlinkat"},
    {"open the console", child_console, "ioctl(TIOCGPTPEER), sendmsg(SCM_RIGHTS), ioctl(TIOCSCTTY)"},
    {"prepare standard input and output", child_stdio, "dup3, fchown"},
    {"meet the parent", step_meet_parent, "sendmsg, recvmsg"},
    {"make the working folder", child_workdir, "mkdirat"},
    {"set sysctls", child_sysctls, "write"},
    {"hide parts of /proc and /sys", child_hide, "open_tree, mount_setattr, move_mount"},
    {"run createContainer hooks", step_hooks, "posix_spawn"},
    {"find the home folder", child_home, "openat2, read"},
    {"pivot into the new root", child_pivot, "pivot_root(\".\", \".\"), umount2(MNT_DETACH)"},
    {"set the host name", step_names, "sethostname"},
};

static const struct step exec_steps[] = {
    {"wait to be placed", child_wait_placed, "recvmsg"},
    {"join the container's namespaces", step_join, "setns(pidfd)"},
    {"start a session", step_session, "setsid, keyctl(JOIN_SESSION_KEYRING)"},
    {"become root of the user namespace", step_become_root, "setresgid, setresuid"},
    {"open the console", child_console, "ioctl(TIOCGPTPEER), sendmsg(SCM_RIGHTS), ioctl(TIOCSCTTY)"},
    {"prepare standard input and output", child_stdio, "dup3, fchown"},
    {"find the home folder", child_home, "openat2, read"},
};

/* The same for both. */
static const struct step last_steps[] = {
    {"give up gaining privileges", child_no_new_privs, "prctl(PR_SET_NO_NEW_PRIVS)"},
    {"drop the bounding set", child_bounding, "prctl(PR_CAPBSET_DROP)"},
    {"enter the working folder", child_chdir, "chdir"},
    {"limit resources", child_limits, "setrlimit"},
    {"become the user", child_identity, "setgroups, setresgid, setresuid"},
    {"drop capabilities", child_capabilities, "capset, prctl(PR_CAP_AMBIENT)"},
    {"check the working folder", child_check_cwd, "getcwd"},
    {"find the program", child_find_program, "faccessat2"},
    {"close what is the host's", child_sweep, "close_range"},
    {"load the seccomp filter", child_filter, "seccomp(SECCOMP_SET_MODE_FILTER)"},
    {"drop the last capability", child_capabilities_final, "capset"},
    {"report ready", step_ready, "sendmsg"},
    {"wait for start, then exec", child_go, "accept4, recvmsg, execve"},
};

static int exit_code(const struct err *e)
{
    return e->sys == ENOENT ? 127 : e->sys == EACCES ? 126 : 1;
}

static void run(struct child *c, const struct step *steps, size_t n)
{
    struct err e = {0};
    for (size_t i = 0; i < n; i++) {
        struct span s = trace_begin(3, steps[i].what);
        if (steps[i].run(c, &e) < 0) {
            trace_end(&s, "failed: %s", e.msg);
            sync_send(c->sync, SYNC_ERROR, &e, -1, NULL);
            _exit(exit_code(&e));
        }
        trace_end(&s, "%s", steps[i].calls);
    }
}

#define RUN(c, list) run(c, list, sizeof(list) / sizeof((list)[0]))

void child_run_create(struct child *c)
{
    RUN(c, create_steps);
    RUN(c, last_steps);
    _exit(EXIT_EXHAUSTED); /* not reached: the last step execs or fails */
}

static void __attribute__((noreturn)) run_exec(struct child *c)
{
    RUN(c, exec_steps);
    RUN(c, last_steps);
    _exit(EXIT_EXHAUSTED);
}

/* Its brother is born here with CLONE_PARENT: the parent waits for it. Control groups are inherited, so the descriptors
 * by which those of version 1 are entered are gone before anybody inside could see them; a user namespace comes last,
 * because there we would have no right over the others any more, and a cgroup namespace with it. */
pid_t child_go_between(struct child *c)
{
    struct err e = {0};
    int later = c->ns_flags & (CLONE_NEWUSER | CLONE_NEWCGROUP);
    struct clone_args a = {.flags = CLONE_PARENT}; /* without CLONE_VM, so this is a fork: see launch.c */
    pid_t pid = -1;
    if (child_wait_placed(c, &e) == 0 && child_sweep(c, &e) == 0) {
        if (setns(c->pidfd, c->ns_flags & ~later) < 0)
            err_sys(&e, "join the container's namespaces");
        else if ((pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a))) < 0)
            err_sys(&e, "clone a process into the container");
    }
    if (pid == 0) {
        c->ns_flags = later;
        run_exec(c);
    }
    if (pid < 0)
        sync_send(c->sync, SYNC_ERROR, &e, -1, NULL);
    return pid;
}
