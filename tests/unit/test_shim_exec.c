/* A shim for an exec: a further process in a container that runs. */
#include "shim_rig.h"

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
    box_launch(&b);
    int client = box_attach(&b, OUT);
    json_auto_t *started = box_event(&b, "started");
    ck_assert_int_gt(json_int(started, "pid", 0), 1);
    ck_assert_int_gt(json_int(started, "starttime", 0), 0);
    ck_assert_int_gt(json_int(started, "at", 0), 0);
    box_exit_code(&b, 9);
    seen_to_end(client, 1, "hello\n");
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
    box_launch(&b);
    int client = box_attach(&b, OUT);
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
    box_launch(&b);
    box_lose_daemon(&b);
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
    box_launch(&b);
    box_expect(&b, "started");
    box_exit_code(&b, 2);
    ck_assert_int_eq(box_reap(&b), 0);
    box_free(&b);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("shim_exec");
    TCase *t = shim_case(s, "exec");
    tcase_add_test(t, an_exec_runs_at_once_and_deletes_nothing);
    tcase_add_test(t, an_exec_that_fails_tells_its_client);
    tcase_add_test(t, an_exec_outlives_its_daemon_and_leaves_its_orphans_alone);
    tcase_add_test(t, an_exec_whose_folder_is_gone_ends_all_the_same);
    return shim_run(s, argc, argv);
}
