// region head
// job.h - the table of jobs: the commands that the server was asked to run.
#ifndef JOB_H
#define JOB_H
#include <pthread.h>
#include <stdbool.h>
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
    uid_t uid;
    bool tty, open_stdin, privileged; // has a terminal; can be written to; keeps all capabilities
    int input;                        // our end of its terminal, or of the pipe that it reads; or -1
    pthread_t output;                 // writes down what comes out of the terminal
    struct job *next;
};

extern struct job *_Atomic jobs; // the newest first; a job is never freed, so whoever walks the list needs no lock
// endregion

// region functions
struct job *job_new(char *const argv[]);
struct job *job_find(const char *id);     // the one job whose id begins so, or NULL
int job_start(struct job *job);           // starts one that is not RUNNING; 0, or -1 with errno
void jobs_reap(void);                     // takes notice of each process that has ended; never waits
pid_t child_start(struct job *job);       // child.c: makes the process; its pid, or -1 with errno
int job_kill(const struct job *job, int sig); // 0, or -1 if it is not RUNNING
void jobs_stop(int seconds); // SIGTERM to all, and SIGKILL to those who are still there after so long
void job_file(const struct job *job, int stream, char *out, size_t size); // stream 1: output, 2: error messages
int job_input(struct job *job);                           // where to write what it shall read; the caller closes it
void must(bool ok, const char *step);                     // world.c, in the child: says which step failed, and ends
void world_root(const char *root, const struct job *job); // makes the folder its /, with its own /proc, /tmp and /dev
void world_rights(const struct job *job);                 // takes away capabilities, and root
void world_limits(const struct job *job);                 // puts the process into groups of its own
void world_end(const struct job *job);                    // in the daemon: removes them
#endif
// endregion
