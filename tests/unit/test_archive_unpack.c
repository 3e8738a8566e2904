/* The extractor against honest tars: everything comes out as it went in, alone and above other layers. */
#include "archive_rig.h"
#include "image/image.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* ---- honest tars ---- */

START_TEST(everything_is_as_the_tar_says)
{
    const struct tar_entry tree[] = {
        {.name = "./", .type = '5', .mode = 0751, .uid = 1, .gid = 2, .mtime = 11},
        {.name = "d/", .type = '5', .mode = 02775, .uid = 3, .gid = 4, .mtime = 22},
        {.name = "d/su", .data = "hello", .mode = 04755, .uid = 5, .gid = 6, .mtime = 33},
        {.name = "d/hard", .type = '1', .link = "./d/su"},
        {.name = "d/soft", .type = '2', .link = "nowhere/at all", .uid = 7, .gid = 8, .mtime = 44},
        {.name = "d/null", .type = '3', .mode = 0666, .major = 1, .minor = 3},
        {.name = "d/disk", .type = '4', .mode = 0660, .major = 8, .minor = 1, .gid = 6},
        {.name = "d/fifo", .type = '6', .mode = 0622, .mtime = 55},
        {.name = "d/hardsoft", .type = '1', .link = "d/soft"},
        {.name = "closed", .type = '5', .mode = 01},
        {.name = "closed/in", .data = "", .uid = 4294967294},
        {.name = "e\xcc\x81-\xff", .data = "bytes"}, /* a decomposed accent and no UTF-8 at all */
        {0},
    };
    struct layer_result r = unpack(tree);
    struct stat st = look(".");
    ck_assert_int_eq(st.st_mode, S_IFDIR | 0751);
    ck_assert(st.st_uid == 1 && st.st_gid == 2 && st.st_mtime == 11);
    st = look("d");
    ck_assert_int_eq(st.st_mode, S_IFDIR | 02775);
    ck_assert(st.st_uid == 3 && st.st_gid == 4 && st.st_mtime == 22);
    st = look("d/su");
    ck_assert_int_eq(st.st_mode, S_IFREG | 04755);
    ck_assert(st.st_uid == 5 && st.st_gid == 6 && st.st_mtime == 33 && st.st_nlink == 2);
    ck_assert_str_eq(text_of("d/hard"), "hello");
    ck_assert_uint_eq(look("d/hard").st_ino, st.st_ino);
    st = look("d/soft");
    ck_assert(S_ISLNK(st.st_mode) && st.st_uid == 7 && st.st_gid == 8 && st.st_mtime == 44);
    ck_assert_uint_eq(look("d/hardsoft").st_ino, st.st_ino);
    st = look("d/null");
    ck_assert(st.st_mode == (S_IFCHR | 0666) && st.st_rdev == makedev(1, 3));
    st = look("d/disk");
    ck_assert(st.st_mode == (S_IFBLK | 0660) && st.st_rdev == makedev(8, 1) && st.st_gid == 6);
    st = look("d/fifo");
    ck_assert(st.st_mode == (S_IFIFO | 0622) && st.st_mtime == 55);
    ck_assert_int_eq(look("closed").st_mode, S_IFDIR | 01);
    ck_assert_uint_eq(look("closed/in").st_uid, 4294967294);
    ck_assert_str_eq(text_of("e\xcc\x81-\xff"), "bytes");
    ck_assert_int_eq(r.size, 10);
    ck_assert_uint_eq(r.opaque.n, 0);
}
END_TEST

START_TEST(names_from_pax_stay_bytes)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT;
    tar_pax(&t, "path", "e\xcc\x81", 3); /* NFD: another name than NFC's */
    tar_file(&t, "short", "nfd", 3);
    tar_pax(&t, "path", "\xc3\xa9", 2);
    tar_file(&t, "short", "nfc", 3);
    tar_pax(&t, "linkpath", "e\xcc\x81", 3);
    const struct tar_entry link = {.name = "l", .type = '2', .link = "x"};
    tar_add(&t, &link);
    tar_end(&t);
    ck_assert_msg(apply(&t, &o, &r, &e) == 0, "%s", e.msg);
    ck_assert_str_eq(text_of("e\xcc\x81"), "nfd");
    ck_assert_str_eq(text_of("\xc3\xa9"), "nfc");
    char to[16] = "";
    ck_assert_int_eq(readlinkat(root, "l", to, sizeof(to)), 3);
    ck_assert_str_eq(to, "e\xcc\x81");
}
END_TEST

START_TEST(attributes_are_sifted)
{
    static const char caps[20] = {0, 0, 0, 2, 0, 4}; /* VFS_CAP_REVISION_2, CAP_NET_BIND_SERVICE */
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT;
    char value[64];
    tar_pax(&t, "SCHILY.xattr.security.capability", caps, sizeof(caps));
    tar_file(&t, "capable", "x", 1);
    tar_pax(&t, "SCHILY.xattr.user.note", "kept", 4);
    tar_file(&t, "noted", "x", 1);
    static const char *const dropped[] = {"trusted.overlay.redirect", "trusted.overlay.opaque", "user.overlay.opaque",
                                          "security.selinux", "trusted.x"};
    for (size_t i = 0; i < 5; i++) {
        autofree char *key = str_printf("SCHILY.xattr.%s", dropped[i]);
        const struct tar_entry dir = {.name = "dir", .type = '5'};
        tar_pax(&t, key, "/etc", 4);
        tar_add(&t, &dir);
    }
    tar_end(&t);
    ck_assert_msg(apply(&t, &o, &r, &e) == 0, "%s", e.msg);
    ck_assert_int_eq(lgetxattr("root/capable", "security.capability", value, sizeof(value)), sizeof(caps));
    ck_assert_mem_eq(value, caps, sizeof(caps));
    ck_assert_int_eq(lgetxattr("root/noted", "user.note", value, sizeof(value)), 4);
    for (size_t i = 0; i < 5; i++)
        ck_assert_msg(lgetxattr("root/dir", dropped[i], value, sizeof(value)) < 0, "%s was set", dropped[i]);
    str_reset(&t);
    tar_pax(&t, "SCHILY.xattr.security.capability", "nonsense", 8);
    tar_file(&t, "incapable", "x", 1);
    tar_end(&t);
    refused(&t, "entry incapable: its attribute security.capability is malformed");
}
END_TEST

START_TEST(the_last_word_counts)
{
    const struct tar_entry tree[] = {
        {.name = "f", .data = "old"},
        {.name = "f", .data = "new", .mode = 0600},
        {.name = "d/x/y", .data = "gone"},
        {.name = "d/x", .data = "a file now"},
        {.name = "g", .data = "a file"},
        {.name = "g", .type = '5', .mode = 0700, .mtime = 5},
        {.name = "g/h", .data = "in it"},
        {.name = "k", .type = '5', .mode = 0711, .mtime = 6},
        {.name = "k/l", .data = "stays"},
        {.name = "k", .type = '5', .mode = 0722, .mtime = 7},
        {0},
    };
    unpack(tree);
    ck_assert_str_eq(text_of("f"), "new");
    ck_assert_str_eq(text_of("d/x"), "a file now");
    ck_assert_str_eq(text_of("g/h"), "in it");
    ck_assert(look("g").st_mode == (S_IFDIR | 0700) && look("g").st_mtime == 5);
    ck_assert_str_eq(text_of("k/l"), "stays");
    ck_assert(look("k").st_mode == (S_IFDIR | 0722) && look("k").st_mtime == 7);
}
END_TEST

/* The folder of the last entry is kept; a link in its path that changes meanwhile must be seen. */
START_TEST(a_remembered_folder_is_forgotten_with_its_link)
{
    const struct tar_entry tree[] = {
        {.name = "x", .type = '5'},
        {.name = "x/l", .type = '2', .link = "/x"},
        {.name = "y", .type = '5'},
        {.name = "x/l/one", .data = "1"},
        {.name = "x/l/l", .type = '2', .link = "/y"}, /* x/l/l is x/l itself */
        {.name = "x/l/two", .data = "2"},
        {0},
    };
    unpack(tree);
    ck_assert_str_eq(text_of("x/one"), "1");
    ck_assert_str_eq(text_of("y/two"), "2");
}
END_TEST

START_TEST(sparse_files_stay_sparse)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    size_t cap = 1 << 20, used = 0;
    autofree char *buf = mem_alloc(cap);
    struct archive *a = archive_write_new();
    struct archive_entry *x = archive_entry_new();
    ck_assert_int_eq(archive_write_set_format_pax(a), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_open_memory(a, buf, cap, &used), ARCHIVE_OK);
    archive_entry_set_pathname(x, "sparse");
    archive_entry_set_filetype(x, AE_IFREG);
    archive_entry_set_perm(x, 0644);
    archive_entry_set_size(x, 900000);
    archive_entry_sparse_add_entry(x, 500000, 5);
    ck_assert_int_eq(archive_write_header(a, x), ARCHIVE_OK);
    autofree char *content = mem_alloc(900000);
    memcpy(content + 500000, "there", 5);
    ck_assert_int_eq(archive_write_data(a, content, 900000), 900000);
    archive_write_close(a);
    archive_entry_free(x);
    archive_write_free(a);
    struct str t = {buf, used, cap};
    ck_assert_uint_lt(used, 20000);
    ck_assert_msg(apply(&t, &o, &r, &e) == 0, "%s", e.msg);
    struct stat st = look("sparse");
    ck_assert_int_eq(st.st_size, 900000);
    ck_assert_int_lt(st.st_blocks, 200);
    ck_assert_int_eq(r.size, 900000);
    char part[6] = "";
    autoclose int fd = openat(root, "sparse", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(pread(fd, part, 5, 500000), 5);
    ck_assert_str_eq(part, "there");
}
END_TEST

/* ---- above other layers ---- */

/* Unpack `below` into a folder of its own, to be a lower layer of what follows. */
static struct lower make_lower(const char *name, const struct tar_entry *entries)
{
    int keep = root;
    autofree char *path = str_printf("root/%s", name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct layer_result r = unpack(entries);
    int fd = root;
    root = keep;
    return (struct lower){.fd = fd, .opaque = r.opaque};
}

/* Unpack into root/upper above these, topmost first, and make it the root that the test looks at. */
static struct layer_result above(const struct lower *lower, size_t n, const struct tar_entry *entries)
{
    struct layer_options o = usual();
    ck_assert_int_eq(mkdir("root/upper", 0755), 0);
    close(root);
    root = open("root/upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    o.lower = lower;
    o.lowers = n;
    return unpack_with(&o, entries);
}

static void drop(struct lower *l, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        close(l[i].fd);
        strv_release(&l[i].opaque);
    }
}

static bool is_whiteout(const char *path)
{
    struct stat st = look(path);
    return merged_is_whiteout(&st);
}

START_TEST(links_of_a_lower_layer_are_followed)
{
    static const struct tar_entry below[] = {{.name = "usr/lib", .type = '5', .mode = 0750, .uid = 3, .mtime = 77},
                                             {.name = "lib", .type = '2', .link = "/usr/lib"},
                                             {.name = "run", .type = '2', .link = "var/run"},
                                             {.name = "var/run", .type = '2', .link = "../tmp"},
                                             {.name = "tmp", .type = '5', .mode = 01777},
                                             {.name = "etc", .data = "a file"},
                                             {0}};
    static const struct tar_entry entries[] = {
        {.name = "lib/libx.so", .data = "x"}, {.name = "run/pid", .data = "1"}, {.name = "etc/conf", .data = "c"}, {0}};
    struct lower l = make_lower("below", below);
    struct layer_result r = above(&l, 1, entries);
    ck_assert_str_eq(text_of("usr/lib/libx.so"), "x");
    ck_assert(!exists("lib"));
    struct stat st = look("usr/lib");
    ck_assert(st.st_mode == (S_IFDIR | 0750) && st.st_uid == 3 && st.st_mtime == 77);
    ck_assert_str_eq(text_of("tmp/pid"), "1");
    ck_assert_int_eq(look("tmp").st_mode, S_IFDIR | 01777);
    ck_assert_str_eq(text_of("etc/conf"), "c"); /* the folder covers the file */
    ck_assert_uint_eq(r.opaque.n, 0);
    drop(&l, 1);
}
END_TEST

START_TEST(deletions_become_marks)
{
    static const struct tar_entry below[] = {{.name = "f", .data = "x"},
                                             {.name = "d/a", .data = "x"},
                                             {.name = "d/b", .data = "x"},
                                             {.name = "gone/a", .data = "x"},
                                             {.name = "again/a", .data = "x"},
                                             {.name = "full/a", .data = "x"},
                                             {.name = "l", .type = '2', .link = "d"},
                                             {.name = "late/a", .data = "x"},
                                             {.name = "file/a", .data = "x"},
                                             {0}};
    static const struct tar_entry entries[] = {
        {.name = ".wh.f"},
        {.name = "d/.wh.a"},
        {.name = "d/.wh.never"},
        {.name = ".wh.gone"},
        {.name = ".wh.again"},
        {.name = "again/new", .data = "n"}, /* deleted and made again: nothing of old may show */
        {.name = "full", .type = '5'},
        {.name = "full/.wh..wh..opq"},
        {.name = "full/new", .data = "n"},
        {.name = "l/.wh.b"}, /* through a link of the layer below */
        {.name = "late/new", .data = "n"},
        {.name = ".wh.late"}, /* what this layer made stays */
        {.name = "own/new", .data = "n"},
        {.name = "own/.wh..wh..opq"}, /* nothing is below */
        {.name = "file", .data = "x"},
        {.name = "file", .type = '5'}, /* a file first: the folder below was covered */
        {0}};
    struct lower l = make_lower("below", below);
    struct layer_result r = above(&l, 1, entries);
    ck_assert(is_whiteout("f") && is_whiteout("d/a") && is_whiteout("gone") && is_whiteout("d/b"));
    ck_assert(!exists("d/never") && !exists("l") && !exists("d/.wh.a"));
    ck_assert_str_eq(text_of("again/new"), "n");
    ck_assert_str_eq(text_of("late/new"), "n");
    static const char *const opaque[] = {"again", "full", "late", "file"};
    ck_assert_uint_eq(r.opaque.n, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(r.opaque.v[i], opaque[i]);
    strv_release(&r.opaque);
    drop(&l, 1);
}
END_TEST

START_TEST(layers_hide_each_other)
{
    static const struct tar_entry lowest[] = {{.name = "d/deep", .type = '2', .link = "/elsewhere"},
                                              {.name = "e/x", .data = "x"},
                                              {.name = "w/x", .data = "x"},
                                              {0}};
    static const struct tar_entry entries[] = {{.name = "d/deep/f", .data = "f"}, /* the link below is hidden */
                                               {.name = "e/.wh.x"},
                                               {.name = "w/.wh.x"},
                                               {0}};
    struct lower l[2];
    l[1] = make_lower("lowest", lowest);
    /* The middle layer: d is opaque there, e is a file, w is deleted. */
    l[0] = make_lower("middle", (const struct tar_entry[]){
                                    {.name = "d", .type = '5', .mode = 0711}, {.name = "e", .data = "x"}, {0}});
    ck_assert_int_eq(mknodat(l[0].fd, "w", S_IFCHR, 0), 0);
    strv_add(&l[0].opaque, "d");
    struct layer_result r = above(l, 2, entries);
    ck_assert_str_eq(text_of("d/deep/f"), "f");
    ck_assert_int_eq(look("d").st_mode, S_IFDIR | 0711);
    ck_assert(!exists("elsewhere") && !exists("e/x") && !exists("w/x"));
    ck_assert_uint_eq(r.opaque.n, 0);
    drop(l, 2);
}
END_TEST

/* What this layer deleted first does not shine through where it makes folders of the same names. */
START_TEST(deleted_folders_lend_nothing)
{
    static const struct tar_entry below[] = {
        {.name = "a/b", .type = '5', .mode = 0700, .uid = 5}, {.name = "a/l", .type = '2', .link = "/elsewhere"}, {0}};
    static const struct tar_entry entries[] = {{.name = ".wh.a"},
                                               {.name = "a/b/new", .data = "n"},
                                               {.name = "a/l/new", .data = "n"},
                                               {.name = "a/.wh.b"},
                                               {0}};
    struct lower l = make_lower("below", below);
    struct layer_result r = above(&l, 1, entries);
    struct stat st = look("a/b");
    ck_assert(st.st_mode == (S_IFDIR | 0755) && st.st_uid == 0);
    ck_assert_str_eq(text_of("a/l/new"), "n");
    ck_assert(!exists("elsewhere"));
    ck_assert_uint_eq(r.opaque.n, 1);
    ck_assert_str_eq(r.opaque.v[0], "a");
    strv_release(&r.opaque);
    drop(&l, 1);
}
END_TEST

/* What it is all for: overlayfs shows the same tree as unpacking one above the other would. */
START_TEST(overlayfs_agrees)
{
    static const struct tar_entry below[] = {
        {.name = "usr/lib/old", .data = "o"}, {.name = "lib", .type = '2', .link = "usr/lib"},
        {.name = "d/a", .data = "x"},         {.name = "full/a", .data = "x"},
        {.name = "again/a", .data = "x"},     {0}};
    static const struct tar_entry entries[] = {{.name = "lib/new", .data = "n"},
                                               {.name = "d/.wh.a"},
                                               {.name = "full/b", .data = "b"},
                                               {.name = "full/.wh..wh..opq"},
                                               {.name = ".wh.again"},
                                               {.name = "again/b", .data = "b"},
                                               {0}};
    struct err e;
    struct lower l = make_lower("below", below);
    struct layer_result r = above(&l, 1, entries);
    ck_assert_uint_eq(r.opaque.n, 2);
    for (size_t i = 0; i < r.opaque.n; i++) {
        autofree char *path = str_printf("root/upper/%s", r.opaque.v[i]);
        ck_assert_int_eq(setxattr(path, "trusted.overlay.opaque", "y", 1, 0), 0);
    }
    ck_assert_int_eq(mkdir("root/at", 0755), 0);
    autofree char *at = str_printf("%s/root/at", folder);
    autofree char *up = str_printf("%s/root/upper", folder), *low = str_printf("%s/root/below", folder);
    char *dirs[] = {up, low};
    ck_assert_msg(overlay_mount(dirs, 2, NULL, NULL, at, false, &e) == 0, "%s", e.msg);
    close(root);
    root = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_str_eq(text_of("usr/lib/old"), "o");
    ck_assert_str_eq(text_of("usr/lib/new"), "n");
    ck_assert(S_ISLNK(look("lib").st_mode));
    ck_assert(!exists("d/a") && !exists("full/a") && exists("full/b") && !exists("again/a") && exists("again/b"));
    close(root);
    root = -1;
    ck_assert_msg(overlay_unmount(at, &e) == 0, "%s", e.msg);
    strv_release(&r.opaque);
    drop(&l, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("archive: unpack");
    TCase *t = extractor_case(s, "alone");
    tcase_add_test(t, everything_is_as_the_tar_says);
    tcase_add_test(t, names_from_pax_stay_bytes);
    tcase_add_test(t, attributes_are_sifted);
    tcase_add_test(t, the_last_word_counts);
    tcase_add_test(t, a_remembered_folder_is_forgotten_with_its_link);
    tcase_add_test(t, sparse_files_stay_sparse);
    t = extractor_case(s, "layers");
    tcase_add_test(t, links_of_a_lower_layer_are_followed);
    tcase_add_test(t, deletions_become_marks);
    tcase_add_test(t, layers_hide_each_other);
    tcase_add_test(t, deleted_folders_lend_nothing);
    tcase_add_test(t, overlayfs_agrees);
    return unit_run(s);
}
