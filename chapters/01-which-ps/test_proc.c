// Tests of proc.c: texts as the kernel writes them, then real processes.
#include "proc.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAIL " S 1 4711 4700 34817 4711 4194560 1 2 3 4 5 6 7 8 20 0 9 0 12345 1000000 321 18446744073709551615\n"

START_TEST(fields)
{
    struct proc p = {0};
    ck_assert_int_eq(proc_parse("4711 (sleep)" TAIL, &p), 0);
    ck_assert_int_eq(p.pid, 4711);
    ck_assert_str_eq(p.name, "sleep");
    ck_assert_int_eq(p.state, 'S');
    ck_assert_int_eq(p.group, 4711);
    ck_assert_int_eq(p.session, 4700);
    ck_assert_int_eq(p.tty, 34817);
    ck_assert_int_eq(p.foreground, 4711);
    ck_assert_int_eq(p.threads, 9);
    ck_assert_int_eq(p.rss, 321);
}
END_TEST

START_TEST(name_with_brackets)
{
    struct proc p = {0};
    ck_assert_int_eq(proc_parse("4711 (a) R (b c))" TAIL, &p), 0);
    ck_assert_str_eq(p.name, "a) R (b c)");
    ck_assert_int_eq(p.state, 'S');
}
END_TEST

START_TEST(not_a_stat)
{
    struct proc p = {0};
    ck_assert_int_eq(proc_parse("", &p), -1);
    ck_assert_int_eq(proc_parse("4711 sleep S 1", &p), -1);
    ck_assert_int_eq(proc_parse("4711 )sleep(" TAIL, &p), -1);
    ck_assert_int_eq(proc_parse("4711 )" TAIL "(", &p), -1);
    ck_assert_int_eq(proc_parse("4711 (sleep) S 1", &p), -1);
    ck_assert_int_eq(proc_parse("x (sleep)" TAIL, &p), -1);
}
END_TEST

START_TEST(terminals)
{
    char tty[16];
    proc_tty(34817, tty, sizeof tty); // 136 * 256 + 1
    ck_assert_str_eq(tty, "pts/1");
    proc_tty(35073, tty, sizeof tty); // 137 * 256 + 1: the next driver goes on counting
    ck_assert_str_eq(tty, "pts/257");
    proc_tty(1025, tty, sizeof tty); // 4 * 256 + 1
    ck_assert_str_eq(tty, "tty1");
    proc_tty(0, tty, sizeof tty);
    ck_assert_str_eq(tty, "?");
}
END_TEST

static pid_t child_of(int kind)
{
    int ready[2];
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (kind == 'Z')
            _exit(0);
        prctl(PR_SET_NAME, "odd) name", 0, 0, 0);
        setsid();
        if (write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    char c;
    siginfo_t info;
    if (kind == 'Z')
        waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT); // until it has ended, without reaping it
    else
        ck_assert_int_eq((int)read(ready[0], &c, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

START_TEST(living)
{
    struct proc p = {0};
    pid_t pid = child_of('S');
    usleep(50000); // from write() to pause()
    int rc = proc_read(pid, &p);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(p.pid, pid);
    ck_assert_int_eq(p.session, pid);
    ck_assert_str_eq(p.name, "odd) name");
    ck_assert_int_eq(p.state, 'S');
    ck_assert_uint_eq(p.uid, geteuid());
    ck_assert_int_gt(p.rss, 0);
    ck_assert_ptr_nonnull(strstr(p.command, "test_proc"));
}
END_TEST

START_TEST(words)
{
    struct proc p = {0};
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setuid(4711) != 0)
            _exit(1);
        execlp("sleep", "sleep", "100", "0", NULL);
        _exit(1);
    }
    for (int i = 0; i < 200 && strncmp(p.command, "sleep", 5) != 0; i++) {
        usleep(10000); // until it is sleep
        ck_assert_int_eq(proc_read(pid, &p), 0);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_str_eq(p.command, "sleep 100 0");
    ck_assert_uint_eq(p.uid, geteuid() == 0 ? 4711 : geteuid());
}
END_TEST

START_TEST(zombie)
{
    struct proc p = {0};
    pid_t pid = child_of('Z');
    int rc = proc_read(pid, &p);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(p.state, 'Z');
    ck_assert_str_eq(p.command, "[test_proc]");
    ck_assert_int_eq(proc_read(pid, &p), -1); // reaped: gone
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

static int open_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

START_TEST(nothing_left_open)
{
    struct proc p = {0};
    int before = open_fds();
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(proc_read(getpid(), &p), 0);
        ck_assert_int_eq(proc_read(0, &p), -1);
    }
    ck_assert_int_eq(before, open_fds());
}
END_TEST

int main(void)
{
    Suite *s = suite_create("proc");
    TCase *t = tcase_create("proc");
    tcase_add_test(t, fields);
    tcase_add_test(t, name_with_brackets);
    tcase_add_test(t, not_a_stat);
    tcase_add_test(t, terminals);
    tcase_add_test(t, living);
    tcase_add_test(t, words);
    tcase_add_test(t, zombie);
    tcase_add_test(t, nothing_left_open);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
