/* The shim with real runtimes and a real container: runc where it is installed, and gorae-runtime beside the shim. The
 * container's root is one busybox. Needs root; what cannot be run is named. */
#include "shim_rig.h"

#include <stdarg.h>

#define BUSYBOX "/bin/busybox"

static const char *const runtimes[] = {"/usr/sbin/runc", "/usr/bin/runc", "../bin/gorae-runtime"};
static char *chosen[3];
static int nchosen;

static void choose(void)
{
    struct err e;
    if (geteuid() != 0 || access(BUSYBOX, X_OK) < 0) {
        fprintf(stderr, "skipped: containers need root and " BUSYBOX " (busybox-static)\n");
        return;
    }
    for (size_t i = 0; i < COUNT(runtimes); i++) {
        char *path = runtimes[i][0] == '/' ? mem_strdup(runtimes[i]) : spawn_sibling(runtimes[i], &e);
        struct stat st;
        if (path && access(path, X_OK) == 0 && lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
            chosen[nchosen++] = path;
        else
            free(path);
    }
    if (nchosen < 2)
        fprintf(stderr, "skipped: only %d of runc and gorae-runtime is here\n", nchosen);
}

/* @return its exit code */
static int run(const char *program, ...)
{
    struct err e;
    autostrv argv = {0};
    va_list ap;
    va_start(ap, program);
    for (const char *a = program; a; a = va_arg(ap, const char *))
        strv_add(&argv, a);
    va_end(ap);
    struct spawn sp = SPAWN_INIT;
    sp.path = program;
    sp.argv = argv.v;
    pid_t pid = spawn_start(&sp, &e);
    ck_assert_msg(pid > 0, "%s", e.msg);
    return spawn_wait(pid, &e);
}

static void real_new(struct box *b, int which, bool tty, const char *program, const char *script)
{
    char unique[17];
    struct err e;
    box_new(b, "");
    str_random_hex(unique, 8);
    autofree char *bin = box_path(b, "bundle/rootfs/bin"), *busybox = box_path(b, "bundle/rootfs/bin/busybox");
    autofree char *cgroup = str_printf("/gorae-shim-test-%s", unique);
    ck_assert_int_eq(dir_make_all(bin, 0755, &e), 0);
    ck_assert_int_eq(run(BUSYBOX, "cp", BUSYBOX, busybox, NULL), 0);
    json_auto_t *config = json_pack(
        "{s:s, s:{s:b, s:{s:i, s:i}, s:[s,s,s,s], s:[s], s:s}, s:{s:s, s:b}, s:[{s:s,s:s,s:s}, {s:s,s:s,s:s,s:[s,s]}, "
        "{s:s,s:s,s:s,s:[s,s,s,s]}], s:{s:s, s:[{s:s},{s:s},{s:s},{s:s}]}}",
        "ociVersion", "1.0.2", "process", "terminal", tty, "user", "uid", 0, "gid", 0, "args", program, "sh", "-c",
        script, "env", "PATH=/bin", "cwd", "/", "root", "path", "rootfs", "readonly", 0, "mounts", "destination",
        "/proc", "type", "proc", "source", "proc", "destination", "/dev", "type", "tmpfs", "source", "tmpfs", "options",
        "nosuid", "mode=755", "destination", "/dev/pts", "type", "devpts", "source", "devpts", "options", "nosuid",
        "newinstance", "ptmxmode=0666", "mode=0620", "linux", "cgroupsPath", cgroup, "namespaces", "type", "pid",
        "type", "mount", "type", "ipc", "type", "uts");
    ck_assert_ptr_nonnull(config);
    autofree char *text = json_text(config);
    box_put(b, "bundle/config.json", text);
    box_set(b, "runtime", json_string(chosen[which]));
    box_set(b, "runtime_args", json_array());
    box_set(b, "tty", json_boolean(tty));
}

/* What the daemon does after the end. */
static void real_free(struct box *b, int which)
{
    autofree char *root = box_path(b, "root");
    ck_assert_int_eq(box_reap(b), 0);
    ck_assert_int_eq(run(chosen[which], "--root", root, "delete", BOX_ID, NULL), 0);
    box_free(b);
}

START_TEST(a_container)
{
    struct box b;
    real_new(&b, _i, false, "/bin/busybox",
             "echo out; echo err >&2; /bin/busybox ls /proc/self/fd | /bin/busybox wc -l; echo $$; exit 3");
    int fd = box_run_attached(&b, OUT | ERR);
    autoseen s = {0};
    seen_end(&s, fd, 1, "out\n4\n1\n");
    ck_assert_str_eq(s.out[2].s, "err\n");
    box_exit_code(&b, 3);
    log_is(&b, JSONLOG_STDOUT, "out\n4\n1\n");
    real_free(&b, _i);
}
END_TEST

START_TEST(its_input)
{
    struct box b;
    real_new(&b, _i, false, "/bin/busybox", "/bin/busybox cat; echo end");
    box_open_stdin(&b, true);
    box_create(&b);
    int fd = box_attach_with(&b, IN | OUT | ERR, NULL, "first ");
    say(fd, "second\n");
    shutdown(fd, SHUT_WR);
    box_start(&b);
    seen_to_end(fd, 1, "first second\nend\n");
    box_exit_code(&b, 0);
    real_free(&b, _i);
}
END_TEST

START_TEST(its_terminal)
{
    struct box b;
    real_new(&b, _i, true, "/bin/busybox",
             "/bin/busybox tty && /bin/busybox stty size; read x; echo \"<$x>\"; /bin/busybox stty size");
    box_set(&b, "console_size", json_pack("[i,i]", 33, 77));
    box_open_stdin(&b, false);
    int fd = box_run_attached(&b, IN | OUT | ERR);
    autoseen s = {.raw = true};
    seen_until(&s, fd, 0, "33 77\r\n");
    box_send(&b, json_pack("{s:s, s:i, s:i}", "op", "resize", "h", 24, "w", 80), -1);
    box_expect(&b, "resized");
    say(fd, "hello\r");
    seen_all(&s, fd);
    ck_assert_msg(str_ends(s.out[0].s, "33 77\r\nhello\r\n<hello>\r\n24 80\r\n"), "%s", s.out[0].s);
    close(fd);
    box_exit_code(&b, 0);
    real_free(&b, _i);
}
END_TEST

START_TEST(a_signal_ends_it)
{
    struct box b;
    real_new(&b, _i, false, "/bin/busybox",
             "(while :; do echo x; /bin/busybox sleep .1; done) & /bin/busybox sleep 30");
    box_run(&b);
    usleep(200000);
    kill(b.init, SIGKILL); /* the kernel takes the rest of the pid namespace with it */
    box_exit_code(&b, 137);
    real_free(&b, _i);
}
END_TEST

START_TEST(no_such_program)
{
    struct box b;
    real_new(&b, _i, false, "nosuch", "");
    box_launch(&b);
    json_auto_t *j = box_event(&b, "failed");
    ck_assert_msg(strstr(json_str(j, "error.message", ""), "executable file not found"), "%s",
                  json_str(j, "error.message", ""));
    ck_assert_int_eq(json_int(j, "error.kind", 0), ERR_INVALID);
    box_free(&b);
}
END_TEST

START_TEST(the_daemon_goes_before_the_start)
{
    struct box b;
    real_new(&b, _i, false, "/bin/busybox", "echo never");
    box_create(&b);
    box_lose_daemon(&b);
    ck_assert_int_eq(box_reap(&b), 0);
    ck_assert(!alive(b.init));
    autofree char *root = box_path(&b, "root");
    /* the runtime knows no such container any more */
    ck_assert_int_ne(run(chosen[_i], "--root", root, "state", BOX_ID, NULL), 0);
    box_free(&b);
}
END_TEST

/* The command line that every OCI runtime understands, to the letter. */
START_TEST(how_a_runtime_is_called)
{
    struct box b;
    box_new(&b, "tty");
    box_set(&b, "tty", json_true());
    json_array_append_new(json_object_get(b.task, "runtime_args"), json_string("--debug"));
    box_put(&b, "bundle/fail-start", "{\"level\":\"error\",\"msg\":\"no\"}");
    box_create(&b);
    box_op(&b, "start");
    box_expect(&b, "failed");
    ck_assert_int_eq(box_reap(&b), 0);
    autofree char *calls = box_get(&b, "root/calls");
    autofree char *common =
        str_printf("fake-runtime --debug --root %s/root --log %s/dir/runtime.log --log-format json ", b.top, b.top);
    autofree char *want =
        str_printf("%screate --bundle %s/bundle --pid-file %s/dir/init.pid --console-socket "
                   "%s/dir/console.sock " BOX_ID "\n%sstart " BOX_ID "\n%sdelete --force " BOX_ID "\n",
                   common, b.top, b.top, b.top, common, common);
    ck_assert_str_eq(calls, want);
    box_free(&b);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc < 2) /* not when called as the fake runtime */
        choose();
    Suite *s = suite_create("shim_runtimes");
    TCase *t = shim_case(s, "real");
    tcase_add_test(t, how_a_runtime_is_called);
    tcase_add_loop_test(t, a_container, 0, nchosen);
    tcase_add_loop_test(t, its_input, 0, nchosen);
    tcase_add_loop_test(t, its_terminal, 0, nchosen);
    tcase_add_loop_test(t, a_signal_ends_it, 0, nchosen);
    tcase_add_loop_test(t, no_such_program, 0, nchosen);
    tcase_add_loop_test(t, the_daemon_goes_before_the_start, 0, nchosen);
    int r = shim_run(s, argc, argv);
    for (int i = 0; i < nchosen; i++)
        free(chosen[i]);
    return r;
}
