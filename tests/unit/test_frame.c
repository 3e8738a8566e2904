/* Stream frames: format, any cut of the bytes, refusals. */
#include "base/mem.h"
#include "base/str.h"
#include "unit.h"
#include "wire/unframe.h"

struct seen {
    struct str text; /* "1:abc" pieces are joined as long as the stream stays the same */
    int stream, calls, stop_at;
};

static int collect(void *arg, int stream, const void *p, size_t n)
{
    struct seen *s = arg;
    ck_assert_uint_gt(n, 0);
    if (s->stream != stream)
        str_addf(&s->text, "<%d>", stream);
    s->stream = stream;
    str_addn(&s->text, p, n);
    return ++s->calls == s->stop_at ? 7 : 0;
}

static void add(struct str *b, int stream, const char *text)
{
    unsigned char h[FRAME_HEAD];
    frame_head(h, stream, (uint32_t)strlen(text));
    str_addn(b, h, sizeof(h));
    str_add(b, text);
}

START_TEST(head_is_exact)
{
    unsigned char h[FRAME_HEAD];
    frame_head(h, FRAME_STDERR, 0x01020304);
    ck_assert_mem_eq(h, "\2\0\0\0\1\2\3\4", 8);
}
END_TEST

START_TEST(any_cut_gives_the_same)
{
    autostr in = STR_INIT;
    add(&in, FRAME_STDOUT, "hello ");
    add(&in, FRAME_STDOUT, "");
    add(&in, FRAME_STDERR, "oh");
    add(&in, FRAME_STDOUT, "world");
    add(&in, FRAME_ERROR, "end");
    for (size_t a = 0; a <= in.len; a++)
        for (size_t step = 1; step <= 9; step++) {
            struct seen s = {.stream = -1};
            struct frame_reader r = {0};
            ck_assert_int_eq(frame_feed(&r, in.s, a, collect, &s), 0);
            for (size_t i = a; i < in.len; i += step)
                ck_assert_int_eq(frame_feed(&r, in.s + i, in.len - i < step ? in.len - i : step, collect, &s), 0);
            ck_assert_str_eq(s.text.s, "<1>hello <2>oh<1>world<3>end");
            ck_assert_uint_eq(r.have, 0); /* nothing begun */
            str_release(&s.text);
        }
}
END_TEST

START_TEST(bad_heads_are_refused)
{
    static const char *const bad[] = {"\4\0\0\0\0\0\0\1", "\1\1\0\0\0\0\0\1",   "\1\0\1\0\0\0\0\1", "\1\0\0\1\0\0\0\1",
                                      "\1\0\0\0\1\0\0\1", "\xff\0\0\0\0\0\0\0", "total 0\n"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct frame_reader r = {0};
        struct seen s = {.stream = -1};
        ck_assert_int_eq(frame_feed(&r, bad[i], 7, collect, &s), 0);
        ck_assert_msg(frame_feed(&r, bad[i] + 7, 1, collect, &s) == -1, "head %zu", i);
        ck_assert_msg(frame_feed(&r, "\1\0\0\0\0\0\0\1x", 9, collect, &s) == -1, "head %zu: came back", i);
        ck_assert_int_eq(s.calls, 0);
    }
}
END_TEST

START_TEST(longest_frame_is_taken)
{
    unsigned char h[FRAME_HEAD];
    struct frame_reader r = {0};
    struct seen s = {.stream = -1};
    frame_head(h, FRAME_STDOUT, FRAME_PAYLOAD_MAX);
    ck_assert_int_eq(frame_feed(&r, h, sizeof(h), collect, &s), 0);
    ck_assert_uint_eq(r.left, FRAME_PAYLOAD_MAX);
}
END_TEST

START_TEST(sink_may_stop)
{
    autostr in = STR_INIT;
    struct frame_reader r = {0};
    struct seen s = {.stream = -1, .stop_at = 2};
    add(&in, FRAME_STDOUT, "a");
    add(&in, FRAME_STDOUT, "b");
    add(&in, FRAME_STDOUT, "c");
    ck_assert_int_eq(frame_feed(&r, in.s, in.len, collect, &s), 7);
    ck_assert_str_eq(s.text.s, "<1>ab");
    str_release(&s.text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frame");
    TCase *t = unit_case(s, "all");
    tcase_add_test(t, head_is_exact);
    tcase_add_test(t, any_cut_gives_the_same);
    tcase_add_test(t, bad_heads_are_refused);
    tcase_add_test(t, longest_frame_is_taken);
    tcase_add_test(t, sink_may_stop);
    return unit_run(s);
}
