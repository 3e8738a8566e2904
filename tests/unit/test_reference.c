/* References: what is one, what it means, and how it is shown (spec/api.md section 7.1). Needs no root. */
#include "image/image.h"
#include "base/mem.h"
#include "base/str.h"
#include "unit.h"

#include <stdlib.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char *text, *canonical, *familiar;
} good[] = {
    {"busybox", "docker.io/library/busybox:latest", "busybox:latest"},
    {"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
    {"library/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
    {"docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
    {"docker.io/library/busybox:x", "docker.io/library/busybox:x", "busybox:x"},
    {"index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
    {"index.docker.io/me/tool", "docker.io/me/tool:latest", "me/tool:latest"},
    {"me/tool", "docker.io/me/tool:latest", "me/tool:latest"},
    {"docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
    {"localhost/x", "localhost/x:latest", "localhost/x:latest"},
    {"localhost:5000/x:t", "localhost:5000/x:t", "localhost:5000/x:t"},
    {"Host/x", "Host/x:latest", "Host/x:latest"},
    {"a.b/x", "a.b/x:latest", "a.b/x:latest"},
    {"a-b.c:443/x/y_z/w__v/u---t.s:T", "a-b.c:443/x/y_z/w__v/u---t.s:T", "a-b.c:443/x/y_z/w__v/u---t.s:T"},
    {"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
    {"[fe80::1]/x:v", "[fe80::1]/x:v", "[fe80::1]/x:v"},
    {"x:_T.-9", "docker.io/library/x:_T.-9", "x:_T.-9"},
    {"x@sha256:" HEX64, "docker.io/library/x@sha256:" HEX64, "x@sha256:" HEX64},
    {"x:t@sha256:" HEX64, "docker.io/library/x:t@sha256:" HEX64, "x:t@sha256:" HEX64},
    {"h.io/x@md5+b:" HEX64, "h.io/x@md5+b:" HEX64, "h.io/x@md5+b:" HEX64},
    {"sha256:abc", "docker.io/library/sha256:abc", "sha256:abc"},
    {HEX64 "0", "docker.io/library/" HEX64 "0:latest", HEX64 "0:latest"},
    {"me/" HEX64, "docker.io/me/" HEX64 ":latest", "me/" HEX64 ":latest"},
};

START_TEST(good_references)
{
    struct err e;
    struct image_ref r;
    ck_assert_msg(image_ref_parse(good[_i].text, &r, &e) == 0, "%s: %s", good[_i].text, e.msg);
    autofree char *canonical = image_ref_canonical(&r), *familiar = image_ref_familiar(&r);
    ck_assert_str_eq(canonical, good[_i].canonical);
    ck_assert_str_eq(familiar, good[_i].familiar);
    image_ref_release(&r);
    /* Both forms mean the same again. */
    ck_assert_int_eq(image_ref_parse(familiar, &r, &e), 0);
    autofree char *again = image_ref_canonical(&r);
    ck_assert_str_eq(again, canonical);
    image_ref_release(&r);
}
END_TEST

static const struct {
    const char *text, *says;
} bad[] = {
    {"", "invalid reference format"},
    {":", "invalid reference format"},
    {"/", "invalid reference format"},
    {"x:", "invalid reference format"},
    {":x", "invalid reference format"},
    {"x/", "invalid reference format"},
    {"/x", "invalid reference format"},
    {"x//y", "invalid reference format"},
    {"x..y", "invalid reference format"},
    {"x___y", "invalid reference format"},
    {"x._y", "invalid reference format"},
    {"-x", "invalid reference format"},
    {"x-", "invalid reference format"},
    {"../x", "invalid reference format"},
    {"x/../y", "invalid reference format"},
    {"x y", "invalid reference format"},
    {"x\ny", "invalid reference format"},
    {"x:.t", "invalid reference format"},
    {"x:-t", "invalid reference format"},
    {"x:t/y", "invalid reference format"},
    {"x:t:u", "invalid reference format"},
    {"x@", "invalid reference format"},
    {"x@sha256", "invalid reference format"},
    {"x@sha256:abc", "invalid reference format"},
    {"x@sha256:" HEX64 "00", "invalid reference format"},
    {"x@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "invalid reference format"},
    {"x@1md:" HEX64, "invalid reference format"},
    {"x@sha256:" HEX64 "@sha256:" HEX64, "invalid reference format"},
    {"[::1/x", "invalid reference format"},
    {"a.b:port/x", "invalid reference format"},
    {"-a.b/x", "invalid reference format"},
    {"a..b/x", "invalid reference format"},
    {"http://a.b/x", "invalid reference format"},
    {"Busybox", "must be lowercase"},
    {"me/Tool", "must be lowercase"},
    {"localhost/Tool", "must be lowercase"},
    {HEX64, "cannot specify 64-byte hexadecimal strings"},
    {"caf\xc3\xa9", "invalid reference format"},
};

START_TEST(bad_references)
{
    struct err e = {0};
    struct image_ref r;
    ck_assert_msg(image_ref_parse(bad[_i].text, &r, &e) == -1, "%s was taken", bad[_i].text);
    ck_assert_int_eq(e.kind, ERR_INVALID);
    ck_assert_msg(strstr(e.msg, bad[_i].says), "%s: %s", bad[_i].text, e.msg);
    for (const char *c = e.msg; *c; c++)
        ck_assert_msg(*c >= ' ' && *c <= '~', "a control byte in an error message");
}
END_TEST

START_TEST(lengths_have_limits)
{
    struct err e;
    struct image_ref r;
    autostr s = STR_INIT;
    str_add(&s, "h.io/");
    for (int i = 0; i < 250; i++)
        str_addc(&s, 'x');
    ck_assert_int_eq(image_ref_parse(s.s, &r, &e), 0); /* 255 */
    image_ref_release(&r);
    str_addc(&s, 'x');
    ck_assert_int_eq(image_ref_parse(s.s, &r, &e), -1);
    str_reset(&s);
    str_add(&s, "x:");
    for (int i = 0; i < 128; i++)
        str_addc(&s, 't');
    ck_assert_int_eq(image_ref_parse(s.s, &r, &e), 0);
    image_ref_release(&r);
    str_addc(&s, 't');
    ck_assert_int_eq(image_ref_parse(s.s, &r, &e), -1);
    str_reset(&s);
    for (int i = 0; i < 100000; i++)
        str_add(&s, "x/");
    ck_assert_int_eq(image_ref_parse(s.s, &r, &e), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reference");
    TCase *t = unit_case(s, "all");
    tcase_add_loop_test(t, good_references, 0, COUNT(good));
    tcase_add_loop_test(t, bad_references, 0, COUNT(bad));
    tcase_add_test(t, lengths_have_limits);
    return unit_run(s);
}
