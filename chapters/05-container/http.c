// region head
// http.c - HTTP/1.1, as much of it as Docker speaks: RFC 9112.
#include "http.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// endregion
// region read
int http_read(struct http *h)
{
    char line[8192];
    size_t length = 0;
    if (!fgets(line, sizeof line, h->in))
        return 0;
    int end = 0; // stays 0 if the line is something else
    sscanf(line, "%15s %2047s HTTP/1.%*1d%n", h->method, h->target, &end);
    if (!end)
        return 400;
    h->query = h->target + strcspn(h->target, "?");
    if (*h->query)
        *h->query++ = '\0';
    for (int n = 0; fgets(line, sizeof line, h->in) && strcmp(line, "\r\n"); n++) {
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            length = strtoul(line + 15, NULL, 10);
        h->closing = h->closing || strncasecmp(line, "Connection: close", 17) == 0;
        if (n == 100 || !strchr(line, '\n') || strncasecmp(line, "Transfer-Encoding:", 18) == 0)
            return 400; // lines without end, a line without end, a body without a length
    }
    if (length >= sizeof h->body)
        return 413;
    h->body[length] = '\0';
    return fread(h->body, 1, length, h->in) == length && !feof(h->in) ? 200 : 400;
}
// endregion
// region write
int http_write(const struct http *h, const char *data, size_t n)
{
    for (ssize_t done = 0; n > 0; data += done, n -= (size_t)done) // write() may take less than it is given
        if ((done = write(h->fd, data, n)) < 0)
            return -1;
    return 0;
}
// endregion
// region answer-head
void http_head(const struct http *h, const char *type, ssize_t length)
{
    if (h->raw)
        return;
    char size[64] = "Transfer-Encoding: chunked\r\n";
    if (length >= 0)
        snprintf(size, sizeof size, "Content-Length: %zd\r\n", length);
    dprintf(h->fd, "HTTP/1.1 %d %s\r\nApi-Version: 1.44\r\nContent-Type: %s\r\n%s\r\n", h->status,
            h->status < 400 ? "OK" : "Error", type, h->status == 204 || h->status == 304 ? "" : size);
}
// endregion
// region chunk
int http_chunk(const struct http *h, const char *data, size_t n)
{
    if (h->raw)
        return http_write(h, data, n);
    dprintf(h->fd, "%zx\r\n", n); // the chunk's length, in hexadecimal
    return http_write(h, data, n) < 0 ? -1 : http_write(h, "\r\n", 2);
}
// endregion
// region gone
bool http_gone(const struct http *h, int ms)
{
    return poll(&(struct pollfd){.fd = h->fd, .events = h->raw ? 0 : POLLRDHUP}, 1, ms) > 0;
}
// endregion
