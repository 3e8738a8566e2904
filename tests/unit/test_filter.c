/* The filters of list, events and prune. */
#include "base/clock.h"
#include "base/filter.h"
#include "base/json.h"
#include "base/mem.h"
#include "unit.h"

static json_t *parsed(const char *text)
{
    struct err e;
    json_t *f = filters_parse(text, &e);
    ck_assert_msg(f, "%s: %s", text, e.msg);
    return f;
}

START_TEST(both_encodings_are_one)
{
    json_auto_t *a = parsed("{\"label\":{\"x=1\":true},\"status\":{\"exited\":true,\"dead\":false}}"),
                *b = parsed("{\"label\":[\"x=1\"],\"status\":[\"exited\"]}"), *none = parsed(NULL), *empty = parsed("");
    ck_assert(json_equal(a, b));
    ck_assert_uint_eq(json_object_size(none) + json_object_size(empty), 0);
    json_auto_t *unset = parsed("{\"label\":{\"x\":false},\"name\":[]}");
    ck_assert_uint_eq(json_object_size(unset), 0);
}
END_TEST

START_TEST(what_is_no_filter_is_refused)
{
    static const char *const bad[] = {"[]", "\"x\"", "{\"label\":1}", "{\"label\":[1]}", "{\"label\":\"x\"}",
                                      "{",  "{}{}"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e;
        ck_assert_msg(!filters_parse(bad[i], &e) && e.kind == ERR_INVALID, "%s", bad[i]);
    }
}
END_TEST

START_TEST(unknown_keys_are_named)
{
    static const char *const known[] = {"label", NULL};
    struct err e;
    json_auto_t *good = parsed("{\"label\":[\"x\"]}"), *odd = parsed("{\"label\":[\"x\"],\"shade\":[\"blue\"]}");
    ck_assert_int_eq(filters_check(good, known, &e), 0);
    ck_assert_int_eq(filters_check(NULL, known, &e), 0);
    ck_assert_int_eq(filters_check(odd, known, &e), -1);
    ck_assert_str_eq(e.msg, "invalid filter 'shade'");
}
END_TEST

START_TEST(labels_must_all_hold)
{
    static const struct {
        const char *filters;
        bool hold;
    } table[] = {
        {"{}", true},
        {"{\"label\":[\"a\"]}", true},
        {"{\"label\":[\"a=1\",\"b\"]}", true},
        {"{\"label\":[\"a=1\",\"c\"]}", false},
        {"{\"label\":[\"a=2\"]}", false},
        {"{\"label\":[\"a=\"]}", false},
        {"{\"label\":[\"b=\"]}", true},
        {"{\"label!\":[\"c\"]}", true},
        {"{\"label!\":[\"a=2\"]}", true},
        {"{\"label!\":[\"a=1\"]}", false},
        {"{\"label\":[\"a\"],\"label!\":[\"b\"]}", false},
    };
    json_auto_t *labels = json_pack("{s:s, s:s}", "a", "1", "b", "");
    for (size_t i = 0; i < COUNT(table); i++) {
        json_auto_t *f = parsed(table[i].filters);
        ck_assert_msg(filter_labels(f, labels) == table[i].hold, "%s", table[i].filters);
    }
}
END_TEST

START_TEST(values)
{
    struct err e;
    int64_t until;
    bool b;
    json_auto_t *f = parsed("{\"dangling\":[\"FALSE\"],\"until\":[\"10\"],\"type\":[\"image\",\"volume\"]}"),
                *bad = parsed("{\"dangling\":[\"perhaps\"],\"until\":[\"soon\"]}"),
                *two = parsed("{\"until\":[\"1\",\"2\"]}");
    ck_assert(filter_allows(f, "type", "volume") && !filter_allows(f, "type", "network") && filter_allows(f, "x", "y"));
    ck_assert_str_eq(filter_one(f, "type"), "image");
    ck_assert_ptr_null(filter_one(f, "x"));
    ck_assert(filter_bool(f, "dangling", true, &b, &e) == 0 && !b);
    ck_assert(filter_bool(f, "absent", true, &b, &e) == 0 && b);
    ck_assert_int_eq(filter_bool(bad, "dangling", true, &b, &e), -1);
    ck_assert(filter_until(f, &until, &e) == 0 && until == 10 * NS_PER_S);
    ck_assert(filter_until(NULL, &until, &e) == 0 && until == INT64_MAX);
    ck_assert_int_eq(filter_until(bad, &until, &e), -1);
    ck_assert_int_eq(filter_until(two, &until, &e), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("filter");
    TCase *t = unit_case(s, "filter");
    tcase_add_test(t, both_encodings_are_one);
    tcase_add_test(t, what_is_no_filter_is_refused);
    tcase_add_test(t, unknown_keys_are_named);
    tcase_add_test(t, labels_must_all_hold);
    tcase_add_test(t, values);
    return unit_run(s);
}
