/* Stream frames, the client's half: taking them apart. See frame.h for the format.
 *
 * TCP and unix sockets keep no boundaries between writes, so the reader may be handed half a header or ten frames at
 * once, and must not care.
 *
 * It fails on a header that no daemon writes: an unknown stream, bytes that ought to be zero, a length beyond
 * FRAME_PAYLOAD_MAX. The usual cause is a stream that was never framed (a TTY's), read as if it were. There is no way
 * back into step after that, so the reader stays failed.
 *
 * Read next: wire/http.h for how a connection becomes such a stream. */
#include "wire/unframe.h"

#include <string.h>

/* A whole header is there: what does it announce? */
static int begin(struct frame_reader *r)
{
    const unsigned char *h = r->head;
    uint32_t n = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
    if (h[0] > FRAME_ERROR || h[1] || h[2] || h[3] || n > FRAME_PAYLOAD_MAX)
        return -1;
    r->stream = h[0];
    r->left = n;
    return 0;
}

int frame_feed(struct frame_reader *r, const void *p, size_t n, frame_sink *sink, void *arg)
{
    const unsigned char *c = p;
    /* Invariant: have < FRAME_HEAD while a header is being collected; have == FRAME_HEAD inside a payload, and after a
     * malformed header, where left stays 0 and each further call judges the same header again. */
    for (;;) {
        if (r->have < FRAME_HEAD) {
            size_t k = FRAME_HEAD - r->have < n ? FRAME_HEAD - r->have : n;
            if (k > 0)
                memcpy(r->head + r->have, c, k);
            r->have += k;
            c += k;
            n -= k;
            if (r->have < FRAME_HEAD)
                return 0;
        }
        if (r->left == 0) {
            if (begin(r) < 0)
                return -1;
            if (r->left == 0) { /* an empty frame */
                r->have = 0;
                continue;
            }
        }
        size_t k = r->left < n ? r->left : n;
        if (k == 0)
            return 0;
        r->left -= (uint32_t)k;
        if (r->left == 0)
            r->have = 0;
        int stop = sink(arg, r->stream, c, k);
        if (stop)
            return stop;
        c += k;
        n -= k;
    }
}
