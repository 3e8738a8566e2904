/* Signals by name: see signame.h. */
#include "base/signame.h"
#include "base/str.h"

#include <ctype.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

int signal_number(const char *text)
{
    uint64_t n;
    char *end;
    if (str_to_u64(text, &n))
        return n >= 1 && n <= (uint64_t)SIGRTMAX ? (int)n : 0;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int i = 1; i < SIGRTMIN; i++) {
        const char *name = sigabbrev_np(i);
        if (name && strcasecmp(name, text) == 0)
            return i;
    }
    int base = strncasecmp(text, "RTMIN", 5) == 0 ? SIGRTMIN : strncasecmp(text, "RTMAX", 5) == 0 ? SIGRTMAX : 0;
    if (!base)
        return 0;
    long k = text[5] ? strtol(text + 5, &end, 10) : 0;
    if ((text[5] && (*end || !isdigit((unsigned char)text[6]))) || base + k < SIGRTMIN || base + k > SIGRTMAX)
        return 0;
    return base + (int)k;
}
