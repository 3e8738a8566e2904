/* Import: the image that is made of a tar, what is refused, the changes that may be asked for on the way, and the
 * worker that unpacks, which is shut in and outlives nobody. Needs root but for the changes, because unpacking does. */
#include "image_rig.h"

#include <sys/wait.h>

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
    autofree char *id = image_import(st, feed_read, &f,
                                     &(struct image_import){.ref = "tiny:1", .message = "by hand", .changes = &changes},
                                     keep_message, said, &e);
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
        ck_assert_ptr_null(image_import(st, feed_read, &f, &(struct image_import){.ref = refs[i]}, NULL, NULL, &e));
        ck_assert_int_eq(e.kind, ERR_INVALID);
        ck_assert_uint_eq(f.left, t.len); /* nothing was read */
    }
    struct feed f = {.p = t.s, .left = t.len};
    ck_assert_ptr_null(
        image_import(st, feed_read, &f, &(struct image_import){.ref = "x", .changes = &bad}, NULL, NULL, &e));
    ck_assert_ptr_nonnull(strstr(e.msg, "FROM is not a valid change command"));
    f = (struct feed){.p = evil.s, .left = evil.len};
    ck_assert_ptr_null(image_import(st, feed_read, &f, &(struct image_import){.ref = "x"}, NULL, NULL, &e));
    ck_assert_int_eq(e.kind, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.msg, "entry ../f: its name contains \"..\""));
    f = (struct feed){.p = empty.s, .left = 0};
    ck_assert_ptr_null(image_import(st, feed_read, &f, &(struct image_import){.ref = "x"}, NULL, NULL, &e));
    f = (struct feed){.p = "not a tar", .left = 9};
    ck_assert_ptr_null(image_import(st, feed_read, &f, &(struct image_import){.ref = "x"}, NULL, NULL, &e));
    ck_assert_int_eq(e.kind, ERR_INVALID);
    f = (struct feed){.p = t.s, .left = 600, .broken = true};
    ck_assert_ptr_null(image_import(st, feed_read, &f, &(struct image_import){.ref = "x"}, NULL, NULL, &e));
    ck_assert_str_eq(e.msg, "the body ended early");
    ck_assert_uint_eq(image_count(st), 0);
    ck_assert_uint_eq(count_all(), 0);
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

/* ---- the worker ---- */

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
        if (text && strstr(text, "Seccomp:\t2\n")) /* its last step */
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
    ck_assert_ptr_nonnull(strstr(text, "Seccomp:\t2\n"));
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
    autofree char *id = image_import(st, feed_read, &f, &(struct image_import){.ref = ""}, NULL, NULL, &e);
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
        if (text && strstr(text, "Seccomp:\t2\n"))
            break;
        usleep(5000);
    }
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
        image_import(st, feed_read, &f, &(struct image_import){.ref = ""}, NULL, NULL, &e);
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
    autostrv lines = {NULL, 0};
    for (size_t i = 0; changes[_i].lines[i]; i++)
        strv_add(&lines, changes[_i].lines[i]);
    int r = image_changes(config, &lines, &e);
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

int main(void)
{
    Suite *s = suite_create("image: import");
    TCase *t = unit_case(s, "changes");
    tcase_add_loop_test(t, changes_are_applied, 0, COUNT(changes));
    t = store_case(s, "import");
    tcase_add_test(t, import_makes_an_image);
    tcase_add_test(t, import_refuses_what_it_should);
    tcase_add_loop_test(t, import_takes_every_compression, 0, 4);
    tcase_add_test(t, the_worker_is_shut_in);
    tcase_add_test(t, a_killed_daemon_takes_its_worker_along);
    return unit_run(s);
}
