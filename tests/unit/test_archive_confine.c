/* What a worker can still do to others of its user once its filter of system calls is loaded (archive/confine_calls.c).
 */
#include "unit.h"
#include "archive/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t other; /* a process of the same user: our parent, which could be the daemon */

static long do_kill(void)
{
    return kill(other, 0);
}
static long do_kill_oneself(void)
{
    return kill(getpid(), 0);
}
static long do_pidfd(void)
{
    return syscall(SYS_pidfd_open, other, 0);
}
static long do_trace(void)
{
    return ptrace(PTRACE_SEIZE, other, NULL, NULL);
}
static long do_limit(void)
{
    return prlimit(other, RLIMIT_CORE, &(struct rlimit){0, 0}, NULL);
}
static long do_slow(void)
{
    return setpriority(PRIO_PROCESS, (id_t)other, 19);
}
static long do_fork(void)
{
    return fork();
}
static long do_exec(void)
{
    return execl("/bin/true", "true", NULL);
}
static long do_unshare(void)
{
    return unshare(CLONE_NEWUSER);
}
static long do_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}
static long do_key(void)
{
    return syscall(SYS_keyctl, 0, -4, 0);
}
#ifdef __x86_64__
static long do_x32(void)
{
    return syscall(0x40000000 + SYS_kill, other, 0);
}
#endif
static long may_read(void)
{
    return open("/proc/self/status", O_RDONLY | O_CLOEXEC);
}
static long may_limit_itself(void)
{
    return prlimit(0, RLIMIT_CORE, &(struct rlimit){0, 0}, NULL);
}
static long may_ask_its_limit(void)
{
    struct rlimit r;
    return getrlimit(RLIMIT_NOFILE, &r);
}

static const struct {
    long (*call)(void);
    bool refused;
} calls[] = {
    {do_kill, true},   {do_kill_oneself, true},   {do_pidfd, true},          {do_trace, true},   {do_limit, true},
    {do_slow, true},   {do_fork, true},           {do_exec, true},           {do_unshare, true}, {do_socket, true},
    {do_key, true},
#ifdef __x86_64__
    {do_x32, true},
#endif
    {may_read, false}, {may_limit_itself, false}, {may_ask_its_limit, false}};
#define CALLS (int)(sizeof(calls) / sizeof(calls[0]))

/* @return the child's verdict: 0 as expected, 1 it succeeded, 2 it failed, 3 for another reason, 4 no filter */
static int verdict(int i)
{
    struct err e;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || confine_calls(&e) < 0)
        return 4;
    errno = 0;
    long r = calls[i].call();
    if (calls[i].refused)
        return r >= 0 ? 1 : errno == EPERM ? 0 : 3;
    return r >= 0 ? 0 : 2;
}

START_TEST(others_are_out_of_reach)
{
    int status;
    other = getpid();
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(verdict(_i));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "call %d: status %x", _i, (unsigned)status);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("archive: confined calls");
    TCase *t = unit_case(s, "calls");
    tcase_add_loop_test(t, others_are_out_of_reach, 0, CALLS);
    return unit_run(s);
}
