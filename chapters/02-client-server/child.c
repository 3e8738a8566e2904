// region head
// child.c - makes the process of a job.
#include "job.h"

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
// endregion

// region stdio
// Descriptors 0, 1, 2: nothing to read, and a file for each of the two streams.
static void child_stdio(const struct job *job)
{
    for (int as = 0; as <= 2; as++) {
        char file[128] = "/dev/null";
        if (as)
            job_file(job, as, file, sizeof file);
        int fd = open(file, (as ? O_WRONLY | O_CREAT | O_APPEND : O_RDONLY) | O_CLOEXEC, 0600);
        if (fd < 0 || dup2(fd, as) < 0) // exec closes fd, which is O_CLOEXEC; the copy that dup2() makes is not
            err(126, "%s", file);
    }
}
// endregion

// region child-start
pid_t child_start(const struct job *job)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); // exec keeps what the server blocks and ignores:
    signal(SIGPIPE, SIG_DFL);              // a job starts with neither
    umask(022);
    child_stdio(job);
    setsid(); // a session of its own: no terminal's end reaches it
    execvp(job->argv[0], job->argv);
    err(127, "%s", job->argv[0]); // into the job's own file of errors
}
// endregion
