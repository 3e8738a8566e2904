/* The client's parts that need no daemon: flags, values, ports, detach keys, the body of create, help, stories.
 *
 * The bodies of create were compared, case by case, with those that the stock client 28.2.2 sends for the same command
 * line; fields that it sends with their zero value are not sent by ours and are not listed here. */
#include "cli/command.h"
#include "cli/create.h"
#include "cli/explain.h"
#include "cli/human.h"
#include "cli/ports.h"
#include "cli/term.h"
#include "cli/value.h"
#include "base/json.h"
#include "base/keys.h"
#include "base/mem.h"
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

/* Cut a command line at its blanks; 'quotes' keep them. @return words, to be freed, as the text they point into */
static char **words(char *text, int *ret_n)
{
    char **v = mem_alloc(64 * sizeof(*v));
    int n = 0;
    for (char *s = text; *s;) {
        while (*s == ' ')
            *s++ = '\0';
        if (!*s)
            break;
        char *from = *s == '\'' ? ++s : s;
        char until = from > text && from[-1] == '\'' ? '\'' : ' ';
        while (*s && *s != until)
            s++;
        if (*s)
            *s++ = '\0';
        v[n++] = from;
    }
    *ret_n = n;
    return v;
}

/* ---- flags ---- */

struct sample {
    bool all, tty, on;
    enum flag_switch init;
    char *name, *how;
    int64_t number, count, size, span, nano;
    struct strv list, pairs, filters;
};
#define AT(member) offsetof(struct sample, member)
static const struct flag sample_flags[] = {
    {"all", 'a', FLAG_BOOL, AT(all), "all", NULL, NULL},
    {"tty", 't', FLAG_BOOL, AT(tty), "tty", NULL, NULL},
    {"on", 0, FLAG_BOOL, AT(on), "on by default", NULL, "true"},
    {"init", 0, FLAG_SWITCH, AT(init), "init", NULL, NULL},
    {"name", 'n', FLAG_STRING, AT(name), "name", NULL, NULL},
    {"how", 0, FLAG_OPTIONAL, AT(how), "how", NULL, "text"},
    {"number", 0, FLAG_INT, AT(number), "number", NULL, "7"},
    {"count", 'c', FLAG_UINT, AT(count), "count", NULL, NULL},
    {"size", 's', FLAG_SIZE, AT(size), "size", NULL, NULL},
    {"span", 0, FLAG_DURATION, AT(span), "span", NULL, NULL},
    {"nano", 0, FLAG_NANO, AT(nano), "nano", NULL, NULL},
    {"list", 'l', FLAG_LIST, AT(list), "list", NULL, NULL},
    {"pair", 0, FLAG_PAIRS, AT(pairs), "pair", NULL, NULL},
    {"filter", 'f', FLAG_FILTER, AT(filters), "filter", NULL, NULL},
    {.type = FLAG_END},
};

static void show(const struct sample *o, const struct args *args, struct str *out)
{
    static const char *const init[] = {"", " init", " no-init"};
    str_addf(out, "%s%s%s%s", o->all ? " all" : "", o->tty ? " tty" : "", o->on ? "" : " off", init[o->init]);
    if (o->name)
        str_addf(out, " name=%s", o->name);
    if (o->how)
        str_addf(out, " how=%s", o->how);
    const int64_t number[] = {o->number == 7 ? 0 : o->number, o->count, o->size, o->span, o->nano};
    static const char *const name[] = {"number", "count", "size", "span", "nano"};
    for (size_t i = 0; i < COUNT(number); i++)
        if (number[i])
            str_addf(out, " %s=%lld", name[i], (long long)number[i]);
    const struct strv *const lists[] = {&o->list, &o->pairs, &o->filters};
    for (size_t i = 0; i < COUNT(lists); i++)
        for (size_t k = 0; k < lists[i]->n; k++)
            str_addf(out, " [%s]", lists[i]->v[k]);
    for (size_t i = 0; i < args->n; i++)
        str_addf(out, " <%s>", args->v[i]);
}

/* '!' begins an error, '?' stands for --help; "carry" commands end their flags at the first argument. */
static const struct {
    const char *line, *want;
    bool carry;
} flag_rows[] = {
    {"", "", false},
    {"x y", " <x> <y>", false},
    {"-at x", " all tty <x>", false},
    {"x -a y --tty", " all tty <x> <y>", false},
    {"-a x -t --name y", " all <x> <-t> <--name> <y>", true},
    {"-a -- -t x", " all <-t> <x>", false},
    {"-a -- -t x", " all <-t> <x>", true},
    {"- -a", " all <->", false},
    {"--name v --name=w", " name=w", false},
    {"--name=", " name=", false},
    {"--name -t", " name=-t", false},
    {"-nv", " name=v", false},
    {"-n=v", " name=v", false},
    {"-n v", " name=v", false},
    {"-atn v", " all tty name=v", false},
    {"-anvt", " all name=vt", false},
    {"--all=false --on=false", " off", false},
    {"-a=true -t=F", " all", false},
    {"--all=maybe", "!\"maybe\" for \"-a, --all\" flag", false},
    {"--init", " init", false},
    {"--init=false", " no-init", false},
    {"--how x", " how=text <x>", false},
    {"--how=json", " how=json", false},
    {"--number -5", " number=-5", false},
    {"--number 5x", "!\"5x\" for \"--number\" flag", false},
    {"--number 9223372036854775808", "!for \"--number\"", false},
    {"-c 3", " count=3", false},
    {"-c -3", "!for \"-c, --count\"", false},
    {"-s 64m", " size=67108864", false},
    {"-s -1", " size=-1", false},
    {"-s 1q", "!for \"-s, --size\"", false},
    {"--span 1m30s", " span=90000000000", false},
    {"--span 1", "!for \"--span\"", false},
    {"--nano 1.5", " nano=1500000000", false},
    {"-l a -l b --list=c", " [a] [b] [c]", false},
    {"--pair a=b --pair c=", " [a=b] [c=]", false},
    {"--pair a", "!key=value", false},
    {"-f 'Status = up '", " [status=up]", false},
    {"-f x", "!name=value", false},
    {"--nope", "!unknown flag: --nope", false},
    {"--nope=3", "!unknown flag: --nope", false},
    {"--=3", "!unknown flag: --", false},
    {"-z", "!unknown shorthand flag: 'z' in -z", false},
    {"-az", "!'z' in -az", false},
    {"--name", "!flag needs an argument: --name", false},
    {"-an", "!flag needs an argument: 'n' in -an", false},
    {"--help", "?", false},
    {"x --help", "?", false},
    {"x --help", " <x> <--help>", true},
    {"-h", "?", false},
};

START_TEST(flags)
{
    const char *want = flag_rows[_i].want;
    struct sample o = {0};
    struct args args;
    struct err e = {0};
    int argc;
    autofree char *text = mem_strdup(flag_rows[_i].line);
    autofree char **argv = words(text, &argc);
    autostr got = STR_INIT;
    str_reset(&got);
    int r = flag_parse(sample_flags, &o, argc, argv, !flag_rows[_i].carry, &args, &e);
    if (r == 0)
        show(&o, &args, &got);
    if (want[0] == '!')
        ck_assert_msg(r == -1 && strstr(e.msg, want + 1), "%s: %d %s", flag_rows[_i].line, r, e.msg);
    else if (want[0] == '?')
        ck_assert_int_eq(r, 1);
    else
        ck_assert_msg(r == 0 && str_eq(got.s, want), "%s gave \"%s\" (%d %s)", flag_rows[_i].line, got.s, r, e.msg);
    free(args.v);
    flag_release(sample_flags, &o);
}
END_TEST

static const struct {
    const char *text;
    int64_t want; /* -1: refused */
} sizes[] = {
    {"0", 0},
    {"512", 512},
    {"1b", 1},
    {"1k", 1024},
    {"1K", 1024},
    {"1kb", 1024},
    {"1KiB", 1024},
    {"64m", 64 << 20},
    {"1.5g", 1610612736},
    {"0.5k", 512},
    {"1 g", 1 << 30},
    {"2t", INT64_C(2) << 40},
    {"1p", INT64_C(1) << 50},
    {"", -1},
    {"m", -1},
    {"-1m", -1},
    {"1q", -1},
    {"1mm", -1},
    {"1ib", -1},
    {"1m ", -1},
    {".5k", 512},
    {"1.", 1},
    {".", -1},
    {"0x10", -1},
    {"9223372036854775807", INT64_MAX},
    {"9223372036854775808", -1},
    {"9999999p", -1},
    {"1e3", -1},
};

START_TEST(size_texts)
{
    int64_t got = -1;
    bool good = size_parse(sizes[_i].text, &got);
    ck_assert_msg(good == (sizes[_i].want >= 0) && (!good || got == sizes[_i].want), "%s gave %lld", sizes[_i].text,
                  (long long)got);
}
END_TEST

START_TEST(nano_texts)
{
    int64_t v;
    ck_assert(nano_parse("1.5", &v) && v == 1500000000);
    ck_assert(nano_parse("0.000000001", &v) && v == 1);
    ck_assert(nano_parse("2", &v) && v == 2000000000);
    ck_assert(nano_parse("1.5000000000", &v) && v == 1500000000);
    ck_assert(!nano_parse("0.0000000001", &v)); /* finer than the API can say */
    ck_assert(!nano_parse("-1", &v) && !nano_parse("", &v) && !nano_parse("1x", &v) && !nano_parse("9999999999", &v));
}
END_TEST

START_TEST(help_text)
{
    autostr out = STR_INIT;
    usage_flags(&out, sample_flags, 60);
    ck_assert_ptr_nonnull(strstr(out.s, "  -a, --all "));
    ck_assert_ptr_nonnull(strstr(out.s, "      --how[=string] "));
    ck_assert_ptr_nonnull(strstr(out.s, "(default true)"));
    ck_assert_ptr_nonnull(strstr(out.s, "--size bytes "));
    ck_assert(strstr(out.s, "--all") < strstr(out.s, "--count"));
}
END_TEST

/* ---- ports ---- */

static const struct {
    const char *json, *want;
} shown_ports[] = {
    {"[]", ""},
    {"[{\"PrivatePort\":80,\"Type\":\"tcp\"}]", "80/tcp"},
    {"[{\"PrivatePort\":82,\"Type\":\"tcp\"},{\"PrivatePort\":80,\"Type\":\"tcp\"},{\"PrivatePort\":81,\"Type\":"
     "\"tcp\"}]",
     "80-82/tcp"},
    {"[{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"},{\"IP\":\"::\",\"PrivatePort\":80,"
     "\"PublicPort\":8080,\"Type\":\"tcp\"}]",
     "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"},
    {"[{\"IP\":\"0.0.0.0\",\"PrivatePort\":9000,\"PublicPort\":9000,\"Type\":\"udp\"},{\"IP\":\"0.0.0.0\","
     "\"PrivatePort\":9001,\"PublicPort\":9001,\"Type\":\"udp\"}]",
     "0.0.0.0:9000-9001->9000-9001/udp"},
    {"[{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"},{\"IP\":\"0.0.0.0\","
     "\"PrivatePort\":81,\"PublicPort\":8081,\"Type\":\"tcp\"}]",
     "0.0.0.0:8080->80/tcp, 0.0.0.0:8081->81/tcp"},
};

START_TEST(ports_shown)
{
    json_auto_t *j = json_parse(shown_ports[_i].json, strlen(shown_ports[_i].json), NULL);
    autofree char *got = ports_text(j);
    ck_assert_str_eq(got, shown_ports[_i].want);
}
END_TEST

static const struct {
    const char *spec, *want; /* "exposed bindings", or '!' */
} published[] = {
    {"80", "{\"80/tcp\":{}} {\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}]}"},
    {"8080:80/udp", "{\"80/udp\":{}} {\"80/udp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}"},
    {"127.0.0.1:8080:80", "{\"80/tcp\":{}} {\"80/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"8080\"}]}"},
    {"127.0.0.1::80", "{\"80/tcp\":{}} {\"80/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"\"}]}"},
    {"[::1]:1:2", "{\"2/tcp\":{}} {\"2/tcp\":[{\"HostIp\":\"::1\",\"HostPort\":\"1\"}]}"},
    {"1-2:3-4", "{\"3/tcp\":{},\"4/tcp\":{}} "
                "{\"3/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"1\"}],\"4/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"2\"}]}"},
    {"7000-7005:70", "{\"70/tcp\":{}} {\"70/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"7000-7005\"}]}"},
    {"", "!not a port"},
    {"0", "!not a port of the container"},
    {"65536", "!not a port"},
    {"80/icmp", "!protocol"},
    {"x:80", "!not a port of the host"},
    {"1-2:3-5", "!differ in length"},
    {"2-1", "!not a port"},
    {"host:80:80", "!not an IP address"},
    {"[::1]", "!brackets"},
    {"-80", "!not a port"},
};

START_TEST(ports_published)
{
    struct err e = {0};
    json_auto_t *exposed = json_object(), *bindings = json_object();
    int r = ports_publish(published[_i].spec, exposed, bindings, &e);
    if (published[_i].want[0] == '!') {
        ck_assert_msg(r < 0 && strstr(e.msg, published[_i].want + 1), "%s: %d %s", published[_i].spec, r, e.msg);
        return;
    }
    autofree char *a = json_compact(exposed), *b = json_compact(bindings), *got = str_printf("%s %s", a, b);
    ck_assert_msg(r == 0 && str_eq(got, published[_i].want), "%s: %s", published[_i].spec, got);
}
END_TEST

/* ---- detach keys ---- */

START_TEST(detach_keys)
{
    struct keys k;
    struct err e;
    char out[64];
    size_t n;
    ck_assert_int_eq(keys_init(&k, NULL, &e), 0);
    ck_assert(!keys_scan(&k, "ab\x10", 3, out, &n));
    ck_assert(n == 2 && memcmp(out, "ab", 2) == 0); /* the third may be the beginning */
    ck_assert(!keys_scan(&k, "c", 1, out, &n));
    ck_assert(n == 2 && memcmp(out,
                               "\x10"
                               "c",
                               2) == 0);
    ck_assert(!keys_scan(&k, "\x10\x10", 2, out, &n));
    ck_assert(n == 1);
    ck_assert(keys_scan(&k, "\x11zz", 3, out, &n));
    ck_assert(n == 0);
    k = (struct keys){.n = 0}; /* none is looked for */
    ck_assert(!keys_scan(&k, "\x10\x11", 2, out, &n));
    ck_assert(n == 2);
    ck_assert_int_eq(keys_init(&k, "ctrl-a,x,ctrl-@,ctrl-_,,", &e), 0);
    ck_assert(k.n == 5 && memcmp(k.sequence, "\x01x\x00\x1f,", 5) == 0);
    ck_assert_int_eq(keys_init(&k, "ctrl-", &e), -1);
    ck_assert_int_eq(keys_init(&k, "ctrl-A1", &e), -1);
    ck_assert_int_eq(keys_init(&k, "ab", &e), -1);
    ck_assert_int_eq(keys_init(&k, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", &e), -1);
}
END_TEST

/* ---- create ---- */

#define HOST(s) "\"HostConfig\":{" s "\"NetworkMode\":\"default\"}"
#define BASE    "\"AttachStderr\":true,\"AttachStdout\":true,"
static const struct {
    const char *line, *want; /* keys sorted; '!' begins an error */
} bodies[] = {
    {"busybox", "{" BASE HOST("") ",\"Image\":\"busybox\"}"},
    {"busybox sh -c x", "{" BASE "\"Cmd\":[\"sh\",\"-c\",\"x\"]," HOST("") ",\"Image\":\"busybox\"}"},
    {"-it busybox", "{\"AttachStderr\":true,\"AttachStdin\":true,\"AttachStdout\":true," HOST(
                        "") ",\"Image\":\"busybox\","
                            "\"OpenStdin\":true,\"StdinOnce\":true,\"Tty\":true}"},
    {"-d -i busybox", "{" HOST("") ",\"Image\":\"busybox\",\"OpenStdin\":true}"},
    {"-a stdin -i busybox",
     "{\"AttachStdin\":true," HOST("") ",\"Image\":\"busybox\",\"OpenStdin\":true,\"StdinOnce\":true}"},
    {"--entrypoint '' busybox", "{" BASE "\"Entrypoint\":[\"\"]," HOST("") ",\"Image\":\"busybox\"}"},
    {"-e A=1 -e FROM_HERE -e GONE busybox",
     "{" BASE "\"Env\":[\"A=1\",\"FROM_HERE=yes\",\"GONE\"]," HOST("") ",\"Image\":\"busybox\"}"},
    {"-l a=b -l c busybox", "{" BASE HOST("") ",\"Image\":\"busybox\",\"Labels\":{\"a\":\"b\",\"c\":\"\"}}"},
    {"--rm --init --read-only busybox", "{" BASE "\"HostConfig\":{\"AutoRemove\":true,\"Init\":true,\"NetworkMode\":"
                                        "\"default\",\"ReadonlyRootfs\":true},\"Image\":\"busybox\"}"},
    {"--init=false --stop-timeout 0 busybox",
     "{" BASE HOST("\"Init\":false,") ",\"Image\":\"busybox\",\"StopTimeout\":0}"},
    {"-m 64m --cpus 1.5 --pids-limit -1 busybox",
     "{" BASE "\"HostConfig\":{\"Memory\":67108864,\"NanoCpus\":1500000000,\"NetworkMode\":\"default\",\"PidsLimit\":-"
     "1},\"Image\":\"busybox\"}"},
    {"--restart on-failure:3 busybox",
     "{" BASE "\"HostConfig\":{\"NetworkMode\":\"default\",\"RestartPolicy\":{\"MaximumRetryCount\":3,\"Name\":\"on-"
     "failure\"}},\"Image\":\"busybox\"}"},
    {"--ulimit nofile=1:2 --ulimit core=-1 busybox",
     "{" BASE "\"HostConfig\":{\"NetworkMode\":\"default\",\"Ulimits\":[{\"Hard\":2,\"Name\":\"nofile\",\"Soft\":1},{"
     "\"Hard\":-1,\"Name\":\"core\",\"Soft\":-1}]},\"Image\":\"busybox\"}"},
    {"--device /dev/a:rw busybox",
     "{" BASE "\"HostConfig\":{\"Devices\":[{\"CgroupPermissions\":\"rw\",\"PathInContainer\":\"/dev/"
     "a\",\"PathOnHost\":\"/dev/a\"}],\"NetworkMode\":\"default\"},\"Image\":\"busybox\"}"},
    {"-v /a:/b:ro -v /c busybox",
     "{" BASE HOST("\"Binds\":[\"/a:/b:ro\"],") ",\"Image\":\"busybox\",\"Volumes\":{\"/c\":{}}}"},
    {"-v ./x:/b -v ../y/../z:/c busybox", "{" BASE HOST("\"Binds\":[\"/x:/b\",\"/z:/c\"],") ",\"Image\":\"busybox\"}"},
    {"--mount type=bind,src=/a,dst=/b,ro busybox",
     "{" BASE "\"HostConfig\":{\"Mounts\":[{\"ReadOnly\":true,\"Source\":\"/a\",\"Target\":\"/"
     "b\",\"Type\":\"bind\"}],\"NetworkMode\":\"default\"},\"Image\":\"busybox\"}"},
    {"--mount type=volume,dst=/b,volume-opt=k=v,volume-nocopy busybox",
     "{" BASE "\"HostConfig\":{\"Mounts\":[{\"Target\":\"/"
     "b\",\"Type\":\"volume\",\"VolumeOptions\":{\"DriverConfig\":{\"Options\":{\"k\":\"v\"}},\"NoCopy\":true}"
     "}],\"NetworkMode\":\"default\"},\"Image\":\"busybox\"}"},
    {"--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770 busybox",
     "{" BASE "\"HostConfig\":{\"Mounts\":[{\"Target\":\"/"
     "t\",\"TmpfsOptions\":{\"Mode\":1016,\"SizeBytes\":1048576},\"Type\":\"tmpfs\"}],\"NetworkMode\":"
     "\"default\"},\"Image\":\"busybox\"}"},
    {"--tmpfs /t:size=1m busybox",
     "{" BASE "\"HostConfig\":{\"NetworkMode\":\"default\",\"Tmpfs\":{\"/t\":\"size=1m\"}},\"Image\":\"busybox\"}"},
    {"--network name=lab,alias=x,ip=10.0.0.2 busybox",
     "{" BASE "\"HostConfig\":{\"NetworkMode\":\"lab\"},\"Image\":\"busybox\",\"NetworkingConfig\":{"
     "\"EndpointsConfig\":{\"lab\":{\"Aliases\":[\"x\"],\"IPAMConfig\":{\"IPv4Address\":\"10.0.0.2\"}}}}}"},
    {"--add-host a=1.2.3.4 --add-host b:[::1] busybox",
     "{" BASE
     "\"HostConfig\":{\"ExtraHosts\":[\"a:1.2.3.4\",\"b:::1\"],\"NetworkMode\":\"default\"},\"Image\":\"busybox\"}"},
    {"--health-cmd x --health-interval 5s busybox",
     "{" BASE
     "\"Healthcheck\":{\"Interval\":5000000000,\"Test\":[\"CMD-SHELL\",\"x\"]}," HOST("") ",\"Image\":\"busybox\"}"},
    {"--security-opt systempaths=unconfined --log-opt max-size=1m busybox",
     "{" BASE "\"HostConfig\":{\"LogConfig\":{\"Config\":{\"max-size\":\"1m\"},\"Type\":\"\"},\"MaskedPaths\":[],"
     "\"NetworkMode\":\"default\",\"ReadonlyPaths\":[]},\"Image\":\"busybox\"}"},
    {"-a stdnone busybox", "!invalid stream"},
    {"--rm --restart always busybox", "!exclude each other"},
    {"--restart always:x busybox", "!number after the colon"},
    {"--ulimit nofile busybox", "!name=soft"},
    {"--ulimit nofile=x busybox", "!name=soft"},
    {"--device :x busybox", "!invalid --device"},
    {"--device /a:/b:q busybox", "!permissions"},
    {"-v :/x busybox", "!invalid volume"},
    {"--mount src=/a busybox", "!target is missing"},
    {"--mount type=bind,dst=/a busybox", "!needs a source"},
    {"--mount type=bind,src=/a,dst=/b,tmpfs-size=1 busybox", "!do not fit type=bind"},
    {"--mount dst=/b,foo=1 busybox", "!unknown key \"foo\""},
    {"--mount '\"dst=/b' busybox", "!quote is not closed"},
    {"--network name=lab,foo=1 busybox", "!invalid --network option"},
    {"--network alias=x busybox", "!name is missing"},
    {"--network a --network a busybox", "!given twice"},
    {"--add-host x busybox", "!invalid --add-host"},
    {"--device-read-bps /dev/sda busybox", "!expected path:bytes"},
    {"--env-file /no/such busybox", "!--env-file: cannot open /no/such"},
    {"--security-opt seccomp=/no/such busybox", "!seccomp=/no/such"},
    {"-e =x busybox", "!name is missing"},
    {"--gpus some busybox", "!all or a number"},
};

START_TEST(create_bodies)
{
    struct create_options o = {0};
    struct args args;
    struct err e = {0};
    int argc;
    ck_assert_int_eq(chdir("/"), 0);
    setenv("FROM_HERE", "yes", 1);
    unsetenv("GONE");
    autofree char *text = mem_strdup(bodies[_i].line);
    autofree char **argv = words(text, &argc);
    ck_assert_msg(flag_parse(run_flags, &o, argc, argv, false, &args, &e) == 0, "%s: %s", bodies[_i].line, e.msg);
    json_auto_t *body = create_body(&o, &args, &e);
    json_object_del(json_object_get(body, "HostConfig"), "ConsoleSize"); /* there only where we stand on a terminal */
    autofree char *got = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (bodies[_i].want[0] == '!')
        ck_assert_msg(!got && strstr(e.msg, bodies[_i].want + 1), "%s: %s %s", bodies[_i].line, got, e.msg);
    else
        ck_assert_msg(str_eq(got, bodies[_i].want), "%s gave\n%s, not\n%s (%s)", bodies[_i].line, got, bodies[_i].want,
                      e.msg);
    free(args.v);
    flag_release(run_flags, &o);
}
END_TEST

/* A file of variables, one of them with a value from here, comments and blanks dropped; -e comes last and wins. */
START_TEST(env_file)
{
    char name[] = "/tmp/gorae-env-XXXXXX";
    autoclose int fd = mkstemp(name);
    const char *lines = "# comment\nA=1\n\n  B=two words\r\nFROM_HERE\nGONE\nC=\n";
    ck_assert_int_eq(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
    setenv("FROM_HERE", "yes", 1);
    unsetenv("GONE");
    struct create_options o = {.restart = "no", .memory_swappiness = -1, .stop_timeout = FLAG_UNSET_VALUE};
    struct err e;
    strv_add(&o.env_file, name);
    strv_add(&o.env, "A=2");
    char *image = "x";
    json_auto_t *body = create_body(&o, &(struct args){&image, 1}, &e);
    ck_assert_ptr_nonnull(body);
    autofree char *got = json_compact(json_object_get(body, "Env"));
    ck_assert_str_eq(got, "[\"A=1\",\"B=two words\",\"FROM_HERE=yes\",\"C=\",\"A=2\"]");
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_eq(pwrite(fd, "bad name=1\n", 11, 0), 11);
    ck_assert_ptr_null(create_body(&o, &(struct args){&image, 1}, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "line 1"));
    unlink(name);
    strv_release(&o.env_file);
    strv_release(&o.env);
}
END_TEST

/* What editors put in front of a text is no part of the first name; a NUL byte ends nothing silently. Variables and
 * labels are read alike. */
START_TEST(env_file_bytes)
{
    static const char marked[] = "\xef\xbb\xbf"
                                 "A=1\nB=2\n",
                      cut[] = "A=1\nB=2\0\nC=3\n";
    char name[] = "/tmp/gorae-env-XXXXXX";
    autoclose int fd = mkstemp(name);
    struct create_options o = {.restart = "no", .memory_swappiness = -1, .stop_timeout = FLAG_UNSET_VALUE};
    struct err e;
    char *image = "x";
    ck_assert_int_eq(write(fd, marked, sizeof(marked) - 1), (ssize_t)sizeof(marked) - 1);
    strv_add(&o.env_file, name);
    strv_add(&o.label_file, name);
    json_auto_t *body = create_body(&o, &(struct args){&image, 1}, &e);
    ck_assert_ptr_nonnull(body);
    autofree char *env = json_compact(json_object_get(body, "Env")),
                  *labels = json_compact(json_object_get(body, "Labels"));
    ck_assert_str_eq(env, "[\"A=1\",\"B=2\"]");
    ck_assert_str_eq(labels, "{\"A\":\"1\",\"B\":\"2\"}");
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_eq(pwrite(fd, cut, sizeof(cut) - 1, 0), (ssize_t)sizeof(cut) - 1);
    ck_assert_ptr_null(create_body(&o, &(struct args){&image, 1}, &e));
    autofree char *want = str_printf("--env-file %s: line 2: there is a NUL byte", name);
    ck_assert_str_eq(e.msg, want);
    unlink(name);
    strv_release(&o.env_file);
    strv_release(&o.label_file);
}
END_TEST

/* Words that are not UTF-8 reach the daemon as U+FFFD; they are never dropped. */
START_TEST(bad_utf8)
{
    struct create_options o = {.restart = "no", .memory_swappiness = -1, .stop_timeout = FLAG_UNSET_VALUE};
    struct err e;
    char *argv[] = {"x", "a\xff", NULL};
    strv_add(&o.label, "k\xfe=v\xfd");
    json_auto_t *body = create_body(&o, &(struct args){argv, 2}, &e);
    autofree char *cmd = json_compact(json_object_get(body, "Cmd")),
                  *labels = json_compact(json_object_get(body, "Labels"));
    ck_assert_str_eq(cmd, "[\"a\xef\xbf\xbd\"]");
    ck_assert_str_eq(labels, "{\"k\xef\xbf\xbd\":\"v\xef\xbf\xbd\"}");
    strv_release(&o.label);
}
END_TEST

/* ---- names, paths, numbers for people ---- */

START_TEST(names_and_paths)
{
    static const char *const row[][3] = {
        {"busybox", "busybox", NULL},        {"busybox:1", "busybox", "1"},     {"h:5000/a/b", "h:5000/a/b", NULL},
        {"h:5000/a/b:t", "h:5000/a/b", "t"}, {"a@sha256:ab", "a", "sha256:ab"},
    };
    for (size_t i = 0; i < COUNT(row); i++) {
        autofree char *repo, *tag;
        image_split(row[i][0], &repo, &tag);
        ck_assert_str_eq(repo, row[i][1]);
        ck_assert(row[i][2] ? str_eq(tag, row[i][2]) : !tag);
    }
    autostr p = STR_INIT;
    path_start(&p, "/containers/%s/json", "/we b?");
    ck_assert_str_eq(p.s, "/containers/we%20b%3F/json");
    path_start(&p, "/images/%s/json", "h:5000/a/b:t");
    ck_assert_str_eq(p.s, "/images/h:5000/a/b:t/json");
    path_query(&p, "a", NULL);
    path_flag(&p, "b", false);
    path_query(&p, "c", "x&y=z");
    path_flag(&p, "d", true);
    ck_assert_str_eq(p.s, "/images/h:5000/a/b:t/json?c=x%26y%3Dz&d=1");
    autostrv f = {0};
    strv_add(&f, "status=exited");
    strv_add(&f, "status=dead");
    strv_add(&f, "label=a=b");
    path_start(&p, "/x");
    path_filters(&p, &f);
    autofree char *encoded = http_encode("{\"status\":{\"exited\":true,\"dead\":true},\"label\":{\"a=b\":true}}");
    autofree char *want = str_printf("/x?filters=%s", encoded);
    ck_assert_str_eq(p.s, want);
}
END_TEST

START_TEST(numbers_for_people)
{
    char t[HUMAN_TEXT];
    ck_assert_str_eq(human_size(0, 3, t), "0B");
    ck_assert_str_eq(human_size(999, 3, t), "999B");
    ck_assert_str_eq(human_size(1981656, 3, t), "1.98MB");
    ck_assert_str_eq(human_size(1981656, 4, t), "1.982MB");
    ck_assert_str_eq(human_size(999900, 3, t), "1MB");
    ck_assert_str_eq(human_size(1e30, 3, t), "1e+06YB");
    ck_assert_str_eq(human_memory(25276420096.0, t), "23.54GiB");
    ck_assert_str_eq(human_memory(794624, t), "776KiB");
    ck_assert_str_eq(human_ago(-1, t), "N/A");
    /* an image that was made to come out the same each time is of this second */
    human_ago(0, t);
    ck_assert_int_ge(atoi(t), 56);
    ck_assert(str_ends(t, " years ago"));
    static const char *const cut[][2] = {
        {"abc", "abc"}, {"abcd", "abcd"}, {"abcde", "abc…"}, {"고래고래고", "고래고…"}};
    for (size_t i = 0; i < COUNT(cut); i++) {
        autofree char *s = human_cut(cut[i][0], 4);
        ck_assert_str_eq(s, cut[i][1]);
    }
    autofree char *a = human_id("sha256:0123456789abcdef"), *b = human_id("0123456789abcdef"), *c = human_id("01");
    ck_assert_str_eq(a, "0123456789ab");
    ck_assert_str_eq(b, "0123456789ab");
    ck_assert_str_eq(c, "01");
}
END_TEST

/* ---- stories ---- */

static json_t *span(const char *prog, int pid, int step, const char *what, int start, int end, const char *detail)
{
    return json_pack("{s:s, s:i, s:i, s:s, s:i, s:i, s:s}", "prog", prog, "pid", pid, "step", step, "what", what,
                     "start", start, "end", end, "detail", detail);
}

static char *drawn(const struct story *s, bool shape)
{
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    story_dot(s, shape, out);
    fclose(out);
    return text;
}

START_TEST(story)
{
    static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    autofree char *start = str_printf("POST /v1.44/containers/%s/start HTTP/1.1\r\nHost: x\r\n\r\n", id);
    json_auto_t *spans = json_array();
    json_array_append_new(spans, span("gorae", 10, 1, "read the command line", 0, 10, "gorae start \"x\""));
    json_array_append_new(spans, span("gorae", 10, 2, "send the request", 10, 30, start));
    json_array_append_new(spans, span("goraed", 20, 0, "parse the request", 20, 40, ""));
    json_array_append_new(spans, span("goraed", 20, 3, "start the shim", 35, 60, ""));
    json_array_append_new(spans,
                          span("gorae", 10, 4, "receive the response", 70, 80, "HTTP/1.1 204 No Content\r\n\r\n"));
    struct story s = {.spans = spans, .traced = true, .end = 80};
    ck_assert_int_eq(story_time(&s, 2), 20);
    ck_assert_int_eq(story_time(&s, 3), 40); /* 20 to 60: what overlaps counts once */
    ck_assert_int_eq(story_time(&s, 0), 70); /* nothing from 60 to 70 */
    autofree char *dot = drawn(&s, false), *shape = drawn(&s, true);
    ck_assert_ptr_nonnull(strstr(dot, "the client, gorae\\npid 10"));
    ck_assert_ptr_nonnull(
        strstr(dot, "the daemon, goraed\\npid 20\\n\\n3  does the work:\\lparse the request\\lstart the shim\\l"));
    ck_assert_ptr_nonnull(strstr(dot, "POST /v1.44/containers/0123456789ab/start\\l     0.00 ms"));
    ck_assert_ptr_nonnull(strstr(dot, "gorae start \\\"x\\\"\\l"));
    ck_assert_ptr_nonnull(strstr(shape, "POST /v1.44/containers/ID/start\\l\"]"));
    ck_assert_ptr_nonnull(strstr(shape, "4  204 No Content\\l\"]"));
    ck_assert_ptr_null(strstr(shape, "pid"));
    ck_assert_ptr_null(strstr(shape, " ms"));
    /* other times and pids, the same shape; another span, another shape */
    json_object_set_new(json_array_get(spans, 3), "pid", json_integer(21));
    json_object_set_new(json_array_get(spans, 3), "end", json_integer(61));
    autofree char *again = drawn(&s, true);
    ck_assert_str_eq(shape, again);
    json_array_append_new(spans, span("goraed", 20, 3, "something else", 62, 63, ""));
    autofree char *other = drawn(&s, true);
    ck_assert_str_ne(shape, other);
}
END_TEST

int main(void)
{
    mem_setup();
    Suite *s = suite_create("cli");
    TCase *t = unit_case(s, "flags");
    tcase_add_loop_test(t, flags, 0, COUNT(flag_rows));
    tcase_add_loop_test(t, size_texts, 0, COUNT(sizes));
    tcase_add_test(t, nano_texts);
    tcase_add_test(t, help_text);
    t = unit_case(s, "ports");
    tcase_add_loop_test(t, ports_shown, 0, COUNT(shown_ports));
    tcase_add_loop_test(t, ports_published, 0, COUNT(published));
    t = unit_case(s, "keys");
    tcase_add_test(t, detach_keys);
    t = unit_case(s, "create");
    tcase_add_loop_test(t, create_bodies, 0, COUNT(bodies));
    tcase_add_test(t, env_file);
    tcase_add_test(t, env_file_bytes);
    tcase_add_test(t, bad_utf8);
    t = unit_case(s, "text");
    tcase_add_test(t, names_and_paths);
    tcase_add_test(t, numbers_for_people);
    tcase_add_test(t, story);
    return unit_run(s);
}
