// region head
// child.c - makes the process of a job.
#include "job.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <unistd.h>
// endregion

// region stdio
// Descriptors 0, 1, 2: the terminal for all three; or nothing to read, and a file for each of the two streams.
static void child_stdio(const struct job *job)
{
    for (int as = 0; as <= 2; as++) {
        char file[128] = "/dev/null";
        if (as)
            job_file(job, as, file, sizeof file);
        int fd = job->tty ? ioctl(job->terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)
                          : open(file, (as ? O_WRONLY | O_CREAT | O_APPEND : O_RDONLY) | O_CLOEXEC, 0600);
        must(fd >= 0 && dup2(fd, as) == as, file); // exec closes fd, which is O_CLOEXEC; the copy that dup2() makes is not
    }
    must(!job->tty || ioctl(0, TIOCSCTTY, 0) == 0, "controlling terminal");
}
// endregion
// region child-start
pid_t child_start(const struct job *job)
{
    static char *env[] = {"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/", "TERM=xterm", NULL};
    const int worlds = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
    int procs[2];
    if (cgroup_make(job, procs) < 0)
        return -1;
    pid_t pid = (pid_t)syscall(SYS_clone, worlds | SIGCHLD, 0L, 0L, 0L, 0L); // fork(), and new namespaces for the child
    if (pid) {
        close(procs[0]);
        close(procs[1]);
        return pid;
    }
    must(write(procs[0], "0", 1) == 1 && write(procs[1], "0", 1) == 1, "enter the cgroups"); // 0: who writes it
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); // exec keeps what the server blocks and ignores:
    signal(SIGPIPE, SIG_DFL);              // a job starts with neither
    setsid(); // a session of its own: no terminal's end reaches it, and it may have a terminal of its own
    child_stdio(job);
    must(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0, "close_range"); // should the daemon ever forget an O_CLOEXEC
    must(sethostname(job->id, 12) == 0, "host name");
    world_root("root");
    world_rights(job);
    environ = env; // not the daemon's
    execvp(job->argv[0], job->argv);
    must(false, job->argv[0]);
    return -1;
}
// endregion
