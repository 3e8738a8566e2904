/* Networks: see net.h. A container without a bridge still gets a network namespace of its own: what it cannot reach, it
 * cannot attack, and a program in it may bind any port without colliding with the host's. */
#include "net/net.h"
#include "base/str.h"

int net_plan(const char *mode, enum net_kind *ret, struct err *e)
{
    if (str_eq(mode, "none") || str_eq(mode, "default") || str_eq(mode, "bridge") || str_eq(mode, "")) {
        *ret = NET_LOOPBACK;
        return 0;
    }
    if (str_eq(mode, "host")) {
        *ret = NET_HOST;
        return 0;
    }
    if (str_starts(mode, "container:"))
        return err_set(e, ERR_NOT_IMPLEMENTED,
                       "network mode %s: sharing another container's network comes with the "
                       "step on networks",
                       mode);
    return err_set(e, ERR_NOT_FOUND, "network %s not found", mode);
}
