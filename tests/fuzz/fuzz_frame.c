/* Stream frames: frame_feed().
 *
 * Properties:
 *   1. Split invariance: the same bytes in any pieces give each stream the same payload, in the same order, and the
 * same verdict.
 *   2. Payload is never more than the bytes that were fed. */
#include "fuzz.h"
#include "wire/unframe.h"

#include <string.h>

struct log {
    struct str text;
    int stream;
};

static int sink(void *arg, int stream, const void *p, size_t n)
{
    struct log *l = arg;
    HOLDS(n > 0 && stream >= FRAME_STDIN && stream <= FRAME_ERROR);
    if (l->stream != stream) /* how a payload was cut into calls is not part of the result */
        str_addf(&l->text, "\n<%d>", stream);
    l->stream = stream;
    str_addn(&l->text, p, n);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct log log[CUTS] = {{STR_INIT, -1}, {STR_INIT, -1}, {STR_INIT, -1}};
    int verdict[CUTS];
    for (int i = 0; i < CUTS; i++) {
        struct frame_reader r = {0};
        struct cutter c = cutter_new((enum cut)i, data, size);
        verdict[i] = 0;
        for (size_t at = 0; at < size && verdict[i] == 0;) {
            size_t n = cutter_next(&c, size - at);
            verdict[i] = frame_feed(&r, data + at, n, sink, &log[i]);
            at += n;
        }
        str_addf(&log[i].text, "\nhave %zu left %u", r.have, r.left);
        HOLDS(verdict[i] == verdict[0]);
        HOLDS(log[i].text.len == log[0].text.len && memcmp(log[i].text.s, log[0].text.s, log[0].text.len) == 0);
    }
    for (int i = 0; i < CUTS; i++)
        str_release(&log[i].text);
    return 0;
}
