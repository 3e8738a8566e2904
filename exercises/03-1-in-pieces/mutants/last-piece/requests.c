// requests - reads HTTP requests from its input and tells what came.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HEAD_MAX 8192  // bytes of a head, its empty line included
#define BODY_MAX 65536 // bytes of a body

static char buf[HEAD_MAX + BODY_MAX]; // what has come and is not yet told; it begins with the head of a request
static size_t have;                   // so many bytes
static int number = 1;                // of the request that is being read

static void tell(const char *method, const char *target, const char *body, size_t length)
{
    unsigned long sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += (unsigned char)body[i];
    printf("%d %s %s %zu %lu\n", number, method, target, length, sum);
    fflush(stdout);
}

static void refuse(int status)
{
    printf("%d %d\n", number, status);
    exit(1);
}

// Adds to buf what comes next, much or little. Returns 0 at the end of the input.
static int more(void)
{
    ssize_t n = read(0, buf + have, sizeof buf - have);
    if (n < 0)
        err(1, "input");
    have += (size_t)n;
    return n > 0;
}

// Reads until a whole head is there. Returns its length, with the empty line; 0 if nothing more came.
static size_t read_head(void)
{
    size_t seen = 0;
    for (;;) {
        char *end = memmem(buf + seen, (have < HEAD_MAX ? have : HEAD_MAX) - seen, "\r\n\r\n", 4);
        if (end)
            return (size_t)(end + 4 - buf);
        seen = have;
        if (have >= HEAD_MAX)
            refuse(400);
        if (!more()) {
            if (have > 0)
                refuse(400);
            return 0;
        }
    }
}

static size_t body_length(size_t head)
{
    const char *line = buf;
    while ((line = memmem(line, (size_t)(buf + head - line), "\r\n", 2))) {
        line += 2;
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            return strtoul(line + 15, NULL, 10);
    }
    return 0;
}

int main(void)
{
    for (size_t head; (head = read_head()) > 0; number++) {
        char method[16] = "", target[2048] = "";
        buf[head - 1] = '\0';
        sscanf(buf, "%15s %2047s", method, target);
        size_t length = body_length(head);
        if (length > BODY_MAX)
            refuse(413);
        while (have < head + length)
            if (!more())
                refuse(400);
        tell(method, target, buf + head, length);
        have -= head + length; // what is left is the beginning of the next one
        memmove(buf, buf + head + length, have);
    }
    return 0;
}
