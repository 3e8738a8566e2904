/** @file
 * Completion: what the word that is being typed may become. */
#ifndef GORAE_CLI_COMPLETE_H
#define GORAE_CLI_COMPLETE_H

#include "cli/cli.h"

/** Print proposals for the last of the words typed after "gorae". @return EXIT_OK, whatever the daemon says */
int complete(struct cli *cli, const struct args *words);

#endif
