/* A new network namespace holds one interface, the loopback, and it is down. Programs expect 127.0.0.1 to work, so it
 * is brought up here; all other interfaces are the daemon's business. netdevice(7). */
#include "runtime/child.h"
#include "base/mem.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int child_network(struct child *c, struct err *e)
{
    if (!plan_new(c->plan, NS_NETWORK))
        return 0;
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) < 0)
        return err_sys(e, "bring up the loopback interface");
    return 0;
}
