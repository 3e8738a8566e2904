/* Named fault points: see fault.h. Empty in a normal build. */
#include "base/fault.h"

#ifdef GORAE_FAULTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    const char *action = strchr(spec, ':');
    if (action && strncmp(action, ":sleep=", 7) == 0)
        usleep((useconds_t)strtoul(action + 7, NULL, 10) * 1000);
    else
        kill(getpid(), SIGKILL);
}
#else
/* ISO C wants a declaration in every file. */
extern int fault_points_are_compiled_out;
#endif
