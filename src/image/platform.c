/* Platforms: what `create --platform linux/arm64` asks for, against what an image is for.
 *
 * A platform is written os[/arch[/variant]], or as an architecture alone. Several words mean the same machine, and some
 * variants are what a machine is anyway (v8 for arm64), so both sides are brought into one form and then compared. An
 * image here is for one platform: another one is another image, and is "not found", which makes clients pull it.
 *
 * Source: OCI image specification, "image index", platform; Docker's command line. */
#include "image/store.h"
#include "base/json.h"
#include "base/mem.h"

#include <string.h>
#include <sys/utsname.h>

struct platform {
    const char *os, *arch, *variant;
};

static const char *plain_arch(const char *arch)
{
    static const char *const known[][2] = {
        {"amd64", "amd64"},   {"x86_64", "amd64"},    {"x86-64", "amd64"}, {"arm64", "arm64"},
        {"aarch64", "arm64"}, {"riscv64", "riscv64"}, {"s390x", "s390x"},  {"ppc64le", "ppc64le"},
        {"386", "386"},       {"i386", "386"},        {"arm", "arm"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(known[i][0], arch))
            return known[i][1];
    return NULL;
}

const char *image_architecture(void)
{
    struct utsname u;
    const char *arch = uname(&u) == 0 ? plain_arch(u.machine) : NULL;
    return arch ? arch : "amd64";
}

/* What the machine is anyway is no variant. */
static const char *plain_variant(const char *arch, const char *variant)
{
    static const char *const usual[][2] = {{"arm64", "v8"}, {"amd64", "v1"}, {"arm", "v7"}};
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (str_eq(usual[i][0], arch) && str_eq(usual[i][1], variant))
            return "";
    return variant;
}

/* Takes `text` apart in place. */
static int parse(char *text, const char *whole, struct platform *ret, struct err *e)
{
    char *rest = text, *first = strsep(&rest, "/"), *second = strsep(&rest, "/"), *third = strsep(&rest, "/");
    if (rest || !*first || (second && !*second) || (third && !*third))
        return err_set(e, ERR_INVALID, "\"%.64s\": a platform is written os[/arch[/variant]]", whole);
    *ret = (struct platform){first, second ? second : "", third ? third : ""};
    if (!second && plain_arch(first))
        *ret = (struct platform){"linux", first, ""};
    else if (!second && !str_eq(first, "linux"))
        return err_set(e, ERR_INVALID, "\"%.64s\": unknown operating system or architecture", whole);
    const char *arch = plain_arch(ret->arch);
    ret->arch = arch ? arch : ret->arch;
    ret->variant = plain_variant(ret->arch, ret->variant);
    return 0;
}

int platform_set(json_t *config, const char *platform, struct err *e)
{
    struct platform want = {"", "", ""};
    if (str_empty(platform))
        return 0;
    autofree char *text = mem_strdup(platform);
    if (parse(text, platform, &want, e) < 0)
        return -1;
    if (!*want.arch)
        want.arch = image_architecture();
    if (!str_eq(want.os, "linux") || !plain_arch(want.arch))
        return err_set(e, ERR_INVALID, "\"%.64s\": unknown operating system or architecture", platform);
    json_object_set_new(config, "architecture", json_string(want.arch));
    json_object_del(config, "variant");
    if (*want.variant)
        json_object_set_new(config, "variant", json_string(want.variant));
    return 0;
}

int image_is_for(const json_t *config, const char *reference, const char *platform, struct err *e)
{
    autofree char *text = mem_strdup(platform);
    const char *os = json_str(config, "os", "linux"), *arch = json_str(config, "architecture", "");
    const char *variant = json_str(config, "variant", "");
    struct platform want = {0};
    if (parse(text, platform, &want, e) < 0)
        return -1;
    if (str_eq(want.os, os) && (!*want.arch || str_eq(want.arch, arch)) &&
        (!*want.arch || str_eq(want.variant, plain_variant(arch, variant))))
        return 0;
    return err_set(e, ERR_NOT_FOUND,
                   "image with reference %s was found but its platform (%s/%s%s%s) does not match the specified "
                   "platform (%.64s)",
                   reference, os, arch, *variant ? "/" : "", variant, platform);
}
