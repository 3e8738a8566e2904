/*
 * Starting what is the student's, and ending it.
 *
 * Everything of the student's is started by spawn(): under the student's uid, in a session of its own, with limits, and
 * with no descriptor but 0, 1 and 2. That uid cannot signal or trace the grader, cannot enter /priv, and never held
 * fd 3. Nothing here waits without a limit. After each check kill(-1) under that uid ends whatever was left, in one
 * step of the kernel's: even a fork bomb has no moment to escape in.
 *
 * Read next: sandbox.c, which makes the world in which this runs.
 */
#include "grade.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STUDENT_PROCS  64
#define STUDENT_MEMORY (1l << 30) /* address space of one process */
#define STUDENT_CPU    30         /* seconds */
#define ARGS_MAX       32

uid_t student_uid(void)
{
    const char *s = getenv("GRADE_UID");
    return s ? (uid_t)strtoul(s, NULL, 10) : 65534;
}

static void become_student(void)
{
    uid_t u = student_uid();
    if (setgroups(0, NULL) != 0 || setresgid(u, u, u) != 0 || setresuid(u, u, u) != 0)
        _exit(127);
}

static void child_limit(int what, rlim_t value)
{
    struct rlimit r = {value, value};
    if (setrlimit(what, &r) != 0)
        _exit(127);
}

/* In the child: from here on it is the student's. */
__attribute__((noreturn)) static void turn_into(const struct how *how, const int fds[3], const char *path, char **argv)
{
    static const char *const usual[] = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/work",
                                        "LANG=C.UTF-8", NULL};
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "1000", 4) != 4)
        _exit(127); /* where memory runs out, it is the student's process that goes, not the grader */
    setsid();
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0)
            _exit(127);
    syscall(SYS_close_range, 3, ~0u, 0);
    if (how && how->terminal)
        ioctl(0, TIOCSCTTY, 0);
    umask(022);
    become_student();
    child_limit(RLIMIT_NPROC, STUDENT_PROCS);
    child_limit(RLIMIT_AS, STUDENT_MEMORY);
    child_limit(RLIMIT_CPU, STUDENT_CPU);
    if (chdir(how && how->cwd ? how->cwd : "/work") != 0)
        _exit(127);
    execve(path, argv, (char *const *)(how && how->env ? how->env : usual));
    _exit(127);
}

void kill_student(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        become_student();
        kill(-1, SIGKILL);
        _exit(0);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

static void pair(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) != 0)
        ck_abort_msg("the grader cannot make a pipe: %s", strerror(errno));
    /* dup2 onto 0, 1, 2 must not meet itself: keep our descriptors above the report's. */
    for (int i = 0; i < 2; i++) {
        int high = fcntl(fds[i], F_DUPFD_CLOEXEC, 10);
        close(fds[i]);
        fds[i] = high;
    }
}

static struct live spawn_terminal(const struct how *how, const char *path, char **argv)
{
    char name[64];
    struct live p = {.err = -1};
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 || ptsname_r(master, name, sizeof name) != 0)
        ck_abort_msg("the grader cannot make a terminal: %s", strerror(errno));
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0 || fchown(slave, student_uid(), student_uid()) != 0)
        ck_abort_msg("the grader cannot open its terminal: %s", strerror(errno));
    p.pid = fork();
    if (p.pid == 0)
        turn_into(how, (const int[3]){slave, slave, slave}, path, argv);
    close(slave);
    p.in = p.out = master;
    return p;
}

static struct live spawn(const struct how *how, const char *path, char **argv)
{
    if (how && how->terminal)
        return spawn_terminal(how, path, argv);
    int in[2], out[2], err[2];
    pair(in);
    pair(out);
    pair(err);
    struct live p = {.pid = fork(), .in = in[1], .out = out[0], .err = err[0]};
    if (p.pid == 0)
        turn_into(how, (const int[3]){in[0], out[1], err[1]}, path, argv);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    if (p.pid < 0)
        ck_abort_msg("the grader cannot start a process: %s", strerror(errno));
    return p;
}

#define ARGV(path)                                                             \
    char *argv[ARGS_MAX + 1] = {(char *)path};                                 \
    do {                                                                       \
        va_list ap;                                                            \
        va_start(ap, path);                                                    \
        for (int i = 1; i < ARGS_MAX && (argv[i] = va_arg(ap, char *)); i++) { \
        }                                                                      \
        va_end(ap);                                                            \
    } while (0)

long milliseconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int wait_program(struct live *p, int milliseconds)
{
    int status;
    long end = milliseconds_now() + milliseconds;
    for (;;) {
        pid_t got = waitpid(p->pid, &status, WNOHANG);
        if (got == p->pid)
            return exit_code(status);
        if (got < 0 || milliseconds_now() >= end)
            return -1;
        usleep(5000);
    }
}

/* Take what a stream has. @return false at its end, or when it has been too much */
static bool take(int fd, char *to, size_t *len, size_t *all)
{
    char more[8192];
    ssize_t n = read(fd, more, sizeof more);
    if (n <= 0)
        return false;
    size_t room = RUN_OUTPUT_MAX - *len, keep = (size_t)n < room ? (size_t)n : room;
    memcpy(to + *len, more, keep);
    *len += keep;
    to[*len] = '\0';
    return (*all += (size_t)n) <= 4 * RUN_OUTPUT_MAX;
}

/* Read both streams until the program has ended and nothing is left in them, or the time is over. A child that it left
 * behind may hold them open for ever, so their end is not waited for. */
static void collect(struct run *r, struct live *p, int milliseconds)
{
    long end = milliseconds_now() + milliseconds;
    size_t all = 0;
    int pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    struct pollfd f[3] = {{p->out, POLLIN, 0}, {p->err, POLLIN, 0}, {pidfd, POLLIN, 0}};
    for (;;) {
        long left = end - milliseconds_now();
        bool ended = f[2].fd < 0;
        if (left <= 0 && !ended) {
            r->late = true;
            break;
        }
        int n = poll(f, 3, ended ? 0 : (int)left);
        if (ended && n <= 0)
            break;
        if (f[0].revents && !take(p->out, r->out, &r->out_len, &all))
            f[0].fd = -1;
        if (f[1].revents && !take(p->err, r->err, &r->err_len, &all))
            f[1].fd = -1;
        if (f[2].revents)
            f[2].fd = -1;
        if ((r->too_much = all > 4 * RUN_OUTPUT_MAX))
            break;
    }
    if (pidfd >= 0)
        close(pidfd);
}

/* For the report: a program that was stopped or crashed says so by itself. */
static void tell_ending(const struct run *r, const char *path, int milliseconds)
{
    if (r->late)
        ending("%s had no end within %d ms and was stopped", path, milliseconds);
    else if (r->too_much)
        ending("%s printed without end and was stopped", path);
    else if (r->code > 128)
        ending("%s ended by signal %d, %s", path, r->code - 128, strsignal(r->code - 128));
    else
        ending("%s", "");
}

struct run *run_argv(const struct how *how, const char *path, char **argv)
{
    static struct run r;
    int milliseconds = how && how->milliseconds ? how->milliseconds : RUN_SECONDS * 1000;
    memset(&r, 0, sizeof r);
    struct live p = spawn(how, path, argv);
    if (how && how->input)
        say(p.in, how->input);
    close(p.in);
    p.in = -1;
    collect(&r, &p, milliseconds);
    if (r.late || r.too_much)
        kill(p.pid, SIGKILL);
    int status = 0;
    while (waitpid(p.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    r.code = exit_code(status);
    stop_all(&p);
    tell_ending(&r, path, milliseconds);
    return &r;
}

struct run *run_program(const struct how *how, const char *path, ...)
{
    ARGV(path);
    return run_argv(how, path, argv);
}

struct live start_program(const struct how *how, const char *path, ...)
{
    ARGV(path);
    return spawn(how, path, argv);
}

const char *read_until(int fd, const char *text, int milliseconds)
{
    static char got[RUN_OUTPUT_MAX + 1];
    size_t len = 0, all = 0;
    long end = milliseconds_now() + milliseconds;
    got[0] = '\0';
    while (!strstr(got, text)) {
        long left = end - milliseconds_now();
        struct pollfd f = {fd, POLLIN, 0};
        if (left <= 0 || poll(&f, 1, (int)left) <= 0 || !take(fd, got, &len, &all))
            break;
    }
    return got;
}

bool say(int fd, const char *text)
{
    size_t n = strlen(text);
    struct pollfd f = {fd, POLLOUT, 0};
    while (n > 0) {
        if (poll(&f, 1, RUN_SECONDS * 1000) <= 0)
            return false;
        ssize_t w = write(fd, text, n < 4096 ? n : 4096);
        if (w < 0)
            return false;
        text += w;
        n -= (size_t)w;
    }
    return true;
}

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void stop_all(struct live *p)
{
    if (p->in == p->out)
        p->in = -1;
    shut(&p->in);
    shut(&p->out);
    shut(&p->err);
    kill_student();
    if (p->pid > 0)
        wait_program(p, 1000); // else what it held, a lock or a port, may still be held in the next check
}
