// Grades 04-2: puts everything into the place of the socket that may be there when a daemon starts.
#include "grade.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

const char *const grade_files[] = {"greet.c", NULL};
const char *const grade_programs[] = {"greet", NULL};

static char file[64], path[80]; // of the check that runs, as the student's program and as we see it

static void use(const char *name)
{
    snprintf(file, sizeof file, "%s%u.sock", name, dice(1000));
    snprintf(path, sizeof path, "/work/%s", file);
}

static int unix_socket(const char *name, bool listens, int backlog)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", name);
    if (!listens)
        return connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0 ? fd : (close(fd), -1);
    ck_assert(bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0 && listen(fd, backlog) == 0);
    return fd;
}

static struct live begin(void)
{
    struct live p = start_program(NULL, "./greet", file, NULL);
    ck_assert_msg(strstr(read_until(p.out, "ready\n", 2000), "ready\n"), "./greet %s did not get ready", file);
    return p;
}

// What a client of the socket is told, "" if it is told nothing.
static const char *greeting(void)
{
    static char got[128];
    int fd = unix_socket(path, false, 0);
    snprintf(got, sizeof got, "%s", fd < 0 ? "" : read_until(fd, "\n", 2000));
    if (fd >= 0)
        close(fd);
    return got;
}

static void greets(struct live *p)
{
    char want[64], got[128];
    snprintf(want, sizeof want, "hello from %d\n", p->pid);
    snprintf(got, sizeof got, "%s", greeting());
    stop_all(p);
    same_text(got, want);
}

static void check_fresh(void)
{
    use("fresh");
    tried("./greet %s, where nothing has that name, and one client", file);
    struct live p = begin();
    greets(&p);
}

// A greet that is killed: only that leaves a stale socket behind.
static void leave_behind(void)
{
    struct live p = begin();
    kill(p.pid, SIGKILL);
    wait_program(&p, 2000);
    stop_all(&p);
}

static void check_stale(void)
{
    use("stale");
    tried("./greet %s, kill -KILL, ./greet %s again, and one client", file, file);
    leave_behind();
    struct live p = begin();
    greets(&p);
}

// Runs a greet that must be refused. What it says of `file` and with which code is compared; `kept` says the rest.
static void refused(const char *kept, bool (*holds)(void))
{
    char err[256];
    struct how how = {.milliseconds = 2000};
    struct run *r = run_program(&how, "./greet", file, NULL);
    snprintf(err, sizeof err, "%.200s", r->err);
    bool said = strstr(err, file), held = holds();
    expected("a sentence with the name %s and the exit code 1; %s", file, kept);
    came("%s%s; %s %s",
         r->late        ? "no end"
         : r->code == 1 ? "the exit code 1"
                        : "another exit code",
         said ? ", and a sentence with the name" : ", and no sentence with the name",
         held ? "it is so that" : "not so:", kept);
    verdict(!r->late && r->code == 1 && said && held);
}

static struct live first;

static bool first_greets(void)
{
    char want[64];
    snprintf(want, sizeof want, "hello from %d\n", first.pid);
    return strcmp(greeting(), want) == 0;
}

// run_program() kills every process of the student afterwards, so here both are started by hand.
static void check_live(void)
{
    use("live");
    tried("./greet %s while another one listens there", file);
    first = begin();
    struct live second = start_program(NULL, "./greet", file, NULL);
    int code = wait_program(&second, 2000);
    char err[256];
    snprintf(err, sizeof err, "%.200s", code < 0 ? "" : read_until(second.err, "\n", 500));
    bool held = first_greets();
    stop_all(&second);
    stop_all(&first);
    expected("a sentence with the name %s and the exit code 1; clients still come to the first", file);
    came("%s%s, and %s", err,
         code < 0    ? "no end"
         : code == 1 ? "the exit code 1"
                     : "another exit code",
         held ? "clients still come to the first" : "no client comes to the first any more");
    verdict(code == 1 && strstr(err, file) && held);
}

static char note[32];

static bool note_kept(void)
{
    struct stat st;
    return strcmp(read_file(path), note) == 0 && lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void check_file(void)
{
    use("note");
    snprintf(note, sizeof note, "important: %u\n", dice(100000));
    make_file(path, 0600, note);
    tried("./greet %s, where that is the name of a plain file", file);
    refused("the file and its text are kept", note_kept);
}

static bool link_kept(void)
{
    char to[64];
    ssize_t n = readlink(path, to, sizeof to);
    return n == 10 && memcmp(to, "stale.sock", 10) == 0 && access("/work/stale.sock", F_OK) == 0;
}

static void check_link(void)
{
    use("link");
    unlink("/work/stale.sock");
    close(unix_socket("/work/stale.sock", true, 1));
    ck_assert(chown("/work/stale.sock", student_uid(), student_uid()) == 0 && symlink("stale.sock", path) == 0);
    tried("./greet %s, where that is the name of a link to a stale socket", file);
    refused("the link is kept, and what it leads to", link_kept);
}

static ino_t inode;

static bool same_socket(void)
{
    struct stat st;
    return lstat(path, &st) == 0 && st.st_ino == inode;
}

static void ours(const char *name, int backlog, mode_t mode, uid_t owner, int *fd)
{
    struct stat st;
    use(name);
    *fd = unix_socket(path, true, backlog);
    ck_assert(chmod(path, mode) == 0 && chown(path, owner, owner) == 0 && lstat(path, &st) == 0);
    inode = st.st_ino;
}

static void check_denied(void)
{
    int fd;
    ours("denied", 8, 0600, 0, &fd);
    tried("./greet %s, where somebody listens to whom it may not connect", file);
    refused("the socket is kept", same_socket);
}

static void check_busy(void)
{
    int fd, clients[64], n = 0;
    ours("busy", 1, 0777, student_uid(), &fd);
    while (n < 64 && (clients[n] = unix_socket(path, false, 0)) >= 0)
        n++;
    tried("./greet %s, where somebody listens who has no time: %d clients wait, and no more fit", file, n);
    refused("the socket is kept", same_socket);
}

static int descriptors(pid_t pid)
{
    char dir[64];
    int n = 0;
    snprintf(dir, sizeof dir, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void check_leak(void)
{
    use("leak");
    leave_behind();
    tried("the open descriptors of ./greet %s, which has replaced a stale socket", file);
    struct live p = begin();
    int n = descriptors(p.pid);
    stop_all(&p);
    same_number("descriptors", n, 4); // 0, 1, 2, and the socket
}

static char cut[128];

static bool nothing_made(void)
{
    return access(cut, F_OK) != 0;
}

static void check_long(void)
{
    size_t n = 108 + dice(30);
    memset(path, 0, sizeof path);
    static char name[160];
    memset(name, 'x', n);
    snprintf(cut, sizeof cut, "/work/%.107s", name);
    tried("./greet with a name of %zu bytes", n);
    struct how how = {.milliseconds = 2000};
    struct run *r = run_program(&how, "./greet", name, NULL);
    expected("a sentence, the exit code 1, and no file is made");
    came("%s, %s, and %s", r->err_len ? "a sentence" : "no sentence",
         r->late        ? "no end"
         : r->code == 1 ? "the exit code 1"
                        : "another exit code",
         nothing_made() ? "no file is made" : "a file with a part of the name");
    verdict(!r->late && r->code == 1 && r->err_len > 0 && nothing_made());
}

const struct check grade_checks[] = {
    {"fresh", 5, "where nothing has the name, it listens there", check_fresh, NULL},
    {"stale", 10, "a stale socket is replaced", check_stale, "fresh"},
    {"live", 15, "a live socket is left to the one who listens there", check_live, "fresh"},
    {"file", 15, "a file that is no socket is left alone", check_file, "fresh"},
    {"link", 10, "and so is a link", check_link, "fresh"},
    {"denied", 15, "a socket that it may not connect to is left alone", check_denied, "fresh"},
    {"busy", 15, "a socket whose backlog is full is left alone, at once", check_busy, "fresh"},
    {"long", 10, "a name that is too long is refused, not cut", check_long, "fresh"},
    {"leak", 5, "the attempt to connect leaves no descriptor open", check_leak, "stale"},
    {0}};
