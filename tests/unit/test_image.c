/* The image store from outside: import, load, save, list, inspect, tag, remove, prune, mounts; and what is left when it
 * is killed or lied to. Most needs root, because unpacking does. */
#include "image_rig.h"

#include <pthread.h>
#include <sys/wait.h>

#define VIA(id) (digest_parse(id))

static void expect_events(const char *const *want, size_t n)
{
    ck_assert_uint_eq(events.n, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_str_eq(events.v[i], want[i]);
}

static json_t *list_all(const char *filters, bool all, int minor)
{
    struct err e;
    json_auto_t *f = filters ? json_loads(filters, 0, NULL) : NULL;
    ck_assert(!filters || f);
    json_t *l = image_list(st, f, all, minor, &e);
    ck_assert_msg(l != NULL, "%s", e.msg);
    return l;
}

static size_t list_count(const char *filters)
{
    json_auto_t *l = list_all(filters, false, 44);
    return json_array_size(l);
}

static bool found(const char *name)
{
    struct err e;
    autofree char *id = image_resolve(st, name, &e);
    return id != NULL;
}

/* ---- import ---- */

START_TEST(import_makes_an_image)
{
    struct err e;
    autostr t = STR_INIT;
    const struct tar_entry entries[] = {{.name = "./", .type = '5', .mode = 0755},
                                        {.name = "bin/sh", .data = "#!", .mode = 04755}};
    tar_add(&t, &entries[0]);
    tar_add(&t, &entries[1]);
    tar_end(&t);
    char diff[DIGEST_SIZE], hash[DIGEST_SIZE];
    digest_of(t.s, t.len, diff);
    autostrv changes = {NULL, 0};
    strv_add(&changes, "CMD [\"sh\"]");
    strv_add(&changes, "LABEL a=b");
    struct feed f = {.p = t.s, .left = t.len, .step = 100};
    json_auto_t *said = json_array();
    autofree char *id = image_import(st, feed_read, &f, "tiny:1", "by hand", &changes, keep_message, said, &e);
    ck_assert_msg(id != NULL, "%s", e.msg);
    ck_assert_uint_eq(json_array_size(said), 1);
    ck_assert_str_eq(json_str(json_array_get(said, 0), "status", ""), id);

    /* The id is the digest of the configuration's bytes, and both blobs are there byte for byte. */
    autofree char *path = str_printf("store/blobs/sha256/%s", VIA(id)),
                  *blob = str_printf("store/blobs/sha256/%s", diff);
    size_t len;
    autofree char *config = file_read(AT_FDCWD, path, 1 << 20, &len, &e);
    ck_assert_str_eq(digest_of(config, len, hash), VIA(id));
    autofree char *tar = file_read(AT_FDCWD, blob, 1 << 20, &len, &e);
    ck_assert(len == t.len && memcmp(tar, t.s, len) == 0);
    json_auto_t *j = image_config(st, id, &e);
    ck_assert_str_eq(json_str(j, "os", ""), "linux");
    ck_assert_str_eq(json_str(j, "comment", ""), "by hand");
    ck_assert_str_eq(json_string_value(json_array_get(json_at(j, "config.Cmd"), 0)), "sh");
    ck_assert_str_eq(json_string_value(json_array_get(json_at(j, "rootfs.diff_ids"), 0)) + 7, diff);
    ck_assert_uint_eq(json_array_size(json_object_get(j, "history")), 1);

    autostrv layers = {NULL, 0};
    ck_assert_int_eq(image_layers(st, id, &layers, &e), 0);
    ck_assert_uint_eq(layers.n, 1);
    autofree char *sh = str_printf("%s/bin/sh", layers.v[0]);
    struct stat s;
    ck_assert_int_eq(lstat(sh, &s), 0);
    ck_assert_int_eq(s.st_mode, S_IFREG | 04755);
    ck_assert_int_eq(image_size(st, id), 2);
    ck_assert_uint_eq(image_count(st), 1);
    autofree char *event = str_printf("import %.12s %.19s", VIA(id), id);
    expect_events((const char *const[]){event}, 1);

    reopen();
    ck_assert_int_eq(image_size(st, id), 2);
    ck_assert(image_names(st, "tiny:1", id) && image_names(st, "docker.io/library/tiny:1", id));
    ck_assert(!image_names(st, "tiny", id) && !image_names(st, VIA(id), id) && !image_names(st, "tiny:1", "sha256:x"));
    ck_assert_int_eq(stat("store", &s), 0);
    ck_assert_int_eq(s.st_mode & 07777, 0700);
}
END_TEST

START_TEST(import_refuses_what_it_should)
{
    struct err e;
    autostr t = STR_INIT, evil = STR_INIT, empty = STR_INIT;
    autostrv bad = {NULL, 0};
    str_reset(&empty);
    small_tar(&t, "f", "x");
    small_tar(&evil, "../f", "x");
    strv_add(&bad, "FROM scratch");
    static const char *const refs[] = {
        "UPPER", "x@sha256:0000000000000000000000000000000000000000000000000000000000000000", "a//b"};
    for (size_t i = 0; i < 3; i++) {
        struct feed f = {.p = t.s, .left = t.len};
        ck_assert_ptr_null(image_import(st, feed_read, &f, refs[i], NULL, NULL, NULL, NULL, &e));
        ck_assert_int_eq(e.kind, ERR_INVALID);
        ck_assert_uint_eq(f.left, t.len); /* nothing was read */
    }
    struct feed f = {.p = t.s, .left = t.len};
    ck_assert_ptr_null(image_import(st, feed_read, &f, "x", NULL, &bad, NULL, NULL, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "FROM is not a valid change command"));
    f = (struct feed){.p = evil.s, .left = evil.len};
    ck_assert_ptr_null(image_import(st, feed_read, &f, "x", NULL, NULL, NULL, NULL, &e));
    ck_assert_int_eq(e.kind, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "entry ../f: its name contains \"..\""));
    f = (struct feed){.p = empty.s, .left = 0};
    ck_assert_ptr_null(image_import(st, feed_read, &f, "x", NULL, NULL, NULL, NULL, &e));
    f = (struct feed){.p = "not a tar", .left = 9};
    ck_assert_ptr_null(image_import(st, feed_read, &f, "x", NULL, NULL, NULL, NULL, &e));
    ck_assert_int_eq(e.kind, ERR_INVALID);
    f = (struct feed){.p = t.s, .left = 600, .broken = true};
    ck_assert_ptr_null(image_import(st, feed_read, &f, "x", NULL, NULL, NULL, NULL, &e));
    ck_assert_str_eq(e.msg, "the body ended early");
    ck_assert_uint_eq(image_count(st), 0);
    ck_assert_uint_eq(count_in("store/blobs/sha256") + count_in("store/layers") + count_in("store/records"), 0);
    ck_assert_uint_eq(events.n, 0);
}
END_TEST

START_TEST(import_takes_every_compression)
{
    static const int codes[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD};
    struct err e;
    autostr t = STR_INIT, out = STR_INIT;
    char diff[DIGEST_SIZE];
    small_tar(&t, "f", "content");
    packed(codes[_i], &t, &out);
    autofree char *id = import_named(&out, "");
    json_auto_t *j = image_config(st, id, &e);
    ck_assert_str_eq(digest_parse(json_string_value(json_array_get(json_at(j, "rootfs.diff_ids"), 0))),
                     digest_of(t.s, t.len, diff));
}
END_TEST

/* What the worker may do is read from /proc while it waits for the rest of its input. */
static pid_t worker_pid;
static int peeks;

static void find_worker(void)
{
    autoclosedir DIR *d = opendir("/proc");
    if (worker_pid > 0)
        return;
    for (struct dirent *x; (x = readdir(d));) {
        struct err e;
        uint64_t pid;
        if (!str_to_u64(x->d_name, &pid))
            continue;
        autofree char *path = str_printf("/proc/%s/status", x->d_name);
        autofree char *text = file_read(AT_FDCWD, path, 1 << 16, NULL, &e),
                      *parent = str_printf("PPid:\t%d\n", (int)getpid());
        if (text && strstr(text, "Name:\t" WORKER_NAME "\n") && strstr(text, parent))
            worker_pid = (pid_t)pid;
    }
}

static char *proc_link(const char *name)
{
    char text[256];
    autofree char *path = str_printf("/proc/%d/%s", (int)worker_pid, name);
    ssize_t n = readlink(path, text, sizeof(text));
    return mem_strndup(text, n > 0 ? (size_t)n : 0);
}

static char *own_link(const char *name)
{
    char text[256];
    autofree char *path = str_printf("/proc/self/%s", name);
    ssize_t n = readlink(path, text, sizeof(text));
    return mem_strndup(text, n > 0 ? (size_t)n : 0);
}

static void look_at_worker(void)
{
    static const char *const spaces[] = {"ns/mnt", "ns/net", "ns/ipc", "ns/uts"};
    struct err e;
    if (++peeks < 3) /* the worker has started, but perhaps not shut itself in */
        return;
    for (int i = 0; i < 500 && worker_pid <= 0; i++) {
        find_worker();
        usleep(10000);
    }
    ck_assert_int_gt(worker_pid, 0);
    autofree char *path = str_printf("/proc/%d/status", (int)worker_pid);
    autofree char *text = NULL;
    for (int i = 0; i < 500; i++) {
        free(text);
        text = file_read(AT_FDCWD, path, 1 << 16, NULL, &e);
        if (text && strstr(text, "NoNewPrivs:\t1\n") && strstr(text, "CapEff:\t000000008800001b\n"))
            break;
        usleep(10000);
    }
    ck_assert_ptr_nonnull(text);
    /* CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, FSETID 4, MKNOD 27, SETFCAP 31 */
    ck_assert_ptr_nonnull(strstr(text, "CapPrm:\t000000008800001b\n"));
    ck_assert_ptr_nonnull(strstr(text, "CapEff:\t000000008800001b\n"));
    ck_assert_ptr_nonnull(strstr(text, "CapInh:\t0000000000000000\n"));
    ck_assert_ptr_nonnull(strstr(text, "CapBnd:\t0000000000000000\n"));
    ck_assert_ptr_nonnull(strstr(text, "CapAmb:\t0000000000000000\n"));
    ck_assert_ptr_nonnull(strstr(text, "NoNewPrivs:\t1\n"));
    ck_assert_ptr_nonnull(strstr(text, "Groups:\t \n"));
    for (size_t i = 0; i < 4; i++) {
        autofree char *theirs = proc_link(spaces[i]), *ours = own_link(spaces[i]);
        ck_assert_str_ne(theirs, ours);
    }
    autofree char *top = proc_link("root"), *cwd = proc_link("cwd");
    ck_assert_str_eq(top, cwd);
    ck_assert_str_ne(top, "");
    autofree char *inside = str_printf("/proc/%d/root/etc", (int)worker_pid);
    struct stat s;
    ck_assert_int_eq(lstat(inside, &s), -1);
    autofree char *limits = str_printf("/proc/%d/limits", (int)worker_pid);
    autofree char *l = file_read(AT_FDCWD, limits, 1 << 16, NULL, &e);
    ck_assert_ptr_nonnull(strstr(l, "Max core file size        0 "));
}

START_TEST(the_worker_is_shut_in)
{
    struct err e;
    autostr t = STR_INIT;
    small_tar(&t, "f", "content");
    struct feed f = {.p = t.s, .left = t.len, .step = 300, .peek = look_at_worker};
    autofree char *id = image_import(st, feed_read, &f, "", NULL, NULL, NULL, NULL, &e);
    ck_assert_msg(id != NULL, "%s", e.msg);
    ck_assert_int_ge(peeks, 3);
}
END_TEST

/* Wait until the worker, which is waiting for input, has shut itself in; then die as a daemon dies. */
static pid_t *told; /* shared with the parent */

static void die_with_worker_at_work(void)
{
    struct err e;
    if (++peeks < 3)
        return;
    for (int i = 0; i < 1000; i++) {
        find_worker();
        autofree char *path = str_printf("/proc/%d/status", (int)worker_pid);
        autofree char *text = file_read(AT_FDCWD, path, 1 << 16, NULL, &e);
        if (text && strstr(text, "CapEff:\t000000008800001b\n"))
            break;
        usleep(5000);
    }
    usleep(50000); /* asking for the signal is its last step */
    *told = worker_pid;
    kill(getpid(), SIGKILL);
}

/* Gone, or only waiting for init to notice. */
static bool is_dead(pid_t pid)
{
    struct err e;
    autofree char *path = str_printf("/proc/%d/status", (int)pid);
    autofree char *text = file_read(AT_FDCWD, path, 1 << 16, NULL, &e);
    return !text || strstr(text, "State:\tZ") || !strstr(text, "Name:\t" WORKER_NAME "\n");
}

START_TEST(a_killed_daemon_takes_its_worker_along)
{
    struct err e;
    int status;
    autostr t = STR_INIT;
    small_tar(&t, "f", "content");
    told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct feed f = {.p = t.s, .left = t.len, .step = 300, .peek = die_with_worker_at_work};
        image_import(st, feed_read, &f, "", NULL, NULL, NULL, NULL, &e);
        _exit(1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_gt(*told, 0);
    for (int i = 0; i < 400 && !is_dead(*told); i++)
        usleep(10000);
    ck_assert(is_dead(*told));
    ck_assert_uint_eq(count_in("store/staging"), 1);
    reopen();
    ck_assert_uint_eq(count_in("store/staging"), 0);
}
END_TEST

/* ---- changes ---- */

static const struct {
    const char *lines[4];
    const char *want; /* JSON of the config, or a part of the refusal after '!' */
} changes[] = {
    {{"CMD [\"a\",\"b c\"]"}, "{\"Cmd\":[\"a\",\"b c\"]}"},
    {{"cmd echo $HOME \"x\""}, "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo $HOME \\\"x\\\"\"]}"},
    {{"ENTRYPOINT [ \"/x\" ]  "}, "{\"Entrypoint\":[\"/x\"]}"},
    {{"CMD [not json"}, "{\"Cmd\":[\"/bin/sh\",\"-c\",\"[not json\"]}"},
    {{"SHELL [\"/bin/ash\",\"-c\"]", "CMD x"}, "{\"Shell\":[\"/bin/ash\",\"-c\"],\"Cmd\":[\"/bin/ash\",\"-c\",\"x\"]}"},
    {{"ENV A=1 B='two words' C=\"q\\\"q\" D=x\\ y"}, "{\"Env\":[\"A=1\",\"B=two words\",\"C=q\\\"q\",\"D=x y\"]}"},
    {{"ENV A some text"}, "{\"Env\":[\"A=some text\"]}"},
    {{"ENV A=1", "ENV B=$A-${A}-${NO:-d}-${A:+s}-$NO.", "ENV A=2"}, "{\"Env\":[\"A=2\",\"B=1-1-d-s-.\"]}"},
    {{"ENV A=1", "ENV B='$A' C=\\$A"}, "{\"Env\":[\"A=1\",\"B=$A\",\"C=$A\"]}"},
    {{"LABEL a=b \"c d\"=e f.g=\"\""}, "{\"Labels\":{\"a\":\"b\",\"c d\":\"e\",\"f.g\":\"\"}}"},
    {{"EXPOSE 80 53/udp 8000-8002/tcp"},
     "{\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{},\"8000/tcp\":{},\"8001/tcp\":{},\"8002/tcp\":{}}}"},
    {{"USER 1000:1000"}, "{\"User\":\"1000:1000\"}"},
    {{"VOLUME /a /b", "VOLUME [\"/c d\"]"}, "{\"Volumes\":{\"/a\":{},\"/b\":{},\"/c d\":{}}}"},
    {{"WORKDIR /a/b", "WORKDIR ../c/./d", "WORKDIR e"}, "{\"WorkingDir\":\"/a/c/d/e\"}"},
    {{"WORKDIR /../.."}, "{\"WorkingDir\":\"/\"}"},
    {{"STOPSIGNAL SIGUSR1"}, "{\"StopSignal\":\"SIGUSR1\"}"},
    {{"ONBUILD RUN x"}, "{\"OnBuild\":[\"RUN x\"]}"},
    {{"HEALTHCHECK NONE"}, "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}"},
    {{"HEALTHCHECK --interval=5s --retries=3 CMD true x"},
     "{\"Healthcheck\":{\"Interval\":5000000000,\"Retries\":3,\"Test\":[\"CMD-SHELL\",\"true x\"]}}"},
    {{"HEALTHCHECK CMD [\"true\"]"}, "{\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"]}}"},
    {{""}, "!is not a valid change command"},
    {{"RUN x"}, "!RUN is not a valid change command"},
    {{"CMD"}, "!CMD requires at least one argument"},
    {{"ENV A"}, "!must have a value"},
    {{"ENV A=1 B"}, "!must be of the form"},
    {{"ENV =1"}, "!must be of the form"},
    {{"ENV A='x"}, "!quote is not closed"},
    {{"ENV A=${B"}, "!malformed variable"},
    {{"EXPOSE 0"}, "!invalid containerPort"},
    {{"EXPOSE 80-70"}, "!invalid containerPort"},
    {{"EXPOSE 65536"}, "!invalid containerPort"},
    {{"EXPOSE 80/icmp"}, "!invalid proto"},
    {{"USER a b"}, "!exactly one argument"},
    {{"ONBUILD FROM x"}, "!isn't allowed as an ONBUILD trigger"},
    {{"HEALTHCHECK --interval=1 CMD x"}, "!duration"},
    {{"HEALTHCHECK maybe"}, "!wants NONE"},
    {{"SHELL /bin/sh"}, "!JSON form"},
    {{"VOLUME [\"\"]"}, "!empty string"},
    {{"ENV A=1\nENV B=2"}, "!one line"},
};

START_TEST(changes_are_applied)
{
    struct err e;
    json_auto_t *config = json_object();
    int r = 0;
    for (size_t i = 0; r == 0 && changes[_i].lines[i]; i++)
        r = image_change(config, changes[_i].lines[i], &e);
    if (*changes[_i].want == '!') {
        ck_assert_int_eq(r, -1);
        ck_assert_int_eq(e.kind, ERR_INVALID);
        ck_assert_msg(strstr(e.msg, changes[_i].want + 1), "%s", e.msg);
        ck_assert_uint_le(json_object_size(config), 1);
        return;
    }
    ck_assert_msg(r == 0, "%s", e.msg);
    json_auto_t *want = json_loads(changes[_i].want, 0, NULL);
    autofree char *have = json_compact(config);
    ck_assert_ptr_nonnull(want);
    ck_assert_msg(json_equal(config, want), "%s", have);
}
END_TEST

/* ---- list, inspect, history ---- */

START_TEST(the_list_has_dockers_shape)
{
    autofree char *one = import_text("one", "one"), *two = import_text("two", ""),
                  *three = import_text("three", "h.io/three:v");
    json_auto_t *l = list_all(NULL, false, 44);
    ck_assert_uint_eq(json_array_size(l), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *x = json_array_get(l, i);
        static const char *const keys[] = {"Id",   "ParentId",    "RepoTags",   "RepoDigests", "Created",
                                           "Size", "VirtualSize", "SharedSize", "Containers",  "Labels"};
        for (size_t k = 0; k < 10; k++)
            ck_assert_ptr_nonnull(json_object_get(x, keys[k]));
        ck_assert(json_is_array(json_object_get(x, "RepoTags")) && json_is_array(json_object_get(x, "RepoDigests")));
        ck_assert_int_gt(json_int(x, "Created", 0), 1700000000);
    }
    /* newest first */
    ck_assert_str_eq(json_str(json_array_get(l, 0), "Id", ""), three);
    ck_assert_str_eq(json_str(json_array_get(l, 2), "Id", ""), one);
    ck_assert_str_eq(json_string_value(json_array_get(json_at(json_array_get(l, 0), "RepoTags"), 0)), "h.io/three:v");
    ck_assert_uint_eq(json_array_size(json_at(json_array_get(l, 1), "RepoTags")), 0);
    json_auto_t *old = list_all(NULL, false, 42);
    ck_assert_str_eq(json_string_value(json_array_get(json_at(json_array_get(old, 1), "RepoTags"), 0)),
                     "<none>:<none>");
    ck_assert_str_eq(json_string_value(json_array_get(json_at(json_array_get(old, 1), "RepoDigests"), 0)),
                     "<none>@<none>");
    json_auto_t *usage = image_usage(st);
    ck_assert_int_eq(json_int(usage, "LayersSize", 0), 11);
    ck_assert_uint_eq(json_array_size(json_object_get(usage, "Images")), 3);
}
END_TEST

START_TEST(filters)
{
    struct err e;
    autostr t = STR_INIT;
    autostrv labels = {NULL, 0};
    small_tar(&t, "f", "x");
    strv_add(&labels, "LABEL color=red size");
    strv_release(&labels);
    strv_add(&labels, "LABEL color=red size=");
    struct feed f = {.p = t.s, .left = t.len};
    autofree char *red = image_import(st, feed_read, &f, "red:1", NULL, &labels, NULL, NULL, &e);
    ck_assert_msg(red != NULL, "%s", e.msg);
    autofree char *plain = import_text("plain", "h.io/team/plain:v2"), *none = import_text("none", "");
    static const struct {
        const char *filters;
        int count; /* -1: refused */
    } table[] = {
        {"{}", 3},
        {"{\"label\":[\"color\"]}", 1},
        {"{\"label\":[\"color=red\",\"size\"]}", 1},
        {"{\"label\":[\"color=blue\"]}", 0},
        {"{\"dangling\":[\"true\"]}", 1},
        {"{\"dangling\":[\"0\"]}", 2},
        {"{\"dangling\":[\"maybe\"]}", -1},
        {"{\"reference\":[\"red\"]}", 1},
        {"{\"reference\":[\"r?d:*\"]}", 1},
        {"{\"reference\":[\"*\"]}", 1},
        {"{\"reference\":[\"h.io/*/p[a-k]ain\"]}", 0},
        {"{\"reference\":[\"h.io/*/p[^a-k]ain:v2\"]}", 1},
        {"{\"reference\":[\"h.io/*\"]}", 0},
        {"{\"reference\":[\"h.io/team/*\",\"red\"]}", 2},
        {"{\"before\":[\"h.io/team/plain:v2\"]}", 1},
        {"{\"since\":[\"red:1\"]}", 2},
        {"{\"since\":[\"red:1\"],\"before\":[\"h.io/team/plain:v2\"]}", 0},
        {"{\"before\":[\"missing\"]}", -1},
        {"{\"until\":[\"1h\"]}", 0},
        {"{\"until\":[\"2001-01-01T00:00:00Z\"]}", 0},
        {"{\"until\":[\"2200-01-01T00:00:00Z\"]}", 3},
        {"{\"until\":[\"soon\"]}", -1},
        {"{\"color\":[\"red\"]}", -1},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        json_auto_t *j = json_loads(table[i].filters, 0, NULL);
        json_auto_t *l = image_list(st, j, false, 44, &e);
        if (table[i].count < 0)
            ck_assert_msg(!l && (e.kind == ERR_INVALID || e.kind == ERR_NOT_FOUND), "%s", table[i].filters);
        else
            ck_assert_msg(l && (int)json_array_size(l) == table[i].count, "%s: %zu", table[i].filters,
                          json_array_size(l));
    }
    /* A pattern made of stars does not take for ever. */
    autostr stars = STR_INIT;
    for (int i = 0; i < 2000; i++)
        str_add(&stars, "*a");
    json_auto_t *slow = json_pack("{s:[s]}", "reference", stars.s);
    json_auto_t *l = image_list(st, slow, false, 44, &e);
    ck_assert_uint_eq(json_array_size(l), 0);
    ck_assert_str_ne(plain, none);
}
END_TEST

START_TEST(inspect_has_every_field)
{
    static const char *const keys[] = {"Id",
                                       "RepoTags",
                                       "RepoDigests",
                                       "Parent",
                                       "Comment",
                                       "Created",
                                       "Container",
                                       "ContainerConfig",
                                       "DockerVersion",
                                       "Author",
                                       "Config",
                                       "Architecture",
                                       "Os",
                                       "Size",
                                       "VirtualSize",
                                       "GraphDriver.Name",
                                       "GraphDriver.Data.UpperDir",
                                       "RootFS.Type",
                                       "RootFS.Layers",
                                       "Metadata.LastTagTime",
                                       "Config.Cmd",
                                       "Config.Env",
                                       "Config.Volumes",
                                       "Config.Labels",
                                       "Config.Entrypoint",
                                       "ContainerConfig.Volumes"};
    struct err e;
    autofree char *id = import_text("x", "a:1");
    ck_assert_int_eq(image_tag(st, "a:1", "b", "2", &e), 0);
    json_auto_t *j = image_inspect(st, "b:2", &e);
    ck_assert_msg(j != NULL, "%s", e.msg);
    for (size_t i = 0; i < COUNT(keys); i++)
        ck_assert_msg(json_at(j, keys[i]) != NULL, "%s", keys[i]);
    ck_assert_str_eq(json_str(j, "Id", ""), id);
    ck_assert_uint_eq(json_array_size(json_object_get(j, "RepoTags")), 2);
    ck_assert(json_is_null(json_at(j, "Config.Volumes")) && json_is_array(json_object_get(j, "RepoDigests")));
    ck_assert_str_ne(json_str(j, "Metadata.LastTagTime", ""), "0001-01-01T00:00:00Z");
    json_auto_t *h = image_history(st, "a:1", &e);
    ck_assert_uint_eq(json_array_size(h), 1);
    ck_assert_str_eq(json_str(json_array_get(h, 0), "Id", ""), id);
    ck_assert_int_eq(json_int(json_array_get(h, 0), "Size", 0), 1);
    ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(h, 0), "Tags")), 2);
}
END_TEST

START_TEST(names_are_found)
{
    struct err e;
    autofree char *id = import_text("x", "abc:1"), *other = import_text("y", "");
    autofree char *prefix = mem_strndup(VIA(id), 12), *with = mem_strndup(id, 7 + 12);
    ck_assert(found(id) && found(VIA(id)) && found(prefix) && found(with) && found("abc:1") &&
              found("docker.io/abc:1"));
    ck_assert(found(VIA(other)));
    ck_assert(!found("abc") && !found("abc:2"));
    autofree char *r = image_resolve(st, "abc", &e);
    ck_assert_ptr_null(r);
    ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
    ck_assert_str_eq(e.msg, "No such image: abc:latest");
    ck_assert_ptr_null(image_resolve(st, "docker.io/library/abc:2", &e));
    ck_assert_str_eq(e.msg, "No such image: abc:2");
    ck_assert_ptr_null(image_resolve(st, "0000000000000000000000000000000000000000000000000000000000000000", &e));
    ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
    ck_assert_ptr_null(image_resolve(st, "Abc", &e));
    ck_assert_int_eq(e.kind, ERR_INVALID);
    ck_assert_ptr_null(image_resolve(st, "", &e));
    ck_assert_ptr_null(image_config(st, "../../etc/passwd", &e));
    ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
    /* A prefix that two images have means neither. */
    for (int i = 0; i < 20; i++) {
        autofree char *text = str_printf("many %d", i);
        free(import_text(text, ""));
    }
    bool ambiguous = false;
    for (const char *c = "0123456789abcdef"; *c; c++) {
        char one[2] = {*c, '\0'};
        autofree char *hit = image_resolve(st, one, &e);
        ambiguous |= !hit && e.kind == ERR_NOT_FOUND;
    }
    ck_assert(ambiguous);
}
END_TEST

/* ---- tags and removal ---- */

START_TEST(tags)
{
    struct err e;
    autofree char *id = import_text("x", "a:1"), *other = import_text("y", "b:1");
    strv_release(&events);
    ck_assert_int_eq(image_tag(st, "a:1", "docker.io/library/c", "v", &e), 0);
    ck_assert_int_eq(image_tag(st, VIA(id), "me/d", "", &e), 0);
    ck_assert_int_eq(image_tag(st, "a:1", "b", "1", &e), 0); /* moves */
    autofree char *e1 = str_printf("tag %.12s c:v", VIA(id)), *e2 = str_printf("tag %.12s me/d:latest", VIA(id)),
                  *e3 = str_printf("tag %.12s b:1", VIA(id));
    expect_events((const char *const[]){e1, e2, e3}, 3);
    ck_assert(image_names(st, "b:1", id) && image_names(st, "c:v", id) && image_names(st, "me/d", id));
    ck_assert(found(VIA(other)));
    static const char *const bad[][2] = {
        {"A", "1"},      {"a", "-"},
        {"sha256", "x"}, {"scratch", "x"},
        {"a:1", "2"},    {"a@sha256:0000000000000000000000000000000000000000000000000000000000000000", ""}};
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(image_tag(st, "a:1", bad[i][0], bad[i][1], &e), -1);
        ck_assert_int_eq(e.kind, ERR_INVALID);
    }
    ck_assert_int_eq(image_tag(st, "none", "x", "1", &e), -1);
    ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
    reopen();
    ck_assert(image_names(st, "me/d", id) && image_names(st, "b:1", id));
}
END_TEST

static json_t *rm(const char *name, bool force, struct err *e)
{
    return image_remove(st, name, force, false, e);
}

static void expect_conflict(const char *name, bool force, const char *says)
{
    struct err e;
    json_auto_t *r = rm(name, force, &e);
    ck_assert_msg(!r, "%s went", name);
    ck_assert_int_eq(e.kind, ERR_CONFLICT);
    ck_assert_msg(strstr(e.msg, says), "%s", e.msg);
}

/* What was answered: "Untagged x", "Deleted sha256:…" in order, digests cut to 12 digits. */
static void expect_removed(const char *name, bool force, const char *want)
{
    struct err e;
    autostr have = STR_INIT;
    json_auto_t *r = rm(name, force, &e);
    ck_assert_msg(r != NULL, "%s: %s", name, e.msg);
    size_t i;
    json_t *x;
    str_reset(&have);
    json_array_foreach(r, i, x)
    {
        const char *u = json_str(x, "Untagged", NULL), *d = json_str(x, "Deleted", NULL);
        str_addf(&have, "%s%s%.12s", i ? " " : "", u ? "-" : "", u ? u : digest_parse(d));
    }
    ck_assert_str_eq(have.s, want);
}

START_TEST(removing_by_name_and_id)
{
    struct err e;
    autofree char *id = import_text("x", "a:1");
    autostrv layers = {NULL, 0};
    ck_assert_int_eq(image_layers(st, id, &layers, &e), 0);
    const char *chain = strstr(layers.v[0], "layers/") + 7;
    autofree char *gone = str_printf("%.12s %.12s", VIA(id), chain);
    autofree char *named = str_printf("-a:1 %s", gone), *both = str_printf("-a:1 -b:1 %s", gone);
    ck_assert_int_eq(image_tag(st, "a:1", "b", "1", &e), 0);
    expect_conflict(VIA(id), false, "must be forced) - image is referenced in multiple repositories");
    expect_removed("b:1", false, "-b:1");
    ck_assert_uint_eq(image_count(st), 1);
    expect_removed("a:1", false, named);
    ck_assert_uint_eq(count_in("store/blobs/sha256") + count_in("store/layers") + count_in("store/records"), 0);
    json_auto_t *r = rm("a:1", false, &e);
    ck_assert(!r && e.kind == ERR_NOT_FOUND);

    free(import_text("x", "a:1")); /* the time differs, so it is another image; the layer is the same */
    autofree char *again = image_resolve(st, "a:1", &e);
    ck_assert_int_eq(image_tag(st, "a:1", "b", "1", &e), 0);
    autofree char *forced = str_printf("-a:1 -b:1 %.12s %.12s", VIA(again), chain);
    expect_removed(VIA(again), true, forced);
    ck_assert_uint_eq(image_count(st), 0);
    reopen();
    ck_assert_uint_eq(image_count(st), 0);
    ck_assert_ptr_nonnull(both);
}
END_TEST

START_TEST(images_in_use_stay)
{
    struct err e;
    autofree char *id = import_text("x", "a:1");
    static char container[] = "c0ffee0123456789";
    users[0] = (struct image_user){container, id, true};
    users[1] = (struct image_user){container, NULL, false};
    nusers = 2;
    expect_conflict("a:1", false,
                    "unable to remove repository reference \"a:1\" (must force) - container c0ffee012345");
    expect_conflict(VIA(id), false, "cannot be forced) - image is being used by running container c0ffee012345");
    expect_conflict(VIA(id), true, "cannot be forced");
    ck_assert(found("a:1"));
    expect_removed("a:1", true, "-a:1"); /* the name goes, the image stays */
    ck_assert(found(VIA(id)));
    users[0].running = false;
    expect_conflict(VIA(id), false, "must be forced) - image is being used by stopped container c0ffee012345");
    autofree char *only = str_printf("%.12s", VIA(id));
    expect_removed(VIA(id), true, only);
    /* Nobody sees it, and the container can still be started, now and after a restart. */
    for (int i = 0; i < 2; i++) {
        autostrv layers = {NULL, 0};
        ck_assert(!found(VIA(id)) && image_count(st) == 0 && list_count(NULL) == 0);
        ck_assert_int_eq(image_layers(st, id, &layers, &e), 0);
        ck_assert_int_eq(access(layers.v[0], F_OK), 0);
        json_auto_t *config = image_config(st, id, &e);
        ck_assert_ptr_nonnull(config);
        image_collect(st);
        reopen();
    }
    nusers = 0;
    image_collect(st);
    ck_assert_uint_eq(count_in("store/blobs/sha256") + count_in("store/layers") + count_in("store/records"), 0);
}
END_TEST

/* Give an image a parent, as a build would. */
static void set_parent(const char *id, const char *parent)
{
    struct err e;
    pthread_mutex_lock(&st->writer);
    struct image *im = table_image(st, VIA(id));
    memcpy(im->parent, VIA(parent), DIGEST_SIZE);
    ck_assert_int_eq(table_write_record(st, im, &e), 0);
    pthread_mutex_unlock(&st->writer);
}

START_TEST(parents_and_children)
{
    struct err e;
    autofree char *a = import_text("a", ""), *b = import_text("b", ""), *c = import_text("c", "c:1");
    set_parent(b, a);
    set_parent(c, b);
    reopen();
    expect_conflict(VIA(a), true, "cannot be forced) - image has dependent child images");
    json_auto_t *shown = list_all(NULL, false, 44), *all = list_all(NULL, true, 44);
    ck_assert_uint_eq(json_array_size(shown), 1); /* steps of a build are shown on demand */
    ck_assert_uint_eq(json_array_size(all), 3);
    json_auto_t *kept = image_remove(st, "c:1", false, true, &e);
    ck_assert_ptr_nonnull(kept);
    ck_assert_uint_eq(image_count(st), 2); /* noprune */
    json_auto_t *r = rm(VIA(b), false, &e);
    ck_assert_msg(r != NULL, "%s", e.msg);
    ck_assert_uint_eq(image_count(st), 0); /* and its nameless parent */
}
END_TEST

START_TEST(prune_takes_what_nobody_needs)
{
    struct err e;
    autofree char *named = import_text("named", "a:1"), *none = import_text("none!", ""),
                  *used = import_text("used", "");
    autofree char *base = import_text("base", ""), *child = import_text("child", "child:1");
    static char container[] = "c0ffee0123456789";
    set_parent(child, base);
    users[0] = (struct image_user){container, used, false};
    nusers = 1;
    json_auto_t *r = image_prune(st, NULL, &e);
    ck_assert_uint_eq(json_array_size(json_object_get(r, "ImagesDeleted")), 2); /* the image, its layer */
    ck_assert_int_eq(json_int(r, "SpaceReclaimed", 0), 5);
    ck_assert(found(VIA(named)) && found(VIA(used)) && found(VIA(base)) && !found(VIA(none)));
    json_auto_t *labels = json_loads("{\"label!\":[\"x\"],\"label\":[\"y\"],\"dangling\":[\"false\"]}", 0, NULL);
    json_auto_t *nothing = image_prune(st, labels, &e);
    ck_assert(json_is_null(json_object_get(nothing, "ImagesDeleted")));
    json_auto_t *bad = json_loads("{\"reference\":[\"x\"]}", 0, NULL);
    ck_assert_ptr_null(image_prune(st, bad, &e));
    json_auto_t *every = json_loads("{\"dangling\":[\"false\"]}", 0, NULL);
    json_auto_t *all = image_prune(st, every, &e);
    ck_assert_ptr_nonnull(all);
    ck_assert_uint_eq(image_count(st), 1);
    ck_assert(found(VIA(used)));
    st->pruning = true;
    ck_assert_ptr_null(image_prune(st, NULL, &e));
    ck_assert_int_eq(e.kind, ERR_CONFLICT);
    st->pruning = false;
}
END_TEST

/* ---- save and load ---- */

START_TEST(what_is_saved_comes_back_the_same)
{
    struct err e;
    autostr t = STR_INIT, first = STR_INIT, second = STR_INIT, gz = STR_INIT;
    const struct tar_entry entries[] = {{.name = "d", .type = '5', .mode = 0700, .uid = 9},
                                        {.name = "d/f", .data = "content", .mtime = 99}};
    tar_add(&t, &entries[0]);
    tar_add(&t, &entries[1]);
    tar_end(&t);
    autofree char *id = import_named(&t, "one:1");
    ck_assert_int_eq(image_tag(st, "one:1", "one", "2", &e), 0);
    strv_release(&events);
    save_from(st, "one", &first);
    autofree char *event = str_printf("save %.12s %.19s", VIA(id), id);
    expect_events((const char *const[]){event}, 1);
    packed(ARCHIVE_FILTER_ZSTD, &first, &gz);
    struct image_store *other = store_at("other");
    json_auto_t *said = json_array();
    ck_assert_msg(load_into(other, &gz, said, &e) == 0, "%s", e.msg);
    autofree char *back = image_resolve(other, "one:2", &e);
    ck_assert_str_eq(back, id);
    ck_assert(image_names(other, "one:1", id));
    size_t n = json_array_size(said);
    ck_assert_uint_ge(n, 3);
    ck_assert_str_eq(json_str(json_array_get(said, 0), "status", ""), "Loading layer");
    ck_assert_int_eq(json_int(json_array_get(said, 0), "progressDetail.total", 0), (json_int_t)t.len);
    ck_assert_str_eq(json_str(json_array_get(said, n - 2), "stream", ""), "Loaded image: one:1\n");
    ck_assert_str_eq(json_str(json_array_get(said, n - 1), "stream", ""), "Loaded image: one:2\n");
    save_from(other, "one", &second);
    ck_assert_uint_eq(first.len, second.len);
    ck_assert_mem_eq(first.s, second.s, first.len);
    /* Once more: everything is known, no layer is loaded, and quiet says even less. */
    json_auto_t *again = json_array();
    ck_assert_int_eq(load_into(other, &first, again, &e), 0);
    ck_assert_uint_eq(json_array_size(again), 2);
    struct feed f = {.p = first.s, .left = first.len};
    ck_assert_int_eq(image_load(other, feed_read, &f, true, NULL, NULL, &e), 0);
    image_store_close(other);
}
END_TEST

START_TEST(saving_by_id_and_of_several)
{
    struct err e;
    autostr bare = STR_INIT, both = STR_INIT;
    autofree char *big = mem_alloc(100000);
    memset(big, 'x', 99999);
    autofree char *one = import_text(big, "one:1"), *two = import_text(big, "two:1");
    save_from(st, VIA(one), &bare);
    struct image_store *other = store_at("other");
    json_auto_t *said = json_array();
    ck_assert_int_eq(load_into(other, &bare, said, &e), 0);
    autofree char *whole = str_printf("Loaded image ID: %s\n", one);
    ck_assert_str_eq(json_str(json_array_get(said, json_array_size(said) - 1), "stream", ""), whole);
    autostrv names = {NULL, 0};
    strv_add(&names, "one:1");
    strv_add(&names, two);
    ck_assert_int_eq(image_save(st, &names, keep_bytes, &both, &e), 0);
    ck_assert_uint_lt(both.len, 2 * bare.len); /* the layer is there once */
    ck_assert_int_eq(load_into(other, &both, NULL, &e), 0);
    ck_assert_uint_eq(image_count(other), 2);
    strv_add(&names, "missing");
    str_reset(&both);
    ck_assert_int_eq(image_save(st, &names, keep_bytes, &both, &e), -1);
    ck_assert_int_eq(e.kind, ERR_NOT_FOUND);
    ck_assert_uint_eq(both.len, 0);
    image_store_close(other);
}
END_TEST

START_TEST(rotten_blobs_are_not_saved)
{
    struct err e;
    char diff[DIGEST_SIZE];
    autostr t = STR_INIT, out = STR_INIT;
    small_tar(&t, "f", "content");
    free(import_named(&t, "a"));
    autofree char *blob = str_printf("store/blobs/sha256/%s", digest_of(t.s, t.len, diff));
    autoclose int fd = open(blob, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, "C", 1, 512), 1);
    autostrv names = {NULL, 0};
    strv_add(&names, "a");
    ck_assert_int_eq(image_save(st, &names, keep_bytes, &out, &e), -1);
    ck_assert_ptr_nonnull(strstr(e.msg, "is damaged"));
}
END_TEST

/* ---- archives made by hand ---- */

struct made {
    struct str config, layer; /* of the image in it */
    char id[DIGEST_SIZE], diff[DIGEST_SIZE];
};

static void make_parts(struct made *m, const char *extra)
{
    *m = (struct made){STR_INIT, STR_INIT, "", ""};
    small_tar(&m->layer, "f", "content");
    digest_of(m->layer.s, m->layer.len, m->diff);
    str_addf(
        &m->config,
        "{\"os\":\"linux\",\"architecture\":\"amd64\"%s,\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
        extra, m->diff);
    digest_of(m->config.s, m->config.len, m->id);
}

static void release_parts(struct made *m)
{
    str_release(&m->config);
    str_release(&m->layer);
}

static void put(struct str *t, const char *data, size_t n, const char *fmt, const char *arg)
{
    autostr name = STR_INIT;
    for (; *fmt; fmt++) {
        if (*fmt == '@')
            str_add(&name, arg);
        else
            str_addc(&name, *fmt);
    }
    tar_file(t, name.s, data, n);
}

static void put_text(struct str *t, const char *name, const char *text)
{
    tar_file(t, name, text, strlen(text));
}

START_TEST(archives_of_old_docker)
{
    struct err e;
    struct made m;
    autostr t = STR_INIT;
    make_parts(&m, "");
    /* Two images share a layer; the second has a link to it, as Docker up to 24 writes. */
    const struct tar_entry dir = {.name = "v1b/", .type = '5'},
                           link = {.name = "v1b/layer.tar", .type = '2', .link = "../v1a/layer.tar"};
    put(&t, m.config.s, m.config.len, "@.json", m.id);
    tar_file(&t, "v1a/layer.tar", m.layer.s, m.layer.len);
    put_text(&t, "v1a/VERSION", "1.0");
    tar_add(&t, &dir);
    tar_add(&t, &link);
    autofree char *manifest =
        str_printf("[{\"Config\":\"%s.json\",\"RepoTags\":[\"old:1\"],\"Layers\":[\"v1b/layer.tar\"]},"
                   "{\"Config\":\"%s.json\",\"RepoTags\":null,\"Layers\":[\"./v1a/layer.tar\"]}]",
                   m.id, m.id);
    put_text(&t, "manifest.json", manifest);
    put_text(&t, "repositories", "{\"old\":{\"1\":\"v1b\"}}");
    tar_end(&t);
    ck_assert_msg(load_into(st, &t, NULL, &e) == 0, "%s", e.msg);
    autofree char *id = image_resolve(st, "old:1", &e);
    ck_assert_str_eq(VIA(id), m.id);
    release_parts(&m);
}
END_TEST

/* An OCI layout with one layer; `change` edits its texts before digests are taken. */
static void make_oci(struct str *t, struct made *m, int filter, const char *type, const char *annotations)
{
    autostr blob = STR_INIT;
    char digest[DIGEST_SIZE], manifest_digest[DIGEST_SIZE];
    make_parts(m, "");
    if (filter)
        packed(filter, &m->layer, &blob);
    else
        str_addn(&blob, m->layer.s, m->layer.len);
    digest_of(blob.s, blob.len, digest);
    autofree char *manifest = str_printf(
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":"
        "\"application/"
        "vnd.oci.image.config.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
        "\"application/vnd.oci.image.layer.v1.%s\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
        m->id, m->config.len, type, digest, blob.len);
    digest_of(manifest, strlen(manifest), manifest_digest);
    autofree char *index =
        str_printf("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1"
                   "+json\",\"digest\":\"sha256:%s\",\"size\":%zu,\"annotations\":{%s}}]}",
                   manifest_digest, strlen(manifest), annotations);
    put_text(t, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    put_text(t, "index.json", index);
    put(t, manifest, strlen(manifest), "blobs/sha256/@", manifest_digest);
    put(t, m->config.s, m->config.len, "blobs/sha256/@", m->id);
    put(t, blob.s, blob.len, "blobs/sha256/@", digest);
    tar_end(t);
}

START_TEST(oci_layouts)
{
    static const struct {
        int filter;
        const char *type, *annotations, *name; /* NULL: no name */
    } table[] = {
        {0, "tar", "\"org.opencontainers.image.ref.name\":\"latest\"", NULL},
        {ARCHIVE_FILTER_GZIP, "tar+gzip", "\"org.opencontainers.image.ref.name\":\"busybox:1\"", "busybox:1"},
        {ARCHIVE_FILTER_ZSTD, "tar+zstd",
         "\"io.containerd.image.name\":\"docker.io/library/b:2\",\"org.opencontainers.image.ref.name\":\"2\"", "b:2"},
    };
    struct err e;
    struct made m;
    autostr t = STR_INIT;
    make_oci(&t, &m, table[_i].filter, table[_i].type, table[_i].annotations);
    ck_assert_msg(load_into(st, &t, NULL, &e) == 0, "%s", e.msg);
    ck_assert(found(m.id));
    json_auto_t *j = image_inspect(st, m.id, &e);
    ck_assert_uint_eq(json_array_size(json_object_get(j, "RepoTags")), table[_i].name ? 1 : 0);
    ck_assert(!table[_i].name || found(table[_i].name));
    release_parts(&m);
}
END_TEST

/* Lies. Each is one good archive with one thing wrong. */
enum lie {
    NO_TABLE,
    NO_CONFIG,
    CONFIG_OUTSIDE,
    LAYER_OUTSIDE,
    LAYER_MISSING,
    TOO_FEW_LAYERS,
    WRONG_DIFF,
    BLOB_MISNAMED,
    TWICE,
    DUPLICATE_KEY,
    TRAILING,
    WINDOWS,
    BAD_TAG,
    DIGEST_TAG,
    NUL_TAG,
    LINK_OUT,
    LINK_LOOP,
    DEVICE,
    NOT_JSON,
    EMPTY_TABLE,
    STRANGE_TABLE,
    EVIL_LAYER,
    BIG_CONFIG,
    DEEP_JSON,
    CUT,
    LIES
};
static const char *const says[LIES] = {"neither manifest.json nor index.json",
                                       "lacks the configuration",
                                       "contains \"..\"",
                                       "lacks the layer",
                                       "lacks the layer",
                                       "names 1 layers, the archive 0",
                                       "has the diff id",
                                       "its digest is",
                                       "twice",
                                       "duplicate object key",
                                       "end of file",
                                       "operating system windows",
                                       "invalid reference format",
                                       "digest cannot be given",
                                       "invalid JSON",
                                       "leads out",
                                       "lacks the layer",
                                       "neither a file nor a folder",
                                       "invalid JSON",
                                       "not a list of images",
                                       "needs Config",
                                       "contains \"..\"",
                                       "longer than the limit",
                                       "nested deeper",
                                       "not a sound archive"};

static void make_lie(struct str *t, enum lie lie)
{
    struct made m;
    make_parts(&m, lie == DUPLICATE_KEY ? ",\"os\":\"linux\"" : "");
    if (lie == WRONG_DIFF)
        m.layer.s[512] ^= 1;
    if (lie == EVIL_LAYER || lie == BIG_CONFIG || lie == DEEP_JSON || lie == WINDOWS || lie == TRAILING) {
        if (lie == EVIL_LAYER) {
            str_reset(&m.layer);
            small_tar(&m.layer, "../../../evil", "x");
        }
        digest_of(m.layer.s, m.layer.len, m.diff);
        str_reset(&m.config);
        str_addf(&m.config, "{\"os\":\"%s\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]},\"x\":",
                 lie == WINDOWS ? "windows" : "linux", m.diff);
        for (int i = 0; i < 100 && lie == DEEP_JSON; i++)
            str_addc(&m.config, '[');
        str_add(&m.config, "0");
        for (int i = 0; i < 100 && lie == DEEP_JSON; i++)
            str_addc(&m.config, ']');
        for (int i = 0; i < 1 << 20 && lie == BIG_CONFIG; i++)
            str_addc(&m.config, ' ');
        str_add(&m.config, lie == TRAILING ? "}{}" : "}");
        digest_of(m.config.s, m.config.len, m.id);
    }
    if (lie != NO_CONFIG)
        put(t, m.config.s, m.config.len, "blobs/sha256/@", m.id);
    if (lie == BLOB_MISNAMED)
        put(t, "x", 1, "blobs/sha256/@", m.id + 1);
    if (lie == TWICE)
        put(t, m.config.s, m.config.len, "./blobs//sha256/@", m.id);
    if (lie != LAYER_MISSING && lie != LINK_LOOP)
        tar_file(t, "layer.tar", m.layer.s, m.layer.len);
    if (lie == LINK_OUT || lie == LINK_LOOP || lie == DEVICE) {
        const struct tar_entry x = {.name = lie == LINK_LOOP ? "layer.tar" : "x",
                                    .type = lie == DEVICE ? '3' : '2',
                                    .link = lie == LINK_OUT ? "../../etc/passwd" : "layer.tar",
                                    .major = 1};
        tar_add(t, &x);
    }
    autofree char *table =
        str_printf("[{\"Config\":\"%sblobs/sha256/%s\",\"RepoTags\":[\"%s\"],\"Layers\":[%s]}]",
                   lie == CONFIG_OUTSIDE ? "../../" : "", m.id,
                   lie == BAD_TAG      ? "A b"
                   : lie == DIGEST_TAG ? "x@sha256:0000000000000000000000000000000000000000000000000000000000000000"
                   : lie == NUL_TAG    ? "x\\u0000y"
                                       : "x:1",
                   lie == LAYER_OUTSIDE    ? "\"/etc/passwd\""
                   : lie == TOO_FEW_LAYERS ? ""
                                           : "\"layer.tar\"");
    if (lie == NOT_JSON)
        table[strlen(table) - 1] = '\0';
    if (lie != NO_TABLE)
        put_text(t, "manifest.json", lie == EMPTY_TABLE ? "{}" : lie == STRANGE_TABLE ? "[{\"Config\":7}]" : table);
    tar_end(t);
    if (lie == CUT)
        t->len = 600;
    release_parts(&m);
}

START_TEST(lies_are_refused)
{
    struct err e = {0};
    autostr t = STR_INIT;
    make_lie(&t, (enum lie)_i);
    ck_assert_msg(load_into(st, &t, NULL, &e) == -1, "lie %d was believed", _i);
    ck_assert_msg(e.kind == ERR_INVALID || e.kind == ERR_TOO_LARGE, "lie %d: kind %d, %s", _i, e.kind, e.msg);
    ck_assert_msg(strstr(e.msg, says[_i]), "lie %d: %s", _i, e.msg);
    ck_assert_uint_eq(count_in("store/blobs/sha256") + count_in("store/layers") + count_in("store/records") +
                          count_in("store/staging"),
                      0);
    ck_assert_uint_eq(image_count(st), 0);
    ck_assert_uint_eq(events.n, 0);
}
END_TEST

/* One wrong image in an archive: none is taken. */
START_TEST(all_or_nothing)
{
    struct err e;
    struct made m;
    autostr t = STR_INIT;
    make_parts(&m, "");
    put(&t, m.config.s, m.config.len, "@.json", m.id);
    tar_file(&t, "layer.tar", m.layer.s, m.layer.len);
    autofree char *table = str_printf("[{\"Config\":\"%s.json\",\"RepoTags\":[\"good:1\"],\"Layers\":[\"layer.tar\"]},"
                                      "{\"Config\":\"%s.json\",\"RepoTags\":[\"bad one\"],\"Layers\":[\"layer.tar\"]}]",
                                      m.id, m.id);
    put_text(&t, "manifest.json", table);
    tar_end(&t);
    ck_assert_int_eq(load_into(st, &t, NULL, &e), -1);
    ck_assert(!found("good:1") && image_count(st) == 0);
    release_parts(&m);
}
END_TEST

/* An OCI document that could be read as two (CVE-2021-41190). */
START_TEST(ambiguous_documents)
{
    static const char *const documents[] = {
        "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}",
        "{\"schemaVersion\":2,\"manifests\":[],\"config\":{}}",
        "{\"schemaVersion\":1,\"manifests\":[]}",
        "{\"schemaVersion\":2}",
        "{\"schemaVersion\":2,\"manifests\":[]}",
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
        "vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:../../x\",\"size\":1}]}",
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"x\",\"digest\":"
        "\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2}]}",
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":"
        "\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":3}]}",
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":"
        "\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":2}]}",
    };
    for (size_t i = 0; i < COUNT(documents); i++) {
        struct err e;
        autostr t = STR_INIT;
        put_text(&t, "index.json", documents[i]);
        put_text(&t, "blobs/sha256/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "{}");
        tar_end(&t);
        ck_assert_msg(load_into(st, &t, NULL, &e) == -1, "%s", documents[i]);
        ck_assert_msg(e.kind == ERR_INVALID, "%s: %s", documents[i], e.msg);
    }
}
END_TEST

static int no_more(void *arg, const void *p, size_t n)
{
    (void)arg;
    (void)p;
    (void)n;
    return 1;
}

START_TEST(clients_that_go_away)
{
    struct err e;
    autostr t = STR_INIT, whole = STR_INIT;
    autofree char *id = import_text("x", "a:1");
    save_from(st, "a:1", &whole);
    struct feed f = {.p = whole.s, .left = whole.len / 2, .broken = true};
    struct image_store *other = store_at("other");
    ck_assert_int_eq(image_load(other, feed_read, &f, false, NULL, NULL, &e), -1);
    ck_assert_str_eq(e.msg, "the body ended early");
    ck_assert_uint_eq(count_in("other/staging"), 0);
    image_store_close(other);
    autostrv names = {NULL, 0};
    strv_add(&names, "a:1");
    ck_assert_int_eq(image_save(st, &names, no_more, NULL, &e), -1);
    int status;
    ck_assert_int_eq(waitpid(-1, &status, WNOHANG), -1); /* no child is left */
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_ptr_nonnull(id);
    ck_assert_ptr_null(t.s);
}
END_TEST

/* ---- what a kill leaves, and what an unkind hand does ---- */

static void spoil(const char *path, const char *text)
{
    struct err e;
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, path, text, strlen(text), 0600, &e), 0);
}

START_TEST(leftovers_are_removed_at_start)
{
    struct err e;
    autofree char *id = import_text("x", "a:1");
    const size_t blobs = count_in("store/blobs/sha256"), layers = count_in("store/layers");
    ck_assert_int_eq(dir_make_all("store/staging/0123/layers/x/diff", 0700, &e), 0);
    ck_assert_int_eq(dir_make_all("store/layers/abcd/diff/x", 0700, &e), 0);
    spoil("store/blobs/sha256/0000", "x");
    spoil("store/records/abc.json.tmp-1234", "x");
    spoil("store/refs.json.tmp-1234", "x");
    reopen();
    ck_assert_uint_eq(count_in("store/blobs/sha256"), blobs);
    ck_assert_uint_eq(count_in("store/layers"), layers);
    ck_assert_uint_eq(count_in("store/records"), 1);
    ck_assert_int_eq(access("store/refs.json.tmp-1234", F_OK), -1);
    ck_assert(image_names(st, "a:1", id));
}
END_TEST

START_TEST(spoiled_state_is_set_aside)
{
    struct err e;
    autofree char *good = import_text("good", "good:1"), *bad = import_text("bad", "bad:1");
    autofree char *record = str_printf("store/records/%s.json", VIA(bad)),
                  *blob = str_printf("store/blobs/sha256/%s", VIA(bad));
    autofree char *text = file_read(AT_FDCWD, record, 1 << 20, NULL, &e);
    size_t garbage = count_in("store/layers");
    switch (_i) {
    case 0: spoil(record, "{"); break;
    case 1: spoil(record, ""); break;
    case 2: spoil(record, "{\"layers\":[\"../../etc\"]}"); break;
    case 3: spoil(record, "{\"layers\":[]}"); break;
    case 4: ck_assert_int_eq(unlink(record) | mkfifo(record, 0600), 0); break;
    case 5: ck_assert_int_eq(unlink(record) | mkdir(record, 0700), 0); break;
    case 6: ck_assert_int_eq(unlink(record) | symlink("/dev/zero", record), 0); break;
    case 7: ck_assert_int_eq(unlink(blob), 0); break;
    case 8: spoil(blob, "{}"); break;
    case 11: { /* the same configuration in other bytes */
        autofree char *config = file_read(AT_FDCWD, blob, 1 << 20, NULL, &e), *other = str_printf(" %s", config);
        spoil(blob, other);
        break;
    }
    case 9: ck_assert_int_eq(truncate(record, 1LL << 30), 0); break;
    case 10: ck_assert_int_eq(rename(record, "store/records/strange.json"), 0); break;
    default: break;
    }
    reopen();
    ck_assert(found("good:1") && found(VIA(good)) && !found("bad:1") && !found(VIA(bad)));
    ck_assert_uint_eq(count_in("quarantine"), 1);
    ck_assert_uint_eq(count_in("store/layers"), garbage); /* what it named is kept for someone to look at */
    json_auto_t *r = rm("good:1", false, &e);
    ck_assert_ptr_nonnull(r);
    ck_assert_uint_eq(count_in("store/layers"), garbage);
    free(import_text("bad", "bad:1")); /* and repaired by doing it again */
    reopen();
    ck_assert(found("bad:1"));
    ck_assert_uint_eq(count_in("store/layers"), 1);
    ck_assert_ptr_nonnull(text);
}
END_TEST

START_TEST(spoiled_references)
{
    autofree char *id = import_text("good", "good:1");
    autofree char *text =
        str_printf("{\"docker.io/library/good:1\":\"%s\",\"UPPER\":\"%s\",\"docker.io/library/x:1\":\"%064d\","
                   "\"docker.io/library/y:1\":7,\"good:2\":\"%s\"}",
                   VIA(id), VIA(id), 0, VIA(id));
    spoil("store/refs.json", text);
    reopen();
    ck_assert(found("good:1") && !found("x:1") && !found("y:1") && !found("good:2"));
    spoil("store/refs.json", "[");
    reopen();
    ck_assert(!found("good:1") && found(VIA(id)));
    ck_assert_uint_eq(count_in("quarantine"), 1);
}
END_TEST

/* ---- several at once ---- */

static void *trouble(void *arg)
{
    struct err e;
    const long k = (long)arg;
    for (int i = 0; i < 12; i++) {
        autofree char *name = str_printf("t%ld:%d", k, i % 3), *text = str_printf("text %d", i % 4);
        autostr t = STR_INIT, out = STR_INIT;
        small_tar(&t, "f", text);
        struct feed f = {.p = t.s, .left = t.len};
        autofree char *id = image_import(st, feed_read, &f, name, NULL, NULL, NULL, NULL, &e);
        json_auto_t *l = image_list(st, NULL, true, 44, &e), *j = image_inspect(st, name, &e);
        autostrv names = {NULL, 0};
        strv_add(&names, name);
        if (!id || !l || !j || image_tag(st, name, "moved", "", &e) < 0 ||
            image_save(st, &names, keep_bytes, &out, &e) < 0 || load_into(st, &out, NULL, &e) < 0)
            return mem_strdup(e.msg);
        json_auto_t *gone = image_remove(st, name, true, false, &e);
        if (!gone)
            return mem_strdup(e.msg);
    }
    return NULL;
}

START_TEST(many_threads)
{
    pthread_t threads[3];
    for (long i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, trouble, (void *)i), 0);
    for (int i = 0; i < 3; i++) {
        void *why;
        pthread_join(threads[i], &why);
        ck_assert_msg(!why, "%s", (char *)why);
    }
    size_t images = image_count(st), records = count_in("store/records");
    ck_assert_uint_eq(images, records);
    struct err e;
    json_auto_t *every = json_loads("{\"dangling\":[\"false\"]}", 0, NULL);
    json_auto_t *all = image_prune(st, every, &e);
    ck_assert_ptr_nonnull(all);
    ck_assert_uint_eq(count_in("store/blobs/sha256") + count_in("store/layers") + count_in("store/records"), 0);
}
END_TEST

/* ---- mounts ---- */

static void write_at(const char *path, const char *text)
{
    struct err e;
    autofree char *dir = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    ck_assert_int_eq(dir_make_all(dir, 0755, &e), 0);
    spoil(path, text);
}

static void mount_and_check(char *const *lower, size_t n, const char *upper, const char *work, const char *at)
{
    struct err e;
    ck_assert(!overlay_mounted(at));
    ck_assert_msg(overlay_mount(lower, n, upper, work, at, false, &e) == 0, "%s", e.msg);
    ck_assert(overlay_mounted(at));
    autofree char *top = str_printf("%s/top", at), *bottom = str_printf("%s/bottom", at),
                  *fresh = str_printf("%s/fresh", at);
    ck_assert_int_eq(access(top, R_OK) | access(bottom, R_OK), 0);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(fd >= 0, upper != NULL);
    fd_close(fd);
    ck_assert_msg(overlay_unmount(at, &e) == 0, "%s", e.msg);
    ck_assert(!overlay_mounted(at));
    ck_assert_int_eq(overlay_unmount(at, &e), 0); /* nothing there is success */
}

START_TEST(overlays)
{
    struct err e;
    autostrv lower = {NULL, 0};
    for (int i = 0; i < 100; i++) {
        autofree char *p =
            str_printf("%s/layers/0123456789012345678901234567890123456789012345678901234567890123%03d", folder, i);
        ck_assert_int_eq(dir_make_all(p, 0755, &e), 0);
        strv_add(&lower, p);
    }
    autofree char *top = str_printf("%s/top", lower.v[0]), *bottom = str_printf("%s/bottom", lower.v[1]),
                  *last = str_printf("%s/bottom", lower.v[99]), *both = str_printf("%s/bottom", lower.v[0]);
    write_at(top, "t");
    write_at(bottom, "b");
    write_at(last, "b");
    autofree char *at = str_printf("%s/at", folder), *up = str_printf("%s/up", folder),
                  *work = str_printf("%s/work", folder);
    ck_assert_int_eq(mkdir(at, 0755) | mkdir(up, 0755) | mkdir(work, 0755), 0);
    mount_and_check(lower.v, 2, up, work, at);
    mount_and_check(lower.v, 2, NULL, NULL, at);
    mount_and_check(lower.v, 100, up, work, at); /* more than a page of names */
    write_at(both, "b");
    mount_and_check(lower.v, 1, up, work, at);
    mount_and_check(lower.v, 1, NULL, NULL, at);
    ck_assert_int_eq(overlay_mount(lower.v, 0, up, work, at, false, &e), -1);
    autofree char *missing = str_printf("%s/missing", folder);
    ck_assert_int_eq(overlay_mount(&missing, 1, up, work, at, false, &e), -1);
    ck_assert_int_eq(overlay_unmount(missing, &e), 0);
}
END_TEST

START_TEST(odd_paths_can_be_mounted)
{
    static const char *const odd[] = {"a:b", "a,b", "a\\b", "a b=c,upperdir=x"};
    struct err e;
    for (size_t i = 0; i < 4; i++) {
        autofree char *d = str_printf("%s/odd %s", folder, odd[i]);
        autofree char *one = str_printf("%s/one", d), *two = str_printf("%s/two", d), *up = str_printf("%s/up", d),
                      *work = str_printf("%s/work", d), *at = str_printf("%s/at", d), *top = str_printf("%s/top", one),
                      *bottom = str_printf("%s/bottom", two);
        write_at(top, "t");
        write_at(bottom, "b");
        ck_assert_int_eq(dir_make_all(up, 0755, &e) | dir_make_all(work, 0755, &e) | dir_make_all(at, 0755, &e), 0);
        char *lower[] = {one, two};
        mount_and_check(lower, 2, up, work, at);
    }
}
END_TEST

static void add_root_tests(TCase *t)
{
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, import_makes_an_image);
    tcase_add_test(t, import_refuses_what_it_should);
    tcase_add_loop_test(t, import_takes_every_compression, 0, 4);
    tcase_add_test(t, the_worker_is_shut_in);
    tcase_add_test(t, a_killed_daemon_takes_its_worker_along);
    tcase_add_test(t, the_list_has_dockers_shape);
    tcase_add_test(t, filters);
    tcase_add_test(t, inspect_has_every_field);
    tcase_add_test(t, names_are_found);
    tcase_add_test(t, tags);
    tcase_add_test(t, removing_by_name_and_id);
    tcase_add_test(t, images_in_use_stay);
    tcase_add_test(t, parents_and_children);
    tcase_add_test(t, prune_takes_what_nobody_needs);
    tcase_add_test(t, what_is_saved_comes_back_the_same);
    tcase_add_test(t, saving_by_id_and_of_several);
    tcase_add_test(t, rotten_blobs_are_not_saved);
    tcase_add_test(t, archives_of_old_docker);
    tcase_add_loop_test(t, oci_layouts, 0, 3);
    tcase_add_loop_test(t, lies_are_refused, 0, LIES);
    tcase_add_test(t, all_or_nothing);
    tcase_add_test(t, ambiguous_documents);
    tcase_add_test(t, clients_that_go_away);
    tcase_add_test(t, leftovers_are_removed_at_start);
    tcase_add_loop_test(t, spoiled_state_is_set_aside, 0, 12);
    tcase_add_test(t, spoiled_references);
    tcase_add_test(t, many_threads);
    tcase_add_test(t, overlays);
    tcase_add_test(t, odd_paths_can_be_mounted);
}

int main(void)
{
    Suite *s = suite_create("image");
    TCase *free_for_all = unit_case(s, "changes"), *t = unit_root_case(s, "store", "unpack layers and to mount");
    link_worker();
    tcase_add_loop_test(free_for_all, changes_are_applied, 0, COUNT(changes));
    add_root_tests(t);
    return unit_run(s);
}
