/** @file
 * Where the daemon listens: unix sockets, TCP, and sockets that a service manager has opened. */
#ifndef GORAE_API_HOSTS_H
#define GORAE_API_HOSTS_H

#include "api/options.h"

#include <netdb.h>

#define HOSTS_MAX 16
#define HOSTS_OLD 16 /**< tlspipes with old certificates that carry connections still */

struct host {
    int fd;
    bool tcp;   /**< whoever speaks here may be a browser that was sent by somebody else: see guard.c */
    char *path; /**< of a unix socket that is ours to remove; or NULL */
    char *name; /**< as people know it */

    bool tls;        /**< connections come from a gorae-tlspipe, by way of its control socket (tls.h) */
    int control;     /**< that socket; -1: none runs at present */
    bool retired;    /**< it takes no new connections: this entry goes when the last of its old ones has ended */
    pid_t pid;       /**< its process */
    int64_t started; /**< CLOCK_MONOTONIC ns */
};

struct hosts {
    struct host v[HOSTS_MAX + HOSTS_OLD];
    size_t n;
    json_t *warnings; /**< of addresses that make strangers root, for info */
};

/** Open all that the options name. @param h NULL: open nothing, and tell what is wrong already @return -1 naming the
 * one that could not be; the others are open still: hosts_close() */
int hosts_open(struct hosts *h, const struct options *o, struct err *e);
/** @param leave connections that others hold, a container's stream, go on */
void hosts_close(struct hosts *h, bool leave);
/** Is the address this machine's own, which no other can reach? */
bool tcp_is_loopback(const struct sockaddr *a);
/** @return a socket that listens there, or -1 with errno */
int tcp_listen(const struct addrinfo *a);

#endif
