// Tests of path.c: a folder of our own with two files, and PATHs made of it.
#include "path.h"

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/which-XXXXXX";
static char found[PATH_MAX];

static void make_file(const char *name, mode_t mode)
{
    char file[PATH_MAX];
    snprintf(file, sizeof file, "%s/%s", dir, name);
    FILE *f = fopen(file, "w");
    ck_assert_ptr_nonnull(f);
    fclose(f);
    ck_assert_int_eq(chmod(file, mode), 0);
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    make_file("tool", 0755);
    make_file("text", 0644);
    ck_assert_int_eq(mkdir("folder", 0755), 0);
    ck_assert_int_eq(mkdir("folder/text", 0755), 0);
}

static void teardown(void)
{
    unlink("tool");
    unlink("text");
    rmdir("folder/text");
    rmdir("folder");
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(later_folder)
{
    char path[PATH_MAX], want[PATH_MAX];
    snprintf(path, sizeof path, "/nowhere:%s/folder:%s", dir, dir);
    snprintf(want, sizeof want, "%s/tool", dir);
    ck_assert_int_eq(path_find(path, "tool", found, sizeof found), 0);
    ck_assert_str_eq(found, want);
}
END_TEST

START_TEST(first_folder_wins)
{
    char path[PATH_MAX];
    make_file("folder/tool", 0755);
    snprintf(path, sizeof path, "%s/folder:%s", dir, dir);
    ck_assert_int_eq(path_find(path, "tool", found, sizeof found), 0);
    unlink("folder/tool");
    ck_assert_ptr_nonnull(strstr(found, "/folder/tool"));
}
END_TEST

START_TEST(empty_entry_is_here)
{
    ck_assert_int_eq(path_find("/nowhere:", "tool", found, sizeof found), 0);
    ck_assert_str_eq(found, "./tool");
    ck_assert_int_eq(path_find(":/nowhere", "tool", found, sizeof found), 0);
}
END_TEST

START_TEST(not_programs)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/folder:%s", dir, dir);
    ck_assert_int_eq(path_find(path, "text", found, sizeof found), -1); // a folder, then a file without x
    ck_assert_int_eq(path_find(path, "nosuch", found, sizeof found), -1);
    ck_assert_int_eq(path_find(path, "", found, sizeof found), -1);
}
END_TEST

START_TEST(with_a_slash)
{
    ck_assert_int_eq(path_find("/nowhere", "./tool", found, sizeof found), 0);
    ck_assert_str_eq(found, "./tool");
    ck_assert_int_eq(path_find(dir, "./nosuch", found, sizeof found), -1);
}
END_TEST

START_TEST(cut_off_is_not_found)
{
    char small[5];
    make_file("to", 0755); // what is left of ./tool in five bytes is another program, ./to
    int in_path = path_find(".", "tool", small, sizeof small),
        with_slash = path_find(".", "./tool", small, sizeof small);
    unlink("to");
    ck_assert_int_eq(in_path, -1);
    ck_assert_int_eq(with_slash, -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("path");
    TCase *t = tcase_create("path_find");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, later_folder);
    tcase_add_test(t, first_folder_wins);
    tcase_add_test(t, empty_entry_is_here);
    tcase_add_test(t, not_programs);
    tcase_add_test(t, with_a_slash);
    tcase_add_test(t, cut_off_is_not_found);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
