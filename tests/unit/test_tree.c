/* The parts of gorae-archive that look at a container's files: where a path leads, what goes into a tar, what differs
 * from the image, and the rules for unpacking into a folder. Here they work on folders of the test instead of a view of
 * their own; that the view is closed is shown black-box (tests/e2e/copy.bats). Needs root, for whiteouts are devices.
 */
#include "archive/worker.h"
#include "base/file.h"
#include "base/json.h"
#include "tar_rig.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static json_t *said; /* the last message */

int message_send(json_t *msg, struct err *e)
{
    (void)e;
    json_decref(said);
    said = msg;
    return 0;
}
int message_progress(const char *diff, int64_t current, int64_t total, struct err *e)
{
    (void)diff, (void)e, (void)current, (void)total;
    return 0;
}

static char folder[] = "/tmp/test-tree-XXXXXX";
static struct view v;

static int open_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void setup(void)
{
    umask(0);
    json_object_seed(0);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(system("mkdir -p root/d/e upper lower; echo hi >root/d/f; ln -s f root/d/l; ln -s /d root/ld;"
                            "ln -s ../../../d/l root/up; ln -s loop root/loop; ln -s /none/x root/dangling"),
                     0);
    v = (struct view){open_dir("root"), open_dir("upper"), open_dir("lower")};
}

static void teardown(void)
{
    struct err e;
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(tree_remove(AT_FDCWD, folder, &e), 0);
}

static json_t *request(const char *path, const char *name, bool want_folder)
{
    return json_pack("{s:s, s:s, s:b}", "path", path, "name", name, "folder", want_folder);
}

/* @return "mode-type target" or the error */
static char *found(const char *path, bool want_folder)
{
    struct where w;
    struct err e;
    json_auto_t *r = request(path, "n", want_folder);
    if (where_find(v.root, r, &w, &e) < 0)
        return str_printf("%d %s", (int)e.kind, e.msg);
    json_auto_t *st = where_stat(v.root, r, &w);
    char *out = str_printf("%llx %s", (long long)json_int(st, "mode", 0) >> 24, json_str(st, "linkTarget", ""));
    where_release(&w);
    return out;
}

START_TEST(paths_lead_where_docker_says)
{
    static const struct {
        const char *path;
        bool folder;
        const char *is;
    } cases[] = {
        {"/d", false, "80 "},
        {"/d/f", false, "0 "},
        {"/d/l", false, "8 /d/f"},
        {"/ld", false, "8 /d"},
        {"/ld", true, "80 "},
        {"/ld/f", false, "0 "},
        {"/up", false, "8 /d/f"},
        {"/dangling", false, "8 /none/x"},
        {"/", false, "80 "},
        {"/x", false, "5 Could not find the file /x"},
        {"/d/f", true, "2 /d/f: not a directory"},
        {"/d/f/x", false, "5 Could not find the file /d/f/x"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        autofree char *is = found(cases[i].path, cases[i].folder);
        ck_assert_msg(strcmp(is, cases[i].is) == 0, "%s: %s", cases[i].path, is);
    }
    autofree char *loop = found("/loop", true);
    ck_assert_msg(strstr(loop, "symbolic links") != NULL, "%s", loop);
}
END_TEST

/* What changes_run() writes. @return the caller's */
static char *changes(bool as_layer, size_t *ret_n)
{
    struct err e;
    int saved = dup(STDOUT_FILENO), out = open("out", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(out, 0);
    fflush(stdout);
    ck_assert_int_ge(dup2(out, STDOUT_FILENO), 0);
    int r = changes_run(&v, as_layer, &e);
    ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
    ck_assert_msg(r == 0, "%s", e.msg);
    close(saved);
    close(out);
    return file_read(AT_FDCWD, "out", 1 << 20, ret_n, &e);
}

START_TEST(changes_are_told_from_upper_lower_and_root)
{
    size_t n;
    /* the image has a, b/c, b/x, gone, same/; the container: a changed, b made again with c only, gone deleted, new */
    ck_assert_int_eq(system("rm -rf root upper/* lower/*; mkdir root;"
                            "mkdir -p lower/b lower/same lower/etc; echo 1 >lower/a; echo 1 >lower/b/c; echo 1 "
                            ">lower/b/x; echo >lower/gone;"
                            "mkdir -p upper/b upper/same upper/etc; echo 2 >upper/a; echo 2 >upper/b/c; echo 2 "
                            ">upper/new; echo 2 >upper/same/in;"
                            ": >upper/etc/hosts; mkdir upper/proc;"
                            "touch -d @1000 lower/same upper/same lower/b; cp -a upper/. root/"),
                     0);
    ck_assert_int_eq(mknod("upper/gone", S_IFCHR, makedev(0, 0)), 0);
    ck_assert_int_eq(mknod("upper/never", S_IFCHR, makedev(0, 0)), 0); /* of a name that the image does not have */
    close(v.root);
    v.root = open_dir("root");
    autofree char *list = changes(false, &n);
    ck_assert_str_eq(list,
                     "[{\"Path\":\"/a\",\"Kind\":0},{\"Path\":\"/b\",\"Kind\":0},{\"Path\":\"/b/c\",\"Kind\":0},"
                     "{\"Path\":\"/b/x\",\"Kind\":2},{\"Path\":\"/gone\",\"Kind\":2},{\"Path\":\"/new\",\"Kind\":1},"
                     "{\"Path\":\"/same/in\",\"Kind\":1}]\n");
    ck_assert_int_eq((int)json_int(said, "changes", 0), 7);
    autofree char *tar = changes(true, &n);
    ck_assert_int_eq(system("tar -tf out | sort | tr '\\n' ' ' >names"), 0);
    autofree char *names = file_read(AT_FDCWD, "names", 1000, &n, &(struct err){0});
    ck_assert_str_eq(names, ".wh.gone a b/ b/.wh.x b/c new same/in ");
}
END_TEST

START_TEST(no_changes_are_null_and_an_empty_tar)
{
    size_t n;
    autofree char *list = changes(false, &n);
    ck_assert_str_eq(list, "null\n");
    autofree char *tar = changes(true, &n);
    ck_assert_uint_eq(n, 1024); /* image/make.c knows it by its digest */
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(tar[i], 0);
}
END_TEST

START_TEST(a_start_alone_changes_nothing)
{
    size_t n;
    ck_assert_int_eq(
        system("rm -rf upper lower; mkdir -p upper/etc upper/dev/shm upper/proc upper/sys lower/etc;"
               ": >upper/etc/hosts; : >upper/etc/hostname; : >upper/etc/resolv.conf; touch -d @1 lower/etc"),
        0);
    v.upper = open_dir("upper");
    v.lower = open_dir("lower");
    autofree char *list = changes(false, &n);
    ck_assert_str_eq(list, "null\n");
    ck_assert_int_eq(system("echo own >upper/etc/hosts"), 0);
    autofree char *own = changes(false, &n);
    ck_assert_str_eq(own, "[{\"Path\":\"/etc\",\"Kind\":0},{\"Path\":\"/etc/hosts\",\"Kind\":1}]\n");
}
END_TEST

static int apply(const struct str *in, const struct layer_options *o, struct err *e)
{
    autoclose int fd = fd_of(in->s, in->len);
    struct layer_result r = {0};
    autostream *a = stream_open(fd, STREAM_PACKED_TAR, e);
    int got = a ? layer_apply(v.root, a, o, &r, e) : -1;
    strv_release(&r.opaque);
    return got;
}

START_TEST(a_prefix_a_strict_eye_and_an_owner)
{
    struct err e;
    struct stat st;
    const uint32_t owner[2] = {77, 88};
    struct layer_options o = {.bytes_max = 1 << 20, .entries_max = 100, .prefix = "d", .strict = true, .owner = owner};
    autostr in = STR_INIT, over = STR_INIT, up = STR_INIT;
    ck_assert_int_eq(chmod("root/d", 0711), 0);
    tar_add(&in, &(struct tar_entry){.type = '5', .name = "./", .mode = 0777});
    tar_file(&in, "./n", "new", 3);
    tar_add(&in, &(struct tar_entry){.type = '1', .name = "h", .link = "n"});
    tar_end(&in);
    ck_assert_msg(apply(&in, &o, &e) == 0, "%s", e.msg);
    ck_assert_int_eq(stat("root/d/h", &st), 0);
    ck_assert_uint_eq(st.st_nlink, 2);
    ck_assert_uint_eq(st.st_uid, 77);
    ck_assert_uint_eq(st.st_gid, 88);
    ck_assert_int_eq(stat("root/d", &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0711); /* the folder itself is left as it is */
    tar_file(&over, "e", "x", 1);
    tar_end(&over);
    ck_assert_int_lt(apply(&over, &o, &e), 0);
    ck_assert_ptr_nonnull(strstr(e.msg, "cannot overwrite directory \"e\" with non-directory"));
    o.strict = false;
    ck_assert_int_eq(apply(&over, &o, &e), 0);
    ck_assert_int_eq(stat("root/d/e", &st), 0);
    ck_assert(S_ISREG(st.st_mode));
    tar_file(&up, "../up2", "x", 1);
    tar_end(&up);
    ck_assert_int_lt(apply(&up, &o, &e), 0);
    ck_assert_int_lt(access("root/up2", F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tree");
    TCase *c = unit_root_case(s, "tree", "make devices");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, paths_lead_where_docker_says);
    tcase_add_test(c, changes_are_told_from_upper_lower_and_root);
    tcase_add_test(c, no_changes_are_null_and_an_empty_tar);
    tcase_add_test(c, a_start_alone_changes_nothing);
    tcase_add_test(c, a_prefix_a_strict_eye_and_an_owner);
    return unit_run(s);
}
