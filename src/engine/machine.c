/* The life of a container, as a table: see machine.h.
 *
 * The table is small on purpose: what is not in it cannot happen, and a handler that asks for such a step gets -1 and
 * answers with a conflict. Failing to start is no step at all: the container stays where it was, with its error noted.
 */
#include "engine/machine.h"
#include "base/str.h"
#include "engine/engine.h"

static const char *const state_names[STATE_COUNT] = {
    [STATE_CREATED] = "created", [STATE_RUNNING] = "running",
    [STATE_PAUSED] = "paused",   [STATE_RESTARTING] = "restarting",
    [STATE_EXITED] = "exited",   [STATE_REMOVING] = "removing",
    [STATE_DEAD] = "dead",
};

static const struct {
    enum state from;
    enum trigger on;
    int to; /* a state, or GONE */
    const char *words, *where;
} steps[] = {
#define GONE STATE_COUNT
    {STATE_CREATED, ON_START, STATE_RUNNING, "start", "start.c"},
    {STATE_EXITED, ON_START, STATE_RUNNING, "start again", "start.c"},
    {STATE_RUNNING, ON_PAUSE, STATE_PAUSED, "pause", "pause.c"},
    {STATE_PAUSED, ON_UNPAUSE, STATE_RUNNING, "unpause, stop", "pause.c"},
    {STATE_RUNNING, ON_EXIT, STATE_EXITED, "the process ends", "exit.c"},
    {STATE_PAUSED, ON_EXIT, STATE_EXITED, "killed", "exit.c"},
    {STATE_RUNNING, ON_EXIT_AGAIN, STATE_RESTARTING, "ends, with a restart policy", "exit.c"},
    {STATE_PAUSED, ON_EXIT_AGAIN, STATE_RESTARTING, "killed, likewise", "exit.c"},
    {STATE_RESTARTING, ON_START, STATE_RUNNING, "after a while", "policy.c"},
    {STATE_RESTARTING, ON_GIVE_UP, STATE_EXITED, "stop, or it fails", "policy.c"},
    {STATE_RESTARTING, ON_REMOVE, STATE_REMOVING, "rm -f", "remove.c"},
    {STATE_CREATED, ON_REMOVE, STATE_REMOVING, "rm", "remove.c"},
    {STATE_EXITED, ON_REMOVE, STATE_REMOVING, "rm, --rm", "remove.c"},
    {STATE_DEAD, ON_REMOVE, STATE_REMOVING, "rm again", "remove.c"},
    {STATE_REMOVING, ON_REMOVE_FAILED, STATE_DEAD, "something is in the way", "remove.c"},
    {STATE_REMOVING, ON_REMOVED, GONE, "all is gone", "remove.c"},
};

const char *state_name(enum state s)
{
    return state_names[s];
}

int machine_next(enum state from, enum trigger on)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (steps[i].from == from && steps[i].on == on)
            return steps[i].to;
    return -1;
}

char *engine_machine_dot(void)
{
    autostr b = STR_INIT;
    str_add(
        &b,
        "digraph \"state machine\" {\n"
        "  rankdir=TB; nodesep=0.6; ranksep=0.65; edge [fontname=\"Helvetica,sans-serif\", fontsize=9];\n"
        "  node [shape=box, style=rounded, fontname=\"Helvetica,sans-serif\", fontsize=11, width=1.1, height=0.4];\n"
        "  nothing [shape=point, width=0.06]; gone [shape=doublecircle, label=\"\", width=0.15, height=0.15];\n"
        "  nothing -> created [label=\"  create\\l  (create.c)\\l\"];\n");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        str_addf(&b, "  %s -> %s [label=\"  %s\\l  (%s)\\l\"];\n", state_names[steps[i].from],
                 steps[i].to == GONE ? "gone" : state_names[steps[i].to], steps[i].words, steps[i].where);
    str_add(&b, "}\n");
    return str_take(&b);
}
