// region head
// job.c - the table of jobs.
#include "job.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>

struct job *jobs;
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
    job->next = jobs;
    return jobs = job;
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
    pid_t pid = child_start(job);
    if (pid < 0)
        return -1;
    job->pid = pid;
    job->state = RUNNING;
    return 0;
}
// endregion

// region reap
void jobs_reap(void)
{
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) // one signal may stand for several children
        for (struct job *job = jobs; job; job = job->next)
            if (job->state == RUNNING && job->pid == pid) {
                job->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
                job->state = EXITED;
            }
}
// endregion
