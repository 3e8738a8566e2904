/* Try system calls with arguments that do no harm, and print what each answered: "NAME ERRNO" a line.
 *
 * EPERM from a filter and EPERM from the kernel look alike, so the arguments are chosen to be refused for another
 * reason (a bad descriptor, a bad pointer, a bad flag) where the call gets through: EFAULT, EBADF, EINVAL mean "reached
 * the kernel". Calls that would do something with bad arguments as well are made in a child of their own.
 *
 * Usage: trysyscall NAME|NUMBER…; without any, the whole table. NAME=A,B,C… gives other arguments. "i386:NUMBER" enters
 * through int 0x80. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BAD -1L

static const struct {
    const char *name;
    long nr;
    long a[6];
} table[] = {
#define CALL(n, ...)    \
    {                   \
#n, SYS_##n,    \
        {               \
            __VA_ARGS__ \
        }               \
    }
    CALL(acct, 1),
    CALL(add_key, 1, 1, 1, 1, BAD),
    CALL(bpf, BAD, 0, 0),
    CALL(chroot, 1),
    CALL(clock_settime, 0, 1),
    CALL(clone3, 1, 8),
    CALL(delete_module, 1, 0),
    CALL(fanotify_init, BAD, BAD),
    CALL(finit_module, BAD, 1, 0),
    CALL(fsmount, BAD, BAD, BAD),
    CALL(fsopen, 1, BAD),
    CALL(get_mempolicy, 1, 1, BAD, 1, BAD),
    CALL(init_module, 1, BAD, 1),
    CALL(io_uring_enter, BAD, 0, 0, BAD, 0, 0),
    CALL(io_uring_register, BAD, BAD, 0, 0),
    CALL(io_uring_setup, 0, 1),
    CALL(kcmp, BAD, BAD, BAD, 0, 0),
    CALL(kexec_file_load, BAD, BAD, 0, 0, BAD),
    CALL(kexec_load, 0, 1000, 1, BAD),
    CALL(keyctl, BAD, 0, 0, 0, 0),
    CALL(mbind, 1, 1, BAD, 1, 1, BAD),
    CALL(mount, 1, 1, 1, 0, 0),
    CALL(mount_setattr, BAD, 1, BAD, 1, 0),
    CALL(move_mount, BAD, 1, BAD, 1, BAD),
    CALL(move_pages, BAD, 1, 1, 1, 1, BAD),
    CALL(name_to_handle_at, BAD, 1, 1, 1, 0),
    CALL(open_by_handle_at, BAD, 1, 0),
    CALL(open_tree, BAD, 1, BAD),
    CALL(openat2, BAD, 1, 1, 0),
    CALL(perf_event_open, 1, BAD, BAD, BAD, BAD),
    CALL(pidfd_getfd, BAD, BAD, BAD),
    CALL(pivot_root, 1, 1),
    CALL(process_madvise, BAD, 1, 1, BAD, BAD),
    CALL(process_vm_readv, BAD, 1, 1, 1, 1, BAD),
    CALL(ptrace, BAD, BAD, 0, 0),
    CALL(quotactl, BAD, 1, BAD, 1),
    CALL(reboot, 0, 0, 0, 0),
    CALL(request_key, 1, 1, 1, 0),
    CALL(set_mempolicy, BAD, 1, 1),
    CALL(setdomainname, 1, 1000000),
    CALL(sethostname, 1, 1000000),
    CALL(setns, BAD, BAD),
    CALL(settimeofday, 1, 1),
    CALL(swapoff, 1),
    CALL(swapon, 1, BAD),
    CALL(syslog, BAD, 0, 0),
    CALL(umount2, 1, BAD),
    CALL(unshare, BAD),
    CALL(userfaultfd, BAD),
    CALL(vhangup, 0),
    CALL(read, BAD, 1, 1),
    CALL(futex, 1, BAD, 0, 0, 0, 0),
    CALL(close_range, 5, 4, BAD),
    CALL(seccomp, BAD, BAD, 0),
#ifdef SYS_ioperm
    CALL(ioperm, BAD, BAD, 1),
    CALL(iopl, 100),
    CALL(modify_ldt, BAD, 0, 0),
    CALL(arch_prctl, BAD, 0),
#endif
};
#define TABLE (sizeof(table) / sizeof(table[0]))

static long through_i386(long nr)
{
#ifdef __x86_64__
    long r;
    __asm__ volatile("int $0x80"
                     : "=a"(r)
                     : "a"(nr), "b"(-1L), "c"(1L), "d"(1L), "S"(0L), "D"(0L)
                     : "memory", "r8", "r9", "r10", "r11");
    errno = (int)r < 0 ? -(int)r : 0;
    return (int)r < 0 ? -1 : r;
#else
    (void)nr;
    errno = ENOSYS;
    return -1;
#endif
}

/* In a child: a call that gets through must not change this process. */
static void try(const char *name, int i386, long nr, const long a[6])
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        errno = 0;
        long r = i386 ? through_i386(nr) : syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        printf("%s %s\n", name, r >= 0 ? "OK" : strerrorname_np(errno));
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("%s SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
}

static int try_word(const char *word)
{
    long a[6] = {BAD, 1, 1, 1, 1, 1}, nr = -1;
    int i386 = strncmp(word, "i386:", 5) == 0;
    const char *name = i386 ? word + 5 : word;
    size_t n = strcspn(name, "=");
    for (size_t i = 0; i < TABLE; i++) {
        if (strlen(table[i].name) == n && strncmp(table[i].name, name, n) == 0) {
            nr = table[i].nr;
            memcpy(a, table[i].a, sizeof(a));
        }
    }
    static const struct {
        const char *name;
        long nr;
    } more[] = {{"socket", SYS_socket}, {"personality", SYS_personality}, {"clone", SYS_clone}};
    for (size_t i = 0; i < 3; i++)
        if (strlen(more[i].name) == n && strncmp(more[i].name, name, n) == 0)
            nr = more[i].nr;
    if (nr < 0 && *name >= '0' && *name <= '9')
        nr = strtol(name, NULL, 0);
    if (nr < 0) {
        fprintf(stderr, "trysyscall: unknown call %s\n", word);
        return 2;
    }
    char *p = (char *)name + n;
    for (int i = 0; i < 6 && *p; i++)
        a[i] = (long)strtoull(p + 1, &p, 0);
    try(word, i386, nr, a);
    return 0;
}

int main(int argc, char **argv)
{
    int r = 0;
    for (int i = 1; i < argc && r == 0; i++)
        r = try_word(argv[i]);
    for (size_t i = 0; argc == 1 && i < TABLE; i++)
        try(table[i].name, 0, table[i].nr, table[i].a);
    return r;
}
