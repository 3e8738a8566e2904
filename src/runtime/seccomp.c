/* Compiling a seccomp profile. libseccomp does the hard part, the comparison tree; this file translates the words, and
 * puts a few instructions of its own in front.
 *
 * Those answer ENOSYS, not EPERM, to system calls that are newer than every one that the profile names. A C library
 * tries a new call and falls back to the old one when the kernel does not know it; EPERM it takes for the last word. A
 * profile written before the call existed cannot have meant to forbid it. (A call that the profile's author knew and
 * left out still gets EPERM.) runc does the same, which is why programs expect it.
 *
 * A name that this libseccomp does not know is skipped: without a number there is nothing to compare with, and the
 * default action, or the ENOSYS above, applies to it. */
#include "runtime/seccomp.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARCHS_MAX   16
#define RULES_MAX   8192
#define NAMES_MAX   4096
#define ARGS_MAX    6
#define PREFIX_MAX  (ARCHS_MAX * 8)
#define PROGRAM_MAX (BPF_MAXINSNS * sizeof(struct sock_filter))
#define X32_BIT     0x40000000U

static const struct word {
    const char *word;
    uint32_t value;
} actions[] = {{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
               {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
               {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
               {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
               {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
               {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
               {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
               {"SCMP_ACT_LOG", SCMP_ACT_LOG},
               {NULL, 0}},
  operators[] = {{"SCMP_CMP_NE", SCMP_CMP_NE},
                 {"SCMP_CMP_LT", SCMP_CMP_LT},
                 {"SCMP_CMP_LE", SCMP_CMP_LE},
                 {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                 {"SCMP_CMP_GE", SCMP_CMP_GE},
                 {"SCMP_CMP_GT", SCMP_CMP_GT},
                 {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
                 {NULL, 0}},
  archs[] = {{"SCMP_ARCH_X86", SCMP_ARCH_X86},         {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
             {"SCMP_ARCH_X32", SCMP_ARCH_X32},         {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
             {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64}, {"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
             {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE}, {"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
             {"SCMP_ARCH_S390", SCMP_ARCH_S390},       {NULL, 0}},
  flags[] = {{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
             {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
             {"SECCOMP_FILTER_FLAG_TSYNC", 0}, /* one thread: there is nothing to synchronise */
             {NULL, 0}};

json_t *filter_words(const char *kind)
{
    json_t *a = json_array();
    for (const struct word *w = str_eq(kind, "actions")     ? actions
                                : str_eq(kind, "operators") ? operators
                                                            : archs;
         w->word; w++)
        json_array_append_new(a, json_string(w->word));
    return a;
}

static int look_up(const struct word *table, const char *word, uint32_t *ret, struct err *e)
{
    for (; table->word; table++) {
        if (str_eq(table->word, word)) {
            *ret = table->value;
            return 0;
        }
    }
    return err_set(e, ERR_INVALID, "unknown word \"%.64s\"", word);
}

static int read_action(const char *word, const json_t *errno_ret, uint32_t *ret, struct err *e)
{
    int64_t n = json_is_integer(errno_ret) ? json_integer_value(errno_ret) : EPERM;
    if (look_up(actions, word, ret, e) < 0)
        return -1;
    if (n < 0 || n > 4095)
        return err_set(e, ERR_INVALID, "errnoRet is not between 0 and 4095");
    if (*ret == SCMP_ACT_ERRNO(0))
        *ret = SCMP_ACT_ERRNO((uint32_t)n);
    if (*ret == SCMP_ACT_TRACE(0))
        *ret = SCMP_ACT_TRACE((uint32_t)n);
    return 0;
}

static int read_args(const json_t *list, struct scmp_arg_cmp *out, unsigned *n, struct err *e)
{
    size_t i;
    json_t *v;
    if (json_array_size(list) > ARGS_MAX)
        return err_set(e, ERR_INVALID, "more than %d conditions", ARGS_MAX);
    json_array_foreach(list, i, v)
    {
        uint32_t op = 0;
        int64_t index = json_int(v, "index", -1);
        if (index < 0 || index >= ARGS_MAX)
            return err_set(e, ERR_INVALID, "argument index is not between 0 and %d", ARGS_MAX - 1);
        if (look_up(operators, json_str(v, "op", ""), &op, e) < 0)
            return -1;
        out[i] = (struct scmp_arg_cmp){(unsigned)index, (enum scmp_compare)op, (uint64_t)json_int(v, "value", 0),
                                       (uint64_t)json_int(v, "valueTwo", 0)};
    }
    *n = (unsigned)json_array_size(list);
    return 0;
}

/* Conditions of one rule must all hold. libseccomp cannot compare the same argument twice in a rule; then each becomes
 * a rule of its own and one of them is enough, as runc has it. */
static int add_call(scmp_filter_ctx ctx, uint32_t action, int nr, const struct scmp_arg_cmp *args, unsigned n)
{
    bool repeated = false;
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < i; k++)
            repeated |= args[i].arg == args[k].arg;
    if (!repeated)
        return seccomp_rule_add_array(ctx, action, nr, n, args);
    int r = 0;
    for (unsigned i = 0; i < n && r == 0; i++)
        r = seccomp_rule_add_array(ctx, action, nr, 1, &args[i]);
    return r;
}

static int add_rule(scmp_filter_ctx ctx, uint32_t def, const json_t *rule, struct err *e)
{
    uint32_t action = 0;
    unsigned nargs = 0;
    struct scmp_arg_cmp args[ARGS_MAX] = {0};
    size_t i;
    json_t *v;
    const json_t *names = json_object_get(rule, "names");
    if (json_array_size(names) > NAMES_MAX)
        return err_set(e, ERR_INVALID, "a rule with more than %d names", NAMES_MAX);
    if (read_action(json_str(rule, "action", ""), json_object_get(rule, "errnoRet"), &action, e) < 0 ||
        read_args(json_object_get(rule, "args"), args, &nargs, e) < 0)
        return -1;
    if (action == def)
        return 0; /* libseccomp takes this for a mistake; it only says what would happen anyway */
    json_array_foreach(names, i, v)
    {
        const char *name = json_string_value(v);
        int nr = name ? seccomp_syscall_resolve_name(name) : __NR_SCMP_ERROR;
        if (nr == __NR_SCMP_ERROR)
            continue;
        int r = add_call(ctx, action, nr, args, nargs);
        if (r < 0) {
            errno = -r;
            return err_sys(e, "add a rule for %s", name);
        }
    }
    return 0;
}

static int read_archs(const json_t *profile, scmp_filter_ctx ctx, uint32_t *out, size_t *n, struct err *e)
{
    const json_t *list = json_object_get(profile, "architectures");
    size_t i;
    json_t *v;
    out[(*n)++] = seccomp_arch_native(); /* always in; seccomp_init() has put it there */
    if (json_array_size(list) >= ARCHS_MAX)
        return err_set(e, ERR_INVALID, "more than %d architectures", ARCHS_MAX - 1);
    json_array_foreach(list, i, v)
    {
        uint32_t arch = 0;
        if (look_up(archs, json_is_string(v) ? json_string_value(v) : "", &arch, e) < 0)
            return -1;
        int r = seccomp_arch_add(ctx, arch);
        if (r < 0 && r != -EEXIST) {
            errno = -r;
            return err_sys(e, "add architecture %s", json_string_value(v));
        }
        if (r == 0)
            out[(*n)++] = arch;
    }
    return 0;
}

/* The highest number on `arch` among all names in the profile; -1 where there is none. */
static int highest(const json_t *rules, uint32_t arch)
{
    int max = -1;
    size_t i, k;
    json_t *rule, *v;
    json_array_foreach(rules, i, rule)
    {
        json_array_foreach(json_object_get(rule, "names"), k, v)
        {
            int nr = json_is_string(v) ? seccomp_syscall_resolve_name_arch(arch, json_string_value(v)) : -1;
            max = nr > max ? nr : max;
        }
    }
    return max;
}

#define LOAD(field)       (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define JUMP(op, k, t, f) (struct sock_filter) BPF_JUMP(BPF_JMP | (op) | BPF_K, k, t, f)
#define RETURN_ENOSYS     (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)

/* The kernel reports x32 calls as x86_64 ones with bit 30 of the number set, so those two share a block. An
 * architecture that is not in the profile is left to libseccomp, which kills. */
static size_t prefix(struct sock_filter *out, const json_t *rules, const uint32_t *arch, size_t narch)
{
    size_t n = 0;
    bool x32 = false;
    for (size_t i = 0; i < narch; i++)
        x32 |= arch[i] == SCMP_ARCH_X32;
    for (size_t i = 0; i < narch; i++) {
        int max = highest(rules, arch[i]);
        if (max < 0 || arch[i] == SCMP_ARCH_X32)
            continue;
        bool two = arch[i] == SCMP_ARCH_X86_64;
        int max32 = two && x32 ? highest(rules, SCMP_ARCH_X32) : -1;
        uint32_t limit32 = max32 >= 0 ? (uint32_t)max32 | X32_BIT : UINT32_MAX;
        out[n++] = LOAD(arch);
        out[n++] = JUMP(BPF_JEQ, arch[i], 0, two ? 5 : 3);
        out[n++] = LOAD(nr);
        if (two) {
            out[n++] = JUMP(BPF_JGE, X32_BIT, 0, 1);
            out[n++] = JUMP(BPF_JGT, limit32, 1, 2);
        }
        out[n++] = JUMP(BPF_JGT, (uint32_t)max, 0, 1);
        out[n++] = RETURN_ENOSYS;
    }
    return n;
}

/* libseccomp 2.5 writes its program to a descriptor only. */
static int export(struct filter *f, scmp_filter_ctx ctx, const struct sock_filter *front, size_t nfront, struct err *e)
{
    autoclose int fd = memfd_create("filter", MFD_CLOEXEC);
    int r = fd >= 0 ? seccomp_export_bpf(ctx, fd) : -errno;
    off_t size = r == 0 ? lseek(fd, 0, SEEK_END) : 0;
    if (r < 0) {
        errno = -r;
        return err_sys(e, "compile the filter");
    }
    size_t n = (size_t)size / sizeof(*f->code);
    if (size <= 0 || (size_t)size % sizeof(*f->code) || n + nfront > BPF_MAXINSNS)
        return err_set(e, ERR_INVALID, "the filter is longer than %d instructions", BPF_MAXINSNS);
    autofree struct sock_filter *code = mem_alloc((n + nfront) * sizeof(*code));
    memcpy(code, front, nfront * sizeof(*code));
    if (pread(fd, code + nfront, (size_t)size, 0) != size)
        return err_sys(e, "read the compiled filter");
    f->n = (unsigned short)(n + nfront);
    f->code = take_ptr(&code);
    return 0;
}

static int compile(struct filter *f, scmp_filter_ctx ctx, const json_t *profile, uint32_t def, struct err *e)
{
    const json_t *rules = json_object_get(profile, "syscalls");
    uint32_t arch[ARCHS_MAX + 1];
    struct sock_filter front[PREFIX_MAX];
    size_t narch = 0, nfront = 0, i;
    json_t *v;
    if (json_array_size(rules) > RULES_MAX)
        return err_set(e, ERR_INVALID, "more than %d rules", RULES_MAX);
    if (read_archs(profile, ctx, arch, &narch, e) < 0)
        return -1;
    json_array_foreach(rules, i, v)
    {
        if (add_rule(ctx, def, v, e) < 0)
            return -1;
    }
    if (def == SCMP_ACT_ERRNO(EPERM))
        nfront = prefix(front, rules, arch, narch);
    return export(f, ctx, front, nfront, e);
}

int filter_compile(struct filter *f, const json_t *profile, struct err *e)
{
    uint32_t def = 0;
    size_t i;
    json_t *v;
    *f = (struct filter){0};
    json_array_foreach(json_object_get(profile, "flags"), i, v)
    {
        uint32_t flag = 0;
        if (look_up(flags, json_is_string(v) ? json_string_value(v) : "", &flag, e) < 0)
            return err_wrap(e, "linux.seccomp.flags");
        f->flags |= flag;
    }
    if (read_action(json_str(profile, "defaultAction", ""), json_object_get(profile, "defaultErrnoRet"), &def, e) < 0)
        return err_wrap(e, "linux.seccomp.defaultAction");
    scmp_filter_ctx ctx = seccomp_init(def);
    if (!ctx)
        return err_set(e, ERR_SYSTEM, "libseccomp refuses the default action");
    /* A tree instead of a list: for each system call and architecture the kernel runs the filter once while it loads
     * it, to know which are always allowed, and that takes a third of the time with a tree. */
    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    int r = compile(f, ctx, profile, def, e);
    seccomp_release(ctx);
    return r < 0 ? err_wrap(e, "linux.seccomp") : 0;
}

int filter_install(const struct filter *f, struct err *e)
{
    struct sock_fprog p = {f->n, f->code};
    if (f->code && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f->flags, &p) < 0)
        return err_sys(e, "load the seccomp filter");
    return 0;
}

void filter_release(struct filter *f)
{
    free(f->code);
    *f = (struct filter){0};
}
