/* The shim's life with a container: created, started, ended, recorded. */
#include "shim_rig.h"

START_TEST(a_container_lives_and_ends)
{
    struct box b;
    struct stat st;
    int64_t before = clock_real();
    box_new(&b, "echo out; echo err >&2; exit 3");
    box_create(&b);
    {
        json_auto_t *j = box_hello(&b);
        ck_assert_str_eq(json_str(j, "phase", ""), "created");
        ck_assert_int_eq(json_int(j, "version", 0), SHIM_PROTOCOL);
        ck_assert_int_eq(json_int(j, "pid", 0), b.init);
        ck_assert_int_eq(json_int(j, "at", -1), 0);
        autofree char *path = str_printf("/proc/%d/stat", (int)b.init);
        FILE *f = fopen(path, "r");
        long long t = -1;
        ck_assert_int_eq(
            fscanf(f,
                   "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d"
                   " %lld",
                   &t),
            1);
        fclose(f);
        ck_assert_int_eq(json_int(j, "starttime", 0), t);
    }
    box_op(&b, "start");
    json_auto_t *started = box_event(&b, "started");
    ck_assert_int_ge(json_int(started, "at", 0), before);
    json_auto_t *ended = box_event(&b, "exit");
    ck_assert_int_eq(json_int(ended, "code", -1), 3);
    ck_assert(json_is_false(json_at(ended, "oom")));
    /* what the event promises is true when it arrives */
    ck_assert(!box_has(&b, "dir/shim.sock"));
    autofree char *text = box_get(&b, "exit");
    struct err e;
    json_auto_t *record = json_parse(text, strlen(text), &e);
    ck_assert_int_eq(json_int(record, "code", -1), 3);
    ck_assert_int_eq(json_int(record, "at", -1), json_int(ended, "at", -2));
    ck_assert_int_eq(json_int(record, "started", -1), json_int(started, "at", -2));
    ck_assert_int_le(json_int(record, "at", 0), clock_real());
    log_is(&b, JSONLOG_STDOUT, "out\n");
    log_is(&b, JSONLOG_STDERR, "err\n");
    autofree char *log = box_path(&b, "log");
    ck_assert_int_eq(stat(log, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0640);
    ck_assert_int_eq(box_reap(&b), 0);
    ck_assert(!box_has(&b, "root/deleted")); /* that is the daemon's */
    box_free(&b);
}
END_TEST

START_TEST(a_signal_is_128_and_its_number)
{
    struct box b;
    box_new(&b, "kill -TERM $$; sleep 20");
    box_run(&b);
    box_end(&b, 143);
}
END_TEST

START_TEST(no_log_is_no_log)
{
    struct box b;
    box_new(&b, "echo x");
    json_object_del(b.task, "log");
    box_run(&b);
    box_exit_code(&b, 0);
    ck_assert(!box_has(&b, "log"));
    box_free(&b);
}
END_TEST

START_TEST(the_container_gets_three_descriptors)
{
    struct box b;
    box_new(&b, "ls /proc/$$/fd; readlink /proc/$$/fd/0; umask");
    box_run(&b);
    box_exit_code(&b, 0);
    log_is(&b, 0, "0\n1\n2\n/dev/null\n0022\n");
    box_free(&b);
}
END_TEST

/* ---- the end ---- */

START_TEST(the_end_may_come_before_the_start_is_done)
{
    struct box b;
    box_new(&b, "echo quick; exit 4");
    box_put(&b, "bundle/slow-start", "");
    box_create(&b);
    box_op(&b, "start");
    box_expect(&b, "started");
    box_exit_code(&b, 4);
    log_is(&b, 0, "quick\n");
    box_free(&b);
}
END_TEST

/* Whether they hold the container's output open or not; also those that become ours only when their parents die. */
START_TEST(orphans_die_with_init)
{
    for (int quiet = 0; quiet < 2; quiet++) {
        struct box b;
        autofree char *payload = str_printf("(sh -c 'sleep 30 & echo $! > $BOX/deep; wait' %s & echo $! > $BOX/orphan);"
                                            "while ! [ -s $BOX/deep ]; do sleep .02; done; echo done",
                                            quiet ? "</dev/null >/dev/null 2>&1" : "");
        box_new(&b, payload);
        box_run(&b);
        box_exit_code(&b, 0);
        autofree char *orphan = box_get(&b, "orphan"), *deep = box_get(&b, "deep");
        ck_assert(!alive((pid_t)atol(orphan)));
        ck_assert(!alive((pid_t)atol(deep)));
        log_is(&b, 0, "done\n");
        box_free(&b);
    }
}
END_TEST

static long resident(pid_t pid)
{
    struct err e;
    autofree char *path = str_printf("/proc/%d/smaps_rollup", (int)pid),
                  *text = file_read(AT_FDCWD, path, 4096, NULL, &e);
    const char *line = text ? strstr(text, "\nRss:") : NULL;
    ck_assert_ptr_nonnull(line);
    return atol(line + 5);
}

/* After a second without events; and then it still does all that it did before. */
START_TEST(a_shim_with_nothing_to_do_gives_memory_back)
{
    struct box b;
    box_new(&b, WAIT_GO "echo after; exit 3");
    box_run(&b);
    long busy = resident(b.shim);
    usleep(1500000);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    ck_assert_int_gt(busy, 0); /* here most of it is the sanitizer's own */
#else
    ck_assert_int_lt(resident(b.shim), busy * 3 / 4);
#endif
    int client = box_attach(&b, OUT);
    box_put(&b, "go", "");
    box_exit_code(&b, 3);
    seen_to_end(client, 1, "after\n");
    box_free(&b);
}
END_TEST

/* Somebody outside, whom nobody may kill, holds the pipe open and even writes to it. */
START_TEST(a_pipe_held_open_outside_does_not_hold_the_end)
{
    struct box b;
    box_new(&b, WAIT_GO "echo last");
    box_run(&b);
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)b.init);
    int held = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(held, 0);
    box_put(&b, "go", "");
    usleep(300000);
    ck_assert_int_eq(write(held, "late\n", 5), 5);
    int64_t began = clock_mono();
    box_exit_code(&b, 0);
    ck_assert_int_lt((clock_mono() - began) / NS_PER_MS, 5000);
    log_is(&b, 0, "last\nlate\n");
    ck_assert_int_eq(write(held, "x", 1), -1); /* EPIPE: the shim has let go */
    close(held);
    box_free(&b);
}
END_TEST

/* Stopped in the middle of its last reading until all time is up, it still reads what lies in the pipe. */
START_TEST(a_stopped_shim_loses_nothing)
{
    struct box b;
    size_t n;
    char path[64], more[40001];
    memset(more, 'm', sizeof(more));
    box_new(&b, WAIT_GO "echo last");
    box_run(&b);
    snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)b.init);
    int held = open(path, O_WRONLY | O_CLOEXEC);
    box_put(&b, "go", "");
    while (alive(b.init))
        usleep(10000);
    usleep(100000);
    kill(b.shim, SIGSTOP);
    ck_assert_int_eq(write(held, more, sizeof(more)), sizeof(more));
    usleep(1200000);
    kill(b.shim, SIGCONT);
    box_exit_code(&b, 0);
    autofree char *text = log_text(&b, 0, &n, NULL);
    ck_assert_uint_eq(n, 5 + sizeof(more));
    close(held);
    box_free(&b);
}
END_TEST

START_TEST(out_of_memory_is_told)
{
    static const struct {
        const char *text;
        bool oom;
    } t[] = {
        {"low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n", true},
        {"low 0\nhigh 0\nmax 9\noom 3\noom_kill 0\noom_group_kill 7\n", false},
        {"oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", true},
        {"oom_kill_disable 1\nunder_oom 0\noom_kill 0\n", false},
        {NULL, false},
    };
    for (size_t i = 0; i < COUNT(t); i++) {
        struct box b;
        box_new(&b, "exit 137");
        autofree char *path = box_path(&b, "memory.events");
        box_set(&b, "cgroup_memory_events", json_string(path));
        if (t[i].text)
            box_put(&b, "memory.events", t[i].text);
        box_run(&b);
        if (t[i].oom)
            json_decref(box_event(&b, "oom"));
        json_auto_t *j = box_event(&b, "exit");
        ck_assert_int_eq(json_is_true(json_at(j, "oom")), t[i].oom);
        autofree char *record = box_get(&b, "exit");
        ck_assert_ptr_nonnull(strstr(record, t[i].oom ? "\"oom\":true" : "\"oom\":false"));
        box_free(&b);
    }
}
END_TEST

/* A worker is killed, init lives on: the daemon hears of it then, once for each time the count grows. */
START_TEST(out_of_memory_while_it_runs)
{
    struct box b;
    struct err e;
    box_new(&b, WAIT_GO "exit 4");
    autofree char *path = box_path(&b, "memory.events");
    box_set(&b, "cgroup_memory_events", json_string(path));
    box_put(&b, "memory.events", "oom 0\noom_kill 0\n");
    box_run(&b);
    ck_assert_int_eq(file_put(AT_FDCWD, path, "oom 1\noom_kill 0\n", &e), 0);
    box_sync(&b); /* a shortage in which nobody is killed is no news */
    ck_assert_int_eq(file_put(AT_FDCWD, path, "oom 1\noom_kill 1\n", &e), 0);
    json_decref(box_event(&b, "oom"));
    json_auto_t *hello = box_hello(&b);
    ck_assert(json_is(hello, "oom"));
    ck_assert_int_eq(file_put(AT_FDCWD, path, "oom 3\noom_kill 2\n", &e), 0);
    json_decref(box_event(&b, "oom"));
    box_put(&b, "go", "");
    json_auto_t *j = box_event(&b, "exit"); /* and not another time at the end */
    ck_assert(json_is(j, "oom"));
    box_free(&b);
}
END_TEST

/* No room for the record (here: no folder) and no daemon: the shim is the only one who knows, and keeps trying. */
START_TEST(the_record_is_tried_until_it_is_written)
{
    struct box b;
    struct err e;
    box_new(&b, "exit 8");
    autofree char *dir = box_path(&b, "disk"), *path = box_path(&b, "disk/exit");
    box_set(&b, "exit", json_string(path));
    box_run(&b);
    box_lose_daemon(&b);
    usleep(500000);
    ck_assert(alive(b.shim));
    ck_assert_int_eq(dir_make_all(dir, 0700, &e), 0);
    ck_assert_int_eq(box_reap(&b), 0);
    autofree char *record = box_get(&b, "disk/exit");
    ck_assert_ptr_nonnull(strstr(record, "\"code\":8"));
    box_free(&b);
}
END_TEST

START_TEST(a_daemon_is_told_even_without_the_record)
{
    struct box b;
    box_new(&b, "exit 8");
    box_set(&b, "exit", json_string("/nonexistent/exit"));
    box_run(&b);
    json_auto_t *j = box_event(&b, "exit");
    ck_assert_int_eq(json_int(j, "code", 0), 8);
    ck_assert_int_eq(json_int(j, "error.sys", 0), ENOENT);
    box_free(&b);
}
END_TEST

START_TEST(it_is_traced)
{
    struct box b;
    box_new(&b, "echo $GORAE_TRACE");
    autofree char *path = box_path(&b, "trace");
    box_put(&b, "trace", "");
    setenv("GORAE_TRACE", path, 1);
    box_run(&b);
    box_exit_code(&b, 0);
    static const char *const spans[] = {"runtime create", "runtime start", "container exited", "write the exit record"};
    autofree char *trace = box_get(&b, "trace");
    const char *p = trace;
    for (size_t i = 0; i < 4; i++) {
        p = strstr(p, spans[i]);
        ck_assert_msg(p, "no span \"%s\" in its place: %s", spans[i], trace);
    }
    autofree char *said = log_text(&b, 0, NULL, NULL); /* the runtime, and here all below it, can add to the story */
    ck_assert_int_eq(strncmp(said, path, strlen(path)), 0);
    unsetenv("GORAE_TRACE");
    box_free(&b);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("shim");
    TCase *t = shim_case(s, "life");
    tcase_add_test(t, a_container_lives_and_ends);
    tcase_add_test(t, a_signal_is_128_and_its_number);
    tcase_add_test(t, no_log_is_no_log);
    tcase_add_test(t, the_container_gets_three_descriptors);
    tcase_add_test(t, the_end_may_come_before_the_start_is_done);
    tcase_add_test(t, orphans_die_with_init);
    tcase_add_test(t, a_shim_with_nothing_to_do_gives_memory_back);
    tcase_add_test(t, a_pipe_held_open_outside_does_not_hold_the_end);
    tcase_add_test(t, a_stopped_shim_loses_nothing);
    tcase_add_test(t, out_of_memory_is_told);
    tcase_add_test(t, out_of_memory_while_it_runs);
    tcase_add_test(t, the_record_is_tried_until_it_is_written);
    tcase_add_test(t, a_daemon_is_told_even_without_the_record);
    tcase_add_test(t, it_is_traced);
    return shim_run(s, argc, argv);
}
