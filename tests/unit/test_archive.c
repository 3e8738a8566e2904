/* The extractor against tars that no honest program writes (spec/security.md rows 34 to 42), and the texts and streams
 * that it stands on. */
#include "archive_rig.h"

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
    {"not a sound archive", NULL, {{.name = "negative", .raw_size = NEGATIVE256}}},
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

/* A link that begins with CANARY leads to the folder that nothing may touch. */
static void add_attack(struct str *t, const struct tar_entry *entry)
{
    autostr link = STR_INIT;
    for (; entry->name; entry++) {
        struct tar_entry x = *entry;
        if (x.link && *x.link == *CANARY) {
            str_reset(&link);
            str_addf(&link, "%s%s", canary_dir, x.link + 1);
            x.link = link.s;
        }
        tar_add(t, &x);
    }
    tar_end(t);
}

START_TEST(attacks_are_refused_or_harmless)
{
    autostr t = STR_INIT;
    struct layer_options o = usual();
    struct layer_result r;
    struct err e = {0};
    add_attack(&t, attacks[_i].entry);
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
    add_attack(&t, attacks[_i].entry);
    apply(&t, &o, &r, &e);
    check_canary();
    ck_assert_uint_eq(r.opaque.n, 0);
}
END_TEST

START_TEST(names_have_limits)
{
    autostr name = STR_INIT;
    for (int i = 0; i < 300; i++)
        str_add(&name, "d/");
    str_add(&name, "x");
    const struct tar_entry deep[] = {{.name = name.s}, {0}};
    autostr t = STR_INIT;
    add_all(&t, deep);
    refused(&t, "deeper than");
    str_reset(&name);
    for (int i = 0; i < 256; i++)
        str_addc(&name, 'n');
    str_reset(&t);
    const struct tar_entry wide[] = {{.name = name.s}, {0}};
    add_all(&t, wide);
    refused(&t, "longer than 255");
    for (int i = 0; i < 5000; i++)
        str_addc(&name, i % 200 ? 'n' : '/');
    str_reset(&t);
    const struct tar_entry longest[] = {{.name = name.s}, {0}};
    add_all(&t, longest);
    refused(&t, "longer than 4095");
}
END_TEST

/* Links can add depth to depth; what counts is how deep the folders really are, for somebody must remove them. */
START_TEST(links_cannot_add_up_depth)
{
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
    refused(&t, "deeper than 256");
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
    TCase *t = unit_case(s, "texts");
    tcase_add_test(t, paths_are_cleaned);
    tcase_add_test(t, expansion_has_a_limit);
    tcase_add_loop_test(t, only_built_in_compression, 0, 7);
    t = extractor_case(s, "attacks");
    tcase_add_loop_test(t, attacks_are_refused_or_harmless, 0, COUNT(attacks));
    tcase_add_loop_test(t, attacks_are_harmless_without_whiteouts, 0, COUNT(attacks));
    tcase_add_test(t, names_have_limits);
    tcase_add_test(t, links_cannot_add_up_depth);
    tcase_add_test(t, everything_that_adds_up_has_a_limit);
    tcase_add_test(t, big_headers_are_refused);
    tcase_add_test(t, messages_hold_no_control_bytes);
    tcase_add_test(t, cut_tars_are_refused);
    return unit_run(s);
}
