/* Parts of the engine that need no container: how long a restart policy waits, whom it restarts, and how far back the
 * ring of events remembers. Needs no root. */
#include "engine/model.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "unit.h"

#include <stdlib.h>

#define SECOND INT64_C(1000000000)

static struct engine en;
static struct container *c;

static void setup(void)
{
    mem_setup();
    en = (struct engine){.bus = bus_new()};
    c = container_new(&en, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
}

static void teardown(void)
{
    bus_free(en.bus);
    json_decref(c->host);
    c->host = NULL;
}

static void policy(const char *name, int most)
{
    json_decref(c->host);
    c->host = json_pack("{s:{s:s, s:i}}", "RestartPolicy", "Name", name, "MaximumRetryCount", most);
    c->restart_count = 0;
    c->restart_delay = 0;
    c->stopped_by_hand = false;
}

/* A run of so many seconds ends with this code. @return the wait in ms; -1 where it stays as it is */
static long end(int seconds, int code)
{
    c->started = 1000 * SECOND;
    c->finished = c->started + seconds * SECOND;
    c->exit_code = code;
    return policy_decide(&en, c) ? (long)(c->restart_delay / 1000000) : -1;
}

START_TEST(the_wait_doubles_to_a_minute)
{
    static const long want[] = {100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000, 60000};
    policy("always", 0);
    for (size_t i = 0; i < COUNT(want); i++)
        ck_assert_int_eq(end(1, 0), want[i]);
    ck_assert_int_eq(c->restart_count, (int)(COUNT(want)));
}
END_TEST

START_TEST(a_sound_run_begins_anew)
{
    policy("unless-stopped", 0);
    ck_assert_int_eq(end(1, 1), 100);
    ck_assert_int_eq(end(9, 1), 200);
    ck_assert_int_eq(end(10, 1), 100); /* ten seconds are enough */
    ck_assert_int_eq(end(0, 1), 200);
}
END_TEST

START_TEST(who_is_restarted)
{
    policy("no", 0);
    ck_assert_int_eq(end(1, 1), -1);
    policy("on-failure", 0);
    ck_assert_int_eq(end(1, 0), -1);
    ck_assert_int_eq(end(1, 3), 100);
    policy("on-failure", 2);
    ck_assert_int_eq(end(1, 3), 100);
    ck_assert_int_eq(end(1, 3), 200);
    ck_assert_int_eq(end(1, 3), -1);
    policy("always", 0);
    c->stopped_by_hand = true;
    ck_assert_int_eq(end(1, 0), -1);
    policy("unless-stopped", 0);
    c->removing = true;
    ck_assert_int_eq(end(1, 0), -1);
    c->removing = false;
    en.stopping = true;
    ck_assert_int_eq(end(1, 0), -1);
    en.stopping = false;
    ck_assert_int_eq(end(1, 0), 100);
}
END_TEST

/* ---- events ---- */

struct heard {
    int n, first, last;
};

static int hear(void *arg, const json_t *ev)
{
    struct heard *h = arg;
    h->last = atoi(json_str(ev, "Actor.ID", ""));
    h->first = h->n++ ? h->first : h->last;
    return 0;
}

static struct heard ask(int64_t since, int64_t until)
{
    struct heard h = {0};
    struct err e = {0};
    struct event_query q = {.since = since, .until = until};
    ck_assert_msg(engine_events(&en, &q, hear, &h, &e) == 0, "%s", e.msg);
    return h;
}

static void tell(int from, int to)
{
    for (int i = from; i < to; i++) {
        char id[16];
        snprintf(id, sizeof(id), "%d", i);
        event_image(&en, "tag", id, "x");
    }
}

START_TEST(the_ring_keeps_256)
{
    tell(0, 10);
    struct heard h = ask(1, clock_real());
    ck_assert_int_eq(h.n, 10);
    tell(10, 300);
    h = ask(1, clock_real());
    ck_assert_int_eq(h.n, 256);
    ck_assert_int_eq(h.first, 44);
    ck_assert_int_eq(h.last, 299);
    int64_t middle = clock_real() + 1;
    while (clock_real() <= middle)
        ;
    tell(300, 305);
    h = ask(middle, clock_real());
    ck_assert_int_eq(h.n, 5);
    ck_assert_int_eq(h.first, 300);
    h = ask(0, middle); /* until alone replays, too */
    ck_assert_int_eq(h.last, 299);
    ck_assert_int_eq(h.n, 251);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("policy");
    TCase *t = unit_case(s, "policy");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_wait_doubles_to_a_minute);
    tcase_add_test(t, a_sound_run_begins_anew);
    tcase_add_test(t, who_is_restarted);
    tcase_add_test(t, the_ring_keeps_256);
    return unit_run(s);
}
