// served [CLIENTS [CODE]] - a daemon that is given its socket. It answers CLIENTS clients (default 1) with what it was
// given, and ends with the exit code CODE (default 0). It prints a line when it starts.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "none";
}

// "0 1 2 3": the descriptors that are open.
static const char *descriptors(void)
{
    static char text[256];
    text[0] = '\0';
    for (int fd = 0; fd < 256 && strlen(text) < 240; fd++) {
        char name[64], to[8];
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        if (readlink(name, to, sizeof to) > 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", text[0] ? " " : "", fd);
    }
    return text;
}

int main(int argc, char **argv)
{
    char open[256];
    snprintf(open, sizeof open, "%s", descriptors());
    printf("started %d\n", getpid());
    fflush(stdout);
    for (long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1; n > 0; n--) {
        char asked[64] = "";
        int fd = accept4(3, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            err(1, "descriptor 3");
        if (read(fd, asked, sizeof asked - 1) < 0)
            warn("a client");
        asked[strcspn(asked, "\n")] = '\0';
        dprintf(fd, "%s: pid %d, LISTEN_PID %s, LISTEN_FDS %s, open %s\n", asked, getpid(), env("LISTEN_PID"),
                env("LISTEN_FDS"), open);
        close(fd);
    }
    return argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
}
