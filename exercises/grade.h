/** @file
 * What a grader is made of.
 *
 * A grader is a table of checks and a list of the files that the student hands in. grade.c has the main function: it
 * copies those files into /work, compiles them there as the student, and runs the checks in the order of the table, as
 * libcheck tests. It runs inside the sandbox, as root; what it starts of the student's runs under another uid and sees
 * neither the grader's folder nor its report.
 *
 * A check says what it tries, what it expects and what came, and then passes or fails:
 *
 *     static void empty_entry(void)
 *     {
 *         tried("PATH=:/bin ./which tool, where ./tool is a program");
 *         struct run *r = run_program(NULL, "./which", "tool", NULL);
 *         same_text(r->out, "./tool\n");
 *     }
 *
 * Any ck_assert… of libcheck also fails a check. A check that needs another (`needs`) is not tried when that one did
 * not pass, and draws no points. The points of a table add up to 100.
 */
#ifndef GORAE_EXERCISES_GRADE_H
#define GORAE_EXERCISES_GRADE_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RUN_OUTPUT_MAX 65536 /**< bytes kept of each stream; a program that prints four times as much is stopped */
#define RUN_SECONDS    5     /**< how long run_program waits */

struct check {
    const char *name;  /**< one word; also the heading of its hints */
    int points;        /**< of 100 */
    const char *title; /**< what holds when it passes, a sentence without its full stop */
    void (*run)(void);
    const char *needs; /**< the name of a check above that must have passed; or NULL */
};

/** What the grader's file defines: a table that ends with an empty row. */
extern const struct check grade_checks[];

/** What the student hands in, and what of it is compiled. Both end with NULL. */
extern const char *const grade_files[];    /**< names in the submission; each must be there */
extern const char *const grade_programs[]; /**< e.g. "which" for which.c; compiled with the flags of the chapters */

/** @name Saying what happens
 * printf-like; the text is shown with control characters made visible. Each replaces what it said before. @{ */
void tried(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void expected(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void came(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** Draw the hints under this heading instead of those of the check's name. */
void hint(const char *heading);
/** Fail the check here unless `ok`. Say tried, expected and came first. */
void verdict(bool ok);
/** expected(want), came(got), verdict(equal). */
void same_text(const char *got, const char *want);
void same_number(const char *what, long got, long want);
/** @} */

/** What a program did. */
struct run {
    char out[RUN_OUTPUT_MAX + 1], err[RUN_OUTPUT_MAX + 1]; /**< NUL-terminated */
    size_t out_len, err_len;
    int code;      /**< its exit code, or 128 + the signal that ended it */
    bool late;     /**< it was killed because the time was over */
    bool too_much; /**< it was killed because it printed without end */
};

/** How to start a program; all zero is the usual way. */
struct how {
    const char *cwd;        /**< default /work */
    const char *const *env; /**< name=value …, NULL; default: PATH of the system, HOME=/work, LANG=C.UTF-8 */
    const char *input;      /**< what it reads; default: nothing, end of file at once */
    int milliseconds;       /**< default RUN_SECONDS */
    bool terminal;          /**< start_program only: a terminal of its own is its 0, 1 and 2 */
};

/** Run a program as the student and wait for it. The arguments end with NULL. Afterwards every process of the student
 * is killed: a check leaves nothing behind for the next one.
 * @return a static struct, valid until the next call */
struct run *run_program(const struct how *how, const char *path, ...) __attribute__((sentinel));

/** A program that is running. */
struct live {
    pid_t pid;
    int in;  /**< write here what it reads; for a terminal the same as `out`; -1 when closed */
    int out; /**< its fd 1; for a terminal the master side */
    int err; /**< its fd 2; -1 for a terminal */
};

/** Start a program as the student and go on. */
struct live start_program(const struct how *how, const char *path, ...) __attribute__((sentinel));
/** Read from `fd` until `text` came, or an end, or the time is over. @return what came, static, NUL-terminated; whether
 * `text` is in it is for the caller to see */
const char *read_until(int fd, const char *text, int milliseconds);
/** Send text. A program that has closed its end does not kill the grader; @return false then. */
bool say(int fd, const char *text);
/** Wait for the program itself. @return its exit code, 128 + signal, or -1 when the time is over */
int wait_program(struct live *p, int milliseconds);
/** Close our ends and kill every process of the student. */
void stop_all(struct live *p);

/** Make a file in /work that belongs to the student. */
void make_file(const char *path, mode_t mode, const char *text);
void make_folder(const char *path, mode_t mode);
/** Read a file, at most RUN_OUTPUT_MAX bytes. @return static, NUL-terminated; "" when there is none */
const char *read_file(const char *path);
/** The value of `key` in an answers file ("key: value", one a line, # comments). @return static; "" when missing */
const char *answer(const char *file, const char *key);
/** Wait until `when(arg)` is true. @return false when the time is over */
bool eventually(bool (*when)(void *), void *arg, int milliseconds);

/** One word of /proc/PID/stat, counted as in proc_pid_stat(5) from 1; the name (2) comes without its parentheses.
 * @return static; "" when there is no such process */
const char *stat_field(pid_t pid, int field);
/** How many children of `parent` are in `state` (as 'Z'); 0 counts them all. */
int children_in_state(pid_t parent, char state);

/** Numbers from the seed: the same seed, the same run. @return 0 … below - 1 */
unsigned dice(unsigned below);
unsigned long grade_seed(void);
uid_t student_uid(void);

/** @name For the frame itself: grade.c, grade_run.c, grade_look.c @{ */
/** How the last program ended, where that was no ordinary end; a failing verdict() adds it to what came. */
void ending(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct run *run_argv(const struct how *how, const char *path, char **argv);
void kill_student(void);
long milliseconds_now(void);
/** @} */

#endif
