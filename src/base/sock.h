/** @file
 * Unix sockets: listening, dialling, passing file descriptors; and what TCP needs to notice a dead peer.
 *
 * Two kinds are used. SOCK_STREAM carries HTTP between client and daemon. SOCK_SEQPACKET carries messages
 * between daemon and shim: one send is one receive, so no framing is needed, and a file descriptor travels
 * beside the bytes (SCM_RIGHTS, unix(7)).
 */
#ifndef GORAE_BASE_SOCK_H
#define GORAE_BASE_SOCK_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

#define SOCK_PACKET_MAX 65536

/** A listening unix socket at `path` of type SOCK_STREAM or SOCK_SEQPACKET. A stale socket file (nobody answers) is
 * replaced, by one of those who try; a live one is ERR_CONFLICT and stays. @param mode permissions @return fd or -1 */
int sock_listen_unix(const char *path, int type, mode_t mode, struct err *e);

/** Connect to the unix socket at `path`. @return fd or -1 */
int sock_dial_unix(const char *path, int type, struct err *e);

/** A TCP peer that has vanished (no power, a pulled cable, a dropped route) sends nothing, and so does one that has
 * nothing to say. So it is asked: after SOCK_IDLE_S of silence, and again every SOCK_ASK_S; one that has not answered
 * for SOCK_LOST_S is gone, and so is one that has not acknowledged what it was sent for as long. Then reading and
 * writing fail with ETIMEDOUT (or with what a router said: EHOSTUNREACH). Long enough for a switch to be restarted,
 * short enough to wait for. tcp(7): TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_USER_TIMEOUT; Linux 2.6.37. */
#define SOCK_IDLE_S 10
#define SOCK_ASK_S  5
#define SOCK_LOST_S 20
/** Have a TCP connection notice a vanished peer, and send small pieces at once. */
void sock_prepare_tcp(int fd);

/** Send one message, and `fd` beside it unless fd is -1. Never raises SIGPIPE. @return 0 or -1 with errno */
int sock_send(int sock, const void *p, size_t n, int fd);

/** How long the message is that comes next; it stays. @return bytes, 0 at end of file, or -1 with errno */
ssize_t sock_next(int sock);
/** Receive one message of up to `n` bytes. *ret_fd is the descriptor that came with it (close-on-exec), or -1; NULL
 * refuses descriptors. @return bytes, 0 at end of file, or -1 with errno (EMSGSIZE: the message was longer) */
ssize_t sock_recv(int sock, void *p, size_t n, int *ret_fd);

/** The pid of the process at the other end of a unix socket, from SO_PEERCRED; 0 where unknown. */
pid_t sock_peer_pid(int sock);
/** Likewise its user id, or (uid_t)-1. */
uid_t sock_peer_uid(int sock);

#endif
