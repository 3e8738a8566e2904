/* Paths and queries: decoding, and what is refused (F48, F49, F56, F62). */
#include "base/str.h"
#include "http_rig.h"

static const struct {
    const char *target, *path, *query; /* query: keys and values, joined as they were parsed; path NULL: refused */
} row[] = {
    {"/", "/", ""},
    {"/containers/json?all=1&limit=5", "/containers/json", "[all=1][limit=5]"},
    {"/containers/json?", "/containers/json", ""},
    {"/containers/json?&&a=1&", "/containers/json", "[a=1]"},
    {"/x?a&b=&=c&a=2", "/x", "[a=][b=][=c][a=2]"},
    {"/x?a=b=c", "/x", "[a=b=c]"},
    {"/x?a=?/", "/x", "[a=?/]"},
    {"/x?a=b+c%2Bd%26e%3df", "/x", "[a=b c+d&e=f]"},
    {"/x+y", "/x+y", ""},
    {"/images/127.0.0.1:5000/a%3Ab/json", "/images/127.0.0.1:5000/a:b/json", ""},
    {"/a%2fb/%2F", "/a%2fb/%2F", ""},
    {"/x?path=%2Fetc%2fpasswd", "/x", "[path=/etc/passwd]"},
    {"/x?filters={\"a\":[\"b\"]}", "/x", "[filters={\"a\":[\"b\"]}]"},
    {"/%EA%B3%A0", "/\xea\xb3\xa0", ""},
    {"/x?m=two%0Alines", "/x", "[m=two\nlines]"},
    {"//x//", "//x//", ""},
    {"/.../.a/a..", "/.../.a/a..", ""},
    {"http://evil.example/containers/json?a=1", "/containers/json", "[a=1]"}, /* F56 */
    {"HTTP://x/", "/", ""},
    /* F48: steps upwards, in every spelling */
    {"/containers/../../etc/passwd/json", NULL, NULL},
    {"/..", NULL, NULL},
    {"/a/./b", NULL, NULL},
    {"/.", NULL, NULL},
    {"/%2e%2e/x", NULL, NULL},
    {"/a/.%2E", NULL, NULL},
    {"/%2E/", NULL, NULL},
    {"http://x/../y", NULL, NULL},
    /* F49: NUL and friends */
    {"/a%00b", NULL, NULL},
    {"/x?a=%00", NULL, NULL},
    {"/x?a%00=1", NULL, NULL},
    {"/a%0ab", NULL, NULL},
    {"/a%7f", NULL, NULL},
    /* bad escapes */
    {"/%", NULL, NULL},
    {"/%4", NULL, NULL},
    {"/%zz", NULL, NULL},
    {"/%4g", NULL, NULL},
    {"/x?a=%4", NULL, NULL},
    {"/x?%=1", NULL, NULL},
    {"/x?a=%4&1=2", NULL, NULL},
    /* F62: not UTF-8 */
    {"/%ff", NULL, NULL},
    {"/%ed%a0%80", NULL, NULL},
    {"/x?a=%c3", NULL, NULL},
    {"/x?a=%c0%af", NULL, NULL},
    /* other forms */
    {"", NULL, NULL},
    {"x", NULL, NULL},
    {"*", NULL, NULL},
    {"x:80", NULL, NULL},
    {"/a#b", NULL, NULL},
    {"http://x", NULL, NULL},
    {"http://x?a=/", NULL, NULL},
    {"https://x/", NULL, NULL},
};

START_TEST(target_is_parsed)
{
    struct http_target t;
    struct err e = {0};
    int got = http_target_parse(row[_i].target, &t, &e);
    if (!row[_i].path) {
        ck_assert_msg(got == -1 && e.kind == ERR_INVALID, "%s was taken", row[_i].target);
        return;
    }
    ck_assert_msg(got == 0, "%s: %s", row[_i].target, e.msg);
    autostr query = STR_INIT;
    str_add(&query, "");
    for (size_t i = 0; i < t.n; i++)
        str_addf(&query, "[%s=%s]", t.key[i], t.value[i]);
    ck_assert_str_eq(t.path, row[_i].path);
    ck_assert_str_eq(query.s, row[_i].query);
    http_target_release(&t);
}
END_TEST

START_TEST(query_has_a_limit)
{
    for (int n = HTTP_QUERY_MAX; n <= HTTP_QUERY_MAX + 1; n++) {
        autostr s = STR_INIT;
        struct http_target t;
        str_add(&s, "/x?");
        for (int i = 0; i < n; i++)
            str_add(&s, "a&");
        ck_assert_int_eq(http_target_parse(s.s, &t, NULL), n > HTTP_QUERY_MAX ? -1 : 0);
        http_target_release(&t);
    }
}
END_TEST

START_TEST(booleans_are_dockers)
{
    struct http_target t;
    struct err e;
    ck_assert_int_eq(http_target_parse("/?a=&b=0&c=no&d=False&e=NONE&f=+0+&g&h=1&i=true&j=t&k=2&l=off", &t, &e), 0);
    for (const char *k = "abcdefg"; *k; k++)
        ck_assert_msg(!http_query_bool(&t, (char[]){*k, 0}, true), "%c", *k);
    for (const char *k = "hijkl"; *k; k++)
        ck_assert_msg(http_query_bool(&t, (char[]){*k, 0}, false), "%c", *k);
    ck_assert(http_query_bool(&t, "absent", true) && !http_query_bool(&t, "absent", false));
    ck_assert_str_eq(http_query(&t, "h", "x"), "1");
    ck_assert_str_eq(http_query(&t, "absent", "x"), "x");
    http_target_release(&t);
}
END_TEST

START_TEST(encoding_comes_back)
{
    char all[256];
    for (int i = 1; i < 128; i++)
        all[i - 1] = (char)i;
    memcpy(all + 127, "\xea\xb3\xa0", 4);
    autofree char *text = http_encode(all);
    ck_assert_uint_eq(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%"),
                      strlen(text));
    autofree char *target = str_printf("/?x=%s", text);
    struct http_target t;
    struct err e;
    ck_assert_int_eq(http_target_parse(target, &t, &e), 0);
    ck_assert_str_eq(http_query(&t, "x", NULL), all);
    http_target_release(&t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http: targets");
    TCase *t = unit_case(s, "all");
    tcase_add_loop_test(t, target_is_parsed, 0, COUNT(row));
    tcase_add_test(t, query_has_a_limit);
    tcase_add_test(t, booleans_are_dockers);
    tcase_add_test(t, encoding_comes_back);
    return unit_run(s);
}
