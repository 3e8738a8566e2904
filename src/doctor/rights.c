/* What we may do: capabilities, limits, who else may do what; and the clock.
 *
 * A daemon in the foreground has its starter's limits, a service those of its unit, so the answer is that of the shell
 * in which one asks. Read next: places.c. */
#include "doctor/doctor.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

enum verdict check_privileges(const struct machine *m, struct finding *f)
{
    /* capabilities(7), by number: without the first the daemon can do nothing, the others are missed now and then */
    static const struct {
        int number;
        const char *name;
    } wanted[] = {{21, "CAP_SYS_ADMIN"},   {12, "CAP_NET_ADMIN"}, {24, "CAP_SYS_RESOURCE"}, {27, "CAP_MKNOD"},
                  {1, "CAP_DAC_OVERRIDE"}, {0, "CAP_CHOWN"},      {19, "CAP_SYS_PTRACE"}};
    autostr lacking = STR_INIT;
    autofree char *status = machine_read(m, "/proc/self/status");
    autofree char *mask = status ? line_after(status, "CapEff:") : NULL;
    if (!mask)
        return finding(f, DOCTOR_WARNING, "see capsh --print", "cannot tell which capabilities there are");
    unsigned long long bits = strtoull(mask, NULL, 16);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
        if (!(bits >> wanted[i].number & 1))
            str_addf(&lacking, " %s", wanted[i].name);
    if (!(bits >> 21 & 1))
        return finding(f, DOCTOR_MISSING, "run it as root, and not inside a container without privileges", "without%s",
                       lacking.s);
    if (lacking.len > 0)
        return finding(
            f, DOCTOR_WARNING,
            "what needs them is refused or warned of: without CAP_SYS_RESOURCE no ulimit can be raised and no "
            "oom score lowered",
            "without%s", lacking.s);
    return finding(f, DOCTOR_OK, NULL, "all that the daemon uses");
}

/* The limits of that name. @return false where they cannot be read; UINT64_MAX stands for none */
static bool limits(const struct machine *m, const char *name, uint64_t *ret_soft, uint64_t *ret_hard)
{
    char soft[32], hard[32];
    autofree char *text = machine_read(m, "/proc/self/limits");
    autofree char *line = text ? line_after(text, name) : NULL;
    if (!line || sscanf(line, "%31s %31s", soft, hard) != 2)
        return false;
    *ret_soft = *ret_hard = UINT64_MAX;
    return (str_eq(soft, "unlimited") || str_to_u64(soft, ret_soft)) &&
           (str_eq(hard, "unlimited") || str_to_u64(hard, ret_hard));
}

#define FILES_LEAST     65536 /* a container takes the daemon half a dozen, and hands its own limit on to the container */
#define PROCESSES_LEAST 4096

/* @param why which of the two limits it is */
static enum verdict judge_limit(struct finding *f, uint64_t n, const char *why, uint64_t least, const char *mend)
{
    if (n == UINT64_MAX)
        return finding(f, DOCTOR_OK, NULL, "no limit");
    return finding(f, n < least ? DOCTOR_WARNING : DOCTOR_OK, n < least ? mend : NULL, "at most %llu, %s",
                   (unsigned long long)n, why);
}

/* The daemon raises its soft limit to the hard one when it starts, so the hard one is what it will have. */
enum verdict check_files(const struct machine *m, struct finding *f)
{
    uint64_t soft, hard;
    if (!limits(m, "Max open files", &soft, &hard))
        return finding(f, DOCTOR_WARNING, "see ulimit -a", "cannot tell the limit");
    return judge_limit(f, hard, "the hard limit, to which goraed raises its own", FILES_LEAST,
                       "for some hundred containers: ulimit -Hn 524288, or LimitNOFILE= in the unit");
}

/* This one it leaves as it is, and containers inherit it. Root's own processes are not held to it (setrlimit(2)). */
enum verdict check_processes(const struct machine *m, struct finding *f)
{
    uint64_t soft, hard;
    if (!limits(m, "Max processes", &soft, &hard))
        return finding(f, DOCTOR_WARNING, "see ulimit -a", "cannot tell the limit");
    return judge_limit(f, soft, "for each user of containers but root", PROCESSES_LEAST,
                       "for some hundred containers: ulimit -u unlimited, or LimitNPROC= in the unit");
}

/* A look at what others may do: goraed is root, and its containers have none of their own. So nothing here is poorer
 * where they are forbidden, and to allow them would only weaken the machine. */
enum verdict check_user_namespaces(const struct machine *m, struct finding *f)
{
    int64_t n;
    const char *who = "everybody may make one";
    if (machine_number(m, "/proc/sys/user/max_user_namespaces", &n) && n == 0)
        who = "nobody may make one";
    else if (machine_number(m, "/proc/sys/kernel/unprivileged_userns_clone", &n) && n == 0)
        who = "only root may make one";
    else if (machine_number(m, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", &n) && n != 0)
        who = "AppArmor lets only root make one";
    else
        return finding(f, DOCTOR_OK, NULL, "%s", who);
    return finding(f, DOCTOR_OK, NULL, "%s, which is no harm: goraed is root, and its containers have none", who);
}

enum verdict check_group(const struct machine *m, struct finding *f)
{
    autofree char *groups = machine_read(m, "/etc/group"), *start = str_printf("%s:", m->group);
    autofree char *line = groups ? line_after(groups, start) : NULL;
    autofree char *mend = str_printf("addgroup --system %s; until then only root can use the socket", m->group);
    if (!line)
        return finding(f, DOCTOR_WARNING, mend, "there is no group %s", m->group);
    const char *members = strrchr(line, ':');
    return finding(f, DOCTOR_OK, NULL, "%s%s%s", m->group, members && members[1] ? ", which makes root of: " : "",
                   members ? members + 1 : "");
}

/* Certificates, events and logs go by it. We were built before now, so a clock that says otherwise is wrong. */
enum verdict check_clock(const struct machine *m, struct finding *f)
{
    struct stat self;
    struct timex t = {0};
    char now[32] = "";
    struct tm tm;
    time_t seconds = time(NULL);
    (void)m;
    if (gmtime_r(&seconds, &tm))
        strftime(now, sizeof(now), "%F %T UTC", &tm);
    if (stat("/proc/self/exe", &self) == 0 && self.st_mtim.tv_sec > seconds + 1)
        return finding(f, DOCTOR_WARNING, "timedatectl set-ntp true, or date -s",
                       "%s, which is before this program was made", now);
    if (adjtimex(&t) == TIME_ERROR)
        return finding(f, DOCTOR_WARNING, "timedatectl set-ntp true; clocks that differ make certificates fail",
                       "%s, and nobody keeps it right", now);
    return finding(f, DOCTOR_OK, NULL, "%s, kept right", now);
}
