// test_service.c - one daemon at a time, sockets stale and live, and a stop that leaves nothing.
#include "service.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/test-service-XXXXXX", calfd[4200], root[4200];

static void setup(void)
{
    char cwd[4096];
    snprintf(calfd, sizeof calfd, "%s/calfd", getcwd(cwd, sizeof cwd));
    snprintf(root, sizeof root, "%s/root", cwd);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(symlink(root, "root"), 0);
}

static void teardown(void)
{
    char command[128];
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    FILE *f = popen(command, "r");
    ck_assert_int_eq(f ? pclose(f) : -1, 0);
}

// Runs a shell command; returns its exit code and what it wrote, errors too.
static int sh(char *text, size_t size, const char *command)
{
    char line[9000];
    snprintf(line, sizeof line, "{ %s\n} 2>&1", command);
    FILE *f = popen(line, "r");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, size - 1, f);
    text[n] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct sockaddr_un address(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    return a;
}

// How a call ends that may end the program: 0, or its exit code.
static int outcome(void (*call)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, 2);
        call();
        _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}

static void take_lock(void)
{
    lock_take("l");
}

START_TEST(lock_lives_as_long_as_its_holder)
{
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = lock_take("l");
        lock_sign(fd);
        if (fork() == 0) // a job that goes on when the daemon is gone: it must not have the lock
            execlp("sleep", "sleep", "3", NULL);
        usleep(100000);
        _exit(write(ready[1], "r", 1) == 1 && pause());
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(outcome(take_lock), 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    struct stat st;
    ck_assert(stat("l", &st) == 0 && st.st_size > 0); // the old number is still in it
    ck_assert_int_eq(outcome(take_lock), 0);
    ck_assert(stat("l", &st) == 0 && st.st_size == 0); // and gone before anybody can take it for the new one's
}
END_TEST

static void stale_s(void)
{
    struct sockaddr_un a = address("s");
    listen_stale(&a);
}

START_TEST(stale_socket_goes_a_live_one_stays)
{
    struct sockaddr_un a = address("s");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0);
    ck_assert_int_eq(outcome(stale_s), 1);
    ck_assert_int_eq(access("s", F_OK), 0);
    close(fd);
    ck_assert_int_eq(outcome(stale_s), 0);
    ck_assert_int_ne(access("s", F_OK), 0);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_left_alone)
{
    close(open("s", O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(outcome(stale_s), 1);
    ck_assert_int_eq(access("s", F_OK), 0);
}
END_TEST

static void given(void)
{
    listen_given();
}

START_TEST(a_given_socket_is_taken_by_its_addressee_only)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    int kept = dup(3), gone = socket(AF_UNIX, SOCK_STREAM, 0); // libcheck may have a file of its own at 3
    dup2(gone, 3);
    setenv("LISTEN_FDS", "1", 1);
    int without = outcome(given);
    setenv("LISTEN_PID", pid, 1);
    int other = outcome(given); // which calls it in a child, and that has another pid
    int fd = listen_given(), flags = fcntl(3, F_GETFD);
    dup2(kept, 3);
    ck_assert_int_eq(without, 1);
    ck_assert_int_eq(other, 1);
    ck_assert_int_eq(fd, 3);
    ck_assert_int_eq(flags & FD_CLOEXEC, FD_CLOEXEC);
    ck_assert_ptr_null(getenv("LISTEN_FDS"));
    ck_assert_ptr_null(getenv("LISTEN_PID"));
}
END_TEST

static const char *tcp;
static void listen_there(void)
{
    listen_tcp(tcp);
}

START_TEST(tcp_is_for_this_machine_alone)
{
    const char *const wrong[] = {"0.0.0.0:2375",    "10.0.0.1:2375", "127.0.0.1",
                                 "127.0.0.1:65537", "127.0.0.1:-1",  "127.0.0.1:1x"};
    tcp = "127.0.0.1:0"; // 0: the kernel chooses a free port
    ck_assert_int_eq(outcome(listen_there), 0);
    tcp = wrong[_i];
    ck_assert_int_eq(outcome(listen_there), 1);
}
END_TEST

START_TEST(hup_opens_the_log_again)
{
    char text[4096], command[8600];
    snprintf(command, sizeof command,
             "%s -b log && mv log old && kill -HUP $(cat calfd.pid)\n"
             "for i in 1 2 3 4 5 6 7 8 9; do test -e log && break; sleep 0.1; done\n"
             "mv log new; mkdir log; kill -HUP $(cat calfd.pid); sleep 0.3; cat new; kill $(cat calfd.pid)\n"
             "flock -w 5 calfd.pid ls",
             calfd);
    ck_assert_int_eq(sh(text, sizeof text, command), 0);
    // a log that cannot be opened is no reason to end, nor to be silent
    ck_assert_str_eq(text, "calfd: log: Is a directory\ncalfd.pid\njobs\nlog\nnew\nold\nroot\n");
}
END_TEST

START_TEST(starts_without_a_terminal_and_stops_without_a_trace)
{
    char text[4096], command[8600], want[64];
    snprintf(command, sizeof command,
             "%s -b calfd.log && test -S calf.sock && ps -o pid=,sid=,tty= -p $(cat calfd.pid)", calfd);
    ck_assert_int_eq(sh(text, sizeof text, command), 0); // when the command ends, the socket is there
    int pid = 0, sid = 0;
    char tty[16] = "";
    ck_assert_int_eq(sscanf(text, "%d %d %15s", &pid, &sid, tty), 3);
    ck_assert_str_eq(tty, "?");
    ck_assert_int_ne(sid, getsid(0));
    ck_assert_int_ne(sid, pid);

    snprintf(command, sizeof command, "%s", calfd);
    snprintf(want, sizeof want, "another calfd runs, pid %d\n", pid);
    ck_assert_int_eq(sh(text, sizeof text, command), 1);
    ck_assert_msg(strstr(text, want), "said: %s", text);

    ck_assert_int_eq(sh(text, sizeof text,
                        "id=$(curl -s --unix-socket calf.sock http://calf/containers/create"
                        " -d '{\"Image\":\"i\",\"Cmd\":[\"sleep\",\"4321\"]}' | cut -d'\"' -f4)\n"
                        "curl -s --unix-socket calf.sock -X POST http://calf/containers/$id/start\n"
                        "for i in 1 2 3 4 5 6 7 8 9; do pgrep -f '^sleep 4321' && exit 0; sleep 0.1; done; exit 1"),
                     0);
    ck_assert_int_eq(
        // 9: process 1 of a world does not hear SIGTERM unless it asks to, and so is killed after 5
        sh(text, sizeof text, "kill $(cat calfd.pid); flock -w 9 calfd.pid true; ls; pgrep -f '^sleep 4321'"), 1);
    ck_assert_str_eq(text, "calfd.log\ncalfd.pid\njobs\nroot\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("service");
    TCase *t = tcase_create("service");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, lock_lives_as_long_as_its_holder);
    tcase_add_test(t, stale_socket_goes_a_live_one_stays);
    tcase_add_test(t, a_file_that_is_no_socket_is_left_alone);
    tcase_add_test(t, a_given_socket_is_taken_by_its_addressee_only);
    tcase_add_loop_test(t, tcp_is_for_this_machine_alone, 0, 6);
    tcase_add_test(t, hup_opens_the_log_again);
    tcase_add_test(t, starts_without_a_terminal_and_stops_without_a_trace);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
