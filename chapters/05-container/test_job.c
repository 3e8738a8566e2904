// Tests of job.c and child.c: real processes, in a folder of their own.
#include "job.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/job-XXXXXX", root[4200];

static void setup(void)
{
    char cwd[4096];
    snprintf(root, sizeof root, "%s/root", getcwd(cwd, sizeof cwd));
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(mkdir("jobs", 0700), 0);
    ck_assert_int_eq(symlink(root, "root"), 0);
}

static void teardown(void)
{
    for (struct job *job = jobs; job; job = job->next)
        for (int s = 1; s <= 2; s++) {
            char file[128];
            job_file(job, s, file, sizeof file);
            unlink(file);
        }
    ck_assert_int_eq(rmdir("jobs"), 0);
    ck_assert_int_eq(unlink("root"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}

#define RUN(...) run((char *[]){__VA_ARGS__, NULL})

static struct job *run(char **argv)
{
    struct job *job = job_new(argv);
    ck_assert_int_eq(job->state, CREATED);
    ck_assert_int_eq(job_start(job), 0);
    ck_assert_int_eq(job->state, RUNNING);
    ck_assert_int_gt(job->pid, 0);
    return job;
}

static struct job *until_exited(struct job *job)
{
    for (int i = 0; i < 500 && job->state != EXITED; i++) {
        poll(NULL, 0, 10);
        jobs_reap();
    }
    ck_assert_int_eq(job->state, EXITED);
    return job;
}

static const char *text(const struct job *job, int stream)
{
    static char buf[4096];
    char file[128];
    job_file(job, stream, file, sizeof file);
    FILE *f = fopen(file, "r");
    ck_assert_ptr_nonnull(f);
    buf[fread(buf, 1, sizeof buf - 1, f)] = '\0';
    fclose(f);
    return buf;
}

START_TEST(streams)
{
    struct job *job = until_exited(RUN("sh", "-c", "echo good; echo bad >&2; exit 7"));
    ck_assert_int_eq(job->code, 7);
    ck_assert_str_eq(text(job, 1), "good\n");
    ck_assert_str_eq(text(job, 2), "bad\n");
}
END_TEST

START_TEST(words_are_copied)
{
    char word[] = "a  b";
    struct job *job = job_new((char *[]){"echo", word, NULL});
    memset(word, 'x', 4);
    ck_assert_int_eq(job_start(job), 0);
    ck_assert_str_eq(text(until_exited(job), 1), "a  b\n");
}
END_TEST

START_TEST(signalled)
{
    struct job *job = RUN("sleep", "100");
    ck_assert_int_eq(kill(job->pid, SIGKILL), 0);
    ck_assert_int_eq(until_exited(job)->code, 128 + SIGKILL);
}
END_TEST

START_TEST(no_such_command)
{
    struct job *job = until_exited(RUN("nosuch-command"));
    ck_assert_int_eq(job->code, 127);
    ck_assert_ptr_nonnull(strstr(text(job, 2), "nosuch-command: No such file or directory"));
}
END_TEST

START_TEST(no_zombies)
{
    struct job *job[20];
    for (int i = 0; i < 20; i++)
        job[i] = RUN("true");
    for (int i = 0; i < 20; i++) // until all have ended: for the kernel that is one signal
        ck_assert_int_eq(waitid(P_PID, (id_t)job[i]->pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
    jobs_reap();
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(job[i]->state, EXITED);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(a_world_of_its_own)
{
    // What a job gets from its parent: no blocked or ignored signal, nothing to read, no foreign descriptor, its
    // session.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct job *job =
        RUN("sh", "-c", "grep -E '^Sig(Blk|Ign):' /proc/self/status; ls /proc/self/fd | wc -l; cat; umask");
    until_exited(job);
    const char *out = text(job, 1);
    ck_assert_ptr_nonnull(strstr(out, "SigBlk:\t0000000000000000\n"));
    const char *ignored = strstr(out, "SigIgn:\t");
    ck_assert_ptr_nonnull(ignored);
    ck_assert_uint_eq(strtoul(ignored + 8, NULL, 16) & 1UL << (SIGPIPE - 1), 0);
    ck_assert_ptr_nonnull(strstr(out, "\n4\n0022\n")); // 0, 1, 2, and the folder that ls itself reads

    job = RUN("sleep", "100");
    for (int i = 0; i < 100 && getsid(job->pid) != job->pid; i++)
        poll(NULL, 0, 10);
    pid_t session = getsid(job->pid);
    kill(job->pid, SIGKILL);
    until_exited(job);
    ck_assert_int_eq(session, job->pid);
}
END_TEST

START_TEST(ids)
{
    struct job *a = job_new((char *[]){"true", NULL}), *b = job_new((char *[]){"true", NULL});
    ck_assert_uint_eq(strlen(a->id), 64);
    ck_assert_uint_eq(strspn(a->id, "0123456789abcdef"), 64);
    ck_assert_str_ne(a->id, b->id);
    ck_assert_ptr_eq(job_find(a->id), a);
    ck_assert_ptr_eq(job_find("nosuch"), NULL);
    ck_assert_ptr_eq(job_find(""), NULL);
    b->next = NULL; // alone in the list, it is still not meant by an empty word
    jobs = b;
    ck_assert_ptr_eq(job_find(""), NULL);
    b->next = a;
    a->next = NULL;
    memcpy(a->id, "abc1", 4);
    memcpy(b->id, "abc2", 4);
    ck_assert_ptr_eq(job_find("abc1"), a);
    ck_assert_ptr_eq(job_find("abc"), NULL); // two begin like this
}
END_TEST

START_TEST(again)
{
    struct job *job = until_exited(RUN("echo", "once"));
    ck_assert_int_eq(job_start(job), 0);
    until_exited(job);
    ck_assert_str_eq(text(job, 1), "once\nonce\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("job");
    TCase *t = tcase_create("job");
    tcase_set_timeout(t, 20);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, streams);
    tcase_add_test(t, words_are_copied);
    tcase_add_test(t, signalled);
    tcase_add_test(t, no_such_command);
    tcase_add_test(t, no_zombies);
    tcase_add_test(t, a_world_of_its_own);
    tcase_add_test(t, ids);
    tcase_add_test(t, again);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
