/** @file
 * Taking stream frames apart: what a client does with an attached container's, or its logs', bytes.
 */
#ifndef GORAE_WIRE_UNFRAME_H
#define GORAE_WIRE_UNFRAME_H

#include "wire/frame.h"

/** A reader that takes the bytes in any pieces. Zero-initialise. */
struct frame_reader {
    unsigned char head[FRAME_HEAD];
    size_t have;
    uint32_t left;
    int stream;
};
/** Payload of one stream; called with pieces, never with n = 0. @return 0, or non-zero to stop */
typedef int frame_sink(void *arg, int stream, const void *p, size_t n);
/** Feed bytes. @return 0; -1 on a malformed header; or what the sink returned to stop */
int frame_feed(struct frame_reader *r, const void *p, size_t n, frame_sink *sink, void *arg);

#endif
