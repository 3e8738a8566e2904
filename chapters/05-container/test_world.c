// test_world.c - is it really isolated? Programs inside try to see and to change what is outside.
#include "job.h"

#include <check.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[] = "/tmp/world-XXXXXX", root[4200];

static void setup(void)
{
    char cwd[4096];
    snprintf(root, sizeof root, "%s/root", getcwd(cwd, sizeof cwd));
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(mkdir("jobs", 0700), 0);
    ck_assert_int_eq(symlink(root, "root"), 0);
    FILE *f = fopen("secret", "w"); // on the host, beside the root
    ck_assert_ptr_nonnull(f);
    ck_assert(fputs("secret\n", f) >= 0 && fclose(f) == 0);
}

static void teardown(void)
{
    char file[128], command[4500];
    for (struct job *job = jobs; job; job = job->next)
        for (int s = 1; s <= 2; s++) {
            job_file(job, s, file, sizeof file);
            unlink(file);
        }
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm %s/secret %s/root && rmdir %s/jobs %s && rm -rf %s/tmp/below", dir, dir, dir,
             dir, root);
    FILE *f = popen(command, "r");
    ck_assert_int_eq(f ? pclose(f) : -1, 0);
}

// Starts a job and waits for its end; what it has written, output and errors, is in `said`.
static char said[65536];
static struct job *finish(struct job *job)
{
    char file[128];
    size_t n = 0;
    ck_assert_int_eq(job_start(job), 0);
    for (int i = 0; i < 1000 && job->state != EXITED; i++) {
        poll(NULL, 0, 10);
        jobs_reap();
    }
    ck_assert_int_eq(job->state, EXITED);
    for (int s = 1; s <= 2; s++) {
        job_file(job, s, file, sizeof file);
        FILE *f = fopen(file, "r");
        n += f ? fread(said + n, 1, sizeof said - 1 - n, f) : 0;
        if (f)
            fclose(f);
    }
    said[n] = '\0';
    return job;
}

static struct job *inside(const char *script)
{
    return finish(job_new((char *[]){"sh", "-c", (char *)script, NULL}));
}

// The same on the host: what a test forbids must be possible there, else the test would show nothing.
static const char *outside(const char *script)
{
    static char text[65536];
    FILE *f = popen(script, "r");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    pclose(f);
    return text;
}

START_TEST(sees_only_its_own_processes)
{
    const char *script = "for p in /proc/[0-9]*; do echo $p; done; echo I am $$";
    ck_assert_ptr_nonnull(strchr(strchr(outside(script), '\n') + 1, '\n')); // here there are several
    inside(script);
    ck_assert_str_eq(said, "/proc/1\nI am 1\n");
    struct job *other = job_new((char *[]){"sleep", "100", NULL});
    ck_assert_int_eq(job_start(other), 0);
    char kill_it[64];
    snprintf(kill_it, sizeof kill_it, "kill -9 %d", other->pid);
    ck_assert_int_ne(inside(kill_it)->code, 0);
    ck_assert_int_eq(kill(other->pid, 0), 0);
    ck_assert_int_eq(job_kill(other, SIGKILL), 0);
    for (int i = 0; i < 500 && other->state != EXITED; i++, poll(NULL, 0, 10))
        jobs_reap();
    ck_assert_int_eq(other->code, 128 + SIGKILL);
}
END_TEST

START_TEST(its_end_is_the_end_of_all_in_it)
{
    inside("sleep 4711 & exit 0");
    ck_assert_str_eq(outside("pgrep -f '^sleep 4711'"), "");
}
END_TEST

START_TEST(sees_only_its_own_root)
{
    char script[200];
    snprintf(script, sizeof script, "cat %s/secret", dir);
    ck_assert_str_eq(outside(script), "secret\n");
    ck_assert_int_ne(inside(script)->code, 0);
    inside("ls /; touch /new || touch /bin/new; umount /proc; mount -t proc proc /tmp; echo x >/proc/self/comm");
    ck_assert_ptr_eq(strstr(said, "bin\ndev\nproc\ntmp\n"), said);
    static const char *const refused[] = {"touch: /new: Read-only", "touch: /bin/new: Read-only",
                                          "umount: can't unmount", "mount: permission denied",
                                          "can't create /proc/self/comm: Read-only"};
    for (int i = 0; i < 5; i++)
        ck_assert_msg(strstr(said, refused[i]) != NULL, "not %s: %s", refused[i], said);
    ck_assert_int_ne(access("root/new", F_OK), 0);
}
END_TEST

START_TEST(its_mounts_stay_inside)
{
    const char *mounts = "wc -l </proc/self/mountinfo";
    int before = atoi(outside(mounts));
    inside("wc -l </proc/self/mountinfo");
    ck_assert_int_eq(atoi(said), 4);
    ck_assert_int_gt(before, 4);
    ck_assert_int_eq(atoi(outside(mounts)), before);
}
END_TEST

START_TEST(has_its_own_names_and_network)
{
    char before[256];
    snprintf(before, sizeof before, "%s", outside("hostname"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0); // an address outside
    ck_assert(bind(fd, (struct sockaddr *)&(struct sockaddr_un){.sun_family = AF_UNIX}, sizeof(sa_family_t)) == 0);
    ck_assert_int_gt(atoi(outside("wc -l </proc/net/unix")), 1);
    struct job *job =
        inside("hostname; hostname other; grep -c : /proc/net/dev; wc -l </proc/net/unix; ipcs -q | wc -l");
    char want[64];
    snprintf(want, sizeof want, "%.12s\n1\n1\n", job->id); // one device, lo; of unix sockets only the heading
    ck_assert_ptr_eq(strstr(said, want), said);
    ck_assert_ptr_nonnull(strstr(said, "hostname: sethostname: Operation not permitted"));
    ck_assert_str_eq(outside("hostname"), before);
    close(fd);
}
END_TEST

START_TEST(has_each_namespace_of_its_own)
{
    static const char *const kinds[] = {"ipc", "mnt", "net", "pid", "uts"};
    for (int i = 0; i < 5; i++) {
        char script[64];
        snprintf(script, sizeof script, "readlink /proc/self/ns/%s", kinds[i]);
        const char *ours = outside(script);
        ck_assert_ptr_eq(strstr(ours, kinds[i]), ours);
        inside(script);
        ck_assert_ptr_eq(strstr(said, kinds[i]), said);
        ck_assert_str_ne(said, ours);
    }
}
END_TEST

START_TEST(has_few_capabilities)
{
    inside("grep -E 'Cap(Prm|Eff|Bnd|Inh|Amb)|NoNew' /proc/self/status");
    ck_assert_str_eq(said, "CapInh:\t0000000000000000\nCapPrm:\t00000000000004fb\nCapEff:\t00000000000004fb\n"
                           "CapBnd:\t00000000000004fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n");
    ck_assert_int_ne(inside("mknod /tmp/disk b 8 0")->code, 0);
    struct job *job = job_new((char *[]){"mknod", "/tmp/disk", "b", "8", "0", NULL});
    job->privileged = true;
    ck_assert_int_eq(finish(job)->code, 0);
}
END_TEST

START_TEST(has_the_user_it_was_given)
{
    struct job *job =
        job_new((char *[]){"sh", "-c", "id; grep CapEff /proc/self/status; cat /tmp/no; echo x >/bin/x", NULL});
    job->uid = 1000;
    finish(job);
    ck_assert_ptr_eq(strstr(said, "uid=1000 gid=1000\nCapEff:\t0000000000000000\n"), said);
}
END_TEST

START_TEST(has_no_more_processes_than_it_may)
{
    inside("i=0; while [ $i -lt 150 ]; do sleep 3 & i=$((i + 1)); done; wait");
    ck_assert_ptr_nonnull(strstr(said, "can't fork"));
    ck_assert_str_eq(outside("ls -d /sys/fs/cgroup/calf-* /sys/fs/cgroup/*/calf-* 2>/dev/null"), "");
}
END_TEST

START_TEST(has_no_more_memory_than_it_may)
{
    if (strchr(strchr(outside("cat /proc/swaps"), '\n') + 1, '\n'))
        return; // with swap the limit makes it slow, it does not end it
    struct job *job = inside("x=$(yes | head -c 200000000); echo got it"); // the shell holds it all
    ck_assert_ptr_null(strstr(said, "got it"));
    ck_assert_int_eq(job->code, 128 + SIGKILL);
    ck_assert_int_eq(inside("x=$(yes | head -c 2000000); echo got it")->code, 0);
}
END_TEST

static const char *content(const char *file)
{
    static char command[200];
    snprintf(command, sizeof command, "cat %s", file);
    return outside(command);
}

START_TEST(knows_the_words_of_version_2)
{
    // Plain files in the places where version 2 has its own: this machine's kernel may have the other version.
    struct job *job = job_new((char *[]){"true", NULL});
    memcpy(job->id, "0123456789ab", 12);
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0); // this test's process has the folder for itself
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, NULL), 0);
    outside("cd /sys/fs/cgroup && mkdir calf-0123456789ab && touch cgroup.controllers cgroup.subtree_control && "
            "cd calf-0123456789ab && touch pids.max memory.max cgroup.procs");
    world_limits(job);
    ck_assert_str_eq(content("/sys/fs/cgroup/cgroup.subtree_control"), "+pids +memory");
    ck_assert_str_eq(content("/sys/fs/cgroup/calf-0123456789ab/pids.max"), "100");
    ck_assert_str_eq(content("/sys/fs/cgroup/calf-0123456789ab/memory.max"), "128M");
    ck_assert_str_eq(content("/sys/fs/cgroup/calf-0123456789ab/cgroup.procs"), "0");
    outside("rm /sys/fs/cgroup/calf-0123456789ab/*"); // the kernel's own files need not be removed
    world_end(job);
    ck_assert_int_ne(access("/sys/fs/cgroup/calf-0123456789ab", F_OK), 0);
}
END_TEST

START_TEST(a_chroot_is_no_wall)
{
    char script[4400];
    snprintf(script, sizeof script, "chroot %s escape cat %s/secret 2>&1", root, dir);
    ck_assert_str_eq(outside(script), "secret\n"); // the way out works
}
END_TEST

START_TEST(our_root_is_one)
{
    char file[64];
    snprintf(file, sizeof file, "%s/secret", dir);
    struct job *job = job_new((char *[]){"escape", "cat", file, NULL});
    ck_assert_int_eq(finish(job)->code, 1);
    ck_assert_str_eq(said, "escape: chroot: Operation not permitted\n");
    job = job_new((char *[]){"escape", "cat", file, NULL});
    job->privileged = true; // may call chroot(), and gets nowhere: there is nothing above
    ck_assert_int_eq(finish(job)->code, 1);
    ck_assert_ptr_nonnull(strstr(said, "No such file or directory"));
}
END_TEST

START_TEST(a_terminal_of_its_own)
{
    struct job *job = job_new((char *[]){"sh", "-c", "tty; stty size; read x; echo got $x", NULL});
    job->tty = true;
    ck_assert_int_eq(job_start(job), 0);
    int fd = job_input(job);
    ck_assert_int_eq(write(fd, "this\r", 5), 5);
    close(fd);
    for (int i = 0; i < 500 && job->state != EXITED; i++, poll(NULL, 0, 10))
        jobs_reap();
    ck_assert_int_eq(job->state, EXITED);
    ck_assert_int_eq(job->input, -1);
    char file[128], text[256];
    job_file(job, 1, file, sizeof file);
    FILE *f = fopen(file, "r");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0'; // EXITED: then all of it is in the file
    fclose(f);
    ck_assert_ptr_nonnull(strstr(text, "/dev/console\r\n"));
    ck_assert_ptr_nonnull(strstr(text, "got this\r\n"));
}
END_TEST

START_TEST(who_has_exited_has_said_all)
{
    for (int i = 0; i < 20; i++) {
        struct job *job = job_new((char *[]){"seq", "1000", NULL});
        job->tty = true;
        ck_assert_int_eq(job_start(job), 0);
        while (job->state != EXITED)
            jobs_reap(); // at once: who reads the terminal may still be reading
        char file[128], text[8192];
        job_file(job, 1, file, sizeof file);
        FILE *f = fopen(file, "r");
        ck_assert_ptr_nonnull(f);
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        fclose(f);
        ck_assert_ptr_nonnull(strstr(text, "\r\n1000\r\n"));
    }
}
END_TEST

START_TEST(its_input_ends)
{
    struct job *job = job_new((char *[]){"wc", "-c", NULL});
    job->open_stdin = true;
    ck_assert_int_eq(job_start(job), 0);
    int fd = job_input(job);
    ck_assert_int_eq(write(fd, "1234", 4), 4);
    ck_assert_int_eq(job_input(job), -1); // it was handed over
    poll(NULL, 0, 50);
    jobs_reap();
    ck_assert_int_eq(job->state, RUNNING);
    close(fd);
    for (int i = 0; i < 500 && job->state != EXITED; i++, poll(NULL, 0, 10))
        jobs_reap();
    ck_assert_int_eq(job->state, EXITED);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("world");
    TCase *t = tcase_create("world");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, sees_only_its_own_processes);
    tcase_add_test(t, its_end_is_the_end_of_all_in_it);
    tcase_add_test(t, sees_only_its_own_root);
    tcase_add_test(t, its_mounts_stay_inside);
    tcase_add_test(t, has_its_own_names_and_network);
    tcase_add_test(t, has_each_namespace_of_its_own);
    tcase_add_test(t, has_few_capabilities);
    tcase_add_test(t, has_the_user_it_was_given);
    tcase_add_test(t, has_no_more_processes_than_it_may);
    tcase_add_test(t, has_no_more_memory_than_it_may);
    tcase_add_test(t, knows_the_words_of_version_2);
    tcase_add_test(t, a_chroot_is_no_wall);
    tcase_add_test(t, our_root_is_one);
    tcase_add_test(t, a_terminal_of_its_own);
    tcase_add_test(t, who_has_exited_has_said_all);
    tcase_add_test(t, its_input_ends);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
