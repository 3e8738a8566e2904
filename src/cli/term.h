/** @file
 * The terminal: raw mode, size, signals.
 */
#ifndef GORAE_CLI_TERM_H
#define GORAE_CLI_TERM_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

/** A terminal whose mode we changed. */
struct term {
    int fd; /**< -1: nothing to restore */
    struct termios before;
};

/** Put `fd` into raw mode (termios(3), cfmakeraw): every key, also Ctrl-C, is a byte for the container. @return 0 or -1
 */
int term_raw(struct term *t, int fd, struct err *e);
/** Back to what it was. Safe to call twice. */
void term_restore(struct term *t);

/** Rows and columns of the terminal at `fd`. @return false where it is none, or has no size */
bool term_size(int fd, int *rows, int *columns);

/** The signals that a client hands on to the container (HUP INT QUIT USR1 USR2 TERM CONT) and WINCH, as a signalfd(2);
 * they are blocked from here on and arrive nowhere else. @return fd or -1 */
int signals_take(struct err *e);
/** The next signal that arrived, or 0. */
int signals_next(int fd);
/** The name the API knows it by, e.g. "INT"; NULL for those that are not handed on. */
const char *signal_api_name(int sig);

#endif
