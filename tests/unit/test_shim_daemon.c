/* The daemon comes and goes, and so do others who knock: what the shim does with and without one. */
#include "shim_rig.h"

START_TEST(daemon_lost_before_the_start_undoes)
{
    for (int early = 0; early < 2; early++) {
        struct box b;
        box_new(&b, "touch $BOX/ran");
        if (early) {
            box_put(&b, "bundle/slow-create", "");
            box_launch(&b);
        } else {
            box_create(&b);
        }
        box_lose_daemon(&b);
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
    box_new(&b, "echo one;" WAIT_GO "echo two; exit 5");
    box_run(&b);
    box_lose_daemon(&b);
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
    box_lose_daemon(&b); /* the packet is in the socket: it is an order, and is carried out */
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
    box_new(&b, WAIT_GO "exit 7");
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
    box_new(&b, WAIT_GO);
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
    box_end(&b, 0);
}
END_TEST

START_TEST(requests_that_make_no_sense)
{
    struct box b;
    box_new(&b, WAIT_GO);
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

int main(int argc, char **argv)
{
    Suite *s = suite_create("shim_daemon");
    TCase *t = shim_case(s, "daemon");
    tcase_add_test(t, daemon_lost_before_the_start_undoes);
    tcase_add_test(t, daemon_lost_after_the_start_changes_nothing);
    tcase_add_test(t, daemon_lost_with_the_start_on_its_way);
    tcase_add_test(t, a_new_daemon_takes_over);
    tcase_add_test(t, strangers_are_turned_away);
    tcase_add_test(t, requests_that_make_no_sense);
    tcase_add_test(t, signals_do_not_end_it);
    return shim_run(s, argc, argv);
}
