/** @file
 * What each thread does, for whoever wants to know why nothing moves (SIGUSR1).
 *
 * A thread says in a few words what it is about, for as long as a variable lives; the words are listed by thread id. It
 * costs two short locks and a formatted line, so it is for work the size of a request, not for steps of one.
 */
#ifndef GORAE_BASE_DOING_H
#define GORAE_BASE_DOING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DOING_TEXT 120 /**< bytes; what is longer is cut */

struct doing {
    struct doing *next;
    pid_t tid;
    int64_t since; /**< CLOCK_MONOTONIC, ns */
    char text[DOING_TEXT];
};

/** Say it. @param d lives as long as it is true, on the thread's own stack: doing_end() */
void doing_begin(struct doing *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void doing_end(struct doing *d);
/** Ends by itself where the variable's scope does. */
#define autodoing __attribute__((cleanup(doing_end))) struct doing

/** What that thread does now, the innermost. @return false where it has said nothing */
bool doing_of(pid_t tid, struct doing *ret);

#endif
