/** @file
 * The stream multiplexing of attach, exec and logs without a TTY (Engine API, "Stream format").
 *
 * Eight bytes of header (stream number, three zeros, length big-endian), then the payload. A frame belongs to one
 * stream; an empty frame is legal. Stream 3 carries an error text and ends the conversation.
 */
#ifndef GORAE_WIRE_FRAME_H
#define GORAE_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

enum { FRAME_STDIN = 0, FRAME_STDOUT = 1, FRAME_STDERR = 2, FRAME_ERROR = 3 };
#define FRAME_HEAD        8
#define FRAME_PAYLOAD_MAX (16u << 20) /**< longer frames are refused by frame_feed() */

void frame_head(unsigned char out[FRAME_HEAD], int stream, uint32_t n);

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
