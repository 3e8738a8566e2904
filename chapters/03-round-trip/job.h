// region head
// job.h - the table of jobs: the commands that the server was asked to run.
#ifndef JOB_H
#define JOB_H
#include <sys/types.h>
// endregion
// region struct-job
#define WORDS_MAX 64 // words of one command
enum job_state { CREATED, RUNNING, EXITED };

struct job {
    char id[65];               // 64 random hex digits: the kernel uses a pid again, nobody an id
    char *argv[WORDS_MAX + 1]; // the command's words, then NULL
    _Atomic enum job_state state;
    pid_t pid;   // while RUNNING
    int code;    // once EXITED: its exit code, or 128 + the signal that ended it
    int created; // seconds since 1970
    struct job *next;
};

extern struct job *_Atomic jobs; // the newest first; a job is never freed, so whoever walks the list needs no lock
// endregion

// region functions
struct job *job_new(char *const argv[]);
struct job *job_find(const char *id);     // the one job whose id begins so, or NULL
int job_start(struct job *job);           // starts one that is not RUNNING; 0, or -1 with errno
void jobs_reap(void);                     // takes notice of each process that has ended; never waits
pid_t child_start(const struct job *job); // child.c: makes the process; its pid, or -1 with errno
void job_file(const struct job *job, int stream, char *out, size_t size); // stream 1: output, 2: error messages
#endif
// endregion
