/* What does a process in a container see? Prints one JSON object, for tests to compare: between two runtimes, or with
 * what was promised. Static, so it needs nothing of the image, and it reports rather than judges.
 *
 * Usage: peek [PATH…]; each PATH is probed too: what it is, and whether it opens for reading and for writing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

static int first;

static void text(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if ((unsigned char)*s < 32)
            printf("\\u%04x", *s);
        else
            putchar(*s);
    }
    putchar('"');
}

static void key(const char *name)
{
    printf("%s\n  ", first ? "" : ",");
    first = 0;
    text(name);
    printf(": ");
}

static void string(const char *name, const char *value)
{
    key(name);
    text(value);
}

static char *slurp(const char *path)
{
    static char buffer[1 << 18];
    int fd = open(path, O_RDONLY);
    size_t n = 0;
    ssize_t k;
    while (fd >= 0 && n < sizeof(buffer) - 1 && (k = read(fd, buffer + n, sizeof(buffer) - 1 - n)) > 0)
        n += (size_t)k;
    if (fd >= 0)
        close(fd);
    buffer[n] = '\0';
    return buffer;
}

static void lines(const char *name, char *s)
{
    const char *comma = "";
    key(name);
    putchar('[');
    for (char *p = s; *p;) {
        char *end = strchrnul(p, '\n');
        int more = *end;
        *end = '\0';
        printf("%s", comma);
        text(p);
        comma = ", ";
        p = end + (more ? 1 : 0);
    }
    putchar(']');
}

/* Lines of /proc/self/status that begin with one of these. */
static void status(void)
{
    static const char *const wanted[] = {
        "Uid:",    "Gid:",     "Groups:",     "CapInh:", "CapPrm:", "CapEff:", "CapBnd:",
        "CapAmb:", "Seccomp:", "NoNewPrivs:", "SigBlk:", "SigIgn:", "Umask:",  "NSpid:"};
    char *all = slurp("/proc/self/status");
    for (char *p = all; *p;) {
        char *end = strchrnul(p, '\n'), *colon;
        int more = *end;
        *end = '\0';
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
            if (strncmp(p, wanted[i], strlen(wanted[i])) == 0) {
                colon = strchr(p, ':');
                *colon = '\0';
                string(p, colon + 1 + strspn(colon + 1, "\t "));
            }
        }
        p = end + (more ? 1 : 0);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t names(const char *dir, char **out, size_t max)
{
    DIR *d = opendir(dir);
    size_t n = 0;
    for (struct dirent *x; d && n < max && (x = readdir(d));)
        if (strcmp(x->d_name, ".") && strcmp(x->d_name, ".."))
            out[n++] = strdup(x->d_name);
    if (d)
        closedir(d);
    qsort(out, n, sizeof(*out), by_name);
    return n;
}

static void links(const char *name, const char *dir)
{
    char *list[512], path[512], to[4096];
    size_t n = names(dir, list, 512);
    const char *comma = "";
    key(name);
    putchar('{');
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, list[i]);
        ssize_t k = readlink(path, to, sizeof(to) - 1);
        if (k < 0)
            continue; /* the descriptor that was reading the folder */
        to[k] = '\0';
        printf("%s", comma);
        text(list[i]);
        printf(": ");
        text(to);
        comma = ", ";
    }
    putchar('}');
}

static void devices(void)
{
    char *list[512], path[512], to[512], line[1200];
    size_t n = names("/dev", list, 512);
    const char *comma = "";
    key("dev");
    putchar('{');
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        snprintf(path, sizeof(path), "/dev/%s", list[i]);
        if (lstat(path, &st) < 0)
            continue;
        ssize_t k = S_ISLNK(st.st_mode) ? readlink(path, to, sizeof(to) - 1) : 0;
        to[k > 0 ? k : 0] = '\0';
        snprintf(line, sizeof(line), "%o %u:%u %u:%u %s", st.st_mode, st.st_uid, st.st_gid, major(st.st_rdev),
                 minor(st.st_rdev), to);
        printf("%s", comma);
        text(list[i]);
        printf(": ");
        text(line);
        comma = ", ";
    }
    putchar('}');
}

static void probe(const char *path)
{
    struct stat st;
    char line[256];
    if (stat(path, &st) < 0) {
        string(path, strerrorname_np(errno));
        return;
    }
    int r = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY), r_err = errno;
    int w = S_ISDIR(st.st_mode) ? -1 : open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY),
        w_err = S_ISDIR(st.st_mode) ? EISDIR : errno;
    char byte;
    ssize_t got = r >= 0 && !S_ISDIR(st.st_mode) ? read(r, &byte, 1) : -2;
    snprintf(line, sizeof(line), "%o read %s (%zd) write %s", st.st_mode & S_IFMT,
             r >= 0 ? "yes" : strerrorname_np(r_err), got, w >= 0 ? "yes" : strerrorname_np(w_err));
    if (S_ISDIR(st.st_mode)) {
        char *list[512];
        snprintf(line + strlen(line), sizeof(line) - strlen(line), " entries %zu", names(path, list, 512));
    }
    string(path, line);
    close(r);
    close(w);
}

static void limits(void)
{
    key("rlimits");
    putchar('[');
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit l = {0, 0};
        getrlimit(i, &l);
        printf("%s\"%lld %lld\"", i ? ", " : "", (long long)l.rlim_cur, (long long)l.rlim_max);
    }
    putchar(']');
}

static void itself(void)
{
    char cwd[4096], description[256] = "";
    struct utsname u;
    struct statfs fs;
    uname(&u);
    string("hostname", u.nodename);
    string("domainname", u.domainname);
    string("cwd", syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0 ? cwd : strerrorname_np(errno));
    key("pid");
    printf("%d", getpid());
    key("sid");
    printf("%d", getsid(0));
    key("dumpable");
    printf("%d", prctl(PR_GET_DUMPABLE));
    key("proc_is_procfs");
    printf("%s", statfs("/proc", &fs) == 0 && fs.f_type == 0x9fa0 ? "true" : "false");
    long ring = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3 /* the session's */, 0);
    if (ring >= 0)
        syscall(SYS_keyctl, KEYCTL_DESCRIBE, ring, description, sizeof(description) - 1);
    string("keyring", ring < 0                    ? strerrorname_np(errno)
                      : strrchr(description, ';') ? strrchr(description, ';') + 1
                                                  : "");
}

int main(int argc, char **argv)
{
    extern char **environ;
    const char *comma = "";
    first = 1;
    putchar('{');
    itself();
    status();
    limits();
    links("fd", "/proc/self/fd");
    links("ns", "/proc/self/ns");
    lines("mountinfo", slurp("/proc/self/mountinfo"));
    lines("cgroup", slurp("/proc/self/cgroup"));
    string("oom_score_adj", slurp("/proc/self/oom_score_adj"));
    devices();
    key("env");
    putchar('[');
    for (char **v = environ; *v; v++, comma = ", ") {
        printf("%s", comma);
        text(*v);
    }
    putchar(']');
    for (int i = 1; i < argc; i++)
        probe(argv[i]);
    printf("\n}\n");
    return 0;
}
