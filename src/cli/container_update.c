/* update: the limits of containers that exist. The flags are those of create that can change later, and so are the
 * options and the JSON (create_body.c).
 *
 * Read next: create_flags.c, and on the daemon's side engine/update.c. */
#include "cli/command.h"
#include "base/json.h"
#include "cli/create.h"

#include <stdio.h>

static int update_one(struct cli *cli, const char *name, const json_t *body, struct err *e)
{
    json_auto_t *answer = cli_ask(cli, "POST", "containers", name, "/update", body, e);
    if (!answer)
        return -1;
    print_warnings(answer);
    puts(name);
    return 0;
}

static int update(struct cli *cli, void *options, const struct args *args)
{
    struct err e;
    int code = EXIT_OK;
    json_auto_t *body = create_update_body(options, &e);
    if (!body)
        return cli_fail_own(cli, &e);
    if (json_object_size(body) == 0)
        return cli_fail_own(cli, (err_set(&e, ERR_INVALID, "you must provide one or more flags"), &e));
    for (size_t i = 0; i < args->n; i++)
        if (update_one(cli, args->v[i], body, &e) < 0)
            code = cli_fail(cli, &e);
    return code;
}

#define AT(member) offsetof(struct create_options, member)
/* clang-format off */
static const struct flag update_flags[] = {
    {"blkio-weight", 0, FLAG_UINT, AT(blkio_weight), "Share of block I/O, 10 to 1000", NULL, NULL},
    {"cpu-period", 0, FLAG_INT, AT(cpu_period), "Period of the CPU quota, in microseconds", NULL, NULL},
    {"cpu-quota", 0, FLAG_INT, AT(cpu_quota), "CPU time in each period, in microseconds", NULL, NULL},
    {"cpu-rt-period", 0, FLAG_INT, AT(cpu_rt_period), "Period of the real-time quota, in microseconds", NULL, NULL},
    {"cpu-rt-runtime", 0, FLAG_INT, AT(cpu_rt_runtime), "Real-time CPU time in each period", NULL, NULL},
    {"cpu-shares", 'c', FLAG_INT, AT(cpu_shares), "Share of CPU time against other containers", NULL, NULL},
    {"cpus", 0, FLAG_NANO, AT(nano_cpus), "Number of CPUs, e.g. 1.5", NULL, NULL},
    {"cpuset-cpus", 0, FLAG_STRING, AT(cpuset_cpus), "CPUs to run on (0-3 or 0,1)", NULL, NULL},
    {"cpuset-mems", 0, FLAG_STRING, AT(cpuset_mems), "Memory nodes to use (0-3 or 0,1)", NULL, NULL},
    {"kernel-memory", 0, FLAG_SIZE, AT(kernel_memory), NULL, NULL, NULL},
    {"memory", 'm', FLAG_SIZE, AT(memory), "Memory limit, e.g. 64m", NULL, NULL},
    {"memory-reservation", 0, FLAG_SIZE, AT(memory_reservation), "Limit that counts when memory is short", NULL, NULL},
    {"memory-swap", 0, FLAG_SIZE, AT(memory_swap), "Limit of memory and swap together; -1 for no limit", NULL, NULL},
    {"pids-limit", 0, FLAG_INT, AT(pids_limit), "Number of processes; -1 for no limit", NULL, NULL},
    {"restart", 0, FLAG_STRING, AT(restart), "When to restart it: no, always, unless-stopped, on-failure[:n]", NULL, NULL},
    {.type = FLAG_END},
};
/* clang-format on */

const struct command command_update = {
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Change the limits of containers, running ones at once",
    .flags = update_flags,
    .options = sizeof(struct create_options),
    .run = update,
};
