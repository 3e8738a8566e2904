/* Daemon and shim: see shimproto.h for the vocabulary. Both ends are ours and both run as root, yet a packet is parsed
 * as strictly as one from outside: after an upgrade the two may be of different versions. */
#include "base/shimproto.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sock.h"

#include <string.h>

int shimproto_send(int sock, const json_t *msg, int fd, struct err *e)
{
    autofree char *text = json_compact(msg);
    if (sock_send(sock, text, strlen(text), fd) < 0)
        return err_sys(e, "send to the other end of the shim's socket");
    return 0;
}

json_t *shimproto_recv(int sock, int *ret_fd, struct err *e)
{
    if (ret_fd)
        *ret_fd = -1;
    ssize_t n = sock_next(sock); /* most are short: room for the longest would cost more than to ask */
    if (n < 0)
        return err_null(err_sys(e, "wait for the other end of the shim's socket"));
    size_t room = n < SOCK_PACKET_MAX ? (size_t)n : SOCK_PACKET_MAX;
    autofree char *text = mem_alloc(room);
    n = sock_recv(sock, text, room, ret_fd);
    if (n < 0)
        return err_null(err_sys(e, "receive from the other end of the shim's socket"));
    if (n == 0) {
        e->kind = ERR_NONE;
        return NULL;
    }
    json_t *msg = json_parse(text, (size_t)n, e);
    if (!msg && ret_fd)
        mem_closep(ret_fd);
    return msg;
}
