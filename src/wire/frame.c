/* Stream frames, writing them: see frame.h for the format.
 *
 * A TTY merges a program's stdout and stderr before anybody can tell them apart. Without one they are two pipes, and
 * this thin wrapping lets both share the one connection of attach, exec and logs.
 *
 * Read next: unframe.c, the other end. */
#include "wire/frame.h"

#include <string.h>

void frame_head(unsigned char out[FRAME_HEAD], int stream, uint32_t n)
{
    memset(out, 0, FRAME_HEAD);
    out[0] = (unsigned char)stream;
    for (int i = 0; i < 4; i++)
        out[4 + i] = (unsigned char)(n >> (24 - 8 * i));
}
