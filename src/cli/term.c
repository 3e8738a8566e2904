/* The terminal: see term.h.
 *
 * With -t the container has a terminal of its own (a pty, made by the runtime), and the one in front of the person only
 * has to pass bytes: raw mode switches off echo, line editing and the keys that make signals, because the container's
 * pty does all that. Whoever changes the mode must restore it on every way out, or the shell is left without echo:
 * callers keep `struct term` on their stack and restore it before they print anything else.
 *
 * Signals come through a descriptor instead of handlers (signalfd(2)), so one poll(2) loop sees keys, output, signals
 * and the end of the container, and no code runs at an awkward instant. Read next: session.c, the loop. */
#include "cli/term.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

int term_raw(struct term *t, int fd, struct err *e)
{
    struct termios raw;
    t->fd = -1;
    if (tcgetattr(fd, &t->before) < 0)
        return err_sys(e, "cannot read the terminal's mode");
    raw = t->before;
    cfmakeraw(&raw);
    /* Output keeps its newline translation off too: the container's pty already sends CR LF. */
    if (tcsetattr(fd, TCSANOW, &raw) < 0)
        return err_sys(e, "cannot set the terminal to raw mode");
    t->fd = fd;
    return 0;
}

void term_restore(struct term *t)
{
    if (t->fd >= 0)
        tcsetattr(t->fd, TCSANOW, &t->before);
    t->fd = -1;
}

bool term_size(int fd, int *rows, int *columns)
{
    struct winsize w;
    if (ioctl(fd, TIOCGWINSZ, &w) < 0 || w.ws_row == 0 || w.ws_col == 0)
        return false;
    *rows = w.ws_row;
    *columns = w.ws_col;
    return true;
}

/* One name of the list, n bytes. @return its byte, or -1 */
static int key_byte(const char *s, size_t n)
{
    if (n == 1)
        return (unsigned char)*s;
    if (n != 6 || strncmp(s, "ctrl-", 5) != 0)
        return -1;
    /* The control key clears bits 5 and 6 of the character: Ctrl-P is 0x10. */
    bool known = (s[5] >= 'a' && s[5] <= 'z') || (s[5] >= '@' && s[5] <= '_');
    return known ? s[5] & 0x1f : -1;
}

int keys_init(struct keys *k, const char *text, struct err *e)
{
    *k = (struct keys){.n = 0};
    const char *s = text ? text : KEYS_DEFAULT;
    while (*s) {
        /* A comma alone is a key too: "ctrl-x,," ends in one. */
        size_t n = strcspn(s + 1, ",") + 1;
        int key = key_byte(s, n);
        if (key < 0 || k->n == KEYS_MAX)
            return err_set(e, ERR_INVALID, "invalid detach keys \"%s\": expected keys such as ctrl-p,ctrl-q", text);
        k->want[k->n++] = (unsigned char)key;
        s += n;
        s += *s == ',';
    }
    return 0;
}

bool keys_feed(struct keys *k, const unsigned char *in, size_t n, unsigned char *out, size_t *ret_n)
{
    size_t m = 0;
    for (size_t i = 0; i < n && k->n > 0; i++) {
        if (in[i] != k->want[k->have] && k->have > 0) {
            /* Not the sequence after all: let go what was held back. */
            for (size_t j = 0; j < k->have; j++)
                out[m++] = k->want[j];
            k->have = 0;
        }
        if (in[i] == k->want[k->have])
            k->have++;
        else
            out[m++] = in[i];
        if (k->have == k->n) {
            *ret_n = m;
            return true;
        }
    }
    if (k->n == 0) {
        memcpy(out, in, n);
        m = n;
    }
    *ret_n = m;
    return false;
}

static const struct {
    int sig;
    const char *name;
} handed_on[] = {
    {SIGHUP, "HUP"},   {SIGINT, "INT"},   {SIGQUIT, "QUIT"}, {SIGUSR1, "USR1"},
    {SIGUSR2, "USR2"}, {SIGTERM, "TERM"}, {SIGCONT, "CONT"},
};

int signals_take(struct err *e)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(handed_on) / sizeof(*handed_on); i++)
        sigaddset(&set, handed_on[i].sig);
    sigaddset(&set, SIGWINCH);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
        err_sys(e, "cannot take over the signals");
        fd_close(fd);
        return -1;
    }
    return fd;
}

int signals_next(int fd)
{
    struct signalfd_siginfo info;
    ssize_t n = fd >= 0 ? read(fd, &info, sizeof(info)) : -1;
    return n == sizeof(info) ? (int)info.ssi_signo : 0;
}

const char *signal_api_name(int sig)
{
    for (size_t i = 0; i < sizeof(handed_on) / sizeof(*handed_on); i++)
        if (handed_on[i].sig == sig)
            return handed_on[i].name;
    return NULL;
}
