/** @file
 * The life of a container as a table: state × trigger → next state.
 *
 * Nothing else in the engine assigns to container.state. The figure diagrams/state-machine.svg is drawn from the same
 * table (`goraed --state-machine`), so it cannot be out of date.
 */
#ifndef GORAE_ENGINE_MACHINE_H
#define GORAE_ENGINE_MACHINE_H

#include "base/err.h"

#include <stdbool.h>

enum state {
    STATE_CREATED,
    STATE_RUNNING,
    STATE_PAUSED,
    STATE_RESTARTING,
    STATE_EXITED,
    STATE_REMOVING,
    STATE_DEAD,
    STATE_COUNT
};

enum trigger {
    ON_START,         /**< the process runs */
    ON_PAUSE,         /**< its processes are frozen */
    ON_UNPAUSE,       /**< and thawed */
    ON_EXIT,          /**< the process ended */
    ON_EXIT_AGAIN,    /**< it ended, and its restart policy wants another */
    ON_GIVE_UP,       /**< which will not be: stopped by hand, or it could not be started */
    ON_REMOVE,        /**< removal begins: it must not run */
    ON_REMOVED,       /**< nothing of it is left */
    ON_REMOVE_FAILED, /**< something of it could not be removed */
    ON_COUNT
};

/** As the API writes it: "created", "running" … */
const char *state_name(enum state s);
/** There is a process: running, or paused. */
static inline bool state_alive(enum state s)
{
    return s == STATE_RUNNING || s == STATE_PAUSED;
}
/** What the API calls running: there is a process, or there will be one in a moment. */
static inline bool state_up(enum state s)
{
    return state_alive(s) || s == STATE_RESTARTING;
}
/** What may follow. @return the next state, or -1 where the table has no such step */
int machine_next(enum state from, enum trigger on);

#endif
