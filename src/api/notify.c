/* sd_notify(3), the part that a daemon needs: one datagram to a unix socket. A name that begins with "@" is an abstract
 * one (unix(7)). Nobody answers, and a manager that does not listen is no reason not to serve. */
#include "api/notify.h"
#include "base/log.h"
#include "base/str.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (str_empty(path) || strlen(path) >= sizeof(a.sun_path))
        return;
    memcpy(a.sun_path, path, strlen(path));
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + (*path != '@'));
    if (*path == '@')
        a.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a, size) < 0)
        log_warn("the service manager at %s cannot be told %s", path, state);
    if (fd >= 0)
        close(fd);
}

int notify_watchdog_ms(void)
{
    const char *text = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
    uint64_t us, pid;
    if (!text || !str_to_u64(text, &us) || us < 2000)
        return -1;
    if (whose && (!str_to_u64(whose, &pid) || pid != (uint64_t)getpid()))
        return -1;
    return us / 2000 > 60000 ? 60000 : (int)(us / 2000);
}
