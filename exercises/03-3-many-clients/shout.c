// shout SOCKET - a server on a unix socket: answers each line in capital letters. One client after the other.
#include <ctype.h>
#include <err.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX 1024

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

// Answers lines until the client goes or sends a line without end.
static void serve(int client)
{
    static char line[LINE_MAX];
    static size_t have;
    have = 0;
    for (;;) {
        char c;
        if (read(client, &c, 1) != 1 || have == sizeof line)
            return;
        line[have++] = (char)toupper((unsigned char)c);
        if (c != '\n')
            continue;
        if (write(client, line, have) < 0)
            return;
        have = 0;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: shout SOCKET");
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_unix(argv[1]);
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            err(1, "accept");
        serve(client);
        close(client);
    }
}
