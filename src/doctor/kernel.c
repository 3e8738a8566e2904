/* What the kernel can do: its version, and the features that a container is made of.
 *
 * Most are read from /proc and /sys, where the kernel tells what it was built with. The system calls are tried, since
 * what forbids them is as often a filter around us (we may be in a container ourselves) as an old kernel: with
 * arguments that cannot succeed, so that ENOSYS and EPERM tell them from EINVAL.
 *
 * Read next: rights.c. */
#include "doctor/doctor.h"
#include "base/mem.h"
#include "base/rootpath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAJOR_LEAST 5
#define MINOR_LEAST 15

static char *release(const struct machine *m)
{
    char *text = machine_read(m, "/proc/sys/kernel/osrelease");
    if (text)
        text[strcspn(text, "\n")] = '\0';
    return text;
}

enum verdict check_kernel(const struct machine *m, struct finding *f)
{
    autofree char *text = release(m);
    int major, minor;
    if (!text || sscanf(text, "%d.%d", &major, &minor) != 2)
        return finding(f, DOCTOR_WARNING, "compare uname -r with 5.15 by hand", "cannot tell which version it is");
    if (major < MAJOR_LEAST || (major == MAJOR_LEAST && minor < MINOR_LEAST))
        return finding(f, DOCTOR_MISSING, "Debian 12, Ubuntu 22.04 and their successors bring a newer one",
                       "Linux %s, and 5.15 is needed", text);
    return finding(f, DOCTOR_OK, NULL, "Linux %s", text);
}

enum verdict check_namespaces(const struct machine *m, struct finding *f)
{
    static const char *const must[] = {"mnt", "pid", "net", "ipc", "uts"}, *const may[] = {"cgroup", "user"};
    autostr lacking = STR_INIT;
    enum verdict v = DOCTOR_OK;
    for (size_t i = 0; i < 7; i++) {
        const char *name = i < 5 ? must[i] : may[i - 5];
        autofree char *path = str_printf("/proc/self/ns/%s", name);
        if (machine_has(m, path))
            continue;
        str_addf(&lacking, "%s%s", lacking.len ? ", " : "", name);
        v = i < 5 ? DOCTOR_MISSING : v == DOCTOR_OK ? DOCTOR_WARNING : v;
    }
    if (v == DOCTOR_OK)
        return finding(f, v, NULL, "mnt, pid, net, ipc, uts, cgroup, user");
    return finding(f, v, "a kernel built with CONFIG_NAMESPACES and all below it", "the kernel has none of kind %s",
                   lacking.s);
}

/* Is there a module of that path, without its ending, or is it part of the kernel? */
static bool has_module(const struct machine *m, const char *path)
{
    static const char *const endings[] = {"", ".xz", ".zst", ".gz"};
    autofree char *kernel = release(m);
    for (size_t i = 0; kernel && i < 4; i++) {
        autofree char *file = str_printf("/lib/modules/%s/kernel/%s.ko%s", kernel, path, endings[i]);
        if (machine_has(m, file))
            return true;
    }
    autofree char *list = kernel ? str_printf("/lib/modules/%s/modules.builtin", kernel) : NULL;
    autofree char *builtin = list ? machine_read(m, list) : NULL;
    return builtin && strstr(builtin, path);
}

enum verdict check_overlayfs(const struct machine *m, struct finding *f)
{
    autofree char *known = machine_read(m, "/proc/filesystems");
    if (known && strstr(known, "\toverlay\n"))
        return finding(f, DOCTOR_OK, NULL, "the kernel knows it");
    if (has_module(m, "fs/overlayfs/overlay"))
        return finding(f, DOCTOR_OK, NULL, "a module, loaded when it is needed");
    return finding(f, DOCTOR_MISSING, "modprobe overlay, or a kernel with CONFIG_OVERLAY_FS",
                   "the kernel does not know it");
}

enum verdict check_seccomp(const struct machine *m, struct finding *f)
{
    autofree char *actions = machine_read(m, "/proc/sys/kernel/seccomp/actions_avail");
    if (!actions)
        return finding(f, DOCTOR_MISSING,
                       "a kernel with CONFIG_SECCOMP_FILTER; without it only containers with --security-opt "
                       "seccomp=unconfined run",
                       "the kernel has no filters");
    if (!strstr(actions, "errno") || !strstr(actions, "kill_process"))
        return finding(f, DOCTOR_WARNING, "a newer kernel", "the kernel lacks actions that profiles use");
    return finding(f, DOCTOR_OK, NULL, "filters");
}

static bool is_there(long result)
{
    return result >= 0 || (errno != ENOSYS && errno != EPERM);
}

enum verdict check_calls(const struct machine *m, struct finding *f)
{
    struct err e = {0};
    autostr lacking = STR_INIT;
    (void)m;
    autoclose int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    autoclose int below = rootpath_open(top, "proc", O_PATH, 0, &e);
    if (below < 0 && (e.sys == ENOSYS || e.sys == EPERM))
        str_add(&lacking, " openat2");
    autoclose int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (!is_there(self))
        str_add(&lacking, " pidfd_open");
    if (!is_there(syscall(SYS_clone3, NULL, 0)))
        str_add(&lacking, " clone3");
    if (!is_there(syscall(SYS_mount_setattr, -1, "", 0, NULL, 0)))
        str_add(&lacking, " mount_setattr");
    if (!is_there(syscall(SYS_close_range, 1, 0, 0)))
        str_add(&lacking, " close_range");
    if (lacking.len == 0)
        return finding(f, DOCTOR_OK, NULL, "openat2, pidfd_open, clone3, mount_setattr, close_range");
    return finding(f, DOCTOR_MISSING,
                   "Linux 5.15 has them; inside another container, run that one without its seccomp filter",
                   "these are not to be had:%s", lacking.s);
}

/* ---- control groups ---- */

/* Is `word` in `list`, whose words end in a blank, a comma or a newline? */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p && (p = strstr(p, word)); p += n)
        if ((p == list || strchr(" ,\n", p[-1])) && strchr(" ,\n", p[n]))
            return true;
    return false;
}

/* What the lines of /proc/mounts say of them: the version, whether we may write, and (version 1) the controllers. */
static int mounted(const char *mounts, bool *ret_writable, struct str *controllers)
{
    int version = 0;
    autofree char *copy = mem_strdup(mounts);
    char *rest = NULL;
    *ret_writable = true;
    for (char *line = copy ? strtok_r(copy, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
        char place[256], type[32], options[512];
        if (sscanf(line, "%*s %255s %31s %511s", place, type, options) != 3)
            continue;
        bool unified = str_eq(type, "cgroup2") && str_eq(place, "/sys/fs/cgroup");
        if (!unified && !str_eq(type, "cgroup"))
            continue;
        version = unified ? 2 : 1;
        *ret_writable = *ret_writable && !has_word(options, "ro");
        str_addf(controllers, "%s,", options);
    }
    return version;
}

enum verdict check_cgroups(const struct machine *m, struct finding *f)
{
    static const char *const wanted[2][7] = {{"memory", "cpu", "pids", "cpuset", "blkio", "devices", "freezer"},
                                             {"memory", "cpu", "pids", "cpuset", "io"}};
    bool writable;
    autostr controllers = STR_INIT, lacking = STR_INIT;
    autofree char *mounts = machine_read(m, "/proc/mounts");
    int version = mounted(mounts, &writable, &controllers);
    if (version == 0)
        return finding(f, DOCTOR_MISSING, "mount -t cgroup2 cgroup2 /sys/fs/cgroup", "none are mounted");
    if (!writable)
        return finding(f, DOCTOR_MISSING, "not inside a container without privileges", "version %d, mounted read-only",
                       version);
    autofree char *list =
        version == 2 ? machine_read(m, "/sys/fs/cgroup/cgroup.controllers") : mem_strdup(controllers.s);
    for (size_t i = 0; i < 7 && wanted[version - 1][i]; i++)
        if (!list || !has_word(list, wanted[version - 1][i]))
            str_addf(&lacking, " %s", wanted[version - 1][i]);
    if (lacking.len > 0)
        return finding(
            f, DOCTOR_WARNING,
            "limits of that kind have no effect; cgroup_enable=memory on the kernel's command line is what is "
            "mostly wanting",
            "version %d, without%s", version, lacking.s);
    return finding(f, DOCTOR_OK, NULL, "version %d, with all controllers", version);
}

/* ---- packet filter ---- */

enum verdict check_nftables(const struct machine *m, struct finding *f)
{
    static const char *const places[] = {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/usr/local/sbin/nft"};
    bool program = false;
    for (size_t i = 0; i < 4; i++)
        program = program || machine_has(m, places[i]);
    autofree char *modules = machine_read(m, "/proc/modules");
    bool kernel = (modules && strstr(modules, "nf_tables ")) || has_module(m, "net/netfilter/nf_tables");
    static const char later[] = "nothing uses it yet: networks and published ports come with a later step";
    if (!program)
        return finding(f, DOCTOR_OK, NULL, "the program nft is not there (apt install nftables); %s", later);
    if (!kernel)
        return finding(f, DOCTOR_OK, NULL,
                       "the program is there, the kernel's half is not to be seen (modprobe nf_tables); %s", later);
    return finding(f, DOCTOR_OK, NULL, "program and kernel; %s", later);
}
