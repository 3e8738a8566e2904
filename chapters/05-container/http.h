// region head
// http.h - a connection, and the request that was read from it.
#pragma once
#include <stdbool.h>
#include <stdio.h>
// endregion
// region struct-http
struct http {
    int fd;                        // the socket
    FILE *in;                      // its bytes are read through this
    char method[16], target[2048]; // of the first line
    char *query;                   // what follows the target's "?", or ""
    char body[65536];              // ended by a zero byte
    bool closing;                  // this message is the connection's last
    int status;                    // of the answer; 0 once a handler has answered by itself
    struct job *job;               // the job that the target names, or NULL
    bool raw; // the connection is no longer HTTP: bytes go out as they are
};
// endregion
// region functions
int http_read(struct http *h); // reads a message: 200, or the error's status, or 0 when no more comes
int http_write(const struct http *h, const char *data, size_t n);       // all of it, or -1 with errno
void http_head(const struct http *h, const char *type, ssize_t length); // length -1: the body follows in chunks
int http_chunk(const struct http *h, const char *data, size_t n);       // n == 0: the last
bool http_gone(const struct http *h, int ms);                           // does the other side hang up within so long?
void *api_serve(void *http); // api.c, a thread: answers what comes over a connection, then closes and frees it
// endregion
