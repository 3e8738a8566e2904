/* The OCI runtime without containers: command lines, config.json to plan, cgroup paths, state folders. Needs no root.
 */
#include "runtime/args.h"
#include "runtime/cgroup.h"
#include "runtime/mnt.h"
#include "runtime/plan.h"
#include "runtime/state.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static struct runtime rt = {.root = NULL, .log = -1};
static char dir[] = "/tmp/gorae-unit.XXXXXX";

static void setup(void)
{
    mem_setup();
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    rt.root = dir;
}

static void teardown(void)
{
    ck_assert_int_eq(tree_remove(AT_FDCWD, dir, NULL), 0);
}

/* ---- command lines ---- */

static bool flag;
static const char *text;
static struct strv list;
static const struct arg table[] = {{"flag", 'f', ARG_FLAG, &flag, NULL},
                                   {"text", 't', ARG_STRING, &text, NULL},
                                   {"list", 'l', ARG_LIST, &list, NULL},
                                   {"no", 0, ARG_REFUSED, NULL, "because"},
                                   {0}};

static int parse(struct err *e, int min, int max, ...)
{
    char *argv[16] = {"verb"};
    int argc = 1;
    va_list ap;
    va_start(ap, max);
    for (char *s; (s = va_arg(ap, char *));)
        argv[argc++] = s;
    va_end(ap);
    flag = false;
    text = NULL;
    return args_parse(table, argc, argv, min, max, e);
}

START_TEST(options)
{
    struct err e = {0};
    ck_assert_int_eq(parse(&e, 1, 1, "--flag", "--text", "a b", "id", NULL), 4);
    ck_assert(flag);
    ck_assert_str_eq(text, "a b");
    ck_assert_int_eq(parse(&e, 0, -1, "--text=x=y", "--flag=false", NULL), 3);
    ck_assert_str_eq(text, "x=y");
    ck_assert(!flag);
    ck_assert_int_eq(parse(&e, 0, -1, "-t", "v", "-f", "--", "-x", NULL), 5);
    ck_assert_str_eq(text, "v");
    ck_assert_int_eq(parse(&e, 0, -1, "-l", "1", "--list=2", "cmd", "-l", NULL), 4);
    ck_assert_uint_eq(list.n, 2);
    strv_release(&list);
}
END_TEST

START_TEST(options_refused)
{
    static const struct {
        const char *a, *b, *words;
    } bad[] = {{"--wat", NULL, "unknown option --wat"},    {"-x", NULL, "unknown option -x"},
               {"--text", NULL, "needs a value"},          {"--flag=maybe", NULL, "true or false"},
               {"--no", NULL, "--no is refused: because"}, {"--flag", NULL, "at least 1 operand"},
               {"one", "two", "at most 1 operand"},        {"--flagg", NULL, "unknown option"},
               {"--fla", NULL, "unknown option"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = {0};
        ck_assert_int_eq(parse(&e, 1, 1, bad[i].a, bad[i].b, NULL), -1);
        ck_assert_msg(strstr(e.msg, bad[i].words), "%s: %s", bad[i].a, e.msg);
    }
}
END_TEST

/* ---- config.json ---- */

static const char good[] =
    "{\"ociVersion\": \"1.0.2\", \"process\": {\"user\": {\"uid\": 7, \"gid\": 8, \"additionalGids\": [9, 10]}, "
    "\"args\": "
    "[\"a\", \"b\"], \"env\": [\"X=1\"], \"cwd\": \"/w\", \"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 5, "
    "\"hard\": "
    "6}], \"oomScoreAdj\": -3, \"noNewPrivileges\": true}, \"root\": {\"path\": \"rootfs\", \"readonly\": true}, "
    "\"hostname\": \"h\", \"mounts\": [{\"destination\": \"/p\", \"type\": \"proc\", \"source\": \"proc\", "
    "\"options\": "
    "[\"nosuid\", \"hidepid=2\", \"ro\", \"rw\"]}, {\"destination\": \"/b\", \"source\": \"/src\", \"options\": "
    "[\"rbind\", "
    "\"rslave\", \"rro\", \"strictatime\"]}], \"linux\": {\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"uts\"}, "
    "{\"type\": \"network\", \"path\": \"/n\"}], \"devices\": [{\"path\": \"/dev/x\", \"type\": \"c\", \"major\": 10, "
    "\"minor\": 200, \"fileMode\": 384, \"uid\": 3}, {\"path\": \"/dev/null\", \"type\": \"c\", \"major\": 1, "
    "\"minor\": 3}], "
    "\"maskedPaths\": [\"/m\"]}}";

/* Load `good` after setting the value at a dotted path to `json`; NULL takes the key away. */
static int load(struct plan *p, const char *path, const char *json, struct err *e)
{
    autofree char *file = str_printf("%s/config.json", dir), *root = str_printf("%s/rootfs", dir);
    json_auto_t *j = json_loads(good, 0, NULL);
    ck_assert_ptr_nonnull(j);
    mkdir(root, 0755);
    if (path) {
        const char *dot = strrchr(path, '.');
        autofree char *above = mem_strndup(path, dot ? (size_t)(dot - path) : 0);
        json_t *o = dot ? json_at(j, above) : j;
        const char *key = dot ? dot + 1 : path;
        if (json)
            json_object_set_new(o, key, json_loads(json, JSON_DECODE_ANY, NULL));
        else
            json_object_del(o, key);
    }
    ck_assert_int_eq(json_dump_file(j, file, 0), 0);
    return plan_load(p, &rt, dir, e);
}

START_TEST(plan_good)
{
    struct plan p;
    struct err e = {0};
    ck_assert_msg(load(&p, NULL, NULL, &e) == 0, "%s", e.msg);
    ck_assert_uint_eq(p.process.uid, 7);
    ck_assert_uint_eq(p.process.ngroups, 2);
    ck_assert_str_eq(p.process.args[1], "b");
    ck_assert_ptr_null(p.process.args[2]);
    ck_assert_uint_eq(p.process.limits[0].limit.rlim_max, 6);
    ck_assert_int_eq(p.process.oom_score_adj, -3);
    ck_assert_int_eq(p.process.umask, -1);
    ck_assert(p.process.no_new_privs && p.root_readonly && !p.process.has_caps);
    ck_assert(p.ns[NS_MOUNT].own && p.ns[NS_NETWORK].own && !p.ns[NS_PID].own);
    ck_assert_str_eq(p.ns[NS_NETWORK].path, "/n");
    ck_assert(plan_new(&p, NS_UTS) && !plan_new(&p, NS_NETWORK));
    ck_assert_uint_eq(p.ndevices, 7); /* x and null, and five of the six defaults */
    ck_assert_uint_eq(p.devices[0].rdev, makedev(10, 200));
    ck_assert_uint_eq(p.devices[0].mode, S_IFCHR | 0600);
    ck_assert_uint_eq(p.root_propagation, MS_PRIVATE);
    plan_release(&p);
}
END_TEST

START_TEST(plan_mount_flags)
{
    struct plan p;
    struct err e = {0};
    ck_assert_int_eq(load(&p, NULL, NULL, &e), 0);
    const struct plan_mount *m = p.mounts;
    ck_assert_uint_eq(m->set, MOUNT_ATTR_NOSUID); /* "rw" took "ro" back */
    ck_assert_uint_eq(m->clear, MOUNT_ATTR_RDONLY);
    ck_assert_str_eq(m->options[0], "hidepid=2");
    ck_assert_ptr_null(m->options[1]);
    ck_assert(!m->bind);
    m++;
    ck_assert(m->bind && m->recursive && m->propagate_tree);
    ck_assert_uint_eq(m->propagation, MS_SLAVE);
    ck_assert_uint_eq(m->tree_set, MOUNT_ATTR_RDONLY);
    ck_assert_uint_eq(m->set, MOUNT_ATTR_STRICTATIME);
    ck_assert_ptr_null(m->options[0]);
    plan_release(&p);
}
END_TEST

START_TEST(plan_bad)
{
    static const struct {
        const char *path, *json, *words;
    } bad[] = {
        {"ociVersion", "\"2.0\"", "ociVersion"},
        {"ociVersion", NULL, "ociVersion"},
        {"process", NULL, "process is missing"},
        {"process.args", "\"sh\"", "process.args is not a list"},
        {"process.args", "[1]", "entry 0 of process.args"},
        {"process.args", "[]", "process.args is empty"},
        {"process.env", "{}", "process.env is not a list"},
        {"process.cwd", "\"w\"", "process.cwd"},
        {"process.user.uid", "4294967295", "process.user.uid"},
        {"process.user.uid", "-1", "process.user.uid"},
        {"process.user.gid", "1.5", "process.user.gid"},
        {"process.user.additionalGids", "[true]", "additionalGids"},
        {"process.user.umask", "512", "umask"},
        {"process.oomScoreAdj", "1001", "oomScoreAdj"},
        {"process.consoleSize", "{\"height\": 65536, \"width\": 1}", "consoleSize"},
        {"process.scheduler", "{\"policy\": \"x\"}", "process.scheduler is not supported"},
        {"root.path", "\"nosuch\"", "nosuch"},
        {"root.path", "\"config.json\"", "not a folder"},
        {"linux.namespaces", "[]", "mount namespace"},
        {"linux.namespaces", "[{\"type\": \"mount\", \"path\": \"/x\"}]", "joining an existing mount namespace"},
        {"linux.namespaces", "[{\"type\": \"mount\"}, {\"type\": \"pid\", \"path\": \"x\"}]", "not absolute"},
        {"linux.namespaces", "[{\"type\": \"mount\"}]", "needs a uts namespace"},
        {"linux.namespaces", "[{\"type\": \"mount\"}, {\"type\": \"uts\"}, {\"type\": \"user\"}]", "uidMappings"},
        {"linux.devices", "[{\"path\": \"x\", \"type\": \"c\"}]", "device path"},
        {"linux.devices", "[{\"path\": \"/x\", \"type\": \"q\"}]", "unknown type"},
        {"linux.devices", "[{\"path\": \"/x\", \"type\": \"c\", \"major\": 99999}]", "out of range"},
        {"linux.maskedPaths", "[null]", "maskedPaths"},
        {"linux.rootfsPropagation", "\"loud\"", "rootfsPropagation"},
        {"linux.sysctl", "{\"kernel.core_pattern\": \"x\"}", "kernel.core_pattern"},
        {"linux.sysctl", "{\"net.x\": 1}", "not a string"},
        {"linux.personality", "{\"domain\": \"DOS\"}", "personality"},
        {"mounts", "[{\"destination\": \"x\", \"type\": \"tmpfs\"}]", "not an absolute path"},
        {"mounts", "[{\"destination\": \"/x\"}]", "no type"},
        {"mounts", "[{\"destination\": \"/x\", \"type\": \"bind\"}]", "no source"},
        {"mounts", "[{\"destination\": \"/x\", \"type\": \"tmpfs\", \"options\": [\"tmpcopyup\"]}]", "tmpcopyup"},
        {"mounts", "[{\"destination\": \"/x\", \"type\": \"tmpfs\", \"options\": [7]}]", "options of a mount"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct plan p;
        struct err e = {0};
        ck_assert_msg(load(&p, bad[i].path, bad[i].json, &e) == -1, "%s = %s was taken", bad[i].path, bad[i].json);
        ck_assert_msg(strstr(e.msg, bad[i].words), "%s = %s: %s", bad[i].path, bad[i].json, e.msg);
    }
}
END_TEST

START_TEST(plan_sysctls)
{
    static const struct {
        const char *json;
        int want;
    } cases[] = {{"{\"net.ipv4.ip_forward\": \"1\"}", 0},
                 {"{\"kernel.domainname\": \"d\"}", 0},
                 {"{\"kernel.shmmax\": \"1\"}", -1 /* the host's ipc namespace */},
                 {"{\"fs.mqueue.msg_max\": \"1\"}", -1},
                 {"{\"net..x\": \"1\"}", -1},
                 {"{\"net/ipv4\": \"1\"}", -1},
                 {"{\"kernel.hostname\": \"x\"}", -1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct plan p;
        struct err e = {0};
        ck_assert_msg(load(&p, "linux.sysctl", cases[i].json, &e) == cases[i].want, "%s", cases[i].json);
        if (cases[i].want == 0)
            plan_release(&p);
    }
}
END_TEST

START_TEST(plan_limits)
{
    struct plan p;
    struct err e = {0};
    autostr mounts = STR_INIT;
    str_add(&mounts, "[");
    for (int i = 0; i < PLAN_MOUNTS_MAX + 1; i++)
        str_addf(&mounts, "%s{\"destination\": \"/m%d\", \"type\": \"tmpfs\"}", i ? ", " : "", i);
    str_add(&mounts, "]");
    ck_assert_int_eq(load(&p, "mounts", mounts.s, &e), -1);
    ck_assert_msg(strstr(e.msg, "more than 512 mounts"), "%s", e.msg);
}
END_TEST

/* ---- control groups ---- */

START_TEST(cgroup_paths)
{
    struct err e = {0};
    struct cgroup cg, again;
    static const char *const bad[] = {"/a/../b", "../x", "/..", "a/..", "system.slice:gorae:x"};
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(cgroup_find(&cg, &rt, bad[i], "id", &e) == -1, "%s was taken", bad[i]);
    if (cgroup_find(&cg, &rt, "/gorae-unit/..x", "id", &e) < 0)
        return; /* no control groups here */
    for (size_t i = 0; i < cg.n; i++) {
        ck_assert(str_starts(cg.dir[i].path, cg.dir[i].mount));
        ck_assert(str_ends(cg.dir[i].path, "/gorae-unit/..x"));
    }
    json_auto_t *j = cgroup_to_json(&cg);
    ck_assert_int_eq(cgroup_from_json(&again, j, &e), 0);
    ck_assert_uint_eq(again.n, cg.n);
    ck_assert_str_eq(again.dir[0].path, cg.dir[0].path);
    cgroup_release(&again);
    cgroup_release(&cg);
    ck_assert_int_eq(cgroup_find(&cg, &rt, NULL, "theid", &e), 0);
    ck_assert(str_ends(cg.dir[0].path, "/theid"));
    cgroup_release(&cg);
}
END_TEST

START_TEST(cgroup_scopes)
{
    const struct runtime systemd = {.log = -1, .systemd = true};
    struct err e = {0};
    struct cgroup cg, again;
    static const char *const bad[] = {"/gorae/x",       "a.slice:b",     "a.slice:b:c:d",     "a:b:c",
                                      "a--b.slice:c:d", "a.slice/x:b:c", "a.slice:b:../../c", "a.slice:b:"};
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(cgroup_find(&cg, &systemd, bad[i], "id", &e) == -1, "%s was taken", bad[i]);
    if (cgroup_find(&cg, &systemd, "lab-room9.slice:gorae:x", "id", &e) < 0)
        return; /* no control groups here */
    ck_assert_str_eq(cg.scope.unit, "gorae-x.scope");
    ck_assert_str_eq(cg.scope.slice, "lab-room9.slice");
    for (size_t i = 0; i < cg.n; i++)
        ck_assert(str_ends(cg.dir[i].path, "/lab.slice/lab-room9.slice/gorae-x.scope"));
    json_auto_t *j = cgroup_to_json(&cg);
    ck_assert_int_eq(cgroup_from_json(&again, j, &e), 0);
    ck_assert_str_eq(again.scope.unit, "gorae-x.scope");
    cgroup_release(&again);
    cgroup_release(&cg);
    ck_assert_int_eq(cgroup_find(&cg, &systemd, NULL, "theid", &e), 0);
    ck_assert(str_ends(cg.dir[0].path, "/system.slice/gorae-theid.scope"));
    cgroup_release(&cg);
    ck_assert_int_eq(cgroup_find(&cg, &systemd, "-.slice::x", "theid", &e), 0);
    ck_assert_str_eq(cg.scope.path, "/x.scope");
    cgroup_release(&cg);
}
END_TEST

START_TEST(limit_without_controller)
{
    struct cgroup cg = {.version = 1, .n = 1, .dir = {{"memory", dir, dir}}};
    struct err e = {0};
    json_auto_t *pids = json_loads("{\"pids\": {\"limit\": 5}}", 0, NULL);
    json_auto_t *none = json_loads("{\"pids\": {\"limit\": 0}, \"cpu\": {\"shares\": 0}}", 0, NULL);
    json_auto_t *memory = json_loads("{\"memory\": {\"limit\": 7, \"reservation\": 6}}", 0, NULL);
    ck_assert_int_eq(cgroup_limit(&cg, &rt, pids, &e), -1);
    ck_assert_msg(strstr(e.msg, "no pids controller"), "%s", e.msg);
    ck_assert_int_eq(cgroup_limit(&cg, &rt, none, &e), 0);
    ck_assert_int_eq(cgroup_limit(&cg, &rt, memory, &e), -1); /* the files are not there */
    autofree char *limit = str_printf("%s/memory.limit_in_bytes", dir),
                  *soft = str_printf("%s/memory.soft_limit_in_bytes", dir);
    close(open(limit, O_CREAT | O_WRONLY, 0600));
    close(open(soft, O_CREAT | O_WRONLY, 0600));
    ck_assert_msg(cgroup_limit(&cg, &rt, memory, &e) == 0, "%s", e.msg);
    autofree char *written = file_read(AT_FDCWD, limit, 100, NULL, &e);
    ck_assert_str_eq(written, "7");
}
END_TEST

START_TEST(limits_of_version_2)
{
    static const struct {
        const char *json, *file, *want;
    } cases[] = {{"{\"cpu\": {\"shares\": 1024}}", "cpu.weight", "39"},
                 {"{\"cpu\": {\"shares\": 2}}", "cpu.weight", "1"},
                 {"{\"cpu\": {\"shares\": 262144}}", "cpu.weight", "10000"},
                 {"{\"cpu\": {\"quota\": 50000}}", "cpu.max", "50000 100000"},
                 {"{\"cpu\": {\"quota\": -1, \"period\": 1000}}", "cpu.max", "max 1000"},
                 {"{\"memory\": {\"limit\": -1}}", "memory.max", "max"},
                 {"{\"memory\": {\"limit\": 10, \"swap\": 25}}", "memory.swap.max", "15"},
                 {"{\"memory\": {\"limit\": 10, \"swap\": -1}}", "memory.swap.max", "max"},
                 {"{\"pids\": {\"limit\": -1}}", "pids.max", "max"},
                 {"{\"blockIO\": {\"weight\": 10}}", "io.weight", "1"},
                 {"{\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": 8, \"minor\": 1, \"rate\": 9}]}}", "io.max",
                  "8:1 rbps=9"},
                 {"{\"unified\": {\"memory.high\": \"11\"}}", "memory.high", "11"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cgroup cg = {.version = 2, .n = 1, .dir = {{"", dir, dir}}};
        struct err e = {0};
        static const char *const files[] = {"cpu.weight",      "cpu.max",  "memory.max", "memory.low", "memory.high",
                                            "memory.swap.max", "pids.max", "io.weight",  "io.max"};
        for (size_t k = 0; k < COUNT(files); k++) {
            autofree char *path = str_printf("%s/%s", dir, files[k]);
            close(open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600));
        }
        json_auto_t *j = json_loads(cases[i].json, 0, NULL);
        ck_assert_msg(cgroup_limit(&cg, &rt, j, &e) == 0, "%s: %s", cases[i].json, e.msg);
        autofree char *path = str_printf("%s/%s", dir, cases[i].file), *got = file_read(AT_FDCWD, path, 100, NULL, &e);
        ck_assert_str_eq(got, cases[i].want);
    }
    static const char *const bad[] = {"{\"memory\": {\"swap\": 10}}",
                                      "{\"memory\": {\"limit\": 10, \"swap\": 9}}",
                                      "{\"cpu\": {\"shares\": 1}}",
                                      "{\"blockIO\": {\"weight\": 9}}",
                                      "{\"unified\": {\"../x.y\": \"1\"}}",
                                      "{\"unified\": {\"cgroup.procs\": \"1\"}}",
                                      "{\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 1}]}"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct cgroup cg = {.version = 2, .n = 1, .dir = {{"", dir, dir}}};
        struct err e = {0};
        json_auto_t *j = json_loads(bad[i], 0, NULL);
        ck_assert_msg(cgroup_limit(&cg, &rt, j, &e) == -1, "%s was taken", bad[i]);
    }
}
END_TEST

static void put_file(const char *name, const char *content)
{
    autofree char *path = str_printf("%s/%s", dir, name);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, path, content, strlen(content), 0600, NULL), 0);
}

static void is_file(const char *name, const char *want)
{
    autofree char *path = str_printf("%s/%s", dir, name), *got = file_read(AT_FDCWD, path, 100, NULL, NULL);
    ck_assert_str_eq(got, want);
}

/* Half-way means: the file of the last limit is not there. Texts of one length, since a real file is replaced by a
 * write and one of a folder in /tmp is not cut. */
START_TEST(changing_limits_is_all_or_nothing)
{
    static const struct {
        int version;
        const char *json, *file[2], *was[2], *now[2], *last;
    } cases[] = {{1,
                  "{\"cpu\": {\"shares\": 7000}, \"memory\": {\"limit\": 8000}, \"pids\": {\"limit\": 5}}",
                  {"cpu.shares", "memory.limit_in_bytes"},
                  {"1024\n", "9999\n"},
                  {"7000\n", "8000\n"},
                  "pids.max"},
                 {2,
                  "{\"cpu\": {\"quota\": 70000}, \"memory\": {\"limit\": 8000}, \"pids\": {\"limit\": 5}}",
                  {"cpu.max", "memory.max"},
                  {"99999 100000\n", "9999\n"},
                  {"70000 100000\n", "8000\n"},
                  "pids.max"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cgroup cg = {.version = cases[i].version, .n = 1, .dir = {{"cpu,memory,pids", dir, dir}}};
        struct err e = {0};
        json_auto_t *j = json_loads(cases[i].json, 0, NULL);
        for (size_t k = 0; k < 2; k++)
            put_file(cases[i].file[k], cases[i].was[k]);
        ck_assert_int_eq(cgroup_relimit(&cg, &rt, j, &e), -1);
        ck_assert_msg(strstr(e.msg, cases[i].last), "%s", e.msg);
        for (size_t k = 0; k < 2; k++)
            is_file(cases[i].file[k], cases[i].was[k]);
        put_file(cases[i].last, "9");
        ck_assert_msg(cgroup_relimit(&cg, &rt, j, &e) == 0, "%s", e.msg);
        for (size_t k = 0; k < 2; k++)
            is_file(cases[i].file[k], cases[i].now[k]);
        is_file(cases[i].last, "5");
        autofree char *last = str_printf("%s/%s", dir, cases[i].last);
        unlink(last);
    }
}
END_TEST

START_TEST(weights_of_devices)
{
    struct err e = {0};
    json_auto_t *j =
        json_loads("{\"blockIO\": {\"weightDevice\": [{\"major\": 8, \"minor\": 0, \"weight\": 1000}]}}", 0, NULL);
    struct cgroup cg = {.version = 2, .n = 1, .dir = {{"", dir, dir}}};
    put_file("io.weight", "");
    ck_assert_msg(cgroup_limit(&cg, &rt, j, &e) == 0, "%s", e.msg);
    is_file("io.weight", "8:0 10000");
    cg.version = 1;
    cg.dir[0].controllers = "blkio";
    ck_assert_int_eq(cgroup_limit(&cg, &rt, j, &e), -1);
    put_file("blkio.bfq.weight_device", "");
    ck_assert_msg(cgroup_limit(&cg, &rt, j, &e) == 0, "%s", e.msg);
    is_file("blkio.bfq.weight_device", "8:0 1000");
}
END_TEST

/* ---- state ---- */

/* A folder that looks like a group of version 2 which never says that it is frozen, as with a process in it that waits
 * for its disk. */
START_TEST(a_freeze_that_fails_is_taken_back)
{
    struct err e = {0};
    autofree char *freeze = str_printf("%s/cgroup.freeze", dir), *events = str_printf("%s/cgroup.events", dir);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, freeze, "0\n", 2, 0600, &e), 0);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, events, "populated 1\nfrozen 0\n", 21, 0600, &e), 0);
    struct cgroup cg = {.version = 2, .claimed = true, .n = 1, .dir[0].path = dir};
    ck_assert_int_eq(cgroup_freeze(&cg, true, &e), -1);
    ck_assert_int_eq(e.kind, ERR_TIMEOUT);
    ck_assert(!cgroup_frozen(&cg));
    ck_assert_int_eq(cgroup_signal(&cg, SIGTERM, &e), 0);
    ck_assert(!cgroup_frozen(&cg));
}
END_TEST

START_TEST(state_ids)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "a b", "\n", "seccomp-cache", "é"};
    struct state s;
    struct err e = {0};
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_msg(state_new(&s, &rt, bad[i], &e) == -1, "\"%s\" was taken", bad[i]);
        ck_assert_int_eq(e.kind, ERR_INVALID);
    }
    ck_assert_int_eq(state_new(&s, &rt, "A-b_c.d+9", &e), 0);
    state_release(&s);
    ck_assert_int_eq(state_new(&s, &rt, "A-b_c.d+9", &e), -1);
    ck_assert_int_eq(e.kind, ERR_CONFLICT);
    ck_assert_int_eq(state_open(&s, &rt, "nosuch", true, &e), -1);
    ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
}
END_TEST

START_TEST(state_round)
{
    struct state s, again;
    struct plan p;
    struct err e = {0};
    ck_assert_int_eq(load(&p, "hooks", "{\"poststop\": [{\"path\": \"/x\"}]}", &e), 0);
    ck_assert_int_eq(state_new(&s, &rt, "box", &e), 0);
    state_describe(&s, &p);
    s.pid = getpid();
    s.starttime = process_starttime(getpid());
    ck_assert_uint_gt(s.starttime, 0);
    ck_assert_int_eq(state_save(&s, &e), 0);
    state_release(&s);
    ck_assert_int_eq(state_open(&again, &rt, "box", true, &e), 0);
    ck_assert_int_eq(again.pid, getpid());
    ck_assert_int_eq(state_status(&again), STATUS_RUNNING);
    ck_assert(state_has_ns(&again, NS_UTS) && !state_has_ns(&again, NS_PID) && !again.leads);
    ck_assert(!again.cgroup.claimed);
    ck_assert_str_eq(json_str(again.doc, "hooks.poststop", "none"), "none"); /* a list, not a string */
    ck_assert_uint_eq(json_array_size(json_at(again.doc, "hooks.poststop")), 1);
    again.starttime++;
    ck_assert_int_eq(state_status(&again), STATUS_STOPPED);
    ck_assert_int_eq(state_pidfd(&again, &e), -1);
    json_auto_t *oci = state_oci(&again, STATUS_STOPPED);
    ck_assert_str_eq(json_str(oci, "status", ""), "stopped");
    ck_assert_int_eq(json_int(oci, "pid", -1), 0);
    ck_assert_int_eq(state_remove(&again, &rt, &e), 0);
    state_release(&again);
    plan_release(&p);
}
END_TEST

START_TEST(state_damaged)
{
    static const char *const texts[] = {"", "{", "[]", "{\"pid\": \"x\"}", "{\"pid\": -5, \"cgroup\": 7}"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct state s;
        struct err e = {0};
        autofree char *id = str_printf("d%zu", i);
        ck_assert_int_eq(state_new(&s, &rt, id, &e), 0);
        ck_assert_int_eq(file_replace_volatile(s.dir, "state.json", texts[i], strlen(texts[i]), 0600, &e), 0);
        state_release(&s);
        ck_assert_int_eq(state_open(&s, &rt, id, true, &e), 0); /* so that it can be deleted */
        ck_assert_int_ne(state_status(&s), STATUS_RUNNING);
        state_release(&s);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("runtime");
    TCase *c = unit_case(s, "all");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 30); /* what waits in vain does so for two seconds a time */
    tcase_add_test(c, options);
    tcase_add_test(c, options_refused);
    tcase_add_test(c, plan_good);
    tcase_add_test(c, plan_mount_flags);
    tcase_add_test(c, plan_bad);
    tcase_add_test(c, plan_sysctls);
    tcase_add_test(c, plan_limits);
    tcase_add_test(c, cgroup_paths);
    tcase_add_test(c, cgroup_scopes);
    tcase_add_test(c, limit_without_controller);
    tcase_add_test(c, limits_of_version_2);
    tcase_add_test(c, changing_limits_is_all_or_nothing);
    tcase_add_test(c, weights_of_devices);
    tcase_add_test(c, a_freeze_that_fails_is_taken_back);
    tcase_add_test(c, state_ids);
    tcase_add_test(c, state_round);
    tcase_add_test(c, state_damaged);
    return unit_run(s);
}
