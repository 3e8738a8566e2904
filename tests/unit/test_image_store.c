/* The store on disk: what a kill leaves and an unkind hand does, several at once, overlay mounts. Needs root, because
 * unpacking and mounting do. */
#include "image_rig.h"

#include <pthread.h>

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
    json_auto_t *r = image_remove(st, "good:1", false, false, &e);
    ck_assert_ptr_nonnull(r);
    ck_assert_uint_eq(count_in("store/layers"), garbage);
    if (_i != 10) { /* at the next start, too: a name that is no id says nothing */
        reopen();
        ck_assert_uint_eq(count_in("store/layers"), garbage);
    }
    free(import_text("bad", "bad:1")); /* and repaired by doing it again, once somebody has looked */
    ck_assert_int_eq(tree_remove(AT_FDCWD, "quarantine", &e), 0);
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
        autofree char *id = image_import(st, feed_read, &f, &(struct image_import){.ref = name}, NULL, NULL, &e);
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
    ck_assert_uint_eq(count_all(), 0);
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

int main(void)
{
    Suite *s = suite_create("image: store");
    TCase *t = store_case(s, "on disk");
    tcase_add_test(t, leftovers_are_removed_at_start);
    tcase_add_loop_test(t, spoiled_state_is_set_aside, 0, 12);
    tcase_add_test(t, spoiled_references);
    tcase_add_test(t, many_threads);
    t = store_case(s, "mounts");
    tcase_add_test(t, overlays);
    tcase_add_test(t, odd_paths_can_be_mounted);
    return unit_run(s);
}
