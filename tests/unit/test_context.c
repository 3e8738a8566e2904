/* Contexts on disk, the endpoint that becomes of one, and ssh:// addresses: what needs no daemon and no ssh. */
#include "cli/endpoint.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "wire/context.h"
#include "wire/ssh.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void make_dir(void)
{
    snprintf(dir, sizeof(dir), "/tmp/gorae-unit.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    setenv("DOCKER_CONFIG", dir, 1);
    unsetenv("DOCKER_CONTEXT");
    unsetenv("DOCKER_HOST");
    unsetenv("GORAE_HOST");
    unsetenv("DOCKER_TLS_VERIFY");
    unsetenv("DOCKER_TLS");
}
static void drop_dir(void)
{
    tree_remove(AT_FDCWD, dir, NULL);
}

static void put(const char *path, const char *text)
{
    autofree char *full = str_printf("%s/%s", dir, path), *folder = mem_strdup(full);
    struct err e;
    *strrchr(folder, '/') = '\0';
    ck_assert_int_eq(dir_make_all(folder, 0755, &e), 0);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, full, text, strlen(text), 0600, &e), 0);
}
static void put_meta(const char *name, const char *text)
{
    char id[DIGEST_SIZE];
    autofree char *path = str_printf("contexts/meta/%s/meta.json", digest_of(name, strlen(name), id));
    put(path, text);
}
static void put_pem(const char *name, const char *file)
{
    char id[DIGEST_SIZE];
    autofree char *path = str_printf("contexts/tls/%s/docker/%s", digest_of(name, strlen(name), id), file);
    put(path, file);
}
static void ck_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" does not say \"%s\"", text, part);
}

/* ---- names ---- */

START_TEST(names)
{
    static const char *const good[] = {"aa", "lab-1", "0.b", "a_+.-", "DEFAULT", "default2"};
    static const char *const bad[] = {"",    "a",   "-ab", ".ab",  "+ab",       "_ab",
                                      "a b", "a/b", "..",  "a\nb", "h\xc3\xa9", "default"};
    struct err e;
    for (size_t i = 0; i < COUNT(good); i++)
        ck_assert_msg(context_check_name(good[i], &e) == 0, "%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(context_check_name(bad[i], &e) < 0, "%s", bad[i]);
}
END_TEST

START_TEST(the_folder_is_the_hash_of_the_name)
{
    /* as the stock client 28.2.2 names the folder of "aa" */
    autofree char *folder = context_folder("meta", "aa");
    ck_assert_ptr_nonnull(
        strstr(folder, "/contexts/meta/961b6dd3ede3cb8ecbaacbd68de040cd78eb2ed5889130cceb4c49268ea4d506"));
}
END_TEST

/* ---- broken files ---- */

static const struct {
    const char *text, *says;
} broken[] = {
    {"", "meta.json"},
    {"{\"Name\": \"aa\", ", "meta.json"},
    {"[]", "it is no JSON object"},
    {"{}", "it has no \"Name\""},
    {"{\"Name\": 7}", "it has no \"Name\""},
    {"{\"Name\": \"../x\"}", "is invalid"},
    {"{\"Name\": \"default\"}", "reserved"},
    {"{\"Name\": \"aa\"}", "no endpoint \"docker\""},
    {"{\"Name\": \"aa\", \"Endpoints\": {\"kubernetes\": {}}}", "no endpoint \"docker\""},
    {"{\"Name\": \"aa\", \"Endpoints\": {\"docker\": \"unix:///x\"}}", "no endpoint \"docker\""},
    {"{\"Name\": \"aa\", \"Endpoints\": {\"docker\": {\"Host\": 7}}}", "must be a string"},
    {"{\"Name\": \"aa\", \"Endpoints\": {\"docker\": {\"SkipTLSVerify\": \"no\"}}}", "true or false"},
    {"{\"Name\": \"aa\", \"Name\": \"aa\", \"Endpoints\": {\"docker\": {}}}", "meta.json"},
    {"{\"Name\": \"bb\", \"Endpoints\": {\"docker\": {}}}", "whose folder is another one"},
};

START_TEST(a_broken_meta_json_is_named)
{
    struct err e = {0};
    put_meta("aa", broken[_i].text);
    ck_assert_ptr_null(context_meta("aa", &e));
    ck_has(e.msg, "context \"aa\": ");
    ck_has(e.msg, broken[_i].says);
    /* and it hides no other */
    autostr bad = STR_INIT;
    put_meta("cc", "{\"Name\": \"cc\", \"Endpoints\": {\"docker\": {}}}");
    json_auto_t *all = context_list(&bad, &e);
    ck_assert_uint_eq(json_array_size(all), 1);
    ck_has(bad.s, broken[_i].says);
}
END_TEST

START_TEST(what_is_not_there_and_what_cannot_be_read)
{
    struct err e = {0};
    autostr bad = STR_INIT;
    ck_assert_ptr_null(context_meta("aa", &e));
    ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
    json_auto_t *none = context_list(&bad, &e);
    ck_assert_uint_eq(json_array_size(none), 0);
    /* a FIFO must not make us wait */
    char id[DIGEST_SIZE];
    autofree char *path = str_printf("%s/contexts/meta/%s/meta.json", dir, digest_of("aa", 2, id));
    put_meta("aa", "");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_ptr_null(context_meta("aa", &e));
    ck_has(e.msg, "not a regular file");
    /* a loop of links */
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("meta.json", path), 0);
    ck_assert_ptr_null(context_meta("aa", &e));
    ck_has(e.msg, "ymbolic links");
}
END_TEST

START_TEST(unknown_keys_survive)
{
    struct err e = {0};
    autocontext c = {0};
    put_meta("aa", "{\"Name\":\"aa\",\"Later\":[1],\"Metadata\":{\"StackOrchestrator\":\"x\"},"
                   "\"Endpoints\":{\"docker\":{\"Host\":\"tcp://x\",\"Odd\":1},\"kubernetes\":{\"Host\":\"y\"}}}");
    put_pem("aa", "ca.pem");
    ck_assert_int_eq(context_load("aa", &c, &e), 0);
    ck_assert_uint_eq(c.files, 1);
    json_auto_t *before = json_deep_copy(c.meta);
    ck_assert_int_eq(context_save(&c, &e), 0);
    json_auto_t *after = context_meta("aa", &e);
    ck_assert(json_equal(before, after));
    autofree char *ca = context_tls_path("aa", "ca.pem");
    ck_assert_ptr_nonnull(ca);
}
END_TEST

START_TEST(a_failed_save_loses_nothing)
{
    struct err e = {0};
    autocontext c = {0};
    put_meta("aa", "{\"Name\":\"aa\",\"Endpoints\":{\"docker\":{\"Host\":\"tcp://old\"}}}");
    put_pem("aa", "ca.pem");
    ck_assert_int_eq(context_load("aa", &c, &e), 0);
    /* a file's name that is a folder's, too: the second cannot be written */
    ck_assert_int_eq(context_add_file(&c, "docker/x", mem_strdup("1"), 1, &e), 0);
    ck_assert_int_eq(context_add_file(&c, "docker/x/y", mem_strdup("2"), 1, &e), 0);
    ck_assert_int_eq(context_save(&c, &e), -1);
    autofree char *ca = context_tls_path("aa", "ca.pem"), *x = context_tls_path("aa", "x");
    ck_assert_ptr_nonnull(ca);
    ck_assert_ptr_null(x);
}
END_TEST

START_TEST(config_json)
{
    static const struct {
        const char *text, *current; /* NULL: an error */
    } t[] = {
        {"{}", ""},
        {"{\"currentContext\": \"aa\"}", "aa"},
        {"{\"currentContext\": \"\"}", ""},
        {"{\"currentContext\": null}", NULL},
        {"{\"currentContext\": 1}", NULL},
        {"[]", NULL},
        {"{", NULL},
        {"", NULL},
    };
    struct err e;
    for (size_t i = 0; i < COUNT(t); i++) {
        autofree char *name = NULL;
        put("config.json", t[i].text);
        int r = context_current(&name, &e);
        ck_assert_msg(r == (t[i].current ? 0 : -1), "%s", t[i].text);
        if (r == 0)
            ck_assert_str_eq(name ? name : "", t[i].current);
        else
            ck_has(e.msg, "config.json: ");
        /* what is not understood is not written either */
        ck_assert_msg(context_use("bb", &e) == r, "%s", t[i].text);
        autofree char *path = str_printf("%s/config.json", dir);
        autofree char *now = file_read(AT_FDCWD, path, 1000, NULL, &e);
        if (r < 0)
            ck_assert_str_eq(now, t[i].text);
        else
            ck_has(now, "\"bb\"");
    }
}
END_TEST

/* ---- the endpoint ---- */

static void find(const char *name, struct endpoint *ret)
{
    struct err e;
    char copy[32];
    snprintf(copy, sizeof(copy), "%s", name);
    struct global_options o = {.context = copy};
    ck_assert_msg(endpoint_find(&o, ret, &e) == 0, "%s", e.msg);
}

START_TEST(a_context_becomes_an_address_with_its_keys)
{
    struct endpoint p;
    put_meta("aa", "{\"Name\":\"aa\",\"Endpoints\":{\"docker\":{\"Host\":\"tcp://x:2376\",\"SkipTLSVerify\":false}}}");
    put_pem("aa", "ca.pem");
    put_pem("aa", "cert.pem");
    put_pem("aa", "key.pem");
    find("aa", &p);
    ck_assert_str_eq(p.context, "aa");
    ck_assert_str_eq(p.host, "tcp://x:2376");
    ck_assert(p.tls.on && p.tls.verify);
    autofree char *ca = context_tls_path("aa", "ca.pem"), *cert = context_tls_path("aa", "cert.pem"),
                  *key = context_tls_path("aa", "key.pem");
    ck_assert_str_eq(p.tls.ca, ca);
    ck_assert_str_eq(p.tls.cert, cert);
    ck_assert_str_eq(p.tls.key, key);
    endpoint_release(&p);
}
END_TEST

START_TEST(when_a_context_speaks_tls)
{
    struct endpoint p;
    /* no material: plain text, and the variables of the default context do not reach a named one */
    setenv("DOCKER_TLS_VERIFY", "1", 1);
    put_meta("aa", "{\"Name\":\"aa\",\"Endpoints\":{\"docker\":{\"Host\":\"tcp://x\"}}}");
    find("aa", &p);
    ck_assert(!p.tls.on && !p.tls.verify && !p.tls.ca);
    endpoint_release(&p);
    /* no material, but nobody is checked: TLS */
    put_meta("aa", "{\"Name\":\"aa\",\"Endpoints\":{\"docker\":{\"Host\":\"tcp://x\",\"SkipTLSVerify\":true}}}");
    find("aa", &p);
    ck_assert(p.tls.on && !p.tls.verify);
    endpoint_release(&p);
    /* a certificate of our own alone: TLS, and the daemon is checked */
    put_meta("aa", "{\"Name\":\"aa\",\"Endpoints\":{\"docker\":{\"Host\":\"tcp://x\"}}}");
    put_pem("aa", "cert.pem");
    put_pem("aa", "key.pem");
    find("aa", &p);
    ck_assert(p.tls.on && p.tls.verify && !p.tls.ca && p.tls.cert && p.tls.key);
    endpoint_release(&p);
    /* no Host: the default socket */
    put_meta("bb", "{\"Name\":\"bb\",\"Endpoints\":{\"docker\":{}}}");
    find("bb", &p);
    ck_assert_ptr_null(p.host);
    endpoint_release(&p);
}
END_TEST

/* ---- ssh:// ---- */

#define FIXED "-oConnectTimeout=10 -oServerAliveInterval=5 -oServerAliveCountMax=3"

START_TEST(ssh_addresses)
{
    static const struct {
        const char *host, *line; /* NULL: refused */
    } t[] = {
        {"ssh://h", "ssh " FIXED " -T -- h gorae system dial-stdio"},
        {"ssh://h/", "ssh " FIXED " -T -- h gorae system dial-stdio"},
        {"ssh://u@h:22", "ssh -l u -p 22 " FIXED " -T -- h gorae system dial-stdio"},
        {"ssh://u@corp@h_1.x", "ssh -l u@corp " FIXED " -T -- h_1.x gorae system dial-stdio"},
        {"ssh://[::1]:2222/run/x.sock",
         "ssh -p 2222 " FIXED " -T -- ::1 gorae --host unix:///run/x.sock system dial-stdio"},
        {"ssh://[fe80::1%eth0]", "ssh " FIXED " -T -- fe80::1%eth0 gorae system dial-stdio"},
        {"ssh://", NULL},
        {"ssh://@h", NULL},
        {"ssh://-h", NULL},
        {"ssh://u@-h", NULL},
        {"ssh://-u@h", NULL},
        {"ssh://u:p@h", NULL},
        {"ssh://h:0", NULL},
        {"ssh://h:65536", NULL},
        {"ssh://h:", NULL},
        {"ssh://h:2x", NULL},
        {"ssh://[::1", NULL},
        {"ssh://[::1]2", NULL},
        {"ssh://::1", NULL},
        {"ssh://h\n", NULL},
        {"ssh://h o", NULL},
        {"ssh://u;id@h", NULL},
        {"ssh://h/a;id", NULL},
        {"ssh://h/a'b", NULL},
        {"ssh://h?x=1", NULL},
        {"ssh://h/a?x", NULL},
    };
    for (size_t i = 0; i < COUNT(t); i++) {
        struct err e;
        autostrv v = {0};
        autostr line = STR_INIT;
        int r = ssh_command(t[i].host, &v, &e);
        ck_assert_msg(r == (t[i].line ? 0 : -1), "%s", t[i].host);
        ck_assert_int_eq(ssh_check(t[i].host, &e), r);
        for (size_t j = 0; r == 0 && j < v.n; j++)
            str_addf(&line, "%s%s", j ? " " : "", v.v[j]);
        if (r == 0)
            ck_assert_str_eq(line.s, t[i].line);
        else
            ck_has(e.msg, "invalid daemon address \"ssh://");
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("context");
    TCase *c = unit_case(s, "store");
    tcase_add_checked_fixture(c, make_dir, drop_dir);
    tcase_add_test(c, names);
    tcase_add_test(c, the_folder_is_the_hash_of_the_name);
    tcase_add_loop_test(c, a_broken_meta_json_is_named, 0, (int)COUNT(broken));
    tcase_add_test(c, what_is_not_there_and_what_cannot_be_read);
    tcase_add_test(c, unknown_keys_survive);
    tcase_add_test(c, a_failed_save_loses_nothing);
    tcase_add_test(c, config_json);
    tcase_add_test(c, a_context_becomes_an_address_with_its_keys);
    tcase_add_test(c, when_a_context_speaks_tls);
    tcase_add_test(c, ssh_addresses);
    return unit_run(s);
}
