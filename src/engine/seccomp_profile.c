/* The default seccomp filter: which system calls a container may make.
 *
 * It is a list of what is allowed; everything else answers EPERM. A list of what is forbidden would be shorter and
 * wrong: the next kernel adds calls that nobody has judged yet. The names and conditions are those that Docker's
 * default profile allows, so that an image that runs there runs here. What is missing from the list is the point of it:
 * mounting, joining namespaces, loading modules, kernel keyrings (not namespaced), bpf, perf, userfaultfd, io_uring,
 * kexec, swap, and new user namespaces, which open much of the kernel to a process that owns nothing.
 *
 * Three kinds of entries:
 *   1. always allowed;
 *   2. allowed for some arguments: socket() without AF_ALG and AF_VSOCK, personality() with harmless values, clone()
 *      without namespace flags. A filter sees registers only, never memory behind a pointer, so clone3(), whose flags
 *      lie in memory, cannot be judged: it answers ENOSYS, and C libraries fall back to clone();
 *   3. allowed where the container has the capability that the kernel would ask for anyway.
 *
 * A name that the machine's libseccomp does not know is left out when the runtime compiles the filter
 * (src/runtime/seccomp.c, which is what to read next).
 *
 * Source: seccomp(2), clone(2), personality(2); OCI runtime-spec config-linux.md "Seccomp"; spec/security 3.2. */
#include "engine/seccomp_profile.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/socket.h>

static const char always[] =
    "_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown "
    "chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
    "clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 "
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old "
    "eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
    "fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
    "flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate "
    "ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list "
    "get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 "
    "getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid "
    "getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday "
    "getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel "
    "io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set "
    "ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link "
    "linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise "
    "map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 "
    "mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 "
    "mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall "
    "munmap name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe "
    "pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 "
    "process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv "
    "recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat "
    "renameat2 restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
    "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max "
    "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler "
    "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile "
    "sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 "
    "setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 "
    "setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 "
    "setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn "
    "socketcall socketpair splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync "
    "sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime "
    "timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
    "timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat "
    "uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev";

/* Allowed with the capability only. The same name may stand in several rows: one capability is enough. */
static const struct {
    const char *cap;
    const char *names;
} with_cap[] = {
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    {"CAP_SYS_ADMIN", "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr "
                      "lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open "
                      "quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare"},
    {"CAP_SYS_BOOT", "reboot"},
    {"CAP_SYS_CHROOT", "chroot"},
    {"CAP_SYS_MODULE", "delete_module init_module finit_module"},
    {"CAP_SYS_PACCT", "acct"},
    {"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"},
    {"CAP_SYS_RAWIO", "iopl ioperm"},
    {"CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"},
    {"CAP_SYS_TTY_CONFIG", "vhangup"},
    {"CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {"CAP_SYSLOG", "syslog"},
    {"CAP_BPF", "bpf"},
    {"CAP_PERFMON", "perf_event_open"},
};

/* Calls of one architecture family. Since Linux 4.8 a filter is checked again after ptrace changed a call, so tracing
 * one's own processes can no longer slip past it. */
static const char machine_calls[] =
#if defined(__x86_64__)
    "arch_prctl modify_ldt "
#elif defined(__aarch64__)
    "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls "
#endif
    "process_vm_readv process_vm_writev ptrace";

/* Every flag of clone(2) that makes a namespace: a process without CAP_SYS_ADMIN needs none of them, and each is a way
 * to kernel code that was written for root. */
#define NAMESPACE_FLAGS \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static json_t *names_of(const char *list)
{
    json_t *a = json_array();
    while (*list) {
        size_t n = strcspn(list, " ");
        json_array_append_new(a, json_stringn(list, n));
        list += n + (list[n] == ' ');
    }
    return a;
}

static void allow(json_t *rules, const char *names)
{
    json_array_append_new(rules, json_pack("{s:o, s:s}", "names", names_of(names), "action", "SCMP_ACT_ALLOW"));
}

/* Allow `name` where argument `index` compares so with `value`; several such rules for a name are alternatives. */
static void allow_if(json_t *rules, const char *name, int index, const char *op, int64_t value, int64_t value_two)
{
    json_array_append_new(rules, json_pack("{s:[s], s:s, s:[{s:i, s:s, s:I, s:I}]}", "names", name, "action",
                                           "SCMP_ACT_ALLOW", "args", "index", index, "op", op, "value",
                                           (json_int_t)value, "valueTwo", (json_int_t)value_two));
}

static void add_conditional(json_t *rules)
{
    static const uint32_t personalities[] = {PER_LINUX, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26, 0xffffffff};
    for (size_t i = 0; i < sizeof(personalities) / sizeof(personalities[0]); i++)
        allow_if(rules, "personality", 0, "SCMP_CMP_EQ", personalities[i], 0);
    allow_if(rules, "socket", 0, "SCMP_CMP_LT", AF_ALG, 0);
    allow_if(rules, "socket", 0, "SCMP_CMP_EQ", AF_ALG + 1, 0);
    allow_if(rules, "socket", 0, "SCMP_CMP_GT", AF_VSOCK, 0);
}

static void add_clone_without_admin(json_t *rules)
{
    allow_if(rules, "clone", 0, "SCMP_CMP_MASKED_EQ", NAMESPACE_FLAGS, 0);
    json_array_append_new(
        rules, json_pack("{s:[s], s:s, s:i}", "names", "clone3", "action", "SCMP_ACT_ERRNO", "errnoRet", ENOSYS));
}

static json_t *architectures(void)
{
#if defined(__x86_64__)
    return json_pack("[s, s, s]", "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32");
#elif defined(__aarch64__)
    return json_pack("[s, s]", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM");
#else
#error "the default seccomp profile is written for x86_64 and arm64"
#endif
}

static bool has_cap(const char *const *caps, size_t ncaps, const char *cap)
{
    for (size_t i = 0; i < ncaps; i++)
        if (str_eq(caps[i], cap))
            return true;
    return false;
}

json_t *seccomp_profile_default(const char *const *caps, size_t ncaps)
{
    json_t *rules = json_array();
    allow(rules, always);
    allow(rules, machine_calls);
    add_conditional(rules);
    for (size_t i = 0; i < sizeof(with_cap) / sizeof(with_cap[0]); i++)
        if (has_cap(caps, ncaps, with_cap[i].cap))
            allow(rules, with_cap[i].names);
    if (!has_cap(caps, ncaps, "CAP_SYS_ADMIN"))
        add_clone_without_admin(rules);
    return json_pack("{s:s, s:i, s:o, s:o}", "defaultAction", "SCMP_ACT_ERRNO", "defaultErrnoRet", EPERM,
                     "architectures", architectures(), "syscalls", rules);
}
