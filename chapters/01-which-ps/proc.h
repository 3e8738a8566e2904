// region head
// proc.h - one process, as the kernel shows it below /proc.
#ifndef PROC_H
#define PROC_H
#include <stddef.h>
// endregion

// region struct-proc
struct proc {
    int pid;
    unsigned uid;   // whose rights it has
    char name[64];  // the program's name, cut by the kernel to 15 characters
    char state;     // R running, S sleeping, D waiting for a disk, Z zombie, T stopped
    int group;      // process group: the processes of one command line
    int session;    // the groups that were started from one terminal
    int tty;        // number of the controlling terminal, 0: none
    int foreground; // the process group to which that terminal's keys go
    int threads;
    long rss;          // memory in use, in pages
    char command[256]; // the words it was started with
};
// endregion

// region functions
/** Takes apart the text of /proc/PID/stat. Returns 0, or -1 if it is not such a text. */
int proc_parse(const char *text, struct proc *p);

/** Reads everything about one process. Returns 0, or -1 with errno: ENOENT or ESRCH if it ended meanwhile. */
int proc_read(int pid, struct proc *p);

/** Writes the name of a terminal, or "?", to `out`. */
void proc_tty(int tty, char *out, size_t size);

#endif
// endregion
