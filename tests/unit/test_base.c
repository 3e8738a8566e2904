/* The foundations: errors, strings, time, JSON, files, sockets. Paths have test_rootpath.c. */
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/str.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

static char folder[] = "/tmp/test-base-XXXXXX";

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void)
{
    ck_assert_int_eq(tree_remove(AT_FDCWD, folder, NULL), 0);
}

/* ---- errors ---- */

START_TEST(errors_carry_kind_errno_and_sentence)
{
    struct err e = {0};
    errno = ENOENT;
    ck_assert_int_eq(err_sys(&e, "open %s", "x"), -1);
    ck_assert_str_eq(e.msg, "open x: no such file or directory");
    ck_assert_int_eq(e.kind, ERR_SYSTEM);
    ck_assert_int_eq(e.sys, ENOENT);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(err_wrap(&e, "start %d", 1), -1);
    ck_assert_str_eq(e.msg, "start 1: open x: no such file or directory");
    json_auto_t *j = err_to_json(&e);
    struct err back = {0};
    err_from_json(&back, j);
    ck_assert_mem_eq(&back.msg, &e.msg, strlen(e.msg) + 1);
    ck_assert(back.kind == e.kind && back.sys == e.sys);
    ck_assert_int_eq(err_set(NULL, ERR_INVALID, "nobody listens"), -1);
}
END_TEST

/* Every length around the message's end: nothing is written or read behind it (the sanitizer watches). */
START_TEST(long_errors_are_cut)
{
    char text[1100];
    memset(text, 'A', sizeof(text));
    for (size_t n = 1000; n < sizeof(text); n++) {
        struct err e;
        errno = ENOENT;
        err_sys(&e, "%.*s", (int)n, text);
        ck_assert_uint_lt(strlen(e.msg), sizeof(e.msg));
        err_wrap(&e, "%.*s", (int)n, text);
        ck_assert_uint_lt(strlen(e.msg), sizeof(e.msg));
    }
    struct err e;
    for (int pad = 0; pad < 4; pad++) { /* cut inside a UTF-8 sequence, it is still JSON */
        memset(text, 'a', (size_t)pad);
        for (size_t i = (size_t)pad; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xea\xb3\xa0", 3);
        err_set(&e, ERR_INVALID, "%.1090s", text);
        json_auto_t *j = err_to_json(&e);
        ck_assert_uint_gt(strlen(json_str(j, "message", "")), 1000);
    }
}
END_TEST

START_TEST(malformed_errors_are_errors)
{
    static const char *const text[] = {"null",          "[]",
                                       "{\"kind\":0}",  "{\"kind\":99,\"message\":\"m\"}",
                                       "{\"kind\":-1}", "{\"kind\":\"x\",\"message\":7}"};
    for (size_t i = 0; i < COUNT(text); i++) {
        json_auto_t *j = json_parse(text[i], strlen(text[i]), NULL);
        struct err e = {0};
        ck_assert_int_eq(err_from_json(&e, j), -1);
        ck_assert_int_eq(e.kind, ERR_SYSTEM);
        ck_assert_uint_gt(strlen(e.msg), 0);
    }
}
END_TEST

/* ---- strings ---- */

START_TEST(numbers_are_strict)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1e3", "1.0", "a", "18446744073709551616", "99999999999999999999999"};
    uint64_t u = 7;
    int64_t i = 7;
    for (size_t k = 0; k < COUNT(bad); k++)
        ck_assert_msg(!str_to_u64(bad[k], &u) && u == 7, "\"%s\"", bad[k]);
    ck_assert(!str_to_u64(NULL, &u));
    ck_assert(str_to_u64("18446744073709551615", &u) && u == UINT64_MAX);
    ck_assert(str_to_u64("007", &u) && u == 7);
    ck_assert(str_to_i64("-9223372036854775808", &i) && i == INT64_MIN);
    ck_assert(str_to_i64("9223372036854775807", &i) && i == INT64_MAX);
    ck_assert(!str_to_i64("9223372036854775808", &i) && !str_to_i64("-9223372036854775809", &i));
    ck_assert(!str_to_i64("-", &i) && !str_to_i64("--1", &i) && !str_to_i64(NULL, &i));
}
END_TEST

START_TEST(buffers_grow)
{
    autostr b = STR_INIT;
    for (int i = 0; i < 10000; i++)
        str_addc(&b, (char)('a' + i % 26));
    str_addn(&b, "\0x", 2);
    str_addf(&b, "%s", "");
    ck_assert_uint_eq(b.len, 10002);
    ck_assert_int_eq(b.s[10000], 0);
    ck_assert_int_eq(b.s[10002], 0);
    str_reset(&b);
    ck_assert_str_eq(b.s, "");
    autofree char *empty = str_take(&b);
    ck_assert_str_eq(empty, "");
    ck_assert_ptr_null(b.s);
    autostr fresh = STR_INIT;
    autofree char *never = str_take(&fresh);
    ck_assert_str_eq(never, "");
}
END_TEST

START_TEST(small_string_questions)
{
    ck_assert(str_ends("a.json", ".json") && !str_ends("json", ".json") && str_ends("x", ""));
    ck_assert(str_starts("abc", "ab") && !str_starts("a", "ab"));
    ck_assert(!str_eq(NULL, NULL) && !str_eq("a", NULL) && str_eq("a", "a"));
    ck_assert(str_is_hex("00ff", 4) && !str_is_hex("00fF", 4) && !str_is_hex("00ff", 3) && !str_is_hex(NULL, 0));
    char a[131], b[131];
    str_random_hex(a, 65);
    str_random_hex(b, 65);
    ck_assert(str_is_hex(a, 130) && str_is_hex(b, 130));
    ck_assert_str_ne(a, b);
    autostrv v = {NULL, 0};
    strv_add(&v, "one");
    strv_addf(&v, "%d", 2);
    ck_assert(v.n == 2 && str_eq(v.v[0], "one") && str_eq(v.v[1], "2") && v.v[2] == NULL);
}
END_TEST

/* ---- time ---- */

static const struct {
    const char *text, *out; /* out NULL: refused */
} times[] = {
    {"1970-01-01T00:00:01Z", "1970-01-01T00:00:01.000000000Z"},
    {"2024-02-29T23:59:59.123456789Z", "2024-02-29T23:59:59.123456789Z"},
    {"2024-02-29T23:59:59.1Z", "2024-02-29T23:59:59.100000000Z"},
    {"2024-02-29T23:59:59.1234567891Z", "2024-02-29T23:59:59.123456789Z"},
    {"2024-03-01T08:59:59+09:00", "2024-02-29T23:59:59.000000000Z"},
    {"2024-02-29T18:29:59-05:30", "2024-02-29T23:59:59.000000000Z"},
    {"2024-02-29T10:11", "2024-02-29T10:11:00.000000000Z"},
    {"2024-02-29", "2024-02-29T00:00:00.000000000Z"},
    {"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500000000Z"},
    {"1700000000", "2023-11-14T22:13:20.000000000Z"},
    {"1700000000.000000001", "2023-11-14T22:13:20.000000001Z"},
    {"0001-01-01T00:00:00Z", CLOCK_ZERO},
    {"", NULL},
    {"yesterday", NULL},
    {"2024-13-01", NULL},
    {"2024-00-01", NULL},
    {"2024-01-32", NULL},
    {"2024-01-01T25:00:00Z", NULL},
    {"2024-01-01T00:00:00Zx", NULL},
    {"2024-01-01T00:00:00+9", NULL},
    {"2024-01-01 00:00:00", NULL},
    {"99999999999999999999", NULL},
    {"9999999999999", NULL},
    {"-5", NULL},
    {"10m", NULL}, /* a duration, where no "now" is given */
};

START_TEST(times_are_read_and_written)
{
    int64_t t = 0;
    char text[CLOCK_TEXT];
    bool got = clock_parse(times[_i].text, 0, &t);
    ck_assert_msg(got == (times[_i].out != NULL), "%s", times[_i].text);
    if (got)
        ck_assert_str_eq(clock_format(t, text), times[_i].out);
}
END_TEST

START_TEST(durations)
{
    static const struct {
        const char *text;
        int64_t ns; /* -1: refused */
    } row[] = {{"0", 0},
               {"1s", NS_PER_S},
               {"1h15m30.5s", 4530500 * NS_PER_MS},
               {"100ms", 100 * NS_PER_MS},
               {"2us", 2000},
               {"2µs", 2000},
               {"3ns", 3},
               {".5s", 500 * NS_PER_MS},
               {"1m1ms", 60001 * NS_PER_MS},
               {"", -1},
               {"5", -1},
               {"s", -1},
               {".s", -1},
               {"-1s", -1},
               {"1d", -1},
               {"1 s", -1},
               {"999999999h", -1},
               {"9223372036854775808ns", -1}};
    for (size_t i = 0; i < COUNT(row); i++) {
        int64_t ns = -1;
        bool got = clock_parse_duration(row[i].text, &ns);
        ck_assert_msg(got == (row[i].ns >= 0) && ns == row[i].ns, "%s: %lld", row[i].text, (long long)ns);
    }
    int64_t t;
    ck_assert(clock_parse("10m", 1000 * NS_PER_S, &t) && t == 400 * NS_PER_S);
}
END_TEST

START_TEST(human_spans_are_dockers)
{
    static const struct {
        double s;
        const char *text;
    } row[] = {
        {0.9, "Less than a second"}, {-5, "Less than a second"}, {1, "1 second"},         {59.9, "59 seconds"},
        {60, "About a minute"},      {119, "About a minute"},    {120, "2 minutes"},      {3599, "59 minutes"},
        {3600, "About an hour"},     {5399, "About an hour"},    {5400, "2 hours"},       {47.4 * 3600, "47 hours"},
        {47.5 * 3600, "2 days"},     {13 * 86400, "13 days"},    {14 * 86400, "2 weeks"}, {59 * 86400, "8 weeks"},
        {60 * 86400, "2 months"},    {729 * 86400, "24 months"}, {731 * 86400, "2 years"}};
    char text[40];
    for (size_t i = 0; i < COUNT(row); i++)
        ck_assert_str_eq(clock_human((int64_t)(row[i].s * 1e9), text, sizeof(text)), row[i].text);
}
END_TEST

/* ---- JSON (F50, F51, F61, F62) ---- */

#define TIMES4(x)  x x x x
#define TIMES64(x) TIMES4(TIMES4(TIMES4(x)))

static const struct {
    const char *what, *text;
    bool fine;
} texts[] = {
    {"F50 depth 64", TIMES64("[") TIMES64("]"), true},
    {"F50 depth 65", "[" TIMES64("[") TIMES64("]") "]", false},
    {"depth of mixed kinds", "{\"a\":" TIMES64("[") TIMES64("]") "}", false},
    {"brackets in a string do not nest", "\"" TIMES4(TIMES64("[")) "\\\"" TIMES4(TIMES64("{")) "\"", true},
    {"F51 trailing value", "{} {}", false},
    {"F51 trailing bytes", "{}x", false},
    {"trailing blanks", "{} \r\n\t", true},
    {"F51 duplicate keys", "{\"a\":1,\"a\":2}", false},
    {"duplicate keys deep inside", "{\"b\":[{\"a\":1,\"\\u0061\":2}]}", false},
    {"a value that is no object", "5", true},
    {"empty", "", false},
    {"blank", " ", false},
    {"F61 1e400", "1e400", false},
    {"F61 -0", "-0", true},
    {"F61 2^53+1", "9007199254740993", true},
    {"F61 2^63-1", "9223372036854775807", true},
    {"F61 2^63", "9223372036854775808", false},
    {"F61 NaN", "NaN", false},
    {"F61 Infinity", "-Infinity", false},
    {"leading zero", "01", false},
    {"F62 invalid UTF-8", "\"\xff\"", false},
    {"F62 over-long UTF-8", "\"\xc0\xaf\"", false},
    {"F62 lone surrogate", "\"\\ud800\"", false},
    {"F62 lone low surrogate", "\"\\udc00x\"", false},
    {"F62 pair", "\"\\ud83d\\udc33\"", true},
    {"F62 BOM", "\xef\xbb\xbf{}", false},
    {"F49 NUL escape", "\"a\\u0000b\"", false},
    {"NUL escape in a key", "{\"a\\u0000b\":1}", false},
    {"control byte in a string", "\"\001\"", false},
    {"single quotes", "{'a':1}", false},
    {"comment", "{} // x", false},
    {"trailing comma", "[1,]", false},
};

START_TEST(json_is_strict)
{
    struct err e = {0};
    json_auto_t *j = json_parse(texts[_i].text, strlen(texts[_i].text), &e);
    ck_assert_msg((j != NULL) == texts[_i].fine, "%s: %s", texts[_i].what, e.msg);
    if (j) { /* printed and parsed again it is the same */
        autofree char *text = json_compact(j);
        json_auto_t *again = json_parse(text, strlen(text), &e);
        ck_assert_msg(json_equal(j, again), "%s", texts[_i].what);
    } else {
        ck_assert_int_eq(e.kind, ERR_INVALID);
    }
}
END_TEST

START_TEST(json_of_any_length)
{
    struct err e = {0};
    ck_assert_ptr_null(json_parse("{}\0", 3, &e)); /* a NUL byte is not an end */
    ck_assert_ptr_null(json_parse("\"a\0b\"", 5, &e));
    size_t n = 100000; /* F50, at full size: refused without recursion */
    autofree char *deep = malloc(n);
    memset(deep, '[', n);
    ck_assert_ptr_null(json_parse(deep, n, &e));
    ck_assert_int_eq(e.kind, ERR_INVALID);
}
END_TEST

START_TEST(json_getters)
{
    static const char text[] = "{\"A\":{\"B\":{\"C\":\"x\",\"N\":5,\"T\":true,\"F\":false,\"R\":1.5,\"Z\":null}}}";
    json_auto_t *j = json_parse(text, sizeof(text) - 1, NULL);
    ck_assert_str_eq(json_str(j, "A.B.C", "d"), "x");
    ck_assert_str_eq(json_str(j, "A.B.N", "d"), "d");
    ck_assert_str_eq(json_str(j, "A.X.C", "d"), "d");
    ck_assert_str_eq(json_str(NULL, "A", "d"), "d");
    ck_assert_int_eq(json_int(j, "A.B.N", 1), 5);
    ck_assert_int_eq(json_int(j, "A.B.C", 1), 1);
    ck_assert_int_eq(json_int(j, "A.B.R", 1), 1);
    ck_assert(json_is(j, "A.B.T") && !json_is(j, "A.B.F") && !json_is(j, "A.B.N") && !json_is(j, "A.B.Z"));
    ck_assert_ptr_eq(json_at(j, ""), j);
    char longest[300];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    ck_assert_ptr_null(json_at(j, longest));
    autofree char *line = json_text(json_at(j, "A.B.C"));
    ck_assert_str_eq(line, "\"x\"\n");
}
END_TEST

START_TEST(bad_utf8_is_replaced)
{
    static const struct {
        const char *in, *out;
    } row[] = {{"caf\xe9!", "caf\xef\xbf\xbd!"},
               {"\xea\xb3\xa0", "\xea\xb3\xa0"},
               {"\xea\xb3", "\xef\xbf\xbd\xef\xbf\xbd"},
               {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
               {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
               {"\xf5\x80\x80\x80x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"},
               {"", ""}};
    for (size_t i = 0; i < COUNT(row); i++) {
        json_auto_t *j = json_string_lossy(row[i].in, strlen(row[i].in));
        ck_assert_str_eq(json_string_value(j), row[i].out);
    }
    for (int a = 0; a < 256; a++) /* whatever the bytes are, a string comes out */
        for (int b = 0; b < 256; b++) {
            json_auto_t *j = json_string_lossy((char[]){(char)a, (char)b, (char)0x80}, 3);
            ck_assert_ptr_nonnull(j);
        }
}
END_TEST

/* ---- files ---- */

static int entries(void)
{
    int n = 0;
    autoclosedir DIR *d = opendir(".");
    while (readdir(d))
        n++;
    return n - 2;
}

START_TEST(files_are_replaced_whole)
{
    struct err e = {0};
    struct stat st;
    umask(077);
    ck_assert_int_eq(file_replace(AT_FDCWD, "f", "one", 3, 0644, &e), 0);
    ck_assert_int_eq(file_replace(AT_FDCWD, "f", "second", 6, 0640, &e), 0);
    size_t n;
    autofree char *text = file_read(AT_FDCWD, "f", 6, &n, &e);
    ck_assert_str_eq(text, "second");
    ck_assert_uint_eq(n, 6);
    ck_assert(stat("f", &st) == 0 && (st.st_mode & 07777) == 0640); /* whatever the umask is */
    ck_assert_int_eq(entries(), 1);
    /* failing leaves neither damage nor a temporary */
    ck_assert_int_eq(mkdir("d", 0700), 0);
    ck_assert_int_eq(file_replace(AT_FDCWD, "d", "x", 1, 0600, &e), -1);
    ck_assert_int_eq(e.sys, EISDIR);
    ck_assert_int_eq(file_replace(AT_FDCWD, "no/f", "x", 1, 0600, &e), -1);
    ck_assert_int_eq(entries(), 2);
    /* below a folder, by a longer path, and over a link without following it */
    ck_assert_int_eq(symlink("../f", "d/l"), 0);
    ck_assert_int_eq(file_replace(AT_FDCWD, "d/l", "x", 1, 0600, &e), 0);
    ck_assert(lstat("d/l", &st) == 0 && S_ISREG(st.st_mode));
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "v", "", 0, 0600, &e), 0);
    ck_assert(stat("v", &st) == 0 && st.st_size == 0);
}
END_TEST

START_TEST(reading_has_limits)
{
    struct err e = {0};
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "f", "0123456789", 10, 0600, &e), 0);
    autofree char *ten = file_read(AT_FDCWD, "f", 10, NULL, &e);
    ck_assert_ptr_nonnull(ten);
    ck_assert_ptr_null(file_read(AT_FDCWD, "f", 9, NULL, &e));
    ck_assert_int_eq(e.kind, ERR_TOO_LARGE);
    ck_assert_ptr_null(file_read(AT_FDCWD, "missing", 9, NULL, &e));
    ck_assert_int_eq(e.sys, ENOENT);
    ck_assert_int_eq(mkfifo("fifo", 0600), 0); /* nobody writes: a plain open would wait for ever */
    ck_assert_ptr_null(file_read(AT_FDCWD, "fifo", 9, NULL, &e));
    ck_assert_ptr_null(file_read(AT_FDCWD, ".", 9, NULL, &e));
    ck_assert_ptr_null(file_read(AT_FDCWD, "/dev/zero", 9, NULL, &e));
}
END_TEST

START_TEST(writing_in_place)
{
    struct err e = {0};
    ck_assert_int_eq(file_put(AT_FDCWD, "missing", "x", &e), -1);
    ck_assert_int_eq(access("missing", F_OK), -1);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "f", "", 0, 0600, &e), 0);
    ck_assert_int_eq(file_put(AT_FDCWD, "f", "max 100000", &e), 0);
    autofree char *text = file_read(AT_FDCWD, "f", 100, NULL, &e);
    ck_assert_str_eq(text, "max 100000");
}
END_TEST

START_TEST(folders_are_made)
{
    struct err e = {0};
    struct stat st;
    ck_assert_int_eq(dir_make_all("a/b//c/", 0755, &e), 0);
    ck_assert(stat("a/b/c", &st) == 0 && S_ISDIR(st.st_mode));
    ck_assert_int_eq(dir_make_all("a/b/c", 0755, &e), 0);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "f", "", 0, 0600, &e), 0);
    ck_assert_int_eq(dir_make_all("f", 0755, &e), -1);
    ck_assert_int_eq(dir_make_all("f/x", 0755, &e), -1);
    ck_assert_int_eq(dir_sync(AT_FDCWD, "a", &e), 0);
}
END_TEST

START_TEST(trees_are_removed_without_following_links)
{
    struct err e = {0};
    ck_assert_int_eq(dir_make_all("keep/inner", 0755, &e), 0);
    ck_assert_int_eq(dir_make_all("t/a/b", 0755, &e), 0);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "keep/f", "x", 1, 0600, &e), 0);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "t/a/b/f", "x", 1, 0400, &e), 0);
    ck_assert_int_eq(symlink("../keep", "t/link"), 0);
    ck_assert_int_eq(symlink("../../keep/f", "t/a/link"), 0);
    ck_assert_int_eq(mkfifo("t/fifo", 0600), 0);
    ck_assert_int_eq(tree_remove(AT_FDCWD, "t", &e), 0);
    ck_assert_int_eq(access("t", F_OK), -1);
    ck_assert_int_eq(access("keep/f", F_OK), 0);
    ck_assert_int_eq(access("keep/inner", F_OK), 0);
    ck_assert_int_eq(tree_remove(AT_FDCWD, "t", &e), 0); /* gone is gone */
    ck_assert_int_eq(symlink("keep", "link"), 0);
    ck_assert_int_eq(tree_remove(AT_FDCWD, "link", &e), 0);
    ck_assert_int_eq(access("keep/f", F_OK), 0);
}
END_TEST

/* ---- sockets ---- */

START_TEST(sockets_live_and_stale)
{
    struct err e = {0};
    struct stat st;
    int fd = sock_listen_unix("s", SOCK_STREAM, 0660, &e);
    ck_assert_msg(fd >= 0, "%s", e.msg);
    ck_assert(stat("s", &st) == 0 && (st.st_mode & 07777) == 0660);
    ck_assert_int_eq(sock_listen_unix("s", SOCK_STREAM, 0660, &e), -1);
    ck_assert_int_eq(e.kind, ERR_CONFLICT);
    autoclose int peer = sock_dial_unix("s", SOCK_STREAM, &e);
    ck_assert_int_ge(peer, 0); /* the live one was left alone */
    ck_assert_int_eq(sock_peer_pid(peer), getpid());
    ck_assert_uint_eq(sock_peer_uid(peer), getuid());
    close(fd);
    fd = sock_listen_unix("s", SOCK_STREAM, 0600, &e); /* its file stayed behind */
    ck_assert_msg(fd >= 0, "%s", e.msg);
    close(fd);
    unlink("s");
    ck_assert_int_eq(sock_dial_unix("s", SOCK_STREAM, &e), -1);
    ck_assert_int_eq(e.sys, ENOENT);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "f", "x", 1, 0600, &e), 0);
    ck_assert_int_eq(sock_listen_unix("f", SOCK_STREAM, 0600, &e), -1); /* not a socket: not ours to remove */
    ck_assert_int_eq(access("f", F_OK), 0);
    char longest[200];
    memset(longest, 'a', sizeof(longest));
    longest[199] = '\0';
    ck_assert_int_eq(sock_listen_unix(longest, SOCK_STREAM, 0600, &e), -1);
    ck_assert_int_eq(e.kind, ERR_INVALID);
}
END_TEST

START_TEST(packets_and_descriptors)
{
    int pair[2], got = -7;
    char part[64];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    autoclose int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(sock_send(pair[0], "one", 3, null), 0);
    ck_assert_int_eq(sock_send(pair[0], "two", 3, -1), 0);
    ck_assert_int_eq(sock_recv(pair[1], part, sizeof(part), &got), 3);
    ck_assert_int_ge(got, 0);
    ck_assert_int_ne(fcntl(got, F_GETFD) & FD_CLOEXEC, 0);
    close(got);
    ck_assert_int_eq(sock_recv(pair[1], part, sizeof(part), &got), 3);
    ck_assert_int_eq(got, -1);
    /* one that is not expected does not stay open; one that is too long is not cut in silence */
    int next = dup(0);
    close(next);
    ck_assert_int_eq(sock_send(pair[0], "x", 1, null), 0);
    ck_assert_int_eq(sock_recv(pair[1], part, sizeof(part), NULL), 1);
    ck_assert_int_eq(fcntl(next, F_GETFD), -1);
    ck_assert_int_eq(sock_send(pair[0], "0123456789", 10, null), 0);
    ck_assert_int_eq(sock_recv(pair[1], part, 9, &got), -1);
    ck_assert_int_eq(errno, EMSGSIZE);
    ck_assert_int_eq(fcntl(next, F_GETFD), -1);
    close(pair[1]);
    signal(SIGPIPE, SIG_DFL);
    ck_assert_int_eq(sock_send(pair[0], "x", 1, -1), -1);
    ck_assert_int_eq(errno, EPIPE);
    close(pair[0]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base");
    TCase *t = unit_case(s, "all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, errors_carry_kind_errno_and_sentence);
    tcase_add_test(t, long_errors_are_cut);
    tcase_add_test(t, malformed_errors_are_errors);
    tcase_add_test(t, numbers_are_strict);
    tcase_add_test(t, buffers_grow);
    tcase_add_test(t, small_string_questions);
    tcase_add_loop_test(t, times_are_read_and_written, 0, COUNT(times));
    tcase_add_test(t, durations);
    tcase_add_test(t, human_spans_are_dockers);
    tcase_add_loop_test(t, json_is_strict, 0, COUNT(texts));
    tcase_add_test(t, json_of_any_length);
    tcase_add_test(t, json_getters);
    tcase_add_test(t, bad_utf8_is_replaced);
    tcase_add_test(t, files_are_replaced_whole);
    tcase_add_test(t, reading_has_limits);
    tcase_add_test(t, writing_in_place);
    tcase_add_test(t, folders_are_made);
    tcase_add_test(t, trees_are_removed_without_following_links);
    tcase_add_test(t, sockets_live_and_stale);
    tcase_add_test(t, packets_and_descriptors);
    return unit_run(s);
}
