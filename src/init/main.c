/* gorae-init: the first process of a container that was made with --init.
 *
 *     docker-init -- PROGRAM [ARGUMENT…]
 *
 * Process 1 of a pid namespace has two duties that ordinary programs do not know of: it inherits every orphan and must
 * collect its exit status, or the dead stay in the table; and signals without a handler do not reach it, so a program
 * that never thought of SIGTERM cannot be stopped politely. This one does both for the user's program, which becomes
 * its child: every signal that arrives is handed on, every orphan collected, and the exit code is the child's own, 128
 * + n for signal n. When the child has ended, the kernel kills whatever else is left in the namespace.
 *
 * Why a program of its own, and not a part of the shim or the runtime: it must run inside, as process 1, under any OCI
 * runtime, so it has to be a file that can be named in config.json; and what is bound into a container had better be
 * small. It is static, since the image may have no C library, includes nothing of ours and reads nothing.
 *
 * How it fails: 127 where there is no such program, 126 where it cannot be run, 1 for its own mistakes, each with a
 * sentence. Source: pid_namespaces(7), credentials(7), tcsetpgrp(3); engine/spec.c puts it in place. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(int code, const char *what, const char *name)
{
    dprintf(STDERR_FILENO, "docker-init: %s %s: %s\n", what, name, strerror(errno));
    return code;
}

/* Faults of our own, which must kill us and not be queued, and those by which the kernel tells a job in the background
 * that it may not use the terminal. */
static void choose_signals(sigset_t *set)
{
    static const int ours[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};
    sigfillset(set);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        sigdelset(set, ours[i]);
}

/* The child leads a process group of its own, in the foreground of the terminal if there is one, so that Ctrl-C reaches
 * it and those it starts. */
static int become(char **argv, const sigset_t *before)
{
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN); /* taking the foreground from the background would stop us */
    tcsetpgrp(STDIN_FILENO, getpgrp());
    signal(SIGTTOU, SIG_DFL);
    sigprocmask(SIG_SETMASK, before, NULL);
    execvp(argv[0], argv);
    return fail(errno == ENOENT ? 127 : 126, "cannot run", argv[0]);
}

/* Collect all that have ended. @return true where `child` was among them, with its status */
static int collect(pid_t child, int *status)
{
    int found = 0, s;
    pid_t pid;
    while ((pid = waitpid(-1, &s, WNOHANG)) > 0)
        if (pid == child) {
            *status = s;
            found = 1;
        }
    return found;
}

int main(int argc, char **argv)
{
    sigset_t all, before;
    int status = 0, first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
    if (argc <= first) {
        dprintf(STDERR_FILENO, "usage: docker-init -- PROGRAM [ARGUMENT...]\n");
        return 1;
    }
    choose_signals(&all);
    /* Blocked, signals wait for sigwaitinfo() below, and none is lost between the fork and the first wait. */
    if (sigprocmask(SIG_BLOCK, &all, &before) < 0)
        return fail(1, "cannot block", "signals");
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* matters where we are not process 1 */
    pid_t child = fork();
    if (child < 0)
        return fail(1, "cannot fork for", argv[first]);
    if (child == 0)
        _exit(become(argv + first, &before));
    for (;;) {
        int sig = sigwaitinfo(&all, NULL);
        if (sig < 0 && errno != EINTR)
            return fail(1, "cannot wait for", "signals");
        if (sig > 0 && sig != SIGCHLD)
            kill(child, sig);
        if (collect(child, &status))
            break;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
