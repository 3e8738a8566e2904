// requests - reads HTTP requests from its input and tells what came.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HEAD_MAX 8192  // bytes of a head, its empty line included
#define BODY_MAX 65536 // bytes of a body

static char buf[HEAD_MAX + BODY_MAX];

static void tell(int number, const char *method, const char *target, const char *body, size_t length)
{
    unsigned long sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += (unsigned char)body[i];
    printf("%d %s %s %zu %lu\n", number, method, target, length, sum);
    fflush(stdout);
}

int main(void)
{
    ssize_t n;
    for (int number = 1; (n = read(0, buf, sizeof buf - 1)) > 0; number++) {
        char method[16] = "", target[2048] = "";
        buf[n] = '\0';
        sscanf(buf, "%15s %2047s", method, target);
        char *end = strstr(buf, "\r\n\r\n");
        char *body = end ? end + 4 : buf + n;
        tell(number, method, target, body, (size_t)(buf + n - body));
    }
    if (n < 0)
        err(1, "input");
    return 0;
}
