// region head
// calfd - the server: owns the processes that it is asked to run.
#include "job.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
// endregion

// region list
static void list(FILE *out)
{
    fprintf(out, "%-12s  %7s  %4s  %-12s  %s\n", "ID", "PID", "AGE", "STATE", "COMMAND");
    for (struct job *job = jobs; job; job = job->next) {
        char state[32] = "running";
        if (job->state == EXITED)
            snprintf(state, sizeof state, "exited (%d)", job->code);
        fprintf(out, "%.12s  %7d  %3lds  %-12s ", job->id, job->pid, time(NULL) - job->created, state);
        for (char **word = job->argv; *word; word++)
            fprintf(out, " %s", *word);
        fputc('\n', out);
    }
}
// endregion

// region answer
static void answer(char *line)
{
    char *words[WORDS_MAX + 1] = {""}, *word;
    for (int n = 0; n < WORDS_MAX && (word = strsep(&line, " \n"));)
        if (*word)
            words[n++] = word;
    FILE *out = fopen("calf.out", "we"); // waits here until somebody opens the other end
    if (!out)
        err(1, "calf.out");
    if (strcmp(words[0], "ps") == 0) {
        list(out);
    } else if (strcmp(words[0], "run") == 0 && words[1] && !line) {
        struct job *job = job_new(words + 1);
        fprintf(out, "%s\n", job_start(job) == 0 ? job->id : strerror(errno));
    } else if (strcmp(words[0], "kill") == 0 && words[1]) {
        struct job *job = job_find(words[1]);
        fputs(job && job->state == RUNNING && kill(job->pid, SIGTERM) == 0 ? "told to end\n" : "no such job\n", out);
    } else {
        fprintf(out, "ps, kill ID, or run and a command of at most %d words\n", WORDS_MAX - 1);
    }
    fclose(out);
}
// endregion

// region main
int main(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL); // the signal waits, and signalfd() makes it something to read
    signal(SIGPIPE, SIG_IGN);           // a client that went away makes a write fail, it does not end the server
    mkdir("jobs", 0700);
    mkfifo("calf.in", 0600); // one that exists already will do; any other trouble shows when it is opened
    mkfifo("calf.out", 0600);
    int child_ended = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (child_ended < 0)
        err(1, "signalfd");
    int in = open("calf.in", O_RDWR | O_NONBLOCK | O_CLOEXEC); // its own writer too: else it ends with the first client
    FILE *requests = in < 0 ? NULL : fdopen(in, "r");
    if (!requests)
        err(1, "calf.in");
    struct pollfd ready[] = {{.fd = child_ended, .events = POLLIN}, {.fd = in, .events = POLLIN}};
    char *line = NULL;
    size_t size = 0;
    for (;;) {
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            err(1, "poll");
        struct signalfd_siginfo info;
        if (ready[0].revents && read(child_ended, &info, sizeof info) > 0)
            jobs_reap();
        while (ready[1].revents && getline(&line, &size, requests) > 0)
            answer(line);
        clearerr(requests); // "nothing more for now" is no error
    }
}
// endregion
