// room FIFO - measures a named pipe: how much is in it, how much it holds at most, and which writes it keeps whole.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ROOM_MAX (4 << 20) // bytes; more than any pipe of an ordinary user has

static char before[ROOM_MAX], scratch[ROOM_MAX];

// Reads until the pipe is empty. Returns how much there was.
static int drain(int fd, char *to)
{
    int all = 0;
    ssize_t n;
    while ((n = read(fd, to + all, (size_t)(ROOM_MAX - all))) > 0)
        all += (int)n;
    if (n < 0 && errno != EAGAIN)
        err(1, "read");
    return all;
}

// Writes single bytes until no more fit. Returns how many did. Larger pieces could be refused though a little room is
// left.
static int fill(int fd)
{
    int all = 0;
    while (write(fd, scratch, 3000) > 0)
        all += 3000;
    if (errno != EAGAIN)
        err(1, "write");
    return all;
}

// A pipe with room for all but one byte of a write either refuses the write (it is kept whole) or takes a part.
static int largest_whole(int fd, int capacity)
{
    int low = 1, high = capacity; // `low` is kept whole; one of more than the pipe's room, capacity + 1, cannot be
    while (low < high) {
        int size = low + (high - low + 1) / 2;
        drain(fd, scratch);
        for (int i = 0; i < capacity - size + 1; i++)
            if (write(fd, "x", 1) != 1)
                err(1, "write");
        if (write(fd, before, (size_t)size) < 0 && errno == EAGAIN)
            low = size;
        else
            high = size - 1;
    }
    drain(fd, scratch);
    return low;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: room FIFO");
    int fd = open(argv[1], O_RDWR | O_NONBLOCK | O_CLOEXEC); // a full or empty pipe gives EAGAIN, it does not wait
    if (fd < 0)
        err(1, "%s", argv[1]);

    int held = drain(fd, before);
    int capacity = fill(fd);
    int whole = largest_whole(fd, capacity);
    if (write(fd, before, (size_t)held) != held) // what was in it stays in it
        err(1, "%s", argv[1]);

    printf("held %d\ncapacity %d\nwhole %d\n", held, capacity, whole);
    return 0;
}
