/* What a worker may not call: the last step of confine.c.
 *
 * Capabilities are about what root may do and others may not. What a process may do to another one of its own user
 * needs none of them, and this process is user 0: it could kill the daemon, trace a shim, freeze init by its priority.
 * There a filter in the kernel is the only wall (seccomp(2); a classic BPF program that sees the number of a call and
 * its arguments). Refused, with EPERM:
 *
 *   - whatever acts on another process, prlimit(2) only where it is one
 *   - new processes, programs, namespaces, mounts and sockets, none of which an archive needs
 *   - keys, which belong to a user and not to a namespace
 *   - interfaces of the kernel that are large, that archives never need, and through which kernels were broken into
 *
 * tlspipe has the list of what is allowed instead, which is stronger. Here libarchive and three decompressors would
 * make that list, and one call more in their next release would mean that images cannot be read.
 *
 * It fails where the kernel has no seccomp. Next: view.c. */
#include "archive/worker.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define OWN_ARCH AUDIT_ARCH_RISCV64
#elif defined(__s390x__)
#define OWN_ARCH AUDIT_ARCH_S390X
#elif defined(__powerpc64__)
#define OWN_ARCH AUDIT_ARCH_PPC64LE
#else
#error "name this machine's AUDIT_ARCH_ (linux/audit.h)"
#endif
#define X32_BIT 0x40000000 /* on x86-64: the same calls under other numbers */

static const unsigned refused[] = {
    /* another process */
    SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_open, SYS_pidfd_getfd,
    SYS_pidfd_send_signal, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_process_madvise, SYS_kcmp,
    SYS_setpriority, SYS_ioprio_set, SYS_sched_setaffinity, SYS_sched_setparam, SYS_sched_setscheduler,
    SYS_sched_setattr, SYS_migrate_pages, SYS_move_pages,
    /* a new one, another program, another surrounding */
    SYS_clone, SYS_clone3, SYS_execve, SYS_execveat, SYS_unshare, SYS_setns, SYS_chroot, SYS_pivot_root, SYS_mount,
    SYS_umount2, SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr,
    SYS_socket, SYS_socketpair,
#ifdef SYS_fork
    SYS_fork, SYS_vfork,
#endif
    /* the user's keys */
    SYS_add_key, SYS_request_key, SYS_keyctl,
    /* and what is only ever a way in */
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_open_by_handle_at, SYS_personality,
    SYS_fanotify_init, SYS_init_module, SYS_finit_module};
#define REFUSED (sizeof(refused) / sizeof(refused[0]))

/* A pid is an int: the half of the argument that a 32-bit load has to take. */
#define LOW_HALF (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)

/* A jump passes over so many instructions, if its comparison holds (IF) or does not (UNLESS). */
#define LOAD(at)            (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define IF(op, k, over)     (struct sock_filter) BPF_JUMP(BPF_JMP | op | BPF_K, k, over, 0)
#define UNLESS(op, k, over) (struct sock_filter) BPF_JUMP(BPF_JMP | op | BPF_K, k, 0, over)
#define ANSWER(what)        (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, what)

int confine_calls(struct err *e)
{
    struct sock_filter code[REFUSED + 16];
    size_t n = 0;
    code[n++] = LOAD(offsetof(struct seccomp_data, arch));
    code[n++] = IF(BPF_JEQ, OWN_ARCH, 1);
    code[n++] = ANSWER(SECCOMP_RET_KILL_PROCESS);
    code[n++] = LOAD(offsetof(struct seccomp_data, nr));
    code[n++] = UNLESS(BPF_JGE, X32_BIT, 1);
    code[n++] = ANSWER(SECCOMP_RET_ERRNO | EPERM);
    /* All are passed to reach the last answer, so the way there grows shorter by one with each. */
    for (size_t i = 0; i < REFUSED; i++)
        code[n++] = IF(BPF_JEQ, refused[i], (unsigned char)(REFUSED - i + 3));
    code[n++] = UNLESS(BPF_JEQ, SYS_prlimit64, 2);
    code[n++] = LOAD(offsetof(struct seccomp_data, args[0]) + LOW_HALF);
    code[n++] = UNLESS(BPF_JEQ, 0, 1); /* 0 is the caller itself */
    code[n++] = ANSWER(SECCOMP_RET_ALLOW);
    code[n++] = ANSWER(SECCOMP_RET_ERRNO | EPERM);
    const struct sock_fprog program = {.len = (unsigned short)n, .filter = code};
    /* Kernels before 5.16 would also forbid the processor to guess, for which a decompressor pays dearly. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) < 0)
        return err_sys(e, "load the filter of system calls");
    return 0;
}
