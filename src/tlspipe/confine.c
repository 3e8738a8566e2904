/* What this process gives up before a stranger's first byte.
 *
 * OpenSSL reads what anybody on the network sends, in some hundred thousand lines of C; whoever takes it over holds the
 * private key, and should hold nothing else. In order:
 *
 *   1. limits: descriptors for as many connections as it may have, memory, no core file (it would hold the key)
 *   2. where we are root: no supplementary groups, then group and user nobody, which empties the capability sets
 *      (capabilities(7), "Effect of user ID changes"). A client that runs as its user stays its user
 *   3. not dumpable: no other process of that user may trace this one or look into its memory (prctl(2))
 *   4. no new privileges, and a seccomp filter: reading, writing, waiting, accepting, passing descriptors on, memory
 * that is not executable, the clock, random numbers. No file can be opened, no program run, no address connected to
 *
 * A call that the list lacks fails with EPERM and does not end the process: if a library of tomorrow tries a new call
 * for something optional, five hundred people's connections shall not end with it. */
#include "tlspipe/tlspipe.h"
#include "base/rlimit.h"

#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOBODY     65534
#define MEMORY_MAX (512u << 20)
#define OTHER_FDS  32 /* besides three for each connection */

static int become_nobody(struct err *e)
{
    if (geteuid() != 0)
        return 0;
    if (setgroups(0, NULL) < 0)
        return err_sys(e, "setgroups");
    if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return err_sys(e, "become user %d", NOBODY);
    return 0;
}

#ifndef SANITIZED /* sanitizers map terabytes, and call what they please */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(accept4),
    SCMP_SYS(shutdown),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockopt),
    SCMP_SYS(close),
    SCMP_SYS(fcntl),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(restart_syscall),
};

static int add_rules(scmp_filter_ctx ctx)
{
    int r = 0;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && r == 0; i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (r == 0)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return r;
}

static int load_filter(struct err *e)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r = ctx ? add_rules(ctx) : -ENOMEM;
    if (r == 0)
        r = seccomp_load(ctx);
    seccomp_release(ctx);
    errno = -r;
    return r == 0 ? 0 : err_sys(e, "load the seccomp filter");
}
#endif

int confine(size_t connections, struct err *e)
{
    if (rlimit_lower(RLIMIT_NOFILE, 3 * connections + OTHER_FDS, e) < 0 || rlimit_lower(RLIMIT_CORE, 0, e) < 0)
        return -1;
#ifndef SANITIZED
    if (rlimit_lower(RLIMIT_AS, MEMORY_MAX, e) < 0)
        return -1;
#endif
    if (become_nobody(e) < 0)
        return -1;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(e, "prctl");
#ifndef SANITIZED
    return load_filter(e);
#else
    return 0;
#endif
}
