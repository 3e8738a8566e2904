// region head
// job.h - the table of jobs: the commands that the server was asked to run.
#ifndef JOB_H
#define JOB_H
#include <stdbool.h>
#include <stdint.h>
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
    bool tty, privileged; // has a terminal; keeps all capabilities
    uid_t uid;
    int64_t limits[2];         // processes, bytes of memory
    int terminal;              // the daemon's end of it
    _Atomic bool output_comes; // through the terminal: more may still be on its way
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
int job_kill(const struct job *job, int sig); // 0, or -1 if it is not RUNNING
void jobs_stop(int seconds); // SIGTERM to all, and SIGKILL to those who are still there after so long
void must(bool ok, const char *step);              // world.c, in the child: on failure says which step, and ends
void world_root(const char *root);                 // makes the folder its /, with its own /proc, /dev and /tmp
void world_rights(const struct job *job);          // takes away capabilities, and root
int cgroup_make(const struct job *job, int procs[2]); // cgroup.c: opens the files that take pids; 0 or -1
void cgroup_remove(const struct job *job);
void job_file(const struct job *job, int stream, char *out, size_t size); // stream 1: output, 2: error messages
#endif
// endregion
