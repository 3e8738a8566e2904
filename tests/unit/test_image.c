/* The images of a store: list, inspect, history, names, tags, removal, prune. Needs root, because unpacking does. */
#include "image_rig.h"

#include <pthread.h>

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
    autofree char *red =
        image_import(st, feed_read, &f, &(struct image_import){.ref = "red:1", .changes = &labels}, NULL, NULL, &e);
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
    ck_assert_uint_eq(count_all(), 0);
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
    ck_assert_uint_eq(count_all(), 0);
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

int main(void)
{
    Suite *s = suite_create("image");
    TCase *t = store_case(s, "list");
    tcase_add_test(t, the_list_has_dockers_shape);
    tcase_add_test(t, filters);
    tcase_add_test(t, inspect_has_every_field);
    tcase_add_test(t, names_are_found);
    t = store_case(s, "removal");
    tcase_add_test(t, tags);
    tcase_add_test(t, removing_by_name_and_id);
    tcase_add_test(t, images_in_use_stay);
    tcase_add_test(t, parents_and_children);
    tcase_add_test(t, prune_takes_what_nobody_needs);
    return unit_run(s);
}
