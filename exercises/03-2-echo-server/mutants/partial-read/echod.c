// echod SOCKET - an HTTP server on a unix socket: POST /echo answers with the body that was sent. One client at a time.
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX 65536

static char buffer[REQUEST_MAX]; // what has come from the client and is not yet answered
static size_t have;

static int listen_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof addr.sun_path)
        errx(1, "%s: too long", path);
    strcpy(addr.sun_path, path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 64) < 0)
        err(1, "%s", path);
    return fd;
}

// Adds to the buffer what the client has sent. Returns 0 at its end, or if the request is longer than the buffer.
static int more(int client)
{
    ssize_t n;
    do
        n = read(client, buffer + have, sizeof buffer - have);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        have += (size_t)n;
    return n > 0;
}

static size_t content_length(const char *head, const char *end)
{
    for (const char *line = head; line < end; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            return strtoul(line + 15, NULL, 10);
    return 0;
}

static int answer(int client, const char *body, size_t n)
{
    char head[64];
    int length = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
    return write(client, head, (size_t)length) < 0 || write(client, body, n) < 0 ? -1 : 0;
}

// Answers one request after the other, until the client has no more.
static void serve(int client)
{
    have = 0;
    for (;;) {
        char *end;
        while (!(end = memmem(buffer, have, "\r\n\r\n", 4))) // the head comes in pieces
            if (!more(client))
                return;
        size_t head = (size_t)(end + 4 - buffer), length = content_length(buffer, end + 2);
        if (length > sizeof buffer - head)
            return;
        if (have < head + length)
            have = head + length;
        if (answer(client, buffer + head, length) < 0)
            return;
        have -= head + length; // what is left is the beginning of the next request
        memmove(buffer, buffer + head + length, have);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: echod SOCKET");
    signal(SIGPIPE, SIG_IGN); // a client that went away makes a write fail, it does not end the server
    int listener = listen_unix(argv[1]);
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            err(1, "accept");
        serve(client);
        close(client);
    }
}
