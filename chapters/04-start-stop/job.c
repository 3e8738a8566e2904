// region head
// job.c - the table of jobs.
#include "job.h"

#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>
#include <time.h>

struct job *_Atomic jobs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // held by whoever changes a job or the list
// endregion

// region new
// Adds a job, CREATED, with a copy of the words.
struct job *job_new(char *const argv[])
{
    unsigned char random[32];
    struct job *job = calloc(1, sizeof *job);
    if (!job || getrandom(random, sizeof random, 0) < 0)
        err(1, "a new job");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(job->id + 2 * i, 3, "%02x", random[i]);
    for (int i = 0; i < WORDS_MAX && argv[i]; i++)
        if (!(job->argv[i] = strdup(argv[i])))
            err(1, "a new job");
    job->created = (int)time(NULL);
    pthread_mutex_lock(&lock);
    job->next = jobs;
    jobs = job;
    pthread_mutex_unlock(&lock);
    return job;
}
// endregion

// region find
struct job *job_find(const char *id)
{
    struct job *found = NULL;
    for (struct job *job = jobs; job && *id; job = job->next)
        if (strncmp(job->id, id, strlen(id)) == 0) {
            if (found)
                return NULL; // two begin like this
            found = job;
        }
    return found;
}
// endregion

// region start
void job_file(const struct job *job, int stream, char *out, size_t size)
{
    snprintf(out, size, "jobs/%.12s.%s", job->id, stream == 1 ? "out" : "err");
}

int job_start(struct job *job)
{
    pthread_mutex_lock(&lock); // until pid and state are set: the child may end at once, and jobs_reap() looks for both
    pid_t pid = job->state == RUNNING ? job->pid : child_start(job);
    job->pid = pid;
    job->state = pid < 0 ? job->state : RUNNING;
    pthread_mutex_unlock(&lock);
    return pid < 0 ? -1 : 0;
}
// endregion

// region reap
void jobs_reap(void)
{
    pid_t pid;
    int status;
    pthread_mutex_lock(&lock);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) // one signal may stand for several children
        for (struct job *job = jobs; job; job = job->next)
            if (job->state == RUNNING && job->pid == pid) {
                job->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
                job->state = EXITED;
            }
    pthread_mutex_unlock(&lock);
}
// endregion
// region kill
int job_kill(const struct job *job, int sig)
{
    pthread_mutex_lock(&lock); // under it a RUNNING job is not reaped, and until it is reaped its pid is nobody else's
    int failed = job->state != RUNNING || kill(job->pid, sig) < 0;
    pthread_mutex_unlock(&lock);
    return failed ? -1 : 0;
}
// endregion
// region stop
static int tell_all(int sig)
{
    int heard = 0;
    for (struct job *job = jobs; job; job = job->next)
        heard += job_kill(job, sig) == 0;
    return heard;
}

void jobs_stop(int seconds)
{
    tell_all(SIGTERM);
    for (int ms = 0; tell_all(0) > 0; ms += 20) { // signal 0 is sent to nobody: the call only says who is there
        if (ms >= 1000 * seconds)
            tell_all(SIGKILL);
        usleep(20000);
        jobs_reap();
    }
}
// endregion
