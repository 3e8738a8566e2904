/* The flags of create and run: one table, docker's names and letters.
 *
 * The two differ in a handful of flags, so there are two tables with a common part. Read next: create_body.c. */
#include "cli/create.h"

#define AT(member) offsetof(struct create_options, member)

#define WINDOWS "it exists on Windows only"

/* clang-format off */
#define COMMON_FLAGS \
    {"add-host", 0, FLAG_LIST, AT(add_host), "Add a line to /etc/hosts (name:address)", NULL, NULL}, \
    {"annotation", 0, FLAG_PAIRS, AT(annotation), "Hand an annotation to the OCI runtime", NULL, NULL}, \
    {"attach", 'a', FLAG_LIST, AT(attach), "Attach only stdin, stdout or stderr", NULL, NULL}, \
    {"blkio-weight", 0, FLAG_UINT, AT(blkio_weight), "Share of block I/O, 10 to 1000", NULL, NULL}, \
    {"blkio-weight-device", 0, FLAG_LIST, AT(blkio_weight_device), "Likewise for one device (path:weight)", NULL, NULL}, \
    {"cap-add", 0, FLAG_LIST, AT(cap_add), "Add a Linux capability", NULL, NULL}, \
    {"cap-drop", 0, FLAG_LIST, AT(cap_drop), "Take a Linux capability away", NULL, NULL}, \
    {"cgroup-parent", 0, FLAG_STRING, AT(cgroup_parent), "Cgroup below which the container's is made", NULL, NULL}, \
    {"cgroupns", 0, FLAG_STRING, AT(cgroupns), "Cgroup namespace: host or private", NULL, NULL}, \
    {"cidfile", 0, FLAG_STRING, AT(cidfile), "Write the container's id into a new file", NULL, NULL}, \
    {"cpu-count", 0, FLAG_REFUSED, 0, NULL, WINDOWS, NULL}, \
    {"cpu-percent", 0, FLAG_REFUSED, 0, NULL, WINDOWS, NULL}, \
    {"cpu-period", 0, FLAG_INT, AT(cpu_period), "Period of the CPU quota, in microseconds", NULL, NULL}, \
    {"cpu-quota", 0, FLAG_INT, AT(cpu_quota), "CPU time in each period, in microseconds", NULL, NULL}, \
    {"cpu-rt-period", 0, FLAG_INT, AT(cpu_rt_period), "Period of the real-time quota, in microseconds", NULL, NULL}, \
    {"cpu-rt-runtime", 0, FLAG_INT, AT(cpu_rt_runtime), "Real-time CPU time in each period", NULL, NULL}, \
    {"cpu-shares", 'c', FLAG_INT, AT(cpu_shares), "Share of CPU time against other containers", NULL, NULL}, \
    {"cpus", 0, FLAG_NANO, AT(nano_cpus), "Number of CPUs, e.g. 1.5", NULL, NULL}, \
    {"cpuset-cpus", 0, FLAG_STRING, AT(cpuset_cpus), "CPUs to run on (0-3 or 0,1)", NULL, NULL}, \
    {"cpuset-mems", 0, FLAG_STRING, AT(cpuset_mems), "Memory nodes to use (0-3 or 0,1)", NULL, NULL}, \
    {"device", 0, FLAG_LIST, AT(device), "Give it a device of the host (host[:container[:rwm]])", NULL, NULL}, \
    {"device-cgroup-rule", 0, FLAG_LIST, AT(device_rule), "Add a rule to the allowed devices", NULL, NULL}, \
    {"device-read-bps", 0, FLAG_LIST, AT(read_bps), "Limit reading from a device (path:bytes a second)", NULL, NULL}, \
    {"device-read-iops", 0, FLAG_LIST, AT(read_iops), "Limit reads from a device (path:number a second)", NULL, NULL}, \
    {"device-write-bps", 0, FLAG_LIST, AT(write_bps), "Limit writing to a device (path:bytes a second)", NULL, NULL}, \
    {"device-write-iops", 0, FLAG_LIST, AT(write_iops), "Limit writes to a device (path:number a second)", NULL, NULL}, \
    {"disable-content-trust", 0, FLAG_BOOL, AT(trust), NULL, NULL, NULL}, \
    {"dns", 0, FLAG_LIST, AT(dns), "Ask this name server", NULL, NULL}, \
    {"dns-option", 0, FLAG_LIST, AT(dns_option), "Option line of resolv.conf", NULL, NULL}, \
    {"dns-opt", 0, FLAG_LIST, AT(dns_option), NULL, NULL, NULL}, \
    {"dns-search", 0, FLAG_LIST, AT(dns_search), "Search this domain for short names", NULL, NULL}, \
    {"domainname", 0, FLAG_STRING, AT(domainname), "NIS domain name", NULL, NULL}, \
    {"entrypoint", 0, FLAG_STRING, AT(entrypoint), "Program to run in place of the image's; \"\" for none", NULL, NULL}, \
    {"env", 'e', FLAG_LIST, AT(env), "Set a variable (NAME=value); NAME alone takes the value from here", NULL, NULL}, \
    {"env-file", 0, FLAG_LIST, AT(env_file), "Set the variables that a file lists", NULL, NULL}, \
    {"expose", 0, FLAG_LIST, AT(expose), "Declare a port or a range", NULL, NULL}, \
    {"gpus", 0, FLAG_LIST, AT(gpus), "Ask for GPUs: all, or a number", NULL, NULL}, \
    {"group-add", 0, FLAG_LIST, AT(group_add), "Add a supplementary group", NULL, NULL}, \
    {"health-cmd", 0, FLAG_STRING, AT(health_cmd), "Shell command that tells whether it is well", NULL, NULL}, \
    {"health-interval", 0, FLAG_DURATION, AT(health_interval), "Time between two checks", NULL, NULL}, \
    {"health-retries", 0, FLAG_UINT, AT(health_retries), "Failures in a row that make it unhealthy", NULL, NULL}, \
    {"health-start-interval", 0, FLAG_DURATION, AT(health_start_interval), "Time between checks while it starts", NULL, NULL}, \
    {"health-start-period", 0, FLAG_DURATION, AT(health_start_period), "Time to start, in which failures do not count", NULL, NULL}, \
    {"health-timeout", 0, FLAG_DURATION, AT(health_timeout), "Longest time for one check", NULL, NULL}, \
    {"hostname", 'h', FLAG_STRING, AT(hostname), "Host name inside", NULL, NULL}, \
    {"init", 0, FLAG_SWITCH, AT(init), "Run a small init as process 1, which reaps zombies", NULL, NULL}, \
    {"interactive", 'i', FLAG_BOOL, AT(interactive), "Keep standard input open", NULL, NULL}, \
    {"io-maxbandwidth", 0, FLAG_REFUSED, 0, NULL, WINDOWS, NULL}, \
    {"io-maxiops", 0, FLAG_REFUSED, 0, NULL, WINDOWS, NULL}, \
    {"ip", 0, FLAG_STRING, AT(ip), "IPv4 address on its network", NULL, NULL}, \
    {"ip6", 0, FLAG_STRING, AT(ip6), "IPv6 address on its network", NULL, NULL}, \
    {"ipc", 0, FLAG_STRING, AT(ipc), "IPC namespace: private, shareable, none, host or container:NAME", NULL, NULL}, \
    {"isolation", 0, FLAG_STRING, AT(isolation), NULL, NULL, NULL}, \
    {"kernel-memory", 0, FLAG_SIZE, AT(kernel_memory), NULL, NULL, NULL}, \
    {"label", 'l', FLAG_LIST, AT(label), "Attach a label (key=value)", NULL, NULL}, \
    {"label-file", 0, FLAG_LIST, AT(label_file), "Attach the labels that a file lists", NULL, NULL}, \
    {"link", 0, FLAG_LIST, AT(link), "Reach another container by a name (container:alias)", NULL, NULL}, \
    {"link-local-ip", 0, FLAG_LIST, AT(link_local_ip), "Link-local address", NULL, NULL}, \
    {"log-driver", 0, FLAG_STRING, AT(log_driver), "Where its output is kept: json-file, local, journald, none", NULL, NULL}, \
    {"log-opt", 0, FLAG_PAIRS, AT(log_opt), "Option of the log driver, e.g. max-size=10m", "list", NULL}, \
    {"mac-address", 0, FLAG_STRING, AT(mac_address), "Hardware address on its network", NULL, NULL}, \
    {"memory", 'm', FLAG_SIZE, AT(memory), "Memory limit, e.g. 64m", NULL, NULL}, \
    {"memory-reservation", 0, FLAG_SIZE, AT(memory_reservation), "Limit that counts when memory is short", NULL, NULL}, \
    {"memory-swap", 0, FLAG_SIZE, AT(memory_swap), "Limit of memory and swap together; -1 for no limit", NULL, NULL}, \
    {"memory-swappiness", 0, FLAG_INT, AT(memory_swappiness), "How readily to swap, 0 to 100", NULL, "-1"}, \
    {"mount", 0, FLAG_LIST, AT(mount), "Mount something (type=bind|volume|tmpfs,src=…,dst=…)", "mount", NULL}, \
    {"name", 0, FLAG_STRING, AT(name), "Name of the container", NULL, NULL}, \
    {"net", 0, FLAG_LIST, AT(network), NULL, NULL, NULL}, \
    {"net-alias", 0, FLAG_LIST, AT(network_alias), NULL, NULL, NULL}, \
    {"network", 0, FLAG_LIST, AT(network), "Network to connect to: a name, bridge, host, none or container:NAME", "network", NULL}, \
    {"network-alias", 0, FLAG_LIST, AT(network_alias), "Another name for it on its network", NULL, NULL}, \
    {"no-healthcheck", 0, FLAG_BOOL, AT(no_healthcheck), "Do not run the image's health check", NULL, NULL}, \
    {"oom-kill-disable", 0, FLAG_SWITCH, AT(oom_kill_disable), "Let it hang instead of killing it when memory is used up", NULL, NULL}, \
    {"oom-score-adj", 0, FLAG_INT, AT(oom_score_adj), "How early to be killed when memory is short (-1000 to 1000)", NULL, NULL}, \
    {"pid", 0, FLAG_STRING, AT(pid), "PID namespace: host or container:NAME", NULL, NULL}, \
    {"pids-limit", 0, FLAG_INT, AT(pids_limit), "Number of processes; -1 for no limit", NULL, NULL}, \
    {"platform", 0, FLAG_STRING, AT(platform), "Platform of the image (os[/arch[/variant]])", NULL, NULL}, \
    {"privileged", 0, FLAG_BOOL, AT(privileged), "Give it the host's rights. It is no boundary any more", NULL, NULL}, \
    {"publish", 'p', FLAG_LIST, AT(publish), "Make a port reachable ([[ip:]host:]container[/udp])", NULL, NULL}, \
    {"publish-all", 'P', FLAG_BOOL, AT(publish_all), "Make all exposed ports reachable, on free ports", NULL, NULL}, \
    {"pull", 0, FLAG_STRING, AT(pull), "When to pull the image: always, missing or never", NULL, "missing"}, \
    {"quiet", 'q', FLAG_BOOL, AT(quiet), "Do not show the progress of a pull", NULL, NULL}, \
    {"read-only", 0, FLAG_BOOL, AT(read_only), "Mount its root file system read-only", NULL, NULL}, \
    {"restart", 0, FLAG_STRING, AT(restart), "When to restart it: no, always, unless-stopped, on-failure[:n]", NULL, "no"}, \
    {"rm", 0, FLAG_BOOL, AT(rm), "Remove it, and its anonymous volumes, when it exits", NULL, NULL}, \
    {"runtime", 0, FLAG_STRING, AT(runtime), "OCI runtime to run it with", NULL, NULL}, \
    {"security-opt", 0, FLAG_LIST, AT(security_opt), "seccomp=FILE, no-new-privileges, apparmor=…, label=…", NULL, NULL}, \
    {"shm-size", 0, FLAG_SIZE, AT(shm_size), "Size of /dev/shm", NULL, NULL}, \
    {"stop-signal", 0, FLAG_STRING, AT(stop_signal), "Signal that asks it to stop", NULL, NULL}, \
    {"stop-timeout", 0, FLAG_INT, AT(stop_timeout), "Seconds to wait before it is killed", NULL, FLAG_UNSET}, \
    {"storage-opt", 0, FLAG_PAIRS, AT(storage_opt), "Option of the storage driver", "list", NULL}, \
    {"sysctl", 0, FLAG_PAIRS, AT(sysctl), "Set a kernel parameter inside (name=value)", NULL, NULL}, \
    {"tmpfs", 0, FLAG_LIST, AT(tmpfs), "Mount a tmpfs (path[:options])", NULL, NULL}, \
    {"tty", 't', FLAG_BOOL, AT(tty), "Give it a terminal", NULL, NULL}, \
    {"ulimit", 0, FLAG_LIST, AT(ulimit), "Set a resource limit (name=soft[:hard])", "ulimit", NULL}, \
    {"use-api-socket", 0, FLAG_REFUSED, 0, NULL, "whoever has the daemon's socket is root here; give it with -v if you mean it", NULL}, \
    {"user", 'u', FLAG_STRING, AT(user), "User to run as (name|uid[:group|gid])", NULL, NULL}, \
    {"userns", 0, FLAG_STRING, AT(userns), "User namespace: host", NULL, NULL}, \
    {"uts", 0, FLAG_STRING, AT(uts), "UTS namespace: host", NULL, NULL}, \
    {"volume", 'v', FLAG_LIST, AT(volume), "Mount a folder or volume ([source:]path[:options])", NULL, NULL}, \
    {"volume-driver", 0, FLAG_STRING, AT(volume_driver), "Driver of its volumes", NULL, NULL}, \
    {"volumes-from", 0, FLAG_LIST, AT(volumes_from), "Mount the volumes of another container (name[:ro])", NULL, NULL}, \
    {"workdir", 'w', FLAG_STRING, AT(workdir), "Working directory inside", NULL, NULL}

const struct flag create_flags[] = {
    COMMON_FLAGS,
    {.type = FLAG_END},
};

const struct flag run_flags[] = {
    {"detach", 'd', FLAG_BOOL, AT(detach), "Leave it in the background, print its id", NULL, NULL},
    {"detach-keys", 0, FLAG_STRING, AT(detach_keys), "Keys that leave it running (default ctrl-p,ctrl-q)", NULL, NULL},
    {"sig-proxy", 0, FLAG_BOOL, AT(sig_proxy), "Hand signals on to its process", NULL, "true"},
    COMMON_FLAGS,
    {.type = FLAG_END},
};
/* clang-format on */
