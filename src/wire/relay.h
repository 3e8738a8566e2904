/** @file
 * Copying between a pair of streams and a daemon's socket: what `system dial-stdio` does at the far end of ssh://.
 */
#ifndef GORAE_WIRE_RELAY_H
#define GORAE_WIRE_RELAY_H

#include "base/err.h"

#include <stdbool.h>

/** Copy `in` to `daemon` and `daemon` to `out`, handing ends on as half-closes, until no byte can be of use any more.
 * Blocks on nothing but poll(2); SIGPIPE must be ignored; `out` is closed where it is a pipe.
 * @param tells `daemon` is its unix socket, where hanging up differs from having said all
 * @return 0, or -1 where a stream could not be read */
int relay(int in, int out, int daemon, bool tells, struct err *e);

#endif
