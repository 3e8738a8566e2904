/* Scoped memory and fds: see mem.h for the contract and for what happens when memory runs out. */
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void mem_exhausted(void)
{
    static const char line[] = "gorae: out of memory\n";
    (void)!write(STDERR_FILENO, line, sizeof(line) - 1);
    _exit(EXIT_EXHAUSTED);
}

void *mem_alloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p)
        mem_exhausted();
    return p;
}

void *mem_resize(void *p, size_t n, size_t size)
{
    void *q = reallocarray(p, n ? n : 1, size ? size : 1);
    if (!q)
        mem_exhausted();
    return q;
}

char *mem_strdup(const char *s)
{
    return s ? mem_strndup(s, strlen(s)) : NULL;
}

char *mem_strndup(const char *s, size_t n)
{
    char *p = mem_alloc(n + 1);
    if (n > 0)
        memcpy(p, s, n);
    return p;
}

void mem_setup(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd <= STDERR_FILENO)
        fcntl(fd, F_SETFD, 0); /* programs that we start inherit it, as they would the real one */
    fd_close(fd);
    json_set_alloc_funcs(mem_alloc, free);
}

void mem_freep(void *pp)
{
    void *p;
    memcpy(&p, pp, sizeof(p));
    free(p);
}

void fd_close(int fd)
{
    int keep = errno;
    if (fd >= 0)
        close(fd);
    errno = keep;
}

void mem_closep(int *fd)
{
    fd_close(*fd);
}

void mem_fclosep(FILE **f)
{
    int keep = errno;
    if (*f)
        fclose(*f);
    errno = keep;
}

void mem_closedirp(DIR **d)
{
    int keep = errno;
    if (*d)
        closedir(*d);
    errno = keep;
}

#ifdef __SANITIZE_ADDRESS__
/* A test build with the address sanitizer: it looks for leaks with a thread of its own at exit, and in a process that
 * has joined another pid namespace (runtime exec) that thread waits for ever. The programs below the daemon get no
 * environment, so it is said here. */
const char *__asan_default_options(void);
__attribute__((used, visibility("default"), no_sanitize("address"))) const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif
