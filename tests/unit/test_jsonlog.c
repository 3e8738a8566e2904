/* The json-file log: encoding, cutting, strict decoding. */
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "shim/jsonlog_write.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void same(const char *in, size_t n, int stream, int64_t t, const char *want, size_t want_n)
{
    autostr line = STR_INIT;
    struct jsonlog_record r = {0};
    jsonlog_encode(&line, stream, in, n, NULL, t);
    ck_assert_int_eq(line.s[line.len - 1], '\n');
    ck_assert_ptr_eq(memchr(line.s, '\n', line.len), line.s + line.len - 1);
    /* A second opinion on whether this is JSON at all. NUL in a string needs json_loadb's leave, so it is not asked. */
    if (!memchr(in, 0, n)) {
        struct err e;
        json_auto_t *j = json_parse(line.s, line.len, &e);
        ck_assert_msg(j, "%s: %s", e.msg, line.s);
        ck_assert_mem_eq(json_str(j, "log", ""), want, want_n);
        ck_assert_str_eq(json_str(j, "stream", ""), stream == JSONLOG_STDERR ? "stderr" : "stdout");
    }
    for (int newline = 0; newline < 2; newline++) {
        ck_assert_int_eq(jsonlog_decode(line.s, line.len - (size_t)newline, &r), 0);
        ck_assert_uint_eq(r.len, want_n);
        ck_assert_mem_eq(r.text, want, want_n);
        ck_assert_int_eq(r.stream, stream);
        ck_assert_int_eq(r.time, t);
        ck_assert_ptr_null(r.attrs);
    }
    jsonlog_release(&r);
}

START_TEST(what_goes_in_comes_out)
{
    int64_t t = INT64_C(1714564800123456789);
    char all[128];
    for (int i = 0; i < 128; i++)
        all[i] = (char)i;
    same("hello\n", 6, JSONLOG_STDOUT, t, "hello\n", 6);
    same("", 0, JSONLOG_STDERR, t, "", 0);
    same(all, sizeof(all), JSONLOG_STDERR, t + 1, all, sizeof(all));
    same("h\xc3\xa9 \xea\xb3\xa0\xeb\x9e\x98 \xf0\x9f\x90\xb3\n", 16, JSONLOG_STDOUT, 1,
         "h\xc3\xa9 \xea\xb3\xa0\xeb\x9e\x98 \xf0\x9f\x90\xb3\n", 16);
}
END_TEST

START_TEST(bad_bytes_become_the_replacement_character)
{
#define R "\xef\xbf\xbd"
    static const struct {
        const char *in, *want;
    } t[] = {
        {"\xff", R},
        {"a\x80z", "a" R "z"},
        {"\xc3", R},
        {"\xc0\xaf", R R},
        {"\xe0\x80\x80", R R R},
        {"\xed\xa0\x80", R R R},
        {"\xf4\x90\x80\x80", R R R R},
        {"\xf0\x9f\x90", R R R},
        {"\xe2\x82z", R R "z"},
        {"\xf5\x80", R R},
        {"\xc3\xa9\xc3", "\xc3\xa9" R},
    };
    for (size_t i = 0; i < COUNT(t); i++)
        same(t[i].in, strlen(t[i].in), JSONLOG_STDOUT, 5, t[i].want, strlen(t[i].want));
}
END_TEST

START_TEST(the_line_is_the_one_that_docker_writes)
{
    autostr line = STR_INIT;
    jsonlog_encode(&line, JSONLOG_STDOUT, "a\t\"b\"\\<&>\x01\n", 11, NULL, INT64_C(1714564800123456789));
    ck_assert_str_eq(line.s, "{\"log\":\"a\\t\\\"b\\\"\\\\<&>\\u0001\\n\",\"stream\":\"stdout\","
                             "\"time\":\"2024-05-01T12:00:00.123456789Z\"}\n");
}
END_TEST

START_TEST(other_writers_are_read)
{
    struct jsonlog_record r = {0};
    /* Docker 20.10: HTML escapes, attributes, a fraction with its final zeros cut off */
    const char *line =
        "{\"log\":\"\\u003cb\\u003e \\u00e9 \\ud83d\\udc33 \\/\\b\\f\\n\",\"stream\":\"stderr\",\"attrs\":{\"a\":"
        "\"}\\\"\",\"b\":{\"c\":[1,null]}},\"time\":\"2024-05-01T12:00:00.12Z\"}";
    ck_assert_int_eq(jsonlog_decode(line, strlen(line), &r), 0);
    ck_assert_uint_eq(r.len, strlen("<b> \xc3\xa9 \xf0\x9f\x90\xb3 /\b\f\n"));
    ck_assert_mem_eq(r.text, "<b> \xc3\xa9 \xf0\x9f\x90\xb3 /\b\f\n", r.len);
    ck_assert_int_eq(r.stream, JSONLOG_STDERR);
    ck_assert_int_eq(r.time, INT64_C(1714564800120000000));
    ck_assert_uint_eq(r.attrs_len, strlen("{\"a\":\"}\\\"\",\"b\":{\"c\":[1,null]}}"));
    ck_assert_mem_eq(r.attrs, "{\"a\":\"}\\\"\",\"b\":{\"c\":[1,null]}}", r.attrs_len);

    line = " { \"time\" : \"2024-05-01T14:00:00+02:00\" , \"new\" : [ { } , -1.5e3 ] , \"stream\" : \"stdout\" } \r\n";
    ck_assert_int_eq(jsonlog_decode(line, strlen(line), &r), 0);
    ck_assert_uint_eq(r.len, 0);
    ck_assert_int_eq(r.time, INT64_C(1714564800000000000));
    ck_assert_ptr_null(r.attrs);

    line = "{\"log\":\"\\ud83d \\udc33 \\ud83d\\u0041\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}";
    ck_assert_int_eq(jsonlog_decode(line, strlen(line), &r), 0);
    ck_assert_mem_eq(r.text, R " " R " " R "A", r.len);
    jsonlog_release(&r);
}
END_TEST

START_TEST(what_is_no_record_is_refused)
{
    static const char *const bad[] = {
        "",
        "{",
        "{}",
        "null",
        "[]",
        "{\"log\":\"a\",\"stream\":\"stdout\"}",
        "{\"log\":\"a\",\"time\":\"2024-05-01T12:00:00Z\"}",
        "{\"log\":\"a\",\"stream\":\"stdin\",\"time\":\"2024-05-01T12:00:00Z\"}",
        "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"yesterday, about noon\"}",
        "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:0xZ\"}",
        "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00.Z\"}",
        "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00.12x4Z\"}",
        "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}x",
        "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"",
        "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\",}",
        "{\"log\":\"a\",\"log\":\"b\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}",
        "{\"log\":\"a\nb\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}",
        "{\"log\":\"\\x\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}",
        "{\"log\":\"\\u00g0\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}",
        "{\"log\":\"\xff\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}",
        "{\"log\":7,\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}",
        "{\"log\":\"a\",\"attrs\":[],\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}",
        "{\"log\":\"a\" \"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}",
        "{\"x\":,\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}",
        "{\"x\":{]},\"x\":\"",
    };
    struct jsonlog_record r = {0};
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(jsonlog_decode(bad[i], strlen(bad[i]), &r) == -1, "taken: %s", bad[i]);
    /* nineteen NULs are no time, whatever the decoder remembers */
    char nul[] = "{\"stream\":\"stdout\",\"time\":\"...................Z\"}";
    memset(strchr(nul, '.'), 0, 19);
    ck_assert_int_eq(jsonlog_decode(nul, sizeof(nul) - 1, &r), -1);
    jsonlog_release(&r);
}
END_TEST

/* Every torn beginning of a record is refused, read from memory that ends exactly there (for the sanitizer). */
START_TEST(no_beginning_of_a_record_is_one)
{
    autostr line = STR_INIT;
    struct jsonlog_record r = {0};
    jsonlog_encode(&line, JSONLOG_STDERR, "\xc3\xa9\x02\"x\n", 6, NULL, INT64_C(1714564800123456789));
    for (size_t n = 0; n + 1 < line.len; n++) {
        char *torn = malloc(n ? n : 1);
        memcpy(torn, line.s, n);
        ck_assert_int_eq(jsonlog_decode(torn, n, &r), -1);
        free(torn);
    }
    jsonlog_release(&r);
}
END_TEST

START_TEST(lines_are_cut)
{
    autofree char *p = malloc(JSONLOG_TEXT_MAX * 2);
    memset(p, 'x', JSONLOG_TEXT_MAX * 2);
    ck_assert_uint_eq(jsonlog_cut(p, 0), 0);
    ck_assert_uint_eq(jsonlog_cut("a\nb\n", 4), 2);
    ck_assert_uint_eq(jsonlog_cut("ab", 2), 0);
    ck_assert_uint_eq(jsonlog_cut(p, JSONLOG_TEXT_MAX - 1), 0);
    ck_assert_uint_eq(jsonlog_cut(p, JSONLOG_TEXT_MAX), JSONLOG_TEXT_MAX);
    ck_assert_uint_eq(jsonlog_cut(p, JSONLOG_TEXT_MAX * 2), JSONLOG_TEXT_MAX);
    p[JSONLOG_TEXT_MAX - 1] = '\n';
    ck_assert_uint_eq(jsonlog_cut(p, JSONLOG_TEXT_MAX), JSONLOG_TEXT_MAX);
    p[JSONLOG_TEXT_MAX - 1] = 'x';
    p[JSONLOG_TEXT_MAX] = '\n';
    ck_assert_uint_eq(jsonlog_cut(p, JSONLOG_TEXT_MAX + 1), JSONLOG_TEXT_MAX);
    /* a four-byte character at each place around the border is never cut */
    for (size_t at = JSONLOG_TEXT_MAX - 5; at <= JSONLOG_TEXT_MAX; at++) {
        memset(p, 'x', JSONLOG_TEXT_MAX * 2);
        memcpy(p + at, "\xf0\x9f\x90\xb3", 4);
        size_t want = at + 4 <= JSONLOG_TEXT_MAX ? JSONLOG_TEXT_MAX : at;
        ck_assert_uint_eq(jsonlog_cut(p, JSONLOG_TEXT_MAX * 2), want);
    }
    /* bytes that are no UTF-8 at all must still be cut */
    memset(p, 0x80, JSONLOG_TEXT_MAX * 2);
    ck_assert_uint_gt(jsonlog_cut(p, JSONLOG_TEXT_MAX * 2), JSONLOG_TEXT_MAX - 4);
    memset(p, 0xf0, JSONLOG_TEXT_MAX * 2);
    ck_assert_uint_gt(jsonlog_cut(p, JSONLOG_TEXT_MAX * 2), JSONLOG_TEXT_MAX - 4);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("jsonlog");
    TCase *t = unit_case(s, "all");
    tcase_add_test(t, what_goes_in_comes_out);
    tcase_add_test(t, bad_bytes_become_the_replacement_character);
    tcase_add_test(t, the_line_is_the_one_that_docker_writes);
    tcase_add_test(t, other_writers_are_read);
    tcase_add_test(t, what_is_no_record_is_refused);
    tcase_add_test(t, no_beginning_of_a_record_is_one);
    tcase_add_test(t, lines_are_cut);
    return unit_run(s);
}
