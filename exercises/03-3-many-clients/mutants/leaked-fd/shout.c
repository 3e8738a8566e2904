// shout SOCKET - a server on a unix socket: answers each line in capital letters. A thread for each client.
#include <ctype.h>
#include <err.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 2000 // a client that says nothing for so long is sent away
#define LINE_MAX    1024

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

// Answers lines until the client goes, is silent for too long, or sends a line without end.
static void serve(int client)
{
    char line[LINE_MAX]; // on this thread's stack: each client has its own
    size_t have = 0;
    for (;;) {
        struct pollfd ready = {.fd = client, .events = POLLIN};
        if (poll(&ready, 1, PATIENCE_MS) <= 0)
            return;
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

static void *client_thread(void *arg)
{
    int client = (int)(intptr_t)arg;
    serve(client);
    shutdown(client, SHUT_RDWR);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: shout SOCKET");
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_unix(argv[1]);
    for (;;) {
        pthread_t thread;
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            err(1, "accept");
        // The number itself is handed over: a pointer to `client` would be read after the next accept has changed it.
        if (pthread_create(&thread, NULL, client_thread, (void *)(intptr_t)client) == 0)
            pthread_detach(thread); // nobody waits for its end
        else
            close(client);
    }
}
