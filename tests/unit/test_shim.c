/* The shim's life with a container: created, started, ended, recorded, undone; with a daemon and without. */
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
    box_exit_code(&b, 143);
    box_free(&b);
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

/* ---- failures before the start ---- */

static void fails(struct box *b, enum err_kind kind, const char *message, bool deleted)
{
    json_auto_t *j = box_event(b, "failed");
    ck_assert_str_eq(json_str(j, "error.message", ""), message);
    ck_assert_int_eq(json_int(j, "error.kind", -1), kind);
    ck_assert(!box_has(b, "dir/shim.sock"));
    ck_assert_int_eq(box_reap(b), deleted ? 0 : 1);
    ck_assert_int_eq(box_has(b, "root/deleted"), deleted);
    ck_assert(!box_has(b, "exit"));
}

START_TEST(create_fails_in_the_runtimes_words)
{
    static const struct {
        const char *line, *message;
        enum err_kind kind;
    } t[] = {
        {"{\"level\":\"error\",\"msg\":\"exec: \\\"nosuch\\\": executable file not found in $PATH\",\"time\":\"x\"}",
         "exec: \"nosuch\": executable file not found in $PATH", ERR_INVALID},
        {"{\"level\":\"error\",\"msg\":\"first\"}\n{\"level\":\"error\",\"msg\":\"no room in the inn\"}",
         "no room in the inn", ERR_SYSTEM},
        {"{\"level\":\"error\",\"msg\":\"x\",\"error\":{\"kind\":5,\"sys\":2,\"message\":\"ours\"}}", "ours",
         ERR_NOT_FOUND},
    };
    for (size_t i = 0; i < COUNT(t); i++) {
        struct box b;
        box_new(&b, "echo never");
        box_put(&b, "bundle/fail-create", t[i].line);
        box_write_task(&b);
        box_launch(&b);
        fails(&b, t[i].kind, t[i].message, true);
        log_is(&b, 0, "");
        box_free(&b);
    }
}
END_TEST

START_TEST(create_fails_without_a_word)
{
    struct box b;
    box_new(&b, "echo never");
    box_put(&b, "bundle/complain", "");
    box_write_task(&b);
    box_launch(&b);
    fails(&b, ERR_SYSTEM, "runtime create ended with status 3: the bundle smells", true);
    log_is(&b, 0, "");
    box_free(&b);
}
END_TEST

START_TEST(start_fails_and_all_is_undone)
{
    struct box b;
    box_new(&b, "echo never");
    box_put(&b, "bundle/fail-start", "{\"level\":\"error\",\"msg\":\"sh: permission denied\"}");
    box_create(&b);
    int client = box_attach(&b, OUT | ERR, NULL, NULL);
    box_op(&b, "start");
    struct seen s = {0};
    seen_all(&s, client);
    ck_assert_ptr_null(s.out[1].s);
    close(client);
    fails(&b, ERR_INVALID, "sh: permission denied", true);
    ck_assert(!alive(b.init));
    box_free(&b);
}
END_TEST

START_TEST(a_pid_that_is_not_ours_is_refused)
{
    struct box b;
    box_new(&b, "echo never");
    box_put(&b, "bundle/wrong-pid", "");
    box_write_task(&b);
    box_launch(&b);
    fails(&b, ERR_SYSTEM, "process 2, which the runtime calls the container, is not ours: no child processes", true);
    autofree char *pid = box_get(&b, "root/pid");
    ck_assert(!alive((pid_t)atol(pid)));
    box_free(&b);
}
END_TEST

START_TEST(no_runtime)
{
    struct box b;
    box_new(&b, "echo never");
    box_set(&b, "runtime", json_string("/nonexistent/runtime"));
    box_write_task(&b);
    box_launch(&b);
    fails(&b, ERR_SYSTEM, "start /nonexistent/runtime: no such file or directory", false);
    box_free(&b);
}
END_TEST

START_TEST(a_bad_task_is_refused_whole)
{
    static const struct {
        const char *key, *value, *message;
    } t[] = {
        {"id", "\"../x\"", "shim.json: \"id\" must be 64 hex digits"},
        {"exit", "\"exit\"", "shim.json: \"exit\" must be an absolute path: exit"},
        {"bundle", "7", "shim.json: \"bundle\" must be a string that is not empty"},
        {"tty", "1", "shim.json: \"tty\" must be true or false"},
        {"runtime_args", "[1]", "shim.json: \"runtime_args\" must hold strings"},
        {"console_size", "[1]", "shim.json: \"console_size\" must be [rows, columns]"},
    };
    for (size_t i = 0; i < COUNT(t); i++) {
        struct box b;
        struct err e;
        box_new(&b, "echo never");
        box_set(&b, t[i].key, json_parse(t[i].value, strlen(t[i].value), &e));
        box_write_task(&b);
        box_launch(&b);
        fails(&b, ERR_INVALID, t[i].message, false);
        box_free(&b);
    }
}
END_TEST

START_TEST(init_dies_before_the_start)
{
    struct box b;
    box_new(&b, "echo never");
    box_create(&b);
    kill(b.init, SIGKILL);
    fails(&b, ERR_SYSTEM, "the container ended with status 137 before it was started", true);
    box_free(&b);
}
END_TEST

/* Its status waits for us although we learn only later that it was init. */
START_TEST(init_dies_before_create_is_done)
{
    struct box b;
    box_new(&b, "echo never");
    box_put(&b, "bundle/die-early", "");
    box_write_task(&b);
    box_launch(&b);
    box_expect(&b, "created");
    fails(&b, ERR_SYSTEM, "the container ended with status 7 before it was started", true);
    box_free(&b);
}
END_TEST

/* ---- the daemon comes and goes ---- */

START_TEST(daemon_lost_before_the_start_undoes)
{
    for (int early = 0; early < 2; early++) {
        struct box b;
        box_new(&b, "touch $BOX/ran");
        if (early) {
            box_put(&b, "bundle/slow-create", "");
            box_write_task(&b);
            box_launch(&b);
        } else {
            box_create(&b);
        }
        close(b.control);
        b.control = -1;
        ck_assert_int_eq(box_reap(&b), 0);
        ck_assert(box_has(&b, "root/deleted"));
        ck_assert(!box_has(&b, "dir/shim.sock"));
        autofree char *pid = box_get(&b, "root/pid");
        ck_assert(!alive((pid_t)atol(pid)));
        ck_assert(!box_has(&b, "ran"));
        box_free(&b);
    }
}
END_TEST

START_TEST(daemon_lost_after_the_start_changes_nothing)
{
    struct box b;
    box_new(&b, "echo one; while ! [ -e $BOX/go ]; do sleep .05; done; echo two; exit 5");
    box_run(&b);
    close(b.control);
    b.control = -1;
    usleep(200000);
    ck_assert(alive(b.init));
    box_put(&b, "go", "");
    ck_assert_int_eq(box_reap(&b), 0);
    autofree char *record = box_get(&b, "exit");
    ck_assert_ptr_nonnull(strstr(record, "\"code\":5"));
    log_is(&b, 0, "one\ntwo\n");
    box_free(&b);
}
END_TEST

START_TEST(daemon_lost_with_the_start_on_its_way)
{
    struct box b;
    box_new(&b, "exit 6");
    box_put(&b, "bundle/slow-start", "");
    box_create(&b);
    box_op(&b, "start");
    close(b.control); /* the packet is in the socket: it is an order, and is carried out */
    b.control = -1;
    ck_assert_int_eq(box_reap(&b), 0);
    autofree char *record = box_get(&b, "exit");
    ck_assert_ptr_nonnull(strstr(record, "\"code\":6"));
    box_free(&b);
}
END_TEST

START_TEST(a_new_daemon_takes_over)
{
    struct box b;
    struct err e;
    struct stat st;
    box_new(&b, "while ! [ -e $BOX/go ]; do sleep .05; done; exit 7");
    box_run(&b);
    autofree char *path = box_path(&b, "dir/shim.sock");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    int old = b.control;
    /* more than it can hold: the oldest make room */
    int many[20];
    for (size_t i = 0; i < 20; i++)
        many[i] = sock_dial_unix(path, SOCK_SEQPACKET, &e);
    b.control = sock_dial_unix(path, SOCK_SEQPACKET, &e);
    ck_assert_msg(b.control >= 0, "%s", e.msg);
    {
        json_auto_t *j = box_hello(&b);
        ck_assert_str_eq(json_str(j, "phase", ""), "running");
        ck_assert_int_eq(json_int(j, "pid", 0), b.init);
        ck_assert_int_gt(json_int(j, "at", 0), 0);
    }
    char byte;
    ck_assert_int_eq(read(old, &byte, 1), 0); /* the first connection was the oldest */
    close(old);
    box_put(&b, "go", "");
    box_exit_code(&b, 7);
    for (size_t i = 0; i < 20; i++)
        close(many[i]);
    box_free(&b);
}
END_TEST

START_TEST(strangers_are_turned_away)
{
    struct box b;
    if (geteuid() != 0)
        return;
    box_new(&b, "while ! [ -e $BOX/go ]; do sleep .05; done");
    box_run(&b);
    autofree char *path = box_path(&b, "dir/shim.sock");
    autofree char *dir = box_path(&b, "dir");
    ck_assert_int_eq(chmod(b.top, 0755) + chmod(dir, 0755) + chmod(path, 0666), 0); /* as if somebody had blundered */
    pid_t pid = fork();
    if (pid == 0) {
        struct err e;
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(9);
        int fd = sock_dial_unix(path, SOCK_SEQPACKET, &e);
        if (fd < 0)
            _exit(8);
        json_t *hello = json_pack("{s:s}", "op", "hello");
        shimproto_send(fd, hello, -1, &e);
        json_t *j = shimproto_recv(fd, NULL, &e);
        _exit(j ? 1 : 0);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    box_sync(&b);
    box_put(&b, "go", "");
    box_exit_code(&b, 0);
    box_free(&b);
}
END_TEST

START_TEST(requests_that_make_no_sense)
{
    struct box b;
    box_new(&b, "while ! [ -e $BOX/go ]; do sleep .05; done");
    box_run(&b);
    static const char *const ops[] = {"start", "dance", "attach"};
    for (size_t i = 0; i < 3; i++) {
        box_op(&b, ops[i]);
        json_auto_t *j = box_event(&b, "error");
        ck_assert_str_eq(json_str(j, "op", ""), ops[i]);
        ck_assert_int_ne(strlen(json_str(j, "error.message", "")), 0);
    }
    box_send(&b, json_pack("{s:s, s:i, s:i}", "op", "resize", "h", 24, "w", 80), -1);
    json_auto_t *j = box_event(&b, "resized");
    ck_assert_int_eq(json_int(j, "error.kind", 0), ERR_INVALID);
    ck_assert_int_eq(sock_send(b.control, "{not json", 9, -1), 0);
    char byte;
    ck_assert_int_eq(read(b.control, &byte, 1), 0); /* that one is not worth talking to */
    box_put(&b, "go", "");
    ck_assert_int_eq(box_reap(&b), 0);
    autofree char *record = box_get(&b, "exit");
    ck_assert_ptr_nonnull(record);
    box_free(&b);
}
END_TEST

START_TEST(signals_do_not_end_it)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE};
    struct box b;
    box_new(&b, "trap 'echo got it; exit 9' TERM; touch $BOX/ready; while :; do sleep .05; done");
    box_run(&b);
    for (size_t i = 0; i < 5; i++)
        kill(b.shim, signals[i]);
    box_sync(&b);
    box_wait_for(&b, "ready");
    kill(b.init, SIGTERM); /* but the container has its signals at their defaults */
    box_exit_code(&b, 9);
    log_is(&b, 0, "got it\n");
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

/* Somebody outside, whom nobody may kill, holds the pipe open and even writes to it. */
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
    box_new(&b, "while ! [ -e $BOX/go ]; do sleep .02; done; echo after; exit 3");
    box_create(&b);
    box_start(&b);
    long busy = resident(b.shim);
    usleep(1500000);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    ck_assert_int_gt(busy, 0); /* here most of it is the sanitizer's own */
#else
    ck_assert_int_lt(resident(b.shim), busy * 3 / 4);
#endif
    int client = box_attach(&b, OUT, NULL, NULL);
    box_put(&b, "go", "");
    box_exit_code(&b, 3);
    autoseen s = {0};
    seen_all(&s, client);
    ck_assert_str_eq(s.out[1].s, "after\n");
    box_free(&b);
}
END_TEST

START_TEST(a_pipe_held_open_outside_does_not_hold_the_end)
{
    struct box b;
    box_new(&b, "while ! [ -e $BOX/go ]; do sleep .05; done; echo last");
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
    box_new(&b, "while ! [ -e $BOX/go ]; do sleep .05; done; echo last");
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
    box_new(&b, "while ! [ -e $BOX/go ]; do sleep .05; done; exit 4");
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
    close(b.control);
    b.control = -1;
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

START_TEST(usage)
{
    struct err e;
    autofree char *shim = spawn_sibling("../bin/gorae-shim", &e);
    char *argv[] = {shim, NULL};
    struct spawn sp = SPAWN_INIT;
    sp.path = shim;
    sp.argv = argv;
    ck_assert_int_eq(spawn_wait(spawn_start(&sp, &e), &e), 2);
    char *one[] = {shim, (char *)"/tmp", NULL};
    sp.argv = one; /* nobody on fd 3 */
    ck_assert_int_eq(spawn_wait(spawn_start(&sp, &e), &e), 1);
}
END_TEST

/* ---- an exec: a further process in a container that runs ---- */

static void exec_new(struct box *b, const char *payload)
{
    box_new(b, payload);
    json_object_del(b->task, "bundle");
    json_object_del(b->task, "log");
    autofree char *process = box_path(b, "bundle/process.json");
    box_set(b, "process", json_string(process));
}

START_TEST(an_exec_runs_at_once_and_deletes_nothing)
{
    struct box b;
    exec_new(&b, "echo hello; exit 9");
    box_write_task(&b);
    box_launch(&b);
    int client = box_attach(&b, OUT, NULL, NULL);
    json_auto_t *started = box_event(&b, "started");
    ck_assert_int_gt(json_int(started, "pid", 0), 1);
    ck_assert_int_gt(json_int(started, "starttime", 0), 0);
    ck_assert_int_gt(json_int(started, "at", 0), 0);
    box_exit_code(&b, 9);
    autoseen s = {0};
    seen_all(&s, client);
    close(client);
    ck_assert_str_eq(s.out[1].s, "hello\n");
    ck_assert_int_eq(box_reap(&b), 0);
    autofree char *calls = box_get(&b, "root/calls");
    ck_assert_ptr_nonnull(strstr(calls, " exec --process "));
    ck_assert_ptr_nonnull(strstr(calls, " --detach --pid-file "));
    ck_assert_ptr_null(strstr(calls, "delete"));
    ck_assert_ptr_null(strstr(calls, " start "));
    box_free(&b);
}
END_TEST

START_TEST(an_exec_that_fails_tells_its_client)
{
    struct box b;
    exec_new(&b, "echo never");
    box_put(&b, "bundle/fail-create", "{\"level\":\"error\",\"msg\":\"no such program\"}");
    box_write_task(&b);
    box_launch(&b);
    int client = box_attach(&b, OUT, NULL, NULL);
    json_auto_t *j = box_event(&b, "failed");
    ck_assert_str_eq(json_str(j, "error.message", ""), "OCI runtime exec failed: exec failed: no such program");
    autoseen s = {0};
    seen_until(&s, client, 1, "OCI runtime exec failed: exec failed: no such program\r\n");
    close(client);
    ck_assert_int_eq(box_reap(&b), 0);
    ck_assert(!box_has(&b, "root/deleted"));
    ck_assert(!box_has(&b, "exit"));
    box_free(&b);
}
END_TEST

START_TEST(an_exec_outlives_its_daemon_and_leaves_its_orphans_alone)
{
    struct box b;
    exec_new(&b, "sleep 30 </dev/null >/dev/null 2>&1 & echo $! >$BOX/orphan; exec sleep 0.5");
    box_write_task(&b);
    box_launch(&b);
    mem_closep(&b.control);
    b.control = -1;
    box_wait_for(&b, "exit");
    ck_assert_int_eq(box_reap(&b), 0);
    autofree char *orphan = box_get(&b, "orphan");
    ck_assert(alive((pid_t)atol(orphan)));
    kill((pid_t)atol(orphan), SIGKILL);
    box_free(&b);
}
END_TEST

START_TEST(an_exec_whose_folder_is_gone_ends_all_the_same)
{
    struct box b;
    exec_new(&b, "sleep 0.3; exit 2");
    box_set(&b, "exit", json_string("/nonexistent/exit"));
    box_write_task(&b);
    box_launch(&b);
    box_expect(&b, "started");
    box_exit_code(&b, 2);
    ck_assert_int_eq(box_reap(&b), 0);
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
    t = shim_case(s, "failures");
    tcase_add_test(t, create_fails_in_the_runtimes_words);
    tcase_add_test(t, create_fails_without_a_word);
    tcase_add_test(t, start_fails_and_all_is_undone);
    tcase_add_test(t, a_pid_that_is_not_ours_is_refused);
    tcase_add_test(t, no_runtime);
    tcase_add_test(t, a_bad_task_is_refused_whole);
    tcase_add_test(t, init_dies_before_the_start);
    tcase_add_test(t, init_dies_before_create_is_done);
    tcase_add_test(t, usage);
    t = shim_case(s, "daemon");
    tcase_add_test(t, daemon_lost_before_the_start_undoes);
    tcase_add_test(t, daemon_lost_after_the_start_changes_nothing);
    tcase_add_test(t, daemon_lost_with_the_start_on_its_way);
    tcase_add_test(t, a_new_daemon_takes_over);
    tcase_add_test(t, strangers_are_turned_away);
    tcase_add_test(t, requests_that_make_no_sense);
    tcase_add_test(t, signals_do_not_end_it);
    t = shim_case(s, "exec");
    tcase_add_test(t, an_exec_runs_at_once_and_deletes_nothing);
    tcase_add_test(t, an_exec_that_fails_tells_its_client);
    tcase_add_test(t, an_exec_outlives_its_daemon_and_leaves_its_orphans_alone);
    tcase_add_test(t, an_exec_whose_folder_is_gone_ends_all_the_same);
    return shim_run(s, argc, argv);
}
