/** @file
 * The progress of long calls: pull, load, import and, later, build and push.
 *
 * The daemon sends one JSON object a line:
 * {"status":"Downloading","id":"5a3e…","progressDetail":{"current":1,"total":9}},
 * {"stream":"text"}, {"aux":{…}}, {"errorDetail":{"message":"…"}}. On a terminal each id keeps one line that is drawn
 * anew; elsewhere every change of status is a line, and counters are left out.
 */
#ifndef GORAE_CLI_PROGRESS_H
#define GORAE_CLI_PROGRESS_H

#include "cli/cli.h"

#include <stdio.h>

/** Show the stream up to its end. A failure that it reports becomes `e`, with the daemon's words.
 * @param out where to; NULL shows nothing @return 0 or -1 */
int progress_show(struct reply *r, FILE *out, struct err *e);

/** Pull an image: POST /images/create?fromImage=…&tag=…, and show it on `out` (NULL: nothing). A name without a tag
 * means "latest". */
int image_pull(struct cli *cli, const char *name, const char *platform, FILE *out, struct err *e);

#endif
