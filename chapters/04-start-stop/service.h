// service.h - what makes a program a service. Each of these ends the program, with a sentence, when it cannot do its
// work.
#ifndef SERVICE_H
#define SERVICE_H
#include <sys/un.h>
int lock_take(const char *file);                   // no second one: locks the file for as long as this process lives
void lock_sign(int lock);                          // writes the pid into it
void background(void);                             // goes on without a terminal; who started it waits for the next:
void background_ready(const char *log);            // the daemon can be used; from now on it writes into the file log
void log_open(const char *log);                    // again, when the old file has been renamed
void listen_stale(const struct sockaddr_un *addr); // removes the file of a socket to which nobody listens any more
int listen_tcp(const char *text);                  // ADDRESS:PORT
int listen_given(void);                            // the socket that a service manager has opened for us, or -1
#endif
