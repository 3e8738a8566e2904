/* Limits: see rlimit.h. RLIM_INFINITY is the largest rlim_t, so that every value is below it. */
#include "base/rlimit.h"

int rlimit_lower(__rlimit_resource_t what, rlim_t value, struct err *e)
{
    struct rlimit r;
    if (getrlimit(what, &r) < 0)
        return err_sys(e, "getrlimit");
    if (value < r.rlim_max)
        r.rlim_max = value;
    r.rlim_cur = r.rlim_max;
    return setrlimit(what, &r) == 0 ? 0 : err_sys(e, "setrlimit");
}
