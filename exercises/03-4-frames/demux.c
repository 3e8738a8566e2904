// demux - parts the stream of `docker logs` into standard output and standard error.
// Each frame: one byte 1 or 2 (the stream), three zero bytes, four bytes of length (the highest first), the text.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    unsigned char head[8];
    static char text[1 << 20];

    while (read(0, head, sizeof head) > 0) {
        size_t n = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
        if (n > sizeof text)
            errx(1, "a frame of %zu bytes is too long", n);
        if (n > 0 && read(0, text, n) < 0)
            err(1, "input");
        FILE *out = head[0] == 2 ? stderr : stdout;
        fprintf(out, "%.*s", (int)n, text);
        fflush(out);
    }
    return 0;
}
