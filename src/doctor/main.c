/* gorae-doctor: can this machine run containers, and what would mend it?
 *
 *     gorae-doctor [--data-root DIR] [--exec-root DIR] [--socket PATH] [--group NAME] [--root DIR]
 *
 * `goraed --check` runs it with the daemon's own settings. A line is printed for each thing that the daemon needs:
 * "ok", "warning" where something is poorer without it, "missing" where containers cannot run, and the way to mend it.
 * Exit code 1 where anything is missing.
 *
 * It is a program of its own so that the daemon need not carry what is used once, on the day something does not work;
 * and so that it can try things that the daemon itself must never do, such as leaving its mount namespace (places.c).
 *
 * --root is for tests: another folder is taken for /, as far as /proc, /sys, /etc and programs are concerned. What is
 * found out by trying (system calls, mounts, free space) is the real machine's.
 *
 * Read next: kernel.c, rights.c, places.c. */
#include "doctor/doctor.h"
#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_MOST (1u << 20)

static const struct {
    const char *name;
    doctor_check *check;
} checks[] = {
    {"kernel", check_kernel},
    {"namespaces", check_namespaces},
    {"overlayfs", check_overlayfs},
    {"seccomp", check_seccomp},
    {"system calls", check_calls},
    {"control groups", check_cgroups},
    {"privileges", check_privileges},
    {"open files", check_files},
    {"processes", check_processes},
    {"nftables", check_nftables},
    {"user namespaces", check_user_namespaces},
    {"clock", check_clock},
    {"disk", check_disk},
    {"data root", check_data_root},
    {"overlay mounts", check_overlay_mounts},
    {"running state", check_exec_root},
    {"group", check_group},
    {"socket", check_socket},
};

/* ---- what the checks use ---- */

enum verdict finding(struct finding *f, enum verdict v, const char *mend, const char *found, ...)
{
    char text[1024]; /* a path may be cut off here, which a reader survives */
    va_list args;
    va_start(args, found);
    vsnprintf(text, sizeof(text), found, args);
    va_end(args);
    str_add(&f->found, text);
    str_add(&f->mend, mend ? mend : "");
    return v;
}

char *machine_read(const struct machine *m, const char *path)
{
    struct err ignored;
    autofree char *whole = str_printf("%s%s", m->root, path);
    return file_read(AT_FDCWD, whole, FILE_MOST, NULL, &ignored);
}

bool machine_has(const struct machine *m, const char *path)
{
    autofree char *whole = str_printf("%s%s", m->root, path);
    return access(whole, F_OK) == 0;
}

bool machine_number(const struct machine *m, const char *path, int64_t *ret)
{
    autofree char *text = machine_read(m, path);
    if (text)
        text[strcspn(text, "\n")] = '\0';
    return text && str_to_i64(text, ret);
}

char *line_after(const char *text, const char *name)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (!str_starts(line, name))
            continue;
        const char *from = line + strlen(name) + strspn(line + strlen(name), " \t");
        size_t n = strcspn(from, "\n");
        while (n > 0 && (from[n - 1] == ' ' || from[n - 1] == '\t'))
            n--;
        return mem_strndup(from, n);
    }
    return NULL;
}

/* ---- the round ---- */

static enum verdict judge(const struct machine *m)
{
    static const char *const words[] = {[DOCTOR_OK] = "ok", [DOCTOR_WARNING] = "warning", [DOCTOR_MISSING] = "missing"};
    enum verdict worst = DOCTOR_OK;
    for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
        struct finding f = {STR_INIT, STR_INIT};
        enum verdict v = checks[i].check(m, &f);
        printf("%-8s %s: %s%s%s\n", words[v], checks[i].name, f.found.s, f.mend.len ? "; " : "", f.mend.s);
        worst = v > worst ? v : worst;
        str_release(&f.found);
        str_release(&f.mend);
    }
    return worst;
}

int main(int argc, char **argv)
{
    struct machine m = {"", "/var/lib/gorae", "/run/gorae", "/run/gorae.sock", "gorae"};
    static const struct option options[] = {
        {"data-root", required_argument, NULL, 'd'}, {"exec-root", required_argument, NULL, 'e'},
        {"socket", required_argument, NULL, 's'},    {"group", required_argument, NULL, 'g'},
        {"root", required_argument, NULL, 'r'},      {NULL, 0, NULL, 0}};
    int bad = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const char **to = c == 'd'   ? &m.data_root
                          : c == 'e' ? &m.exec_root
                          : c == 's' ? &m.socket
                          : c == 'g' ? &m.group
                          : c == 'r' ? &m.root
                                     : NULL;
        if (to)
            *to = optarg;
        else
            bad = 1;
    }
    if (bad || optind < argc) {
        fputs("usage: gorae-doctor [--data-root DIR] [--exec-root DIR] [--socket PATH] [--group NAME] [--root DIR]\n",
              stderr);
        return 1;
    }
    enum verdict worst = judge(&m);
    if (fflush(stdout) != 0) {
        perror("gorae-doctor: cannot write to standard output");
        return 1;
    }
    return worst == DOCTOR_MISSING;
}
