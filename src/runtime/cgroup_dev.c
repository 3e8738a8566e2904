/* Which devices a container may open: a list of rules in config.json, of which the last that matches counts.
 *
 * What is not allowed by a rule is denied, whatever the list begins with. A runtime that left the first "deny all" to
 * its caller turned the list into its opposite when the caller forgot it (GHSA-g54h-m393-cpwq). And whatever the list
 * says, the harmless devices that every /dev holds are allowed, and so is making nodes of any kind, since a node that
 * cannot be opened does no harm.
 *
 * Version 1 has files for it: lines "c 1:3 rwm" go to devices.allow or devices.deny. Version 2 has none: a program of
 * the BPF machine is attached to the group, and the kernel asks it at every open and mknod. It is assembled here by
 * hand, a dozen instructions a rule, because that is all it takes.
 *
 * Source: Documentation/admin-guide/cgroup-v1/devices.rst; bpf(2), struct bpf_cgroup_dev_ctx in <linux/bpf.h>. */
#include "runtime/cgroup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RULES_MAX   256
#define ANY         (-1)
#define RULE_LENGTH 10 /* instructions of a rule, at most */

struct rule {
    int64_t major, minor;
    unsigned access; /* BPF_DEVCG_ACC_… */
    char type;       /* 'a', 'b', 'c' */
    bool allow;
};

#define ALL_ACCESS (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD)

static const struct rule always[] = {
    {ANY, ANY, BPF_DEVCG_ACC_MKNOD, 'c', true},
    {ANY, ANY, BPF_DEVCG_ACC_MKNOD, 'b', true},
    {1, 3, ALL_ACCESS, 'c', true},
    /* null */ {1, 5, ALL_ACCESS, 'c', true}, /* zero */
    {1, 7, ALL_ACCESS, 'c', true},
    /* full */ {1, 8, ALL_ACCESS, 'c', true}, /* random */
    {1, 9, ALL_ACCESS, 'c', true},
    /* urandom */ {5, 0, ALL_ACCESS, 'c', true}, /* tty */
    {5, 2, ALL_ACCESS, 'c', true},
    /* ptmx */ {136, ANY, ALL_ACCESS, 'c', true}, /* pts */
};
#define ALWAYS (sizeof(always) / sizeof(always[0]))

static int read_rule(struct rule *r, const json_t *j, struct err *e)
{
    const char *type = json_str(j, "type", "a"), *access = json_str(j, "access", "rwm");
    r->allow = json_is(j, "allow");
    r->type = *type ? *type : 'a';
    r->major = json_int(j, "major", ANY);
    r->minor = json_int(j, "minor", ANY);
    r->access = 0;
    for (const char *p = *access ? access : "rwm"; *p; p++) {
        unsigned bit = *p == 'r' ? BPF_DEVCG_ACC_READ : *p == 'w' ? BPF_DEVCG_ACC_WRITE : BPF_DEVCG_ACC_MKNOD;
        if (!strchr("rwm", *p))
            return err_set(e, ERR_INVALID, "device rule: unknown access \"%s\"", access);
        r->access |= bit;
    }
    if (strlen(type) > 1 || !strchr("abc", r->type))
        return err_set(e, ERR_INVALID, "device rule: unknown type \"%s\"", type);
    if (r->major < ANY || r->major > UINT32_MAX || r->minor < ANY || r->minor > UINT32_MAX)
        return err_set(e, ERR_INVALID, "device rule: number out of range");
    return 0;
}

static bool same(const struct rule *a, const struct rule *b)
{
    return a->allow == b->allow && a->type == b->type && a->major == b->major && a->minor == b->minor &&
           a->access == b->access;
}

/* A rule for everything makes what stands before it void. */
static bool is_all(const struct rule *r)
{
    return r->type == 'a' && r->access == ALL_ACCESS;
}

/* The effective list, first to last, without what a later rule makes void. @return its length, or -1 */
static int read_rules(struct rule *out, const json_t *list, struct err *e)
{
    size_t n = 0, given = json_array_size(list);
    if (given > RULES_MAX)
        return err_set(e, ERR_INVALID, "more than %d device rules", RULES_MAX);
    out[n++] = (struct rule){ANY, ANY, ALL_ACCESS, 'a', false};
    for (size_t i = 0; i < given; i++) {
        struct rule r;
        if (read_rule(&r, json_array_get(list, i), e) < 0)
            return -1;
        if (is_all(&r))
            n = 0;
        out[n++] = r;
    }
    for (size_t i = 0; i < ALWAYS; i++) {
        bool known = out[0].allow && n == 1;
        for (size_t k = 0; k < n; k++)
            known = (known && out[k].allow) || same(&out[k], &always[i]);
        if (!known)
            out[n++] = always[i];
    }
    return (int)n;
}

static void rule_line(const struct rule *r, char *line, size_t size)
{
    char major[24] = "*", minor[24] = "*";
    if (r->major != ANY)
        snprintf(major, sizeof(major), "%lld", (long long)r->major);
    if (r->minor != ANY)
        snprintf(minor, sizeof(minor), "%lld", (long long)r->minor);
    snprintf(line, size, "%c %s:%s %s%s%s", r->type, major, minor, r->access & BPF_DEVCG_ACC_READ ? "r" : "",
             r->access & BPF_DEVCG_ACC_WRITE ? "w" : "", r->access & BPF_DEVCG_ACC_MKNOD ? "m" : "");
    if (is_all(r))
        snprintf(line, size, "a");
}

static int apply_v1(const struct cgroup *cg, const struct rule *rules, size_t n, struct err *e)
{
    const char *dir = cgroup_path(cg, "devices");
    if (!dir)
        return err_set(e, ERR_SYSTEM, "this machine has no devices controller");
    autofree char *allow = str_printf("%s/devices.allow", dir), *deny = str_printf("%s/devices.deny", dir);
    autoclose int allow_fd = open(allow, O_WRONLY | O_CLOEXEC);
    autoclose int deny_fd = open(deny, O_WRONLY | O_CLOEXEC);
    if (allow_fd < 0 || deny_fd < 0)
        return err_sys(e, "open %s", allow_fd < 0 ? allow : deny);
    for (size_t i = 0; i < n; i++) {
        char line[96];
        rule_line(&rules[i], line, sizeof(line));
        if (write(rules[i].allow ? allow_fd : deny_fd, line, strlen(line)) < 0)
            return err_sys(e, "write \"%s\" to %s", line, rules[i].allow ? allow : deny);
    }
    return 0;
}

/* Registers of the program: R2 kind of device, R3 the accesses not yet granted, R4 major, R5 minor. */
struct program {
    struct bpf_insn code[16 + (RULES_MAX + ALWAYS + 1) * RULE_LENGTH];
    size_t n;
};

static void emit(struct program *p, unsigned code, unsigned dst, unsigned src, int off, int32_t imm)
{
    p->code[p->n++] = (struct bpf_insn){(uint8_t)code, dst & 15, src & 15, (int16_t)off, imm};
}

static void emit_return(struct program *p, int value)
{
    emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value);
    emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void emit_start(struct program *p)
{
    const unsigned load = BPF_LDX | BPF_MEM | BPF_W;
    emit(p, load, BPF_REG_2, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
    emit(p, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
    emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff); /* low half: the kind; high half: the access */
    emit(p, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
    emit(p, load, BPF_REG_4, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
    emit(p, load, BPF_REG_5, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
}

/* From the last rule to the first. An allowing rule takes its accesses off R3 and grants when none is left; a denying
 * one refuses when R3 still holds one of its. A mismatch jumps to the next rule. */
static void emit_rule(struct program *p, const struct rule *r)
{
    size_t jumps[3], njumps = 0;
    const struct {
        bool test;
        unsigned reg;
        int64_t value;
    } tests[] = {{r->type != 'a', BPF_REG_2, r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR},
                 {r->major != ANY, BPF_REG_4, r->major},
                 {r->minor != ANY, BPF_REG_5, r->minor}};
    for (size_t i = 0; i < 3; i++) {
        if (!tests[i].test)
            continue;
        jumps[njumps++] = p->n;
        emit(p, BPF_JMP32 | BPF_JNE | BPF_K, tests[i].reg, 0, 0, (int32_t)tests[i].value);
    }
    if (r->allow) {
        emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_3, 0, 0, (int32_t)(~r->access & ALL_ACCESS));
        emit(p, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_3, 0, 2, 0);
    } else {
        emit(p, BPF_JMP32 | BPF_JSET | BPF_K, BPF_REG_3, 0, 1, (int32_t)r->access);
        emit(p, BPF_JMP | BPF_JA, 0, 0, 2, 0);
    }
    emit_return(p, r->allow);
    for (size_t i = 0; i < njumps; i++)
        p->code[jumps[i]].off = (int16_t)(p->n - jumps[i] - 1);
}

static int apply_v2(const struct cgroup *cg, const struct rule *rules, size_t n, struct err *e)
{
    autofree struct program *p = mem_alloc(sizeof(*p));
    emit_start(p);
    for (size_t i = n; i-- > 0;)
        emit_rule(p, &rules[i]);
    emit_return(p, 0);
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                           .insns = (uint64_t)(uintptr_t)p->code,
                           .insn_cnt = (uint32_t)p->n,
                           .license = (uint64_t)(uintptr_t) ""};
    autoclose int prog = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
    if (prog < 0)
        return err_sys(e, "load the device program");
    autoclose int dir = open(cg->dir[0].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_sys(e, "open control group %s", cg->dir[0].path);
    /* MULTI: programs of the groups above are asked too, and all must agree. */
    union bpf_attr attach = {.target_fd = (uint32_t)dir,
                             .attach_bpf_fd = (uint32_t)prog,
                             .attach_type = BPF_CGROUP_DEVICE,
                             .attach_flags = BPF_F_ALLOW_MULTI};
    if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)) < 0)
        return err_sys(e, "attach the device program to %s", cg->dir[0].path);
    return 0;
}

int cgroup_limit_devices(const struct cgroup *cg, const json_t *list, struct err *e)
{
    autofree struct rule *rules = mem_alloc((RULES_MAX + ALWAYS + 1) * sizeof(*rules));
    int n = read_rules(rules, list, e);
    if (n < 0)
        return err_wrap(e, "linux.resources.devices");
    return (cg->version == 2 ? apply_v2(cg, rules, (size_t)n, e) : apply_v1(cg, rules, (size_t)n, e)) < 0
               ? err_wrap(e, "limit devices")
               : 0;
}
