/* Seccomp profiles: the compiled program is run here, by an interpreter of the dozen BPF instructions that such
 * programs consist of, so every call and argument can be tried without making any. And the cache: what is found must be
 * what was asked for. */
#include "runtime/seccomp.h"
#include "runtime/state.h"
#include "engine/seccomp_profile.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOW     SECCOMP_RET_ALLOW
#define FAIL(err) (SECCOMP_RET_ERRNO | (err))

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif

static struct runtime rt = {.log = -1};
static char dir[] = "/tmp/gorae-unit.XXXXXX";

static void setup(void)
{
    mem_setup();
    memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    rt.root = dir;
}

static void teardown(void)
{
    ck_assert_int_eq(tree_remove(AT_FDCWD, dir, NULL), 0);
}

static uint32_t word_at(const struct seccomp_data *d, uint32_t offset)
{
    uint32_t v;
    ck_assert_uint_le(offset, sizeof(*d) - sizeof(v));
    memcpy(&v, (const char *)d + offset, sizeof(v));
    return v;
}

static uint32_t run(const struct filter *f, const struct seccomp_data *d)
{
    uint32_t a = 0, memory[BPF_MEMWORDS] = {0};
    for (unsigned pc = 0; pc < f->n; pc++) {
        const struct sock_filter *i = &f->code[pc];
        bool jump = false, taken = false;
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS: a = word_at(d, i->k); break;
        case BPF_LD | BPF_IMM: a = i->k; break;
        case BPF_LD | BPF_MEM: a = memory[i->k % BPF_MEMWORDS]; break;
        case BPF_ST: memory[i->k % BPF_MEMWORDS] = a; break;
        case BPF_ALU | BPF_AND | BPF_K: a &= i->k; break;
        case BPF_JMP | BPF_JA: pc += i->k; break;
        case BPF_JMP | BPF_JEQ | BPF_K: jump = true, taken = a == i->k; break;
        case BPF_JMP | BPF_JGT | BPF_K: jump = true, taken = a > i->k; break;
        case BPF_JMP | BPF_JGE | BPF_K: jump = true, taken = a >= i->k; break;
        case BPF_JMP | BPF_JSET | BPF_K: jump = true, taken = (a & i->k) != 0; break;
        case BPF_RET | BPF_K: return i->k;
        default: ck_abort_msg("instruction %u has the unknown code 0x%x", pc, i->code);
        }
        if (jump)
            pc += taken ? i->jt : i->jf;
    }
    ck_abort_msg("the program runs over its end");
}

static uint32_t ask(const struct filter *f, uint32_t arch, int nr, uint64_t a0, uint64_t a1)
{
    struct seccomp_data d = {.nr = nr, .arch = arch, .args = {a0, a1}};
    return run(f, &d);
}

static void compile_default(struct filter *f, const char *cap)
{
    struct err e = {0};
    json_auto_t *j = seccomp_profile_default(&cap, cap ? 1 : 0);
    ck_assert_msg(filter_compile(f, j, &e) == 0, "%s", e.msg);
}

START_TEST(default_profile)
{
    struct filter f;
    compile_default(&f, NULL);
    static const int allowed[] = {SYS_read,  SYS_write, SYS_openat, SYS_execve,
                                  SYS_futex, SYS_mmap,  SYS_ptrace, SYS_capset};
    static const int blocked[] = {SYS_mount,       SYS_unshare,        SYS_setns,      SYS_keyctl,
                                  SYS_bpf,         SYS_reboot,         SYS_kexec_load, SYS_init_module,
                                  SYS_userfaultfd, SYS_io_uring_setup, SYS_chroot,     SYS_pivot_root};
    for (size_t i = 0; i < COUNT(allowed); i++)
        ck_assert_msg(ask(&f, NATIVE, allowed[i], 0, 0) == ALLOW, "call %d is blocked", allowed[i]);
    for (size_t i = 0; i < COUNT(blocked); i++)
        ck_assert_msg(ask(&f, NATIVE, blocked[i], 0, 0) == FAIL(EPERM), "call %d is not blocked", blocked[i]);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_clone3, 0, 0), FAIL(ENOSYS));
    ck_assert_uint_eq(ask(&f, NATIVE, 5000, 0, 0), FAIL(ENOSYS));
    for (uint64_t family = 0; family < 64; family++)
        ck_assert_uint_eq(ask(&f, NATIVE, SYS_socket, family, 1), family == 38 || family == 40 ? FAIL(EPERM) : ALLOW);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_clone, 0x01200011, 0), ALLOW);
    for (int bit = 0; bit < 32; bit++)
        ck_assert_uint_eq(ask(&f, NATIVE, SYS_clone, UINT64_C(1) << bit, 0),
                          (0x7e020000U & (1U << bit)) ? FAIL(EPERM) : ALLOW);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_personality, 0xffffffff, 0), ALLOW);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_personality, 0x40000, 0), FAIL(EPERM));
    /* the upper half of the register counts too */
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_personality, UINT64_C(0x100000000), 0), FAIL(EPERM));
    filter_release(&f);
}
END_TEST

START_TEST(capabilities_open_calls)
{
    struct filter f;
    compile_default(&f, "CAP_SYS_ADMIN");
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_mount, 0, 0), ALLOW);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_clone3, 0, 0), ALLOW);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_clone, 0x10000000, 0), ALLOW);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_chroot, 0, 0), FAIL(EPERM));
    filter_release(&f);
    compile_default(&f, "CAP_SYS_CHROOT");
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_chroot, 0, 0), ALLOW);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_mount, 0, 0), FAIL(EPERM));
    filter_release(&f);
}
END_TEST

#if defined(__x86_64__)
START_TEST(other_architectures)
{
    struct filter f;
    compile_default(&f, NULL);
    ck_assert_uint_eq(ask(&f, AUDIT_ARCH_I386, 3 /* read */, 0, 0), ALLOW);
    ck_assert_uint_eq(ask(&f, AUDIT_ARCH_I386, 310 /* unshare */, 0, 0), FAIL(EPERM));
    ck_assert_uint_eq(ask(&f, AUDIT_ARCH_I386, 21 /* mount */, 0, 0), FAIL(EPERM));
    ck_assert_uint_eq(ask(&f, AUDIT_ARCH_I386, 5000, 0, 0), FAIL(ENOSYS));
    ck_assert_uint_eq(ask(&f, AUDIT_ARCH_X86_64, 0x40000000 | SYS_read, 0, 0), ALLOW);
    ck_assert_uint_eq(ask(&f, AUDIT_ARCH_X86_64, 0x40000000 | SYS_mount, 0, 0), FAIL(EPERM));
    ck_assert_uint_eq(ask(&f, AUDIT_ARCH_X86_64, 0x40000000 | 5000, 0, 0), FAIL(ENOSYS));
    ck_assert_uint_eq(ask(&f, AUDIT_ARCH_AARCH64, SYS_read, 0, 0), SECCOMP_RET_KILL_THREAD);
    filter_release(&f);
}
END_TEST
#endif

static int compile_text(struct filter *f, const char *text, struct err *e)
{
    json_auto_t *j = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(j);
    return filter_compile(f, j, e);
}

START_TEST(actions_and_conditions)
{
    struct filter f;
    struct err e = {0};
    ck_assert_msg(
        compile_text(&f,
                     "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"flags\": [\"SECCOMP_FILTER_FLAG_LOG\"], \"syscalls\": ["
                     "{\"names\": [\"mkdirat\", \"nosuchcall\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 5},"
                     "{\"names\": [\"getuid\"], \"action\": \"SCMP_ACT_KILL_PROCESS\"},"
                     "{\"names\": [\"getgid\"], \"action\": \"SCMP_ACT_ALLOW\"},"
                     "{\"names\": [\"dup3\"], \"action\": \"SCMP_ACT_ERRNO\", \"args\": ["
                     "  {\"index\": 0, \"value\": 7, \"op\": \"SCMP_CMP_EQ\"},"
                     "  {\"index\": 1, \"value\": 9, \"op\": \"SCMP_CMP_GT\"}]},"
                     "{\"names\": [\"fchmod\"], \"action\": \"SCMP_ACT_ERRNO\", \"args\": ["
                     "  {\"index\": 0, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"},"
                     "  {\"index\": 0, \"value\": 2, \"op\": \"SCMP_CMP_EQ\"}]}]}",
                     &e) == 0,
        "%s", e.msg);
    ck_assert_uint_eq(f.flags, SECCOMP_FILTER_FLAG_LOG);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_read, 0, 0), ALLOW);
    ck_assert_uint_eq(ask(&f, NATIVE, 5000, 0, 0), ALLOW);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_mkdirat, 0, 0), FAIL(5));
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_getuid, 0, 0), SECCOMP_RET_KILL_PROCESS);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_dup3, 7, 10), FAIL(EPERM));
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_dup3, 7, 9), ALLOW);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_dup3, 8, 10), ALLOW);
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_fchmod, 1, 0), FAIL(EPERM)); /* the same argument twice: either */
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_fchmod, 2, 0), FAIL(EPERM));
    ck_assert_uint_eq(ask(&f, NATIVE, SYS_fchmod, 3, 0), ALLOW);
    filter_release(&f);
}
END_TEST

START_TEST(refused)
{
    static const char *const bad[] = {
        "{}",
        "{\"defaultAction\": \"SCMP_ACT_NOTIFY\"}",
        "{\"defaultAction\": \"ALLOW\"}",
        "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 4096}",
        "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"flags\": [\"FUN\"]}",
        "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": [\"SCMP_ARCH_Z80\"]}",
        "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"], \"action\": \"X\"}]}",
        "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"], \"action\": \"SCMP_ACT_KILL\", "
        "\"args\": [{\"index\": 6, \"op\": \"SCMP_CMP_EQ\"}]}]}",
        "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"], \"action\": \"SCMP_ACT_KILL\", "
        "\"args\": [{\"index\": 0, \"op\": \"==\"}]}]}"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct filter f;
        struct err e = {0};
        ck_assert_msg(compile_text(&f, bad[i], &e) == -1, "%s was taken", bad[i]);
        ck_assert(*e.msg);
    }
}
END_TEST

static int state_folder(const char *name)
{
    autofree char *path = str_printf("%s/%s", dir, name);
    mkdir(path, 0700);
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static char *cached(void)
{
    autofree char *path = str_printf("%s/" STATE_CACHE, dir);
    DIR *d = opendir(path);
    ck_assert_ptr_nonnull(d);
    char *found = NULL;
    for (struct dirent *x; (x = readdir(d));)
        if (x->d_name[0] != '.')
            found = str_printf("%s/%s", path, x->d_name);
    closedir(d);
    return found;
}

START_TEST(cache)
{
    static const char text[] =
        "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"getuid\"], \"action\": "
        "\"SCMP_ACT_ERRNO\"}]}";
    json_auto_t *j = json_loads(text, 0, NULL);
    struct filter one, two, three;
    struct err e = {0};
    int a = state_folder("a"), b = state_folder("b"), c = state_folder("c");
    ck_assert_msg(filter_get(&one, &rt, j, a, &e) == 0, "%s", e.msg);
    ck_assert_msg(filter_get(&two, &rt, j, b, &e) == 0, "%s", e.msg);
    ck_assert_uint_eq(one.n, two.n);
    ck_assert_mem_eq(one.code, two.code, one.n * sizeof(*one.code));
    ck_assert_int_eq(filter_load(&three, b, &e), 0);
    ck_assert_mem_eq(one.code, three.code, one.n * sizeof(*one.code));
    filter_release(&three);
    /* Damage every byte in turn: an answer is either the right program or a new compilation, never another program. */
    autofree char *path = cached();
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_nlink, 3);
    size_t n;
    autofree char *whole = file_read(AT_FDCWD, path, 1 << 20, &n, &e);
    size_t text_end = n - one.n * sizeof(*one.code);
    for (size_t i = 0; i < text_end; i += 7) {
        whole[i] ^= 0x20;
        ck_assert_int_eq(file_replace_volatile(AT_FDCWD, path, whole, n, 0600, &e), 0);
        unlinkat(c, STATE_SECCOMP, 0);
        ck_assert_msg(filter_get(&three, &rt, j, c, &e) == 0, "%s", e.msg);
        ck_assert_uint_eq(three.n, one.n);
        ck_assert_mem_eq(one.code, three.code, one.n * sizeof(*one.code));
        filter_release(&three);
        whole[i] ^= 0x20;
    }
    filter_release(&one);
    filter_release(&two);
    close(a), close(b), close(c);
}
END_TEST

START_TEST(no_profile_and_damaged_file)
{
    struct filter f;
    struct err e = {0};
    int a = state_folder("a");
    ck_assert_int_eq(filter_get(&f, &rt, NULL, a, &e), 0);
    ck_assert_ptr_null(f.code);
    ck_assert_int_eq(filter_load(&f, a, &e), 0);
    ck_assert_ptr_null(f.code);
    ck_assert_int_eq(file_replace_volatile(a, STATE_SECCOMP, "junk", 4, 0600, &e), 0);
    ck_assert_int_eq(filter_load(&f, a, &e), -1); /* not: running without */
    close(a);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("runtime seccomp");
    TCase *c = unit_case(s, "all");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, default_profile);
    tcase_add_test(c, capabilities_open_calls);
#if defined(__x86_64__)
    tcase_add_test(c, other_architectures);
#endif
    tcase_add_test(c, actions_and_conditions);
    tcase_add_test(c, refused);
    tcase_add_test(c, cache);
    tcase_add_test(c, no_profile_and_damaged_file);
    return unit_run(s);
}
