/* --format: a table of template, and what it gives over one JSON object.
 *
 * The expected texts are those of the stock client 28.2.2 for the same template over the same object, except where
 * cli/format.h says why they differ; those rows are marked "ours". An expected text that begins with '!' is an error
 * whose message holds the rest. */
#include "cli/format.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/table.h"
#include "unit.h"

#include <stdlib.h>

static const char object[] =
    "{\"Id\":\"3e2ef54a5ee8\",\"Name\":\"/web1\",\"Pid\":71,\"Ratio\":1.5,\"Up\":true,\"Off\":false,\"Nothing\":null,"
    "\"Empty\":[],\"Env\":[\"A=1\",\"B=2\",\"C=3\"],\"Labels\":{\"b\":\"two\",\"a\":\"one\"},"
    "\"State\":{\"Status\":\"running\",\"ExitCode\":0},"
    "\"Mounts\":[{\"Source\":\"/a\",\"RW\":true},{\"Source\":\"/b\",\"RW\":false}],\"Evil\":\"x\\u001b[31my\","
    "\"Actor\":{\"ID\":\"a1\",\"Attributes\":{\"image\":\"busybox\"}},"
    "\"HostConfig\":{\"CapAdd\":null,\"Sysctls\":null,\"Tmpfs\":{\"/t\":\"\"},\"LogConfig\":{\"Type\":\"local\","
    "\"Config\":{}}},\"Config\":{\"Cmd\":null,\"ExposedPorts\":null,\"User\":null},"
    "\"NetworkSettings\":{\"Ports\":{},\"Networks\":{\"none\":{\"IPAddress\":\"\"}}},"
    "\"status\":\"start\",\"id\":\"a1\",\"from\":\"busybox\",\"time\":1700000000,\"timeNano\":1700000000000000001}";

static const struct row {
    const char *template, *want;
} rows[] = {
    /* fields */
    {"", ""},
    {"plain", "plain"},
    {"{{.Name}}", "/web1"},
    {"a {{.State.Status}} b", "a running b"},
    {"{{.ID}}", "3e2ef54a5ee8"},
    {"{{.State.ExitCode}}{{.Up}}{{.Ratio}}", "0true1.5"},
    {"{{.Env}}", "[A=1 B=2 C=3]"},
    {"{{.Labels}}", "map[a:one b:two]"},
    {"{{.State}}", "map[ExitCode:0 Status:running]"}, /* ours: Go prints the struct {running 0} */
    {"{{.Nothing}}", "<nil>"},                        /* ours: what is null is a pointer to nothing */
    {"{{.Labels.a}}{{.Labels.zz}}", "one<no value>"},
    {"{{(.State).Status}} {{(index .Mounts 1).Source}}", "running /b"},
    /* a map whose keys people choose lacks one: that is no error, wherever the map stands */
    {"{{.Actor.Attributes.image}} {{.Actor.Attributes.exitCode}}", "busybox <no value>"},
    {"{{.HostConfig.Sysctls.x}} {{.HostConfig.Tmpfs.x}}", "<no value> <no value>"},
    {"{{.HostConfig.LogConfig.Config.tag}}", "<no value>"},
    {"{{.NetworkSettings.Networks.mine.IPAddress}}|{{.NetworkSettings.Ports.x}}", "<no value>|<no value>"},
    {"{{with .Labels.zz}}yes{{else}}no{{end}}", "no"},
    {"{{.Config.tag}}", "!there is no key \"tag\""}, /* the fields of .Config are the API's */
    {"{{.Actor.Nope}}", "!there is no key \"Nope\""},
    /* null, as Go prints what stands there: no list, no map, nothing */
    {"{{.HostConfig.CapAdd}} {{.Config.Cmd}}", "[] []"},
    {"{{.Config.ExposedPorts}} {{.HostConfig.Sysctls}}", "map[] map[]"},
    {"{{.Config.User}}", "<nil>"},
    {"{{json .HostConfig.CapAdd}}", "null"},
    {"{{.Config.ExposedPorts}} {{.Config.Shell}} {{.Config.StopSignal}}|{{.Config.ArgsEscaped}}", "map[] [] |false"},
    {"{{.HostConfig.StorageOpt}} {{.HostConfig.Mounts}} {{.HostConfig.Init}} {{.SizeRw}}", "map[] [] <nil> <nil>"},
    {"{{.State.Health}} {{.Config.Healthcheck}}", "<nil> <nil>"},
    /* of events: the names that older templates use */
    {"{{.Status}} {{.From}} {{.Time}} {{.TimeNano}}", "start busybox 1700000000 1700000000000000001"},
    {"{{.Foo}}", "!template:1:3: there is no key \"Foo\""},
    {"x\n {{.State.Foo}}", "!template:2:4: there is no key \"Foo\""},
    {"{{.Pid.Foo}}", "!a number has no field .Foo"},
    {"{{.Foo.Bar.Baz}}", "!there is no key \"Foo\""},
    /* constants */
    {"{{\"a\\tb\\\"\\u00e9\\x41\"}}{{`a\\t`}}", "a\tb\"\xc3\xa9"
                                                "Aa\\t"},
    {"{{1}} {{-3}} {{1.50}} {{true}}", "1 -3 1.5 true"},
    {"{{nil}}", "!a constant is not a function"},
    {"{{1 2}}", "!a constant is not a function"},
    {"{{\"abc}}", "!not closed"},
    {"{{'a'}}", "!unexpected '''"},
    /* functions */
    {"{{json .Env}}{{json .Name}}{{json .Nothing}}", "[\"A=1\",\"B=2\",\"C=3\"]\"/web1\"null"},
    {"{{json .Mounts}}", "[{\"Source\":\"/a\",\"RW\":true},{\"Source\":\"/b\",\"RW\":false}]"},
    {"{{json \"<a>&\"}}", "\"<a>&\""},
    {"{{json .Gone}}", "null"}, /* ours: a health check that is not there */
    {"{{index .Env 0}} {{index .Labels \"a\"}}|{{index .Labels \"zz\"}}|", "A=1 one||"},
    {"{{index .Mounts 1 \"Source\"}}", "/b"},
    {"{{index .Env 3}}", "!index: there is no element"},
    {"{{index .Gone 3}}", "!there is no key \"Gone\""},
    {"{{len .Env}}{{len .Name}}{{len .Labels}}{{len .Empty}}", "3520"},
    {"{{len 3}}", "!len: takes"},
    {"{{join .Env \",\"}}|{{split \"a,b,c\" \",\"}}|{{join (split \"a.b\" \".\") \"-\"}}", "A=1,B=2,C=3|[a b c]|a-b"},
    {"{{lower \"AbC\"}}{{upper \"AbC\"}}{{title \"hello big world\"}}", "abcABCHello Big World"},
    {"{{slice \"abcdef\" 1 3}}{{slice .Env 2}}", "bc[C=3]"},
    {"{{slice \"abc\" 2 1}}", "!slice: takes"},
    {"{{truncate \"abcdef\" 3}}{{truncate \"\xea\xb3\xa0\xeb\x9e\x98\" 1}}|{{pad \"x\" 1 2}}|{{pad \"\" 1 2}}|",
     "abc\xea\xb3\xa0| x  ||"},
    {"{{print \"a\" \"b\"}} {{print 1 2}} {{print \"a\" 1 2 \"b\"}}", "ab 1 2 a1 2b"},
    {"{{println 1 \"x\"}}.", "1 x\n."},
    {"{{printf \"%5s|%-8s|%d|%q|%v|%x|%t|%%\" \"a\" \"b\" 3 \"c\" .Env 255 true}}",
     "    a|b       |3|\"c\"|[A=1 B=2 C=3]|ff|true|%"},
    {"{{printf \"%05d %+d %.2f %6.1f %X %x %.2s\" 42 7 1.5 2.25 255 \"hi\" \"abc\"}}",
     "00042 +7 1.50    2.2 FF 6869 ab"},
    {"{{printf \"%d\" \"x\"}} {{printf \"%d\"}} {{printf \"%d\" 1 2}} {{printf \"%z\" 1}} {{printf \"%\"}}",
     "%!d(string=x) %!d(MISSING) 1%!(EXTRA int=2) %!z(int=1) %!(NOVERB)"},
    {"{{upper 3}}", "!upper: takes a string"},
    {"{{upper}}", "!upper: takes 1 arguments, not 0"},
    {"{{nofunc 1}}", "!template:1:3: function \"nofunc\" is not defined"},
    {"{{html \"<a b='1'>&\\\"\"}} {{.Name | html}} {{html 1 \"<\" 2}}",
     "&lt;a b=&#39;1&#39;&gt;&amp;&#34; /web1 1&lt;2"},
    /* logic */
    {"{{eq 1 1}}{{eq 1 2}}{{eq 1 2 1}}{{ne \"a\" \"b\"}}{{eq .Up true}}{{eq .Name \"/web1\"}}",
     "truefalsetruetruetruetrue"},
    {"{{eq \"a\" 1}}", "!eq: the two are of different kinds"},
    {"{{lt 1 2}}{{le 2 2}}{{gt \"b\" \"a\"}}{{ge 1 2}}{{lt 1.5 2}}", "truetruetruefalsetrue"},
    {"{{and 0 1}}{{and 1 2}}{{or 0 \"x\"}}{{or 0 \"\"}}{{not true}}{{not .Empty}}", "02xfalsetrue"},
    {"{{or .Up .Foo}}{{and .Off .Foo}}", "truefalse"},
    {"{{if .Up}}a{{end}}{{if .Off}}b{{end}}{{if .Gone}}c{{else}}d{{end}}", "ad"},
    {"{{if .Gone.More}}c{{else if .Empty}}e{{else if eq .Pid 71}}f{{else}}g{{end}}h", "fh"},
    {"{{if and .Up (gt .Pid 1)}}up{{end}}", "up"},
    {"{{with .State}}{{.Status}}{{$.Pid}}{{else}}none{{end}}{{with .Gone}}x{{else}}none{{end}}", "running71none"},
    {"{{with $x := .Pid}}{{$x}}{{.}}{{end}}", "7171"},
    {"{{with .Gone}}x{{else with .Pid}}{{.}}{{end}}", "71"},
    /* range */
    {"{{range .Env}}<{{.}}>{{end}}", "<A=1><B=2><C=3>"},
    {"{{range .Mounts}}{{.Source}}{{if .RW}}+{{end}} {{end}}", "/a+ /b "},
    {"{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "a=one;b=two;"},
    {"{{range $i, $e := .Env}}{{$i}}{{$e}}{{end}}{{range $e := .Env}}{{$e}}{{end}}", "0A=11B=22C=3A=1B=2C=3"},
    {"{{range .Empty}}x{{else}}empty{{end}}{{range .Gone}}x{{end}}{{range .Nothing}}x{{else}}nil{{end}}", "emptynil"},
    {"{{range 3}}{{.}}{{end}}", "012"},
    {"{{range .Env}}{{if eq . \"B=2\"}}{{break}}{{end}}{{.}}{{end}}|{{range .Env}}{{if eq . "
     "\"B=2\"}}{{continue}}{{end}}{{.}}{{end}}",
     "A=1|A=1C=3"},
    {"{{range .Name}}x{{end}}", "!range cannot walk over a string"},
    {"{{break}}", "!outside of {{range}}"},
    /* variables and pipes */
    {"{{$x := 3}}{{$x}}{{$x = 4}}{{$x}}", "34"},
    {"{{$x := 1}}{{range .Env}}{{$x = 2}}{{end}}{{$x}}", "2"},
    {"{{if true}}{{$x := 1}}{{end}}{{$x}}", "!variable $x is not declared"},
    {"{{$y}}", "!variable $y is not declared"},
    {"{{$y = 1}}", "!variable $y is not declared"},
    {"{{.Name | upper}}{{.Env | json | len}}{{\"x\" | printf \"%s-%s\" \"y\"}}", "/WEB119y-x"},
    {"{{.Name | \"x\"}}", "!only a function"},
    {"{{.Name 1}}", "!a field takes no arguments"},
    {"{{len upper}}", "!must stand in parentheses"},
    /* white space, comments, syntax */
    {"a {{- \" b \" -}} c", "a b c"},
    {"a\n {{- /* {{ no }} */ -}} \n b", "ab"},
    {"{{/* c */}}x", "x"},
    {"{{ .Name }}{{.Pid   }}", "/web171"},
    {"{{`}}`}}{{\"}}\"}}", "}}}}"},
    {"{{.Name", "!template:1:1: this action is not closed"},
    {"{{}}", "!a value is missing"},
    {"{{end}}", "!{{end}} without a block"},
    {"{{else}}", "!{{else}} without a block"},
    {"{{if true}}", "!{{end}} of this block is missing"},
    {"{{if true}}a{{else}}b{{else}}c{{end}}", "!a second {{else}}"},
    {"{{if}}a{{end}}", "!a value is missing"},
    {"{{(1}}", "!not closed"},
    {"{{1)}}", "!unexpected ')'"},
    {"{{.Name}} }} {", "/web1 }} {"},
};

static char *run(const char *template, const struct format_mode *mode, struct err *e)
{
    json_auto_t *dot = json_parse(object, strlen(object), NULL);
    struct format *f = format_parse(template, e);
    if (!f)
        return NULL;
    struct str out = STR_INIT;
    int r = format_run(f, dot, mode, &out, e);
    format_free(f);
    if (r < 0)
        str_release(&out);
    return r < 0 ? NULL : str_take(&out);
}

START_TEST(table)
{
    const struct row *row = &rows[_i];
    struct err e = {0};
    struct format_mode mode = {0};
    autofree char *got = run(row->template, &mode, &e);
    if (row->want[0] == '!') {
        ck_assert_msg(!got, "%s gave \"%s\", not an error", row->template, got);
        ck_assert_msg(strstr(e.msg, row->want + 1) != NULL, "%s failed with: %s", row->template, e.msg);
        ck_assert_int_eq(e.kind, ERR_INVALID);
    } else {
        ck_assert_msg(got != NULL, "%s failed with: %s", row->template, e.msg);
        ck_assert_msg(str_eq(got, row->want), "%s gave \"%s\", not \"%s\"", row->template, got, row->want);
    }
}
END_TEST

/* A template from outside can neither exhaust the stack nor run for ever. */
START_TEST(limits)
{
    struct format_mode mode = {0};
    struct err e = {0};
    autostr deep = STR_INIT;
    str_add(&deep, "{{");
    for (int i = 0; i < 30000; i++)
        str_addc(&deep, '(');
    str_add(&deep, "}}");
    ck_assert_ptr_null(run(deep.s, &mode, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "nested deeper than"));
    str_reset(&deep);
    for (int i = 0; i < 5000; i++)
        str_add(&deep, "{{if 1}}");
    ck_assert_ptr_null(run(deep.s, &mode, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "nested deeper than"));
    str_reset(&deep);
    for (int i = 0; i < 9000; i++)
        str_add(&deep, "{{if 1}}{{else ");
    ck_assert_ptr_null(run(deep.s, &mode, &e));
    ck_assert_ptr_null(run("{{range 100000}}{{range 100000}}{{end}}{{end}}", &mode, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "steps"));
    ck_assert_ptr_null(run("{{range 9999999}}{{printf \"%4000d\" 1}}{{end}}", &mode, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "bytes of output"));
    str_reset(&deep);
    for (int i = 0; i < 20000; i++)
        str_add(&deep, "xxxx");
    ck_assert_ptr_null(run(deep.s, &mode, &e));
}
END_TEST

START_TEST(methods)
{
    struct err e = {0};
    json_auto_t *m = json_pack("{s:{s:s}}", "Label", "com.x", "yes");
    struct format_mode mode = {.methods = m};
    autofree char *a = run("{{.Label \"com.x\"}}|{{.Label \"none\"}}|", &mode, &e);
    ck_assert_str_eq(a, "yes||");
    ck_assert_ptr_null(run("{{.Label}}", &mode, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "needs a key"));
    ck_assert_ptr_null(run("{{.Label 1}}", &mode, &e));
    mode.header = true;
    autofree char *b = run("{{.Label \"com.x\"}}\t{{upper .Name}}{{json .ID}}{{join .Name \",\"}}", &mode, &e);
    ck_assert_str_eq(b, "com.x\t/web13e2ef54a5ee8/web1");
}
END_TEST

START_TEST(safe)
{
    struct err e = {0};
    struct format_mode mode = {.safe = true};
    autofree char *a = run("{{.Evil}}\t{{json .Evil}}{{\"\\x1b\"}}", &mode, &e);
    ck_assert_str_eq(a, "x\\x1b[31my\t\"x\\u001B[31my\"\\x1b");
    mode.safe = false;
    autofree char *b = run("{{.Evil}}", &mode, &e);
    ck_assert_str_eq(b, "x\x1b[31my");
}
END_TEST

START_TEST(fields)
{
    struct format *f = format_parse("{{.Size}}{{if .Names}}{{$.Pid}}{{end}}", NULL);
    autostrv names = {0};
    format_fields(f, &names);
    ck_assert_uint_eq(names.n, 2);
    ck_assert(str_eq(names.v[0], "Size") || str_eq(names.v[1], "Size"));
    format_free(f);
    autofree char *u = format_unescape("a\\tb\\nc\\\\x");
    ck_assert_str_eq(u, "a\tb\nc\\\\x");
}
END_TEST

/* Every way to cut a template short is an error or a shorter template, never a crash. */
START_TEST(prefixes)
{
    struct format_mode mode = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = strlen(rows[i].template);
        for (size_t cut = 0; cut <= n; cut++) {
            autofree char *part = mem_strndup(rows[i].template, cut);
            struct err e = {0};
            autofree char *got = run(part, &mode, &e);
            ck_assert(got || e.msg[0]);
        }
    }
}
END_TEST

static const struct {
    const char *text, *want;
} tables[] = {
    {"", ""},
    {"one\n", "one\n"},
    {"A\tB\n", "A         B\n"},
    {"CONTAINER ID\tIMAGE\tNAMES\n689c0bdd92a0\tbusybox\tx\n",
     "CONTAINER ID   IMAGE     NAMES\n689c0bdd92a0   busybox   x\n"},
    {"a\tb\n\nlonger than ten\tb\n", "a         b\n\nlonger than ten   b\n"},
    {"a\t\tc\n", "a                   c\n"},
    {"\xea\xb3\xa0\xeb\x9e\x98\xea\xb3\xa0\xeb\x9e\x98\tx\nabc\ty\n",
     "\xea\xb3\xa0\xeb\x9e\x98\xea\xb3\xa0\xeb\x9e\x98   x\nabc        y\n"},
    {"\"sh -c 'echo \xe2\x80\xa6\"\tx\n", "\"sh -c 'echo \xe2\x80\xa6\"   x\n"},
};

START_TEST(aligned)
{
    autostr out = STR_INIT;
    str_reset(&out);
    table_align(tables[_i].text, &out);
    ck_assert_str_eq(out.s, tables[_i].want);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("format");
    TCase *t = unit_case(s, "templates");
    tcase_add_loop_test(t, table, 0, COUNT(rows));
    tcase_add_test(t, limits);
    tcase_add_test(t, methods);
    tcase_add_test(t, safe);
    tcase_add_test(t, fields);
    tcase_add_test(t, prefixes);
    tcase_add_loop_test(t, aligned, 0, COUNT(tables));
    tcase_set_timeout(t, 60);
    return unit_run(s);
}
