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
