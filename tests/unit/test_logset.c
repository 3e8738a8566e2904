/* Rotated logs: every record once and in order for a reader that goes on while the writer rotates. */
#include "base/logset.h"
#include "shim/logset_rotate.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/logset-XXXXXX";
static char path[64];
static struct err e;

static void setup(void)
{
    strcpy(dir, "/tmp/logset-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/log", dir);
}

static void teardown(void)
{
    ck_assert_int_eq(tree_remove(AT_FDCWD, dir, &e), 0);
}

static int begin(void)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void say(int fd, const char *text)
{
    ck_assert_int_eq(fd_write_all(fd, text, strlen(text)), 0);
}

static void rotate(int *fd, int keep)
{
    int fresh;
    ck_assert_msg(logset_rotate(path, keep, &fresh, &e) == 1, "%s", e.msg);
    close(*fd);
    *fd = fresh;
}

static char *all(struct logset *s)
{
    struct str out = STR_INIT;
    char block[7]; /* small: a file is read in several pieces */
    ssize_t k;
    str_reset(&out);
    while ((k = logset_read(s, path, block, sizeof(block), &e)) > 0)
        str_addn(&out, block, (size_t)k);
    ck_assert_msg(k == 0, "%s", e.msg);
    return str_take(&out);
}

static void reads(struct logset *s, const char *want)
{
    autofree char *got = all(s);
    ck_assert_str_eq(got, want);
}

START_TEST(a_log_without_files_is_empty)
{
    struct logset s = {.n = 0};
    ck_assert_int_eq(logset_open(&s, path, &e), 0);
    reads(&s, "");
    int fd = begin(); /* it is written only now */
    say(fd, "one\n");
    reads(&s, "one\n");
    logset_close(&s);
    close(fd);
}
END_TEST

START_TEST(files_are_read_from_the_oldest)
{
    struct logset s = {.n = 0};
    int fd = begin();
    say(fd, "one\n");
    rotate(&fd, 3);
    say(fd, "two\n");
    rotate(&fd, 3);
    say(fd, "three\n");
    ck_assert_int_eq(logset_open(&s, path, &e), 0);
    ck_assert_uint_eq(s.n, 3);
    reads(&s, "one\ntwo\nthree\n");
    rotate(&fd, 3);
    say(fd, "four\n");
    reads(&s, "four\n");
    logset_close(&s);
    ck_assert_int_eq(logset_open(&s, path, &e), 0);
    reads(&s, "two\nthree\nfour\n");
    logset_close(&s);
    close(fd);
}
END_TEST

START_TEST(only_as_many_as_are_kept)
{
    int fd = begin();
    struct stat st;
    autofree char *first = str_printf("%s.1", path), *second = str_printf("%s.2", path);
    for (int i = 0; i < 5; i++)
        rotate(&fd, 2);
    ck_assert_int_eq(stat(first, &st), 0);
    ck_assert_int_eq(stat(second, &st), -1);
    close(fd);
}
END_TEST

START_TEST(one_file_is_replaced)
{
    struct logset s = {.n = 0};
    int fd = begin();
    say(fd, "one\n");
    ck_assert_int_eq(logset_open(&s, path, &e), 0);
    rotate(&fd, 1);
    say(fd, "two\n");
    reads(&s, "one\ntwo\n"); /* the reader still has the old one */
    logset_close(&s);
    ck_assert_int_eq(logset_open(&s, path, &e), 0);
    reads(&s, "two\n");
    logset_close(&s);
    close(fd);
}
END_TEST

/* Between the reader's end of file and the rotation the writer adds a record. */
START_TEST(the_last_words_of_a_file_are_read)
{
    struct logset s = {.n = 0};
    int fd = begin();
    say(fd, "one\n");
    ck_assert_int_eq(logset_open(&s, path, &e), 0);
    reads(&s, "one\n");
    say(fd, "last words\n");
    rotate(&fd, 4);
    say(fd, "two\n");
    rotate(&fd, 4);
    rotate(&fd, 4);
    say(fd, "three\n");
    reads(&s, "last words\ntwo\nthree\n");
    logset_close(&s);
    close(fd);
}
END_TEST

/* The reader has seen the end of its file and is about to ask whether that is still the youngest: stat(2) is ours here,
 * and the writer acts just before it. */
static int racer = -1;
int stat(const char *name, struct stat *st)
{
    if (racer >= 0) {
        int fd = racer;
        racer = -1;
        say(fd, "last words\n");
        rotate(&fd, 4);
        say(fd, "two\n");
        close(fd);
    }
    return fstatat(AT_FDCWD, name, st, 0);
}

START_TEST(what_comes_between_two_looks_is_read)
{
    struct logset s = {.n = 0};
    int fd = begin();
    say(fd, "one\n");
    ck_assert_int_eq(logset_open(&s, path, &e), 0);
    racer = fd;
    reads(&s, "one\nlast words\ntwo\n");
    logset_close(&s);
}
END_TEST

START_TEST(a_reader_in_the_way_only_delays)
{
    int fd = begin(), fresh;
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(folder, LOCK_SH), 0);
    ck_assert_int_eq(logset_rotate(path, 2, &fresh, &e), 0);
    close(folder);
    rotate(&fd, 2);
    close(fd);
}
END_TEST

START_TEST(a_hole_in_the_numbers_is_passed_over)
{
    struct logset s = {.n = 0};
    autofree char *third = str_printf("%s.3", path);
    int fd = begin(), old = open(third, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    say(old, "old\n");
    say(fd, "new\n");
    ck_assert_int_eq(logset_open(&s, path, &e), 0);
    reads(&s, "old\nnew\n");
    logset_close(&s);
    close(old);
    close(fd);
}
END_TEST

#define LINES 20000
static bool writing;

static void *writer(void *arg)
{
    (void)arg;
    int fd = begin(), fresh;
    for (int i = 0; i < LINES; i++) {
        char line[32];
        struct err ignored;
        snprintf(line, sizeof(line), "%d\n", i);
        say(fd, line);
        if (i % 100 == 99 && logset_rotate(path, LOGSET_MAX, &fresh, &ignored) == 1) {
            close(fd);
            fd = fresh;
        }
        if (i % 1000 == 0)
            usleep(2000); /* nothing is deleted before the reader has seen it */
    }
    close(fd);
    __atomic_store_n(&writing, false, __ATOMIC_RELEASE);
    return NULL;
}

START_TEST(a_reader_beside_the_writer_loses_nothing)
{
    struct logset s = {.n = 0};
    pthread_t thread;
    autostr got = STR_INIT;
    bool more = true;
    str_reset(&got);
    __atomic_store_n(&writing, true, __ATOMIC_RELEASE);
    ck_assert_int_eq(pthread_create(&thread, NULL, writer, NULL), 0);
    while (more) {
        more = __atomic_load_n(&writing, __ATOMIC_ACQUIRE);
        autofree char *piece = all(&s);
        str_add(&got, piece);
    }
    pthread_join(thread, NULL);
    int want = 0;
    for (char *line = strtok(got.s, "\n"); line; line = strtok(NULL, "\n"), want++)
        ck_assert_int_eq(atoi(line), want);
    ck_assert_int_eq(want, LINES);
    logset_close(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("logset");
    TCase *t = unit_case(suite, "logset");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_log_without_files_is_empty);
    tcase_add_test(t, files_are_read_from_the_oldest);
    tcase_add_test(t, only_as_many_as_are_kept);
    tcase_add_test(t, one_file_is_replaced);
    tcase_add_test(t, the_last_words_of_a_file_are_read);
    tcase_add_test(t, what_comes_between_two_looks_is_read);
    tcase_add_test(t, a_reader_in_the_way_only_delays);
    tcase_add_test(t, a_hole_in_the_numbers_is_passed_over);
    tcase_add_test(t, a_reader_beside_the_writer_loses_nothing);
    return unit_run(suite);
}
