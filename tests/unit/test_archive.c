/* The extractor against tars that no honest program writes (spec/security.md rows 34 to 42), and against honest ones.
 *
 * Each tar is unpacked into root/, beside which lies a canary: a file and a folder whose content, owner, mode and time
 * must be the same afterwards, whatever happened. Needs root, because devices and other people's files do. */
#include "archive/worker.h"
#include "base/json.h"
#include "image/image.h"
#include "tar_rig.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* What main.c gives the verbs. */
int message_send(json_t *msg, struct err *e)
{
    (void)e;
    json_decref(msg);
    return 0;
}
int message_progress(const char *diff, int64_t current, int64_t total, struct err *e)
{
    (void)diff;
    (void)e;
    ck_assert_int_le(current, total);
    return 0;
}

static char folder[] = "/tmp/test-archive-XXXXXX";
static char canary_dir[64], canary_file[64];
static int root = -1;
static struct stat canary_before[2];

static void setup(void)
{
    struct err e;
    umask(0);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(mkdir("root", 0755), 0);
    ck_assert_int_eq(mkdir("canary", 0711), 0);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "canary/file", "canary\n", 7, 0640, &e), 0);
    ck_assert_int_eq(chown("canary/file", 12, 34), 0);
    snprintf(canary_dir, sizeof(canary_dir), "%s/canary", folder);
    snprintf(canary_file, sizeof(canary_file), "%s/canary/file", folder);
    const struct timespec old[2] = {{1000, 1}, {1000, 1}};
    ck_assert_int_eq(utimensat(AT_FDCWD, "canary/file", old, 0), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, "canary", old, 0), 0);
    ck_assert_int_eq(stat("canary", &canary_before[0]), 0);
    ck_assert_int_eq(stat("canary/file", &canary_before[1]), 0);
    root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(root, 0);
}

static void check_canary(void)
{
    for (int i = 0; i < 2; i++) {
        struct stat now, *was = &canary_before[i];
        ck_assert_int_eq(stat(i ? canary_file : canary_dir, &now), 0);
        ck_assert(now.st_ino == was->st_ino && now.st_mode == was->st_mode && now.st_uid == was->st_uid &&
                  now.st_gid == was->st_gid && now.st_size == was->st_size && now.st_nlink == was->st_nlink &&
                  now.st_mtim.tv_sec == was->st_mtim.tv_sec && now.st_mtim.tv_nsec == was->st_mtim.tv_nsec);
    }
    char text[16] = "";
    autoclose int fd = open(canary_file, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(read(fd, text, sizeof(text)), 7);
    ck_assert_str_eq(text, "canary\n");
    struct stat st;
    ck_assert_int_eq(stat(folder, &st), 0);
    ck_assert_int_eq(st.st_nlink, 4); /* ".", its name, root and canary: nothing was made beside them */
}

static void teardown(void)
{
    check_canary();
    close(root);
    ck_assert_int_eq(tree_remove(AT_FDCWD, folder, NULL), 0);
}

static struct layer_options usual(void)
{
    return (struct layer_options){.whiteouts = true, .bytes_max = 1 << 20, .entries_max = 1000};
}

static int apply(const struct str *t, const struct layer_options *o, struct layer_result *r, struct err *e)
{
    autoclose int fd = fd_of(t->s, t->len);
    autostream *a = stream_open(fd, STREAM_TAR, e);
    *r = (struct layer_result){0};
    return a ? layer_apply(root, a, o, r, e) : -1;
}

/* Add entries up to one without a name. */
static void add_all(struct str *t, const struct tar_entry *x)
{
    for (; x->name; x++)
        tar_add(t, x);
    tar_end(t);
}

static bool exists(const char *path)
{
    struct stat st;
    return fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct stat look(const char *path)
{
    struct stat st = {0};
    ck_assert_msg(fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0, "%s is missing", path);
    return st;
}

static const char *text_of(const char *path)
{
    static char text[256];
    autoclose int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "%s cannot be opened", path);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* ---- attacks ---- */

#define CANARY      "@" /* stands for the absolute path of the canary folder */
#define UP20        "../../../../../../../../../../../../../../../../../../../../"
#define HUGE256     "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"
#define NEGATIVE256 "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"

/* `says` is part of the refusal; NULL means that it is taken and `inside` is what must be there then. */
static const struct {
    const char *says, *inside;
    struct tar_entry entry[8];
} attacks[] = {
    {"contains \"..\"", NULL, {{.name = "../canary/evil", .data = "x"}}},
    {"contains \"..\"", NULL, {{.name = "a/../../canary/evil", .data = "x"}}},
    {"contains \"..\"", NULL, {{.name = "a/..", .type = '5'}}},
    {"contains \"..\"", NULL, {{.name = "..", .type = '5'}}},
    {"contains \"..\"", NULL, {{.name = "/../canary/file", .data = "x"}}},
    {NULL, "etc/evil", {{.name = "/etc/evil", .data = "x"}}},
    {NULL, "evil", {{.name = "////./evil", .data = "x"}}},
    /* a link, then something through it */
    {NULL, "canary/evil", {{.name = "l", .type = '2', .link = "../canary"}, {.name = "l/evil", .data = "x"}}},
    {NULL, "canary/evil", {{.name = "l", .type = '2', .link = UP20 "canary"}, {.name = "l/evil", .data = "x"}}},
    {NULL, NULL, {{.name = "l", .type = '2', .link = CANARY}, {.name = "l/evil", .data = "x"}}},
    {NULL, NULL, {{.name = "l", .type = '2', .link = CANARY}, {.name = "l/file", .data = "x"}}},
    {NULL, NULL, {{.name = "l", .type = '2', .link = CANARY}, {.name = "l", .type = '5', .mode = 0777}}},
    {NULL, NULL, {{.name = "l", .type = '2', .link = CANARY}, {.name = "l/.wh.file"}}},
    {NULL, NULL, {{.name = "l", .type = '2', .link = CANARY}, {.name = "l/.wh..wh..opq"}}},
    {NULL,
     NULL,
     {{.name = "d", .type = '5'},
      {.name = "d/x", .data = "x"},
      {.name = "d", .type = '2', .link = CANARY},
      {.name = "d/evil", .data = "x"},
      {.name = "d/file", .data = "x"}}},
    /* a file written through a link to a file */
    {NULL, "f", {{.name = "f", .type = '2', .link = CANARY "/file"}, {.name = "f", .data = "x", .mode = 0777}}},
    {NULL, "f", {{.name = "f", .type = '2', .link = CANARY "/file"}, {.name = "f", .type = '6', .mode = 0777}}},
    {NULL,
     "f",
     {{.name = "f", .type = '2', .link = CANARY "/file"}, {.name = "f", .type = '3', .major = 1, .minor = 3}}},
    /* hard links */
    {"contains \"..\"", NULL, {{.name = "h", .type = '1', .link = "../canary/file"}}},
    {"does not have", NULL, {{.name = "h", .type = '1', .link = "/no"}}},
    {"outside", NULL, {{.name = "h", .type = '1', .link = CANARY "/file"}}},
    {"outside", NULL, {{.name = "l", .type = '2', .link = CANARY}, {.name = "h", .type = '1', .link = "l/file"}}},
    {"outside",
     NULL,
     {{.name = "l", .type = '2', .link = UP20 "canary"}, {.name = "h", .type = '1', .link = "l/file"}}},
    {NULL,
     "h",
     {{.name = "s", .type = '2', .link = CANARY "/file"},
      {.name = "h", .type = '1', .link = "s"},
      {.name = "h", .data = "x", .mode = 0777}}},
    {"hard link to itself", NULL, {{.name = "f", .data = "x"}, {.name = "./f", .type = '1', .link = "/f"}}},
    {"hard link to a folder", NULL, {{.name = "d", .type = '5'}, {.name = "h", .type = '1', .link = "d"}}},
    {"hard link to a folder", NULL, {{.name = "h", .type = '1', .link = "/"}}},
    {"what it replaces", NULL, {{.name = "d/f", .data = "x"}, {.name = "d", .type = '1', .link = "d/f"}}},
    /* chains: each link looks harmless (CVE-2026-17106) */
    {"outside",
     NULL,
     {{.name = "a/b/c", .type = '5'},
      {.name = "a/b/c/up", .type = '2', .link = "../.."},
      {.name = "a/b/escape", .type = '2', .link = "c/up/../.."},
      {.name = "x", .type = '1', .link = "a/b/escape/canary/file"}}},
    {NULL,
     "canary/evil",
     {{.name = "a/b/c", .type = '5'},
      {.name = "a/b/c/up", .type = '2', .link = "../.."},
      {.name = "a/b/escape", .type = '2', .link = "c/up/../.."},
      {.name = "a/b/escape/canary/evil", .data = "x"}}},
    {"too many symbolic links", NULL, {{.name = "l", .type = '2', .link = "l"}, {.name = "l/x", .data = "x"}}},
    {"too many symbolic links",
     NULL,
     {{.name = "a", .type = '2', .link = "b/b"},
      {.name = "b", .type = '2', .link = "a/a"},
      {.name = "a/x", .data = "x"}}},
    {"not a folder", NULL, {{.name = "f", .data = "x"}, {.name = "f/x", .data = "x"}}},
    /* odd deletions */
    {"no folder has", NULL, {{.name = ".wh..."}}},
    {"no folder has", NULL, {{.name = ".wh.."}}},
    {"no folder has", NULL, {{.name = "d/.wh."}}},
    {"root folder cannot", NULL, {{.name = ".wh..wh..opq"}}},
    {"folder that is deleted", NULL, {{.name = ".wh.d/x", .data = "x"}}},
    {NULL,
     "f",
     {{.name = "f", .data = "x"},
      {.name = ".wh..wh.plnk/1.2", .data = "x"},
      {.name = ".wh..wh.aufs"},
      {.name = ".wh.nothing"},
      {.name = ".wh.f"}}},
    {"mark for a deleted name", NULL, {{.name = "d", .type = '3'}}},
    /* numbers */
    {"out of range", NULL, {{.name = "f", .uid = 4294967295}}},
    {"out of range", NULL, {{.name = "f", .gid = 1LL << 40}}},
    {"not a sound archive", NULL, {{.name = "huge", .raw_size = HUGE256}}},
    {"entry big: its 8589934591 bytes are more than", NULL, {{.name = "big", .raw_size = "77777777777"}}},
    {"not a sound archive", NULL, {{.name = "short", .raw_size = "00001000000"}}},
    {"the root can only be a folder", NULL, {{.name = "./", .type = '2', .link = CANARY}}},
    {"the root can only be a folder", NULL, {{.name = "/", .type = '1', .link = "f"}}},
    {"empty or too long", NULL, {{.name = "l", .type = '2'}}},
};

static bool has_kind(const struct err *e)
{
    return e->kind == ERR_INVALID || e->kind == ERR_TOO_LARGE;
}

START_TEST(attacks_are_refused_or_harmless)
{
    autostr t = STR_INIT;
    autostr link = STR_INIT;
    struct layer_options o = usual();
    struct layer_result r;
    struct err e = {0};
    for (int i = 0; attacks[_i].entry[i].name; i++) {
        struct tar_entry x = attacks[_i].entry[i];
        if (x.link && *x.link == *CANARY) {
            str_reset(&link);
            str_addf(&link, "%s%s", canary_dir, x.link + 1);
            x.link = link.s;
        }
        tar_add(&t, &x);
    }
    tar_end(&t);
    int k = apply(&t, &o, &r, &e);
    check_canary();
    if (attacks[_i].says) {
        ck_assert_msg(k == -1, "attack %d was taken", _i);
        ck_assert_msg(has_kind(&e) && strstr(e.msg, attacks[_i].says), "attack %d: %s", _i, e.msg);
    } else {
        ck_assert_msg(k == 0, "attack %d: %s", _i, e.msg);
        ck_assert(!attacks[_i].inside || exists(attacks[_i].inside));
    }
    strv_release(&r.opaque);
}
END_TEST

/* The same table once more with names taken literally, as for files copied into a container. */
START_TEST(attacks_are_harmless_without_whiteouts)
{
    autostr t = STR_INIT;
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    o.whiteouts = false;
    for (int i = 0; attacks[_i].entry[i].name; i++)
        tar_add(&t, &attacks[_i].entry[i]);
    tar_end(&t);
    apply(&t, &o, &r, &e);
    ck_assert_uint_eq(r.opaque.n, 0);
}
END_TEST

START_TEST(names_have_limits)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr name = STR_INIT;
    for (int i = 0; i < 300; i++)
        str_add(&name, "d/");
    str_add(&name, "x");
    const struct tar_entry deep[] = {{.name = name.s}, {0}};
    autostr t = STR_INIT;
    add_all(&t, deep);
    ck_assert_int_eq(apply(&t, &o, &r, &e), -1);
    ck_assert_ptr_nonnull(strstr(e.msg, "deeper than"));
    str_reset(&name);
    for (int i = 0; i < 256; i++)
        str_addc(&name, 'n');
    str_reset(&t);
    const struct tar_entry wide[] = {{.name = name.s}, {0}};
    add_all(&t, wide);
    ck_assert_int_eq(apply(&t, &o, &r, &e), -1);
    ck_assert_ptr_nonnull(strstr(e.msg, "longer than 255"));
    for (int i = 0; i < 5000; i++)
        str_addc(&name, i % 200 ? 'n' : '/');
    str_reset(&t);
    const struct tar_entry longest[] = {{.name = name.s}, {0}};
    add_all(&t, longest);
    ck_assert_int_eq(apply(&t, &o, &r, &e), -1);
    ck_assert_ptr_nonnull(strstr(e.msg, "longer than 4095"));
    ck_assert_uint_lt(strlen(e.msg), 400);
}
END_TEST

/* Links can add depth to depth; what counts is how deep the folders really are, for somebody must remove them. */
START_TEST(links_cannot_add_up_depth)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT, down = STR_INIT, name = STR_INIT;
    for (int i = 0; i < 200; i++)
        str_add(&down, i ? "/d" : "d");
    str_add(&name, down.s);
    const struct tar_entry first = {.name = name.s, .type = '5'}, link = {.name = "l", .type = '2', .link = down.s};
    tar_add(&t, &first);
    tar_add(&t, &link);
    str_reset(&name);
    str_addf(&name, "l/%s", down.s);
    const struct tar_entry second = {.name = name.s, .type = '5'};
    tar_add(&t, &second);
    tar_end(&t);
    ck_assert_int_eq(apply(&t, &o, &r, &e), -1);
    ck_assert_ptr_nonnull(strstr(e.msg, "deeper than 256"));
}
END_TEST

START_TEST(everything_that_adds_up_has_a_limit)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT;
    for (int i = 0; i < 20; i++) {
        autofree char *name = str_printf("f%d", i);
        tar_file(&t, name, "0123456789", 10);
    }
    tar_end(&t);
    o.entries_max = 19;
    ck_assert_int_eq(apply(&t, &o, &r, &e), -1);
    ck_assert_int_eq(e.kind, ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(e.msg, "entry f19"));
    o.entries_max = 20;
    o.bytes_max = 199;
    ck_assert_int_eq(apply(&t, &o, &r, &e), -1);
    ck_assert_int_eq(e.kind, ERR_TOO_LARGE);
    o.bytes_max = 200;
    ck_assert_int_eq(apply(&t, &o, &r, &e), 0);
    ck_assert_int_eq(r.size, 200);
    ck_assert_int_eq(r.entries, 20);
}
END_TEST

START_TEST(big_headers_are_refused)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT;
    size_t n = 3 << 20;
    autofree char *big = mem_alloc(n);
    memset(big, 'x', n);
    tar_pax(&t, "comment", big, n);
    tar_file(&t, "f", "x", 1);
    tar_end(&t);
    ck_assert_int_eq(apply(&t, &o, &r, &e), -1);
    ck_assert_int_eq(e.kind, ERR_INVALID);
    str_reset(&t);
    tar_pax(&t, "GNU.sparse.size", "4611686018427387904", 19);
    tar_pax(&t, "GNU.sparse.realsize", "4611686018427387904", 19);
    tar_file(&t, "sparse", "x", 1);
    tar_end(&t);
    if (apply(&t, &o, &r, &e) == 0)
        ck_assert_int_le(look("sparse").st_size, 1 << 20);
    else
        ck_assert(has_kind(&e));
}
END_TEST

START_TEST(messages_hold_no_control_bytes)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT;
    tar_file(&t, "\x1b]0;evil\a\xff/../x", "x", 1);
    tar_end(&t);
    ck_assert_int_eq(apply(&t, &o, &r, &e), -1);
    for (const char *c = e.msg; *c; c++)
        ck_assert(*c >= ' ' && *c <= '~');
}
END_TEST

START_TEST(cut_tars_are_refused)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT;
    autofree char *data = mem_alloc(5000);
    tar_file(&t, "first", "x", 1);
    tar_file(&t, "second", data, 5000);
    for (size_t n = TAR_BLOCK * 2 + 1; n < TAR_BLOCK * 3 + 5000; n += 333) {
        struct str cut = {t.s, n, n};
        ck_assert_msg(apply(&cut, &o, &r, &e) == -1, "cut at %zu", n);
        ck_assert_int_eq(e.kind, ERR_INVALID);
    }
    autostr noise = STR_INIT;
    for (int i = 0; i < 4096; i++)
        str_addc(&noise, (char)(i * 31));
    ck_assert_int_eq(apply(&noise, &o, &r, &e), -1);
}
END_TEST

/* ---- honest tars ---- */

START_TEST(everything_is_as_the_tar_says)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT;
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
    add_all(&t, tree);
    ck_assert_msg(apply(&t, &o, &r, &e) == 0, "%s", e.msg);
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
    ck_assert_int_eq(apply(&t, &o, &r, &e), -1);
    ck_assert_ptr_nonnull(strstr(e.msg, "entry incapable: its attribute security.capability is malformed"));
}
END_TEST

START_TEST(the_last_word_counts)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT;
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
    add_all(&t, tree);
    ck_assert_msg(apply(&t, &o, &r, &e) == 0, "%s", e.msg);
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
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT;
    const struct tar_entry tree[] = {
        {.name = "x", .type = '5'},
        {.name = "x/l", .type = '2', .link = "/x"},
        {.name = "y", .type = '5'},
        {.name = "x/l/one", .data = "1"},
        {.name = "x/l/l", .type = '2', .link = "/y"}, /* x/l/l is x/l itself */
        {.name = "x/l/two", .data = "2"},
        {0},
    };
    add_all(&t, tree);
    ck_assert_msg(apply(&t, &o, &r, &e) == 0, "%s", e.msg);
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
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    int keep = root;
    autostr t = STR_INIT;
    autofree char *path = str_printf("root/%s", name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    add_all(&t, entries);
    ck_assert_msg(apply(&t, &o, &r, &e) == 0, "%s", e.msg);
    int fd = root;
    root = keep;
    return (struct lower){.fd = fd, .opaque = r.opaque};
}

/* Unpack into root/upper above these, topmost first, and make it the root that the test looks at. */
static struct layer_result above(const struct lower *lower, size_t n, const struct tar_entry *entries)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT;
    ck_assert_int_eq(mkdir("root/upper", 0755), 0);
    close(root);
    root = open("root/upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    o.lower = lower;
    o.lowers = n;
    add_all(&t, entries);
    ck_assert_msg(apply(&t, &o, &r, &e) == 0, "%s", e.msg);
    return r;
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

/* ---- texts ---- */

START_TEST(paths_are_cleaned)
{
    static const char *const table[][2] = {{"", ""},
                                           {"/", ""},
                                           {".", ""},
                                           {"./", ""},
                                           {"a", "a"},
                                           {"/a/", "a"},
                                           {"a//b/./c", "a/b/c"},
                                           {"...", "..."},
                                           {"..a", "..a"},
                                           {"..", NULL},
                                           {"a/..", NULL},
                                           {"../a", NULL}};
    struct err e;
    for (size_t i = 0; i < COUNT(table); i++) {
        autofree char *p = path_clean(table[i][0], &e);
        ck_assert_msg(table[i][1] ? p && strcmp(p, table[i][1]) == 0 : !p, "%s", table[i][0]);
    }
    static const char *const links[][3] = {{"a/b", "c", "a/c"},      {"a/b", "../c", "c"}, {"a/b", "/c", "c"},
                                           {"a/b", "../../c", NULL}, {"b", "./c", "c"},    {"b", "", ""}};
    for (size_t i = 0; i < COUNT(links); i++) {
        autofree char *p = path_follow(links[i][0], links[i][1]);
        ck_assert_msg(links[i][2] ? p && strcmp(p, links[i][2]) == 0 : !p, "%s -> %s", links[i][0], links[i][1]);
    }
}
END_TEST

START_TEST(expansion_has_a_limit)
{
    struct err e;
    autostr in = STR_INIT, out = STR_INIT, twice = STR_INIT;
    for (int i = 0; i < 100000; i++)
        str_addc(&in, 'x');
    packed(ARCHIVE_FILTER_GZIP, &in, &out);
    autoclose int fd = fd_of(out.s, out.len);
    autostream *a = stream_open(fd, STREAM_PACKED, &e);
    ck_assert_ptr_nonnull(a);
    ck_assert(!stream_plain(a));
    ck_assert_int_eq(stream_check_ratio(a, RATIO_FREE, &e), 0);
    int64_t in_bytes = archive_filter_bytes(a, -1);
    ck_assert_int_gt(in_bytes, 0);
    ck_assert_int_eq(stream_check_ratio(a, RATIO_FREE + in_bytes * RATIO_MAX, &e), 0);
    ck_assert_int_eq(stream_check_ratio(a, RATIO_FREE + (in_bytes + 1) * RATIO_MAX, &e), -1);
    ck_assert_int_eq(e.kind, ERR_TOO_LARGE);
    packed(ARCHIVE_FILTER_GZIP, &out, &twice);
    autoclose int fd2 = fd_of(twice.s, twice.len);
    ck_assert_ptr_null(stream_open(fd2, STREAM_PACKED, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "more than once"));
}
END_TEST

/* A compressor that would need a program is not tried: lzop and lrzip are known to libarchive, but not to us. */
START_TEST(only_built_in_compression)
{
    static const struct {
        int code;
        bool taken;
    } table[] = {{ARCHIVE_FILTER_GZIP, true}, {ARCHIVE_FILTER_BZIP2, true}, {ARCHIVE_FILTER_XZ, true},
                 {ARCHIVE_FILTER_ZSTD, true}, {ARCHIVE_FILTER_LZ4, false},  {ARCHIVE_FILTER_COMPRESS, false},
                 {ARCHIVE_FILTER_UU, false}};
    struct err e;
    autostr tar = STR_INIT, out = STR_INIT;
    tar_file(&tar, "f", "x", 1);
    tar_end(&tar);
    packed(table[_i].code, &tar, &out);
    autoclose int fd = fd_of(out.s, out.len);
    struct archive_entry *entry;
    autostream *a = stream_open(fd, STREAM_PACKED_TAR, &e);
    ck_assert_int_eq(a ? stream_next(a, &entry, &e) : -1, table[_i].taken ? 1 : -1);
    ck_assert(table[_i].taken || e.kind == ERR_INVALID);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("archive");
    TCase *texts = unit_case(s, "texts"), *t = unit_root_case(s, "extractor", "make devices and other people's files");
    tcase_add_test(texts, paths_are_cleaned);
    tcase_add_test(texts, expansion_has_a_limit);
    tcase_add_loop_test(texts, only_built_in_compression, 0, 7);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, attacks_are_refused_or_harmless, 0, COUNT(attacks));
    tcase_add_loop_test(t, attacks_are_harmless_without_whiteouts, 0, COUNT(attacks));
    tcase_add_test(t, names_have_limits);
    tcase_add_test(t, links_cannot_add_up_depth);
    tcase_add_test(t, everything_that_adds_up_has_a_limit);
    tcase_add_test(t, big_headers_are_refused);
    tcase_add_test(t, messages_hold_no_control_bytes);
    tcase_add_test(t, cut_tars_are_refused);
    tcase_add_test(t, everything_is_as_the_tar_says);
    tcase_add_test(t, names_from_pax_stay_bytes);
    tcase_add_test(t, attributes_are_sifted);
    tcase_add_test(t, the_last_word_counts);
    tcase_add_test(t, a_remembered_folder_is_forgotten_with_its_link);
    tcase_add_test(t, sparse_files_stay_sparse);
    tcase_add_test(t, links_of_a_lower_layer_are_followed);
    tcase_add_test(t, deletions_become_marks);
    tcase_add_test(t, layers_hide_each_other);
    tcase_add_test(t, deleted_folders_lend_nothing);
    tcase_add_test(t, overlayfs_agrees);
    return unit_run(s);
}
