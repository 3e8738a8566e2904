/* Save and load: what comes back the same, archives as others write them, and archives that lie. Needs root, because
 * unpacking does. */
#include "image_rig.h"

#include <sys/wait.h>

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
    MANY_VALUES,
    ODD_LABEL,
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
                                       "more than 16384 values",
                                       "label a is no text",
                                       "not a sound archive"};

static void make_lie(struct str *t, enum lie lie)
{
    struct made m;
    make_parts(&m, lie == DUPLICATE_KEY ? ",\"os\":\"linux\"" : "");
    if (lie == WRONG_DIFF)
        m.layer.s[512] ^= 1;
    if (lie == EVIL_LAYER || lie == BIG_CONFIG || lie == DEEP_JSON || lie == MANY_VALUES || lie == ODD_LABEL ||
        lie == WINDOWS || lie == TRAILING) {
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
        for (int i = 0; i < 17000 && lie == MANY_VALUES; i++)
            str_add(&m.config, i ? "{}," : "[");
        str_add(&m.config, lie == MANY_VALUES ? "0]" : lie == ODD_LABEL ? "0,\"config\":{\"Labels\":{\"a\":1}}" : "0");
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
    ck_assert_uint_eq(count_all() + count_in("store/staging"), 0);
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

int main(void)
{
    Suite *s = suite_create("image: save and load");
    TCase *t = store_case(s, "good");
    tcase_add_test(t, what_is_saved_comes_back_the_same);
    tcase_add_test(t, saving_by_id_and_of_several);
    tcase_add_test(t, rotten_blobs_are_not_saved);
    tcase_add_test(t, archives_of_old_docker);
    tcase_add_loop_test(t, oci_layouts, 0, 3);
    t = store_case(s, "bad");
    tcase_add_loop_test(t, lies_are_refused, 0, LIES);
    tcase_add_test(t, all_or_nothing);
    tcase_add_test(t, ambiguous_documents);
    tcase_add_test(t, clients_that_go_away);
    return unit_run(s);
}
