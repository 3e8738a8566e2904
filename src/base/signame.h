/** @file
 * Signals as people write them.
 */
#ifndef GORAE_BASE_SIGNAME_H
#define GORAE_BASE_SIGNAME_H

/** A signal's number from "9", "KILL" or "SIGKILL", real-time ones included; 0 if it is none. */
int signal_number(const char *text);

#endif
