/* What each thread does: see doing.h. One list under one lock, newest first, so that of a thread's own entries the
 * innermost is met first. */
#include "base/doing.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct doing *list;

void doing_begin(struct doing *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d->text, sizeof(d->text), fmt, ap);
    va_end(ap);
    d->tid = gettid();
    d->since = clock_mono();
    pthread_mutex_lock(&lock);
    d->next = list;
    list = d;
    pthread_mutex_unlock(&lock);
}

void doing_end(struct doing *d)
{
    pthread_mutex_lock(&lock);
    for (struct doing **at = &list; *at; at = &(*at)->next) {
        if (*at == d) {
            *at = d->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

bool doing_of(pid_t tid, struct doing *ret)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (const struct doing *d = list; d && !found; d = d->next) {
        found = d->tid == tid;
        if (found)
            *ret = *d;
    }
    pthread_mutex_unlock(&lock);
    return found;
}
