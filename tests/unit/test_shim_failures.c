/* A shim whose container never starts: it says why, in the runtime's words, and undoes all. */
#include "shim_rig.h"

/* A shim for a container that must not come to run, with a file in its box that sees to it. */
static void launch_with(struct box *b, const char *file, const char *text)
{
    box_new(b, "echo never");
    box_put(b, file, text);
    box_launch(b);
}

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
        launch_with(&b, "bundle/fail-create", t[i].line);
        fails(&b, t[i].kind, t[i].message, true);
        log_is(&b, 0, "");
        box_free(&b);
    }
}
END_TEST

START_TEST(create_fails_without_a_word)
{
    struct box b;
    launch_with(&b, "bundle/complain", "");
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
    int client = box_attach(&b, OUT | ERR);
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
    launch_with(&b, "bundle/wrong-pid", "");
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
    launch_with(&b, "bundle/die-early", "");
    box_expect(&b, "created");
    fails(&b, ERR_SYSTEM, "the container ended with status 7 before it was started", true);
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

int main(int argc, char **argv)
{
    Suite *s = suite_create("shim_failures");
    TCase *t = shim_case(s, "failures");
    tcase_add_test(t, create_fails_in_the_runtimes_words);
    tcase_add_test(t, create_fails_without_a_word);
    tcase_add_test(t, start_fails_and_all_is_undone);
    tcase_add_test(t, a_pid_that_is_not_ours_is_refused);
    tcase_add_test(t, no_runtime);
    tcase_add_test(t, a_bad_task_is_refused_whole);
    tcase_add_test(t, init_dies_before_the_start);
    tcase_add_test(t, init_dies_before_create_is_done);
    tcase_add_test(t, usage);
    return shim_run(s, argc, argv);
}
