/* Named fault points: see fault.h. Empty in a normal build. */
#include "base/fault.h"

#ifdef GORAE_FAULTS
#include "base/str.h"
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fault_pass(struct strv *env)
{
    static const char *const names[] = {"GORAE_FAULT", "GORAE_FAULT_LOG"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (getenv(names[i]))
            strv_addf(env, "%s=%s", names[i], getenv(names[i]));
}

void fault_hit(const char *name)
{
    static atomic_long hits;
    const char *spec = getenv("GORAE_FAULT");
    size_t n = strlen(name);
    if (!spec || strncmp(spec, name, n) != 0 || (spec[n] != ':' && spec[n] != '#'))
        return;
    long want = spec[n] == '#' ? strtol(spec + n + 1, NULL, 10) : 1;
    if (atomic_fetch_add(&hits, 1) + 1 != want)
        return;
    const char *action = strchr(spec, ':'), *log = getenv("GORAE_FAULT_LOG");
    int fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        (void)!write(fd, name, n);
        (void)!write(fd, "\n", 1);
        close(fd);
    }
    if (action && strncmp(action, ":sleep=", 7) == 0)
        usleep((useconds_t)strtoul(action + 7, NULL, 10) * 1000);
    else
        kill(getpid(), SIGKILL);
}
#else
/* ISO C wants a declaration in every file. */
extern int fault_points_are_compiled_out;
#endif
