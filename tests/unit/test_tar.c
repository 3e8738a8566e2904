/* The client's tar: what is written is read again, however the bytes are cut; what is broken is refused; what is
 * hostile stays in its folder. And base64, which carries what the daemon says of a path. */
#include "base/base64.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/tar.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test-tar-XXXXXX";

static void setup(void)
{
    umask(022);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void)
{
    struct err e;
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(tree_remove(AT_FDCWD, folder, &e), 0);
}

/* Bytes given in pieces of `step`. */
struct bytes {
    const char *p;
    size_t n, at, step;
};

static ssize_t give(void *arg, void *p, size_t n, struct err *e)
{
    struct bytes *b = arg;
    (void)e;
    size_t k = b->n - b->at < b->step ? b->n - b->at : b->step;
    k = k < n ? k : n;
    memcpy(p, b->p + b->at, k);
    b->at += k;
    return (ssize_t)k;
}

/* A header as the test wants it, with a right sum. */
static void header(struct str *out, const char *name, char type, size_t size, const char *link)
{
    char h[TAR_BLOCK] = "";
    unsigned sum = 0;
    ck_assert_uint_lt(size, 1U << 30);
    snprintf(h, 100, "%s", name);
    snprintf(h + 100, 8, "%07o", 04755U);
    snprintf(h + 108, 8, "%07o", 0U);
    snprintf(h + 116, 8, "%07o", 0U);
    snprintf(h + 124, 12, "%011o", (unsigned)size & 07777777777U);
    snprintf(h + 136, 12, "%011o", 1000U);
    h[156] = type;
    snprintf(h + 157, 100, "%s", link);
    memcpy(h + 257, "ustar\00000", 8);
    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    str_addn(out, h, TAR_BLOCK);
}

static void content(struct str *out, const char *text, size_t n)
{
    static const char zeros[TAR_BLOCK];
    str_addn(out, text, n);
    str_addn(out, zeros, -n & (TAR_BLOCK - 1));
}

static void entry(struct str *out, const char *name, char type, const char *text, const char *link)
{
    header(out, name, type, strlen(text), link);
    content(out, text, strlen(text));
}

static void finish(struct str *out)
{
    static const char zeros[2 * TAR_BLOCK];
    str_addn(out, zeros, sizeof(zeros));
}

/* All entries as text, "type name size link mode|content\n"; the last line is the error where there was one. */
static char *read_all(const struct str *in, size_t step)
{
    struct bytes b = {in->s, in->len, 0, step};
    struct tar_reader t = {.source = give, .arg = &b};
    struct err e;
    autostr out = STR_INIT;
    char part[7];
    ssize_t n;
    int r;
    str_reset(&out);
    while ((r = tar_next(&t, &e)) > 0) {
        str_addf(&out, "%c %s %lld %s %o|", t.entry.type, t.entry.name.s, (long long)t.entry.size, t.entry.link.s,
                 t.entry.mode);
        while ((n = tar_read(&t, part, sizeof(part), &e)) > 0)
            str_addn(&out, part, (size_t)n);
        str_addc(&out, '\n');
        if (n < 0) {
            r = -1;
            break;
        }
    }
    if (r < 0)
        str_addf(&out, "error %s", e.msg);
    tar_reader_release(&t);
    return str_take(&out);
}

static void write_all(const char *path, const char *name, size_t step, struct str *out)
{
    struct err e;
    char *part = mem_alloc(step);
    ssize_t n;
    struct tar_writer *w = tar_writer_new(path, false, name, &e);
    ck_assert_msg(w != NULL, "%s", e.msg);
    str_reset(out);
    while ((n = tar_write(w, part, step, &e)) > 0)
        str_addn(out, part, (size_t)n);
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(tar_write(w, part, step, &e), 0); /* and it stays at the end */
    tar_writer_free(w);
    free(part);
}

static int extract(const struct str *in, const char *was, const char *name, struct tar_extract *x, struct err *e)
{
    struct bytes b = {in->s, in->len, 0, 1000};
    struct tar_reader t = {.source = give, .arg = &b};
    mkdir("out", 0755);
    x->dir = open("out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    x->was = was;
    x->name = name;
    int r = tar_extract(&t, x, e);
    close(x->dir);
    tar_reader_release(&t);
    return r;
}

static void put(const char *path, const char *text)
{
    struct err e;
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, path, text, strlen(text), 0644, &e), 0);
}

static void make_tree(void)
{
    char deep[300] = "src/";
    ck_assert_int_eq(mkdir("src", 0755), 0);
    ck_assert_int_eq(mkdir("src/closed", 0500), 0);
    put("src/a", "content of a");
    ck_assert_int_eq(link("src/a", "src/again"), 0);
    put("src/empty", "");
    memset(deep + 4, 'n', 200);
    put(deep, "long");
    memset(deep + 4, 't', 250);
    ck_assert_int_eq(symlink(deep + 4, "src/link"), 0);
    ck_assert_int_eq(mkfifo("src/fifo", 0600), 0);
}

START_TEST(what_is_written_is_read_again_however_it_is_cut)
{
    autostr one = STR_INIT, other = STR_INIT;
    make_tree();
    write_all("src", "new", 65536, &one);
    ck_assert_uint_eq(one.len % TAR_BLOCK, 0);
    for (size_t step = 1; step < 1100; step = 3 * step + 1) {
        write_all("src", "new", step, &other);
        ck_assert_uint_eq(one.len, other.len);
        ck_assert_mem_eq(one.s, other.s, one.len);
        autofree char *a = read_all(&one, step), *b = read_all(&one, 100000);
        ck_assert_str_eq(a, b);
        ck_assert_ptr_nonnull(strstr(a, "|content of a\n"));
        ck_assert_ptr_null(strstr(a, "error"));
    }
}
END_TEST

START_TEST(it_comes_out_as_it_went_in)
{
    autostr tar = STR_INIT;
    struct err e;
    struct stat a, b;
    struct tar_extract x = {0};
    make_tree();
    write_all("src", "src", 512, &tar);
    ck_assert_int_eq(extract(&tar, "src", "got", &x, &e), 0);
    ck_assert_int_eq(system("diff -r -x fifo --no-dereference src out/got >/dev/null"
                            " && [ \"$(cd src && find . -printf '%p %y %m %n %l\\n' | sort)\" ="
                            " \"$(cd out/got && find . -printf '%p %y %m %n %l\\n' | sort)\" ]"),
                     0);
    ck_assert_int_eq(stat("src/a", &a), 0);
    ck_assert_int_eq(stat("out/got/a", &b), 0);
    ck_assert_int_eq(a.st_mtime, b.st_mtime);
    ck_assert_uint_eq((uint64_t)x.bytes, strlen("content of a") + strlen("long"));
}
END_TEST

START_TEST(gnu_tar_agrees)
{
    static const char *const formats[] = {"gnu", "pax", "ustar"};
    autostr tar = STR_INIT;
    struct err e;
    make_tree();
    write_all("src", "src", 512, &tar);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "t.tar", tar.s, tar.len, 0644, &e), 0);
    ck_assert_int_eq(system("mkdir x && tar -C x -xf t.tar && diff -r -x fifo --no-dereference src x/src"), 0);
    for (size_t i = 0; i < 3; i++) { /* and we read what it writes; ustar cannot say long links */
        size_t n;
        autofree char *command =
            str_printf("%s tar --format=%s -cf t.tar src", i == 2 ? "rm -f src/nn* src/link;" : "", formats[i]);
        ck_assert_int_eq(system(command), 0);
        struct str in = STR_INIT;
        in.s = file_read(AT_FDCWD, "t.tar", 1 << 20, &n, &e);
        in.len = n;
        autofree char *text = read_all(&in, 333);
        ck_assert_ptr_null(strstr(text, "error"));
        ck_assert_ptr_nonnull(strstr(text, "|content of a\n"));
        ck_assert_msg(i == 2 || strstr(text, "ttttttttttttttttttttttttttttttttttttttttt") != NULL, "%s", text);
        free(in.s);
    }
}
END_TEST

START_TEST(broken_archives_are_refused)
{
    autostr good = STR_INIT;
    entry(&good, "f", '0', "0123456789", "");
    finish(&good);
    for (size_t cut = 0; cut < TAR_BLOCK * 3; cut += 100) { /* cut anywhere before the end */
        struct str part = {good.s, cut, good.cap};
        autofree char *text = read_all(&part, 512);
        ck_assert_msg(strstr(text, "ends in the middle") != NULL, "%zu: %s", cut, text);
    }
    for (size_t at = 0; at < TAR_BLOCK; at++) { /* one byte of the header another */
        good.s[at] ^= 1;
        autofree char *text = read_all(&good, 512);
        bool in_sum = at >= 148 && at < 156;
        ck_assert_msg(strstr(text, "error") != NULL || in_sum, "byte %zu: %s", at, text);
        good.s[at] ^= 1;
    }
    static const char *const pax[] = {"5 a\n",        "99 path=x\n",   "path=x\n",
                                      "10 size=-1\n", "12 size=12x\n", "9 path=x\0"};
    for (size_t i = 0; i < COUNT(pax); i++) {
        autostr in = STR_INIT;
        entry(&in, "p", 'x', pax[i], "");
        entry(&in, "f", '0', "x", "");
        finish(&in);
        autofree char *text = read_all(&in, 512);
        ck_assert_msg(strstr(text, "pax record is malformed") != NULL, "%s: %s", pax[i], text);
    }
    autostr in = STR_INIT;
    header(&in, "p", 'L', TAR_EXTRA_MAX + 1, "");
    autofree char *text = read_all(&in, 512);
    ck_assert_ptr_nonnull(strstr(text, "too long"));
}
END_TEST

START_TEST(extensions_are_read)
{
    autostr in = STR_INIT;
    entry(&in, "p", 'x', "17 path=new name\n", "");
    entry(&in, "f", '0', "x", "");
    entry(&in, "p", 'L', "gnu/name", "");
    entry(&in, "p", 'K', "gnu/link", "");
    entry(&in, "f", '2', "", "short");
    entry(&in, "g", 'g', "16 comment=all\n", "");
    entry(&in, "last", '5', "", "");
    finish(&in);
    autofree char *text = read_all(&in, 512);
    ck_assert_str_eq(text, "0 new name 1  4755|x\n2 gnu/name 0 gnu/link 4755|\n5 last 0  4755|\n");
}
END_TEST

/* One archive each, which must fail, and leave the canary as it is. */
START_TEST(hostile_archives_stay_in_their_folder)
{
    static const struct {
        const char *name[3], *link[3];
        const char *type;
    } bad[] = {
        {{"d/../../canary"}, {""}, "0"},
        {{"d/..", "d/x"}, {"", ""}, "50"},
        {{"d", "d/l", "d/l/canary"}, {"", "../..", ""}, "520"},
        {{"d/l", "d/l/x"}, {"/tmp", ""}, "20"},
        {{"d/h"}, {"../canary"}, "1"},
        {{"d/l", "d/h"}, {"../../canary", "d/l/x"}, "21"},
        {{"d", "d"}, {"", ""}, "50"},
        {{"d/f", "d/f/g"}, {"", ""}, "00"},
        {{"d/q"}, {""}, "Q"},
        {{"d"}, {"../canary"}, "2"}, /* a link that leads out by its text */
        {{"d", "d/l"}, {"", "../../canary"}, "52"},
        {{"d", "d/l"}, {"", "x/../.././../canary"}, "52"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        autostr in = STR_INIT;
        struct err e = {0};
        struct tar_extract x = {0};
        struct stat st;
        put("canary", "alive");
        for (size_t k = 0; bad[i].type[k]; k++)
            entry(&in, bad[i].name[k], bad[i].type[k], bad[i].type[k] == '0' ? "evil" : "", bad[i].link[k]);
        finish(&in);
        ck_assert_msg(extract(&in, "d", "d", &x, &e) < 0, "case %zu", i);
        size_t n;
        autofree char *text = file_read(AT_FDCWD, "canary", 100, &n, &e);
        ck_assert_str_eq(text, "alive");
        ck_assert_int_eq(stat("canary", &st), 0);
        ck_assert_uint_eq(st.st_nlink, 1);
        ck_assert_int_eq(tree_remove(AT_FDCWD, "out", &e), 0);
    }
}
END_TEST

/* Links that stay in the destination, and those that name a place from the top, are the copier's to have. */
START_TEST(links_that_stay_inside_are_made)
{
    static const char *const target[] = {"x", "../x", "./../d/x", "x/../../y", "/etc/passwd", "/../x", ".."};
    for (size_t i = 0; i < COUNT(target); i++) {
        autostr in = STR_INIT;
        struct err e = {0};
        struct tar_extract x = {0};
        char got[64] = "";
        entry(&in, "d", '5', "", "");
        entry(&in, "d/l", '2', "", target[i]);
        finish(&in);
        ck_assert_msg(extract(&in, "d", "d", &x, &e) == 0, "%s: %s", target[i], e.msg);
        ck_assert_int_gt(readlink("out/d/l", got, sizeof(got) - 1), 0);
        ck_assert_str_eq(got, target[i]);
        ck_assert_int_eq(tree_remove(AT_FDCWD, "out", &e), 0);
    }
}
END_TEST

START_TEST(a_link_is_replaced_and_not_written_through)
{
    autostr in = STR_INIT;
    struct err e;
    struct stat st;
    struct tar_extract x = {0};
    size_t n;
    put("canary", "alive");
    ck_assert_int_eq(mkdir("out", 0755), 0);
    ck_assert_int_eq(symlink("../canary", "out/d"), 0);
    entry(&in, "d", '0', "new", "");
    entry(&in, "c", '3', "", "");
    finish(&in);
    ck_assert_int_eq(extract(&in, ".", "", &x, &e), 0);
    autofree char *text = file_read(AT_FDCWD, "canary", 100, &n, &e);
    ck_assert_str_eq(text, "alive");
    ck_assert_int_eq(lstat("out/d", &st), 0);
    ck_assert(S_ISREG(st.st_mode));
    ck_assert_uint_eq(st.st_mode & 07777, 0755); /* no setuid, */
    ck_assert_uint_eq(x.plain, 1);               /* which is counted */
    ck_assert_uint_eq(x.skipped, 1);             /* no device */
}
END_TEST

START_TEST(base64_both_ways)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < COUNT(pairs); i++) {
        size_t n = 99;
        autofree char *text = base64_encode(pairs[i][0], strlen(pairs[i][0])), *back = base64_decode(pairs[i][1], &n);
        ck_assert_str_eq(text, pairs[i][1]);
        ck_assert_str_eq(back, pairs[i][0]);
        ck_assert_uint_eq(n, strlen(pairs[i][0]));
    }
    static const char *const bad[] = {"Z", "Zg", "Zg=", "Z===", "Zm9*", "=Zg=", "Zg==Zg=="};
    for (size_t i = 0; i < COUNT(bad); i++) {
        size_t n;
        ck_assert_msg(base64_decode(bad[i], &n) == NULL, "%s", bad[i]);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tar");
    TCase *c = unit_case(s, "all");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, what_is_written_is_read_again_however_it_is_cut);
    tcase_add_test(c, it_comes_out_as_it_went_in);
    tcase_add_test(c, gnu_tar_agrees);
    tcase_add_test(c, broken_archives_are_refused);
    tcase_add_test(c, extensions_are_read);
    tcase_add_test(c, hostile_archives_stay_in_their_folder);
    tcase_add_test(c, links_that_stay_inside_are_made);
    tcase_add_test(c, a_link_is_replaced_and_not_written_through);
    tcase_add_test(c, base64_both_ways);
    return unit_run(s);
}
