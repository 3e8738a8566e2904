/* Giving up privileges. Five sets of capabilities, and who may still gain some:
 *
 *     bounding     no exec, not even of a setuid program, gives more than this
 *     permitted    what the process may use
 *     effective    what it uses now
 *     inheritable  kept over exec by files marked for it. Empty unless asked for: a full one hands capabilities
 *                  back to a user who should have none, through file capabilities in the image (CVE-2022-24769
 *                  and others)
 *     ambient      kept over exec by unmarked files
 *
 * A process of another user than root has its permitted set cleared by exec; that is the kernel's rule, not ours.
 * Source: capabilities(7), "Transformation of capabilities during execve". */
#include "runtime/child.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PASSWD_MAX (1 << 20)
#define ALL_CAPS   64 /* bits of the sets; the kernel ends the list with EINVAL */

static const uint64_t admin = UINT64_C(1) << CAP_SYS_ADMIN;

/* The line "name:password:UID:gid:comment:HOME:shell" with our uid. No NSS: its modules would be the image's
 * (CVE-2019-14271). */
static char *home_in(const char *passwd, uid_t uid)
{
    for (const char *line = passwd; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *field[7] = {line};
        int n = 1;
        for (const char *p = line; *p && *p != '\n' && n < 7; p++)
            if (*p == ':')
                field[n++] = p + 1;
        if (n < 7)
            continue;
        autofree char *number = mem_strndup(field[2], (size_t)(field[3] - field[2] - 1));
        uint64_t value;
        if (str_to_u64(number, &value) && value == uid)
            return mem_strndup(field[5], (size_t)(field[6] - field[5] - 1));
    }
    return NULL;
}

/* HOME, where the environment has none: from the image's passwd file, which may be anything at all; then it is "/". */
int child_home(struct child *c, struct err *e)
{
    (void)e;
    for (const char *const *v = c->process->env; *v; v++)
        if (str_starts(*v, "HOME=") && (*v)[5])
            return 0;
    autoclose int fd = child_open_known(c, "/etc/passwd", S_IFREG, 0, O_RDONLY);
    autofree char *text = fd >= 0 ? fd_read_all(fd, PASSWD_MAX, NULL, NULL) : NULL;
    autofree char *home = text ? home_in(text, c->process->uid) : NULL;
    c->home = str_printf("HOME=%s", str_empty(home) ? "/" : home);
    return 0;
}

int child_no_new_privs(struct child *c, struct err *e)
{
    if (c->process->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(e, "set no_new_privs");
    if (c->plan && c->plan->has_personality && personality(c->plan->personality) < 0)
        return err_sys(e, "set the personality");
    return 0;
}

int child_bounding(struct child *c, struct err *e)
{
    for (int cap = 0; cap < ALL_CAPS; cap++) {
        if (c->process->caps[CAPS_BOUNDING] & UINT64_C(1) << cap)
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
            if (errno == EINVAL)
                break; /* beyond the kernel's last capability */
            return err_sys(e, "drop capability %d from the bounding set", cap);
        }
    }
    return 0;
}

/* As root first: a folder that only root may enter is still a good working folder. Where root may not (a network file
 * system, or a user namespace), try again as the user. */
int child_chdir(struct child *c, struct err *e)
{
    c->chdir_later = chdir(c->process->cwd) < 0;
    if (c->chdir_later && errno != EACCES)
        return err_sys(e, "enter the working folder %s", c->process->cwd);
    return 0;
}

/* Without CAP_SYS_RESOURCE a hard limit can only be lowered. Then the nearest that is possible is set, with a warning:
 * a container with fewer files than it wanted is better than none. */
static int set_limit(const struct child *c, const struct plan_rlimit *l, struct err *e)
{
    struct rlimit now, want = l->limit;
    if (setrlimit((unsigned)l->resource, &want) == 0)
        return 0;
    if (errno != EPERM || getrlimit((unsigned)l->resource, &now) < 0)
        return err_sys(e, "set %s", l->name);
    want.rlim_max = want.rlim_max < now.rlim_max ? want.rlim_max : now.rlim_max;
    want.rlim_cur = want.rlim_cur < want.rlim_max ? want.rlim_cur : want.rlim_max;
    if (!c->user_ns) /* there the parent will try */
        child_warn(c, "%s cannot be raised to %lld here (no CAP_SYS_RESOURCE); it is %lld", l->name,
                   (long long)l->limit.rlim_max, (long long)want.rlim_max);
    return setrlimit((unsigned)l->resource, &want) < 0 ? err_sys(e, "set %s", l->name) : 0;
}

int child_limits(struct child *c, struct err *e)
{
    for (size_t i = 0; i < c->process->nlimits; i++)
        if (set_limit(c, &c->process->limits[i], e) < 0)
            return -1;
    return 0;
}

static int set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
    return (int)syscall(SYS_capset, &head, data);
}

/* Groups before ids: afterwards there is no right to set them. Changing from root to a user clears the capability sets
 * unless the process says otherwise (PR_SET_KEEPCAPS). */
int child_identity(struct child *c, struct err *e)
{
    const struct plan_process *p = c->process;
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return err_sys(e, "keep capabilities over the change of user");
    if (setgroups(p->ngroups, p->groups) < 0)
        return err_sys(e, "set %zu supplementary groups", p->ngroups);
    if (setresgid(p->gid, p->gid, p->gid) < 0)
        return err_sys(e, "become group %u", p->gid);
    if (setresuid(p->uid, p->uid, p->uid) < 0)
        return err_sys(e, "become user %u", p->uid);
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(e, "stay undumpable");
    umask(p->umask >= 0 ? (mode_t)p->umask : 022);
    return 0;
}

/* All that was asked for, and CAP_SYS_ADMIN for a little longer where the filter needs it: loading one takes that or
 * no_new_privs, seccomp(2). Ambient ones must be permitted and inheritable when they are raised. */
int child_capabilities(struct child *c, struct err *e)
{
    const uint64_t *caps = c->process->caps;
    uint64_t extra = c->filter->code && !c->process->no_new_privs ? admin : 0;
    if (set_caps(caps[CAPS_EFFECTIVE] | extra, caps[CAPS_PERMITTED] | extra, caps[CAPS_INHERITABLE]) < 0)
        return err_sys(e, "set capabilities");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return err_sys(e, "clear ambient capabilities");
    for (unsigned cap = 0; cap < ALL_CAPS; cap++)
        if (caps[CAPS_AMBIENT] & UINT64_C(1) << cap && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
            child_warn(c, "ambient capability %u cannot be raised: %s", cap, strerrordesc_np(errno));
    return 0;
}

int child_capabilities_final(struct child *c, struct err *e)
{
    const uint64_t *caps = c->process->caps;
    if (set_caps(caps[CAPS_EFFECTIVE], caps[CAPS_PERMITTED], caps[CAPS_INHERITABLE]) < 0)
        return err_sys(e, "drop CAP_SYS_ADMIN");
    return 0;
}

/* A descriptor of a host folder that had leaked into the container could be named as the working folder
 * (/proc/self/fd/7), and then ".." leads through the host (CVE-2024-21626). The kernel knows: for a folder outside the
 * process's root, getcwd(2) answers a path that begins with "(unreachable)". */
int child_check_cwd(struct child *c, struct err *e)
{
    char path[PLAN_PATH_MAX + 1];
    if (c->chdir_later && chdir(c->process->cwd) < 0)
        return err_sys(e, "enter the working folder %s", c->process->cwd);
    /* The bare system call: the C library replaces such an answer by ENOENT. */
    if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
        return err_sys(e, "find the working folder %s", c->process->cwd);
    if (path[0] != '/')
        return err_set(e, ERR_FORBIDDEN, "working folder %s lies outside the container's root", c->process->cwd);
    return 0;
}
