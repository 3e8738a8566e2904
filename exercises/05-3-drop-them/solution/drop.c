// drop LIST COMMAND [WORD...] - runs a command that keeps only the capabilities of LIST, numbers with commas; "-" keeps
// none.
#include <err.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// One bit for each number of the list. A number is one that this kernel has, or the list is wrong.
static uint64_t read_list(const char *list)
{
    uint64_t kept = 0;
    if (strcmp(list, "-") == 0)
        return 0;
    for (const char *s = list;; s++) {
        char *end;
        size_t digits = strspn(s, "0123456789");
        unsigned long cap = strtoul(s, &end, 10);
        if (digits == 0 || digits > 2 || cap > 63 || prctl(PR_CAPBSET_READ, cap) < 0)
            errx(1, "%s: not a list of capabilities", list);
        kept |= UINT64_C(1) << cap;
        s = end;
        if (*s == '\0')
            return kept;
        if (*s != ',')
            errx(1, "%s: not a list of capabilities", list);
    }
}

static void drop(uint64_t kept)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct set[2] = {{.effective = (uint32_t)kept, .permitted = (uint32_t)kept},
                                            {.effective = (uint32_t)(kept >> 32), .permitted = (uint32_t)(kept >> 32)}};
    // The bounding set first: changing it needs CAP_SETPCAP, which may be one of those that go.
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        if (!(kept >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0)
            err(1, "capability %lu", cap);
    if (syscall(SYS_capset, &head, set) < 0) // inheritable: none; and so none is ambient
        err(1, "capset");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        err(1, "no_new_privs");
}

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: drop LIST COMMAND [WORD...]");
    drop(read_list(argv[1]));
    execvp(argv[2], argv + 2);
    err(127, "%s", argv[2]);
}
