/* Paths inside a hostile tree never lead out of it (spec/security.md section 2.1). */
#include "base/file.h"
#include "base/mem.h"
#include "base/rootpath.h"
#include "base/str.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

/* A folder with a secret beside the tree, and a tree in it:
 *     secret        the file that nobody may reach through the tree
 *     root/         the tree, held as rootfd */
static char folder[] = "/tmp/test-rootpath-XXXXXX";
static int rootfd = -1;

static void setup(void)
{
    struct err e;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "secret", "secret", 6, 0600, &e), 0);
    ck_assert_int_eq(dir_make_all("root/etc", 0755, &e), 0);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "root/etc/passwd", "inside", 6, 0600, &e), 0);
    rootfd = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(rootfd, 0);
}

static void teardown(void)
{
    close(rootfd);
    ck_assert_int_eq(tree_remove(AT_FDCWD, folder, NULL), 0);
}

static const char *content(const char *path)
{
    static char text[100];
    struct err e;
    autoclose int fd = rootpath_open(rootfd, path, O_RDONLY, 0, &e);
    if (fd < 0)
        return NULL;
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

START_TEST(links_and_dots_stay_inside)
{
    ck_assert_int_eq(symlink("/etc/passwd", "root/absolute"), 0);
    ck_assert_int_eq(symlink("../../../../etc/passwd", "root/upwards"), 0);
    ck_assert_int_eq(symlink("../secret", "root/beside"), 0);
    ck_assert_int_eq(symlink("loop", "root/loop"), 0);
    autofree char *outside = str_printf("%s/secret", folder);
    ck_assert_int_eq(symlink(outside, "root/outside"), 0);
    ck_assert_int_eq(symlink("/", "root/top"), 0);
    static const char *const inside[] = {"etc/passwd",       "/etc/passwd",  "absolute",         "upwards",
                                         "../../etc/passwd", "top/absolute", "top/../etc/passwd"};
    for (size_t i = 0; i < COUNT(inside); i++) {
        const char *text = content(inside[i]);
        ck_assert_msg(str_eq(text, "inside"), "%s: %s", inside[i], text ? text : "nothing");
    }
    static const char *const nothing[] = {"../secret", "beside", "outside", "top/../secret", "loop", "", "no/such"};
    for (size_t i = 0; i < COUNT(nothing); i++)
        ck_assert_msg(content(nothing[i]) == NULL, "%s was reached", nothing[i]);
}
END_TEST

START_TEST(magic_links_are_refused)
{
    struct err e = {0};
    autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0 || access("/proc/self/root/", F_OK) < 0)
        return; /* no /proc: nothing to test */
    ck_assert_int_eq(rootpath_open(proc, "self/root/etc", O_PATH, 0, &e), -1);
    ck_assert_int_eq(rootpath_open(proc, "self/cwd", O_PATH, 0, &e), -1);
    ck_assert_int_eq(e.sys, ELOOP);
}
END_TEST

START_TEST(folders_are_made_inside)
{
    struct err e = {0};
    struct stat st;
    autoclose int deep = rootpath_make_dirs(rootfd, "/a/b/c", 0750, &e);
    ck_assert_msg(deep >= 0, "%s", e.msg);
    ck_assert(stat("root/a/b/c", &st) == 0 && (st.st_mode & 07777) == 0750);
    autoclose int again = rootpath_make_dirs(rootfd, "a/b/c/", 0750, &e);
    ck_assert_int_ge(again, 0);
    /* through links, as the container would see them */
    ck_assert_int_eq(symlink("/../../a", "root/link"), 0);
    autoclose int through = rootpath_make_dirs(rootfd, "link/d/e", 0755, &e);
    ck_assert_msg(through >= 0, "%s", e.msg);
    ck_assert_int_eq(access("root/a/d/e", F_OK), 0);
    /* and through one that leads nowhere yet: what it names is made, below the root and not where the host has it */
    autofree char *outside = str_printf("%s/made", folder), *inside = str_printf("root%s/x", outside);
    ck_assert_int_eq(symlink(outside, "root/out"), 0);
    autoclose int dangling = rootpath_make_dirs(rootfd, "out/x", 0755, &e);
    ck_assert_msg(dangling >= 0, "%s", e.msg);
    ck_assert(access("made", F_OK) == -1 && access(inside, F_OK) == 0);
    autoclose int above = rootpath_make_dirs(rootfd, "../../up", 0755, &e);
    ck_assert_int_ge(above, 0);
    ck_assert(access("up", F_OK) == -1 && access("root/up", F_OK) == 0);
    ck_assert_int_eq(rootpath_make_dirs(rootfd, "etc/passwd/x", 0755, &e), -1);
    ck_assert_int_eq(rootpath_make_dirs(rootfd, "etc/passwd", 0755, &e), -1);
    ck_assert_int_eq(symlink("loop", "root/loop"), 0);
    ck_assert_int_eq(rootpath_make_dirs(rootfd, "loop/x", 0755, &e), -1);
}
END_TEST

START_TEST(parents_keep_the_last_component)
{
    struct err e = {0};
    autofree char *name = NULL, *other = NULL, *third = NULL;
    ck_assert_int_eq(symlink("/etc/passwd", "root/etc/link"), 0);
    autoclose int fd = rootpath_parent(rootfd, "/etc/link", false, &name, &e);
    ck_assert_msg(fd >= 0, "%s", e.msg);
    ck_assert_str_eq(name, "link");
    struct stat st;
    ck_assert(fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode));
    ck_assert_int_eq(rootpath_parent(rootfd, "no/such", false, &other, &e), -1);
    autoclose int made = rootpath_parent(rootfd, "no/such/", true, &other, &e);
    ck_assert(made >= 0 && str_eq(other, "such") && access("root/no", F_OK) == 0);
    static const char *const bad[] = {"", "/", ".", "..", "a/..", "etc/.", "///"};
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(rootpath_parent(rootfd, bad[i], true, &third, &e) == -1, "\"%s\"", bad[i]);
    ck_assert_ptr_null(third);
}
END_TEST

START_TEST(mount_targets_are_made)
{
    struct err e = {0};
    struct stat st;
    autoclose int file = rootpath_mount_target(rootfd, "/run/x/file", false, &e);
    ck_assert_msg(file >= 0, "%s", e.msg);
    ck_assert(fstat(file, &st) == 0 && S_ISREG(st.st_mode));
    autoclose int dir = rootpath_mount_target(rootfd, "/mnt/x", true, &e);
    ck_assert(dir >= 0 && fstat(dir, &st) == 0 && S_ISDIR(st.st_mode));
    autoclose int there = rootpath_mount_target(rootfd, "/etc/passwd", false, &e);
    ck_assert(there >= 0 && fstat(there, &st) == 0 && st.st_size == 6);
}
END_TEST

/* Images have /etc/resolv.conf as a link into /run, which is empty in them. Docker and runc make what the link names,
 * inside the root, so it is no reason to refuse a container; it was one here until now. */
START_TEST(mount_targets_are_made_where_links_lead)
{
    struct err e = {0};
    struct stat st;
    autofree char *outside = str_printf("%s/new", folder), *inside = str_printf("root%s/new", folder);
    ck_assert_int_eq(symlink("../run/systemd/resolve/stub.conf", "root/etc/resolv.conf"), 0);
    autoclose int stub = rootpath_mount_target(rootfd, "/etc/resolv.conf", false, &e);
    ck_assert_msg(stub >= 0, "%s", e.msg);
    ck_assert(stat("root/run/systemd/resolve/stub.conf", &st) == 0 && S_ISREG(st.st_mode));
    ck_assert_int_eq(symlink(outside, "root/dangling"), 0);
    autoclose int file = rootpath_mount_target(rootfd, "dangling", false, &e);
    ck_assert_msg(file >= 0, "%s", e.msg);
    ck_assert(access("new", F_OK) == -1 && access(inside, F_OK) == 0);
    ck_assert_int_eq(symlink("../../../../up/here/", "root/etc/up"), 0);
    ck_assert_int_eq(symlink("etc/up/..//../there", "root/chain"), 0);
    autoclose int up = rootpath_mount_target(rootfd, "etc/up", true, &e);
    ck_assert(up >= 0 && access("up", F_OK) == -1 && access("root/up/here", F_OK) == 0);
    autoclose int chain = rootpath_mount_target(rootfd, "chain", true, &e);
    ck_assert_msg(chain >= 0 && stat("root/there", &st) == 0 && S_ISDIR(st.st_mode), "%s", e.msg);
    for (int i = 0; i < 60; i++) { /* longer than the kernel follows; and each link below the one before */
        autofree char *from = str_printf("root/l%d", i), *to = str_printf("l%d/x", i + 1);
        ck_assert_int_eq(symlink(to, from), 0);
    }
    ck_assert_int_eq(rootpath_mount_target(rootfd, "l0", false, &e), -1);
    ck_assert_int_eq(e.sys, ELOOP);
    ck_assert_int_eq(symlink("self", "root/self"), 0);
    ck_assert_int_eq(rootpath_mount_target(rootfd, "self", false, &e), -1);
    ck_assert_int_eq(rootpath_mount_target(rootfd, "self/x", true, &e), -1);
}
END_TEST

START_TEST(only_regular_files_are_opened)
{
    struct err e = {0};
    char text[16] = "";
    ck_assert_int_eq(symlink("/etc/passwd", "root/link"), 0);
    autoclose int fd = rootpath_open_file(rootfd, "link", &e);
    ck_assert_msg(fd >= 0, "%s", e.msg);
    ck_assert(read(fd, text, sizeof(text)) == 6 && str_eq(text, "inside"));
    ck_assert_int_eq(rootpath_open_file(rootfd, "/none", &e), -1);
    ck_assert_int_eq(e.sys, ENOENT);
    ck_assert_int_eq(mkfifo("root/fifo", 0644), 0);
    ck_assert_int_eq(symlink("../../secret", "root/beside"), 0);
    ck_assert_int_eq(rootpath_open_file(rootfd, "beside", &e), -1);
    static const char *const others[] = {"fifo", "/etc", "/"};
    for (size_t i = 0; i < COUNT(others); i++) {
        ck_assert_int_eq(rootpath_open_file(rootfd, others[i], &e), -1);
        ck_assert_int_eq(e.kind, ERR_INVALID);
        ck_assert_msg(strstr(e.msg, "is not a regular file") != NULL, "%s", e.msg);
    }
}
END_TEST

/* Somebody inside exchanges a folder for a link to the outside while we make folders below it (CVE-2019-14271's kin).
 */
static atomic_bool stop;

static void *exchange(void *arg)
{
    (void)arg;
    while (!stop)
        if (renameat2(AT_FDCWD, "root/swap", AT_FDCWD, "root/evil", RENAME_EXCHANGE) < 0)
            break;
    return NULL;
}

START_TEST(races_do_not_lead_out)
{
    pthread_t t;
    struct err e = {0};
    ck_assert_int_eq(mkdir("outside", 0755), 0);
    ck_assert_int_eq(mkdir("root/swap", 0755), 0);
    ck_assert_int_eq(symlink("../outside", "root/evil"), 0);
    ck_assert_int_eq(pthread_create(&t, NULL, exchange, NULL), 0);
    int made = 0;
    for (int i = 0; i < 3000; i++) {
        autofree char *path = str_printf("swap/%d/x", i);
        autoclose int fd = rootpath_make_dirs(rootfd, path, 0755, &e);
        autoclose int target = rootpath_mount_target(rootfd, path, false, &e);
        made += fd >= 0;
    }
    stop = true;
    pthread_join(t, NULL);
    ck_assert_int_gt(made, 0);
    ck_assert_int_eq(rmdir("outside"), 0); /* empty still */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rootpath");
    TCase *t = unit_case(s, "all");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, links_and_dots_stay_inside);
    tcase_add_test(t, magic_links_are_refused);
    tcase_add_test(t, folders_are_made_inside);
    tcase_add_test(t, parents_keep_the_last_component);
    tcase_add_test(t, mount_targets_are_made);
    tcase_add_test(t, mount_targets_are_made_where_links_lead);
    tcase_add_test(t, only_regular_files_are_opened);
    tcase_add_test(t, races_do_not_lead_out);
    return unit_run(s);
}
