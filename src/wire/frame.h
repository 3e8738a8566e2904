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
#define FRAME_PAYLOAD_MAX (16u << 20) /**< longer frames are refused by frame_feed(), unframe.h */

void frame_head(unsigned char out[FRAME_HEAD], int stream, uint32_t n);

#endif
