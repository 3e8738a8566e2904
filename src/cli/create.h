/** @file
 * create and run: the options, and the request they become.
 *
 *     create_flags.c   the table of flags                    argv ──▶ struct create_options
 *     create_body.c    the JSON of POST /containers/create   ──▶ Config, HostConfig
 *     create_mount.c   -v, --mount, --tmpfs
 *     create_net.c     --network and its relatives, -p       ──▶ NetworkingConfig
 *     run.c            create, start, attach, wait
 */
#ifndef GORAE_CLI_CREATE_H
#define GORAE_CLI_CREATE_H

#include "cli/cli.h"

/** All that the flags of create and run can say, in the order of the API's objects.  */
struct create_options {
    /* what the client itself does */
    bool detach, quiet, rm, sig_proxy, trust;
    char *name, *cidfile, *platform, *pull, *detach_keys;
    struct strv attach;
    /* Config: the process */
    bool interactive, tty;
    char *hostname, *domainname, *user, *workdir, *entrypoint, *stop_signal, *mac_address;
    int64_t stop_timeout;
    struct strv env, env_file, label, label_file, expose, volume;
    bool no_healthcheck;
    char *health_cmd;
    int64_t health_interval, health_timeout, health_start_period, health_start_interval, health_retries;
    /* HostConfig: where it runs */
    bool privileged, read_only, publish_all;
    enum flag_switch init, oom_kill_disable;
    char *ipc, *pid, *uts, *userns, *cgroupns, *cgroup_parent, *runtime, *isolation, *restart, *log_driver,
        *volume_driver;
    struct strv cap_add, cap_drop, security_opt, group_add, device, device_rule, gpus, mount, tmpfs, volumes_from,
        storage_opt, sysctl, annotation, log_opt, ulimit;
    /* HostConfig: limits */
    int64_t memory, memory_swap, memory_reservation, kernel_memory, memory_swappiness, shm_size, oom_score_adj,
        pids_limit, cpu_shares, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime, nano_cpus, blkio_weight;
    char *cpuset_cpus, *cpuset_mems;
    struct strv blkio_weight_device, read_bps, write_bps, read_iops, write_iops;
    /* the network */
    struct strv network, network_alias, link, link_local_ip, publish, add_host, dns, dns_option, dns_search;
    char *ip, *ip6;
};

extern const struct flag create_flags[], run_flags[];

/** The body of POST /containers/create. @param args the image, the command and its arguments
 * @return a new reference, or NULL with ERR_INVALID */
json_t *create_body(const struct create_options *o, const struct args *args, struct err *e);

/** The body of POST /containers/{id}/update, from those of the options that can change later. */
json_t *create_update_body(struct create_options *o, struct err *e);

/** -v, --mount and --tmpfs: into Config.Volumes, HostConfig.Binds, .Mounts and .Tmpfs. */
int create_mounts(const struct create_options *o, json_t *config, json_t *host, struct err *e);

/** -p, --expose, --network …: into Config.ExposedPorts, HostConfig and NetworkingConfig. */
int create_network(const struct create_options *o, json_t *config, json_t *host, json_t *networking, struct err *e);

/** Which streams to attach, from -a, -i and -d. */
struct attach_choice {
    bool in, out, error;
};
int create_attach_choice(const struct create_options *o, struct attach_choice *ret, struct err *e);

/** The variables of --env-file and then those of --env, added to `ret`; "NAME" alone has got its value. */
int env_collect(const struct strv *env, const struct strv *files, struct strv *ret, struct err *e);

/** Split "a=b,c,\"d=e,f\"" as comma-separated values; quotes keep commas. */
int csv_split(const char *text, struct strv *ret, struct err *e);

/** The answer's "Warnings", on standard error. */
void print_warnings(const json_t *answer);

/** Create the container; pull the image first where the daemon lacks it or --pull says so.
 * @return its id, the caller's, or NULL */
char *create_container(struct cli *cli, const struct create_options *o, const struct args *args, struct err *e);

#endif
