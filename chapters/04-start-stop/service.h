// region all
// service.h - what makes a program a service. What cannot do its work ends the program with a sentence.
#ifndef SERVICE_H
#define SERVICE_H
#include <sys/un.h>
int lock_take(const char *file);                   // no second one: locks the file for as long as this process lives
void lock_sign(int lock);                          // writes the pid into it
void background(void);                             // goes on without a terminal; who started it waits for the next:
void background_ready(const char *log);            // the daemon can be used; from now on it writes into the file log
int log_open(const char *log);                     // again, when the old file was renamed; -1: it stays as it was
void listen_stale(const struct sockaddr_un *addr); // removes the file of a socket to which nobody listens any more
int listen_tcp(const char *text);                  // ADDRESS:PORT
int listen_given(void);                            // the socket that a service manager has opened for us
#endif
// endregion
