// region head
// child.c - makes the process of a job.
#include "job.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
// endregion

// region stdio
// Descriptors 0, 1, 2: the given one, or nothing to read; and a file for each of the two streams.
static void child_stdio(const struct job *job, int in)
{
    for (int as = 0; as <= 2; as++) {
        char file[128] = "/dev/null";
        if (as)
            job_file(job, as, file, sizeof file);
        int fd = !as && in >= 0 ? in : open(file, (as ? O_WRONLY | O_CREAT | O_APPEND : O_RDONLY) | O_CLOEXEC, 0600);
        must(fd >= 0 && dup2(fd, as) == as, file); // exec closes fd, which is O_CLOEXEC; the copy it leaves open
    }
}
// endregion
// region terminal
// All three: the terminal. It becomes that of the session, being the first that the session's leader opens.
static void child_terminal(void)
{
    int fd = open("/dev/console", O_RDWR | O_CLOEXEC);
    for (int as = 0; as <= 2; as++)
        must(fd >= 0 && dup2(fd, as) == as, "/dev/console");
}
// endregion
// region child-start
pid_t child_start(struct job *job)
{
    static char *env[] = {"PATH=/bin", "HOME=/", "TERM=xterm", NULL};
    const int worlds = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
    int ends[2] = {-1, -1}; // the child's, ours
    if (job->tty ? unlockpt(ends[1] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0
                 : job->open_stdin && pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    close(job->input), job->input = ends[1]; // closed is what a start that failed has left
    pid_t pid = (pid_t)syscall(SYS_clone, worlds | SIGCHLD, 0L, 0L, 0L, 0L); // fork(), and new namespaces for the child
    if (pid)
        return close(ends[0]), pid;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); // exec keeps what the server blocks and ignores:
    signal(SIGPIPE, SIG_DFL);              // a job starts with neither
    setsid();                              // a session of its own: no terminal's end reaches it
    child_stdio(job, ends[0]);
    world_limits(job);
    must(sethostname(job->id, 12) == 0, "host name");
    world_root("root", job);
    if (job->tty)
        child_terminal();
    must(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0, "close_range"); // should the daemon ever forget an O_CLOEXEC
    world_rights(job);
    environ = env; // not the daemon's
    execvp(job->argv[0], job->argv);
    must(false, job->argv[0]);
    return -1;
}
// endregion
