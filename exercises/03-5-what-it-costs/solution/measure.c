// measure - reads the files asked and came, and prints the answers. It walks along the bytes as a server and a client
// do.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char method[64][8]; // of each request: the answer to HEAD has no body
static int trips, failed, frames;
static size_t heads, chunks, output;

// The file's bytes; *n says how many. One more byte is there, a zero.
static char *load(const char *file, size_t *n)
{
    char *bytes = calloc(1, 1 << 20);
    FILE *f = fopen(file, "r");
    if (!bytes || !f)
        err(1, "%s", file);
    *n = fread(bytes, 1, (1 << 20) - 1, f);
    fclose(f);
    return bytes;
}

// The length of the head at `at`, its empty line included. Sets *body to what Content-Length says, -1 for chunks.
static size_t head(const char *at, long *body)
{
    const char *end = strstr(at, "\r\n\r\n");
    if (!end)
        errx(1, "a head without an end");
    *body = 0;
    for (const char *line = strstr(at, "\r\n"); line < end; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "Content-Length:", 15) == 0)
            *body = strtol(line + 17, NULL, 10);
        if (strncasecmp(line + 2, "Transfer-Encoding: chunked", 26) == 0)
            *body = -1;
    }
    return (size_t)(end + 4 - at);
}

static void count_frames(const unsigned char *at, const unsigned char *end)
{
    for (size_t n; at < end; at += 8 + n, frames++) {
        n = (size_t)at[4] << 24 | (size_t)at[5] << 16 | (size_t)at[6] << 8 | at[7];
        output += at[0] == 1 ? n : 0;
    }
}

// Takes the chunks off. Returns how long it all was.
static size_t unpack(const char *from)
{
    static char body[1 << 20];
    size_t have = 0;
    const char *at = from;
    for (char *data;; at = data + 2) {
        size_t n = strtoul(at, &data, 16);
        data += 2;
        memcpy(body + have, data, n);
        have += n;
        data += n;
        if (n == 0) {
            count_frames((unsigned char *)body, (unsigned char *)body + have);
            chunks = (size_t)(data + 2 - from) - have;
            return (size_t)(data + 2 - from);
        }
    }
}

int main(void)
{
    size_t n;
    long body;
    char *bytes = load("asked", &n);
    for (char *at = bytes; at < bytes + n; at += body) {
        sscanf(at, "%7s", method[trips++ % 64]);
        size_t length = head(at, &body);
        heads += length;
        at += length;
    }
    bytes = load("came", &n);
    for (char *at = bytes; at < bytes + n;) {
        static int number;
        failed += at[9] == '4' || at[9] == '5';
        at += head(at, &body);
        if (strcmp(method[number++ % 64], "HEAD") == 0)
            body = 0;
        at += body < 0 ? unpack(at) : (size_t)body;
    }
    printf("trips: %d\nfailed: %d\nheads: %zu\nchunks: %zu\nframes: %d\noutput: %zu\n", trips, failed, heads, chunks,
           frames, output);
    return 0;
}
