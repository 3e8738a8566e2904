/* ssh: see ssh.h.
 *
 * Our end of the connection is a socket, because HTTP wants one descriptor for both directions and a way to close one
 * of them; ssh has the other end as its standard input and output. Its standard error is a file in memory: nobody has
 * to read it while things go well, and when the connection ends without a word from a daemon it holds the reason.
 *
 * ssh gets a session of its own (setsid(2)), as docker gives it, since Ctrl-C is meant for the container and must not
 * cut the line on which we hand it on. So ssh has no terminal and cannot ask for a password: the login must need none.
 * And so nothing would end it when we are killed; it is therefore started through ourselves (`gorae __tie`,
 * cli/dial_stdio.c), which asks the kernel to end it when its parent dies.
 *
 * A machine that has vanished is noticed by ssh alone, which has the TCP connection. So it is told to ask, and to give
 * up when we would (SOCK_LOST_S). The command line beats ~/.ssh/config, on purpose: how long a lost daemon holds a
 * command is the client's promise, the same for every kind of address. What it does not reach is the connection of a
 * ControlMaster that somebody else has made.
 *
 * How it fails: late. The socket is there at once; a refused login shows as an end of file, and ssh_explain() turns it
 * into a sentence. Read next: relay.c, the other end. */
#include "wire/ssh.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/spawn.h"
#include "wire/dial.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_WAIT_MS 1000 /* for an ssh that was asked to end */
#define LAST_MS     20   /* between the end of its socket and its own */
#define SAID_MAX    4096 /* bytes of what ssh said, its last */

/* After so many seconds of silence it asks, and again; it ends where it would ask once more than ServerAliveCountMax
 * allows (clientloop.c, OpenSSH 8.9 and 9.2): hence the - 1. */
#define ALIVE_S   5
#define ALIVE_MAX (SOCK_LOST_S / ALIVE_S - 1)

struct ssh_link {
    pid_t pid; /* 0: it has ended, and `status` is how */
    int fd;    /* the number of our end; the descriptor is somebody else's */
    int said;  /* its standard error */
    int status;
    bool refused; /* nobody has answered through it, and that has been said */
    struct ssh_link *next;
};

/* ---- the address ---- */

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define HOST    LETTERS "._-"
#define HOST_V6 LETTERS ".:%_-"
#define USER    LETTERS "._-+@\\$"
#define PATH    LETTERS "/._-+@:,="

struct address {
    char *user, *host, *path; /* NULL where not given */
    uint64_t port;            /* 0 where not given */
};

static void address_release(struct address *a)
{
    free(a->user);
    free(a->host);
    free(a->path);
}
#define autoaddress __attribute__((cleanup(address_release))) struct address

static bool is_made_of(const char *s, const char *set)
{
    return *s && *s != '-' && !s[strspn(s, set)];
}

/* "host", "host:port", "[v6]:port". @return false where it is none */
static bool read_host(const char *s, struct address *ret)
{
    const char *set = *s == '[' ? HOST_V6 : HOST, *until = *s == '[' ? "]" : ":";
    s += *s == '[';
    size_t n = strcspn(s, until);
    const char *after = s + n + (*until == ']' && s[n] == ']');
    ret->host = mem_strndup(s, n);
    if (*until == ']' && s[n] != ']')
        return false;
    if (*after && (*after != ':' || !str_to_u64(after + 1, &ret->port) || ret->port < 1 || ret->port > 65535))
        return false;
    return is_made_of(ret->host, set);
}

static int parse(const char *text, struct address *ret, struct err *e)
{
    *ret = (struct address){0};
    const char *s = text + strlen("ssh://"), *why = NULL;
    size_t n = strcspn(s, "/");
    autofree char *authority = mem_strndup(s, n);
    char *at = strrchr(authority, '@');
    if (at)
        ret->user = mem_strndup(authority, (size_t)(at - authority));
    if (s[n] && s[n + 1])
        ret->path = mem_strdup(s + n);
    if (ret->user && strchr(ret->user, ':'))
        why = "a password has no place in it; ssh must get in with a key or an agent";
    else if (ret->user && !is_made_of(ret->user, USER))
        why = "the user's name may hold letters, digits and . _ - + @ \\ $, and not begin with -";
    else if (!read_host(at ? at + 1 : authority, ret))
        why = "the host may hold letters, digits and . _ -, not begin with -, and be followed by :port";
    else if (ret->path && !is_made_of(ret->path, PATH))
        why =
            "the path of the socket may hold letters, digits and . _ - + @ : , = only, because a shell reads it there";
    return why ? err_set(e, ERR_INVALID,
                         "invalid daemon address \"%s\": expected ssh://[user@]host[:port][/socket]: %s", text, why)
               : 0;
}

int ssh_check(const char *host, struct err *e)
{
    autoaddress a;
    return parse(host, &a, e);
}

int ssh_command(const char *host, struct strv *ret, struct err *e)
{
    autoaddress a;
    if (parse(host, &a, e) < 0)
        return -1;
    strv_add(ret, "ssh");
    if (a.user) {
        strv_add(ret, "-l");
        strv_add(ret, a.user);
    }
    if (a.port) {
        strv_add(ret, "-p");
        strv_addf(ret, "%u", (unsigned)a.port);
    }
    strv_addf(ret, "-oConnectTimeout=%d", DIAL_TIMEOUT_MS / 1000);
    strv_addf(ret, "-oServerAliveInterval=%d", ALIVE_S);
    strv_addf(ret, "-oServerAliveCountMax=%d", ALIVE_MAX);
    strv_add(ret, "-T");
    strv_add(ret, "--");
    strv_add(ret, a.host);
    strv_add(ret, "gorae");
    if (a.path) {
        strv_add(ret, "--host");
        strv_addf(ret, "unix://%s", a.path);
    }
    strv_add(ret, "system");
    strv_add(ret, "dial-stdio");
    return 0;
}

/* ---- the process ---- */

/* Where PATH has ssh. Places that are not absolute are passed over: whose ssh runs must not depend on the folder that
 * one stands in. @return the caller's, or NULL */
static char *find_program(void)
{
    const char *path = getenv("PATH");
    for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
        size_t n = strcspn(p, ":");
        autofree char *file = str_printf("%.*s/ssh", (int)n, p);
        if (*p == '/' && access(file, X_OK) == 0)
            return take_ptr(&file);
        p += n + (p[n] == ':');
    }
    return NULL;
}

static pid_t start(const char *host, int stream, int said, struct err *e)
{
    autostrv line = {0};
    autofree char *program = find_program();
    strv_add(&line, "gorae");
    strv_add(&line, "__tie");
    strv_addf(&line, "%d", (int)getpid());
    strv_add(&line, program ? program : "");
    if (ssh_command(host, &line, e) < 0)
        return -1;
    if (!program)
        return err_set(e, ERR_SYSTEM, "cannot connect to the daemon at %s: there is no program \"ssh\" in PATH", host);
    struct spawn s = SPAWN_INIT;
    s.path = "/proc/self/exe";
    s.argv = line.v;
    s.in = s.out = stream;
    s.error = said;
    s.new_session = true;
    return spawn_start(&s, e);
}

/* ---- why one ended ---- */

/* @return whether it has ended, after at most `ms` */
static bool has_ended(struct ssh_link *l, int ms)
{
    const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
    for (; l->pid; ms -= 2) {
        if (waitpid(l->pid, &l->status, WNOHANG) != 0)
            l->pid = 0;
        else if (ms <= 0)
            return false;
        else
            nanosleep(&pause, NULL);
    }
    return true;
}

/* The last that ssh said, and of it the last line, made harmless for a terminal. */
static char *last_words(int said, char **ret_line)
{
    off_t end = lseek(said, 0, SEEK_END), from = end > SAID_MAX ? end - SAID_MAX : 0;
    char *text = mem_alloc(SAID_MAX + 1);
    ssize_t n = pread(said, text, SAID_MAX, from);
    while (n > 0 && strchr("\r\n ", text[n - 1]))
        n--;
    text[n > 0 ? n : 0] = '\0';
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' && *c != '\n')
            *c = ' ';
    char *lf = strrchr(text, '\n');
    *ret_line = lf ? lf + 1 : text;
    return text;
}

static const char *meaning(const char *text)
{
    static const char *const known[][2] = {
        {"IDENTIFICATION HAS CHANGED", "the host's key is not the one that known_hosts has for it"},
        {"Host key verification failed", "the host's key is not known yet: log in once with ssh, and look at it"},
        {"Permission denied", "the login was refused: ssh must get in without asking, with a key or an agent"},
        {"Could not resolve hostname", "there is no host of that name"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strstr(text, known[i][0]))
            return known[i][1];
    return "ssh could not connect";
}

static void tell(const struct ssh_link *l, const char *host, bool answered, struct err *e)
{
    char *line;
    autofree char *text = last_words(l->said, &line);
    int code = WIFEXITED(l->status) ? WEXITSTATUS(l->status) : -1;
    const char *what = answered ? "lost the connection to" : "cannot connect to";
    const char *why = answered || code <= 0 ? "ssh has ended"
                      : code == 255         ? meaning(text)
                      : code == 127 || code == 126
                          ? "the login succeeded, but \"gorae system dial-stdio\" cannot be run there"
                          : "there, gorae could not reach its daemon";
    err_set(e, ERR_SYSTEM, *line ? "%s the daemon at %s: %s (%.500s)" : "%s the daemon at %s: %s", what, host, why,
            line);
}

/* A stream without an end of its own (exec, attach) merely ends when its ssh does, and the client, who cannot know,
 * goes on to ask for the exit code: of a machine that has vanished, for another ten seconds. A connection that broke
 * before, as the 255 of its ssh says, is the better answer. Its socket is looked at first, so that nobody waits for one
 * that lives. */
static bool broke_before(struct ssh_link *l, const char *host, struct err *e)
{
    for (; l; l = l->next) {
        struct pollfd p = {.fd = l->fd};
        bool open = poll(&p, 1, 0) == 0;
        if (l->refused || !has_ended(l, open ? 0 : LAST_MS) || !WIFEXITED(l->status) || WEXITSTATUS(l->status) != 255)
            continue;
        tell(l, host, true, e);
        return true;
    }
    return false;
}

/* ---- the list ---- */

int ssh_dial(struct ssh_link **links, const char *host, struct err *e)
{
    int pair[2];
    if (broke_before(*links, host, e))
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "cannot make a connection for ssh");
    autoclose int ours = pair[0], theirs = pair[1], said = memfd_create("gorae-ssh", MFD_CLOEXEC);
    if (said < 0)
        return err_sys(e, "cannot make a place for what ssh says");
    pid_t pid = start(host, theirs, said, e);
    if (pid < 0)
        return -1;
    struct ssh_link *l = mem_alloc(sizeof(*l));
    *l = (struct ssh_link){.pid = pid, .fd = ours, .said = take_fd(&said), .next = *links};
    *links = l;
    return take_fd(&ours);
}

void ssh_end(struct ssh_link **links)
{
    for (struct ssh_link *l = *links, *next; l; l = next) {
        next = l->next;
        if (l->pid)
            kill(l->pid, SIGTERM);
        if (!has_ended(l, END_WAIT_MS)) {
            kill(l->pid, SIGKILL);
            waitpid(l->pid, NULL, 0);
        }
        fd_close(l->said);
        free(l);
    }
    *links = NULL;
}

void ssh_explain(struct ssh_link *links, int fd, const char *host, bool answered, struct err *e)
{
    while (links && links->fd != fd)
        links = links->next;
    if (!links || !has_ended(links, END_WAIT_MS))
        return;
    links->refused = !answered;
    tell(links, host, answered, e);
}
