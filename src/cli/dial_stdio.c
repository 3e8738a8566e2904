/* `gorae system dial-stdio`: what runs at the other end of ssh://, and `gorae __tie`, which starts ssh at this end.
 *
 *     gorae ── socket ── ssh ══ network ══ sshd ── pipes ── gorae system dial-stdio ── socket ── goraed
 *
 * It copies bytes between its standard streams and the daemon and understands none of them. The stock client runs
 * `docker system dial-stdio`; a link of that name to gorae serves it (README, "Thirty machines").
 * Read next: wire/relay.c, wire/ssh.c. */
#include "cli/command.h"
#include "base/mem.h"
#include "wire/relay.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static int dial_stdio(struct cli *cli, void *options, const struct args *args)
{
    struct err e;
    (void)options, (void)args;
    signal(SIGPIPE, SIG_IGN);
    autoclose int why = -1;
    autoclose int fd = client_connect(&cli->client, &why, &e);
    if (fd < 0)
        return cli_fail(cli, &e);
    bool tells = str_starts(cli->client.host, "unix://");
    return relay(STDIN_FILENO, STDOUT_FILENO, fd, tells, &e) < 0 ? cli_fail(cli, &e) : EXIT_OK;
}

int tie(const struct args *args)
{
    uint64_t parent;
    if (args->n < 4 || !str_to_u64(args->v[1], &parent))
        return EXIT_USAGE;
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != (pid_t)parent) /* it may be dead already */
        return EXIT_FAILED;
    autofree char **line = mem_alloc(args->n * sizeof(*line));
    memcpy(line, args->v + 3, (args->n - 3) * sizeof(*line));
    execv(args->v[2], line);
    perror(args->v[2]);
    return EXIT_NOT_FOUND;
}

const struct command command_dial_stdio = {
    .summary = "Carry a connection to the daemon on standard input and output, for ssh://",
    .run = dial_stdio,
};
