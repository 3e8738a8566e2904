/** @file
 * Memory that is released by leaving the scope.
 *
 * `autofree`, `autoclose` and jansson's `json_auto_t` run at the end of the block, on every path, so an
 * early `return -1` cannot leak. To hand the thing on instead, say so: `return take_ptr(&p);`.
 *
 * Running out of memory: every size that comes from outside is bounded before it is allocated, so a failed
 * allocation means that the machine itself is exhausted. Unwinding a thousand callers for that is code
 * that nobody can test; all programs instead end at one place, mem_exhausted(), with exit code 111. State
 * on disk is whole at every instant (base/file.h), so this is no worse than being killed.
 */
#ifndef GORAE_BASE_MEM_H
#define GORAE_BASE_MEM_H

#include <stddef.h>
#include <stdio.h>
#include <dirent.h>

#define EXIT_EXHAUSTED 111

/** Zeroed memory of `n` bytes; never NULL. @return the caller's, to free() */
void *mem_alloc(size_t n) __attribute__((malloc, alloc_size(1), returns_nonnull));

/** Grow or shrink `p` to `n` elements of `size` bytes, overflow checked; never NULL. New bytes are not zeroed. */
void *mem_resize(void *p, size_t n, size_t size) __attribute__((warn_unused_result, returns_nonnull));

/** A copy of `s`; NULL stays NULL. @return the caller's */
char *mem_strdup(const char *s);

/** A copy of the first `n` bytes of `s`, NUL terminated. @return the caller's */
char *mem_strndup(const char *s, size_t n) __attribute__((returns_nonnull));

/** Call first in main(). jansson gets our allocator, so that no json_… constructor can return NULL for want of memory.
 * Of descriptors 0 to 2 those that are closed lead to /dev/null: else the first file or socket that we open would be
 * standard output, and what is printed would go there. */
void mem_setup(void);

void mem_freep(void *pp);
void mem_closep(int *fd);
void mem_fclosep(FILE **f);
void mem_closedirp(DIR **d);

#define autofree     __attribute__((cleanup(mem_freep)))
#define autoclose    __attribute__((cleanup(mem_closep)))
#define autofclose   __attribute__((cleanup(mem_fclosep)))
#define autoclosedir __attribute__((cleanup(mem_closedirp)))

/** Take the pointer out of an autofree variable: the caller owns it now. */
#define take_ptr(pp)                               \
    ({                                             \
        __typeof__(pp) take_pp_ = (pp);            \
        __typeof__(*take_pp_) take_p_ = *take_pp_; \
        *take_pp_ = NULL;                          \
        take_p_;                                   \
    })

/** What an expression gives while a mutex is held, e.g. bool alive = locked(&en->lock, state_alive(c->state)); */
#define locked(mutex, value)           \
    ({                                 \
        pthread_mutex_lock(mutex);     \
        __auto_type locked_v_ = value; \
        pthread_mutex_unlock(mutex);   \
        locked_v_;                     \
    })

/** Take the fd out of an autoclose variable: the caller owns it now. */
static inline int take_fd(int *fd)
{
    int r = *fd;
    *fd = -1;
    return r;
}

/** Close `fd` if it is one, keeping errno. */
void fd_close(int fd);

#endif
