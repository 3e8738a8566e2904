// demux - parts the stream of `docker logs` into standard output and standard error.
// Each frame: one byte 1 or 2 (the stream), three zero bytes, four bytes of length (the highest first), the text.
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Reads n bytes, in however many pieces they come. Returns how many came: fewer than n only at the end of the input.
static size_t read_all(void *to, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = read(0, (char *)to + have, n - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err(1, "input");
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return have;
}

// Writes n bytes: text may hold any byte, zero bytes too, so printf() is not for it.
__attribute__((unused)) static void write_all(int fd, const char *text, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t put = write(fd, text + done, n - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            err(1, "output");
        done += (size_t)put;
    }
}

int main(void)
{
    unsigned char head[8];
    static char text[1 << 20];
    size_t got;

    while ((got = read_all(head, sizeof head)) == sizeof head) {
        size_t n = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
        if (head[0] != 1 && head[0] != 2)
            errx(1, "a frame of stream %d: there are 1 and 2", head[0]);
        if (n > sizeof text)
            errx(1, "a frame of %zu bytes is too long", n);
        got = read_all(text, n);
        dprintf(head[0], "%.*s", (int)got, text);
        if (got < n)
            errx(1, "the input ends inside a frame");
    }
    if (got > 0)
        errx(1, "the input ends inside the head of a frame");
    return 0;
}
